//! Reads a pipeline whose executions are reported from its child stack.

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::gitops_pipeline::{observe, template};

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
    let stack_name = names.stack();
    let found = observe::describe(aws, &stack_name).await?;
    let child = found.map(|stack| observe::described(stack, &stack_name));
    let owned = child.filter(|child| child.owner.is_some());
    Ok(owned.and_then(|child| {
        Some(ReportTarget {
            names: names.clone(),
            location: AwsLocation::from_arn(&child.id)?,
            branch: child.outputs.get(template::BRANCH_OUTPUT)?.clone(),
            settings: serde_json::from_str(child.outputs.get(template::REPORTING_OUTPUT)?).ok()?,
        })
    }))
}
