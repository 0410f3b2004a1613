//! Sends requests to GitLab's API, retries them, and reads the responses without secrets.

use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use super::endpoints::Endpoint;
use super::error::{ErrorKind, ErrorScope, GitLabError, Result, RetryTime, Sent};
use super::project_ref::ProjectRef;
use super::response::{ApiResponse, Paging};
use super::sanitize;
use super::token::TokenReader;
use super::token_error::TokenSource;
use crate::clients::failing_calls;
use crate::clients::http::{Http, HttpError, RESERVED, TlsError};
use crate::common::password::Password;
use cfn_custom_resource::{Attempt, retry};

/// One attempt. GitLab responds within seconds, or its own proxy times out after a minute.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// The pauses between attempts, in milliseconds.
const PAUSES: [u64; 3] = [500, 1000, 2000];

/// A longer `retry-after` is shortened to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The most bytes of a response. A page of a hundred mirrors has a third
/// of it. JSON values take up to 80 times the memory of their text: `{"a":0},` does, and the
/// function may have 128 MB.
pub const MAX_RESPONSE_BYTES: usize = 300_000;

/// The beginnings of the titles of Cloudflare's pages that check for a browser.
pub const CHALLENGES: [&str; 2] = ["<title>Just a moment", "<title>Checking your browser"];

/// The part of the API that a request is about, with its project.
/// GitLab's response does not show which right the request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area<'a> {
    /// Push mirrors, which need a Maintainer and the instance's permission.
    Mirrors(ProjectRef<'a>),
    /// A part of a report.
    Report(ProjectRef<'a>),
    /// Anything else of a project.
    Project(ProjectRef<'a>),
    /// The instance: no project explains why GitLab rejects the request.
    Instance,
}

impl<'a> Area<'a> {
    pub fn project(self) -> Option<ProjectRef<'a>> {
        match self {
            Area::Mirrors(project) | Area::Report(project) | Area::Project(project) => {
                Some(project)
            }
            Area::Instance => None,
        }
    }
}

/// One GitLab and the token for it.
#[derive(Debug)]
pub struct GitLab {
    /// The address, without a slash at the end.
    pub url: String,
    pub token: Mutex<Password>,
    pub http: Http,
    /// Where the token was read from: error messages name it.
    pub token_source: TokenSource,
    /// Reads the token again. `None` if Secrets Manager does not rotate it.
    pub rotated: Option<TokenReader>,
    /// The time in the latest response, by GitLab's clock.
    time: Mutex<Option<SystemTime>>,
}

/// One request. It has no `Debug`, because the body may hold a login.
#[derive(Clone)]
pub struct ApiRequest<'a> {
    pub method: &'static str,
    pub area: Area<'a>,
    /// The called endpoint. `None` if the table lacks it: then no response is a success.
    pub endpoint: Option<&'static Endpoint>,
    /// The path below `/api/v4`, with the query.
    pub path: String,
    pub body: Option<Value>,
    /// Whether the request may be sent twice.
    pub is_idempotent: bool,
    /// The password in the body, which is redacted from the response.
    pub secret: Option<&'a Password>,
}

impl<'a> ApiRequest<'a> {
    /// A request for `part` of the area's project, or of the API. A second POST would create a
    /// second object.
    pub fn new(method: &'static str, area: Area<'a>, part: &str) -> Self {
        let path = area.project();
        let path = path.map(|project| self::path(&project.address(), part));
        ApiRequest {
            method,
            area,
            endpoint: Endpoint::of(method, part),
            path: path.unwrap_or_else(|| part.to_owned()),
            body: None,
            is_idempotent: method != "POST",
            secret: None,
        }
    }
}

impl GitLab {
    /// A client of the GitLab at `url`, a usable address without a slash at the end.
    pub fn new(http: Http, url: String, token: Password, token_source: TokenSource) -> Self {
        GitLab {
            url,
            token: Mutex::new(token),
            http,
            token_source,
            rotated: None,
            time: Mutex::default(),
        }
    }

    pub fn token(&self) -> Password {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time by GitLab's clock, as the latest response shows it: a time in that response is
    /// compared with it, and not with the function's clock. `own` if GitLab shows no time.
    pub fn now(&self, own: SystemTime) -> SystemTime {
        let time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.unwrap_or(own)
    }

    /// Sends `request` and retries it where that is safe. A 429, a redirect and a status of 500 or
    /// more are errors, any other response is returned.
    pub async fn send(&self, request: &ApiRequest<'_>) -> Result<ApiResponse> {
        let path = request.path.split('?').next().unwrap_or_default();
        let call = format!("{} {path}", request.method);
        let attempt = async || {
            failing_calls::began(&call);
            let outcome = self.attempt(request).await;
            let may_retry = match &outcome {
                // GitLab did not process the request.
                Ok(response) if response.status == 429 || response.is_temporary() => true,
                Ok(response) => response.status >= 500 && request.is_idempotent,
                Err(HttpError::NoResponse) => request.is_idempotent,
                Err(error) => error.is_passing(),
            };
            match &outcome {
                Ok(response) if may_retry => {
                    failing_calls::failed("GitLab", &call, &format!("HTTP {}", response.status));
                }
                Err(error) => failing_calls::failed("GitLab", &call, &error.to_string()),
                Ok(_) => failing_calls::answered(&call),
            }
            if !may_retry {
                return Attempt::Final(outcome);
            }
            let retry_after = outcome.as_ref().ok().and_then(|it| it.retry_after);
            let least = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
            Attempt::MayPass(outcome, least)
        };
        let outcome = retry(PAUSES.map(Duration::from_millis), None, attempt).await;
        outcome.map_err(|error| self.transport_error(error, request))?.into_result()
    }

    async fn attempt(&self, request: &ApiRequest<'_>) -> Result<ApiResponse, HttpError> {
        let outgoing = self.outgoing(request).ok_or(HttpError::Unsendable)?;
        let response = self.http.send(outgoing, MAX_RESPONSE_BYTES);
        let response = tokio::time::timeout(ATTEMPT_TIMEOUT, response).await;
        let response = response.map_err(|_| HttpError::NoResponse)??;
        let date = response.headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(Ok(date)) = date.map(SystemTime::try_from) {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
        }
        Ok(self.read(&response, request))
    }

    fn outgoing(&self, request: &ApiRequest<'_>) -> Option<HttpRequest> {
        let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let mut outgoing = HttpRequest::new(SdkBody::from(body));
        outgoing.set_method(request.method).ok()?;
        let url = format!("{}/api/v4{}", self.url, request.path);
        outgoing.set_uri(url).ok()?;
        let headers = outgoing.headers_mut();
        headers.insert(
            "user-agent",
            concat!("cfn-gitops/", env!("CARGO_PKG_VERSION")),
        );
        headers.insert("accept", "application/json");
        // This header takes every kind of token, also a project's.
        // https://docs.gitlab.com/api/rest/authentication/
        let token = self.token().expose().to_owned();
        headers.try_insert("private-token", token).ok()?;
        if request.method != "GET" {
            // Even without a body: a GitLab in maintenance redirects other requests to its start
            // page (`lib/gitlab/middleware/read_only/controller.rb`), and a strict proxy rejects
            // them.
            headers.insert("content-type", "application/json");
            headers.insert("content-length", length.to_string());
        }
        Some(outgoing)
    }

    pub fn read(&self, response: &HttpResponse, request: &ApiRequest<'_>) -> ApiResponse {
        let header = |name: &str| {
            let value = response.headers().get(name).map(str::trim);
            value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)
        };
        let number = |name: &str| header(name).and_then(|number| number.parse().ok());
        let bytes = response.body().bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        let mut body = match text.trim() {
            "" => Some(Value::Null),
            text => serde_json::from_str(text).ok(),
        };
        if let Some(json) = &mut body {
            self.redact(json, request);
        }
        let is_page = text.trim_start().starts_with('<');
        // https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
        let is_challenge = header("cf-mitigated").is_some_and(|value| value == "challenge")
            || is_page && CHALLENGES.iter().any(|title| text.contains(title));
        let plain = Some(text.as_ref()).filter(|_| body.is_none() && !is_page);
        let plain = plain.map(|text| sanitize::shown(&self.without_secrets(text, request)));
        let location = header("location").map_or("an unnamed address".to_owned(), |to| {
            let to = self.without_secrets(&to, request);
            sanitize::shown(to.split(['?', '#']).next().unwrap_or_default())
        });
        ApiResponse {
            status: response.status().as_u16(),
            body,
            text: plain.unwrap_or_default(),
            paging: Paging {
                has_next: header("x-next-page").is_some()
                    || header("link").is_some_and(|link| link.contains("rel=\"next\""))
                    || number("x-page").is_some_and(|page| number("x-total-pages") > Some(page)),
                size: number("x-per-page"),
                total: number("x-total"),
            },
            is_challenge,
            moved_to: number_in(&location).filter(|_| number_in(&request.path).is_none()),
            redirects_to: location,
            retry_after: header("retry-after")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        }
    }

    /// Masks the token and the request's password in every string and every member's name.
    fn redact(&self, json: &mut Value, request: &ApiRequest<'_>) {
        match json {
            Value::String(text) => *text = self.without_secrets(text, request),
            Value::Array(list) => {
                for element in list {
                    self.redact(element, request);
                }
            }
            Value::Object(members) => {
                let redacted = mem::take(members).into_iter().map(|(name, mut member)| {
                    self.redact(&mut member, request);
                    (self.without_secrets(&name, request), member)
                });
                *members = redacted.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn without_secrets(&self, text: &str, request: &ApiRequest<'_>) -> String {
        let text = self.token().redact(text);
        match request.secret {
            Some(secret) => secret.redact(&text),
            None => text,
        }
    }

    fn transport_error(&self, error: HttpError, request: &ApiRequest<'_>) -> GitLabError {
        let retry = retry_time(error.is_passing());
        let (kind, sent, scope) = match error {
            HttpError::Unsendable => (ErrorKind::UnusableUrl, Sent::No, ErrorScope::Request),
            HttpError::NoConnection => (ErrorKind::Unreachable, Sent::No, ErrorScope::GitLab),
            HttpError::Proxy(error) => (ErrorKind::Proxy(error), Sent::No, ErrorScope::GitLab),
            HttpError::Tls(error) => {
                let error = match error {
                    TlsError::WrongName(names) => {
                        TlsError::WrongName(self.without_secrets(&names, request))
                    }
                    error => error,
                };
                (ErrorKind::Tls(error), Sent::No, ErrorScope::GitLab)
            }
            HttpError::TooLarge => (ErrorKind::TooLarge, Sent::Unknown, ErrorScope::Request),
            HttpError::NoResponse => (ErrorKind::NoResponse, Sent::Unknown, ErrorScope::Unclear),
        };
        GitLabError::new(kind, sent, retry, scope)
    }
}

pub fn retry_time(is_passing: bool) -> RetryTime {
    if is_passing {
        RetryTime::Later
    } else {
        RetryTime::Never
    }
}

/// The path of `part` of a project. The project is one segment: every `/` in it is escaped.
/// <https://docs.gitlab.com/api/rest/#namespaced-paths>
pub fn path(project: &str, part: &str) -> String {
    let project = query_value(project.trim_matches('/'));
    format!("/projects/{project}{part}")
}

/// The number of the project in a path of the API. `None` if the project has its own path there.
fn number_in(path: &str) -> Option<u64> {
    let (_, part) = path.split_once("/projects/")?;
    part.split(['/', '?']).next()?.parse().ok()
}

/// `value` as the value of a query parameter, or as a segment of a path.
pub fn query_value(value: &str) -> String {
    utf8_percent_encode(value, &RESERVED).to_string()
}
