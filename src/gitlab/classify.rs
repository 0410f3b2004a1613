//! Why GitLab refused something.
//!
//! It answers 401 to a wrong token as to a user who may not mirror, and 404 to what is not there as
//! to what may not be seen. So the project is looked up to tell them apart, after a refusal and
//! never before one.

use super::client::{Answer, Body, Request, path};
use super::error::{Kind, MAINTAINER};
use super::{GitLab, Project};

impl GitLab {
    /// The answer, when it is a success, and else why it is none.
    pub(super) async fn refusal(&self, project: &str, answer: Answer) -> Result<Answer, Kind> {
        if answer.is_success() {
            return Ok(answer);
        }
        let status = answer.status;
        if matches!(answer.body, Body::Other) {
            return Err(Kind::NoApi { status });
        }
        let message = answer.message();
        // RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb has it.
        match answer.error() {
            Some("insufficient_scope") => return Err(self.insufficient_scope()),
            Some("invalid_token") => return Err(self.rejected_token(message)),
            _ => {}
        }
        Err(match status {
            401 | 403 | 404 => {
                let mut request = Request::get(path(project, ""));
                request.secret = answer.secret.as_ref();
                self.denial(&request, status, message).await
            }
            _ => validation(status, message),
        })
    }

    async fn denial(&self, look: &Request<'_>, status: u16, message: String) -> Kind {
        let Ok(looked_up) = self.line.send(look).await else {
            return unexplained(status, message);
        };
        if looked_up.error() == Some("insufficient_scope") {
            return self.insufficient_scope();
        }
        if looked_up.status == 401 {
            return self.rejected_token(looked_up.message());
        }
        let project = looked_up.is_success().then(|| looked_up.json().ok());
        let Some(project) = project.flatten() else {
            return unexplained(status, message);
        };
        match Project::read(&project).access_level {
            _ if status == 404 => Kind::Refused { status, message },
            Some(level) if level < MAINTAINER => Kind::NotMaintainer { status, level },
            Some(_) => Kind::Disabled { status, message },
            // An administrator, somebody who was invited with a group, or nobody.
            None => Kind::Denied { status, message },
        }
    }
}

impl GitLab {
    fn insufficient_scope(&self) -> Kind {
        let token = self.token_source.clone();
        Kind::InsufficientScope { token }
    }

    fn rejected_token(&self, message: String) -> Kind {
        let token = self.token_source.clone();
        Kind::TokenRefused { message, token }
    }
}

fn unexplained(status: u16, message: String) -> Kind {
    match status {
        404 => Kind::NotFound,
        _ => Kind::Denied { status, message },
    }
}

/// What was wrong with what was asked. GitLab says it in words alone: these are from its
/// `app/models/remote_mirror.rb`, `lib/gitlab/url_blocker.rb` and `lib/api/helpers.rb`.
fn validation(status: u16, message: String) -> Kind {
    let words = message.to_ascii_lowercase();
    let has = |word: &str| words.contains(word);
    if has("mirror") && (has("maximum") || has("limit") || has("exceeded") || has("too many")) {
        Kind::TooMany { status, message }
    } else if has("already been taken") || has("already exists") {
        Kind::Taken { status, message }
    } else if has("host cannot be resolved") {
        Kind::HostNotResolved { status, message }
    } else if has("username needs to start") {
        Kind::UserNotAccepted { status, message }
    } else if has("uri is invalid") {
        Kind::AddressNotParsed { status, message }
    } else if has("requests to") {
        Kind::Blocked { status, message }
    } else if has("moved project") {
        Kind::Moved { status, message }
    } else {
        Kind::Refused { status, message }
    }
}
