//! GitLab's side of a credential: the push mirrors that use its login.

pub mod apply;
pub mod gitlab_clients;
pub mod intent;
pub mod observe;
pub mod plan;
pub mod remove;
pub mod spec;
pub mod state;
pub mod sync;
