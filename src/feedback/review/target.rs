//! Reads a pipeline whose branches are reviewed from its child stack.

use crate::clients::aws::{Aws, CallError};
use crate::gitops_pipeline::change_set_settings::{ChangeSetSettings, ReviewSettings};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::gitops_pipeline::settings;
use crate::gitops_pipeline::settings::PipelineSettings;

/// A pipeline whose branches are reviewed.
#[derive(Clone, Debug)]
pub struct ReviewTarget {
    /// The names of its resources.
    pub names: ResourceNames,
    /// Its region and account.
    pub location: AwsLocation,
    /// The repository with the branches.
    pub repository_name: String,
    /// The branch that the pipeline deploys. Only a merge into it changes the deployed stack.
    pub deployed_branch: String,
    /// Where notes are written.
    pub report: ReportSettings,
    /// The deployed stack.
    pub change_sets: ChangeSetSettings,
    /// How the branches are reviewed.
    pub review: ReviewSettings,
}

/// Reads the pipeline of `names`. `None` if its child stack does not exist, no resource owns it, or
/// it has no review branches.
///
/// # Errors
/// If CloudFormation does not describe the stack.
pub async fn read(aws: &Aws, names: &ResourceNames) -> Result<Option<ReviewTarget>, CallError> {
    let settings = settings::read(aws, names).await?;
    Ok(settings.and_then(|settings| ReviewTarget::of(names.clone(), settings)))
}

impl ReviewTarget {
    /// The pipeline of `names` with these settings. `None` if it has no review branches.
    pub fn of(names: ResourceNames, settings: PipelineSettings) -> Option<Self> {
        let change_sets = settings.change_sets?;
        let review = change_sets.review.clone();
        Some(ReviewTarget {
            names,
            location: settings.location,
            repository_name: settings.repository_name,
            deployed_branch: settings.branch,
            report: settings.report?,
            review: review?,
            change_sets,
        })
    }
}
