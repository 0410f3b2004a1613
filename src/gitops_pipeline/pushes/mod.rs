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
use super::missed_push::DeployedBranch;
use super::settings::PipelineSettings;
use crate::clients::gitlab::Access;

/// A child stack, as the health check reads it.
#[derive(Clone, Debug)]
pub struct Child {
    /// CloudFormation's status, for example `UPDATE_ROLLBACK_FAILED`.
    pub status: String,
    /// The ID of the stack whose resource owns it.
    pub owner_stack_id: String,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<BranchPush>,
    /// The branch that its pipeline deploys. `None` if it has no pipeline, or cannot run.
    pub deploys: Option<DeployedBranch>,
    /// What it stores for the function. `None` if it was never complete.
    pub settings: Option<PipelineSettings>,
}

impl Child {
    /// How its pipeline reaches GitLab. `None` if it has no `GitLab`.
    pub fn access(&self) -> Option<&Access> {
        let report = self.settings.as_ref()?.report.as_ref()?;
        Some(&report.access)
    }
}

#[cfg(test)]
mod tests;
