//! Approves change sets without a person in AWS: one that CloudFormation reports as one without
//! changes (`Approval.AutoApprove`), and one that a person approves in GitLab by a tag
//! (`Approval.FromGitLab`).
//!
//! - [`request`] reads the request that waits, and then the commits that it deploys. Its name comes
//!   first: CodePipeline accepts it only while the request waits
//! - [`gitlab`] proves by GitLab's records who decides. [`tags`] reads the tags of the request
//! - [`ahead`] decides whether its commit only adds commits to the deployed one, and [`plan`]
//!   whether a tag approves it, as pure functions

mod ahead;
mod gitlab;
mod plan;
mod request;
mod tags;

pub use self::gitlab::{Decided, Inquiry, Verdict};
pub use self::plan::{Doubt, is_unchanged, person_of, reason_of};
pub use self::request::ApprovalRequest;

use aws_sdk_codepipeline::types::{ApprovalResult, ApprovalStatus};

use self::plan::{BY_PERSON, SUMMARY};
use crate::clients::aws::{Aws, CallError, optional};
use crate::feedback::change_sets::Creation;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::approval_tags::Decision;

/// CodePipeline's error codes for a token whose request no longer waits. The documentation does not
/// distinguish them:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html>
const ENDED: [&str; 2] = [
    "ApprovalAlreadyCompletedException",
    "InvalidApprovalTokenException",
];

/// Approves the change set that waits in `pipeline`, if its properties allow that and the change
/// set has no changes.
pub async fn approve(aws: &Aws, pipeline: &PipelineSettings) -> Result<(), CallError> {
    let Some(settings) = pipeline.approvals().filter(|it| it.auto_approve) else {
        return Ok(());
    };
    let pipeline = pipeline.names.pipeline();
    let request = ApprovalRequest::read(aws, &pipeline, settings).await?;
    match request.filter(|request| request.change_set.creation == Creation::Empty) {
        Some(request) => put(aws, &pipeline, &request, ApprovalStatus::Approved, SUMMARY).await,
        None => Ok(()),
    }
}

/// Ends `request`, if it still waits in `pipeline`, as a person has decided in GitLab.
pub async fn answer(
    aws: &Aws,
    pipeline: &str,
    request: &ApprovalRequest,
    verdict: &Verdict,
) -> Result<(), CallError> {
    let Verdict { tag, user, .. } = verdict;
    let [approved, rejected] = BY_PERSON;
    let (status, text) = match tag.decision {
        Decision::Deploy => (ApprovalStatus::Approved, approved),
        Decision::Reject => (ApprovalStatus::Rejected, rejected),
    };
    let summary = format!("{text}@{} ({}), tag {}", user.username, user.id, tag.name());
    put(aws, pipeline, request, status, &summary).await
}

/// Ends `request`, if it still waits.
async fn put(
    aws: &Aws,
    pipeline: &str,
    request: &ApprovalRequest,
    status: ApprovalStatus,
    summary: &str,
) -> Result<(), CallError> {
    let result = ApprovalResult::builder().status(status).summary(summary).build();
    let call = aws.codepipeline.put_approval_result();
    let call = call.pipeline_name(pipeline).stage_name(DEPLOY);
    let call = call.action_name(APPROVAL).token(&request.token).set_result(result.ok());
    let doing = || format!("ending the request for approval of pipeline {pipeline}");
    if optional(call.send().await, &ENDED, doing)?.is_some() {
        tracing::info!(pipeline, summary, "request for approval ended");
    }
    Ok(())
}
