//! Reads the settings of a pipeline from its child stack.
//!
//! They are outputs, so that one call reads the stack's owner and all of them.

use crate::gitops_pipeline::names::{AwsLocation, EventRule, ResourceNames};
use crate::gitops_pipeline::settings::StoredSettings;
use crate::gitops_pipeline::spec::{FunctionApprovals, RepositoryRef};
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;

#[derive(Clone, Debug)]
pub struct PipelineSettings {
    pub names: ResourceNames,
    pub location: AwsLocation,
    pub branch: String,
    /// `false` while the stack waits for the first push of the branch.
    pub has_pipeline: bool,
    /// The repository from which it takes its code.
    pub repository: RepositoryRef,
    has_image_rule: bool,
    /// The stack that the pipeline deploys.
    pub deployed_stack: String,
    /// The change set that waits for an approval. `None` if the pipeline creates none.
    pub change_set: Option<String>,
    /// The document of settings. It approves only what the environment allows.
    pub stored: StoredSettings,
}

impl PipelineSettings {
    /// The properties whose event rules need the function: it decides about each push with
    /// `Source.Paths`, and reads each build of a review.
    pub fn properties_for_the_function(&self) -> Vec<&'static str> {
        let is_reviewed = self.event_rules().any(|rule| rule == EventRule::Review);
        let properties = [
            ("Source.Paths", self.stored.paths.is_some()),
            ("Review", is_reviewed),
        ];
        let given = properties.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }

    /// Whether the repository is in another account.
    pub fn is_cross_account(&self) -> bool {
        self.repository.cross_account.is_some()
    }

    /// Whether it takes its code from the repository of this account with this name.
    pub fn has_source(&self, repository_name: &str) -> bool {
        !self.is_cross_account() && self.repository.name == repository_name
    }

    /// The event rules that the stack declares.
    pub fn event_rules(&self) -> impl Iterator<Item = EventRule> {
        let is_reviewed = self.stored.review.is_some();
        let is_declared = move |rule: &EventRule| match rule {
            EventRule::Push => true,
            EventRule::Image => self.has_image_rule,
            EventRule::Review => is_reviewed,
        };
        EventRule::ALL.into_iter().filter(is_declared)
    }

    /// The settings that `child`, the stack of `names`, stores, with the approvals that are
    /// `allowed`. `None` if no resource owns it, or it was never complete.
    pub fn of(
        child: &ChildStack,
        names: ResourceNames,
        allowed: FunctionApprovals,
    ) -> Option<Self> {
        child.owner.as_ref()?;
        let mut stored = child.settings()?;
        stored.approves_no_changes &= allowed == FunctionApprovals::NoChanges;
        let given = stored.stack_name.clone();
        Some(PipelineSettings {
            deployed_stack: given.unwrap_or_else(|| names.deployed_stack()),
            change_set: stored.creates_change_set.then(|| names.change_set()),
            names,
            location: AwsLocation::from_arn(&child.id)?,
            branch: child.branch()?,
            has_pipeline: child.has_pipeline(),
            repository: child.repository()?,
            has_image_rule: child.outputs.contains_key(template::IMAGE_RULE_OUTPUT),
            stored,
        })
    }
}

#[cfg(test)]
pub mod tests {
    use aws_sdk_cloudformation::types::{Output, Stack, Tag};
    use serde_json::json;

    use super::*;
    use crate::common::ownership::{LOGICAL_ID, STACK_ID};
    use crate::gitops_pipeline::observe::described;

    /// The settings of the pipeline `shop` of `dev`.
    pub(crate) fn settings(creates_change_set: bool) -> PipelineSettings {
        settings_with(creates_change_set, FunctionApprovals::Denied)
    }

    fn settings_with(creates_change_set: bool, allowed: FunctionApprovals) -> PipelineSettings {
        let stored = json!({
            "CreatesChangeSet": creates_change_set,
            "Capabilities": [],
            "ReportsDrift": false,
            "ApprovesNoChanges": true,
        })
        .to_string();
        let name = "gitops-dev-shop";
        let id = format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/{name}/1");
        let mut stack = Stack::builder().stack_id(id);
        for key in [STACK_ID, LOGICAL_ID] {
            stack = stack.tags(Tag::builder().key(key).value("owner").build());
        }
        for (key, value) in [
            (template::SETTINGS_OUTPUT, &*stored),
            (template::BRANCH_OUTPUT, "main"),
            (template::REPOSITORY_OUTPUT, "shop"),
        ] {
            let output = Output::builder().output_key(key).output_value(value);
            stack = stack.outputs(output.build());
        }
        let names = ResourceNames::from_stack_name(name).expect("names");
        let child = described(stack.build(), name);
        PipelineSettings::of(&child, names, allowed).expect("settings")
    }

    #[test]
    fn function_approves_only_if_the_environment_allows_it() {
        let allows = |parameter| {
            let settings = settings_with(true, FunctionApprovals::parse(parameter));
            settings.stored.approves_no_changes
        };
        assert!(allows("NoChanges"));
        assert!(!allows("Denied"));
    }
}
