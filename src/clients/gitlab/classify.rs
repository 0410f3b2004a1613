//! Finds out why GitLab rejected a request.
//!
//! GitLab responds with 401 to a wrong token and to a user without the right to mirror. It responds
//! with 404 to an object that does not exist and to one that the user may not see. To distinguish
//! them, the project is looked up after such a response, and never before one.

use super::client::ProjectDetails;
use super::error::{ErrorKind, MAINTAINER, Rejection};
use super::transport::{ApiRequest, ApiResponse, GitLab, path};

impl GitLab {
    /// The response, if it is a success.
    pub(super) async fn check(
        &self,
        project: &str,
        response: ApiResponse,
    ) -> Result<ApiResponse, ErrorKind> {
        if response.is_success() {
            return Ok(response);
        }
        let status = response.status;
        if response.body.is_none() {
            return Err(ErrorKind::NotGitLab { status });
        }
        let message = response.message();
        // RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb implements it.
        match response.error() {
            Some("insufficient_scope") => return Err(self.insufficient_scope()),
            Some("insufficient_granular_scope") => {
                let token = self.token_source.clone();
                return Err(ErrorKind::InsufficientPermissions { message, token });
            }
            Some("invalid_token") => return Err(self.token_rejected(message)),
            _ => {}
        }
        let is_of_report = response.is_of_report;
        Err(match status {
            401 | 403 | 404 => {
                let mut look_up = ApiRequest::get(path(project, ""));
                look_up.secret = response.secret.as_ref();
                self.classify_denial(&look_up, status, message, is_of_report)
                    .await
            }
            _ => rejected(status, classify_validation(&message, is_of_report), message),
        })
    }

    async fn classify_denial(
        &self,
        look_up: &ApiRequest<'_>,
        status: u16,
        message: String,
        is_of_report: bool,
    ) -> ErrorKind {
        let unexplained = |message| match (status, is_of_report) {
            (404, _) => ErrorKind::NotFound,
            (_, true) => rejected(status, Rejection::ReportDenied, message),
            (_, false) => rejected(status, Rejection::Denied, message),
        };
        let Ok(project) = self.call(look_up).await else {
            return unexplained(message);
        };
        if project.error() == Some("insufficient_scope") {
            return self.insufficient_scope();
        }
        if project.status == 401 {
            return self.token_rejected(project.message());
        }
        let project = project.is_success().then(|| project.into_json().ok());
        let Some(project) = project.flatten() else {
            return unexplained(message);
        };
        let level = ProjectDetails::parse(&project).access_level;
        let cause = match (is_of_report, level) {
            (true, _) if status == 404 => Rejection::ReportRejected,
            // Not every report needs a Maintainer, and a Maintainer may not do everything.
            (true, _) => Rejection::ReportDenied,
            (false, _) if status == 404 => Rejection::Other,
            (false, Some(level)) if level < MAINTAINER => {
                return ErrorKind::NotMaintainer { status, level };
            }
            (false, Some(_)) => Rejection::MirrorsDisabled,
            // GitLab shows no level for an administrator and for members of an invited group.
            (false, None) => Rejection::Denied,
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

fn rejected(status: u16, cause: Rejection, message: String) -> ErrorKind {
    ErrorKind::Rejected {
        status,
        message,
        cause,
    }
}

/// Why GitLab rejected the request's values. Only its message shows that: the texts are from GitLab's
/// `app/models/remote_mirror.rb`, `lib/gitlab/url_blocker.rb` and `lib/api/helpers.rb`.
fn classify_validation(message: &str, is_of_report: bool) -> Rejection {
    let message = message.to_ascii_lowercase();
    let has = |text: &str| message.contains(text);
    if has("moved project") {
        Rejection::ProjectMoved
    } else if is_of_report {
        Rejection::ReportRejected
    } else if has("mirror")
        && (has("maximum") || has("limit") || has("exceeded") || has("too many"))
    {
        Rejection::TooManyMirrors
    } else if has("already been taken") || has("already exists") {
        Rejection::DuplicateAddress
    } else if has("is blocked") {
        Rejection::AddressBlocked
    } else {
        Rejection::Other
    }
}
