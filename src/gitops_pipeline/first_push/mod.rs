//! A push of a branch. The child stack that waits for the first one gets its pipeline. With
//! `Source.Paths`, the function starts the pipeline for each push that changes one of these files.

mod apply;
mod changed_files;
mod event;
pub(super) mod latest_commit;
mod plan;

pub(super) use self::apply::start;
pub use self::apply::{NotStarted, Started};
pub(super) use self::changed_files::do_files_differ;
pub use self::event::BranchPush;
pub(super) use self::event::repository;

/// A child stack, as the health check reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The ID of the stack whose resource owns it.
    pub owner_stack_id: String,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<BranchPush>,
}

#[cfg(test)]
mod tests;
