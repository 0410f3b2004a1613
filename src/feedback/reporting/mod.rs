//! Reports the executions of pipelines to GitLab: commit statuses, deployments, and the change set
//! that waits for an approval.
//!
//! The function never trusts an event's state. It reads the execution, compares it with GitLab's
//! records, and posts the difference, until there is none. So duplicate, late and reordered events
//! end in the same state, and the health check repeats the reports of lost events.
//!
//! - [`event`] reads from an event which execution it names, and which part of the report it is
//!   about
//! - [`execution`] reads the commit's newest execution from CodePipeline
//! - [`plan`] decides the requests to GitLab, as a pure function
//! - [`drift`] posts whether a deployed stack differs from its template
//! - [`note`] renders the note about a change set, and [`ended_approval`] ends it
//! - [`waiting`] is the part of the note about the tags that approve
//! - [`report`](report::report) drives all of it with [`reconcile`](crate::reconcile)

mod context;
mod drift;
mod ended_approval;
mod event;
mod execution;
pub(crate) mod note;
mod outcome;
mod outputs;
mod plan;
mod report;
mod waiting;

pub(crate) use crate::feedback::reporting::drift::report as report_drift;
pub(crate) use crate::feedback::reporting::event::PipelineEvent;
pub(crate) use crate::feedback::reporting::execution::Execution;
pub use crate::feedback::reporting::execution::changed_since;
pub(crate) use crate::feedback::reporting::outcome::may_pass;
pub use crate::feedback::reporting::outcome::{ReportError, Reported};
pub(crate) use crate::feedback::reporting::plan::commit_status;
pub(crate) use crate::feedback::reporting::report::{MAX_RETRIES, RETRY_INTERVAL};

use std::time::Duration;

use futures_util::TryFutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::clients::gitlab::UnreachableGitLabs;
use crate::clients::{Clients, gitlab};
use crate::feedback::approval;
use crate::feedback::reporting::context::About;
use crate::feedback::reporting::plan::Scope;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings;
use crate::gitops_pipeline::settings::approval_tags::ApprovalTag;
use crate::gitops_pipeline::spec::FunctionApprovals;

/// The time after which a health check reports no further execution of a pipeline: a request to a
/// GitLab that does not respond takes a minute.
const MAX_TIME: Duration = Duration::from_mins(2);

/// Reports the subject of `event`, if its pipeline belongs to a `Custom::GitOpsPipeline` with
/// `GitLab`.
///
/// # Errors
/// If nothing can be reported: the settings, the execution or the token cannot be read.
pub async fn handle(
    clients: &Clients,
    approvals: FunctionApprovals,
    event: &PipelineEvent,
) -> Result<Reported, ReportError> {
    let Clients { aws, http, clock } = clients;
    let id = &event.execution_id;
    let reported = async {
        let Some(pipeline) = pipeline_settings::read(aws, &event.names).await? else {
            return Ok(Reported::default());
        };
        let pipeline = pipeline.allowing(approvals);
        let Some(settings) = &pipeline.report else {
            return Ok(Reported::default());
        };
        let newest = execution::newest_of_same_commit(aws, &event.names.pipeline(), id).await?;
        let Some(execution) = newest else {
            return Ok(Reported::default());
        };
        let gitlab = gitlab::open(aws, http, &settings.access).await?;
        let about = event.scope.into();
        Ok(report::report(aws, &gitlab, &pipeline, settings, about, execution, clock).await)
    };
    let failed = |error: ReportError| error.about(&format!("execution {id}"));
    Box::pin(reported).await.map_err(failed)
}

/// Approves or rejects the change set that waits in the pipeline of `tag`, by the tags of its
/// request in GitLab. If it still waits, the note states the reason.
///
/// # Errors
/// If it is unknown who approves, or if nothing can be reported.
pub async fn decide(
    clients: &Clients,
    approvals: FunctionApprovals,
    tag: &ApprovalTag,
) -> Result<Reported, ReportError> {
    let Clients { aws, http, clock } = clients;
    let decided = async {
        let mut reported = Reported::default();
        let Some(pipeline) = pipeline_settings::read(aws, &tag.names).await? else {
            return Ok(reported);
        };
        let pipeline = pipeline.allowing(approvals);
        let Some(settings) = &pipeline.report else {
            return Ok(reported);
        };
        let gitlab = gitlab::open(aws, http, &settings.access).await?;
        let Some(id) = approval::approve_from_gitlab(aws, &gitlab, &pipeline).await? else {
            return Ok(reported);
        };
        let name = pipeline.names.pipeline();
        if let Some(execution) = execution::newest_of_same_commit(aws, &name, &id).await? {
            let topic = About {
                scope: Scope::Approval,
                tag: Some(tag),
            };
            reported =
                report::report(aws, &gitlab, &pipeline, settings, topic, execution, clock).await;
        }
        Ok(reported)
    };
    let failed = |error: ReportError| error.about(&format!("tag {}", tag.name()));
    Box::pin(decided).await.map_err(failed)
}

/// Repeats the reports of the executions that [`changed_since`] selected: events may have lost
/// them. One that fails does not prevent the others, unless GitLab becomes one of the `unreachable`
/// ones or is too slow.
///
/// # Errors
/// If nothing can be reported, or if GitLab is one of the `unreachable` ones.
pub fn catch_up<'a>(
    clients: &'a Clients,
    pipeline_name: &'a str,
    changed: Vec<Execution>,
    approvals: FunctionApprovals,
    unreachable: &'a UnreachableGitLabs,
) -> BoxFuture<'a, Result<Vec<Reported>, ReportError>> {
    let Clients { aws, http, clock } = clients;
    let caught_up = async move {
        let mut reports = vec![];
        let Some(names) = ResourceNames::from_pipeline_name(pipeline_name) else {
            return Ok(reports);
        };
        if changed.is_empty() {
            return Ok(reports);
        }
        let Some(pipeline) = pipeline_settings::read(aws, &names).await? else {
            return Ok(reports);
        };
        let pipeline = pipeline.allowing(approvals);
        let Some(settings) = &pipeline.report else {
            return Ok(reports);
        };
        let url = &settings.access.url;
        if let Some(error) = unreachable.error_of(url) {
            return Err(error.into());
        }
        let gitlab = gitlab::open(aws, http, &settings.access).await?;
        // The note reports that it is unknown who approves.
        if let Err(error) = approval::approve_from_gitlab(aws, &gitlab, &pipeline).await {
            tracing::warn!(pipeline = pipeline_name, %error, "the tags cannot be checked");
        }
        let began = Instant::now();
        let mut changed = changed.into_iter();
        for execution in changed.by_ref() {
            let about = Scope::All.into();
            let one =
                report::report(aws, &gitlab, &pipeline, settings, about, execution, clock).await;
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
            tracing::warn!(
                pipeline = pipeline_name,
                left,
                "executions are not reported"
            );
        }
        Ok(reports)
    };
    let failed = move |error: ReportError| error.about(&format!("pipeline {pipeline_name}"));
    Box::pin(caught_up.map_err(failed))
}

#[cfg(test)]
pub(crate) mod tests;
