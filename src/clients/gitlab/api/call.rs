//! One call of GitLab's API: its request, and the text with which its errors begin.
//!
//! ```text
//! let purpose = format!("listing the environments of project {project}");
//! let call = self.get(Area::Project(project), "/environments", &purpose);
//! let found = call.query("name", name).list(Reading::ALL, typed::<GitLabEnvironment>).await?;
//! ```

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Result;
use super::members::typed;
use super::response::ApiResponse;
use super::transport::{ApiRequest, Area, GitLab, query_value};
use crate::common::password::Password;

/// It has no `Debug`, because the body may hold a login.
#[derive(Clone)]
pub struct Call<'a> {
    gitlab: &'a GitLab,
    request: ApiRequest<'a>,
    /// The purpose, and the address of GitLab.
    pub doing: String,
}

impl GitLab {
    /// A GET of `part` of the area's project. Its errors begin with `purpose`: a gerund, the thing
    /// and its project.
    pub fn get<'a>(&'a self, area: Area<'a>, part: &str, purpose: &str) -> Call<'a> {
        self.call("GET", area, part, purpose)
    }

    /// The same with another method.
    pub fn call<'a>(
        &'a self,
        method: &'static str,
        area: Area<'a>,
        part: &str,
        purpose: &str,
    ) -> Call<'a> {
        Call {
            gitlab: self,
            request: ApiRequest::new(method, area, part),
            doing: format!("{purpose} at {}", self.url),
        }
    }
}

impl<'a> Call<'a> {
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let path = &mut self.request.path;
        // Every other `?` of the path is escaped.
        path.push(if path.contains('?') { '&' } else { '?' });
        *path += &(query_value(name) + "=" + &query_value(value));
        self
    }

    pub fn body(mut self, body: Value) -> Self {
        self.request.body = Some(body);
        self
    }

    /// The password in the body.
    pub fn secret(mut self, secret: &'a Password) -> Self {
        self.request.secret = Some(secret);
        self
    }

    /// A POST that may be sent twice.
    pub fn idempotent(mut self) -> Self {
        self.request.is_idempotent = true;
        self
    }

    /// The body of a successful response.
    pub async fn send<T: DeserializeOwned>(&self) -> Result<T> {
        self.decode(&self.success().await?, typed)
    }

    pub async fn success(&self) -> Result<ApiResponse> {
        self.check(self.response().await?).await
    }

    /// The body of a successful response. `None` if GitLab rejected the request with one of these
    /// `messages`. A proxy proves nothing.
    pub async fn find<T: DeserializeOwned>(&self, messages: &[&str]) -> Result<Option<T>> {
        let is_missing = |response: &ApiResponse| {
            let message = response.member("message").unwrap_or_default();
            let is_known = messages.iter().any(|known| message.starts_with(known));
            is_known && matches!(response.status, 400 | 404)
        };
        let found = self.unless(is_missing).await?;
        found.map(|found| self.decode(&found, typed)).transpose()
    }

    /// A successful response. `None` if GitLab responded that the thing `is_missing`.
    pub async fn unless(
        &self,
        is_missing: impl Fn(&ApiResponse) -> bool,
    ) -> Result<Option<ApiResponse>> {
        let response = self.response().await?;
        if is_missing(&response) {
            return Ok(None);
        }
        self.check(response).await.map(Some)
    }

    /// A response, even if GitLab rejected the request. After a 401, a request is
    /// sent once more if the secret of its token has another one.
    async fn response(&self) -> Result<ApiResponse> {
        let used = self.gitlab.token();
        let mut response = self.gitlab.send(&self.request).await;
        let is_rejected = matches!(&response, Ok(response) if response.status == 401);
        if is_rejected && Box::pin(self.gitlab.renew_token(&used)).await.is_some() {
            response = Box::pin(self.gitlab.send(&self.request)).await;
        }
        response.map_err(|error| error.of(&self.doing))
    }

    async fn check(&self, response: ApiResponse) -> Result<ApiResponse> {
        let checked = self.gitlab.check(&self.request, response).await;
        checked.map_err(|error| error.of(&self.doing))
    }

    pub fn decode<T>(
        &self,
        response: &ApiResponse,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let decoded = response.decode(parse);
        decoded.map_err(|error| error.of(&self.doing))
    }
}
