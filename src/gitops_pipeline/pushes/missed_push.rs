//! Finds and starts missed pushes: a lost event left a branch whose tip no execution of its
//! pipeline has, or an update of the pipeline canceled the execution of the tip.
//!
//! # Lost events
//!
//! CodeCommit and EventBridge may lose an event: "in some rare cases an event might not be
//! delivered" (<https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-codecommit.html>).
//! They may also deliver two events in the wrong order. The event rule fixes the commit of its
//! event, so the older commit would be deployed last. A branch may return to an earlier commit by a
//! force push. In each case the newest execution has another commit than the branch.
//!
//! The health check starts the pipeline if all of this is true:
//!
//! - The newest execution that shows a push has another commit than the branch's tip. A rollback
//!   does not show one. Neither does an execution that a person started, perhaps with an earlier
//!   commit.
//! - No later execution has the tip. One that failed, or that a person rejected or stopped, has it
//!   too.
//! - No execution still reads its source. It may read the tip.
//! - With `Source.Paths`, one of their files differs between the two commits.
//! - A second look about a minute later finds the same. An event may be on its way, and
//!   CodePipeline may list an execution late.
//! - The event rule is not disabled. A disabled rule freezes the project, and a deleted one is
//!   missing, like a deleted pipeline or repository.
//!
//! An execution that failed before it read a commit does not show a push, so the newest one with a
//! commit decides. But if the newest two have none, nothing starts: a third one would fail in the
//! same way at each health check. Nothing starts either if a person stopped one so early. One that
//! an update of the pipeline canceled so early does not count.
//!
//! # Undone deployments
//!
//! A person may deploy an earlier commit again, because the branch's tip is bad. They start an
//! execution with that commit, or roll a stage back. So nothing starts, not even after the
//! cancellation below, while all of this is true:
//!
//! - The newest execution was not started by an event or by the function. A later version of
//!   CodePipeline may have causes that are unknown here, so these count too. A rollback that
//!   CodePipeline starts by itself does not: the execution before it decides.
//! - It does not have the tip. Neither has one that ended before it read a commit: what the person
//!   wanted is unknown. While it reads, it may read the tip, and the next look decides.
//! - It does not only deploy the newest push again. A person who chooses *Release change* gets the
//!   tip of that time, and a push whose event is lost afterwards is started as usual. So the
//!   execution before those of people must be of a push, with the same revision of each source: an
//!   earlier image of the same commit is an undo. A rollback always is.
//!
//! If a push is missed then, the health check only reports it. A tip with an execution is not
//! missed, so an ordinary undo is not reported. The next event ends this state, even one that
//! EventBridge delivers a second time: the event rule starts that execution, not the function.
//!
//! # Canceled executions
//!
//! After an update, CodePipeline lets running actions complete. It then cancels their executions:
//! "The pipeline's definition was updated before the pipeline execution could be completed"
//! (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html>). It
//! starts none: "editing a pipeline does not rerun the most recent revision through the pipeline"
//! (<https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html>). The commit
//! would not be deployed before the next push. So the health check also starts the pipeline if all
//! of this is true, a second look agrees, and the event rule that started it is not disabled:
//!
//! - The newest execution is `Cancelled`. A person stopped a `Stopped` one, and a newer one passed
//!   a `Superseded` one.
//! - It is not a rollback of a stage, because the branch would be deployed instead.
//! - Its commit is the branch's tip. With `Source.Paths`, it may also be an earlier one if none of
//!   their files has changed since, and no other execution still reads its source.
//! - It ended at most a day ago. A later deployment would come as a surprise.
//! - By the stack's events, CloudFormation updated the pipeline while it ran. A person who edits
//!   the pipeline in the console decides what it runs next. The update of a request that failed,
//!   and its rollback, count too.
//!
//! # The start
//!
//! The new execution reads the branch itself, so a later push is not overtaken. It starts once: its
//! token follows from the tip and the newest execution, and it is the newest afterwards. It began
//! after the update that canceled another one, so only another update can cause another start.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::changed_files::do_files_differ;
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit::BranchTip;
use crate::gitops_pipeline::executions::cause::{is_started_for_push, shows_push};
use crate::gitops_pipeline::executions::{
    self, ExecutionStatus, Outcome, Trigger, commit_of, is_rollback, may_be_reading, started_at,
    status_of, trigger_of,
};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::gitops_pipeline::observe::{self, pipeline_settings::PipelineSettings};
use crate::gitops_pipeline::source::{Lookup, Retry, Source};

/// How long ago a canceled execution may have ended that is started again.
const MAX_AGE: Duration = Duration::from_hours(24);

/// How much later than the end of an execution CloudFormation may date the update that canceled it:
/// assumption `clocks-of-stack-events-and-executions`. There is none for its start: an execution
/// that was started again after the update must not count as canceled by it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// The tip of a branch that no execution has, or whose execution an update canceled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedPush {
    pub commit: String,
    /// Whether an update of the pipeline canceled its execution.
    pub was_canceled: bool,
    /// Whether a person has started the newest execution, which is an undo. It is only reported.
    pub is_undone: bool,
    /// The event rule that starts it. If that is disabled, it is only reported.
    pub rule: EventRule,
    token: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineLook {
    Push(MissedPush),
    /// Its pipeline cannot run or start, because this does not exist.
    Missing(MissingPart),
    /// No missed push.
    Nothing,
}

/// A part of a child stack that a person may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPart {
    Repository,
    Pipeline,
    EventRule(EventRule),
}

/// Whether a push from one commit to the other starts the pipeline.
async fn is_started_by(aws: &Aws, pipeline: &PipelineSettings, old: &str, new: &str) -> bool {
    match &pipeline.stored.paths {
        Some(paths) if old != new => {
            do_files_differ(aws, &pipeline.repository.name, old, new, paths).await
        }
        _ => old != new,
    }
}

/// Looks at `now` for a missed push to the branch of a pipeline that can run, even if another
/// account denies the look-up of the branch.
pub async fn find(
    aws: &Aws,
    settings: &PipelineSettings,
    now: SystemTime,
) -> Result<PipelineLook, CallError> {
    let (names, pipeline) = (&settings.names, settings.names.pipeline());
    let source = Source::open(aws, names, Some(&settings.repository), Retry::No).await?;
    let tip = source.tip(&settings.branch).await?;
    if tip == Lookup::Found(BranchTip::NoRepository) {
        return Ok(PipelineLook::Missing(MissingPart::Repository));
    }
    let Some(listed) = executions::list_latest(aws, &pipeline).await? else {
        return Ok(PipelineLook::Missing(MissingPart::Pipeline));
    };
    let tip = match tip {
        Lookup::Found(tip) => tip.commit(),
        Lookup::Denied(error) => {
            if newest_canceled(&listed, now).is_some() {
                warn!(
                    error.reason(),
                    pipeline, "a canceled execution is not started again"
                );
            }
            None
        }
    };
    let Some(tip) = tip else {
        return Ok(PipelineLook::Nothing);
    };
    let (base, canceled, is_undone) = match verdict(&tip, &listed, names, now) {
        PushVerdict::Executed => return Ok(PipelineLook::Nothing),
        PushVerdict::Lost(base) => (base, None, false),
        PushVerdict::Undone(base) => (base, None, true),
        PushVerdict::Canceled(base, ran) => (base, Some(ran), false),
    };
    let is_lost = is_started_by(aws, settings, base, &tip).await;
    let was_canceled = match canceled {
        Some(ran) if !is_lost => observe::has_updated_pipeline(aws, &names.stack(), &ran).await?,
        _ => false,
    };
    if !is_lost && !was_canceled {
        return Ok(PipelineLook::Nothing);
    }
    let is_image = was_canceled && listed.first().is_some_and(|it| is_by_image(it, names));
    Ok(PipelineLook::Push(MissedPush {
        token: executions::start_token(&tip, &listed),
        commit: tip,
        was_canceled,
        is_undone,
        rule: if is_image {
            EventRule::Image
        } else {
            EventRule::Push
        },
    }))
}

/// Looks whether the pipeline exists, and not at its branch.
pub async fn find_pipeline(
    aws: &Aws,
    settings: &PipelineSettings,
) -> Result<PipelineLook, CallError> {
    let listed = executions::list_latest(aws, &settings.names.pipeline()).await?;
    Ok(match listed {
        Some(_) => PipelineLook::Nothing,
        None => PipelineLook::Missing(MissingPart::Pipeline),
    })
}

/// The conclusion from the executions of a pipeline about the tip of its branch.
#[derive(Debug, PartialEq, Eq)]
enum PushVerdict<'a> {
    /// It is not missed: an execution has it or may still read it, or none shows another push.
    Executed,
    /// The newest push has this commit instead.
    Lost(&'a str),
    /// The same, and a person deploys an earlier commit again.
    Undone(&'a str),
    /// The newest execution, of this commit, was canceled. It ran at these times.
    Canceled(&'a str, RangeInclusive<SystemTime>),
}

/// Concludes at `now` from the executions that were `listed`, the newest first. The commits are
/// not compared by `Source.Paths` yet.
fn verdict<'a>(
    tip: &str,
    listed: &'a [PipelineExecutionSummary],
    names: &ResourceNames,
    now: SystemTime,
) -> PushVerdict<'a> {
    let executed = executed_instead_of(tip, listed, names);
    if is_undone(tip, listed, names) {
        return executed.map_or(PushVerdict::Executed, PushVerdict::Undone);
    }
    match newest_canceled(listed, now) {
        Some((commit, ran)) if commit == tip || executed == Some(commit) => {
            PushVerdict::Canceled(commit, ran)
        }
        _ => executed.map_or(PushVerdict::Executed, PushVerdict::Lost),
    }
}

/// Whether a push of the image started `execution`. The detail of its trigger is the rule's ARN.
fn is_by_image(execution: &PipelineExecutionSummary, names: &ResourceNames) -> bool {
    let detail = execution.trigger().and_then(|it| it.trigger_detail());
    let (_, rule) = detail.unwrap_or_default().rsplit_once('/').unwrap_or_default();
    rule == EventRule::Image.name(names)
}

/// The commit of the newest execution, and the times of an update that would have canceled it.
/// `None` if it was not canceled in the day before `now`, has read no commit, or is a rollback.
fn newest_canceled(
    listed: &[PipelineExecutionSummary],
    now: SystemTime,
) -> Option<(&str, RangeInclusive<SystemTime>)> {
    let newest = listed.first()?;
    let commit = commit_of(newest)?;
    let started = started_at(newest)?;
    let ended = SystemTime::try_from(*newest.last_update_time()?).ok()?;
    let is_canceled = status_of(newest) == ExecutionStatus::Canceled;
    let is_recent = now.duration_since(ended).unwrap_or_default() < MAX_AGE;
    (is_canceled && is_recent && !is_rollback(newest))
        .then_some((commit, started..=ended + CLOCK_TOLERANCE))
}

/// The commit of the newest execution that shows a push. `None` if it or a later one has
/// `tip`, or one still reads its source. Also `None` if two later ones failed, or a person stopped
/// one, before they had a commit. `listed` begins with the newest.
fn executed_instead_of<'a>(
    tip: &str,
    listed: &'a [PipelineExecutionSummary],
    names: &ResourceNames,
) -> Option<&'a str> {
    use ExecutionStatus::{Stopped, Stopping};
    if listed.iter().any(may_be_reading) {
        return None;
    }
    let mut has_failed = false;
    for one in listed {
        let commit = commit_of(one);
        if commit == Some(tip) {
            return None;
        }
        if !shows_push(one, names) {
            continue;
        }
        if commit.is_some() || has_failed || matches!(status_of(one), Stopped | Stopping) {
            return commit;
        }
        has_failed = true;
    }
    None
}

/// Whether a person has started the newest execution, and it neither has `tip` nor deploys the
/// newest push again. `listed` begins with the newest.
fn is_undone(tip: &str, listed: &[PipelineExecutionSummary], names: &ResourceNames) -> bool {
    let is_by_codepipeline =
        |one: &&PipelineExecutionSummary| matches!(trigger_of(one), Trigger::AutomatedRollback(_));
    let mut others = listed.iter().filter(|one| !is_by_codepipeline(one)).peekable();
    let Some(newest) = others.peek().copied() else {
        return false;
    };
    if commit_of(newest) == Some(tip) || is_started_for_push(newest, names) {
        return false;
    }
    let is_same = |one: &PipelineExecutionSummary| {
        commit_of(one).is_some() && revisions_of(one) == revisions_of(newest)
    };
    let is_for_push = |one: &PipelineExecutionSummary| is_started_for_push(one, names);
    let is_again = |one: &&PipelineExecutionSummary| {
        let is_start = matches!(trigger_of(one), Trigger::Start(_)) && !is_rollback(one);
        is_start && !is_for_push(one) && is_same(one)
    };
    let before = others.find(|one| !is_again(one));
    !before.is_some_and(|one| is_for_push(one) && is_same(one))
}

/// The revision of each source that an execution has read.
fn revisions_of(execution: &PipelineExecutionSummary) -> BTreeMap<&str, Option<&str>> {
    let revisions = execution.source_revisions().iter();
    revisions
        .map(|revision| (revision.action_name(), revision.revision_id()))
        .collect()
}

/// Starts the pipeline with the tip of its branch, unless its event rule is disabled or a person
/// deploys another commit.
pub async fn start(
    aws: &Aws,
    names: &ResourceNames,
    missed: &MissedPush,
) -> Result<Outcome, CallError> {
    if missed.is_undone {
        return Ok(Outcome::Frozen);
    }
    executions::start(aws, names, missed.rule, missed.token.clone()).await
}

#[cfg(test)]
#[path = "missed_push_tests.rs"]
pub mod tests;
