//! Why a build failed: its phase, and what CodeBuild reports about it.

use aws_sdk_codebuild::types::{Build, BuildPhase, StatusType};
use aws_smithy_types::DateTime;

use crate::clients::aws::{Aws, CallError, required};

/// A build that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedBuild {
    /// The end of the phase that ended the build. If CodeBuild names none, that of the build.
    pub end: BuildEnd,
    /// The phases that failed. The one that ended the build is first.
    pub phases: Vec<FailedPhase>,
    /// Where the log of the first one is. `None` if CodeBuild names no log stream, or no phase.
    pub log: Option<LogWindow>,
}

/// How a build or a phase ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    Failed,
    /// By a person, or because another build replaced it.
    Stopped,
    TimedOut,
    /// By a fault of AWS.
    Fault,
}

/// A phase that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedPhase {
    /// For example `BUILD`.
    pub name: String,
    pub end: BuildEnd,
    /// Their messages may contain secrets, because a command is part of them.
    pub contexts: Vec<PhaseContext>,
}

/// CodeBuild's report about a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseContext {
    /// For example `COMMAND_EXECUTION_ERROR`.
    pub code: String,
    pub message: String,
}

/// The part of a log stream that a phase wrote, by CodeBuild's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWindow {
    pub group: String,
    pub stream: String,
    pub phase: String,
    /// When the phase began and ended, in milliseconds of the Unix epoch. `None` if it did not.
    pub start: Option<i64>,
    pub end: Option<i64>,
}

impl FailedBuild {
    /// Why a build failed that ended like this.
    pub fn of(build: &Build, end: BuildEnd) -> Self {
        let mut failed: Vec<(usize, FailedPhase)> = vec![];
        for (at, phase) in build.phases().iter().enumerate() {
            let end = phase.phase_status().and_then(BuildEnd::of);
            failed.extend(end.map(|end| (at, FailedPhase::of(phase, end))));
        }
        // The first one, unless the buildspec let the build go on: without `on-failure: CONTINUE`,
        // commands follow only after BUILD.
        let names: Vec<&str> = build.phases().iter().map(name).collect();
        let went_on = |(at, failed): &(usize, FailedPhase)| {
            let mut later = names.iter().skip(at + 1);
            ["INSTALL", "PRE_BUILD"].contains(&&*failed.name)
                && later.any(|name| ["PRE_BUILD", "BUILD", "POST_BUILD"].contains(name))
        };
        let cause = failed.iter().position(|it| !went_on(it)).unwrap_or(0);
        if let Some(before) = failed.get_mut(..=cause) {
            before.rotate_right(1);
        }
        let log = failed.first().and_then(|(at, failed)| {
            let phase = build.phases().get(*at)?;
            LogWindow::of(build, phase, &failed.name)
        });
        let phases: Vec<FailedPhase> = failed.into_iter().map(|(_, failed)| failed).collect();
        FailedBuild {
            end: phases.first().map_or(end, |phase| phase.end),
            phases,
            log,
        }
    }
}

impl FailedPhase {
    fn of(phase: &BuildPhase, end: BuildEnd) -> Self {
        FailedPhase {
            name: name(phase).to_owned(),
            end,
            contexts: contexts(phase),
        }
    }
}

impl BuildEnd {
    /// The end of a build or a phase with this status. `None` if it has not failed. A later version
    /// of CodeBuild may have other statuses, which are not taken for failures.
    pub fn of(status: &StatusType) -> Option<Self> {
        match status {
            StatusType::Failed => Some(BuildEnd::Failed),
            StatusType::Stopped => Some(BuildEnd::Stopped),
            StatusType::TimedOut => Some(BuildEnd::TimedOut),
            StatusType::Fault => Some(BuildEnd::Fault),
            // The SDK's list lacks this status of phases:
            // https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
            other => (other.as_str() == "CLIENT_ERROR").then_some(BuildEnd::Failed),
        }
    }
}

fn name(phase: &BuildPhase) -> &str {
    phase.phase_type().map_or("?", |phase| phase.as_str())
}

impl LogWindow {
    /// The log of `phase`. The build's ID does not name it: a project may have another group.
    fn of(build: &Build, phase: &BuildPhase, name: &str) -> Option<Self> {
        let logs = build.logs()?;
        let time = |time: Option<&DateTime>| time.and_then(|time| time.to_millis().ok());
        Some(LogWindow {
            group: logs.group_name()?.to_owned(),
            stream: logs.stream_name()?.to_owned(),
            phase: name.to_owned(),
            start: time(phase.start_time()),
            end: time(phase.end_time().or(build.end_time())),
        })
    }
}

/// Reads why the build `id` failed. `None` if it does not exist, or has not failed.
pub async fn read(aws: &Aws, id: &str) -> Result<Option<FailedBuild>, CallError> {
    let call = aws.codebuild.batch_get_builds().ids(id);
    let read = required(call.send().await, || format!("reading build {id}"))?;
    let build = read.builds().first();
    Ok(build.and_then(|build| {
        let end = BuildEnd::of(build.build_status()?)?;
        Some(FailedBuild::of(build, end))
    }))
}

/// The contexts of a phase, without empty ones.
fn contexts(phase: &BuildPhase) -> Vec<PhaseContext> {
    let contexts = phase.contexts().iter().map(|context| PhaseContext {
        code: context.status_code().unwrap_or_default().to_owned(),
        message: context.message().unwrap_or_default().trim().to_owned(),
    });
    let is_empty = |it: &PhaseContext| it.code.is_empty() && it.message.is_empty();
    contexts.filter(|it| !is_empty(it)).collect()
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
