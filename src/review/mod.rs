//! Reviews branches before they are merged: writes what a branch would change on its merge request.
//!
//! The child stack's event rule starts a build for each push to a review branch. When the build ends,
//! the function creates a change set from what it stored, writes its changes as one note for each
//! environment, and deletes the change set. It executes none.
//!
//! The function never trusts an event: it reads the build, and whether its commit is still the
//! branch's latest. So duplicate, late and reordered events end in the same note, and the health
//! check repeats what events lost.
//!
//! - [`event`] reads from an event which build it names
//! - [`build`] reads the build, [`output`] what it stored, and [`template`] scans the template
//! - [`plan`] decides the next step, and [`note`] renders the note, as pure functions
//! - [`apply`] drives all of it with [`reconcile`]

mod apply;
mod build;
mod event;
mod note;
mod output;
mod plan;
mod target;
mod template;

use std::time::SystemTime;

pub use self::build::ReviewBuild;
pub use self::event::BuildEvent;
pub use self::plan::Reviewed;

use self::apply::Reviewer;
use self::target::ReviewTarget;
use crate::aws::Aws;
use crate::gitlab;
use crate::gitlab::GitLab;
use crate::gitops_pipeline::names::ResourceNames;
use crate::http::Http;
use crate::reconcile::reconcile;
use crate::reporting::{Cause, ReportError};
use cfn_custom_resource::Progress;

/// Writes the note about the build that `event` names.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn handle(aws: &Aws, http: &Http, event: &BuildEvent) -> Result<Reviewed, ReportError> {
    let id = &event.build_id;
    let reviewed = async {
        let Some(target) = target::read(aws, &event.names).await? else {
            return Ok(Reviewed::Ignored("no reviews are written for the pipeline"));
        };
        let build = build::read(aws, id).await?;
        let gitlab = gitlab::open(aws, http, &target.report.access).await?;
        review(aws, &gitlab, &target, build).await
    };
    let failed = |cause: Cause| ReportError::new(format!("build {id}"), cause);
    Box::pin(reviewed).await.map_err(failed)
}

/// Repeats the reviews of the builds that ended after `since`: events may have lost them. Returns
/// the number of builds whose notes were written. A review that fails does not prevent the others.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn catch_up(
    aws: &Aws,
    http: &Http,
    names: &ResourceNames,
    since: SystemTime,
) -> Result<usize, ReportError> {
    let caught_up = async {
        let Some(target) = target::read(aws, names).await? else {
            return Ok(0);
        };
        let builds = build::of_heads(aws, names, &target.repository_name, since).await?;
        if builds.is_empty() {
            return Ok(0);
        }
        let gitlab = gitlab::open(aws, http, &target.report.access).await?;
        let (mut written, mut failure) = (0, None);
        for build in builds {
            match review(aws, &gitlab, &target, Some(build)).await {
                Ok(reviewed) => written += usize::from(reviewed == Reviewed::Written),
                Err(cause) => failure = failure.or(Some(cause)),
            }
        }
        failure.map_or(Ok(written), Err)
    };
    let failed = |cause: Cause| {
        let project = names.review_project();
        ReportError::new(format!("the builds of {project}"), cause)
    };
    Box::pin(caught_up).await.map_err(failed)
}

async fn review(
    aws: &Aws,
    gitlab: &GitLab,
    target: &ReviewTarget,
    build: Option<ReviewBuild>,
) -> Result<Reviewed, Cause> {
    let mut reviewer = Reviewer::new(aws, gitlab, target, build);
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    Box::pin(reconcile(&mut reviewer, &progress)).await
}
