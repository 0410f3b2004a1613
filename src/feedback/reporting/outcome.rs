//! What a report did, and why an execution is not reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::clients::aws::CallError;
use crate::clients::gitlab::{ErrorKind, GitLabError};
use crate::feedback::approval::ApprovalError;
use crate::feedback::reporting::plan::{Post, Topic};
use cfn_custom_resource::Reason;

/// Why an execution or a build is not reported. Lambda delivers the event again, unless it is final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ReportError {
    /// What was reported, and what went wrong.
    pub reason: Reason,
    /// Whether requests about any project of this GitLab would fail.
    pub is_unreachable: bool,
    /// Whether another try would end the same: GitLab rejects the request or the token, or the token
    /// cannot be read.
    pub is_final: bool,
}

impl ReportError {
    /// The error of the report about `subject`.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.reason.text = format!("reporting {subject} to GitLab: {}", self.reason.text);
        self
    }
}

impl From<CallError> for ReportError {
    fn from(error: CallError) -> Self {
        ReportError {
            reason: error.reason(),
            is_unreachable: false,
            is_final: false,
        }
    }
}

impl From<GitLabError> for ReportError {
    fn from(error: GitLabError) -> Self {
        ReportError {
            reason: error.reason(),
            is_unreachable: error.is_unreachable(),
            is_final: !may_pass(&error),
        }
    }
}

impl From<ApprovalError> for ReportError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Aws(error) => error.into(),
            ApprovalError::GitLab(error) => error.into(),
        }
    }
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

/// The addresses at which one health check could not reach GitLab. Without them, each pipeline would wait
/// for the same GitLab.
#[derive(Debug, Default)]
pub struct UnreachableGitLabs(Mutex<BTreeSet<String>>);

impl UnreachableGitLabs {
    /// Whether the GitLab at `url` could not be reached.
    pub fn has(&self, url: &str) -> bool {
        let urls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        urls.contains(url)
    }

    /// Adds `url` if `error` says that its GitLab cannot be reached.
    pub fn note(&self, url: &str, error: &ReportError) {
        if error.is_unreachable {
            let mut urls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            urls.insert(url.to_owned());
        }
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

/// The value of a read. `None` if GitLab rejected it for good, which is added to `rejected`.
pub fn settle<T>(
    topic: Topic,
    read: Result<T, GitLabError>,
    rejected: &mut Vec<(Topic, GitLabError)>,
) -> Result<Option<T>, GitLabError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if may_pass(&error) => Err(error),
        Err(error) => {
            rejected.push((topic, error));
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::gitlab::Rejection;

    #[test]
    fn unreachable_gitlab_is_noted_by_its_address() {
        let error = |kind| {
            let doing = "posting".to_owned();
            ReportError::from(GitLabError { doing, kind })
        };
        let unreachable = UnreachableGitLabs::default();
        let to = "https://a.example/api/v4/projects/40".to_owned();
        let status = 301;
        unreachable.note(
            "https://a.example",
            &error(ErrorKind::Redirected { status, to }),
        );
        unreachable.note("https://b.example", &error(ErrorKind::NoResponse));
        assert!(unreachable.has("https://b.example"));
        assert!(!unreachable.has("https://a.example"));
    }

    #[test]
    fn conflict_of_two_reports_is_not_final() {
        let is_final = |status, message: &str| {
            let error = GitLabError {
                doing: "posting".to_owned(),
                kind: ErrorKind::Rejected {
                    status,
                    message: message.to_owned(),
                    cause: Rejection::ReportRejected,
                },
            };
            ReportError::from(error).is_final
        };
        assert!(!is_final(409, "Conflict"));
        assert!(!is_final(400, "Failed to obtain a lock"));
        assert!(!is_final(400, "Cannot transition status via :enqueue"));
        assert!(is_final(400, "name is invalid") && is_final(422, "Failed to obtain a lock"));
    }
}
