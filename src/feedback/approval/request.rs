//! A request for approval that waits, and the change set that it is about.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::{ActionExecutionStatus, PipelineExecutionSummary, StageState};

use super::plan;
use crate::clients::aws::{Aws, CallError};
use crate::common::ownership;
use crate::feedback::change_sets;
use crate::feedback::change_sets::ChangeSet;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions::{Action, list_actions};
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
    /// The latest deployment of the commit itself that has succeeded after the approval of a
    /// person. `None` if there is none, or if it is not needed.
    pub approved_before: Option<ApprovedBefore>,
}

/// An earlier deployment of the commit that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedBefore {
    /// When the commit first started.
    pub started: SystemTime,
    /// GitLab's number of the person who approved. `None` if they did so in AWS.
    pub approver: Option<u64>,
    /// The commit of the last deployment before the first one of the commit that a person approved,
    /// and when it started. `None` if there is none.
    pub former: Option<(String, SystemTime)>,
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
        let (mut deployed, mut before) = (None, None);
        if !allow_author {
            deployed = approved(aws, names, &listed, deployments(&listed)).await?;
        }
        if deployed.as_ref().is_some_and(|it| it.commit != commit) {
            before = approved_before(aws, names, &listed, commit).await?;
        }
        Ok(Some(Range {
            commit: commit.to_owned(),
            deployed: deployed.map(|it| (it.commit, it.started)),
            approved_before: before,
        }))
    }
}

async fn approved_before(
    aws: &Aws,
    names: &ResourceNames,
    listed: &[PipelineExecutionSummary],
    commit: &str,
) -> Result<Option<ApprovedBefore>, CallError> {
    let mut all = executions::succeeded(listed);
    let is_of_commit = |one: &&PipelineExecutionSummary| commit_of(one) == Some(commit);
    let same = all.iter().copied().filter(is_of_commit);
    let same = same.filter(|one| !is_rollback(one)).collect();
    let Some(latest) = approved(aws, names, listed, same).await? else {
        return Ok(None);
    };
    let first = all.iter().rposition(is_of_commit);
    let mut older = all.split_off(first.map_or(all.len(), |first| first + 1));
    older.retain(|one| !is_rollback(one));
    let former = approved(aws, names, listed, older).await?;
    Ok(Some(ApprovedBefore {
        started: latest.started,
        approver: plan::gitlab_approver(&latest.approval, names),
        former: former.map(|it| (it.commit, it.started)),
    }))
}

/// A deployment that a person has approved.
struct Approved {
    commit: String,
    /// When the commit first started.
    started: SystemTime,
    approval: Action,
}

/// The first of these `deployments` that has succeeded after the approval of a person. No person
/// has looked at the commits of another one: the function approved it, or no approval was required.
async fn approved(
    aws: &Aws,
    names: &ResourceNames,
    listed: &[PipelineExecutionSummary],
    deployments: Vec<&PipelineExecutionSummary>,
) -> Result<Option<Approved>, CallError> {
    for one in deployments.into_iter().take(MAX_DEPLOYMENTS) {
        let (Some(id), Some(commit)) = (one.pipeline_execution_id(), commit_of(one)) else {
            break;
        };
        let actions = list_actions(aws, &names.pipeline(), id).await?;
        let mut approvals = actions.into_iter().filter(|it| it.name == APPROVAL);
        let approval = approvals.next();
        let Some(approval) = approval.filter(|it| plan::is_by_person(it, names)) else {
            continue;
        };
        // The same commit may have been deployed before.
        let same = listed.iter().filter(|one| commit_of(one) == Some(commit));
        let started = same.filter_map(|one| SystemTime::try_from(*one.start_time()?).ok());
        return Ok(started.min().map(|started| Approved {
            commit: commit.to_owned(),
            started,
            approval,
        }));
    }
    Ok(None)
}

/// The executions of `listed` that have deployed, the latest first. A rollback has deployed its
/// commit without an approval, so the earlier execution of this commit takes its place, and those
/// between them are left out.
fn deployments(listed: &[PipelineExecutionSummary]) -> Vec<&PipelineExecutionSummary> {
    let mut succeeded = executions::succeeded(listed);
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
