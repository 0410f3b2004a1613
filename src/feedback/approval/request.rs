//! A request for approval that waits, and the change set that it is about.

use std::cmp::Reverse;
use std::time::SystemTime;

use aws_sdk_codepipeline::types::{ActionExecutionStatus, PipelineExecutionSummary, StageState};
use aws_smithy_types::DateTime;

use super::plan;
use crate::clients::aws::{Aws, CallError};
use crate::common::ownership;
use crate::feedback::change_sets;
use crate::feedback::change_sets::ChangeSet;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions::list_actions;
use crate::gitops_pipeline::executions::{
    APPROVAL, DEPLOY, ExecutionStatus, commit_of, is_rollback, status_of,
};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ApprovalSettings;

/// The most deployments whose approval is looked up. Each takes a call.
const MAX_DEPLOYMENTS: usize = 20;

#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// CodePipeline's name of this request. It accepts the name only while the request waits.
    pub token: String,
    pub execution_id: String,
    /// When the request began.
    pub since: SystemTime,
    pub change_set: ChangeSet,
    /// The end of the names of its tags. A retried stage has the same execution and the same
    /// change set, so the key also depends on the action's execution.
    pub key: String,
}

/// The execution that waits, and the one before it that a person has approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub commit: String,
    /// The commit of the last deployment that a person approved, and when it started. `None` if
    /// there is none, or if it is not needed.
    pub deployed: Option<(String, SystemTime)>,
    /// When the commit itself first started, if a deployment of it has succeeded after the approval
    /// of a person. `None` if none has, or if it is not needed.
    pub approved_before: Option<SystemTime>,
}

impl ApprovalRequest {
    /// Reads the request that waits. `None` if none does.
    ///
    /// The request comes first. The later reads are about it, or CodePipeline rejects its
    /// token.
    pub async fn read(
        aws: &Aws,
        pipeline: &str,
        settings: &ApprovalSettings,
    ) -> Result<Option<Self>, CallError> {
        let shown = executions::state(aws, pipeline).await?;
        let is_deploy = |stage: &&StageState| stage.stage_name() == Some(DEPLOY);
        let stages = shown
            .and_then(|state| state.stage_states)
            .unwrap_or_default();
        let Some(stage) = stages.iter().find(is_deploy) else {
            return Ok(None);
        };
        let mut actions = stage.action_states().iter();
        let approval = actions.find(|action| action.action_name() == Some(APPROVAL));
        let waiting = approval.and_then(|action| action.latest_execution());
        let waiting = waiting.filter(|it| it.status() == Some(&ActionExecutionStatus::InProgress));
        let Some((waiting, token)) = waiting.and_then(|it| Some((it, it.token()?))) else {
            return Ok(None);
        };
        let (stack, name) = (&settings.stack_name, &settings.change_set_name);
        let Some(change_set) = change_sets::describe(aws, stack, name).await? else {
            return Ok(None);
        };
        let of_stage = stage.latest_execution();
        let execution_id = of_stage.map_or("", |execution| execution.pipeline_execution_id());
        let action_id = waiting.action_execution_id().unwrap_or_default();
        let began = waiting
            .last_status_change()
            .and_then(|it| SystemTime::try_from(*it).ok());
        let key = [pipeline, execution_id, &change_set.id, action_id].join(" ");
        Ok(Some(ApprovalRequest {
            token: token.to_owned(),
            execution_id: execution_id.to_owned(),
            since: began.unwrap_or(SystemTime::UNIX_EPOCH),
            key: ownership::key(&key),
            change_set,
        }))
    }

    /// The commits that it deploys. `None` if the execution is not in progress any more, or is to
    /// be stopped.
    pub async fn range(
        &self,
        aws: &Aws,
        names: &ResourceNames,
        allow_author: bool,
    ) -> Result<Option<Range>, CallError> {
        let listed = executions::list_until(aws, &names.pipeline(), |_| false).await?;
        let mut waiting = listed.iter().filter(|one| {
            one.pipeline_execution_id() == Some(&self.execution_id)
                && status_of(one) == ExecutionStatus::InProgress
        });
        let Some(commit) = waiting.next().and_then(commit_of) else {
            return Ok(None);
        };
        let (mut deployed, mut approved_before) = (None, None);
        if !allow_author {
            deployed = approved(aws, names, &listed, deployments(&listed)).await?;
        }
        if deployed.as_ref().is_some_and(|(other, _)| other != commit) {
            let is_of_commit = |one: &&PipelineExecutionSummary| {
                commit_of(one) == Some(commit) && !is_rollback(one)
            };
            let same = succeeded(&listed).into_iter().filter(is_of_commit);
            let approved = approved(aws, names, &listed, same.collect()).await?;
            approved_before = approved.map(|(_, started)| started);
        }
        Ok(Some(Range {
            commit: commit.to_owned(),
            deployed,
            approved_before,
        }))
    }
}

/// The commit of the first of these `deployments` that has succeeded after the approval of a
/// person, and when it first started. No person has looked at the commits of another one: the
/// function approved it, or no approval was required.
async fn approved(
    aws: &Aws,
    names: &ResourceNames,
    listed: &[PipelineExecutionSummary],
    deployments: Vec<&PipelineExecutionSummary>,
) -> Result<Option<(String, SystemTime)>, CallError> {
    for one in deployments.into_iter().take(MAX_DEPLOYMENTS) {
        let (Some(id), Some(commit)) = (one.pipeline_execution_id(), commit_of(one)) else {
            break;
        };
        let actions = list_actions(aws, &names.pipeline(), id).await?;
        let approval = actions.iter().find(|action| action.name == APPROVAL);
        if !approval.is_some_and(|approval| plan::is_by_person(approval, names)) {
            continue;
        }
        // The same commit may have been deployed before.
        let same = listed.iter().filter(|one| commit_of(one) == Some(commit));
        let started = same.filter_map(|one| SystemTime::try_from(*one.start_time()?).ok());
        return Ok(Some(commit.to_owned()).zip(started.min()));
    }
    Ok(None)
}

/// The executions of `listed` that have succeeded, the latest first.
fn succeeded(listed: &[PipelineExecutionSummary]) -> Vec<&PipelineExecutionSummary> {
    let has_succeeded =
        |one: &&PipelineExecutionSummary| status_of(one) == ExecutionStatus::Succeeded;
    let mut succeeded: Vec<_> = listed.iter().filter(has_succeeded).collect();
    succeeded.sort_by_key(|one| Reverse(one.last_update_time().map(DateTime::as_nanos)));
    succeeded
}

/// The executions of `listed` that have deployed, the latest first. A rollback has deployed its
/// commit without an approval, so the earlier execution of this commit takes its place, and those
/// between them are left out.
fn deployments(listed: &[PipelineExecutionSummary]) -> Vec<&PipelineExecutionSummary> {
    let mut succeeded = succeeded(listed);
    let mut restored = None;
    succeeded.retain(|one| {
        if restored.is_some_and(|commit| commit_of(one) != commit) {
            return false;
        }
        restored = is_rollback(one).then(|| commit_of(one));
        restored.is_none()
    });
    succeeded
}
