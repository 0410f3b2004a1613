//! The event of a branch's push.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::common::ownership;
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::spec::{CrossAccount, RepositoryRef};
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;

/// A push of a branch, for a child stack that waits for its first one or has `Source.Paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPush {
    /// The names of the stack, and of its resources. `None` if the event names no stack
    /// of a pipeline.
    pub names: Option<ResourceNames>,
    /// The ARN of the pushed repository. `None` if no event reported the push. Then the function
    /// has to look up the branch.
    pub repository_arn: Option<String>,
    /// The pushed branch.
    pub branch: String,
    /// The pushed commit, if the event contains it.
    pub commit: Option<String>,
    /// The branch's commit before. `None` if the push created the branch.
    pub old_commit: Option<String>,
    /// When the branch was pushed, if the event contains it.
    pub time: Option<SystemTime>,
}

/// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
#[derive(Deserialize)]
struct PushEvent {
    source: String,
    /// The repository's ARN, in a list.
    #[serde(default)]
    resources: Vec<String>,
    detail: PushDetail,
    #[serde(default)]
    time: Value,
    /// The event rule of a child stack adds this.
    #[serde(rename = "StackName")]
    stack_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PushDetail {
    event: String,
    reference_type: String,
    reference_name: String,
    /// A text. An event with another type of value is still a push.
    #[serde(default)]
    commit_id: Value,
    /// Also a text. A push that creates the branch has none.
    #[serde(default)]
    old_commit_id: Value,
}

impl BranchPush {
    /// Reads the event. `None` if it is another event: of another service, or about a tag or a
    /// deletion.
    pub fn parse(event: &str) -> Option<Self> {
        let event: PushEvent = serde_json::from_str(event).ok()?;
        let detail = event.detail;
        let is_push = ["referenceCreated", "referenceUpdated"].contains(&detail.event.as_str());
        let is_of_branch = event.source == "aws.codecommit" && detail.reference_type == "branch";
        (is_push && is_of_branch).then(|| BranchPush {
            names: event
                .stack_name
                .and_then(|name| ResourceNames::from_stack_name(&name)),
            repository_arn: event.resources.into_iter().next(),
            branch: detail.reference_name,
            commit: detail.commit_id.as_str().map(ToOwned::to_owned),
            old_commit: detail.old_commit_id.as_str().map(ToOwned::to_owned),
            time: event.time.as_str().and_then(ownership::read_time),
        })
    }

    /// The push that `child`, the stack `stack_name`, waits for. `None` if the stack does not wait.
    /// The push may have happened without an event: EventBridge may lose one, and the event rule is
    /// created after the branch was looked up.
    pub fn missed_by(child: &ChildStack, stack_name: &str) -> Option<Self> {
        let waits = child.is_settled() && !child.has_pipeline();
        waits.then_some(BranchPush {
            names: ResourceNames::from_stack_name(stack_name),
            repository_arn: None,
            branch: child.branch()?,
            commit: None,
            old_commit: None,
            time: None,
        })
    }

    /// The name of the child stack. `None` if the event names no stack of a pipeline.
    pub fn stack_name(&self) -> Option<String> {
        self.names.as_ref().map(ResourceNames::stack)
    }

    /// Whether `child` deploys the pushed branch of the pushed repository. Repositories of two
    /// accounts may have the same name.
    pub fn is_deployed_by(&self, child: &ChildStack) -> bool {
        let is_pushed = |arn: String| self.repository_arn.as_ref().is_none_or(|it| *it == arn);
        child.branch().as_ref() == Some(&self.branch)
            && repository_arn(child).is_some_and(is_pushed)
    }
}

/// The repository from which `child` takes its code. `None` if its outputs do not name it.
pub fn repository(child: &ChildStack) -> Option<RepositoryRef> {
    let output = |name: &str| child.outputs.get(name).cloned();
    let arn = output(template::SOURCE_ARN_OUTPUT);
    let role_arn = output(template::SOURCE_ROLE_OUTPUT);
    Some(RepositoryRef {
        name: output(template::REPOSITORY_OUTPUT)?,
        cross_account: arn
            .zip(role_arn)
            .map(|(repository_arn, role_arn)| CrossAccount {
                repository_arn,
                role_arn,
            }),
    })
}

fn repository_arn(child: &ChildStack) -> Option<String> {
    let repository = repository(child)?;
    match repository.cross_account {
        Some(cross_account) => Some(cross_account.repository_arn),
        None => Some(AwsLocation::from_arn(&child.id)?.arn("codecommit", &repository.name)),
    }
}
