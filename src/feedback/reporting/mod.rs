//! Reports the executions of pipelines to GitLab: commit statuses, deployments, and the change set
//! that waits for an approval.
//!
//! The function never trusts an event's state. It reads the execution, compares it with GitLab's
//! records, and posts the difference, until there is none. So duplicate, late and reordered events
//! end in the same state, and the health check repeats the reports of lost events.
//!
//! - [`event`] reads from an event which execution it names, and which part of the report it is
//!   about
//! - [`former`] ends the statuses that no report looks at any more
//! - [`statuses`] reads the commit statuses, and which ones are the pipeline's own
//! - [`plan`] decides the requests to GitLab, as a pure function
//! - [`drift`] posts whether a deployed stack differs from its template
//! - [`note`] renders the note about a commit, and [`written_notes`] reads the notes that exist
//! - [`changes`] reads the changes of an execution whose approval has ended
//! - [`report`](report::report) drives all of it, a part after the other

mod changes;
mod drift;
mod event;
mod former;
pub(crate) mod note;
mod outcome;
mod plan;
mod report;
mod statuses;
mod written_notes;

pub use crate::feedback::execution::changed_since;
pub(crate) use crate::feedback::reporting::drift::report as report_drift;
pub(crate) use crate::feedback::reporting::event::PipelineEvent;
pub use crate::feedback::reporting::former::ReportedPipeline;
pub(crate) use crate::feedback::reporting::note::short as short_note;
pub use crate::feedback::reporting::outcome::{ReportError, Reported};
pub(crate) use crate::feedback::reporting::plan::commit_status;
pub(crate) use crate::feedback::reporting::report::{MAX_RETRIES, RETRY_INTERVAL};
pub use crate::feedback::reporting::statuses::OtherReporter;
pub(crate) use crate::feedback::reporting::statuses::show as show_status;

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::clients::gitlab::UnreachableGitLabs;
use crate::clients::{Clients, gitlab};
use crate::common::stop::Stop;
use crate::feedback::execution;
use crate::feedback::execution::{Execution, ExecutionState};
use crate::feedback::reporting::plan::{Occasion, Scope};
use crate::feedback::reporting::report::OpenedReport;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::{executions, holds};

/// The time after which a health check reports no further execution of a pipeline: a request to a
/// GitLab that does not respond takes a minute.
const MAX_TIME: Duration = Duration::from_mins(2);

/// Why an execution is not reported.
const NO_COMMIT: &str = "the execution does not exist, or has not read its commit yet";
const NO_PIPELINE: &str = "no stack of a pipeline has the name";
const NO_PROJECT: &str =
    "the pipeline has no GitLab in its properties, or GitLab has not shown its project yet";

/// Reports the subject of `event` about a `pipeline`.
///
/// # Errors
/// Why nothing is reported, or if the execution or the token cannot be read.
pub async fn handle(
    clients: &Clients,
    pipeline: Option<PipelineSettings>,
    event: &PipelineEvent,
) -> Result<Reported, Stop<ReportError>> {
    let pipeline = pipeline.ok_or(Stop::nothing(NO_PIPELINE))?;
    let settings = pipeline.stored.report.as_ref().ok_or(Stop::nothing(NO_PROJECT))?;
    let name = pipeline.names.pipeline();
    let newest = execution::newest_of_same_commit(&clients.aws, &name, &event.execution_id).await?;
    let mut execution = newest.ok_or(Stop::nothing(NO_COMMIT))?;
    // GitLab keeps the first text of a running status, so later events do not need it.
    if event.scope == Scope::Execution && execution.state == ExecutionState::Running {
        match executions::state(&clients.aws, &name).await {
            Ok(state) => {
                let disabled = state.as_ref().map(holds::disabled_transitions);
                execution.find_hold(&disabled.unwrap_or_default());
            }
            Err(error) => {
                warn!(
                    error.reason(),
                    pipeline = name,
                    "the transitions are not known"
                );
            }
        }
    }
    let opened = OpenedReport {
        clients,
        pipeline: &pipeline,
        settings,
        gitlab: gitlab::open(&clients.aws, &clients.http, &settings.access).await?,
    };
    Ok(report::report(&opened, Occasion::Event(event.scope), execution).await)
}

/// Repeats the reports of the executions that [`changed_since`] selected: events may have lost
/// them. One that fails does not prevent the others, unless GitLab becomes one of the `unreachable`
/// ones or is too slow.
///
/// # Errors
/// If nothing can be reported, or if GitLab is one of the `unreachable` ones.
pub fn catch_up<'a>(
    clients: &'a Clients,
    pipeline: Option<PipelineSettings>,
    changed: Vec<Execution>,
    unreachable: &'a UnreachableGitLabs,
) -> BoxFuture<'a, Result<Vec<Reported>, ReportError>> {
    let caught_up = async move {
        let mut reports = vec![];
        let Some(pipeline) = &pipeline else {
            return Ok(reports);
        };
        let Some(settings) = &pipeline.stored.report else {
            return Ok(reports);
        };
        let name = pipeline.names.pipeline();
        let failed = |error: ReportError| error.about(&format!("pipeline {name}"));
        let url = &settings.access.url;
        if let Some(error) = unreachable.error_of(url) {
            return Err(failed(error.into()));
        }
        let gitlab = gitlab::open(&clients.aws, &clients.http, &settings.access).await;
        let opened = OpenedReport {
            clients,
            pipeline,
            settings,
            gitlab: gitlab.map_err(|error| failed(error.into()))?,
        };
        let began = Instant::now();
        let mut changed = changed.into_iter();
        for execution in changed.by_ref() {
            let one = report::report(&opened, Occasion::HealthCheck, execution).await;
            for error in one.gitlab_errors() {
                unreachable.note(url, Some(&settings.project), error);
            }
            reports.push(one);
            if unreachable.error_of(url).is_some() || began.elapsed() > MAX_TIME {
                break;
            }
        }
        let left = changed.len();
        if left > 0 {
            tracing::warn!(pipeline = name, left, "executions are not reported");
        }
        Ok(reports)
    };
    Box::pin(caught_up)
}

#[cfg(test)]
pub(crate) mod tests;
