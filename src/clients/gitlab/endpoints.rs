//! The endpoints of GitLab's API that are called: how each one responds to a success, and the parts
//! of a project that close it.
//!
//! A proxy, a login page and a gateway respond with a status, too. So a request counts as executed
//! only if the response has the status and the body of its endpoint.
//!
//! Source: `lib/api/*.rb` of GitLab, which sends 201 after a POST unless the endpoint sets another
//! status, 204 without a body after a DELETE (`destroy_conditionally!` in `lib/api/helpers.rb`), and
//! 200 otherwise.

use std::fmt;

use serde_json::Value;

use super::error::{REPORTER, Rejection};
use super::response::ApiResponse;

/// A part of a project that its settings can switch off, or restrict to members
/// (`app/models/project_feature.rb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Repository,
    MergeRequests,
    CiCd,
    Environments,
    Releases,
}

/// Who may use a part of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Those who may see the project, or GitLab does not show it: older versions lack some parts.
    Open,
    /// The members of the project (`private`).
    Members,
    /// No one (`disabled`).
    Off,
}

impl Part {
    /// The member of a project that shows who may use the part
    /// (<https://docs.gitlab.com/api/projects/#project-feature-visibility-level>).
    const fn member(self) -> &'static str {
        match self {
            Part::Repository => "repository_access_level",
            Part::MergeRequests => "merge_requests_access_level",
            Part::CiCd => "builds_access_level",
            Part::Environments => "environments_access_level",
            Part::Releases => "releases_access_level",
        }
    }

    fn access(self, project: &Value) -> Access {
        match project[self.member()].as_str() {
            Some("disabled") => Access::Off,
            Some("private") => Access::Members,
            _ => Access::Open,
        }
    }

    /// Whether the `project`, as GitLab describes it, has the part.
    pub fn is_on(self, project: &Value) -> bool {
        self.access(project) != Access::Off
    }
}

/// The subject of a sentence, and its verb.
impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Part::Repository => "The repository is",
            Part::MergeRequests => "Merge requests are",
            Part::CiCd => "CI/CD is",
            Part::Environments => "Environments are",
            Part::Releases => "Releases are",
        })
    }
}

/// An endpoint of GitLab's API.
#[derive(Debug)]
pub(super) struct Endpoint {
    method: &'static str,
    /// The path below the project, or below `/api/v4` if it has none. A segment with `:` is any.
    path: &'static str,
    /// The status of a success. With 204 there is no body, otherwise there is JSON.
    status: u16,
    /// The parts that close it if they are switched off, or restricted to members.
    closed_by: &'static [Part],
    /// The part that closes it only if it is restricted to members.
    restricted_by: Option<Part>,
}

const NONE: &[Part] = &[];
const CODE: &[Part] = &[Part::Repository];
const REQUESTS: &[Part] = &[Part::Repository, Part::MergeRequests];
const DEPLOYMENTS: &[Part] = &[Part::Repository, Part::CiCd, Part::Environments];

const fn endpoint(
    method: &'static str,
    path: &'static str,
    status: u16,
    closed_by: &'static [Part],
) -> Endpoint {
    Endpoint {
        method,
        path,
        status,
        closed_by,
        restricted_by: None,
    }
}

/// `(builds_disabled & ~internal_builds_disabled)` in `app/policies/project_policy.rb`: without
/// CI/CD, a project shows the statuses of external systems.
const fn status_endpoint(method: &'static str, path: &'static str, status: u16) -> Endpoint {
    Endpoint {
        restricted_by: Some(Part::CiCd),
        ..endpoint(method, path, status, CODE)
    }
}

/// The parts are those of GitLab's `app/policies/project_policy.rb`: the rules `…_disabled`, and the
/// abilities that the endpoints check.
#[rustfmt::skip]
pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET", "/metadata", 200, NONE),
    endpoint("GET", "/personal_access_tokens/self", 200, NONE),
    endpoint("GET", "/users/:id", 200, NONE),
    endpoint("GET", "", 200, NONE),
    endpoint("GET", "/members/all/:id", 200, NONE),
    endpoint("GET", "/events", 200, NONE),
    endpoint("GET", "/deploy_keys", 200, NONE),
    endpoint("GET", "/remote_mirrors", 200, NONE),
    endpoint("POST", "/remote_mirrors", 201, NONE),
    endpoint("GET", "/remote_mirrors/:id", 200, NONE),
    endpoint("PUT", "/remote_mirrors/:id", 200, NONE),
    endpoint("DELETE", "/remote_mirrors/:id", 204, NONE),
    endpoint("POST", "/remote_mirrors/:id/sync", 204, NONE),
    endpoint("GET", "/protected_branches", 200, CODE),
    endpoint("GET", "/protected_tags", 200, CODE),
    endpoint("GET", "/repository/branches", 200, CODE),
    endpoint("GET", "/repository/branches/:name", 200, CODE),
    endpoint("GET", "/repository/tags/:name", 200, CODE),
    endpoint("GET", "/repository/commits", 200, CODE),
    endpoint("GET", "/repository/merge_base", 200, CODE),
    endpoint("GET", "/releases/:tag", 200, &[Part::Releases]),
    status_endpoint("GET", "/repository/commits/:sha/statuses", 200),
    status_endpoint("POST", "/statuses/:sha", 201),
    endpoint("GET", "/deployments", 200, DEPLOYMENTS),
    endpoint("POST", "/deployments", 201, DEPLOYMENTS),
    endpoint("GET", "/environments", 200, DEPLOYMENTS),
    endpoint("PUT", "/environments/:id", 200, DEPLOYMENTS),
    endpoint("GET", "/repository/commits/:sha/discussions", 200, CODE),
    endpoint("POST", "/repository/commits/:sha/discussions", 201, CODE),
    endpoint("PUT", "/repository/commits/:sha/discussions/:id/notes/:note", 200, CODE),
    endpoint("DELETE", "/repository/commits/:sha/discussions/:id/notes/:note", 204, CODE),
    endpoint("GET", "/repository/commits/:sha/merge_requests", 200, REQUESTS),
    endpoint("GET", "/merge_requests/:iid", 200, REQUESTS),
    endpoint("GET", "/merge_requests/:iid/notes", 200, REQUESTS),
    endpoint("POST", "/merge_requests/:iid/notes", 201, REQUESTS),
    endpoint("PUT", "/merge_requests/:iid/notes/:note", 200, REQUESTS),
    endpoint("DELETE", "/merge_requests/:iid/notes/:note", 204, REQUESTS),
];

impl Endpoint {
    /// The endpoint of this method and path. `None` if the table lacks it.
    pub fn of(method: &str, path: &str) -> Option<&'static Endpoint> {
        let is_it = |one: &&Endpoint| {
            let (mut known, mut given) = (one.path.split('/'), path.split('/'));
            let is_same = |(known, given): (&str, &str)| known.starts_with(':') || known == given;
            one.method == method
                && known.clone().count() == given.clone().count()
                && known.by_ref().zip(given.by_ref()).all(is_same)
        };
        ENDPOINTS.iter().find(is_it)
    }

    /// Whether the response is that of a success.
    pub fn is_done(&self, response: &ApiResponse) -> bool {
        let has_no_body = response.body == Some(Value::Null);
        let has_json = !has_no_body && response.body.is_some();
        let is_sound = if self.status == 204 {
            has_no_body
        } else {
            has_json
        };
        response.status == self.status && is_sound
    }

    fn switched_off(&self, project: &Value) -> Option<Part> {
        let mut parts = self.closed_by.iter().copied();
        parts.find(|part| !part.is_on(project))
    }

    /// Whether a part of the `project` that it needs is switched off.
    pub fn is_off(&self, project: &Value) -> bool {
        self.switched_off(project).is_some()
    }

    /// The part of the `project`, as GitLab describes it, that closes the endpoint to a user with
    /// this access `level`. `None` if none does.
    pub fn closed(&self, project: &Value, level: Option<u64>) -> Option<Rejection> {
        if let Some(part) = self.switched_off(project) {
            return Some(Rejection::SwitchedOff(part));
        }
        // `PRIVATE_FEATURES_MIN_ACCESS_LEVEL` in `app/models/project_feature.rb` requires a Reporter
        // for some parts, who is the least that reports and approvals need.
        let is_restricted = |part: &Part| part.access(project) == Access::Members;
        let part = self.closed_by.iter().copied().find(is_restricted);
        let part = part.or(self.restricted_by.filter(is_restricted));
        let is_member = level.is_some_and(|level| level >= REPORTER);
        part.filter(|_| !is_member).map(Rejection::MembersOnly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/how-to/connect-gitlab.md");

    /// The table of the page: each part, and the endpoints that it closes.
    fn table() -> String {
        let mut table =
            "| *Settings → General* | Member | Closes, if it is switched off |\n|---|---|---|\n"
                .to_owned();
        let parts = [
            (Part::Repository, "Repository"),
            (Part::MergeRequests, "Merge requests"),
            (Part::CiCd, "CI/CD"),
            (Part::Environments, "Environments"),
            (Part::Releases, "Releases"),
        ];
        for (part, name) in parts {
            let closed = ENDPOINTS.iter().filter(|one| one.closed_by.contains(&part));
            let mut paths: Vec<String> = closed.map(|one| format!("`{}`", one.path)).collect();
            paths.sort();
            paths.dedup();
            let restricted = ENDPOINTS
                .iter()
                .filter(|one| one.restricted_by == Some(part));
            let mut restricted: Vec<String> =
                restricted.map(|one| format!("`{}`", one.path)).collect();
            restricted.sort();
            let mut closes = paths.join(", ");
            if !restricted.is_empty() {
                closes += &format!(
                    "; if it is restricted to members, also {}",
                    restricted.join(", ")
                );
            }
            table += &format!("| {name} | `{}` | {closes} |\n", part.member());
        }
        table
    }

    #[test]
    fn page_has_the_table_of_parts() {
        let table = table();
        assert!(
            PAGE.contains(&table),
            "docs/how-to/connect-gitlab.md needs:\n{table}"
        );
    }

    #[test]
    fn each_path_finds_its_own_endpoint() {
        for one in ENDPOINTS {
            let path = one.path.replace(':', "");
            let found = Endpoint::of(one.method, &path).expect("an endpoint");
            assert_eq!((found.path, found.status), (one.path, one.status));
        }
        assert!(Endpoint::of("PATCH", "/remote_mirrors").is_none());
    }
}
