//! Ensures that a new pipeline runs its branch's latest commit.
//!
//! A new pipeline starts with the latest commit. Afterwards its event rule starts it for each push.
//! A push in between starts no execution. The function does not check images: the next execution
//! uses an image that was pushed in between.

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use crate::clients::aws::{Aws, CallError};
use crate::common::ownership;
use crate::common::reason_codes::Code;
use crate::gitops_pipeline::executions::{self, Outcome, commit_of};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::gitops_pipeline::source::{Lookup, Source};
use crate::reconcile::backoff::Backoff;

/// Polls after which CodePipeline lists an execution that the event rule started.
const POLLS_FOR_EVENT_RULE: u32 = 8;

/// Waits until an execution of the pipeline has the latest commit of `branch`, and starts one if
/// none has it, unless the event rule is disabled. If the source account denies the lookup of the
/// branch, `pushed` is the commit. Without a known commit, the pipeline's first execution has to be
/// enough.
pub async fn ensure_executed(
    aws: &Aws,
    names: &ResourceNames,
    source: &Source,
    branch: &str,
    pushed: Option<&str>,
) -> Result<Outcome, CallError> {
    let pipeline_name = &names.pipeline();
    let mut backoff = Backoff::<()>::new();
    let mut absent = 0;
    loop {
        let commit = match source.tip(branch).await? {
            Lookup::Found(tip) => tip.commit(),
            Lookup::Denied(_) => pushed.map(ToOwned::to_owned),
        };
        let Some(commit) = commit else {
            return Ok(Outcome::Started);
        };
        match is_executed(aws, pipeline_name, &commit).await? {
            Some(true) => return Ok(Outcome::Started),
            Some(false) => absent += 1,
            None => {}
        }
        // The event rule, or the pipeline's creation, may be starting an execution.
        if absent == POLLS_FOR_EVENT_RULE || !backoff.may_poll() {
            // All deliveries use the same token, so that one execution starts.
            let token = ownership::key(&commit);
            return executions::start(aws, names, EventRule::Push, token).await;
        }
        backoff.pause().await;
    }
}

/// Whether one of the latest executions has read this commit. `None` if no execution is listed yet,
/// or one has not read its source yet.
async fn is_executed(
    aws: &Aws,
    pipeline_name: &str,
    commit: &str,
) -> Result<Option<bool>, CallError> {
    let executions = list(aws, pipeline_name).await?;
    let mut is_reading = false;
    for execution in &executions {
        match commit_of(execution) {
            Some(read) if read == commit => return Ok(Some(true)),
            Some(_) => {}
            None => is_reading |= executions::may_be_reading(execution),
        }
    }
    Ok((!executions.is_empty() && !is_reading).then_some(false))
}

/// The latest executions, the latest first.
pub async fn list(
    aws: &Aws,
    pipeline_name: &str,
) -> Result<Vec<PipelineExecutionSummary>, CallError> {
    let listed = executions::list_latest(aws, pipeline_name).await?;
    listed.ok_or_else(|| {
        let doing = format!("listing the executions of pipeline {pipeline_name}");
        let error = CallError::local(Code::AwsRejected, doing, "the pipeline does not exist");
        error.with_remedy(
            "Look at the pipeline's finding of the health check: it was deleted by hand",
        )
    })
}
