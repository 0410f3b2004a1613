//! The state of one execution, for a command that follows it.

use std::time::Duration;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{
    PipelineExecutionSummary, StageExecution, StageExecutionStatus, StageState,
};

use super::former::see_projects;
use super::holds::{self, Place};
use super::{NotRead, ReadLimit};
use crate::answers::failure::{FailedEnd, FailedExecution};
use crate::answers::shape::{self, ActionAttempt, AskedApproval, FollowedExecution, ShownHold};
use crate::common::one_line::{one_line, shortened};
use crate::gitops_pipeline::executions::actions::{Action, ActionState, list_actions};
use crate::gitops_pipeline::executions::declared::{self, DeclaredPipeline};
use crate::gitops_pipeline::executions::{
    self, DEPLOY, ExecutionStatus, MAX_SEARCHED, find, list_while, status_of,
};
use crate::gitops_pipeline::health::waiting_approvals;
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::health_check::checker::Checker;
use cfn_custom_resource::Reason;

/// How long AWS may take: the command repeats the question after a few seconds.
const TIME: Duration = Duration::from_secs(10);

/// The most characters of CodePipeline's summary.
const MAX_SUMMARY: usize = 400;

/// An execution as CodePipeline shows it.
struct ShownExecution<'a> {
    names: &'a ResourceNames,
    id: &'a str,
    /// It and the executions that began after it, the latest first.
    listed: Vec<PipelineExecutionSummary>,
    summary: PipelineExecutionSummary,
    /// The latest attempts of its actions, the last one first. Empty if they are not read.
    actions: Vec<Action>,
    state: Option<GetPipelineStateOutput>,
}

impl Checker<'_> {
    pub(super) async fn state_of_execution(
        &self,
        names: &ResourceNames,
        id: &str,
        end: ReadLimit,
    ) -> (FollowedExecution, Vec<ShownHold>, NotRead) {
        let (limit, mut not_read) = (end.at_most(TIME), NotRead::default());
        let read = Box::pin(self.read_execution(names, id, limit, &mut not_read)).await;
        let (shown, holds) = if let Some(read) = &read {
            let mut shown = read.shown();
            let holds = self.add_next(read, limit, &mut shown, &mut not_read).await;
            (shown, holds)
        } else {
            let unknown = FollowedExecution {
                execution_id: id.to_owned(),
                ..FollowedExecution::default()
            };
            (unknown, vec![])
        };
        (shown, holds, not_read)
    }

    /// `None` if CodePipeline does not list the execution, or its executions are not read, which is
    /// noted.
    async fn read_execution<'a>(
        &self,
        names: &'a ResourceNames,
        id: &'a str,
        limit: ReadLimit,
        not_read: &mut NotRead,
    ) -> Option<ShownExecution<'a>> {
        let (aws, pipeline) = (&self.clients.aws, &names.pipeline());
        let needs_more = |listed: &[_]| listed.len() < MAX_SEARCHED && find(listed, id).is_none();
        // Before the actions, so that those of an ended execution are complete.
        let listing = list_while(aws, pipeline, needs_more);
        let listed = limit.read(format!("execution {id} of {pipeline}"), listing).await;
        let listed = listed.and_then(|listed| {
            let problem = format!("pipeline {pipeline} does not exist");
            listed.ok_or_else(|| Reason::uncoded(problem, see_projects(names)))
        });
        let listed = not_read.note(listed)?;
        let found = find(&listed, id).cloned().ok_or_else(|| {
            let problem = format!("CodePipeline does not list execution {id} of {pipeline}");
            Reason::uncoded(problem, "Try again in a minute")
        });
        let summary = not_read.note(found)?;
        let actions = format!("the actions of execution {id} of {pipeline}");
        let (actions, state) = tokio::join!(
            limit.read(actions, list_actions(aws, pipeline, id)),
            limit.read(
                format!("the state of {pipeline}"),
                executions::state(aws, pipeline)
            ),
        );
        Some(ShownExecution {
            names,
            id,
            listed,
            summary,
            actions: not_read.note(actions).unwrap_or_default(),
            state: not_read.note(state).flatten(),
        })
    }

    /// Adds why it failed, or for which approval it waits. Returns its obstacles.
    async fn add_next(
        &self,
        read: &ShownExecution<'_>,
        limit: ReadLimit,
        shown: &mut FollowedExecution,
        not_read: &mut NotRead,
    ) -> Vec<ShownHold> {
        let status = status_of(&read.summary);
        if status == ExecutionStatus::Failed {
            match self.failed_end(read, limit, not_read).await {
                FailedEnd::Failure(failure) => shown.failure = Some(failure),
                FailedEnd::Rejection(rejection) => shown.rejection = Some(rejection),
            }
        }
        let Some(state) = read.state.as_ref().filter(|_| !status.is_end()) else {
            return vec![];
        };
        let approvals = waiting_approvals(state);
        if let Some(waiting) = approvals.iter().find(|it| it.execution_id() == read.id) {
            let location = self.location(read.names, limit, not_read).await;
            let url = location.map(|it| it.pipeline_console(&read.names.pipeline()));
            shown.waits_for_approval = Some(AskedApproval {
                stage: waiting.stage_name().to_owned(),
                action: waiting.action_name().to_owned(),
                url,
            });
            return vec![];
        }
        let is_running = read.actions.iter().any(|it| it.state == ActionState::Running);
        let pipeline = &read.names.pipeline();
        let Some(place) = place(read.id, state).filter(|_| !is_running) else {
            return vec![];
        };
        let declared = self.declared(pipeline, limit, not_read).await;
        holds::at(&place, read.names, state, declared.as_ref())
    }

    async fn failed_end(
        &self,
        read: &ShownExecution<'_>,
        limit: ReadLimit,
        not_read: &mut NotRead,
    ) -> FailedEnd {
        let reading = self.gitops_pipeline.read_settings(read.names);
        let settings = limit.read(format!("stack {}", read.names.stack()), reading).await;
        let settings = not_read.note(settings).flatten();
        let failed = FailedExecution {
            names: read.names,
            deployed: settings.as_ref().map(|it| &it.deployed),
            execution: &read.summary,
            listed: &read.listed,
            state: read.state.as_ref(),
        };
        let thing = format!("the cause of the failure of execution {}", read.id);
        let end = limit.read(thing, Box::pin(failed.read(&self.clients.aws))).await;
        let unread = || FailedEnd::Failure(failed.unread("the cause was not read"));
        not_read.note(end).unwrap_or_else(unread)
    }

    async fn declared(
        &self,
        pipeline: &str,
        limit: ReadLimit,
        not_read: &mut NotRead,
    ) -> Option<DeclaredPipeline> {
        let reading = declared::read(&self.clients.aws, pipeline);
        let read = limit.read(format!("the stages of {pipeline}"), reading).await;
        not_read.note(read).flatten()
    }

    /// The partition and region, for the console.
    async fn location(
        &self,
        names: &ResourceNames,
        limit: ReadLimit,
        not_read: &mut NotRead,
    ) -> Option<AwsLocation> {
        if let Some(id) = &self.environment.stack_id {
            return AwsLocation::from_arn(id);
        }
        let reading = self.gitops_pipeline.read_settings(names);
        let read = limit.read(format!("stack {}", names.stack()), reading).await;
        Some(not_read.note(read)??.location)
    }
}

impl ShownExecution<'_> {
    fn shown(&self) -> FollowedExecution {
        let status = status_of(&self.summary);
        // CodePipeline lists the last one first.
        let actions = self.actions.iter().rev().map(|action| ActionAttempt {
            stage: action.stage.clone(),
            action: action.name.clone(),
            status: action.status.clone(),
        });
        let mut deploys = self.actions.iter().filter(|action| action.name == DEPLOY);
        let place = self.state.as_ref().and_then(|state| place(self.id, state));
        let summary = one_line(self.summary.status_summary().unwrap_or_default());
        FollowedExecution {
            execution_id: self.id.to_owned(),
            status: self.summary.status().map(|it| it.as_str().to_owned()),
            summary: shape::text(&shortened(&summary, MAX_SUMMARY))
                .filter(|_| status != ExecutionStatus::Failed),
            stage: place.map(|place| place.stage),
            actions: actions.collect(),
            is_end: status.is_end(),
            has_deployed: deploys.any(|action| action.state == ActionState::Succeeded),
            ..FollowedExecution::default()
        }
    }
}

/// The stage that the execution is in, or in front of which it waits. `None` if CodePipeline shows
/// none.
pub fn place<'a>(id: &'a str, state: &GetPipelineStateOutput) -> Option<Place<'a>> {
    use StageExecutionStatus::{InProgress, Stopping};

    let is_it = |one: &StageExecution| one.pipeline_execution_id() == id;
    // One that is stopped without --abandon completes its actions in progress.
    let is_inside = |stage: &StageState| {
        stage
            .latest_execution()
            .is_some_and(|one| is_it(one) && matches!(one.status(), InProgress | Stopping))
    };
    let is_in_front = |stage: &StageState| {
        let mut waiting = stage.inbound_executions().iter().chain(stage.inbound_execution());
        waiting.any(is_it)
    };
    let mut stages = state.stage_states().iter();
    let found = stages.find(|stage| is_inside(stage) || is_in_front(stage))?;
    Some(Place {
        execution_id: id,
        stage: found.stage_name().unwrap_or_default().to_owned(),
        has_entered: is_inside(found),
    })
}

#[cfg(test)]
#[path = "execution_tests.rs"]
mod tests;
