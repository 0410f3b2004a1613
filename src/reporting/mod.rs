//! Reports the executions of pipelines to GitLab: commit statuses, deployments, and the change set
//! that waits for an approval.
//!
//! The function never trusts an event's content. It reads the execution, compares it with what GitLab
//! shows, and posts the difference, until there is none. So duplicate, late and reordered events end
//! in the same state, and the health check reports what events lost.
//!
//! - [`event`] reads the pipeline's name and the execution's ID from an event
//! - [`settings`] reads the target in GitLab from the pipeline's child stack
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
mod settings;

pub use crate::reporting::event::PipelineEvent;
pub use crate::reporting::report::{ReportError, Reported, Target, report};
pub use crate::reporting::settings::{MEMBER, RESOURCE, Settings};

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline;
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
    let target = target(aws, event).await;
    let failed = |error: CallError| ReportError::new(&event.execution_id, error);
    match target.map_err(failed)? {
        Some(target) => report(aws, http, &target, &event.execution_id).await,
        None => Ok(Reported::default()),
    }
}

/// The pipeline of `event`, and where its executions are reported. `None` if they are not.
async fn target(aws: &Aws, event: &PipelineEvent) -> Result<Option<Target>, CallError> {
    let names = &event.names;
    let Some((location, branch)) = gitops_pipeline::deployed_branch(aws, names).await? else {
        return Ok(None);
    };
    let settings = settings::read(aws, &names.stack()).await?;
    Ok(settings.map(|settings| Target {
        names: names.clone(),
        location,
        branch,
        settings,
    }))
}
