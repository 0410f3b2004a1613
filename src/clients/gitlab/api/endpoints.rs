//! The endpoints of GitLab's API that are called: how each one responds to a success, and the parts
//! of a project that close it.
//!
//! A proxy, a login page and a gateway respond with a status, too. So a request counts as executed
//! only if the response has the status and the body of its endpoint.
//!
//! Source: `lib/api/*.rb` of GitLab, which sends 201 after a POST unless the endpoint sets another
//! status, 204 without a body after a DELETE (`destroy_conditionally!` in `lib/api/helpers.rb`),
//! and 200 otherwise.

use serde_json::Value;

use super::error::{REPORTER, Rejection};
use super::project_parts::{PartAccess, ProjectPart};
use super::response::ApiResponse;

#[derive(Debug)]
pub struct Endpoint {
    method: &'static str,
    /// The path below the project, or below `/api/v4` if it has none. A segment with `:` is any.
    path: &'static str,
    /// The status of a success. With 204 there is no body, otherwise there is JSON.
    status: u16,
    /// The permission that a fine-grained token needs for it, as GitLab's form names it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page is compared with it"))]
    permission: &'static str,
    /// The parts that close it if they are switched off, or restricted to members.
    pub closed_by: &'static [ProjectPart],
    /// The part that closes it only if it is restricted to members.
    restricted_by: Option<ProjectPart>,
}

const NONE: &[ProjectPart] = &[];
const CODE: &[ProjectPart] = &[ProjectPart::Repository];
/// The parts that merge requests need.
pub const REQUESTS: &[ProjectPart] = &[ProjectPart::Repository, ProjectPart::MergeRequests];
const DEPLOYMENTS: &[ProjectPart] = &[
    ProjectPart::Repository,
    ProjectPart::CiCd,
    ProjectPart::Environments,
];

const fn endpoint(
    method: &'static str,
    path: &'static str,
    status: u16,
    permission: &'static str,
    closed_by: &'static [ProjectPart],
) -> Endpoint {
    Endpoint {
        method,
        path,
        status,
        permission,
        closed_by,
        restricted_by: None,
    }
}

/// `(builds_disabled & ~internal_builds_disabled)` in `app/policies/project_policy.rb`: without
/// CI/CD, a project shows the statuses of external systems.
const fn status_endpoint(
    method: &'static str,
    path: &'static str,
    status: u16,
    permission: &'static str,
) -> Endpoint {
    Endpoint {
        restricted_by: Some(ProjectPart::CiCd),
        ..endpoint(method, path, status, permission, CODE)
    }
}

/// The parts are those of GitLab's `app/policies/project_policy.rb`: the rules `…_disabled`, and
/// the abilities that the endpoints check. The permissions are those of
/// <https://docs.gitlab.com/auth/tokens/fine_grained_access_tokens_rest/>, which GitLab generates
/// from the routes: those of a merge request's notes are a work item's.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET", "/personal_access_tokens/self", 200, "Personal Access Token: Read", NONE),
    // No source names its permission. Without it, a person's status counts as another function's.
    endpoint("GET", "/users/:id", 200, "User: Read (?)", NONE),
    endpoint("GET", "", 200, "Project: Read", NONE),
    // `app/models/event.rb`: pushes need `download_code`.
    endpoint("GET", "/events", 200, "Event: Read", CODE),
    endpoint("GET", "/remote_mirrors", 200, "Remote Mirror: Read", NONE),
    endpoint("POST", "/remote_mirrors", 201, "Remote Mirror: Create", NONE),
    endpoint("GET", "/remote_mirrors/:id", 200, "Remote Mirror: Read", NONE),
    endpoint("PUT", "/remote_mirrors/:id", 200, "Remote Mirror: Update", NONE),
    endpoint("DELETE", "/remote_mirrors/:id", 204, "Remote Mirror: Delete", NONE),
    endpoint("POST", "/remote_mirrors/:id/sync", 204, "Remote Mirror: Update", NONE),
    endpoint("GET", "/protected_branches", 200, "Protected Branch: Read", CODE),
    endpoint("GET", "/repository/branches", 200, "Branch: Read", CODE),
    endpoint("GET", "/repository/branches/:name", 200, "Branch: Read", CODE),
    endpoint("GET", "/repository/merge_base", 200, "Repository: Read", CODE),
    status_endpoint("GET", "/repository/commits/:sha/statuses", 200, "Commit: Read"),
    status_endpoint("POST", "/statuses/:sha", 201, "Commit Status: Create"),
    endpoint("GET", "/deployments", 200, "Deployment: Read", DEPLOYMENTS),
    endpoint("POST", "/deployments", 201, "Deployment: Create", DEPLOYMENTS),
    endpoint("GET", "/environments", 200, "Environment: Read", DEPLOYMENTS),
    endpoint("PUT", "/environments/:id", 200, "Environment: Update", DEPLOYMENTS),
    endpoint("GET", "/repository/commits/:sha/discussions", 200, "Commit: Read", CODE),
    endpoint("POST", "/repository/commits/:sha/discussions", 201, "Commit: Create", CODE),
    endpoint("PUT", "/repository/commits/:sha/discussions/:id/notes/:note", 200, "Commit: Update", CODE),
    endpoint("DELETE", "/repository/commits/:sha/discussions/:id/notes/:note", 204, "Commit: Delete", CODE),
    endpoint("GET", "/repository/commits/:sha/merge_requests", 200, "Commit: Read", REQUESTS),
    endpoint("GET", "/merge_requests/:iid", 200, "Merge Request: Read", REQUESTS),
    endpoint("GET", "/merge_requests/:iid/notes", 200, "Work Item: Read", REQUESTS),
    endpoint("POST", "/merge_requests/:iid/notes", 201, "Work Item: Create", REQUESTS),
    endpoint("PUT", "/merge_requests/:iid/notes/:note", 200, "Work Item: Update", REQUESTS),
    endpoint("DELETE", "/merge_requests/:iid/notes/:note", 204, "Work Item: Delete", REQUESTS),
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

    /// The part of the `project`, as GitLab describes it, that closes the endpoint to a user with
    /// this access `level`. `None` if none does.
    pub fn closed(&self, project: &Value, level: Option<u64>) -> Option<Rejection> {
        let mut parts = self.closed_by.iter().copied();
        if let Some(part) = parts.find(|part| part.access(project) == PartAccess::Off) {
            return Some(Rejection::SwitchedOff(part));
        }
        // `PRIVATE_FEATURES_MIN_ACCESS_LEVEL` in `app/models/project_feature.rb` requires a
        // Reporter for some parts, who is the least that reports need.
        let is_restricted = |part: &ProjectPart| part.access(project) == PartAccess::Members;
        let part = self.closed_by.iter().copied().find(is_restricted);
        let part = part.or(self.restricted_by.filter(is_restricted));
        // GitLab shows no level for an administrator and for members of an invited group.
        let is_member = level.is_none_or(|level| level >= REPORTER);
        part.filter(|_| !is_member).map(Rejection::MembersOnly)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/how-to/connect-gitlab.md");

    /// The paths of the endpoints for which this holds, each once.
    fn paths(is_listed: impl Fn(&Endpoint) -> bool) -> String {
        let listed = ENDPOINTS.iter().filter(|one| is_listed(one));
        let paths: BTreeSet<String> = listed.map(|one| format!("`{}`", one.path)).collect();
        Vec::from_iter(paths).join(", ")
    }

    /// A row of the table of the page: a part, and the endpoints that it closes.
    fn row(part: ProjectPart, name: &str) -> String {
        let off = paths(|one| one.closed_by.contains(&part));
        let members = paths(|one| one.restricted_by == Some(part));
        let also = match members.as_str() {
            "" => String::new(),
            members => format!("; if it is restricted to members, also {members}"),
        };
        format!("| {name} | `{}` | {off}{also} |\n", part.member())
    }

    fn table() -> String {
        let rows = [
            (ProjectPart::Repository, "Repository"),
            (ProjectPart::MergeRequests, "Merge requests"),
            (ProjectPart::CiCd, "CI/CD"),
            (ProjectPart::Environments, "Environments"),
        ];
        let head =
            "| *Settings → General* | Member | Closes, if it is switched off |\n|---|---|---|\n";
        head.to_owned() + &rows.map(|(part, name)| row(part, name)).concat()
    }

    /// The permissions of a fine-grained token, by their resource.
    fn permissions() -> String {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in ENDPOINTS {
            let (resource, action) = one.permission.split_once(": ").expect("an action");
            all.entry(resource).or_default().insert(action);
        }
        let row = |(resource, actions)| {
            format!("| {resource} | {} |\n", Vec::from_iter(actions).join(", "))
        };
        let rows: String = all.into_iter().map(row).collect();
        "| Resource | Permissions |\n|---|---|\n".to_owned() + &rows
    }

    #[test]
    fn page_has_the_tables_of_permissions_and_parts() {
        for table in [permissions(), table()] {
            assert!(
                PAGE.contains(&table),
                "docs/how-to/connect-gitlab.md needs:\n{table}"
            );
        }
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
