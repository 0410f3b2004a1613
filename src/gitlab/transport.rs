//! Sends requests to GitLab's API, retries them, and reads the responses without secrets.

use std::fmt::Write;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use super::error::ErrorKind;
use super::sanitize;
use crate::http::{Http, HttpError};
use crate::password::Password;

/// One attempt. GitLab responds within seconds, or its own proxy times out after a minute.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

const MAX_ATTEMPTS: u32 = 4;

const INITIAL_BACKOFF: Duration = Duration::from_millis(500);

/// A longer `retry-after` is shortened to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The largest response, in bytes. A list of a hundred mirrors has a tenth of it.
pub(super) const MAX_RESPONSE_BYTES: usize = 1_000_000;

/// The most JSON values in a response. A value takes far more memory than text: a million bytes of
/// `{"a":0},` would take 80 MB of the function's 128 MB.
pub(super) const MAX_VALUES: usize = 50_000;

/// Sends requests to one GitLab, with its token.
#[derive(Debug)]
pub(super) struct ApiClient {
    /// The address of the API, to `/api/v4`.
    pub base_url: String,
    pub token: Password,
    pub http: Http,
}

/// One request. It has no `Debug`, because the body may hold a login.
#[derive(Clone)]
pub(super) struct ApiRequest<'a> {
    pub method: &'static str,
    /// The path below `/api/v4`, with the query.
    pub path: String,
    pub body: Option<Value>,
    /// Whether the request may be sent twice.
    pub is_idempotent: bool,
    /// The password in the body, which is redacted from the response.
    pub secret: Option<&'a Password>,
}

impl ApiRequest<'_> {
    pub fn get(path: String) -> Self {
        Self::new("GET", path, None)
    }

    pub fn put(path: String, body: Value) -> Self {
        Self::new("PUT", path, Some(body))
    }

    pub fn new(method: &'static str, path: String, body: Option<Value>) -> Self {
        ApiRequest {
            method,
            path,
            body,
            is_idempotent: true,
            secret: None,
        }
    }
}

/// A response, without secrets.
#[derive(Clone, Debug)]
pub(super) struct ApiResponse {
    pub status: u16,
    pub body: ResponseBody,
    /// The length of the body in bytes.
    pub length: usize,
    /// At least the number of JSON values in the body.
    pub values: usize,
    /// The request's password, which is redacted from the responses of further requests.
    pub secret: Option<Password>,
    /// `x-next-page`.
    next_page: Option<String>,
    link: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
}

/// The body of a response.
#[derive(Clone, Debug)]
pub(super) enum ResponseBody {
    Empty,
    Json(Value),
    /// An HTML page, or incomplete JSON.
    Other,
}

impl ApiClient {
    /// Sends `request` and retries it where that is safe. A 429, a redirect and a status of 500 or
    /// more are errors, any other response is returned.
    pub async fn send(&self, request: &ApiRequest<'_>) -> Result<ApiResponse, ErrorKind> {
        let mut backoff = INITIAL_BACKOFF;
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(request).await;
            let may_retry = match &outcome {
                // GitLab did not process the request.
                Ok(response) if response.status == 429 => true,
                Err(HttpError::NoConnection) => true,
                Ok(response) => response.status >= 500 && request.is_idempotent,
                Err(HttpError::NoResponse) => request.is_idempotent,
                Err(_) => false,
            };
            if !may_retry || attempt == MAX_ATTEMPTS {
                return outcome
                    .map_err(|error| self.transport_error(error, request))?
                    .into_result();
            }
            let retry_after = outcome.ok().and_then(|response| response.retry_after);
            // Without jitter, requests that were throttled together would come back together.
            let jittered = backoff.mul_f64(0.5 + fastrand::f64());
            let pause = retry_after.map_or(jittered, |pause| pause.min(MAX_RETRY_AFTER));
            tokio::time::sleep(pause).await;
            backoff *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &ApiRequest<'_>) -> Result<ApiResponse, HttpError> {
        let outgoing = self.outgoing(request).ok_or(HttpError::Unsendable)?;
        let response = self.http.send(outgoing, MAX_RESPONSE_BYTES);
        let response = tokio::time::timeout(ATTEMPT_TIMEOUT, response).await;
        let response = self.read(&response.map_err(|_| HttpError::NoResponse)??, request);
        if response.values > MAX_VALUES {
            return Err(HttpError::TooLarge);
        }
        Ok(response)
    }

    fn outgoing(&self, request: &ApiRequest<'_>) -> Option<HttpRequest> {
        let (body, length) = match &request.body {
            Some(body) => {
                let body = body.to_string();
                let length = body.len();
                (SdkBody::from(body), length)
            }
            None => (SdkBody::empty(), 0),
        };
        let mut outgoing = HttpRequest::new(body);
        outgoing.set_method(request.method).ok()?;
        let url = format!("{}{}", self.base_url, request.path);
        outgoing.set_uri(url).ok()?;
        let headers = outgoing.headers_mut();
        headers.insert(
            "user-agent",
            concat!("cfn-gitops/", env!("CARGO_PKG_VERSION")),
        );
        headers.insert("accept", "application/json");
        // This header takes every kind of token, also a project's.
        // https://docs.gitlab.com/api/rest/authentication/
        let token = self.token.expose().to_owned();
        headers.try_insert("private-token", token).ok()?;
        if request.body.is_some() {
            headers.insert("content-type", "application/json");
        }
        if request.method != "GET" {
            headers.insert("content-length", length.to_string());
        }
        Some(outgoing)
    }

    pub(super) fn read(&self, response: &HttpResponse, request: &ApiRequest<'_>) -> ApiResponse {
        let header = |name: &str| {
            let value = response.headers().get(name).map(str::trim);
            value
                .filter(|value| !value.is_empty())
                .map(ToOwned::to_owned)
        };
        let bytes = response.body().bytes().unwrap_or_default();
        let values = values_in(bytes);
        let body = String::from_utf8_lossy(bytes);
        // The values are counted first: a body with too many of them is not decoded.
        let decoded = (values <= MAX_VALUES).then(|| serde_json::from_str(&body));
        let body = match decoded {
            Some(Ok(mut json)) => {
                self.redact(&mut json, request);
                ResponseBody::Json(json)
            }
            Some(Err(_)) if body.trim().is_empty() => ResponseBody::Empty,
            Some(Err(_)) | None => ResponseBody::Other,
        };
        ApiResponse {
            status: response.status().as_u16(),
            body,
            length: bytes.len(),
            values,
            secret: request.secret.cloned(),
            next_page: header("x-next-page"),
            link: header("link"),
            location: header("location").map(|to| self.without_secrets(&to, request)),
            retry_after: header("retry-after")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        }
    }

    /// Masks the token and the request's password in every string.
    fn redact(&self, json: &mut Value, request: &ApiRequest<'_>) {
        match json {
            Value::String(text) => *text = self.without_secrets(text, request),
            Value::Array(list) => {
                for element in list {
                    self.redact(element, request);
                }
            }
            Value::Object(members) => {
                for member in members.values_mut() {
                    self.redact(member, request);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn without_secrets(&self, text: &str, request: &ApiRequest<'_>) -> String {
        let text = self.token.redact(text);
        match request.secret {
            Some(secret) => secret.redact(&text),
            None => text,
        }
    }

    fn transport_error(&self, error: HttpError, request: &ApiRequest<'_>) -> ErrorKind {
        match error {
            HttpError::Unsendable => ErrorKind::UnusableUrl,
            HttpError::NoConnection => ErrorKind::Unreachable,
            HttpError::UntrustedCertificate(why) => ErrorKind::UntrustedCertificate(
                sanitize::shown(&self.without_secrets(&why, request)),
            ),
            HttpError::TooLarge => ErrorKind::TooLarge,
            HttpError::NoResponse => ErrorKind::NoResponse,
        }
    }
}

impl ApiResponse {
    /// The response, unless its status says that GitLab did not process the request.
    pub(super) fn into_result(self) -> Result<ApiResponse, ErrorKind> {
        match self.status {
            429 => Err(ErrorKind::Throttled),
            500.. => Err(ErrorKind::ServerError {
                status: self.status,
                message: self.message(),
            }),
            300..400 => Err(ErrorKind::Redirected {
                status: self.status,
                to: self.redirect_target(),
            }),
            _ => Ok(self),
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// GitLab's message, sanitized.
    pub fn message(&self) -> String {
        let message = match &self.body {
            ResponseBody::Json(body) => sanitize::shown(&sanitize::message(body)),
            ResponseBody::Empty | ResponseBody::Other => String::new(),
        };
        if !message.is_empty() {
            return message;
        }
        match self.body {
            ResponseBody::Other => "a page without a message".to_owned(),
            ResponseBody::Empty | ResponseBody::Json(_) => "no message".to_owned(),
        }
    }

    /// The member `error` of a response of GitLab's authentication (RFC 6750, section 3.1).
    pub fn error(&self) -> Option<&str> {
        match &self.body {
            ResponseBody::Json(body) => body["error"].as_str(),
            ResponseBody::Empty | ResponseBody::Other => None,
        }
    }

    /// The body as JSON.
    pub fn into_json(self) -> Result<Value, ErrorKind> {
        let status = self.status;
        match self.body {
            ResponseBody::Json(json) => Ok(json),
            ResponseBody::Empty => Err(ErrorKind::UnexpectedResponse { status }),
            ResponseBody::Other => Err(ErrorKind::NotGitLab { status }),
        }
    }

    /// The query of the list's next page. `None` if this is the last page.
    ///
    /// Of the address in `link` only the query is used: the token is sent to one host only.
    /// Source: <https://docs.gitlab.com/api/rest/#pagination>.
    pub fn next_query(&self) -> Option<String> {
        if let Some(page) = &self.next_page {
            let is_number = page.chars().all(|c| c.is_ascii_digit());
            return is_number.then(|| format!("per_page=100&page={page}"));
        }
        let links = self.link.as_deref()?.split(',');
        let mut next = links.filter_map(|link| {
            let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_next = parameters.replace(' ', "").contains("rel=\"next\"");
            let (_, query) = address.split_once('?')?;
            (is_next && is_query(query)).then(|| query.to_owned())
        });
        next.next()
    }

    /// The redirect's address without its query, sanitized.
    fn redirect_target(&self) -> String {
        let Some(to) = &self.location else {
            return "an unnamed address".to_owned();
        };
        sanitize::shown(to.split(['?', '#']).next().unwrap_or_default())
    }
}

/// At least the number of values in the JSON text `json`: each one but the first follows a `[`, a
/// `{` or a `,`. These also stand in strings, where they count as well.
fn values_in(json: &[u8]) -> usize {
    1 + json.iter().filter(|byte| b"[{,".contains(byte)).count()
}

/// The path of `part` of a project. The project is one segment: every `/` in it is escaped.
/// <https://docs.gitlab.com/api/rest/#namespaced-paths>
pub(super) fn path(project: &str, part: &str) -> String {
    let mut path = "/projects/".to_owned();
    escape(project.trim_matches('/'), &mut path);
    path + part
}

/// `value` as the value of a query parameter.
pub(super) fn query_value(value: &str) -> String {
    let mut escaped = String::new();
    escape(value, &mut escaped);
    escaped
}

fn escape(text: &str, escaped: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
}

/// Whether a query has only characters that need no escape.
fn is_query(query: &str) -> bool {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%[]".contains(c);
    query.chars().all(is_usual)
}
