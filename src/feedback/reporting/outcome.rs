//! The result of a report, and the error of an execution that is not reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::aws::CallError;
use crate::clients::gitlab::{ErrorScope, GitLabError, RetryTime};
use crate::feedback::reporting::plan::Topic;
use crate::feedback::reporting::statuses::OtherReporter;
use cfn_custom_resource::Reason;

/// Why an execution or a build is not reported. Lambda delivers the event again, unless it is
/// final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ReportError {
    /// The subject of the report, and the problem.
    pub reason: Reason,
    /// GitLab's error, which may be about more than this report. `None` if it is AWS's.
    pub gitlab: Option<Box<GitLabError>>,
    /// Whether another try would end the same: GitLab rejects the request or the token, or the
    /// token cannot be read.
    pub is_final: bool,
}

impl ReportError {
    /// The error of the report about `subject`.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.reason.problem = format!("reporting {subject} to GitLab: {}", self.reason.problem);
        self
    }
}

impl From<CallError> for ReportError {
    fn from(error: CallError) -> Self {
        ReportError {
            reason: error.reason(),
            gitlab: None,
            is_final: false,
        }
    }
}

impl From<GitLabError> for ReportError {
    fn from(error: GitLabError) -> Self {
        ReportError {
            reason: error.reason(),
            is_final: error.retry == RetryTime::Never,
            gitlab: Some(Box::new(error)),
        }
    }
}

/// One report, as far as GitLab accepted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// The number of requests that changed GitLab's records.
    pub accepted: usize,
    /// The parts that failed. One that fails does not stop the others, unless GitLab accepts no
    /// connection.
    pub failed: BTreeMap<Topic, ReportError>,
    /// Those whose statuses and notes have the names of the pipeline's.
    pub others: BTreeSet<OtherReporter>,
}

impl Reported {
    /// The value of a part of the report. `None` if it failed, which is added to the failed parts
    /// unless the part had failed before.
    pub fn settle<T>(
        &mut self,
        topic: Topic,
        result: Result<T, impl Into<ReportError>>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.entry(topic).or_insert(error.into());
                None
            }
        }
    }

    pub(crate) fn gitlab_errors(&self) -> impl Iterator<Item = &GitLabError> {
        self.failed.values().filter_map(|it| it.gitlab.as_deref())
    }

    /// Whether GitLab accepts no connection.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.gitlab_errors().any(|error| error.scope == ErrorScope::GitLab)
    }

    /// Adds another part of the same report.
    pub(crate) fn add(&mut self, other: Reported) {
        self.accepted += other.accepted;
        self.failed.extend(other.failed);
        self.others.extend(other.others);
    }

    /// Logs the parts that failed. Returns the number.
    pub fn log_failed(&self) -> usize {
        for (part, error) in &self.failed {
            warn!(
                error.reason,
                part = part.name(),
                "a part of an execution is not reported"
            );
        }
        self.failed.len()
    }

    /// The first part whose report may succeed later. `None` if all have succeeded or failed
    /// permanently.
    pub fn error_that_may_pass(&self) -> Option<&ReportError> {
        self.failed.values().find(|error| !error.is_final)
    }
}
