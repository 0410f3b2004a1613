//! Finds out why GitLab rejected a request.
//!
//! GitLab responds with 401 to a wrong token and to a user without the right to mirror. It responds
//! with 404 to an object that does not exist and to one that the user may not see. To distinguish
//! them, the project is looked up after such a response, and never before one. If the response has
//! a message of its own, that is the cause.

use super::client::{ProjectDetails, error};
use super::error::{ErrorKind, MAINTAINER, Rejection};
use super::transport::{ApiRequest, ApiResponse, GitLab, Subject, path};

/// Parts of GitLab's messages about a state that passes: a lock
/// (`app/services/ci/pipelines/add_job_service.rb`), an instance in maintenance or a repository
/// that is moved (`lib/gitlab/middleware/read_only/controller.rb`, `lib/gitlab/git_access.rb`), and
/// a limit.
const TEMPORARY: [&str; 7] = [
    "obtain a lock",
    "in progress",
    "read-only instance",
    "read-only gitlab instance",
    "maintenance mode",
    "temporarily",
    "try again",
];

impl GitLab {
    /// The response, if it is a success. The project is empty if the request is about none.
    pub(super) async fn check(
        &self,
        project: &str,
        response: ApiResponse,
    ) -> Result<ApiResponse, ErrorKind> {
        if response.is_success() {
            return Ok(response);
        }
        let (status, message) = (response.status, response.message());
        if response.is_temporary() {
            return Err(rejected(status, Rejection::Temporary, message));
        }
        let Some(body) = &response.body else {
            return Err(ErrorKind::NotGitLab { status, message });
        };
        // RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb implements it.
        let describes_token = status == 401 && body["error_description"].is_string();
        match response.member("error") {
            Some("insufficient_scope") => return Err(self.insufficient_scope()),
            Some("insufficient_granular_scope") => {
                let token = self.token_source.clone();
                return Err(ErrorKind::InsufficientPermissions { message, token });
            }
            Some("invalid_token") => return Err(self.token_rejected(message)),
            Some(_) if describes_token => return Err(self.token_rejected(message)),
            _ => {}
        }
        let subject = response.subject;
        Err(match status {
            401 if project.is_empty() => self.token_rejected(message),
            401 | 403 | 404 if !project.is_empty() && is_bare(&message) => {
                let mut look_up = ApiRequest::get(path(project, ""));
                look_up.secret = response.secret.as_ref();
                self.classify_denial(&look_up, status, message, subject)
                    .await
            }
            _ => rejected(status, classify_message(&message, subject), message),
        })
    }

    async fn classify_denial(
        &self,
        look_up: &ApiRequest<'_>,
        status: u16,
        message: String,
        subject: Subject,
    ) -> ErrorKind {
        let unexplained = match subject {
            _ if status == 404 => Rejection::Other,
            Subject::Report => Rejection::ReportDenied,
            Subject::Mirrors => Rejection::Denied,
            Subject::Rules | Subject::Other => Rejection::AccessDenied,
        };
        let project = match self.call(look_up).await {
            Ok(project) => project,
            // GitLab is at fault, so the request may succeed later.
            Err(kind) if error("", kind.clone()).is_transient() => return kind,
            Err(_) => return rejected(status, unexplained, message),
        };
        if project.member("error") == Some("insufficient_scope") {
            return self.insufficient_scope();
        }
        if project.status == 401 {
            return self.token_rejected(project.message());
        }
        if (status, project.status) == (404, 404) && project.body.is_some() {
            return ErrorKind::NotFound;
        }
        let project = project.is_success().then(|| project.into_json().ok());
        let Some(project) = project.flatten() else {
            return rejected(status, unexplained, message);
        };
        let level = ProjectDetails::parse(&project).access_level;
        let cause = match (subject, level) {
            // Not every report needs a Maintainer, and a Maintainer may not do everything.
            (Subject::Report, _) if status == 404 => Rejection::ReportRejected,
            (Subject::Mirrors | Subject::Rules, Some(level))
                if status != 404 && level < MAINTAINER =>
            {
                return ErrorKind::NotMaintainer { status, level };
            }
            (Subject::Mirrors, Some(_)) if status != 404 => Rejection::MirrorsDisabled,
            // GitLab shows no level for an administrator and for members of an invited group.
            _ => unexplained,
        };
        rejected(status, cause, message)
    }

    fn insufficient_scope(&self) -> ErrorKind {
        let token = self.token_source.clone();
        ErrorKind::InsufficientScope { token }
    }

    fn token_rejected(&self, message: String) -> ErrorKind {
        let token = self.token_source.clone();
        ErrorKind::TokenRejected { message, token }
    }
}

impl ApiResponse {
    /// Whether GitLab did nothing, and accepts the same request later.
    pub(super) fn is_temporary(&self) -> bool {
        let message = self.message().to_ascii_lowercase();
        match self.status {
            408 | 423 | 425 => true,
            409 => !is_taken(&message),
            400 | 403 | 405 | 422 => TEMPORARY.iter().any(|text| message.contains(text)),
            _ => false,
        }
    }
}

pub(super) fn rejected(status: u16, cause: Rejection, message: String) -> ErrorKind {
    ErrorKind::Rejected {
        status,
        message,
        cause,
    }
}

/// Whether a message only repeats its status, so that the cause has to be looked up.
pub(super) fn is_bare(message: &str) -> bool {
    let words = message.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let words = words.trim_end_matches('.').to_ascii_lowercase();
    let bare = [
        "",
        "no message",
        "unauthorized",
        "forbidden",
        "not found",
        "project not found",
    ];
    bare.contains(&words.as_str())
}

fn is_taken(message: &str) -> bool {
    message.contains("already been taken") || message.contains("already exists")
}

/// Why GitLab rejected the request, as far as its message shows that: the texts are from GitLab's
/// `app/models/remote_mirror.rb`, `lib/gitlab/url_blocker.rb` and `lib/api/helpers.rb`.
fn classify_message(message: &str, subject: Subject) -> Rejection {
    let message = message.to_ascii_lowercase();
    let has = |text: &str| message.contains(text);
    if has("moved project") {
        Rejection::ProjectMoved
    } else if subject == Subject::Report {
        Rejection::ReportRejected
    } else if has("mirror")
        && (has("maximum") || has("limit") || has("exceeded") || has("too many"))
    {
        Rejection::TooManyMirrors
    } else if is_taken(&message) {
        Rejection::DuplicateAddress
    } else if has("is blocked") {
        Rejection::AddressBlocked
    } else {
        Rejection::Other
    }
}
