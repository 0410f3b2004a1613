//! Approves what needs no person: a change set that CloudFormation reports as one without changes
//! (`Approval.AutoApprove`).
//!
//! The token comes first. CodePipeline issues one for each request for approval, and accepts it only while that request
//! waits. So what is read afterwards is about this request, or the approval fails.

use aws_sdk_codepipeline::types::{
    ActionExecutionStatus, ApprovalResult, ApprovalStatus, StageState,
};

use crate::clients::aws::{Aws, CallError, optional};
use crate::feedback::change_sets;
use crate::feedback::change_sets::Creation;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::pipeline_settings;

/// The summary of the function's approval in CodePipeline.
pub const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// CodePipeline's error codes for a token whose request no longer waits. The documentation does not tell them apart:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html>
const ENDED: [&str; 2] = [
    "ApprovalAlreadyCompletedException",
    "InvalidApprovalTokenException",
];

/// Approves the change set that waits in the pipeline of `names`, if its properties allow that and the change set has
/// no changes.
///
/// # Errors
/// If AWS does not respond, or denies a call.
pub async fn approve(aws: &Aws, names: &ResourceNames) -> Result<(), CallError> {
    let settings = pipeline_settings::read(aws, names).await?;
    let Some(settings) = settings.and_then(|settings| settings.approvals) else {
        return Ok(());
    };
    let pipeline = names.pipeline();
    let Some(token) = waiting_token(aws, &pipeline).await? else {
        return Ok(());
    };
    let (stack, name) = (&settings.stack_name, &settings.change_set_name);
    let change_set = change_sets::describe(aws, stack, name).await?;
    if !change_set.is_some_and(|change_set| change_set.creation == Creation::Empty) {
        return Ok(());
    }
    let result = ApprovalResult::builder()
        .status(ApprovalStatus::Approved)
        .summary(SUMMARY)
        .build();
    let call = aws.codepipeline.put_approval_result();
    let call = call.pipeline_name(&pipeline).stage_name(DEPLOY);
    let call = call.action_name(APPROVAL).token(token);
    let call = call.set_result(result.ok());
    let doing = || format!("approving the empty change set of pipeline {pipeline}");
    if optional(call.send().await, &ENDED, doing)?.is_some() {
        tracing::info!(pipeline, "approved: the change set has no changes");
    }
    Ok(())
}

/// The token of the approval that waits in the stage of the change set. `None` if none does.
async fn waiting_token(aws: &Aws, pipeline: &str) -> Result<Option<String>, CallError> {
    let state = executions::state(aws, pipeline).await?;
    let is_deploy = |stage: &&StageState| stage.stage_name() == Some(DEPLOY);
    let stages = state.map(|state| state.stage_states.unwrap_or_default());
    let mut deploying = stages.iter().flatten().filter(is_deploy);
    let actions = deploying.next().map(StageState::action_states);
    let mut actions = actions.unwrap_or_default().iter();
    let approval = actions.find(|action| action.action_name() == Some(APPROVAL));
    let latest = approval.and_then(|action| action.latest_execution());
    let waiting =
        latest.filter(|latest| latest.status() == Some(&ActionExecutionStatus::InProgress));
    Ok(waiting.and_then(|waiting| waiting.token().map(ToOwned::to_owned)))
}
