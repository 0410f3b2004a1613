//! GitLab's REST API, as far as push mirrors need it: `lib/api/remote_mirrors.rb`,
//! `lib/api/projects.rb` and `lib/api/protected_branches.rb`. [`commits_api`] has the calls of
//! reporting, [`history`] those of branches and their commits.

use serde_json::{Value, json};

use crate::{
    gitlab::{
        DEVELOPER, GitLab, HOST, MAINTAINER, Mirror, Project, REDIRECT_HOST, REPORTER, Scope,
        Wanted, commits_api,
        entities::{
            created, refused, shown_mirror, shown_project, shown_protections, shown_token,
            shown_user, with_status,
        },
        history,
        pages::page,
        records::{OTHER_USER, OWN_USER, PERSON},
        runs,
    },
    world::{ApiResponse, ApiResult, AwsError, BAD_PARAMETERS, Call, World, rejected},
};

pub fn answer(gitlab: &mut GitLab, world: &mut World, call: &Call, caller: &str) -> ApiResult {
    let host = call.host();
    if let Some(gateway) = world.options.gitlab.gateway
        && call.operation == gateway.operation
    {
        return Ok(ApiResponse::plain(gateway.status, gateway.body));
    }
    let bearer = call.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    let token = call.header("private-token").or(bearer).unwrap_or_default();
    let known = gitlab.tokens.get(token).cloned();
    if known.as_ref().is_some_and(|known| known.host != host) {
        world.complaints.push(format!("GitLab's token was sent to {host}"));
    }
    if world.options.gitlab.redirects {
        if host == REDIRECT_HOST {
            world.complaints.push("a redirect was followed".to_owned());
        } else {
            let mut answer = ApiResponse::plain(302, "");
            let location = call.url.replacen(HOST, REDIRECT_HOST, 1);
            answer.headers.push(("location", location));
            return Ok(answer);
        }
    }
    let is_json = call.header("content-type") == Some("application/json");
    let changes = call.method != "GET";
    if changes && !is_json {
        // A strict server rejects the request: <https://github.com/kirodotdev/KiroCrew/pull/9739>.
        world.complaints.push(format!("{} without a content type", call.operation));
    }
    let firewall = world.options.gitlab.firewall.filter(|_| changes);
    if firewall.is_some_and(|firewall| firewall.rejects(&call.body)) {
        return Ok(ApiResponse::plain(403, "<html>403 Forbidden</html>"));
    }
    if changes && world.options.gitlab.read_only {
        if is_json {
            let message = "You cannot perform write operations on a read-only instance";
            return Err(refused(403, message));
        }
        let mut answer = ApiResponse::plain(301, "");
        let start = format!("https://{HOST}/");
        answer.headers.push(("location", start));
        return Ok(answer);
    }
    // `find_project!` in `lib/api/helpers.rb`: without a token, a private project does not exist.
    let named = gitlab.project(host, call.needed("project"));
    let is_public = named.is_some_and(|project| project.records.is_public);
    if token.is_empty() && call.text("project").is_some() && !is_public {
        return Err(refused(404, "404 Project Not Found"));
    }
    // `lib/api/api_guard.rb`.
    let Some(known) = known.filter(|known| known.host == host) else {
        return Err(refused(401, "401 Unauthorized"));
    };
    if known.is_revoked {
        return Ok(invalid_token(
            "Token was revoked. You have to re-authorize from the user.",
        ));
    }
    if known.expires.is_some_and(|expires| expires <= world.now) {
        return Ok(invalid_token(
            "Token is expired. You can either do re-authorization or token refresh.",
        ));
    }
    if call.operation == "GitLab.GetToken" {
        return Ok(ApiResponse::json(&shown_token(&known)));
    }
    let reads = call.method == "GET";
    if known.scope == Scope::ReadRepository || (known.scope == Scope::ReadApi && !reads) {
        let needed = if reads { "api read_api" } else { "api" };
        return Ok(insufficient_scope(needed));
    }
    if call.operation == "GitLab.GetMetadata" {
        // `lib/api/metadata.rb`.
        let premium = world.options.gitlab.premium;
        return Ok(ApiResponse::json(
            &json!({"version": "18.9.0", "enterprise": premium}),
        ));
    }
    if call.operation == "GitLab.GetUser" {
        let user = call.needed("user").parse().ok();
        let user = user.filter(|user| [OWN_USER, OTHER_USER, PERSON].contains(user));
        let user = user.ok_or_else(|| refused(404, "404 User Not Found"))?;
        return Ok(ApiResponse::json(&shown_user(user)));
    }
    if let Some(moved) = moved(gitlab, call, host) {
        return moved;
    }
    let project = gitlab.project(host, call.needed("project"));
    let Some(mut project) = project.cloned() else {
        return Err(refused(404, "404 Project Not Found"));
    };
    project.access = known.level.or(project.access);
    if project.access.is_none() {
        return Err(refused(404, "404 Project Not Found"));
    }
    if is_switched_off(&call.operation, &project) {
        return Err(refused(403, "403 Forbidden"));
    }
    match call.operation.as_str() {
        "GitLab.GetProject" => {
            let with_statistics = call.params.get("statistics") == Some(&json!("true"));
            return Ok(ApiResponse::json(&shown_project(&project, with_statistics)));
        }
        // `authorize_read_protected_branch!` in `lib/api/protected_branches.rb`.
        "GitLab.ListProtectedBranches" if project.access < Some(DEVELOPER) => {
            return Err(refused(403, "403 Forbidden"));
        }
        "GitLab.ListProtectedBranches" => {
            let premium = world.options.gitlab.premium;
            return Ok(page(world, call, &shown_protections(&project, premium)));
        }
        // `authorize_admin_project` in `lib/api/protected_branches.rb`.
        "GitLab.ProtectBranch" | "GitLab.UnprotectBranch" if project.access < Some(MAINTAINER) => {
            return Err(refused(403, "403 Forbidden"));
        }
        "GitLab.ProtectBranch" | "GitLab.UnprotectBranch" => {
            let held = gitlab.projects.get_mut(&project.id);
            return change_protection(call, held.expect("just found"));
        }
        _ => {}
    }
    // `read_code`, `read_commit_status`, `read_deployment` and `read_merge_request` are a
    // Reporter's in a private project (`config/authz/roles/reporter.yml`).
    let is_of_mirrors = call.operation.contains("Mirror");
    if project.access < Some(REPORTER) && !project.records.is_public && !is_of_mirrors {
        return Err(refused(403, "403 Forbidden"));
    }
    if let Some(answer) = history::answer(world, call, &project) {
        return answer;
    }
    if let Some(answer) = commits_api::answer(gitlab, world, call, &project, known.user) {
        return answer;
    }
    // Without `admin_remote_mirror` in `app/policies/project_policy.rb`, the API responds with
    // `unauthorized!` (`before` in `lib/api/remote_mirrors.rb`).
    if project.access < Some(MAINTAINER) || world.options.gitlab.mirroring_disabled {
        return Err(refused(401, "401 Unauthorized"));
    }
    mirrors(gitlab, world, call, caller, &project)
}

/// Whether a part of the project that is switched off closes an operation: the rules of
/// `app/policies/project_policy.rb` that begin with its condition.
fn is_switched_off(operation: &str, project: &Project) -> bool {
    let off = |part: &str| project.records.switched_off.contains(part);
    // `merge_requests_disabled | repository_disabled`: `read_merge_request`.
    let requests = ["ListMergeRequests", "MergeRequest", "ListNotes", "Note"];
    // `environments_disabled`, `builds_disabled | repository_disabled`.
    let deployments = ["Deployment", "Environment"];
    // `repository_disabled`: `read_code`, `read_branch`, `read_protected_branch`, `read_commit`,
    // `read_commit_status`, and more. Mirrors and events are not among them.
    let code = ["Branch", "Commit", "MergeBase", "Status", "Discussion"];
    let is_of = |parts: &[&str]| parts.iter().any(|part| operation.contains(part));
    (is_of(&requests) && (off("merge_requests") || off("repository")))
        || (is_of(&deployments) && (off("environments") || off("builds") || off("repository")))
        || (is_of(&code) && off("repository"))
}

/// `lib/api/protected_branches.rb`.
fn change_protection(call: &Call, project: &mut Project) -> ApiResult {
    let name = call.needed("name");
    if call.method == "DELETE" {
        project.force_pushed.remove(name);
        let is_removed = project.protected.remove(name);
        let missing = || refused(404, "404 Not found");
        return is_removed.then(|| ApiResponse::plain(204, "")).ok_or_else(missing);
    }
    if name.is_empty() {
        return Err(bad_parameters("name is missing"));
    }
    if !project.protected.insert(name.to_owned()) {
        let message = format!("Protected branch '{name}' already exists");
        return Err(refused(409, &message));
    }
    let is_forced = call.params.get("allow_force_push") == Some(&json!(true));
    if is_forced {
        project.force_pushed.insert(name.to_owned());
    }
    Ok(created(
        &json!({"name": name, "allow_force_push": is_forced}),
    ))
}

/// The response about a project by its former path: `find_project!` in `lib/api/helpers.rb`,
/// <https://gitlab.com/gitlab-org/gitlab/-/merge_requests/128642>. `None` by its number or present
/// path, and after another project has claimed the former path: new routes override redirects
/// (<https://gitlab.com/gitlab-org/gitlab-foss/-/merge_requests/11136>).
fn moved(gitlab: &GitLab, call: &Call, host: &str) -> Option<ApiResult> {
    let former = call.needed("project");
    if gitlab.project(host, former).is_some() {
        return None;
    }
    let mut projects = gitlab.projects.values();
    let project = projects.find(|one| {
        one.host == host && one.former_path.as_deref() == Some(former) && one.access.is_some()
    })?;
    if call.method != "GET" {
        let message = "405 Non GET methods are not allowed for moved projects";
        return Some(Err(refused(405, message)));
    }
    let path = format!("/projects/{}", former.replace('/', "%2F"));
    let by_number = format!("/projects/{}", project.id);
    let mut redirect = ApiResponse::plain(301, "");
    let location = call.url.replacen(&path, &by_number, 1);
    redirect.headers.push(("location", location));
    Some(Ok(redirect))
}

/// One that GitLab cannot show: its address cannot be read.
fn broken_mirror() -> Value {
    json!({"id": 4_000_000, "enabled": true, "url": null, "update_status": "failed", "last_error": null})
}

fn mirrors(
    gitlab: &mut GitLab,
    world: &mut World,
    call: &Call,
    caller: &str,
    project: &Project,
) -> ApiResult {
    let behaviour = world.options.gitlab.clone();
    let unknown_statuses = world.options.unknown_statuses;
    let shown = |mirror: &Mirror| {
        let is_enabled = GitLab::is_enabled(&behaviour, project, mirror);
        let mut shown = shown_mirror(mirror, is_enabled, behaviour.premium);
        if behaviour.rewrites_addresses {
            let url = shown["url"].as_str().unwrap_or_default();
            shown["url"] = url.replace("git-codecommit.", "proxy.").into();
        }
        if unknown_statuses && mirror.status == "started" {
            shown["update_status"] = "uploading".into();
        }
        shown
    };
    // `validates` in `app/models/remote_mirror.rb`.
    let only = call.params.get("only_protected_branches");
    if only.is_some_and(Value::is_null) {
        return Ok(invalid((
            "only_protected_branches",
            behaviour.language.blank().to_owned(),
        )));
    }
    let number = call.needed("mirror_id").parse().ok();
    let mirror = number.and_then(|number| project.mirrors.get(&number));
    let mirror = mirror.ok_or_else(|| refused(404, "404 Not found"));
    match call.operation.as_str() {
        "GitLab.ListMirrors" => {
            let mut all: Vec<Value> = project.mirrors.values().map(shown).collect();
            if behaviour.has_broken_mirror {
                all.insert(0, broken_mirror());
            }
            Ok(page(world, call, &all))
        }
        "GitLab.GetMirror" => Ok(ApiResponse::json(&shown(mirror?))),
        "GitLab.CreateMirror" => {
            let wanted = wanted(call)?;
            let url = call.text("url").ok_or_else(|| bad_parameters("url is missing"))?;
            complain_of_login(world, url);
            world.remember_secret(url);
            let made = gitlab.create_mirror(&behaviour, project.id, url, &wanted, caller);
            Ok(made.map_or_else(invalid, |mirror| created(&shown(mirror))))
        }
        "GitLab.UpdateMirror" => {
            let (id, wanted) = (mirror?.id, wanted(call)?);
            let updated = gitlab.update_mirror(&behaviour, project.id, id, &wanted);
            let mirror = &gitlab.projects[&project.id].mirrors[&id];
            Ok(updated.map_or_else(invalid, |()| ApiResponse::json(&shown(mirror))))
        }
        "GitLab.DeleteMirror" => {
            let id = mirror?.id;
            let held = gitlab.projects.get_mut(&project.id);
            held.expect("just found").mirrors.remove(&id);
            Ok(ApiResponse::plain(204, ""))
        }
        // `app/services/remote_mirrors/sync_service.rb`.
        "GitLab.SyncMirror" => {
            let mirror = mirror?;
            if !GitLab::is_enabled(&behaviour, project, mirror) {
                return Err(refused(400, behaviour.language.cannot_sync()));
            }
            if mirror.status != "started" {
                runs::sync(gitlab, world, project.id, mirror.id);
            }
            Ok(ApiResponse::plain(204, ""))
        }
        unknown => Err(world.unknown_operation("gitlab", unknown)),
    }
}

/// The members that a request names, as Grape validates them. Booleans may be sent as words
/// (Grape's coercion).
fn wanted(call: &Call) -> Result<Wanted, AwsError> {
    let flag = |name: &str| match call.params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(word)) if ["true", "1"].contains(&word.as_str()) => Ok(Some(true)),
        Some(Value::String(word)) if ["false", "0"].contains(&word.as_str()) => Ok(Some(false)),
        Some(_) => Err(bad_parameters(&format!("{name} is invalid"))),
    };
    let regex = call.params.get("mirror_branch_regex");
    // `mutually_exclusive` in `ee/lib/ee/api/helpers/remote_mirrors_helpers.rb` checks only the
    // names: `false` and null count too.
    if regex.is_some() && call.params.contains_key("only_protected_branches") {
        let message = "only_protected_branches, mirror_branch_regex are mutually exclusive";
        return Err(bad_parameters(message));
    }
    let method = call.text("auth_method").unwrap_or("password");
    if !["ssh_public_key", "password"].contains(&method) {
        return Err(bad_parameters("auth_method does not have a valid value"));
    }
    let regex = regex.map(|regex| regex.as_str().unwrap_or_default().to_owned());
    Ok(Wanted {
        enabled: flag("enabled")?,
        only_protected_branches: flag("only_protected_branches")?,
        branch_regex: regex,
        keep_divergent_refs: flag("keep_divergent_refs")?,
    })
}

/// A URL that the product must not send: it does not arrive at `CodeCommit` unchanged.
fn complain_of_login(world: &mut World, url: &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((login, _)) = rest.rsplit_once('@') else {
        return;
    };
    for (part, what) in [('/', "login with a /"), ('%', "percent-encoded login")] {
        if login.contains(part) {
            world.complaints.push(format!("a {what} was sent to GitLab"));
        }
    }
}

fn bad_parameters(message: &str) -> AwsError {
    rejected(BAD_PARAMETERS, message)
}

/// `render_validation_error!` in `lib/api/helpers.rb`.
fn invalid((member, reason): (&str, String)) -> ApiResponse {
    with_status(400, &json!({"message": {member: [reason]}}))
}

/// `lib/api/api_guard.rb`, `InsufficientScopeError`.
fn insufficient_scope(needed: &str) -> ApiResponse {
    let description = "The request requires higher privileges than provided by the access token.";
    let error = "insufficient_scope";
    let shown = json!({"error": error, "error_description": description, "scope": needed});
    with_status(403, &shown)
}

/// `lib/api/api_guard.rb`, `oauth2_bearer_token_error_handler`.
fn invalid_token(description: &str) -> ApiResponse {
    let shown = json!({"error": "invalid_token", "error_description": description});
    with_status(401, &shown)
}
