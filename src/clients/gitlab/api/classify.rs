//! Finds out why GitLab rejected a request.
//!
//! GitLab responds with 401 to a wrong token and to a user without the right to mirror. It responds
//! with 404 to an object that does not exist and to one that the user may not see. To distinguish
//! them, the project is looked up after such a response, and never before one. If the response has
//! a message of its own, that is the cause.

use serde_json::Value;

use super::endpoints::Endpoint;
use super::error::{ErrorKind, GitLabError, MAINTAINER, Rejection, Result, RetryTime};
use super::project_parts::ProjectPart;
use super::response::ApiResponse;
use super::sanitize::is_bare;
use super::token_error::TokenSource;
use super::transport::{ApiRequest, Area, GitLab};

impl GitLab {
    /// The response, if it is the success of its endpoint.
    pub async fn check(
        &self,
        request: &ApiRequest<'_>,
        response: ApiResponse,
    ) -> Result<ApiResponse> {
        if response.is_success() {
            return match request.endpoint {
                Some(endpoint) if endpoint.is_done(&response) => Ok(response),
                _ if response.body.is_none() => Err(response.not_gitlab()),
                _ => Err(GitLabError::unclear(ErrorKind::UnexpectedResponse {
                    status: response.status,
                })),
            };
        }
        let (status, message) = (response.status, response.message());
        if response.is_temporary() {
            let error = GitLabError::rejected(status, Rejection::Temporary, message);
            let retry = RetryTime::Later;
            return Err(GitLabError { retry, ..error });
        }
        let Some(body) = &response.body else {
            return Err(foreign(request, &response));
        };
        // RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb implements it.
        let describes_token = status == 401 && body["error_description"].is_string();
        match response.member("error") {
            Some("insufficient_scope") => return Err(self.insufficient_scope()),
            Some("insufficient_granular_scope") => {
                return Err(self.insufficient_permissions(message));
            }
            Some("dpop_error") => return Err(self.proof_required(message)),
            Some("invalid_token") => return Err(self.token_rejected(message)),
            Some(_) if describes_token => return Err(self.token_rejected(message)),
            _ => {}
        }
        // GitLab's own 401 without a description begins with its status. A gateway writes a text.
        let is_denial = status == 401 || (status == 403 && is_bare(&message));
        if (is_denial || matches!(status, 404 | 413)) && !response.is_own_denial() {
            return Err(foreign(request, &response));
        }
        Err(match (status, request.area.project()) {
            (401, None) => self.token_rejected(message),
            (401 | 403 | 404, Some(project)) if is_bare(&message) => {
                let mut look_up = ApiRequest::new("GET", Area::Project(project), "");
                look_up.secret = request.secret;
                self.classify_denial(&look_up, status, message, request).await
            }
            _ => {
                let cause = classify_message(&message, request.area);
                let retry = if status == 400 && is_conflict(&message) {
                    RetryTime::AfterRead
                } else {
                    RetryTime::Never
                };
                let error = GitLabError::rejected(status, cause, message);
                GitLabError { retry, ..error }
            }
        })
    }

    async fn classify_denial(
        &self,
        look_up: &ApiRequest<'_>,
        status: u16,
        message: String,
        request: &ApiRequest<'_>,
    ) -> GitLabError {
        let area = request.area;
        let unexplained = match area {
            _ if status == 404 => Rejection::Other,
            Area::Report(_) => Rejection::ReportDenied,
            Area::Mirrors(_) => Rejection::Denied,
            Area::Project(_) | Area::Instance => Rejection::AccessDenied,
        };
        let project = match self.send(look_up).await {
            Ok(project) => project,
            // GitLab is at fault, so the request may succeed later.
            Err(error) if error.retry == RetryTime::Later => return error,
            Err(_) => return GitLabError::rejected(status, unexplained, message),
        };
        if project.member("error") == Some("insufficient_scope") {
            return self.insufficient_scope();
        }
        if project.status == 401 && project.is_own_denial() {
            return self.token_rejected(project.message());
        }
        if (status, project.status) == (404, 404) && project.is_own_denial() {
            return GitLabError::answered(ErrorKind::NotFound);
        }
        let is_shown = look_up.endpoint.is_some_and(|it| it.is_done(&project));
        let Some(shown) = project.body.filter(|_| is_shown) else {
            return GitLabError::rejected(status, unexplained, message);
        };
        let level = access_level(&shown);
        let closed = request.endpoint.and_then(|it| it.closed(&shown, level));
        let is_off = matches!(closed, Some(Rejection::SwitchedOff(_)));
        // GitLab shows no level for an administrator and for members of an invited group.
        let lower = level.filter(|level| *level < MAINTAINER && status != 404 && !is_off);
        if let (Area::Mirrors(_), Some(level)) = (area, lower) {
            return GitLabError::answered(ErrorKind::NotMaintainer { status, level });
        }
        let hides_repository = message.ends_with("Repository Not Found");
        if let Some(cause) = closed.filter(|_| status != 404 || hides_repository) {
            return GitLabError::rejected(status, cause, message);
        }
        let is_of_environment = |it: &Endpoint| it.closed_by.contains(&ProjectPart::Environments);
        let is_deployment =
            request.method != "GET" && request.endpoint.is_some_and(is_of_environment);
        let cause = match (area, level) {
            (Area::Report(_), _) if status != 404 && shown["archived"] == true => {
                Rejection::Archived
            }
            (Area::Report(_), _) if status == 403 && is_deployment => Rejection::DeploymentDenied,
            // Not every report needs a Maintainer, and a Maintainer may not do everything.
            (Area::Report(_), _) if status == 404 => Rejection::ReportRejected,
            (Area::Mirrors(_), Some(_)) if status != 404 => Rejection::MirrorsDisabled,
            _ => unexplained,
        };
        GitLabError::rejected(status, cause, message)
    }

    fn insufficient_scope(&self) -> GitLabError {
        self.about_token(|token| ErrorKind::InsufficientScope { token })
    }

    fn insufficient_permissions(&self, message: String) -> GitLabError {
        self.about_token(|token| ErrorKind::InsufficientPermissions { message, token })
    }

    fn proof_required(&self, message: String) -> GitLabError {
        self.about_token(|token| ErrorKind::ProofRequired { message, token })
    }

    fn token_rejected(&self, message: String) -> GitLabError {
        self.about_token(|token| ErrorKind::TokenRejected { message, token })
    }

    fn about_token(&self, kind: impl FnOnce(TokenSource) -> ErrorKind) -> GitLabError {
        GitLabError::answered(kind(self.token_source.clone()))
    }
}

/// The error of a response that is not from GitLab's API. A part of a report reads before it
/// writes, so what rejects only the write lets the function reach GitLab.
fn foreign(request: &ApiRequest<'_>, response: &ApiResponse) -> GitLabError {
    let (status, message) = (response.status, response.message());
    let is_rejected = matches!(status, 400 | 403 | 405 | 406 | 413) && !response.is_challenge;
    match (request.area, &request.body) {
        (Area::Report(_), Some(body)) if is_rejected => GitLabError::unsent(ErrorKind::Blocked {
            status,
            message,
            bytes: body.to_string().len(),
        }),
        _ => response.not_gitlab(),
    }
}

/// The access level of the token's user in the project that `shown` describes. `None` if GitLab
/// does not show it.
pub fn access_level(shown: &Value) -> Option<u64> {
    let level = |of: &str| shown["permissions"][of]["access_level"].as_u64();
    level("project_access").max(level("group_access"))
}

/// Whether the state of a status or of a deployment has changed meanwhile
/// (`app/models/deployment.rb`). The text is a constant of the gem `state_machines`, which is not
/// translated.
fn is_conflict(message: &str) -> bool {
    message.to_ascii_lowercase().contains("cannot transition")
}

/// Why GitLab rejected the request, as far as its message shows that. The texts are constants of
/// GitLab, which it does not translate: `find_project!` in `lib/api/helpers.rb`, and
/// `blocked_message` in `app/validators/addressable_url_validator.rb`.
fn classify_message(message: &str, area: Area<'_>) -> Rejection {
    let message = message.to_ascii_lowercase();
    let has = |text: &str| message.contains(text);
    if has("moved project") {
        Rejection::ProjectMoved(None)
    } else if matches!(area, Area::Report(_)) {
        Rejection::ReportRejected
    } else if has("is blocked: ") {
        Rejection::AddressBlocked
    } else {
        Rejection::Other
    }
}
