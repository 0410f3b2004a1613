//! GitLab's side of a credential: the push mirrors that use its login.

pub mod apply;
pub mod gitlab_clients;
pub mod health;
pub mod intent;
pub mod observe;
pub mod plan;
pub mod remove;
pub mod spec;
pub mod state;
pub mod sync;
pub mod tips;

/// How many mirrors, or projects, a request reads or changes concurrently in GitLab.
pub const MIRRORS_AT_ONCE: usize = 10;
