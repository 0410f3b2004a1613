//! A pipeline whose branches are reviewed.

use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::{ChangeSetSettings, ReportSettings, ReviewSettings};

#[derive(Clone, Debug)]
pub struct ReviewTarget {
    pub names: ResourceNames,
    pub location: AwsLocation,
    /// The repository with the branches.
    pub repository_name: String,
    /// The branch that the pipeline deploys. Only a merge into it changes the deployed stack.
    pub deployed_branch: String,
    pub report: ReportSettings,
    /// The deployed stack.
    pub change_sets: ChangeSetSettings,
    pub review: ReviewSettings,
}

impl ReviewTarget {
    /// The pipeline with these settings. `None` if it has no review branches.
    pub fn of(settings: PipelineSettings) -> Option<Self> {
        let change_sets = settings.change_sets?;
        let review = change_sets.review.clone();
        Some(ReviewTarget {
            names: settings.names,
            location: settings.location,
            repository_name: settings.repository_name,
            deployed_branch: settings.branch,
            report: settings.report?,
            review: review?,
            change_sets,
        })
    }
}
