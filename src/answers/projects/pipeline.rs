//! The pipeline of a project: its deployment, approvals, failure and freezes.

use std::time::SystemTime;

use super::change_set::shown_change_set;
use super::row::Row;
use crate::answers::failure::{FailedEnd, FailedExecution};
use crate::answers::shape::{self, Newest, Ran, ShownApproval};
use crate::gitops_pipeline::executions::actions::deployments;
use crate::gitops_pipeline::executions::{
    APPROVAL, commit_of, find, has_succeeded, is_rollback, status_of,
};
use crate::gitops_pipeline::health::{WaitingApproval, ends, waiting_approvals};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::health_check::checker::Checker;
use crate::health_check::facts::{PipelineFacts, ProjectFacts};
use crate::health_check::read_limit::ReadLimit;
use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::PipelineExecutionSummary;

impl Checker<'_> {
    /// Adds the pipeline with these `settings`, whose stack contains one.
    pub(super) async fn add_pipeline(
        &self,
        row: &mut Row,
        facts: &ProjectFacts,
        settings: &PipelineSettings,
        limit: ReadLimit,
    ) {
        let PipelineFacts {
            state, executions, ..
        } = &facts.pipeline;
        let (state, listed) = (state.known(), executions.known());
        if let Some(state) = state {
            let listed = listed.map(Vec::as_slice).unwrap_or_default();
            let waiting = waiting_approvals(state);
            self.add_approvals(row, settings, &waiting, listed, limit).await;
        }
        if let Some(listed) = listed {
            self.add_executions(row, settings, listed, limit).await;
            self.add_end(row, settings, state, listed, limit).await;
        }
    }

    /// Adds the newest rejection since the last success, and the newest failure before it.
    async fn add_end(
        &self,
        row: &mut Row,
        settings: &PipelineSettings,
        state: Option<&GetPipelineStateOutput>,
        listed: &[PipelineExecutionSummary],
        limit: ReadLimit,
    ) {
        for execution in ends(listed).take_while(|one| !has_succeeded(one)) {
            let failed = FailedExecution {
                names: &settings.names,
                settings: Some(settings),
                execution,
                listed,
                state,
            };
            let id = execution.pipeline_execution_id().unwrap_or("?");
            let cause = format!("the cause of the failure of execution {id}");
            let reading = Box::pin(failed.read(&self.clients.aws));
            let failure = match row.read(limit, cause, reading).await {
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
        limit: ReadLimit,
    ) {
        let Some(newest) = listed.first() else { return };
        row.shown.newest = Some(shown_newest(newest));
        let pipeline = &settings.names.pipeline();
        let ended = deployments(&self.clients.aws, pipeline, 1);
        let ended = row
            .read(
                limit.half(),
                format!("the deployments of {pipeline}"),
                ended,
            )
            .await;
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
        waiting: &[WaitingApproval<'_>],
        listed: &[PipelineExecutionSummary],
        limit: ReadLimit,
    ) {
        let names = &settings.names;
        // In another execution mode, several change sets have had its name.
        let is_only_one = waiting.len() == 1;
        let mut approvals = vec![];
        for approval in waiting {
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
            if is_only_one && approval.action_name() == APPROVAL {
                let read = Box::pin(self.change_set(settings, id));
                let read = row.read(limit, format!("the change set of execution {id}"), read).await;
                if let Some((name, changes)) = settings.change_set.as_ref().zip(read.flatten()) {
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
