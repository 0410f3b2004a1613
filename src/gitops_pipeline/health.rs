//! The health of the environment's pipelines: the result of the latest execution, and the pending
//! approvals.

use std::time::SystemTime;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{
    ActionExecutionStatus, ActionState, PipelineExecutionSummary, PipelineSummary, StageState,
};

use crate::clients::aws::{Aws, CallError, required};
use crate::gitops_pipeline::executions::actions::{self, list_actions};
use crate::gitops_pipeline::executions::{
    self, APPROVAL, ExecutionStatus, MAX_SEARCHED, has_succeeded,
};
use crate::gitops_pipeline::names;

/// The most ends that are looked at. A failure behind so many rejections is not found.
const MAX_ENDS: usize = 10;

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineEnd {
    Succeeded,
    /// In this action, if that was read. Empty if CodePipeline shows none: a condition failed.
    Failed(Result<String, CallError>),
}

/// The names of the pipelines of the environment `env_id`.
pub async fn list(aws: &Aws, env_id: &str) -> Result<Vec<String>, CallError> {
    let prefix = names::PIPELINE.prefix(env_id);
    let pages = aws.codepipeline.list_pipelines().into_paginator();
    let listed: Result<Vec<PipelineSummary>, _> = pages.items().send().collect().await;
    let listed = required(listed, || "listing the pipelines".to_owned())?;
    let names = listed.into_iter().filter_map(|one| one.name);
    Ok(names.filter(|name| name.starts_with(&prefix)).collect())
}

/// The executions of a pipeline, the newest first: at least the latest hundred, those back to an
/// end, and perhaps those back to a success. `None` if the pipeline does not exist.
pub async fn list_executions(
    aws: &Aws,
    name: &str,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    let needs_more = |listed: &[PipelineExecutionSummary]| {
        let searches = listed.len() < MAX_SEARCHED && !listed.iter().any(has_succeeded);
        searches || listed.len() < executions::LATEST || ends(listed).next().is_none()
    };
    executions::list_while(aws, name, needs_more).await
}

/// The executions that succeeded or failed, the latest first. Stopped and superseded executions do
/// not count as an end, and neither does a rollback that succeeded.
pub(crate) fn ends(
    listed: &[PipelineExecutionSummary],
) -> impl Iterator<Item = &PipelineExecutionSummary> {
    let is_end = |one: &&PipelineExecutionSummary| {
        has_succeeded(one) || executions::status_of(one) == ExecutionStatus::Failed
    };
    listed.iter().filter(is_end).take(MAX_ENDS)
}

/// The latest end that no person has decided: the execution before a rejected one may have failed.
pub async fn latest_end(
    aws: &Aws,
    name: &str,
    listed: &[PipelineExecutionSummary],
) -> Option<PipelineEnd> {
    for one in ends(listed) {
        if has_succeeded(one) {
            return Some(PipelineEnd::Succeeded);
        }
        let id = one.pipeline_execution_id().unwrap_or_default();
        match failed_action(aws, name, id).await.transpose() {
            None => {}
            Some(action) => return Some(PipelineEnd::Failed(action)),
        }
    }
    None
}

/// The action in which the execution `id` failed. `None` if a person rejected its changes, which is
/// a decision, and not a failure. An approval that was not given in time has failed, too:
/// CodePipeline names no person then.
async fn failed_action(aws: &Aws, name: &str, id: &str) -> Result<Option<String>, CallError> {
    let actions = list_actions(aws, name, id).await?;
    let failed = actions.into_iter().find(|action| action.state == actions::ActionState::Failed);
    Ok(match failed {
        Some(action) if action.name == APPROVAL && !action.by.is_empty() => None,
        action => Some(action.map(|action| action.name).unwrap_or_default()),
    })
}

/// An action that waits for an approval.
pub(crate) struct WaitingApproval<'a> {
    pub stage: &'a StageState,
    pub action: &'a ActionState,
}

impl WaitingApproval<'_> {
    /// The execution in its stage. Empty if CodePipeline shows none.
    pub fn execution_id(&self) -> &str {
        let inside = self.stage.latest_execution();
        inside.map_or("", |inside| inside.pipeline_execution_id())
    }

    pub fn stage_name(&self) -> &str {
        self.stage.stage_name().unwrap_or("?")
    }

    pub fn action_name(&self) -> &str {
        self.action.action_name().unwrap_or("?")
    }

    /// That of this request. Empty if CodePipeline shows none.
    pub fn action_execution_id(&self) -> &str {
        let waiting = self.action.latest_execution();
        waiting.and_then(|it| it.action_execution_id()).unwrap_or_default()
    }

    /// When it was requested: its status last changed then.
    pub fn requested_at(&self) -> Option<SystemTime> {
        let changed = self.action.latest_execution()?.last_status_change()?;
        SystemTime::try_from(*changed).ok()
    }
}

/// The approvals that wait in a pipeline of this `state`.
pub(crate) fn waiting_approvals(state: &GetPipelineStateOutput) -> Vec<WaitingApproval<'_>> {
    let stages = state.stage_states().iter();
    let actions = stages.flat_map(|stage| {
        let actions = stage.action_states().iter();
        actions.map(move |action| WaitingApproval { stage, action })
    });
    actions.filter(|it| is_waiting(it.action)).collect()
}

/// The status of the latest run of an action, if a later version of CodePipeline has it.
pub(crate) fn unknown_status(action: &ActionState) -> Option<&str> {
    use ActionExecutionStatus::{Abandoned, Failed, InProgress, Succeeded};
    match action.latest_execution()?.status()? {
        Abandoned | Failed | InProgress | Succeeded => None,
        other => Some(other.as_str()),
    }
}

/// Whether an action waits for an approval. It then has a token, except in an execution mode that a
/// person set: "For a pipeline where the execution mode is set to PARALLEL, the token […] is not
/// available" (`PutApprovalResult`).
fn is_waiting(action: &ActionState) -> bool {
    action.latest_execution().is_some_and(|execution| {
        let has_token = execution.token().is_some_and(|token| !token.is_empty());
        execution.status() == Some(&ActionExecutionStatus::InProgress)
            && (has_token || action.action_name() == Some(APPROVAL))
    })
}
