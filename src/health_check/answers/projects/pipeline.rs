//! The pipeline of a project: its deployment, approvals, failure and freezes.

use std::time::SystemTime;

use super::change_set::shown_change_set;
use super::row::Row;
use crate::gitops_pipeline::executions::actions::deployments;
use crate::gitops_pipeline::executions::{
    self, APPROVAL, ExecutionStatus, MAX_SEARCHED, commit_of, find, has_succeeded, is_rollback,
    status_of,
};
use crate::gitops_pipeline::health::{ends, unknown_status, waiting_approvals};
use crate::gitops_pipeline::holds::{self, Hold};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::DeployedTarget;
use crate::health_check::answers::failure::{FailedEnd, FailedExecution};
use crate::health_check::answers::shape::{self, Newest, Ran, ShownApproval};
use crate::health_check::checker::Checker;
use crate::health_check::findings::unknown_value;
use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{PipelineExecutionSummary, StageState};

/// The state of a pipeline, and the executions that were listed after it.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub state: &'a GetPipelineStateOutput,
    pub listed: &'a [PipelineExecutionSummary],
}

impl Checker<'_> {
    /// Adds the pipeline with these `settings`, whose stack contains one.
    pub(super) async fn add_pipeline(
        &self,
        row: &mut Row,
        settings: &PipelineSettings,
        deployed: Option<&DeployedTarget>,
    ) {
        let (aws, pipeline) = (&self.clients.aws, settings.names.pipeline());
        // First, so that the executions of its approvals are listed.
        let state = executions::state(aws, &pipeline);
        let state = match row.read(format!("the state of {pipeline}"), state).await {
            Some(None) => return row.has_no_pipeline(),
            Some(state) => state,
            None => None,
        };
        row.shown.has_pipeline = Some(true);
        let needs_more = |listed: &[PipelineExecutionSummary]| {
            listed.len() < MAX_SEARCHED && !listed.iter().any(has_succeeded)
        };
        let listing = executions::list_while(aws, &pipeline, needs_more);
        let listed = match row.read(format!("the executions of {pipeline}"), listing).await {
            Some(None) => return row.has_no_pipeline(),
            Some(listed) => listed,
            None => None,
        };
        if let Some(state) = &state {
            row.has_read_transitions = true;
            for transition in holds::disabled_transitions(state) {
                row.hold(&Hold::Transition(transition));
            }
            row.add_freeze(Some(state), listed.as_deref());
            let listed = listed.as_deref().unwrap_or_default();
            let shown = Shown { state, listed };
            self.add_approvals(row, settings, deployed, shown).await;
        }
        let Some(listed) = listed else { return };
        let state = state.unwrap_or_else(|| GetPipelineStateOutput::builder().build());
        self.add_executions(row, settings, &listed).await;
        let shown = Shown {
            state: &state,
            listed: &listed,
        };
        self.add_end(row, settings, deployed, shown).await;
    }

    /// Adds the newest rejection since the last success, and the newest failure before it.
    async fn add_end(
        &self,
        row: &mut Row,
        settings: &PipelineSettings,
        deployed: Option<&DeployedTarget>,
        shown: Shown<'_>,
    ) {
        let Shown { state, listed } = shown;
        for execution in ends(listed).take_while(|one| !has_succeeded(one)) {
            let failed = FailedExecution {
                names: &settings.names,
                deployed,
                execution,
                listed,
                state,
            };
            let id = execution.pipeline_execution_id().unwrap_or("?");
            let cause = format!("the cause of the failure of execution {id}");
            let failure = match row.read(cause, Box::pin(failed.read(&self.clients.aws))).await {
                Some(FailedEnd::Failure(failure)) => failure,
                Some(FailedEnd::Rejection(rejection)) => {
                    row.shown.rejection.get_or_insert(rejection);
                    continue;
                }
                None => failed.unread("the cause was not read"),
            };
            row.shown.failure = Some(failure);
            return;
        }
    }

    /// Adds the newest execution of those `listed`, and the one that is deployed.
    async fn add_executions(
        &self,
        row: &mut Row,
        settings: &PipelineSettings,
        listed: &[PipelineExecutionSummary],
    ) {
        // An older one than a success decides nothing.
        for one in listed.iter().take_while(|one| !has_succeeded(one)) {
            if let ExecutionStatus::Unknown(status) = status_of(one) {
                let id = one.pipeline_execution_id().unwrap_or("?");
                row.not_read(unknown_value(
                    &format!("the status of execution {id}"),
                    &status,
                ));
            }
        }
        let Some(newest) = listed.first() else { return };
        row.shown.newest = Some(shown_newest(newest));
        let pipeline = &settings.names.pipeline();
        let ended = deployments(&self.clients.aws, pipeline, 1);
        let ended = row.read(format!("the deployments of {pipeline}"), ended).await;
        let ended = ended.unwrap_or_default();
        let last = ended.first();
        let of_last = last.and_then(|last| find(listed, &last.execution_id));
        if let Some((last, execution)) = last.zip(of_last)
            && commit_of(execution).is_some()
        {
            row.shown.deployed = Some(Ran::of(execution, last.at));
        }
    }

    /// Adds the approvals that wait, the one of the change set with it.
    async fn add_approvals(
        &self,
        row: &mut Row,
        settings: &PipelineSettings,
        deployed: Option<&DeployedTarget>,
        shown: Shown<'_>,
    ) {
        let Shown { state, listed } = shown;
        let names = &settings.names;
        for action in state.stage_states().iter().flat_map(StageState::action_states) {
            if let Some(status) = unknown_status(action) {
                let name = action.action_name().unwrap_or("?");
                row.not_read(unknown_value(
                    &format!("the status of action {name}"),
                    status,
                ));
            }
        }
        let waiting = waiting_approvals(state);
        // In another execution mode, several change sets have had its name.
        let deployed = deployed.filter(|_| waiting.len() == 1);
        let mut approvals = vec![];
        for approval in &waiting {
            let id = approval.execution_id();
            let mut shown = ShownApproval {
                ran: find(listed, id).map_or_else(
                    || Ran {
                        execution_id: id.to_owned(),
                        ..Ran::default()
                    },
                    |execution| Ran::of(execution, None),
                ),
                action_execution_id: shape::text(approval.action_execution_id()),
                stage: approval.stage_name().to_owned(),
                action: approval.action_name().to_owned(),
                since: approval.requested_at().map(Into::into),
                url: settings.location.pipeline_console(&names.pipeline()),
                change_set: None,
                missing_rights: None,
            };
            if let Some(deployed) = deployed
                && approval.action_name() == APPROVAL
            {
                let read = Box::pin(self.change_set(settings, deployed, id));
                let read = row.read(format!("the change set of execution {id}"), read).await;
                if let Some((name, changes)) = deployed.change_set_name.as_ref().zip(read.flatten())
                {
                    shown.change_set = Some(shown_change_set(name, &changes));
                    row.waiting = Some(changes);
                }
            }
            approvals.push(shown);
        }
        row.shown.approvals = Some(approvals);
    }
}

fn shown_newest(newest: &PipelineExecutionSummary) -> Newest {
    let at = if status_of(newest).is_end() {
        newest.last_update_time()
    } else {
        newest.start_time()
    };
    Newest {
        ran: Ran::of(newest, at.and_then(|at| SystemTime::try_from(*at).ok())),
        status: newest.status().map_or("", |status| status.as_str()).to_owned(),
        is_rollback: is_rollback(newest),
    }
}
