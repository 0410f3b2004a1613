//! The private parsers, for the fuzz targets.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;

use super::api::token_error::TokenSource;
use super::api::transport::{ApiRequest, Area, GitLab};
use crate::clients::http::Http;
use crate::common::password::Password;

pub use super::api::sanitize::shown;
pub use super::api::token::{is_same_url, is_usable, token_in};
pub use super::api::transport::path;
pub use super::mirrors::mirror::Mirror;
pub use super::mirrors::mirror_address::{spellings, with_login};
pub use super::project::details::ProjectDetails;

pub struct ReadResponse {
    pub message: String,
    /// Texts that an error or a log line may show.
    pub shown: Vec<String>,
    pub json: Option<Value>,
}

/// Reads a response to a request with this token, whose body contains `secret`.
pub fn read_response(
    response: &HttpResponse,
    url: &str,
    token: &str,
    secret: &Password,
    http: Http,
) -> ReadResponse {
    let source = TokenSource {
        secret_id: "gitlab/infra".to_owned(),
        secret_key: "token".to_owned(),
    };
    let client = GitLab::new(http, url.to_owned(), Password::new(token), source);
    let mut request = ApiRequest::new(
        "GET",
        Area::Mirrors("platform/infra".into()),
        "/remote_mirrors",
    );
    request.secret = Some(secret);
    let response = client.read(response, &request);
    let mut shown = vec![format!("{:?}", response.body)];
    if let Err(error) = response.clone().into_result() {
        shown.push(error.reason().to_string());
    }
    ReadResponse {
        message: response.message(),
        shown,
        json: response.decode(|json| Some(json.clone())).ok(),
    }
}
