//! GitLab's API for one address and one token: requests, lists and projects.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::error::{ErrorKind, GitLabError};
use super::sanitize;
use super::transport::{ApiRequest, ApiResponse, GitLab, MAX_RESPONSE_BYTES, path};
use crate::clients::http::is_https_or_loopback;

/// The most pages of a list.
pub(super) const MAX_PAGES: usize = 50;

/// The most elements of a page. It is also the number that is requested.
/// <https://docs.gitlab.com/api/rest/#offset-based-pagination>
pub(super) const MAX_PAGE_ELEMENTS: usize = 100;

/// The sizes of the pages of a searched list, the largest first. Each is a multiple of the next one.
const SEARCHED_PAGE_SIZES: [usize; 3] = [20, 4, 1];

/// The most elements that are searched: GitLab's own limit of comments in one place.
/// <https://docs.gitlab.com/administration/instance_limits/#number-of-comments-per-issue-merge-request-or-commit>
const MAX_SEARCHED_ELEMENTS: usize = 5_000;

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

    /// All pages of a list. Together they have the limits of one response, because all of them are
    /// kept in memory.
    pub(super) async fn list(
        &self,
        project: &str,
        of: &str,
        doing: &str,
    ) -> Result<Vec<Value>, GitLabError> {
        let mut list = vec![];
        let mut length = 0;
        let mut query = format!("per_page={MAX_PAGE_ELEMENTS}");
        for _ in 0..MAX_PAGES {
            let request = ApiRequest::get(path(project, &format!("{of}?{query}")));
            let response = self.succeed(project, &request, doing).await?;
            let (status, next) = (response.status, response.next_page.clone());
            length += response.length;
            match response.into_json().map_err(|kind| error(doing, kind))? {
                Value::Array(page)
                    if length <= MAX_RESPONSE_BYTES && page.len() <= MAX_PAGE_ELEMENTS =>
                {
                    list.extend(page);
                }
                Value::Array(_) => return Err(error(doing, ErrorKind::TooLarge)),
                _ => return Err(error(doing, ErrorKind::UnexpectedResponse { status })),
            }
            match next {
                Some(page) => query = format!("per_page={MAX_PAGE_ELEMENTS}&page={page}"),
                None => return Ok(list),
            }
        }
        Err(error(doing, ErrorKind::TooLarge))
    }

    /// What `parse` returns of the elements of a list, which has at most as many elements as `size` says: those
    /// of a page, and the pages. `None` if it has more. An element that cannot be parsed is an error.
    pub(super) async fn pages<T>(
        &self,
        project: &str,
        of: &str,
        doing: &str,
        size: (usize, usize),
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, GitLabError> {
        let mut elements = vec![];
        let separator = if of.contains('?') { '&' } else { '?' };
        // Without the header, which a proxy may remove, only a page that is not full is the last one.
        for number in 1..=size.1 + 1 {
            let of = format!("{of}{separator}per_page={}&page={number}", size.0);
            let request = ApiRequest::get(path(project, &of));
            let response = self.succeed(project, &request, doing).await?;
            let (status, next) = (response.status, response.next_page.clone());
            let page = response.into_json().map_err(|kind| error(doing, kind))?;
            let parsed = page.as_array().filter(|page| page.len() <= size.0);
            let parsed =
                parsed.and_then(|page| page.iter().map(&parse).collect::<Option<Vec<T>>>());
            let unexpected = ErrorKind::UnexpectedResponse { status };
            let parsed = parsed.ok_or_else(|| error(doing, unexpected))?;
            let is_full = parsed.len() == size.0;
            elements.extend(parsed);
            if next.is_none() && !is_full {
                let has_all = elements.len() <= size.0 * size.1;
                return Ok(has_all.then_some(elements));
            }
        }
        Ok(None)
    }

    /// What `keep` returns of a list to which anyone can add long elements, such as comments. Only that
    /// stays in memory, so the limits of a response apply to each page alone. A page that is too
    /// large is read in smaller ones, and one element that is too large is skipped. Otherwise a comment
    /// of 300 KB, of which GitLab accepts three times as much, would hide all others.
    pub(super) async fn search<T>(
        &self,
        project: &str,
        of: &str,
        doing: &str,
        keep: impl Fn(&Value) -> Vec<T>,
    ) -> Result<Vec<T>, GitLabError> {
        let mut kept = vec![];
        let (mut position, mut level) = (0, 0);
        let separator = if of.contains('?') { '&' } else { '?' };
        while position < MAX_SEARCHED_ELEMENTS {
            let size = SEARCHED_PAGE_SIZES[level];
            let number = position / size + 1;
            let of = format!("{of}{separator}per_page={size}&page={number}");
            let request = ApiRequest::get(path(project, &of));
            match self.succeed(project, &request, doing).await {
                Ok(response) => {
                    let (status, next) = (response.status, response.next_page.clone());
                    let page = response.into_json().map_err(|kind| error(doing, kind))?;
                    let page = page.as_array().filter(|page| page.len() <= size);
                    let unexpected = ErrorKind::UnexpectedResponse { status };
                    let page = page.ok_or_else(|| error(doing, unexpected))?;
                    kept.extend(page.iter().flat_map(&keep));
                    if next.is_none() {
                        break;
                    }
                }
                Err(error) if error.kind != ErrorKind::TooLarge => return Err(error),
                Err(_) if level + 1 < SEARCHED_PAGE_SIZES.len() => {
                    level += 1;
                    continue;
                }
                Err(_) => tracing::warn!(doing, "an element of the list is too large: skipped"),
            }
            position += size;
            while level > 0 && position.is_multiple_of(SEARCHED_PAGE_SIZES[level - 1]) {
                level -= 1;
            }
        }
        Ok(kept)
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
