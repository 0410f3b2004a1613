//! The addresses of GitLab's REST API, and its operations.

use serde_json::{Map, Value};

use crate::world::{form, unescaped};

/// The method, the path below `/api/v4/`, and the operation. A part with `:` is a parameter.
const ROUTES: &str = "
GET metadata GetMetadata
GET personal_access_tokens/self GetToken
GET users/:user GetUser
GET projects/:project GetProject
GET projects/:project/protected_branches ListProtectedBranches
POST projects/:project/protected_branches ProtectBranch
DELETE projects/:project/protected_branches/:name UnprotectBranch
GET projects/:project/remote_mirrors ListMirrors
POST projects/:project/remote_mirrors CreateMirror
GET projects/:project/remote_mirrors/:mirror_id GetMirror
PUT projects/:project/remote_mirrors/:mirror_id UpdateMirror
DELETE projects/:project/remote_mirrors/:mirror_id DeleteMirror
POST projects/:project/remote_mirrors/:mirror_id/sync SyncMirror
GET projects/:project/repository/branches ListBranches
GET projects/:project/repository/branches/:branch GetBranch
GET projects/:project/repository/merge_base GetMergeBase
GET projects/:project/events ListEvents
GET projects/:project/repository/commits/:sha/statuses ListStatuses
POST projects/:project/statuses/:sha PostStatus
GET projects/:project/deployments ListDeployments
POST projects/:project/deployments CreateDeployment
GET projects/:project/environments ListEnvironments
PUT projects/:project/environments/:id UpdateEnvironment
POST projects/:project/environments/:id/stop StopEnvironment
DELETE projects/:project/environments/:id DeleteEnvironment
POST projects/:project/merge_requests CreateMergeRequest
PUT projects/:project/merge_requests/:iid UpdateMergeRequest
GET projects/:project/repository/commits/:sha/merge_requests ListMergeRequests
GET projects/:project/merge_requests/:iid GetMergeRequest
GET projects/:project/merge_requests/:iid/notes ListNotes
POST projects/:project/merge_requests/:iid/notes CreateNote
PUT projects/:project/merge_requests/:iid/notes/:id UpdateNote
DELETE projects/:project/merge_requests/:iid/notes/:id DeleteNote
GET projects/:project/repository/commits/:sha/discussions ListDiscussions
POST projects/:project/repository/commits/:sha/discussions CreateDiscussion
PUT projects/:project/repository/commits/:sha/discussions/:discussion/notes/:id UpdateDiscussion
DELETE projects/:project/repository/commits/:sha/discussions/:discussion/notes/:id DeleteDiscussion
";

/// The parameters of `route` at `path`. `None` if it is another one.
fn parameters(route: &str, path: &str) -> Option<Map<String, Value>> {
    let (route, path) = (route.split('/'), path.split('/'));
    if route.clone().count() != path.clone().count() {
        return None;
    }
    let mut all = Map::new();
    for (part, given) in route.zip(path) {
        match part.strip_prefix(':') {
            Some(name) => drop(all.insert(name.to_owned(), unescaped(given).into())),
            None if part == given => {}
            None => return None,
        }
    }
    Some(all)
}

/// The operation and its parameters at an address behind the host.
pub fn decode(
    method: &str,
    address: &str,
    body: &[u8],
) -> Result<(String, Map<String, Value>), String> {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let below = path.strip_prefix("/api/v4/").unwrap_or_default();
    let found = ROUTES.lines().find_map(|route| {
        let (verb, route) = route.split_once(' ')?;
        let (route, operation) = route.split_once(' ')?;
        let of_path = parameters(route, below).filter(|_| verb == method)?;
        Some((format!("GitLab.{operation}"), of_path))
    });
    let (operation, of_path) = found.ok_or_else(|| format!("GitLab knows no {method} {path}"))?;
    let mut params = form(query);
    if !body.is_empty() {
        let sent: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| format!("a body that is no JSON object: {error}"))?;
        params.extend(sent);
    }
    params.extend(of_path);
    Ok((operation, params))
}
