//! One request to GitLab's API, as often as it takes, and what its answer means.

use std::fmt::Write;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use super::error::Kind;
use super::sanitize;
use crate::http::{Http, HttpError};
use crate::password::Password;

/// One attempt. GitLab answers within seconds, or its own front door gives up after a minute.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

const ATTEMPTS: u32 = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest that GitLab's wish for a pause is followed.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes: a hundred mirrors are a tenth of it.
pub(super) const LARGEST_ANSWER: usize = 1_000_000;

/// The most JSON values in an answer. A value takes far more memory than text: a million bytes of
/// `{"a":0},` would take 80 MB of the function's 128 MB.
pub(super) const MAX_VALUES: usize = 50_000;

/// A way to a GitLab: its API's address, the token, and what it is sent through.
#[derive(Debug)]
pub(super) struct ApiClient {
    pub api: String,
    pub token: Password,
    pub http: Http,
}

/// One request. It cannot be formatted: the body may hold a login.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub method: &'static str,
    /// From `/projects` on.
    pub path: String,
    pub body: Option<Value>,
    /// Whether doing it twice is as doing it once.
    pub is_repeatable: bool,
    /// What is in the body and must not be seen in the answer.
    pub secret: Option<&'a Password>,
}

impl Request<'_> {
    pub fn get(path: String) -> Self {
        Self::new("GET", path, None)
    }

    pub fn put(path: String, body: Value) -> Self {
        Self::new("PUT", path, Some(body))
    }

    pub fn new(method: &'static str, path: String, body: Option<Value>) -> Self {
        Request {
            method,
            path,
            body,
            is_repeatable: true,
            secret: None,
        }
    }
}

/// What GitLab answered, without secrets.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Body,
    /// The length of the body in bytes.
    pub length: usize,
    /// At least the number of JSON values in the body.
    pub values: usize,
    /// What the request held and no further answer may repeat.
    pub secret: Option<Password>,
    /// `x-next-page`.
    next_page: Option<String>,
    link: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Empty,
    Json(Value),
    /// A page for people, or the end of a JSON that was cut off.
    Other,
}

impl ApiClient {
    /// Sends `request`, again where that does no harm, and gets any answer but one that says that
    /// GitLab is busy or out of order.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, Kind> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(request).await;
            let may_repeat = match &outcome {
                // It was turned away at the door, or never came to it.
                Ok(answer) if answer.status == 429 => true,
                Err(HttpError::NoConnection) => true,
                Ok(answer) => answer.status >= 500 && request.is_repeatable,
                Err(HttpError::NoAnswer) => request.is_repeatable,
                Err(_) => false,
            };
            if !may_repeat || attempt == ATTEMPTS {
                return outcome
                    .map_err(|nothing| self.nothing(nothing, request))?
                    .in_order();
            }
            let wished = outcome.ok().and_then(|answer| answer.retry_after);
            // Those who were turned away together do not come back together.
            let jittered = pause.mul_f64(0.5 + fastrand::f64());
            tokio::time::sleep(wished.map_or(jittered, |wished| wished.min(LONGEST_PAUSE))).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Answer, HttpError> {
        let outgoing = self.outgoing(request).ok_or(HttpError::Unsendable)?;
        let answer = self.http.send(outgoing, LARGEST_ANSWER);
        let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, answer).await;
        let answer = self.read(&answer.map_err(|_| HttpError::NoAnswer)??, request);
        if answer.values > MAX_VALUES {
            return Err(HttpError::TooLarge);
        }
        Ok(answer)
    }

    fn outgoing(&self, request: &Request<'_>) -> Option<HttpRequest> {
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
        let url = format!("{}{}", self.api, request.path);
        outgoing.set_uri(url).ok()?;
        let headers = outgoing.headers_mut();
        headers.insert(
            "user-agent",
            concat!("cfn-gitops/", env!("CARGO_PKG_VERSION")),
        );
        headers.insert("accept", "application/json");
        // A token of any kind, say a project's, goes in this header.
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

    pub(super) fn read(&self, answer: &HttpResponse, request: &Request<'_>) -> Answer {
        let header = |name: &str| {
            let value = answer.headers().get(name).map(str::trim);
            value
                .filter(|value| !value.is_empty())
                .map(ToOwned::to_owned)
        };
        let bytes = answer.body().bytes().unwrap_or_default();
        let values = values_in(bytes);
        let body = String::from_utf8_lossy(bytes);
        // It is counted before it is decoded, and never decoded if it has too many values.
        let decoded = (values <= MAX_VALUES).then(|| serde_json::from_str(&body));
        let body = match decoded {
            Some(Ok(mut json)) => {
                self.redact(&mut json, request);
                Body::Json(json)
            }
            Some(Err(_)) if body.trim().is_empty() => Body::Empty,
            Some(Err(_)) | None => Body::Other,
        };
        Answer {
            status: answer.status().as_u16(),
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

    /// Takes the token and the request's password out of every text, here, where both are known.
    fn redact(&self, json: &mut Value, request: &Request<'_>) {
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

    fn without_secrets(&self, text: &str, request: &Request<'_>) -> String {
        let text = self.token.redact(text);
        match request.secret {
            Some(secret) => secret.redact(&text),
            None => text,
        }
    }

    fn nothing(&self, nothing: HttpError, request: &Request<'_>) -> Kind {
        match nothing {
            HttpError::Unsendable => Kind::UnusableUrl,
            HttpError::NoConnection => Kind::Unreachable,
            HttpError::NotVerified(why) => {
                Kind::NotVerified(sanitize::shown(&self.without_secrets(&why, request)))
            }
            HttpError::TooLarge => Kind::TooLarge,
            HttpError::NoAnswer => Kind::NoAnswer,
        }
    }
}

impl Answer {
    pub(super) fn in_order(self) -> Result<Answer, Kind> {
        match self.status {
            429 => Err(Kind::Throttled),
            500.. => Err(Kind::OutOfOrder {
                status: self.status,
                message: self.message(),
            }),
            300..400 => Err(Kind::Redirected {
                status: self.status,
                to: self.sent_on_to(),
            }),
            _ => Ok(self),
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What GitLab says, fit to be shown.
    pub fn message(&self) -> String {
        let message = match &self.body {
            Body::Json(body) => sanitize::shown(&sanitize::message(body)),
            Body::Empty | Body::Other => String::new(),
        };
        if !message.is_empty() {
            return message;
        }
        match self.body {
            Body::Other => "a page without a message".to_owned(),
            Body::Empty | Body::Json(_) => "no message".to_owned(),
        }
    }

    /// The member `error` of a refusal by GitLab's authentication (RFC 6750, section 3.1).
    pub fn error(&self) -> Option<&str> {
        match &self.body {
            Body::Json(body) => body["error"].as_str(),
            Body::Empty | Body::Other => None,
        }
    }

    /// The JSON of a success.
    pub fn json(self) -> Result<Value, Kind> {
        let status = self.status;
        match self.body {
            Body::Json(json) => Ok(json),
            Body::Empty => Err(Kind::Unreadable { status }),
            Body::Other => Err(Kind::NoApi { status }),
        }
    }

    /// The query of the list's next page, when there is one.
    ///
    /// The address in `link` is not used as a whole: the token goes to one address alone.
    /// Source: <https://docs.gitlab.com/api/rest/#pagination>.
    pub fn next(&self) -> Option<String> {
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

    fn sent_on_to(&self) -> String {
        let Some(to) = &self.location else {
            return "nowhere".to_owned();
        };
        sanitize::shown(to.split(['?', '#']).next().unwrap_or_default())
    }
}

/// At least the number of values in the JSON text `json`: each one but the first follows a `[`, a
/// `{` or a `,`. These also stand in strings, where they count as well.
fn values_in(json: &[u8]) -> usize {
    1 + json.iter().filter(|byte| b"[{,".contains(byte)).count()
}

/// The address of a part of a project. Its path is one segment: every `/` in it is escaped.
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
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
}

/// Whether a query can be sent as it is.
fn is_query(query: &str) -> bool {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%[]".contains(c);
    query.chars().all(is_usual)
}
