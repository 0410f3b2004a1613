//! Starts the commit of an execution again that an update of the pipeline canceled.
//!
//! After an update, CodePipeline lets running actions complete. It then cancels their executions:
//! "The pipeline's definition was updated before the pipeline execution could be completed"
//! (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html>). It
//! starts none: "editing a pipeline does not rerun the most recent revision through the pipeline"
//! (<https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html>). The commit
//! would not be deployed before the next push.
//!
//! An Update looks for such an execution after the child stack's operation has ended. An action may
//! run longer than the operation. So the health check does the same, without a call if the
//! pipeline's newest execution was not canceled. Both start it again if all of this is true:
//!
//! - It is the pipeline's newest execution. A newer one has a newer commit, or the same.
//! - It is `Cancelled`. A person stopped a `Stopped` one, and a newer one passed a `Superseded`
//!   one.
//! - It is no rollback of a stage, because that would deploy the branch instead.
//! - By the stack's events, CloudFormation updated the pipeline while it ran. A person who edits
//!   the pipeline in the console decides what it runs next. The update of a request that failed,
//!   and its rollback, count too.
//! - It ended at most a day ago. A later deployment would come as a surprise.
//! - Its commit is the branch's latest. With `Source.Paths`, it may also be an earlier one if none
//!   of their files has changed since. A push of a later one starts the pipeline by itself. If
//!   another account denies the lookup of the branch, the execution is not started again.
//!
//! The new execution reads the branch itself. If a push arrives after the lookup, both executions
//! deploy the pushed commit. With a fixed commit, the earlier one would be deployed last.
//!
//! It starts once: all deliveries and health checks derive the token from the canceled execution,
//! and the new execution is the newest then. It began after the update, so that only another update
//! can cause another start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_codepipeline::types::{
    ExecutionType, PipelineExecutionStatus, PipelineExecutionSummary,
};

use super::executions;
use super::names::ResourceNames;
use super::pushes::{do_files_differ, repository};
use super::source::{Lookup, Retry, Source};
use super::state::ChildStack;
use crate::clients::aws::{Aws, CallError};
use crate::common::ownership;

/// How long ago an execution may have ended that is started again.
const MAX_AGE: Duration = Duration::from_hours(24);

/// How much later than the end of an execution CloudFormation may date the update that canceled it:
/// assumption `clocks-of-stack-events-and-executions`. There is none for its start: an execution
/// that was started again after the update must not count as canceled by it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// A pipeline's newest execution, if it was canceled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanceledExecution {
    pub id: String,
    pub commit: String,
    started: SystemTime,
    ended: SystemTime,
}

impl CanceledExecution {
    /// The first of `executions`, which CodePipeline lists with the newest first. `None` if it was
    /// not canceled, has read no commit, or is a rollback.
    pub fn newest(executions: &[PipelineExecutionSummary]) -> Option<Self> {
        let newest = executions.first()?;
        let is_canceled = newest.status() == Some(&PipelineExecutionStatus::Cancelled);
        if !is_canceled || newest.execution_type() == Some(&ExecutionType::Rollback) {
            return None;
        }
        Some(CanceledExecution {
            id: newest.pipeline_execution_id()?.to_owned(),
            commit: executions::commit_of(newest)?.to_owned(),
            started: SystemTime::try_from(*newest.start_time()?).ok()?,
            ended: SystemTime::try_from(*newest.last_update_time()?).ok()?,
        })
    }

    /// Whether it ended at most a day before `now`.
    pub fn is_recent(&self, now: SystemTime) -> bool {
        is_recent(self.ended, now)
    }

    /// Whether one of the `updates` of the pipeline happened while it ran.
    fn ran_during(&self, updates: &[SystemTime]) -> bool {
        let ended = self.ended + CLOCK_TOLERANCE;
        let mut updates = updates.iter();
        updates.any(|update| (self.started..=ended).contains(update))
    }
}

fn is_recent(time: SystemTime, now: SystemTime) -> bool {
    now.duration_since(time).unwrap_or_default() < MAX_AGE
}

/// Starts the execution again that an update of `child` canceled, if there is one. Calls nothing if
/// CloudFormation has not updated the pipeline in the day before its latest operation.
///
/// # Errors
/// If CodePipeline or CodeCommit fails. The health check repeats it.
pub async fn start_after_update(
    aws: &Aws,
    names: &ResourceNames,
    child: &ChildStack,
) -> Result<(), CallError> {
    let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(child.changed).unwrap_or_default());
    let mut updates = child.pipeline_updates.iter();
    if !updates.any(|update| is_recent(*update, now)) {
        return Ok(());
    }
    let listed = executions::list_latest(aws, &names.pipeline()).await?;
    let newest = CanceledExecution::newest(&listed.unwrap_or_default());
    if let Some(canceled) = newest.filter(|newest| newest.is_recent(now)) {
        start_again(aws, names, child, &canceled).await?;
    }
    Ok(())
}

/// Starts `canceled` again if an update of `child` canceled it and its commit is the branch's
/// latest. Returns whether it did. While an operation on the stack runs, the request that started
/// it does.
pub async fn start_again(
    aws: &Aws,
    names: &ResourceNames,
    child: &ChildStack,
    canceled: &CanceledExecution,
) -> Result<bool, CallError> {
    let can_start = child.is_settled() && child.has_pipeline();
    if !can_start || !canceled.ran_during(&child.pipeline_updates) {
        return Ok(false);
    }
    let pipeline = names.pipeline();
    let Some(branch) = child.branch() else {
        return Ok(false);
    };
    let source = Source::open(aws, names, repository(child).as_ref(), Retry::No).await?;
    let tip = match source.branch_tip(&branch).await? {
        Lookup::Found(tip) => tip,
        Lookup::Denied(error) => {
            tracing::warn!(pipeline, %error, "a canceled execution is not started again");
            None
        }
    };
    let Some(tip) = tip else { return Ok(false) };
    let is_latest = tip == canceled.commit
        || match child.paths() {
            Some(paths) => {
                let commits = (canceled.commit.as_str(), tip.as_str());
                !do_files_differ(aws, source.name(), commits, &paths).await
            }
            None => false,
        };
    if is_latest {
        let token = ownership::key(&format!("again after {}", canceled.id));
        executions::start(aws, &pipeline, token).await?;
    }
    Ok(is_latest)
}

#[cfg(test)]
#[path = "canceled_execution_tests.rs"]
mod tests;
