//! Reads the settings of a pipeline from its child stack.
//!
//! They are outputs, so that one call reads the stack's owner and all of them.

use crate::gitops_pipeline::names::{AwsLocation, EventRule, ResourceNames};
use crate::gitops_pipeline::settings::{
    ApprovalSettings, ChangeSetSettings, DeployedTarget, ReportSettings,
};
use crate::gitops_pipeline::spec::FunctionApprovals;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is an output of the stack.
pub struct PipelineSettings {
    pub names: ResourceNames,
    pub location: AwsLocation,
    pub branch: String,
    /// `false` while the stack waits for the first push of the branch.
    pub has_pipeline: bool,
    pub repository_name: String,
    /// Whether the repository is in another account.
    pub is_cross_account: bool,
    /// The parts of the report, and its project. `None` if the pipeline has no `GitLab`.
    pub report: Option<ReportSettings>,
    /// The input of the function's change sets. `None` if it creates none.
    pub change_sets: Option<ChangeSetSettings>,
    /// The approvals of the function that the environment allows.
    approvals: Option<ApprovalSettings>,
    has_image_rule: bool,
    has_paths: bool,
}

impl PipelineSettings {
    /// The properties whose event rules need the function: it decides about each push with
    /// `Source.Paths`, and reads each build of a review.
    pub fn properties_for_the_function(&self) -> Vec<&'static str> {
        let is_reviewed = self.event_rules().any(|rule| rule == EventRule::Review);
        let properties = [("Source.Paths", self.has_paths), ("Review", is_reviewed)];
        let given = properties.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }

    /// The event rules that the stack declares.
    pub fn event_rules(&self) -> impl Iterator<Item = EventRule> {
        let change_sets = self.change_sets.as_ref();
        let is_reviewed = change_sets.is_some_and(|it| it.review.is_some());
        let is_declared = move |rule: &EventRule| match rule {
            EventRule::Push => true,
            EventRule::Image => self.has_image_rule,
            EventRule::Review => is_reviewed,
        };
        EventRule::ALL.into_iter().filter(is_declared)
    }

    /// The stack that the pipeline deploys. `None` if the settings do not show it: the pipeline has
    /// no `GitLab`, and the function gives no approvals.
    pub fn deployed(&self) -> Option<DeployedTarget> {
        let of_approvals = |approvals: &ApprovalSettings| DeployedTarget {
            stack_name: approvals.stack_name.clone(),
            change_set_name: Some(approvals.change_set_name.clone()),
        };
        let of_report = self.report.as_ref().map(ReportSettings::deployed);
        of_report.or_else(|| self.approvals.as_ref().map(of_approvals))
    }

    /// The approvals of the function. `None` if only people approve in AWS.
    pub fn approvals(&self) -> Option<&ApprovalSettings> {
        self.approvals.as_ref()
    }

    /// The settings that `child`, the stack of `names`, stores, with the approvals that are
    /// `allowed`. `None` if no resource owns it, or it was never complete.
    pub fn of(
        child: &ChildStack,
        names: ResourceNames,
        allowed: FunctionApprovals,
    ) -> Option<Self> {
        child.owner.as_ref()?;
        let approvals = match allowed {
            FunctionApprovals::Denied => None,
            FunctionApprovals::NoChanges => child.parse(template::APPROVALS_OUTPUT),
        };
        let output = |name: &str| child.outputs.get(name).cloned();
        Some(PipelineSettings {
            names,
            location: AwsLocation::from_arn(&child.id)?,
            branch: child.branch()?,
            has_pipeline: child.has_pipeline(),
            repository_name: output(template::REPOSITORY_OUTPUT)?,
            is_cross_account: output(template::SOURCE_ARN_OUTPUT).is_some(),
            report: child.report(),
            change_sets: child.parse(template::CHANGE_SETS_OUTPUT),
            approvals,
            has_image_rule: output(template::IMAGE_RULE_OUTPUT).is_some(),
            has_paths: output(template::PATHS_OUTPUT).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{Output, Stack, Tag};
    use serde_json::json;

    use super::*;
    use crate::common::ownership::{LOGICAL_ID, STACK_ID};
    use crate::gitops_pipeline::observe::described;

    #[test]
    fn function_approves_only_if_the_environment_allows_it() {
        let approvals = json!({
            "StackName": "cfnstack-dev-shop",
            "ChangeSetName": "changeset-dev-shop",
        })
        .to_string();
        let name = "gitops-dev-shop";
        let id = format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/{name}/1");
        let mut stack = Stack::builder().stack_id(id);
        for key in [STACK_ID, LOGICAL_ID] {
            stack = stack.tags(Tag::builder().key(key).value("owner").build());
        }
        for (key, value) in [
            (template::APPROVALS_OUTPUT, &*approvals),
            (template::BRANCH_OUTPUT, "main"),
            (template::REPOSITORY_OUTPUT, "shop"),
        ] {
            let output = Output::builder().output_key(key).output_value(value);
            stack = stack.outputs(output.build());
        }
        let child = described(stack.build(), name);
        let allows = |parameter| {
            let names = ResourceNames::from_stack_name(name).expect("names");
            let allowed = FunctionApprovals::parse(parameter);
            let settings = PipelineSettings::of(&child, names, allowed).expect("settings");
            settings.approvals().is_some()
        };
        assert!(allows("NoChanges"));
        assert!(!allows("Denied"));
    }
}
