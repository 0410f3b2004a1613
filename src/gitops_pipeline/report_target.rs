//! Reads a pipeline whose executions are reported from its child stack.

use crate::clients::aws::{Aws, CallError};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::gitops_pipeline::settings;

/// A pipeline whose executions are reported.
#[derive(Clone, Debug)]
pub struct ReportTarget {
    /// The names of its resources.
    pub names: ResourceNames,
    /// Its region and account.
    pub location: AwsLocation,
    /// The branch that it deploys.
    pub branch: String,
    /// What to report, and where.
    pub settings: ReportSettings,
}

/// Reads the pipeline of `names`. `None` if its child stack does not exist, no resource owns it, or
/// it has no `GitLab`.
///
/// # Errors
/// If CloudFormation does not describe the stack.
pub async fn read(aws: &Aws, names: &ResourceNames) -> Result<Option<ReportTarget>, CallError> {
    let settings = settings::read(aws, names).await?;
    Ok(settings.and_then(|settings| {
        Some(ReportTarget {
            names: names.clone(),
            location: settings.location,
            branch: settings.branch,
            settings: settings.report?,
        })
    }))
}
