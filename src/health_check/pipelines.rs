//! The executions and metrics of a project's pipeline.

use std::time::Duration;

use super::checker::Checker;
use super::facts::{PipelineFacts, ProjectFacts};
use super::metrics;
use crate::clients::aws::CallError;
use crate::feedback::approval;
use crate::feedback::execution::{Execution, changed_since};
use crate::gitops_pipeline::executions::LATEST;
use crate::gitops_pipeline::health::{PipelineEnd, WaitingApproval, waiting_approvals};
use crate::gitops_pipeline::holds;
use crate::gitops_pipeline::names::ResourceNames;

/// How long ago an execution may have changed whose report is repeated.
pub const REPORTED_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The executions of a pipeline whose reports are repeated.
#[derive(Debug)]
pub struct ChangedExecutions {
    pub names: ResourceNames,
    pub executions: Vec<Execution>,
}

impl Checker<'_> {
    /// Approves a change set without changes whose event was lost.
    pub async fn approve(&self, facts: &ProjectFacts) -> Result<(), CallError> {
        let waits =
            facts.pipeline.state.known().is_some_and(|it| !waiting_approvals(it).is_empty());
        let settings = facts.settings().filter(|_| waits && self.may_change());
        match settings {
            Some(pipeline) => Box::pin(approval::approve(&self.clients.aws, pipeline)).await,
            None => Ok(()),
        }
    }

    /// The executions whose reports are repeated. `None` if there are none.
    pub fn changed_executions(&self, facts: &ProjectFacts) -> Option<ChangedExecutions> {
        let (state, listed) = (
            facts.pipeline.state.known()?,
            facts.pipeline.executions.known()?,
        );
        let since = self.schedule.began - REPORTED_TIME;
        let latest = &listed[..listed.len().min(LATEST)];
        let mut executions = changed_since(latest, since);
        let transitions = holds::disabled_transitions(state);
        for execution in &mut executions {
            execution.find_hold(&transitions);
        }
        let names = ResourceNames::from_pipeline_name(&facts.pipeline_name)?;
        (!executions.is_empty()).then_some(ChangedExecutions { names, executions })
    }

    /// Writes the metrics of a pipeline that was read.
    pub fn emit_pipeline(&self, facts: &ProjectFacts) {
        let PipelineFacts {
            state, executions, ..
        } = &facts.pipeline;
        let (Some(state), Some(_)) = (state.known(), executions.known()) else {
            return;
        };
        let waiting = waiting_approvals(state);
        let mut metrics = vec![(metrics::APPROVALS_WAITING, waiting.len().into())];
        if let Some(end) = facts.pipeline.end.known() {
            let has_succeeded = u8::from(*end == PipelineEnd::Succeeded);
            metrics.push((metrics::PIPELINE_SUCCEEDED, has_succeeded.into()));
        }
        let requested = waiting.iter().filter_map(WaitingApproval::requested_at).min();
        if let Some(requested) = requested {
            let waited = self.since(requested).as_secs_f64();
            metrics.push((metrics::SECONDS_SINCE_APPROVAL_REQUEST, waited.into()));
        }
        self.emit(&facts.pipeline_name, &metrics);
    }
}
