//! Tokens, mirrors, projects and protected branches in GitLab's REST API.

use serde_json::{Value, json};

use crate::{
    gitlab::records::PERSON,
    gitlab::{MAX_PROTECTED_BRANCHES_LISTED, Mirror, Project, REPORTER, Scope, Token},
    world::{ApiResponse, AwsError, World},
};

/// `render_api_error!` in `lib/api/helpers.rb`.
pub fn refused(status: u16, message: &str) -> AwsError {
    AwsError::new(status, "GitLab", message)
}

/// The response to a successful POST.
pub fn created(shown: &Value) -> ApiResponse {
    with_status(201, shown)
}

pub fn with_status(status: u16, shown: &Value) -> ApiResponse {
    ApiResponse {
        status,
        ..ApiResponse::json(shown)
    }
}

/// `lib/api/entities/personal_access_token.rb`. Also for project and group access tokens; every
/// scope may read it, see `lib/api/personal_access_tokens/self_information.rb`
/// (<https://docs.gitlab.com/api/personal_access_tokens/#self-inform>).
pub fn shown_token(token: &Token) -> Value {
    let expires = token.expires.map(World::date);
    let scope = match token.scope {
        Scope::Api => "api",
        Scope::ReadApi => "read_api",
        Scope::ReadRepository => "read_repository",
        Scope::Granular => "granular",
    };
    let day = expires.as_ref().and_then(|time| time.split('T').next());
    json!({
        "id": 420, "name": "mirrors", "revoked": false, "active": true, "user_id": token.user,
        "expires_at": day, "scopes": [scope],
    })
}

/// `lib/api/entities/user.rb`: a token's user is a bot, and its name may be any
/// (<https://docs.gitlab.com/api/users/>).
pub fn shown_user(user: u64) -> Value {
    json!({"id": user, "username": format!("project_42_bot_{user}"), "bot": user != PERSON, "state": "active"})
}

/// `lib/api/entities/remote_mirror.rb`.
pub fn shown_mirror(mirror: &Mirror, is_enabled: bool, premium: bool) -> Value {
    let mut shown = json!({
        "id": mirror.id,
        "enabled": is_enabled,
        "url": mirror.masked_url(),
        "update_status": mirror.status,
        "last_update_at": mirror.updated.map(World::instant),
        "last_update_started_at": mirror.started.map(World::instant),
        "last_successful_update_at": mirror.succeeded.map(World::instant),
        "last_error": mirror.last_error,
        "only_protected_branches": mirror.only_protected_branches,
        "keep_divergent_refs": mirror.keep_divergent_refs,
        "auth_method": "password",
        "host_keys": [],
    });
    if premium {
        shown["mirror_branch_regex"] = json!(mirror.branch_regex);
    }
    shown
}

/// `lib/api/entities/project_with_access.rb`, the members that matter here.
pub fn shown_project(project: &Project, with_statistics: bool) -> Value {
    let name = project.path.rsplit('/').next();
    let access = project.access.unwrap_or_default();
    let mut shown = json!({
        "id": project.id,
        "name": name,
        "path_with_namespace": project.path,
        "default_branch": project.default_branch,
        "empty_repo": project.branches.is_empty(),
        "archived": false,
        "lfs_enabled": true,
        "visibility": match (project.records.is_public, project.records.is_internal) {
            (true, _) => "public",
            (_, true) => "internal",
            _ => "private",
        },
        "permissions": {
            "project_access": {"access_level": access, "notification_level": 3},
            "group_access": null,
        },
    });
    for part in ["repository", "merge_requests", "builds", "environments"] {
        let is_off = project.records.switched_off.contains(part);
        let level = if is_off { "disabled" } else { "enabled" };
        shown[format!("{part}_access_level")] = level.into();
    }
    // `read_statistics` in `app/policies/project_policy.rb` is a Reporter's
    // (<https://docs.gitlab.com/api/projects/#retrieve-a-project>).
    if with_statistics && access >= REPORTER {
        shown["statistics"] = json!({"lfs_objects_size": project.lfs_objects_size});
    }
    shown
}

/// `app/finders/protected_branches_finder.rb`: the project's and its groups' together, at most a
/// hundred. Groups protect branches only with a licence, and `inherited` is
/// `lib/api/entities/protected_branch.rb` of `ee`.
pub fn shown_protections(project: &Project, premium: bool) -> Vec<Value> {
    let own = project.protected.iter().map(|name| (name, false));
    let groups = project.protected_by_group.iter().filter(|_| premium);
    let all = own.chain(groups.map(|name| (name, true))).take(MAX_PROTECTED_BRANCHES_LISTED);
    let shown = all.map(|(name, inherited)| {
        let is_forced = project.force_pushed.contains(name);
        let mut shown = json!({"name": name, "allow_force_push": is_forced});
        if premium {
            shown["inherited"] = json!(inherited);
        }
        shown
    });
    shown.collect()
}
