//! The private parsers, for the fuzz targets.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;

use super::client::{ApiClient, Request};
use super::{Mirror, Project};
use crate::http::Http;
use crate::password::Password;

pub use super::mirror::{spellings, with_login};
pub use super::sanitize::shown;
pub use super::token::{is_same, token_in};

pub struct ReadResponse {
    /// The query of the next page.
    pub next: Option<String>,
    pub message: String,
    /// Texts that an error or a log line may show.
    pub shown: Vec<String>,
    pub json: Option<Value>,
}

/// Reads a response to a request with this token, whose body contains `secret`.
pub fn read_response(
    response: &HttpResponse,
    api: &str,
    token: &str,
    secret: &Password,
    http: Http,
) -> ReadResponse {
    let client = ApiClient {
        api: api.to_owned(),
        token: Password::new(token),
        http,
    };
    let mut request = Request::get(path("platform/infra", "/remote_mirrors"));
    request.secret = Some(secret);
    let answer = client.read(response, &request);
    let mut shown = vec![format!("{:?}", answer.body)];
    if let Err(kind) = answer.clone().in_order() {
        shown.push(kind.to_string());
    }
    ReadResponse {
        next: answer.next(),
        message: answer.message(),
        shown,
        json: answer.json().ok(),
    }
}

pub fn path(project: &str, part: &str) -> String {
    super::client::path(project, part)
}

pub fn read_mirror(description: &Value) -> Option<Mirror> {
    Mirror::read(description)
}

pub fn read_project(description: &Value) -> Project {
    Project::read(description)
}

pub fn is_usable(url: &str) -> bool {
    super::is_usable(url)
}
