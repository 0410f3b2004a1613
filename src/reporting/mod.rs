//! Reports the executions of pipelines to GitLab: commit statuses, deployments, and the change set
//! that waits for an approval.
//!
//! The function never trusts an event's content. It reads the execution, compares it with what GitLab
//! shows, and posts the difference, until there is none. So duplicate, late and reordered events end
//! in the same state, and the health check reports what events lost.
//!
//! - [`event`] reads the pipeline's name and the execution's ID from an event
//! - [`execution`] reads the commit's newest execution from CodePipeline
//! - [`plan`] decides what to post, as a pure function
//! - [`change_set`] renders the note about a change set
//! - [`report`] drives all of it with [`reconcile`](crate::reconcile)

mod change_set;
mod event;
mod execution;
mod outputs;
mod plan;
mod report;

pub use crate::reporting::event::PipelineEvent;
pub use crate::reporting::report::{ReportError, Reported, report};

use std::time::SystemTime;

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::report_settings;
use crate::http::Http;

/// Reports the execution of `event`, if its pipeline belongs to a `Custom::GitOpsPipeline` with
/// `GitLab`.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn handle(
    aws: &Aws,
    http: &Http,
    event: &PipelineEvent,
) -> Result<Reported, ReportError> {
    let target = report_settings::read(aws, &event.names).await;
    let failed = |error| ReportError::new(format!("execution {}", event.execution_id), error);
    match target.map_err(failed)? {
        Some(target) => report(aws, http, &target, &event.execution_id).await,
        None => Ok(Reported::default()),
    }
}

/// Reports the executions of a pipeline that changed after `since`: what events have lost.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn catch_up(
    aws: &Aws,
    http: &Http,
    pipeline_name: &str,
    since: SystemTime,
) -> Result<Reported, ReportError> {
    let failed = |error: CallError| ReportError::new(format!("pipeline {pipeline_name}"), error);
    let mut reported = Reported::default();
    let Some(names) = ResourceNames::from_pipeline_name(pipeline_name) else {
        return Ok(reported);
    };
    let target = report_settings::read(aws, &names).await;
    let Some(target) = target.map_err(failed)? else {
        return Ok(reported);
    };
    let changed = execution::changed_since(aws, pipeline_name, since).await;
    for execution in changed.map_err(failed)? {
        let one = report(aws, http, &target, &execution.id).await?;
        reported.accepted.extend(one.accepted);
        reported.rejected.extend(one.rejected);
    }
    Ok(reported)
}

#[cfg(test)]
mod tests;
