//! Reviews branches before they are merged: writes a branch's planned changes on its merge request.
//!
//! The child stack's event rule starts a build for each push to a review branch. When the build
//! ends, the function creates a change set from the build's output, writes its changes as one note
//! for each environment, and deletes the change set. It executes none.
//!
//! The function never trusts an event: it reads the build, and whether its commit is still the
//! branch's latest. So duplicate, late and reordered events end in the same note, and the health
//! check repeats the reviews of lost events.
//!
//! - [`event`] reads from an event which build it names
//! - [`build`] reads the build, [`output`] its output, and [`template`] scans the template
//! - [`finding`] decides the content of the note, and [`note`] renders it, as pure functions
//! - [`reviewer`] runs a review from top to bottom. A repetition starts from the beginning
//! - [`missed_push`] finds pushes without a build

mod build;
mod event;
mod finding;
pub mod missed_push;
mod note;
mod output;
mod parameters;
mod reviewer;
mod target;
mod template;

use std::time::SystemTime;

pub use self::build::Head;
pub use self::event::BuildEvent;
pub use self::target::ReviewTarget;

use self::build::{BuildState, ReviewBuild};
use self::reviewer::Reviewer;
use crate::clients::Clients;
use crate::clients::aws::Aws;
use crate::clients::gitlab;
use crate::clients::gitlab::{GitLab, GitLabError, UnreachableGitLabs};
use crate::clients::http::Http;
use crate::common::stop::Stop;
use crate::feedback::reporting::ReportError;
use crate::gitops_pipeline::GitOpsPipeline;
use cfn_custom_resource::Progress;

/// Writes the note about the build that `event` names.
///
/// # Errors
/// Why there is nothing to write, or if AWS or GitLab fails.
pub async fn handle(
    clients: &Clients,
    pipelines: &GitOpsPipeline,
    event: &BuildEvent,
) -> Result<(), Stop<ReportError>> {
    let Clients { aws, http, .. } = clients;
    let target = pipelines.read_settings(&event.names).await?.and_then(ReviewTarget::of);
    let Some(target) = target.filter(|target| target.report.notes != Some(false)) else {
        return Err(Stop::nothing("no reviews are written for the pipeline"));
    };
    let build = build::read(aws, &event.build_id).await?;
    let gitlab = gitlab::open(aws, http, &target.report.access).await?;
    if !has_notes(&gitlab, &target).await? {
        return Err(Stop::nothing("the project is public"));
    }
    review(aws, &gitlab, &target, build, true).await
}

/// Repeats the reviews of the builds that ended after `since`: events may have lost them. Returns
/// the number of builds whose notes were written. A review that fails does not prevent the others.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn catch_up(
    aws: &Aws,
    http: &Http,
    target: &ReviewTarget,
    since: SystemTime,
    unreachable: &UnreachableGitLabs,
) -> Result<usize, ReportError> {
    if target.report.notes == Some(false) {
        return Ok(0);
    }
    let (names, url) = (&target.pipeline.names, &target.report.access.url);
    let caught_up = async {
        let builds = build::of_heads(aws, names, &target.pipeline.repository.name, since).await?;
        if builds.is_empty() {
            return Ok(0);
        }
        if let Some(error) = unreachable.error_of(url) {
            return Err(error.into());
        }
        let gitlab = gitlab::open(aws, http, &target.report.access).await?;
        if !has_notes(&gitlab, target).await? {
            return Ok(0);
        }
        let (mut written, mut failure) = (0, None);
        for build in builds {
            match review(aws, &gitlab, target, Some(build), false).await {
                Ok(()) => written += 1,
                Err(Stop::Nothing(_)) => {}
                Err(Stop::Failed(error)) => {
                    if let Some(error) = failure.replace(error) {
                        warn!(error.reason, "a build is not reviewed");
                    }
                }
            }
        }
        failure.map_or(Ok(written), Err)
    };
    let failed = |error: ReportError| {
        if let Some(error) = &error.gitlab {
            unreachable.note(url, Some(&target.report.project), error);
        }
        error.about(&format!("the builds of {}", names.review_project()))
    };
    Box::pin(caught_up).await.map_err(failed)
}

/// Whether notes are written: by default not in a public project, where everyone reads them.
async fn has_notes(gitlab: &GitLab, target: &ReviewTarget) -> Result<bool, GitLabError> {
    match target.report.notes {
        Some(has_notes) => Ok(has_notes),
        None => Ok(!gitlab.project(target.report.project()).await?.is_public()),
    }
}

async fn review(
    aws: &Aws,
    gitlab: &GitLab,
    target: &ReviewTarget,
    build: Option<ReviewBuild>,
    is_first_look: bool,
) -> Result<(), Stop<ReportError>> {
    let Some(build) = &build else {
        return Err(Stop::nothing(
            "the event rule of review branches did not start the build",
        ));
    };
    if build.state == BuildState::Running {
        return Err(Stop::nothing("the build runs"));
    }
    let reviewer = Reviewer {
        aws,
        gitlab,
        target,
        build,
        is_first_look,
        // The caller enforces the deadline.
        progress: Progress::new(SystemTime::UNIX_EPOCH),
    };
    Box::pin(reviewer.review()).await
}
