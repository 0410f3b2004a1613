//! Whether an execution was started for a push, or by a person who may deploy any commit.

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::{ExecutionStatus, Trigger, commit_of, is_rollback, status_of, trigger_of};
use crate::gitops_pipeline::names::ResourceNames;

/// Whether the commit of `execution` was the branch's tip when it started, or the commit of an
/// event. One that an update canceled before it read its commit does not count.
pub fn shows_push(execution: &PipelineExecutionSummary, names: &ResourceNames) -> bool {
    let is_canceled = status_of(execution) == ExecutionStatus::Canceled;
    let has_commit = commit_of(execution).is_some();
    (has_commit || !is_canceled) && is_started_for_push(execution, names)
}

/// Whether an event or the function started `execution`.
pub fn is_started_for_push(execution: &PipelineExecutionSummary, names: &ResourceNames) -> bool {
    if is_rollback(execution) {
        return false;
    }
    match trigger_of(execution) {
        Trigger::Source => true,
        // The detail is "the user ARN":
        // https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionTrigger.html.
        Trigger::Start(caller) => is_function(caller, names),
        Trigger::AutomatedRollback(_) | Trigger::ManualRollback | Trigger::Unknown(_) => false,
    }
}

/// Whether `arn` is that of the function's role, or of its session. The path of another user may
/// contain either.
pub fn is_function(arn: &str, names: &ResourceNames) -> bool {
    let resource = arn.splitn(6, ':').last().unwrap_or_default();
    let role = names.function_role();
    resource == format!("role/{role}") || resource.starts_with(&format!("assumed-role/{role}/"))
}
