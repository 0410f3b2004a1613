//! The event of a branch's first push.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::spec::{CrossAccount, RepositoryRef};
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;

/// A push of a branch that a child stack waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPush {
    /// The name of the child stack that waits. `None` if the event does not contain it. Then it is
    /// the stack that created the repository.
    stack_name: Option<String>,
    /// The repository's ARN, if the event contains it. Two accounts may have repositories of one
    /// name.
    repository_arn: Option<String>,
    repository_name: String,
    /// The pushed branch.
    pub branch: String,
    /// The pushed commit, if the event contains it.
    pub commit: Option<String>,
    /// Whether an event reported the push. Otherwise the function has to look up the branch.
    pub is_reported: bool,
}

/// The fields that the event rule of a child stack without a pipeline adds to the event.
#[derive(Deserialize)]
struct AddedByRule {
    #[serde(rename = "StackName")]
    stack_name: Option<String>,
}

/// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event: String,
    repository_name: String,
    reference_type: String,
    reference_name: String,
    /// A text. An event with another type of value is still a push.
    #[serde(default)]
    commit_id: Value,
}

impl FirstPush {
    /// Reads the event. `None` if it is another event: of another service, or about a tag or a
    /// deletion.
    pub fn parse(event: &str) -> Option<Self> {
        let AddedByRule { stack_name } = serde_json::from_str(event).ok()?;
        let event: EventBridgeEvent<Detail> = serde_json::from_str(event).ok()?;
        let (resources, detail) = (event.resources.unwrap_or_default(), event.detail);
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let is_push = event.source == "aws.codecommit"
            && matches!(
                detail.event.as_str(),
                "referenceCreated" | "referenceUpdated"
            )
            && detail.reference_type == "branch";
        is_push.then_some(FirstPush {
            stack_name,
            // The repository's ARN, in a list.
            repository_arn: resources.into_iter().next(),
            repository_name: detail.repository_name,
            branch: detail.reference_name,
            commit: text(&detail.commit_id),
            is_reported: true,
        })
    }

    /// The push that `child`, the stack `stack_name`, waits for. `None` if the stack does not wait.
    /// The push may have happened without an event: EventBridge may lose one, and the event rule is
    /// created after the branch was looked up.
    pub fn missed_by(child: &ChildStack, stack_name: &str) -> Option<Self> {
        if !child.is_settled() || child.has_pipeline() {
            return None;
        }
        Some(FirstPush {
            stack_name: Some(stack_name.to_owned()),
            repository_arn: None,
            repository_name: child.outputs.get(template::REPOSITORY_OUTPUT)?.clone(),
            branch: child.outputs.get(template::BRANCH_OUTPUT)?.clone(),
            commit: None,
            is_reported: false,
        })
    }

    /// The name of the child stack that waits. `None` if the name is not that of a child stack.
    pub fn stack_name(&self) -> Option<String> {
        self.names().map(|names| names.stack())
    }

    /// Whether `child` deploys the pushed branch.
    pub fn is_deployed_by(&self, child: &ChildStack) -> bool {
        let is = |output: &str, value: &str| {
            let output = child.outputs.get(output);
            output.is_none_or(|output| output == value)
        };
        is(template::REPOSITORY_OUTPUT, &self.repository_name)
            && is(template::BRANCH_OUTPUT, &self.branch)
            && self.is_in_source_account(child)
    }

    /// Whether the push was in the account that `child` takes its code from.
    fn is_in_source_account(&self, child: &ChildStack) -> bool {
        let Some(arn) = &self.repository_arn else {
            return true;
        };
        match child.outputs.get(template::SOURCE_ARN_OUTPUT) {
            Some(cross_account) => cross_account == arn,
            None => AwsLocation::from_arn(arn) == AwsLocation::from_arn(&child.id),
        }
    }

    /// The pushed repository, from which `child` takes its code.
    pub fn repository(&self, child: &ChildStack) -> RepositoryRef {
        let output = |name: &str| child.outputs.get(name).cloned();
        let arn = output(template::SOURCE_ARN_OUTPUT);
        let role_arn = output(template::SOURCE_ROLE_OUTPUT);
        let cross_account = arn.zip(role_arn);
        RepositoryRef {
            name: self.repository_name.clone(),
            cross_account: cross_account.map(|(repository_arn, role_arn)| CrossAccount {
                repository_arn,
                role_arn,
            }),
        }
    }

    /// The names of the stack's resources. `None` if the event names no stack of a pipeline.
    pub fn names(&self) -> Option<ResourceNames> {
        match &self.stack_name {
            Some(name) => ResourceNames::from_stack_name(name),
            None => ResourceNames::from_repository_name(&self.repository_name),
        }
    }
}
