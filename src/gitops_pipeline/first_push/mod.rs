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
use super::settings::PipelineSettings;

/// A child stack, as the health check reads it.
#[derive(Clone, Debug)]
pub struct Child {
    /// The ID of the stack whose resource owns it.
    pub owner_stack_id: String,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<BranchPush>,
    /// What it stores for the function. `None` if it was never complete.
    pub settings: Option<PipelineSettings>,
}

impl Child {
    /// Whether notes about its review branches are written.
    pub fn is_reviewing(&self) -> bool {
        let settings = self.settings.as_ref();
        let change_sets = settings.and_then(|settings| settings.change_sets.as_ref());
        let review = change_sets.and_then(|change_sets| change_sets.review.as_ref());
        review.is_some_and(|review| review.change_set_comment)
    }
}

#[cfg(test)]
mod tests;
