//! GitLab's tags, the rules and keys that admit to them, and the people of a project:
//! `lib/api/tags.rb`, `lib/api/protected_tags.rb`, `lib/api/releases.rb`, `lib/api/deploy_keys.rb`,
//! `lib/api/members.rb` and `lib/api/users.rb`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

pub use crate::gitlab::project_data::{Tag, Tags, User};
use crate::{
    gitlab::{
        DEVELOPER, GitLab, MAINTAINER, Project,
        entities::{created, refused},
        pages::page,
        project_data::PushEvent,
        runs,
    },
    world::{ApiResponse, ApiResult, Call, World},
};

/// The default of `push_event_activities_limit`
/// (<https://docs.gitlab.com/administration/settings/push_event_activities_limit/>).
const MAX_EVENTS_OF_PUSH: usize = 3;

/// A push by `user`: each of these tags gets its object, or is deleted (`None`). An error is the
/// message of `lib/gitlab/checks/tag_check.rb`.
pub fn push(
    project: &mut Project,
    user: u64,
    changes: &[(&str, Option<Tag>)],
    now: Duration,
) -> Result<(), &'static str> {
    let mut events = vec![];
    let tags = &mut project.records.tags;
    for (name, tag) in changes {
        let from = tags.all.get(*name).map(|tag| tag.target.clone());
        tags.check(user, name, from.is_some(), tag.is_some())?;
        match tag {
            Some(tag) => tags.all.insert((*name).to_owned(), tag.clone()),
            None => tags.all.remove(*name),
        };
        let to = tag.as_ref().map(|tag| tag.target.clone());
        events.push(PushEvent::of("tag", name, from, to, user, now));
    }
    record(project, events);
    Ok(())
}

/// More changes of one kind than [`MAX_EVENTS_OF_PUSH`] have one event in bulk
/// (`app/services/git/process_ref_changes_service.rb`).
pub fn record(project: &mut Project, all: Vec<PushEvent>) {
    let mut events: BTreeMap<_, Vec<PushEvent>> = BTreeMap::new();
    for event in all {
        let alike = events.entry((event.kind, event.action));
        alike.or_default().push(event);
    }
    for (_, mut alike) in events {
        if alike.len() > MAX_EVENTS_OF_PUSH {
            let count = alike.len();
            alike.truncate(1);
            alike[0].hide_among(count);
        }
        project.records.history.events.extend(alike);
    }
}

/// `POST /projects/:id/releases` by a CI job that runs as `user`: the tag is created unless it
/// exists, and only the rules about tags decide whether it may (`lib/api/releases.rb`,
/// `app/services/releases/create_service.rb`).
pub fn release(
    project: &mut Project,
    user: u64,
    name: &str,
    commit: &str,
    now: Duration,
) -> Result<(), &'static str> {
    if !project.records.tags.all.contains_key(name) {
        let tag = Some(Tag::lightweight(commit));
        push(project, user, &[(name, tag)], now)?;
    }
    project.records.tags.released.insert(name.to_owned());
    Ok(())
}

/// The response to a call about a project that the caller may see. `None` if it is another call.
pub fn answer(gitlab: &GitLab, world: &World, call: &Call, project: &Project) -> Option<ApiResult> {
    let tags = &project.records.tags;
    Some(match call.operation.as_str() {
        "GitLab.GetTag" => match tags.all.get(call.needed("tag")) {
            None => Err(refused(404, "404 Tag Not Found")),
            // `lib/api/entities/tag.rb`.
            Some(tag) => Ok(ApiResponse::json(&json!({
                "name": call.needed("tag"), "target": tag.target, "commit": {"id": tag.commit},
                "protected": tags.is_protected(call.needed("tag")),
            }))),
        },
        // `authorize_read_releases!`; `app/policies/project_policy.rb`, `releases_disabled`.
        "GitLab.GetRelease" if tags.has_no_releases => Err(refused(403, "403 Forbidden")),
        "GitLab.GetRelease" if tags.released.contains(call.needed("tag")) => {
            let tag = call.needed("tag");
            Ok(ApiResponse::json(
                &json!({"tag_name": tag, "name": tag, "description": null}),
            ))
        }
        "GitLab.GetRelease" => Err(refused(404, "404 Not Found")),
        // `authorize_admin_project` in both files.
        "GitLab.ListProtectedTags" | "GitLab.ListDeployKeys"
            if project.access < Some(MAINTAINER) =>
        {
            Err(refused(403, "403 Forbidden"))
        }
        "GitLab.ListProtectedTags" => {
            let premium = world.options.gitlab.premium;
            let rules = tags.protected.iter().map(|rule| shown_rule(rule, premium));
            Ok(page(world, call, &rules.collect::<Vec<_>>()))
        }
        "GitLab.ListDeployKeys" => {
            let keys = tags.deploy_keys.iter().zip(1..);
            let keys =
                keys.map(|(can_push, id)| json!({"id": id, "title": "key", "can_push": can_push}));
            Ok(page(world, call, &keys.collect::<Vec<_>>()))
        }
        "GitLab.GetMember" => {
            let user = call.needed("user").parse().ok();
            let member =
                user.and_then(|id| Some((tags.members.get(&id)?, shown_user(gitlab, id)?)));
            let member = member.ok_or_else(|| refused(404, "404 Not found"));
            member.map(|(level, user)| {
                let mut shown = json!({"access_level": level});
                // `lib/api/entities/member.rb` extends `user_basic.rb`, which lacks `bot`.
                for name in ["id", "username", "state", "public_email"] {
                    shown[name] = user[name].clone();
                }
                ApiResponse::json(&shown)
            })
        }
        _ => return None,
    })
}

/// Creates or deletes a tag or a release: `lib/api/tags.rb`, `lib/api/releases.rb`. `None` if it is
/// another call. Developers create a release, also with a job's token, and its tag if the rules
/// admit them (`app/services/releases/create_service.rb`). Its deletion leaves the tag.
pub fn change(
    gitlab: &mut GitLab,
    world: &World,
    call: &Call,
    id: u64,
    user: u64,
) -> Option<ApiResult> {
    let (now, name) = (world.now, call.needed("tag_name"));
    let project = gitlab.projects.get_mut(&id)?;
    let rejected = |status: u16, message: &str| Some(Err(refused(status, message)));
    let commit = project.commit_at(call.needed("ref")).map(ToOwned::to_owned);
    let has_tag = project.records.tags.all.contains_key(name);
    let level = project.records.tags.members.get(&user).copied();
    let shown_release = json!({"tag_name": name, "name": name, "description": null});
    let (to, response) = match call.operation.as_str() {
        "GitLab.CreateTag" | "GitLab.DeleteTag" | "GitLab.CreateRelease"
            if level < Some(DEVELOPER) =>
        {
            return rejected(403, "403 Forbidden");
        }
        "GitLab.CreateTag" if has_tag => {
            return rejected(400, &format!("Tag {name} already exists"));
        }
        "GitLab.CreateTag" if commit.is_none() => {
            let message = format!("Target {} is invalid", call.needed("ref"));
            return rejected(400, &message);
        }
        "GitLab.CreateTag" => {
            let shown = json!({"name": name, "target": commit, "commit": {"id": commit}});
            (commit, created(&shown))
        }
        "GitLab.DeleteTag" if !has_tag => return rejected(404, "404 Tag Not Found"),
        "GitLab.DeleteTag" => (None, ApiResponse::plain(204, "")),
        "GitLab.CreateRelease" => {
            if !has_tag && commit.is_none() {
                return rejected(422, "Ref is not specified");
            }
            if has_tag {
                project.records.tags.released.insert(name.to_owned());
                return Some(Ok(created(&shown_release)));
            }
            (commit, created(&shown_release))
        }
        "GitLab.DeleteRelease" if level < Some(MAINTAINER) => {
            return rejected(403, "403 Forbidden");
        }
        "GitLab.DeleteRelease" => {
            let tags = &mut project.records.tags;
            if !tags.released.remove(name) {
                return rejected(404, "404 Not Found");
            }
            return Some(Ok(ApiResponse::json(&shown_release)));
        }
        _ => return None,
    };
    let tag = to.as_deref().map(Tag::lightweight);
    if let Err(message) = push(project, user, &[(name, tag)], now) {
        return rejected(400, message);
    }
    if call.operation == "GitLab.CreateRelease" {
        project.records.tags.released.insert(name.to_owned());
    }
    if let Some(served) = &mut gitlab.served {
        served.tags.push((id, name.to_owned(), to));
    }
    runs::project_was_pushed_to(gitlab, world, id);
    Some(Ok(response))
}

/// `lib/api/entities/user.rb`, in part. `None` if there is no such user.
pub fn shown_user(gitlab: &GitLab, id: u64) -> Option<Value> {
    let user = gitlab.users.get(&id)?;
    Some(json!({
        "id": id, "username": user.username, "state": user.state, "bot": user.bot,
        "public_email": user.public_email,
    }))
}

/// `lib/api/entities/protected_ref_access.rb`, and that of `ee`: users, groups and roles need a
/// licence.
fn shown_rule((name, entries): &(String, Vec<Value>), premium: bool) -> Value {
    let entries = entries.iter().zip(1..).map(|(entry, id)| {
        let mut shown = json!({"id": id, "access_level": null, "access_level_description": "…",
            "deploy_key_id": null});
        for member in ["user_id", "group_id", "member_role_id"] {
            if premium {
                shown[member] = Value::Null;
            }
        }
        for (member, value) in entry.as_object().into_iter().flatten() {
            shown[member] = value.clone();
        }
        shown
    });
    json!({"name": name, "create_access_levels": entries.collect::<Vec<_>>()})
}
