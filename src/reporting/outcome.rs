//! What a report did, and why an execution is not reported.

use std::collections::BTreeMap;

use crate::aws::CallError;
use crate::gitlab::GitLabError;
use crate::reason_codes::Code;
use crate::reporting::plan::{Post, Topic};
use cfn_custom_resource::ReasonCode;

/// Why an execution is not reported. Lambda delivers the event again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reporting {subject} to GitLab: {cause} - {}", self.code())]
pub struct ReportError {
    /// The execution or the pipeline.
    pub subject: String,
    /// What went wrong.
    pub cause: Cause,
}

impl ReportError {
    /// `subject` was not reported because of `cause`.
    pub fn new(subject: String, cause: impl Into<Cause>) -> Self {
        ReportError {
            subject,
            cause: cause.into(),
        }
    }

    /// Whether GitLab cannot be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(&self.cause, Cause::GitLab(error) if error.is_unreachable())
    }

    /// The code of its cause.
    pub(crate) fn code(&self) -> ReasonCode {
        match &self.cause {
            Cause::Aws(error) => error.reason_code,
            Cause::GitLab(error) => error.reason().code,
            Cause::TooManySteps => Code::InternalError.into(),
        }
    }
}

/// What went wrong, and may go well the next time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// AWS did not return what has to be reported.
    #[error(transparent)]
    Aws(#[from] CallError),
    /// GitLab did not confirm a request, or cannot be reached.
    #[error(transparent)]
    GitLab(#[from] GitLabError),
    /// The plan does not end.
    #[error("internal error")]
    TooManySteps,
}

/// What a report did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// The requests that GitLab accepted.
    pub accepted: Vec<Post>,
    /// What GitLab rejected for good, by part of the report.
    pub rejected: BTreeMap<Topic, GitLabError>,
}

impl Reported {
    /// Logs what GitLab rejected. Returns the number.
    pub fn log_rejected(&self) -> usize {
        for (part, error) in &self.rejected {
            let (part, reason) = (part.name(), error.reason().to_string());
            tracing::warn!(part, reason, "not reported");
        }
        self.rejected.len()
    }
}
