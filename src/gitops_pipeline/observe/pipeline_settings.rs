//! Reads the settings of a pipeline from its child stack.
//!
//! They are outputs, so that one call reads the stack's owner and all of them.

use serde::de::DeserializeOwned;

use super::{describe, described};
use crate::clients::aws::{Aws, CallError};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::settings::{ApprovalSettings, ChangeSetSettings, ReportSettings};
use crate::gitops_pipeline::spec::{FunctionApprovals, GitLabProject};
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;

#[derive(Clone, Debug)]
pub struct PipelineSettings {
    pub names: ResourceNames,
    pub location: AwsLocation,
    pub branch: String,
    pub repository_name: String,
    /// The parts of the report, and its project. `None` if the pipeline has no `GitLab`.
    pub report: Option<ReportSettings>,
    /// The input of the function's change sets. `None` if it creates none.
    pub change_sets: Option<ChangeSetSettings>,
    /// The approvals of the function. `None` if only people approve.
    pub approvals: Option<ApprovalSettings>,
}

/// Reads the settings of the pipeline of `names`. `None` if its child stack does not exist, or no
/// resource owns it.
pub async fn read(aws: &Aws, names: &ResourceNames) -> Result<Option<PipelineSettings>, CallError> {
    let stack_name = names.stack();
    let found = describe(aws, &stack_name).await?;
    let child = found.map(|stack| described(stack, &stack_name));
    Ok(child.and_then(|child| PipelineSettings::of(&child, names.clone())))
}

impl PipelineSettings {
    /// The same, without approvals that the environment's parameter `FunctionApprovals` does not
    /// allow.
    #[must_use]
    pub fn allowing(mut self, approvals: FunctionApprovals) -> Self {
        if let Some(settings) = &mut self.approvals
            && approvals != FunctionApprovals::GitLab
        {
            settings.from_gitlab = None;
        }
        self
    }

    /// Whether the executions are reported to this project.
    pub fn reports_to(&self, target: &GitLabProject) -> bool {
        let report = self.report.as_ref();
        report.is_some_and(|it| it.project == target.project && it.access.url == target.access.url)
    }

    /// The settings that `child`, the stack of `names`, stores. `None` if no resource owns it, or
    /// it was never complete.
    pub fn of(child: &ChildStack, names: ResourceNames) -> Option<Self> {
        child.owner.as_ref()?;
        let output = |name: &str| child.outputs.get(name).cloned();
        Some(PipelineSettings {
            names,
            location: AwsLocation::from_arn(&child.id)?,
            branch: child.branch()?,
            repository_name: output(template::REPOSITORY_OUTPUT)?,
            report: parse(child, template::REPORTING_OUTPUT),
            change_sets: parse(child, template::CHANGE_SETS_OUTPUT),
            approvals: parse(child, template::APPROVALS_OUTPUT),
        })
    }
}

fn parse<T: DeserializeOwned>(child: &ChildStack, output: &str) -> Option<T> {
    serde_json::from_str(child.outputs.get(output)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops_pipeline::settings::GitLabApprovals;

    #[test]
    fn tags_approve_only_if_the_environment_allows_it() {
        let approvals = ApprovalSettings {
            stack_name: "cfnstack-dev-shop".to_owned(),
            change_set_name: "changeset-dev-shop".to_owned(),
            auto_approve: true,
            from_gitlab: Some(GitLabApprovals {
                project: 15,
                allow_author: false,
            }),
        };
        let settings = PipelineSettings {
            names: ResourceNames::new("dev", "shop").expect("names"),
            location: AwsLocation::from_arn("arn:aws:sns:eu-central-1:123456789012:topic")
                .expect("an ARN"),
            branch: "main".to_owned(),
            repository_name: "shop".to_owned(),
            report: None,
            change_sets: None,
            approvals: Some(approvals),
        };
        let allowed = |parameter| {
            let settings = settings
                .clone()
                .allowing(FunctionApprovals::parse(parameter));
            settings.approvals.expect("settings").from_gitlab.is_some()
        };
        assert!(allowed("GitLab"));
        assert!(!allowed("NoChanges") && !allowed("Denied"));
    }
}
