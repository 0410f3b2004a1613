//! What a report did, and why an execution is not reported.

use std::collections::BTreeMap;

use crate::clients::aws::CallError;
use crate::clients::gitlab::{ErrorKind, GitLabError};
use crate::common::reason_codes::Code;
use crate::feedback::reporting::plan::{Post, Topic};
use cfn_custom_resource::ReasonCode;

/// Why an execution is not reported. Lambda delivers the event again, unless it is final.
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

    /// Whether another try would end the same: GitLab rejects the request or the token, or the token
    /// cannot be read.
    pub fn is_final(&self) -> bool {
        matches!(&self.cause, Cause::GitLab(error) if !may_pass(error))
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

/// What went wrong.
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

/// Whether the same request may succeed later. Another delivery may be posting at the same time:
/// GitLab responds with 409 while it updates the commit's pipeline, and with 400 while it adds a job
/// (`app/services/ci/create_commit_status_service.rb`, `app/services/ci/pipelines/add_job_service.rb`).
/// It also responds with 400 if the state of a status or of a deployment has changed meanwhile
/// (`app/models/deployment.rb`).
pub fn may_pass(error: &GitLabError) -> bool {
    let is_conflict = match &error.kind {
        ErrorKind::Rejected { status: 409, .. } => true,
        ErrorKind::Rejected {
            status: 400,
            message,
            ..
        } => {
            let message = message.to_lowercase();
            let texts = ["cannot transition", "failed to obtain a lock"];
            texts.iter().any(|text| message.contains(text))
        }
        _ => false,
    };
    is_conflict || error.is_transient()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::gitlab::Rejection;

    #[test]
    fn conflict_of_two_reports_may_pass() {
        let may_pass = |status, message: &str| {
            may_pass(&GitLabError {
                doing: "posting".to_owned(),
                kind: ErrorKind::Rejected {
                    status,
                    message: message.to_owned(),
                    cause: Rejection::ReportRejected,
                },
            })
        };
        assert!(may_pass(409, "Conflict"));
        assert!(may_pass(400, "Failed to obtain a lock"));
        assert!(may_pass(400, "Cannot transition status via :enqueue"));
        assert!(!may_pass(400, "name is invalid") && !may_pass(422, "Failed to obtain a lock"));
    }
}
