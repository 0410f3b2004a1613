//! The branches of a GitLab project, the ancestors of its commits, and its push events:
//! `lib/api/branches.rb`, `lib/api/repositories.rb`, `lib/api/commits.rb` and
//! `lib/api/project_events.rb`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

pub use crate::gitlab::project_data::{History, PushEvent};
use crate::{
    gitlab::{
        Project,
        branch_patterns::matches_regex,
        entities::refused,
        pages::{page, page_without},
    },
    world::{ApiResponse, ApiResult, Call, World},
};

/// A push: a new commit follows the branch's tip, or the default branch's if the branch is new.
pub fn record(project: &mut Project, branch: &str, commit: &str, now: Duration) {
    let from = project.branches.get(branch).cloned();
    if from.as_deref() == Some(commit) {
        return;
    }
    let history = &mut project.records.history;
    if !project.commits.contains(commit) {
        let default = || project.branches.get(&project.default_branch).cloned();
        if let Some(parent) = from.clone().or_else(default) {
            history.parents.insert(commit.to_owned(), vec![parent]);
        }
        history.committed.insert(commit.to_owned(), now);
    }
    let to = Some(commit.to_owned());
    let event = PushEvent::of("branch", branch, from, to, now);
    history.events.push(event);
}

/// The default of `push_event_activities_limit`
/// (<https://docs.gitlab.com/administration/settings/push_event_activities_limit/>).
const MAX_EVENTS_OF_PUSH: usize = 3;

/// The events of a push. More changes of one kind than [`MAX_EVENTS_OF_PUSH`] have one event in
/// bulk (`app/services/git/process_ref_changes_service.rb`).
pub fn record_all(project: &mut Project, all: Vec<PushEvent>) {
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

/// The response to a call about a project that the caller may see. `None` if it is another call.
pub fn answer(world: &World, call: &Call, project: &Project) -> Option<ApiResult> {
    Some(match call.operation.as_str() {
        "GitLab.ListBranches" => {
            // `app/finders/branches_finder.rb`; `regex` is RE2's, in every edition
            // (<https://docs.gitlab.com/api/branches/#list-all-repository-branches>).
            let regex = call.text("regex").unwrap_or_default();
            // `lib/gitlab/untrusted_regexp.rb` raises `RegexpError`, and the API does not rescue it.
            if matches_regex(regex, "").is_err() {
                return Some(Err(refused(500, "500 Internal Server Error")));
            }
            let names = project.branches_like(regex);
            let shown = names.map(|name| shown_branch(project, name));
            Ok(page(world, call, &shown.collect::<Vec<_>>()))
        }
        // `find_branch!` in `lib/api/branches.rb`.
        "GitLab.GetBranch" => {
            let name = call.needed("branch");
            if project.branches.contains_key(name) {
                Ok(ApiResponse::json(&shown_branch(project, name)))
            } else {
                Err(refused(404, "404 Branch Not Found"))
            }
        }
        "GitLab.GetMergeBase" => merge_base(call, project),
        "GitLab.ListEvents" => {
            // `app/finders/events_finder.rb` sorts by age, the newest first.
            let events = project.records.history.events.iter().rev();
            let shown: Vec<Value> = events.map(|event| shown_event(project, event)).collect();
            Ok(page_without(world, call, &shown, 1))
        }
        _ => return None,
    })
}

/// `get ':id/repository/merge_base'` in `lib/api/repositories.rb`.
/// <https://docs.gitlab.com/api/repositories/>
fn merge_base(call: &Call, project: &Project) -> ApiResult {
    let refs = call.list("refs");
    let [one, other] = refs.as_slice() else {
        return Err(refused(400, "Provide at least 2 refs"));
    };
    let known = refs.iter().filter_map(|name| project.commit_at(name));
    let known: Vec<&str> = known.collect();
    let [one_commit, other_commit] = known.as_slice() else {
        // `unknown_refs` in `lib/gitlab/git/merge_base.rb` pairs the names with the commits that
        // were found: if one is missing, it is always the last name.
        let message = if known.is_empty() {
            format!("Could not find refs: {one}, {other}")
        } else {
            format!("Could not find ref: {other}")
        };
        return Err(refused(400, &message));
    };
    let history = &project.records.history;
    let of_other = history.line(other_commit);
    let mut common = history.line(one_commit);
    common.retain(|commit| of_other.contains(commit));
    // `git merge-base`: "One common ancestor is better than another common ancestor if the latter is
    // an ancestor of the former" (<https://git-scm.com/docs/git-merge-base>).
    let is_best = |commit: &&str| {
        let mut others = common.iter().filter(|other| *other != commit);
        !others.any(|other| history.line(other).contains(commit))
    };
    match common.iter().copied().find(is_best) {
        Some(base) => Ok(ApiResponse::json(&shown_commit(project, base))),
        None => Err(refused(404, "404 Merge Base Not Found")),
    }
}

impl Project {
    /// The commit of a SHA or of a branch's name.
    pub(crate) fn commit_at<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.branches.get(name) {
            Some(tip) => Some(tip),
            None => self.commits.get(name).map(String::as_str),
        }
    }
}

/// `lib/api/entities/branch.rb`, in part.
fn shown_branch(project: &Project, name: &str) -> Value {
    let tip = project.branches.get(name).map(String::as_str);
    json!({
        "name": name,
        "default": name == project.default_branch,
        "protected": project.is_protected(name),
        "commit": shown_commit(project, tip.unwrap_or_default()),
    })
}

/// `lib/api/entities/commit.rb`, in part.
fn shown_commit(project: &Project, commit: &str) -> Value {
    let history = &project.records.history;
    let committed = history.committed.get(commit).copied().unwrap_or_default();
    json!({"id": commit, "committed_date": World::instant(committed)})
}

/// `lib/api/entities/event.rb` and `push_event_payload.rb`. `commit_to` is the new object of the ref:
/// of an annotated tag its annotation (`revision_after` in
/// `app/services/push_event_payload_service.rb`). An event of many refs has their type, action and
/// number alone (`app/services/bulk_push_event_payload_service.rb`).
/// <https://docs.gitlab.com/api/events/#list-all-visible-events-for-a-project>
fn shown_event(project: &Project, event: &PushEvent) -> Value {
    let action_name = match event.action {
        "created" => "pushed new",
        "removed" => "deleted",
        _ => "pushed to",
    };
    json!({
        "project_id": project.id,
        "action_name": action_name,
        "created_at": World::instant(event.at),
        "push_data": {
            "commit_count": u8::from(event.count.is_none()),
            "action": event.action,
            "ref_type": event.kind,
            "commit_from": event.from,
            "commit_to": event.to,
            "ref": event.name,
            "ref_count": event.count,
        },
    })
}
