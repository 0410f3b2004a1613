//! The private parsers, for the fuzz targets.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;

use super::client;
use super::transport::{self, ApiClient, ApiRequest};
use super::{Mirror, ProjectDetails};
use crate::http::Http;
use crate::password::Password;

pub use super::mirror::{spellings, with_login};
pub use super::sanitize::shown;
pub use super::token::{is_same_url, token_in};

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
        base_url: api.to_owned(),
        token: Password::new(token),
        http,
    };
    let mut request = ApiRequest::get(path("platform/infra", "/remote_mirrors"));
    request.secret = Some(secret);
    let response = client.read(response, &request);
    let mut shown = vec![format!("{:?}", response.body)];
    if let Err(kind) = response.clone().into_result() {
        shown.push(kind.to_string());
    }
    ReadResponse {
        next: response.next_query(),
        message: response.message(),
        shown,
        json: response.into_json().ok(),
    }
}

pub fn path(project: &str, part: &str) -> String {
    transport::path(project, part)
}

pub fn read_mirror(description: &Value) -> Option<Mirror> {
    Mirror::parse(description)
}

pub fn read_project(description: &Value) -> ProjectDetails {
    ProjectDetails::parse(description)
}

pub fn is_usable(url: &str) -> bool {
    client::is_usable(url)
}
