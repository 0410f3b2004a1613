//! Starts the pipeline for a push that changes files of `Source.Paths`.
//!
//! An execution reads the branch's latest commit. So an event that arrives late never starts an
//! execution of an older commit than the latest execution has.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::event::BranchPush;
use super::latest_commit;
use crate::clients::aws::Aws;
use crate::clients::codecommit;
use crate::clients::codecommit::differences::any_file_differs;
use crate::common::stop::Stop;
use crate::gitops_pipeline::executions::{self, commit_of};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::gitops_pipeline::paths::Paths;
use crate::reconcile::backoff::Backoff;
use cfn_custom_resource::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// The pipeline exists and runs the commit, or a later one.
    Pipeline { name: String },
    /// The pipeline is neither created nor started: its event rule is disabled.
    Held { name: String },
}

/// Starts the pipeline if `push` changes a file of `paths`, and no execution has the push.
pub async fn start_if_matching(
    aws: &Aws,
    names: &ResourceNames,
    repository_name: &str,
    push: &BranchPush,
    paths: &Paths,
) -> Result<Started, Stop<Reason>> {
    if let (Some(old), Some(new)) = (&push.old_commit, &push.commit)
        && !do_files_differ(aws, repository_name, old, new, paths).await
    {
        return Err(Stop::nothing("the push changes no file of Source.Paths"));
    }
    let name = names.pipeline();
    let mut backoff = Backoff::<()>::new();
    loop {
        let tip = codecommit::tip(&aws.codecommit, repository_name, &push.branch).await?;
        let Some(tip) = tip.commit() else {
            let because = format!("branch {} does not exist", push.branch);
            return Err(Stop::nothing(because));
        };
        let listed = latest_commit::list(aws, &name).await?;
        let listed_executions = listed.iter();
        let executions: Vec<ListedExecution> =
            listed_executions.map(|one| ListedExecution::from_summary(one, names)).collect();
        match find_need(push, &tip, &executions) {
            ExecutionNeed::Met => return Ok(Started::Pipeline { name }),
            ExecutionNeed::Unknown if backoff.may_poll() => backoff.pause().await,
            ExecutionNeed::Unknown | ExecutionNeed::Unmet => {
                let token = executions::start_token(&tip, &listed);
                let is_started = executions::start(aws, names, EventRule::Push, token).await?;
                return Ok(if is_started {
                    Started::Pipeline { name }
                } else {
                    Started::Held { name }
                });
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

/// An execution of the pipeline, as far as it shows which push it has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ListedExecution {
    started: Option<SystemTime>,
    /// `None` until its source action has read the commit.
    commit: Option<String>,
    /// It may still read its source.
    is_reading: bool,
    /// Its commit was that of an event or the branch's latest one. A person may start an earlier
    /// one.
    shows_push: bool,
}

impl ListedExecution {
    fn from_summary(summary: &PipelineExecutionSummary, names: &ResourceNames) -> Self {
        let started = summary.start_time().copied();
        ListedExecution {
            started: started.and_then(|time| SystemTime::try_from(time).ok()),
            commit: commit_of(summary).map(ToOwned::to_owned),
            is_reading: executions::may_be_reading(summary),
            shows_push: executions::cause::shows_push(summary, names),
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

/// Whether `push` needs one more than these executions, which are listed with the latest first.
/// `tip` is the branch's latest commit.
fn find_need(push: &BranchPush, tip: &str, executions: &[ListedExecution]) -> ExecutionNeed {
    // An execution of the same commit from before the push does not count: a force push may return
    // to an earlier commit.
    let has_push = |execution: &ListedExecution| {
        execution.commit.is_some()
            && execution.commit == push.commit
            && execution.started >= push.time
            && push.time.is_some()
    };
    if executions.iter().any(has_push) {
        return ExecutionNeed::Met;
    }
    if executions.is_empty() || executions.iter().any(|one| one.is_reading) {
        return ExecutionNeed::Unknown;
    }
    // A branch that was deleted may return with the commit that it had.
    let is_created_at_tip =
        push.old_commit.is_none() && push.time.is_some() && push.commit.as_deref() == Some(tip);
    let is_of = |one: &ListedExecution, commit: &str| one.commit.as_deref() == Some(commit);
    // Another event must not overrule a person who deploys an earlier commit again.
    let mut decisive = executions
        .iter()
        .filter(|one| is_of(one, tip) || (one.shows_push && one.commit.is_some()));
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
