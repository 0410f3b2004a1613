//! The executions of a pipeline, as CodePipeline shows them.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::PipelineExecutionSummary;
use aws_smithy_types::DateTime;

use crate::clients::aws::{Aws, CallError};
pub use crate::gitops_pipeline::executions::actions::{Action, ActionState, list_actions};
use crate::gitops_pipeline::executions::{
    APPROVAL, ExecutionStatus, Trigger, commit_of, find, list_until, status_of, trigger_of,
};
use crate::gitops_pipeline::holds::DisabledTransition;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionState {
    /// It runs, or it is being stopped.
    Running,
    /// All stages succeeded.
    Succeeded,
    /// An action failed, or an approval was rejected.
    Failed,
    /// An action or a condition failed, and CodePipeline deploys an earlier execution again.
    RolledBack,
    /// A person or a newer execution stopped it, or an update of the pipeline canceled it.
    Canceled,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub id: String,
    pub commit: String,
    pub state: ExecutionState,
    /// Why CodePipeline ended it, for example "Superseded". Empty if it runs.
    pub status: String,
    /// Whether no later execution has begun.
    pub is_newest: bool,
    /// Whether an earlier execution has deployed another commit. `false` if none of those that were
    /// listed has.
    pub has_former_release: bool,
    pub started: Option<SystemTime>,
    /// When it last changed.
    pub updated: Option<SystemTime>,
    /// The stage that it has yet to enter, if the transition into it is disabled. `None` if there
    /// is none, or none was read.
    pub held_before: Option<String>,
    /// The latest attempt of each of its actions, if they were read.
    pub actions: Vec<Action>,
}

impl Execution {
    /// Looks for the first of these disabled `transitions` that it has to pass. It has passed those
    /// of a stage that a later execution has entered, or that it has entered itself.
    pub fn find_hold(&mut self, transitions: &[DisabledTransition]) {
        let is_ahead = self.is_newest && self.state == ExecutionState::Running;
        let mut ahead = transitions.iter().filter(|it| is_ahead && it.is_before(&self.id));
        self.held_before = ahead.next().map(|it| it.stage.clone());
    }

    /// The action `name`. `None` if the execution has not reached it.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The approval that was rejected, or not given in time.
    pub fn failed_approval(&self) -> Option<&Action> {
        self.action(APPROVAL).filter(|it| it.state == ActionState::Failed)
    }

    /// The action that failed, other than a rejected approval. `None` if a condition of a stage
    /// failed, for example an alarm.
    pub fn failed_action(&self) -> Option<&Action> {
        let mut actions = self.actions.iter();
        actions.find(|action| action.state == ActionState::Failed && action.name != APPROVAL)
    }

    pub fn failed_action_mut(&mut self) -> Option<&mut Action> {
        let name = self.failed_action()?.name.clone();
        self.actions.iter_mut().find(|action| action.name == name)
    }
}

/// Reads the newest execution of the commit of the execution `id`, without its actions. `None` if
/// the pipeline or the execution does not exist, or if the execution has not read its commit yet.
pub async fn newest_of_same_commit(
    aws: &Aws,
    pipeline_name: &str,
    id: &str,
) -> Result<Option<Execution>, CallError> {
    let newest = |listed: &[PipelineExecutionSummary]| {
        let commit = commit_of(find(listed, id)?)?;
        // CodePipeline lists the newest execution first.
        read(
            listed.iter().find(|one| commit_of(one) == Some(commit))?,
            listed,
        )
    };
    let lacks_release = |listed: &[_]| newest(listed).is_some_and(|it| !it.has_former_release);
    let is_enough = |listed: &[_]| find(listed, id).is_some() && !lacks_release(listed);
    let listed = list_until(aws, pipeline_name, is_enough).await?;
    Ok(listed.and_then(|listed| newest(&listed)))
}

/// The newest execution of each commit, of those that were `listed` and changed after `since`, or
/// still run: GitLab may cancel their statuses at any time. A pipeline of GitLab CI cancels all
/// open jobs of earlier commits of its branch, also those of other pipelines than its own
/// (`app/services/ci/pipeline_creation/cancel_redundant_pipelines_service.rb`).
pub fn changed_since(listed: &[PipelineExecutionSummary], since: SystemTime) -> Vec<Execution> {
    let mut newest: Vec<Execution> = vec![];
    for execution in listed.iter().filter_map(|one| read(one, listed)) {
        if !newest.iter().any(|newer| newer.commit == execution.commit) {
            newest.push(execution);
        }
    }
    newest.retain(|execution| {
        let is_recent = execution.updated.is_some_and(|updated| updated > since);
        is_recent || execution.state == ExecutionState::Running
    });
    newest
}

/// Whether CodePipeline has replaced the execution `id` by `other`, which deploys an earlier one
/// again.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-view-listing.html>
fn rolls_back(other: &PipelineExecutionSummary, id: &str) -> bool {
    matches!(trigger_of(other), Trigger::AutomatedRollback(detail) if detail.contains(id))
}

/// Reads an execution that was `listed` with the later ones. `None` if it has no commit.
fn read(
    execution: &PipelineExecutionSummary,
    listed: &[PipelineExecutionSummary],
) -> Option<Execution> {
    with_commit(execution, listed, commit_of(execution)?)
}

/// The same of an execution with this `commit`, which is empty if it has read none.
pub fn with_commit(
    execution: &PipelineExecutionSummary,
    listed: &[PipelineExecutionSummary],
    commit: &str,
) -> Option<Execution> {
    let status = execution.status()?.as_str();
    let id = execution.pipeline_execution_id()?;
    let time = |time: Option<&DateTime>| SystemTime::try_from(*time?).ok();
    let state = match status_of(execution) {
        ExecutionStatus::Succeeded | ExecutionStatus::Failed
            if listed.iter().any(|other| rolls_back(other, id)) =>
        {
            ExecutionState::RolledBack
        }
        ExecutionStatus::Succeeded => ExecutionState::Succeeded,
        ExecutionStatus::Failed => ExecutionState::Failed,
        ExecutionStatus::Stopped | ExecutionStatus::Superseded | ExecutionStatus::Canceled => {
            ExecutionState::Canceled
        }
        ExecutionStatus::InProgress | ExecutionStatus::Stopping | ExecutionStatus::Unknown(_) => {
            ExecutionState::Running
        }
    };
    let is_this = |one: &PipelineExecutionSummary| one.pipeline_execution_id() == Some(id);
    let is_release = |one: &PipelineExecutionSummary| {
        status_of(one) == ExecutionStatus::Succeeded && commit_of(one) != Some(commit)
    };
    // CodePipeline lists the newest execution first.
    Some(Execution {
        is_newest: listed.first().is_some_and(is_this),
        has_former_release: listed.iter().skip_while(|one| !is_this(one)).any(is_release),
        id: id.to_owned(),
        commit: commit.to_owned(),
        state,
        status: status.to_owned(),
        started: time(execution.start_time()),
        updated: time(execution.last_update_time()),
        held_before: None,
        actions: Vec::new(),
    })
}
