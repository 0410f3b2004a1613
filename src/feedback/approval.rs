//! Approves a change set that CloudFormation reports as one without changes
//! (`Approval.AutoApprove`), and reads how an approval ended.

use aws_sdk_codepipeline::types::{
    ActionExecutionStatus, ApprovalResult, ApprovalStatus, StageState,
};

use crate::clients::aws::{Aws, CallError, optional};
use crate::feedback::change_sets;
use crate::feedback::change_sets::Creation;
use crate::feedback::execution::ExecutionState;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions::{Action, ActionState};
use crate::gitops_pipeline::executions::cause::is_function;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// CodePipeline's error codes for a token whose request no longer waits. The documentation does not
/// distinguish them:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html>
const ENDED: [&str; 2] = [
    "ApprovalAlreadyCompletedException",
    "InvalidApprovalTokenException",
];

/// The summary of the function's approval in CodePipeline.
pub const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// Approves the change set that waits in `pipeline`, if its properties allow that and the change
/// set has no changes.
///
/// The request comes first. The change set that is read then is about it, or CodePipeline rejects
/// its token.
pub async fn approve(aws: &Aws, pipeline: &PipelineSettings) -> Result<(), CallError> {
    let stack_name = &pipeline.deployed_stack;
    let change_set = pipeline.change_set.as_ref();
    let Some(name) = change_set.filter(|_| pipeline.stored.approves_no_changes) else {
        return Ok(());
    };
    let pipeline = pipeline.names.pipeline();
    let Some(token) = token(aws, &pipeline).await? else {
        return Ok(());
    };
    let change_set = change_sets::describe(aws, stack_name, name).await?;
    if change_set.is_none_or(|it| it.creation != Creation::Empty) {
        return Ok(());
    }
    let result = ApprovalResult::builder().status(ApprovalStatus::Approved).summary(SUMMARY);
    let call = aws.codepipeline.put_approval_result();
    let call = call.pipeline_name(&pipeline).stage_name(DEPLOY);
    let call = call.action_name(APPROVAL).token(&token).set_result(result.build().ok());
    let doing = || format!("ending the request for approval of pipeline {pipeline}");
    if optional(call.send().await, &ENDED, doing)?.is_some() {
        tracing::info!(pipeline, summary = SUMMARY, "request for approval ended");
    }
    Ok(())
}

/// CodePipeline's name of the request that waits, which it accepts only while that waits. `None` if
/// none does.
async fn token(aws: &Aws, pipeline: &str) -> Result<Option<String>, CallError> {
    let shown = executions::state(aws, pipeline).await?;
    let stages = shown.and_then(|state| state.stage_states).unwrap_or_default();
    let is_deploy = |stage: &&StageState| stage.stage_name() == Some(DEPLOY);
    let mut actions = stages.iter().filter(is_deploy).flat_map(|stage| stage.action_states());
    let approval = actions.find(|action| action.action_name() == Some(APPROVAL));
    let waiting = approval.and_then(|action| action.latest_execution());
    let waiting = waiting.filter(|it| it.status() == Some(&ActionExecutionStatus::InProgress));
    Ok(waiting.and_then(|it| it.token()).map(ToOwned::to_owned))
}

/// How an approval ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalEnd {
    Approved,
    /// The function gave it, because there are no changes.
    Unchanged,
    /// It was rejected, or not given in time.
    Rejected,
    /// The execution ended before.
    Unneeded,
}

impl ApprovalEnd {
    /// How `approval` ended in an execution with this `state`. `None` if it waits.
    pub fn of(approval: &Action, names: &ResourceNames, state: ExecutionState) -> Option<Self> {
        match approval.state {
            ActionState::Succeeded if is_unchanged(approval, names) => Some(ApprovalEnd::Unchanged),
            ActionState::Succeeded => Some(ApprovalEnd::Approved),
            ActionState::Failed => Some(ApprovalEnd::Rejected),
            ActionState::Running if state == ExecutionState::Running => None,
            ActionState::Running | ActionState::Abandoned => Some(ApprovalEnd::Unneeded),
        }
    }
}

/// Whether the function has approved it, because there are no changes. Another approver can write
/// the same words.
fn is_unchanged(approval: &Action, names: &ResourceNames) -> bool {
    is_function(&approval.by, names) && approval.summary.contains(SUMMARY)
}
