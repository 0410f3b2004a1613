//! Why a build failed: its phase, and what CodeBuild reports about it.

use aws_sdk_codebuild::types::{Build, BuildPhase, StatusType};
use aws_smithy_types::DateTime;

use crate::clients::aws::{Aws, CallError, required};
use crate::feedback::change_sets::Values;

/// A build that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedBuild {
    /// The phase that failed, for example `BUILD`. If CodeBuild names none, the build's status.
    pub phase: String,
    /// Their messages may contain secrets, because a command is part of them.
    pub contexts: Vec<PhaseContext>,
    /// Where the phase's log is. `None` if CodeBuild names no log stream, or no phase.
    pub log: Option<LogWindow>,
    /// Those of the deployed stack's parameters, which no text about the build shows.
    pub values: Values,
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
    /// Why a build with this status failed.
    pub fn of(build: &Build, status: &StatusType) -> Self {
        let failed = build.phases().iter().find(|phase| has_failed(phase));
        let phase = failed.and_then(|phase| phase.phase_type());
        let phase = phase.map_or(status.as_str(), |phase| phase.as_str());
        FailedBuild {
            phase: phase.to_owned(),
            contexts: failed.map(contexts).unwrap_or_default(),
            log: failed.and_then(|failed| LogWindow::of(build, failed, phase)),
            values: Values::default(),
        }
    }
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
        let status = build.build_status().filter(|status| is_failure(status))?;
        Some(FailedBuild::of(build, status))
    }))
}

/// Whether a phase failed. The last one, `COMPLETED`, has no status.
fn has_failed(phase: &BuildPhase) -> bool {
    phase.phase_status().is_some_and(is_failure)
}

/// Whether a build or a phase with this status has failed. A later version of CodeBuild may have
/// others, which are not taken for failures.
pub fn is_failure(status: &StatusType) -> bool {
    use StatusType::{Failed, Fault, Stopped, TimedOut};
    // The SDK's list lacks this status of phases:
    // https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
    matches!(status, Failed | Fault | Stopped | TimedOut) || status.as_str() == "CLIENT_ERROR"
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
