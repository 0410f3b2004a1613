//! GitLab's API for one address and one token: requests and projects.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::error::{ErrorKind, GitLabError};
use super::sanitize;
use super::transport::{ApiRequest, ApiResponse, GitLab, path};
use crate::clients::http::is_https_or_loopback;

/// What GitLab shows of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // They are independent facts.
pub struct ProjectDetails {
    /// Its number. `None` if GitLab does not show it.
    pub id: Option<u64>,
    /// Its path, without characters that GitLab does not allow in it.
    pub path: String,
    /// Whether GitLab pulls it from elsewhere, and creates its tags.
    pub is_pull_mirror: bool,
    /// Whether CI jobs can push to it. They act as the users who started them.
    pub allows_pushes_of_jobs: bool,
    /// Whether it has releases, which CI jobs can create too.
    pub has_releases: bool,
    /// Whether its repository has no commit.
    pub is_empty: bool,
    /// Its default branch, or the one that the first push creates. `None` if the user may not read
    /// the code (`lib/api/entities/basic_project_details.rb`).
    pub default_branch: Option<String>,
    /// The access level of the token's user: 40 is a Maintainer. `None` if GitLab does not show it.
    pub access_level: Option<u64>,
    /// Whether anyone may see it.
    pub is_public: bool,
    /// Whether it has environments: CI/CD and environments are switched on
    /// (`app/policies/project_policy.rb`).
    pub has_environments: bool,
    /// The size of its Git LFS objects in bytes. 0 if LFS is off, or if GitLab does not show it.
    pub lfs_objects_size: u64,
}

impl GitLab {
    /// Looks up a project.
    pub async fn project(&self, project: &str) -> Result<ProjectDetails, GitLabError> {
        let doing = format!("looking up project {project} at {}", self.url);
        // https://docs.gitlab.com/api/projects/#retrieve-a-project: for a Reporter and above.
        let request = ApiRequest::get(path(project, "?statistics=true"));
        let described = self.json(project, &request, &doing).await?;
        Ok(ProjectDetails::parse(&described))
    }

    /// A response, also if GitLab rejected the request.
    pub(super) async fn send(
        &self,
        request: &ApiRequest<'_>,
        doing: &str,
    ) -> Result<ApiResponse, GitLabError> {
        let response = self.call(request).await;
        response.map_err(|kind| error(doing, kind))
    }

    /// A successful response.
    pub(super) async fn succeed(
        &self,
        project: &str,
        request: &ApiRequest<'_>,
        doing: &str,
    ) -> Result<ApiResponse, GitLabError> {
        let response = self.send(request, doing).await?;
        let response = self.check(project, response).await;
        response.map_err(|kind| error(doing, kind))
    }

    /// The body of a successful response.
    pub(super) async fn json(
        &self,
        project: &str,
        request: &ApiRequest<'_>,
        doing: &str,
    ) -> Result<Value, GitLabError> {
        let response = self.succeed(project, request, doing).await?;
        response.into_json().map_err(|kind| error(doing, kind))
    }
}

impl ProjectDetails {
    /// Parses GitLab's description. Missing members have a default.
    pub fn parse(described: &Value) -> Self {
        let level = |of: &str| described["permissions"][of]["access_level"].as_u64();
        let path = described["path_with_namespace"].as_str();
        ProjectDetails {
            id: described["id"].as_u64(),
            path: sanitize::only(path.unwrap_or_default(), "_.-/"),
            is_pull_mirror: described["mirror"] == true,
            // Since GitLab 17.2, for Maintainers.
            allows_pushes_of_jobs: !matches!(
                described["ci_push_repository_for_job_token_allowed"],
                Value::Null | Value::Bool(false)
            ),
            has_releases: described["releases_access_level"] != "disabled",
            is_empty: described["empty_repo"] == true,
            default_branch: described["default_branch"].as_str().map(ToOwned::to_owned),
            is_public: described["visibility"] == "public",
            has_environments: described["builds_access_level"] != "disabled"
                && described["environments_access_level"] != "disabled",
            access_level: level("project_access").max(level("group_access")),
            lfs_objects_size: described["statistics"]["lfs_objects_size"]
                .as_u64()
                .filter(|_| described["lfs_enabled"] != false)
                .unwrap_or_default(),
        }
    }
}

pub(super) fn error(doing: &str, kind: ErrorKind) -> GitLabError {
    GitLabError {
        doing: sanitize::shown(doing),
        kind,
    }
}

/// The error of a successful response of another form.
pub(super) fn unexpected(doing: &str) -> GitLabError {
    error(doing, ErrorKind::UnexpectedResponse { status: 200 })
}

/// Whether the token may be sent to `url`, and the paths of the API can be appended to it.
pub fn is_usable(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return false;
    };
    let has_login = !parsed.username().is_empty() || parsed.password().is_some();
    let is_bare = parsed.query().is_none() && parsed.fragment().is_none();
    is_https_or_loopback(url) && !has_login && is_bare && !url.contains(char::is_whitespace)
}

/// Parses GitLab's time, which has milliseconds and the instance's time zone.
pub fn parse_time(text: &str) -> Option<SystemTime> {
    let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
    SystemTime::try_from(time).ok()
}
