//! Starts the pipeline for a push that changes files of `Source.Paths`.
//!
//! An execution reads the branch's latest commit. So an event that arrives late never starts an
//! execution of an older commit than the latest execution has.

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::event::BranchPush;
use super::latest_commit;
use crate::clients::aws::Aws;
use crate::clients::codecommit;
use crate::clients::codecommit::differences::any_file_differs;
use crate::common::stop::Stop;
use crate::gitops_pipeline::executions::cause::shows_push;
use crate::gitops_pipeline::executions::{self, Outcome, commit_of, started_at};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::gitops_pipeline::paths::Paths;
use crate::reconcile::backoff::Backoff;
use cfn_custom_resource::Reason;

/// Starts the pipeline if `push` changes a file of `paths`, and no execution has the push.
pub async fn start_if_matching(
    aws: &Aws,
    names: &ResourceNames,
    repository_name: &str,
    push: &BranchPush,
    paths: &Paths,
) -> Result<Outcome, Stop<Reason>> {
    if let (Some(old), Some(new)) = (&push.old_commit, &push.commit)
        && !do_files_differ(aws, repository_name, old, new, paths).await
    {
        return Err(Stop::nothing("the push changes no file of Source.Paths"));
    }
    let mut backoff = Backoff::<()>::new();
    loop {
        let tip = codecommit::tip(&aws.codecommit, repository_name, &push.branch).await?;
        let Some(tip) = tip.commit() else {
            let because = format!("branch {} does not exist", push.branch);
            return Err(Stop::nothing(because));
        };
        let listed = latest_commit::list(aws, &names.pipeline()).await?;
        match find_need(push, &tip, &listed, names) {
            ExecutionNeed::Met => return Ok(Outcome::Started),
            ExecutionNeed::Unknown if backoff.may_poll() => backoff.pause().await,
            ExecutionNeed::Unknown | ExecutionNeed::Unmet => {
                let token = executions::start_token(&tip, &listed);
                return Ok(executions::start(aws, names, EventRule::Push, token).await?);
            }
        }
    }
}

/// Whether a file of `paths` differs between two commits. `true` if the differences cannot be read,
/// because a missing execution is worse than an unnecessary one.
pub async fn do_files_differ(
    aws: &Aws,
    repository_name: &str,
    old: &str,
    new: &str,
    paths: &Paths,
) -> bool {
    let Some(matcher) = paths.matcher() else {
        tracing::warn!("the stack's globs cannot be read; the pipeline starts for every push");
        return true;
    };
    let is_wanted = |path: &str| matcher.is_match(path);
    let found = any_file_differs(&aws.codecommit, repository_name, old, new, is_wanted).await;
    match found {
        Ok(Some(found)) => found,
        Ok(None) => {
            tracing::warn!(old, new, "too many differences; the pipeline starts");
            true
        }
        Err(error) => {
            warn!(
                error.reason(),
                "the differences cannot be read; the pipeline starts"
            );
            true
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExecutionNeed {
    /// An execution has the push.
    Met,
    /// No execution has it.
    Unmet,
    /// An execution has not read its source yet, or the first execution is not listed yet.
    Unknown,
}

/// Whether `push` needs one more than these executions, which are `listed` with the latest first.
/// `tip` is the branch's latest commit.
fn find_need(
    push: &BranchPush,
    tip: &str,
    listed: &[PipelineExecutionSummary],
    names: &ResourceNames,
) -> ExecutionNeed {
    let is_of = |one: &PipelineExecutionSummary, commit: &str| commit_of(one) == Some(commit);
    // An execution of the same commit from before the push does not count: a force push may return
    // to an earlier commit.
    let has_push = |one: &PipelineExecutionSummary| {
        let is_of_push = push.commit.as_deref().is_some_and(|commit| is_of(one, commit));
        is_of_push && push.time.is_some() && started_at(one) >= push.time
    };
    if listed.iter().any(has_push) {
        return ExecutionNeed::Met;
    }
    if listed.is_empty() || listed.iter().any(executions::may_be_reading) {
        return ExecutionNeed::Unknown;
    }
    // A branch that was deleted may return with the commit that it had.
    let is_created_at_tip =
        push.old_commit.is_none() && push.time.is_some() && push.commit.as_deref() == Some(tip);
    // Another event must not overrule a person who deploys an earlier commit again.
    let shows = |one: &&PipelineExecutionSummary| {
        is_of(one, tip) || (commit_of(one).is_some() && shows_push(one, names))
    };
    let mut decisive = listed.iter().filter(shows);
    let is_latest = decisive.next().is_some_and(|one| is_of(one, tip));
    if is_latest && !is_created_at_tip {
        ExecutionNeed::Met
    } else {
        ExecutionNeed::Unmet
    }
}

#[cfg(test)]
#[path = "changed_files_tests.rs"]
mod tests;
