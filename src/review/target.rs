//! Reads a pipeline whose branches are reviewed from its child stack.

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline::change_set_settings::{ChangeSetSettings, ReviewSettings};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::gitops_pipeline::settings;

/// A pipeline whose branches are reviewed.
#[derive(Clone, Debug)]
pub struct ReviewTarget {
    /// The names of its resources.
    pub names: ResourceNames,
    /// Its region and account.
    pub location: AwsLocation,
    /// The repository with the branches.
    pub repository_name: String,
    /// Where notes are written.
    pub report: ReportSettings,
    /// The deployed stack.
    pub change_sets: ChangeSetSettings,
    /// How the branches are reviewed.
    pub review: ReviewSettings,
}

/// Reads the pipeline of `names`. `None` if its child stack does not exist, no resource owns it, or
/// it writes no reviews.
///
/// # Errors
/// If CloudFormation does not describe the stack.
pub async fn read(aws: &Aws, names: &ResourceNames) -> Result<Option<ReviewTarget>, CallError> {
    let settings = settings::read(aws, names).await?;
    Ok(settings.and_then(|settings| {
        let change_sets = settings.change_sets?;
        let review = change_sets.review.clone();
        Some(ReviewTarget {
            names: names.clone(),
            location: settings.location,
            repository_name: settings.repository_name,
            report: settings.report?,
            review: review.filter(|review| review.change_set_comment)?,
            change_sets,
        })
    }))
}
