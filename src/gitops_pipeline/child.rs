//! A child stack, as the health check reads it.

use super::observe::pipeline_settings::PipelineSettings;
use super::pushes::BranchPush;
use super::pushes::missed_push::DeployedBranch;
pub use super::template::RENDERING_VERSION;
use crate::clients::gitlab::Access;
use crate::common::ownership::Owner;

#[derive(Clone, Debug)]
pub struct Child {
    /// CloudFormation's status, for example `UPDATE_ROLLBACK_FAILED`.
    pub status: String,
    pub owner: Owner,
    pub parameters: Vec<String>,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<BranchPush>,
    /// The branch that its pipeline deploys. `None` if it has no pipeline, or cannot run.
    pub deploys: Option<DeployedBranch>,
    /// The version of its rendering, if this function's is newer.
    pub outdated_version: Option<u32>,
    /// The settings that it stores for the function. `None` if it was never complete.
    pub settings: Option<PipelineSettings>,
}

impl Child {
    /// How its pipeline reaches GitLab. `None` if it has no `GitLab`.
    pub fn access(&self) -> Option<&Access> {
        let report = self.settings.as_ref()?.report.as_ref()?;
        Some(&report.access)
    }
}
