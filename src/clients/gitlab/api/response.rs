//! Responses of GitLab's API, without secrets.

use std::time::Duration;

use serde_json::Value;

use super::error::{
    ErrorKind, ErrorScope, GitLabError, Rejection, Result, RetryTime, Sent, redirection,
};
use super::sanitize;

/// Parts of GitLab's messages about a state that passes: a lock
/// (`FailedToObtainLockError` in `lib/gitlab/exclusive_lease_helpers.rb`), and an instance that is
/// read-only (`ERROR_MESSAGE` in `lib/gitlab/middleware/read_only/controller.rb`). They are
/// constants of GitLab. Its other messages are in the language of the token's user
/// (`Gitlab::I18n.locale` in `current_user` of `lib/api/helpers.rb`), so nothing depends on them.
const TEMPORARY: [&str; 2] = ["failed to obtain a lock", "on a read-only instance"];

#[derive(Clone, Debug)]
pub struct ApiResponse {
    pub status: u16,
    /// The JSON of the body, and null if it is empty. `None` if it is something else, such as a
    /// page.
    pub body: Option<Value>,
    /// The body, if it is a plain text. Empty otherwise.
    pub text: String,
    pub paging: Paging,
    /// The address of a redirect without its query, sanitized.
    pub redirects_to: String,
    /// The number to which GitLab redirects a project that was requested by its former path
    /// (`url_with_project_id` in `lib/api/helpers.rb`). `None` for another redirect.
    pub moved_to: Option<u64>,
    /// Whether it is a page with which Cloudflare checks for a browser.
    pub is_challenge: bool,
    pub retry_after: Option<Duration>,
}

/// The headers of a page.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    pub has_next: bool,
    /// The largest size of a page that the server accepts, if it is less than the requested one.
    pub size: Option<usize>,
    /// The number of elements of all pages. GitLab does not send it above 10,000.
    pub total: Option<usize>,
}

impl Paging {
    /// Whether another page may follow one that was requested with `size` elements and has `found`,
    /// after which `seen` elements were read.
    pub fn may_continue(&self, size: usize, found: usize, seen: usize) -> bool {
        let is_full = found >= self.size.map_or(size, |largest| largest.clamp(1, size));
        let is_short_of_total = found > 0 && self.total.is_some_and(|total| total > seen);
        is_full || self.has_next || is_short_of_total
    }
}

impl ApiResponse {
    /// The response, unless its status means that GitLab did not process the request.
    pub fn into_result(self) -> Result<ApiResponse> {
        let (status, message) = (self.status, self.message());
        let later = |kind, sent| {
            Err(GitLabError::new(
                kind,
                sent,
                RetryTime::Later,
                ErrorScope::Unclear,
            ))
        };
        match status {
            429 => later(ErrorKind::Throttled { message }, Sent::No),
            500.. => later(ErrorKind::ServerError { status, message }, Sent::Unknown),
            300..400 if self.moved_to.is_some() => {
                let message = redirection(&self.redirects_to);
                let cause = Rejection::ProjectMoved(self.moved_to);
                Err(GitLabError::rejected(status, cause, message))
            }
            300..400 => {
                let to = self.redirects_to;
                Err(GitLabError::unsent(ErrorKind::Redirected { status, to }))
            }
            _ => Ok(self),
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether GitLab itself denies the request: its message begins with the status
    /// (`unauthorized!`, `forbidden!` and `not_found!` in `lib/api/helpers.rb`, and `rescue_from`
    /// in `lib/api/api.rb`). A gateway writes `Forbidden` or `Not Found`.
    pub fn is_own_denial(&self) -> bool {
        let message = self.member("message").unwrap_or_default();
        message.starts_with(&format!("{} ", self.status))
    }

    /// Whether GitLab does not have the route: it is an older version, or has another prefix
    /// (`route :any, '*path'` in `lib/api/api.rb`).
    pub fn is_unknown_route(&self) -> bool {
        self.status == 404 && self.member("error") == Some("404 Not Found")
    }

    /// The error of a response that is not from GitLab's API.
    pub fn not_gitlab(&self) -> GitLabError {
        let (status, message) = (self.status, self.message());
        if self.is_success() {
            return GitLabError::unclear(ErrorKind::NotGitLab { status, message });
        }
        GitLabError::unsent(if self.is_challenge {
            ErrorKind::Challenged { status }
        } else if self.is_unknown_route() {
            ErrorKind::UnknownRoute
        } else {
            ErrorKind::NotGitLab { status, message }
        })
    }

    /// GitLab's message, sanitized. Without a period at its end, because a text continues after it.
    pub fn message(&self) -> String {
        let (message, otherwise) = match &self.body {
            Some(body) => (sanitize::shown(&sanitize::message(body)), "no message"),
            None => (self.text.clone(), "a page without a message"),
        };
        match message.trim_end_matches('.') {
            "" => otherwise.to_owned(),
            message => message.to_owned(),
        }
    }

    /// A member: `message` of GitLab's API, or `error` of its authentication (RFC 6750, section
    /// 3.1) and of an unknown path. `None` for the page of a proxy.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.body.as_ref()?[name].as_str()
    }

    pub fn decode<T>(&self, parse: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let status = self.status;
        let body = self.body.as_ref().ok_or_else(|| self.not_gitlab())?;
        let decoded = Some(body).filter(|body| !body.is_null()).and_then(parse);
        decoded.ok_or_else(|| GitLabError::unclear(ErrorKind::UnexpectedResponse { status }))
    }

    /// Whether GitLab did nothing, and accepts the same request later.
    pub fn is_temporary(&self) -> bool {
        let message = self.message().to_ascii_lowercase();
        match self.status {
            408 | 409 | 423 | 425 => true,
            400 | 403 | 405 | 422 => TEMPORARY.iter().any(|text| message.contains(text)),
            _ => false,
        }
    }
}
