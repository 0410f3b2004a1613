//! The first push of a branch: the child stack that waits for it gets its pipeline.

mod apply;
mod event;
pub(super) mod latest_commit;
mod plan;

pub(super) use self::apply::start;
pub use self::apply::{NotStarted, Started};
pub use self::event::FirstPush;

/// A child stack, as the health check reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The ID of the stack whose resource owns it.
    pub owner_stack_id: String,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<FirstPush>,
}

#[cfg(test)]
mod tests;
