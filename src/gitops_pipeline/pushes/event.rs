//! The event of a branch's push.

use std::time::SystemTime;

use serde_json::Value;

use crate::common::ownership;
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::state::ChildStack;

/// A push of a branch, for a child stack that waits for its first one or has `Source.Paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPush {
    /// The names of the stack, and of its resources. `None` if the event names no stack
    /// of a pipeline.
    pub names: Option<ResourceNames>,
    /// The ARN of the pushed repository. `None` if no event reported the push. Then the function
    /// has to look up the branch.
    pub repository_arn: Option<String>,
    pub branch: String,
    /// The pushed commit, if the event contains it.
    pub commit: Option<String>,
    /// The branch's commit before. `None` if the push created the branch.
    pub old_commit: Option<String>,
    /// When the branch was pushed, if the event contains it.
    pub time: Option<SystemTime>,
}

impl BranchPush {
    /// Parses an event of CodeCommit. `None` if it is about a tag or a deletion. One whose other
    /// members are missing is still a push.
    /// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
    pub fn parse(event: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let detail = &event["detail"];
        let is_push = ["referenceCreated", "referenceUpdated"].contains(&detail["event"].as_str()?);
        if !is_push || detail["referenceType"] != "branch" {
            return None;
        }
        // The event rule of a child stack adds this.
        let stack_name = event["StackName"].as_str();
        Some(BranchPush {
            names: stack_name.and_then(ResourceNames::from_stack_name),
            repository_arn: text(&event["resources"][0]),
            branch: text(&detail["referenceName"])?,
            commit: text(&detail["commitId"]),
            // A push that creates the branch has none.
            old_commit: text(&detail["oldCommitId"]),
            time: event["time"].as_str().and_then(ownership::read_time),
        })
    }

    /// The push that `child`, the stack `stack_name`, waits for. `None` if the stack does not wait.
    /// The push may have happened without an event: EventBridge may lose one, and the event rule is
    /// created after the branch was looked up.
    pub fn missed_by(child: &ChildStack, stack_name: &str) -> Option<Self> {
        let waits = child.status.is_complete() && !child.has_pipeline();
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

    /// The name of the pipeline. `None` for the same event.
    pub fn pipeline_name(&self) -> Option<String> {
        self.names.as_ref().map(ResourceNames::pipeline)
    }

    /// Whether `child` deploys the pushed branch of the pushed repository. Repositories of two
    /// accounts may have the same name.
    pub fn is_deployed_by(&self, child: &ChildStack) -> bool {
        let is_pushed = |arn: String| self.repository_arn.as_ref().is_none_or(|it| *it == arn);
        child.branch().as_ref() == Some(&self.branch)
            && repository_arn(child).is_some_and(is_pushed)
    }
}

fn repository_arn(child: &ChildStack) -> Option<String> {
    let repository = child.repository()?;
    match repository.cross_account {
        Some(cross_account) => Some(cross_account.repository_arn),
        None => Some(AwsLocation::from_arn(&child.id)?.arn("codecommit", &repository.name)),
    }
}
