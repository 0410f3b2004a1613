//! The executions of a pipeline: lists and starts them. The names of its actions, as the template
//! renders them.

pub mod actions;
pub mod cause;
pub mod declared;

use std::time::SystemTime;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{
    ExecutionType, PipelineExecutionStatus, PipelineExecutionSummary, TriggerType,
};

use super::holds;
pub use super::names::{APPROVAL, DEPLOY};
use super::names::{EventRule, ResourceNames};
use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::one_line::{one_line, shortened};
use crate::common::ownership;

/// The action that reads the code.
pub const SOURCE: &str = "Source";

/// The action that reads the image, if the pipeline has one.
pub const IMAGE: &str = "Image";

pub const BUILD: &str = "Build";

/// The actions that do not get the parameters of the deployed stack.
pub const BEFORE_DEPLOYMENT: [&str; 3] = [SOURCE, IMAGE, BUILD];

/// The action that creates the change set, if the pipeline creates one.
pub const CREATE_CHANGE_SET: &str = "CreateChangeSet";

/// How many executions are the latest ones. A page has at most as many.
pub const LATEST: usize = 100;

/// The most characters of a commit's title.
const MAX_TITLE: usize = 80;

/// The most executions that are searched.
pub const MAX_SEARCHED: usize = 3 * LATEST;

/// Lists pages of executions, the latest first, while `needs_more` of those before. `None` if the
/// pipeline does not exist.
pub async fn list_while(
    aws: &Aws,
    pipeline_name: &str,
    needs_more: impl Fn(&[PipelineExecutionSummary]) -> bool,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    let call = aws.codepipeline.list_pipeline_executions();
    let mut pages = call.pipeline_name(pipeline_name).into_paginator().send();
    let mut listed = vec![];
    while let Some(page) = pages.next().await {
        let doing = || format!("listing the executions of pipeline {pipeline_name}");
        let page = optional(page, &["PipelineNotFoundException"], doing)?;
        let Some(page) = page else { return Ok(None) };
        listed.extend(page.pipeline_execution_summaries.unwrap_or_default());
        if !needs_more(&listed) {
            break;
        }
    }
    Ok(Some(listed))
}

/// The latest hundred executions, or more, the latest first. `None` if the pipeline does not exist.
pub async fn list_latest(
    aws: &Aws,
    pipeline_name: &str,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    list_while(aws, pipeline_name, |listed| listed.len() < LATEST).await
}

/// Lists the executions from the newest one until they are enough, or the first 300. `None` if the
/// pipeline does not exist.
pub async fn list_until(
    aws: &Aws,
    pipeline_name: &str,
    is_enough: impl Fn(&[PipelineExecutionSummary]) -> bool,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    let needs_more = move |listed: &[_]| listed.len() < MAX_SEARCHED && !is_enough(listed);
    list_while(aws, pipeline_name, needs_more).await
}

/// The state of a pipeline: its stages and their actions. `None` if it does not exist.
pub async fn state(
    aws: &Aws,
    pipeline_name: &str,
) -> Result<Option<GetPipelineStateOutput>, CallError> {
    let call = aws.codepipeline.get_pipeline_state().name(pipeline_name);
    optional(call.send().await, &["PipelineNotFoundException"], || {
        format!("looking up the state of pipeline {pipeline_name}")
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    InProgress,
    /// A person stops it.
    Stopping,
    Succeeded,
    Failed,
    Stopped,
    Superseded,
    /// An update of the pipeline canceled it.
    Canceled,
    /// A later version of CodePipeline has this one. It may have ended or not.
    Unknown(String),
}

impl ExecutionStatus {
    /// Whether an execution with this status has ended for certain.
    pub fn is_end(&self) -> bool {
        use ExecutionStatus::{
            Canceled, Failed, InProgress, Stopped, Stopping, Succeeded, Superseded, Unknown,
        };
        match self {
            Succeeded | Failed | Stopped | Superseded | Canceled => true,
            InProgress | Stopping | Unknown(_) => false,
        }
    }
}

pub fn status_of(execution: &PipelineExecutionSummary) -> ExecutionStatus {
    match execution.status() {
        Some(PipelineExecutionStatus::InProgress) => ExecutionStatus::InProgress,
        Some(PipelineExecutionStatus::Stopping) => ExecutionStatus::Stopping,
        Some(PipelineExecutionStatus::Succeeded) => ExecutionStatus::Succeeded,
        Some(PipelineExecutionStatus::Failed) => ExecutionStatus::Failed,
        Some(PipelineExecutionStatus::Stopped) => ExecutionStatus::Stopped,
        Some(PipelineExecutionStatus::Superseded) => ExecutionStatus::Superseded,
        Some(PipelineExecutionStatus::Cancelled) => ExecutionStatus::Canceled,
        other => {
            let status = text_of(other.map(PipelineExecutionStatus::as_str));
            let id = execution.pipeline_execution_id();
            tracing::warn!(id, status, "an execution has an unknown status");
            ExecutionStatus::Unknown(status)
        }
    }
}

fn text_of(status: Option<&str>) -> String {
    status.unwrap_or_default().to_owned()
}

/// Whether it may still read its source.
pub fn may_be_reading(execution: &PipelineExecutionSummary) -> bool {
    use ExecutionStatus::{InProgress, Unknown};
    matches!(status_of(execution), InProgress | Unknown(_)) && commit_of(execution).is_none()
}

/// The execution `id`. `None` if it is not among those that were `listed`.
pub fn find<'a>(
    listed: &'a [PipelineExecutionSummary],
    id: &str,
) -> Option<&'a PipelineExecutionSummary> {
    listed.iter().find(|one| one.pipeline_execution_id() == Some(id))
}

/// The commit that the execution has read. `None` if it has read none yet. The image action may
/// finish before the source action.
pub fn commit_of(execution: &PipelineExecutionSummary) -> Option<&str> {
    let mut revisions = execution.source_revisions().iter();
    let code = revisions.find(|revision| revision.action_name() == SOURCE)?;
    code.revision_id()
}

/// When it started. `None` if CodePipeline does not show it.
pub fn started_at(execution: &PipelineExecutionSummary) -> Option<SystemTime> {
    SystemTime::try_from(*execution.start_time()?).ok()
}

/// The first line of the message of the commit that the execution has read. `None` if CodePipeline
/// does not show it.
pub fn title_of(execution: &PipelineExecutionSummary) -> Option<String> {
    let mut revisions = execution.source_revisions().iter();
    let code = revisions.find(|revision| revision.action_name() == SOURCE)?;
    title(code.revision_summary()?)
}

/// The first line of a commit's message. `None` if it is empty.
pub fn title(message: &str) -> Option<String> {
    let first = message.trim().lines().next()?;
    Some(shortened(&one_line(first), MAX_TITLE)).filter(|title| !title.is_empty())
}

/// The cause of an execution, with CodePipeline's detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger<'a> {
    /// A change of the source, or the creation of the pipeline.
    Source,
    /// This caller.
    Start(&'a str),
    AutomatedRollback(&'a str),
    ManualRollback,
    /// A later version of CodePipeline has this one.
    Unknown(String),
}

pub fn trigger_of(execution: &PipelineExecutionSummary) -> Trigger<'_> {
    let Some(trigger) = execution.trigger() else {
        return Trigger::Source;
    };
    let detail = trigger.trigger_detail().unwrap_or_default();
    match trigger.trigger_type() {
        Some(TriggerType::StartPipelineExecution) => Trigger::Start(detail),
        Some(TriggerType::AutomatedRollback) => Trigger::AutomatedRollback(detail),
        Some(TriggerType::ManualRollback) => Trigger::ManualRollback,
        Some(
            TriggerType::CloudWatchEvent
            | TriggerType::CreatePipeline
            | TriggerType::PollForSourceChanges
            | TriggerType::PutActionRevision
            | TriggerType::Webhook
            | TriggerType::WebhookV2,
        )
        | None => Trigger::Source,
        other => Trigger::Unknown(text_of(other.map(TriggerType::as_str))),
    }
}

/// Whether it deploys an earlier execution again. One of an unknown type may do so.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html>
pub fn is_rollback(execution: &PipelineExecutionSummary) -> bool {
    use Trigger::{AutomatedRollback, ManualRollback};
    let is_standard = matches!(
        execution.execution_type(),
        None | Some(ExecutionType::Standard)
    );
    !is_standard || matches!(trigger_of(execution), AutomatedRollback(_) | ManualRollback)
}

/// Whether it has succeeded by itself. A rollback that succeeds leaves the failure before it.
pub fn has_succeeded(execution: &PipelineExecutionSummary) -> bool {
    status_of(execution) == ExecutionStatus::Succeeded && !is_rollback(execution)
}

/// The token of a start, if `listed` are the latest executions, the newest first. Deliveries that
/// list the same executions use the same token, so that one execution starts: assumption
/// `start-token-outlives-a-delivery`. A later delivery lists the execution, and starts none.
pub fn start_token(tip: &str, listed: &[PipelineExecutionSummary]) -> String {
    let newest = listed.first().and_then(|one| one.pipeline_execution_id());
    ownership::key(&format!("{tip} after {}", newest.unwrap_or_default()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pipeline runs the commit, or a later one.
    Started,
    /// Nothing is started: the event rule is disabled, or a person deploys another commit.
    Frozen,
}

/// Starts an execution of the commit that the branch has when the execution reads it. With a fixed
/// commit, a push at the same moment could be deployed first, and the older commit last. Starts
/// with the same token start one execution. Starts nothing if a person has disabled `rule`. A
/// deleted rule is not a freeze.
pub async fn start(
    aws: &Aws,
    names: &ResourceNames,
    rule: EventRule,
    token: String,
) -> Result<Outcome, CallError> {
    let pipeline = names.pipeline();
    if holds::is_held(aws, names, rule).await? {
        tracing::info!(pipeline, "nothing is started: the event rule is disabled");
        return Ok(Outcome::Frozen);
    }
    tracing::info!(pipeline, "starting an execution");
    let call = aws
        .codepipeline
        .start_pipeline_execution()
        .name(&pipeline)
        .client_request_token(token);
    let doing = || format!("starting pipeline {pipeline}");
    required(call.send().await, doing).map(|_| Outcome::Started)
}
