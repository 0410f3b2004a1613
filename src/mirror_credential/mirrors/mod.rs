//! GitLab's side of a credential: the push mirrors that use its login.

pub mod apply;
pub mod gitlab_clients;
pub mod journal;
pub mod plan;
pub mod spec;
pub mod sync;
