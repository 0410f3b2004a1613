//! The branches of a GitLab project, the ancestors of its commits, and its push events:
//! `lib/api/branches.rb`, `lib/api/repositories.rb` and `lib/api/project_events.rb`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    gitlab::{Project, api::page},
    request::{Call, unescaped},
    response::{ApiResponse, AwsError},
    state::AwsState,
};

/// A push of a branch, as GitLab lists it (`app/models/push_event_payload.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    pub at: Duration,
    pub branch: String,
    /// `None` for a new branch.
    pub from: Option<String>,
    pub to: String,
}

/// How a project's branches got their tips.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The parent of each commit that was pushed onto another one.
    pub parents: BTreeMap<String, String>,
    /// When each commit was made.
    pub committed: BTreeMap<String, Duration>,
    /// The oldest first.
    pub events: Vec<PushEvent>,
}

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
            history.parents.insert(commit.to_owned(), parent);
        }
        history.committed.insert(commit.to_owned(), now);
    }
    history.events.push(PushEvent {
        at: now,
        branch: branch.to_owned(),
        from,
        to: commit.to_owned(),
    });
}

/// The operation at a path below a project, and its parameters.
pub fn decode(method: &str, parts: &[&str]) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    match (method, parts) {
        ("GET", ["repository", "branches"]) => Some(("ListBranches", vec![])),
        ("GET", ["repository", "branches", name]) => {
            Some(("GetBranch", vec![("branch", unescaped(name))]))
        }
        ("GET", ["repository", "merge_base"]) => Some(("GetMergeBase", vec![])),
        ("GET", ["events"]) => Some(("ListEvents", vec![])),
        _ => None,
    }
}

/// The response to a call about a project that the caller may see. `None` if it is another call.
pub fn answer(
    aws: &AwsState,
    call: &Call,
    project: &Project,
) -> Option<Result<ApiResponse, AwsError>> {
    let rejected = |status: u16, message: &str| Err(AwsError::new(status, "GitLab", message));
    Some(match call.operation.as_str() {
        "GitLab.ListBranches" => {
            // `app/finders/branches_finder.rb`; `regex` is RE2's, in every edition
            // (<https://docs.gitlab.com/api/branches/#list-all-repository-branches>).
            let regex = call.text("regex").unwrap_or_default();
            let names = project.branches_like(regex);
            let shown = names.map(|name| shown_branch(project, name));
            Ok(page(aws, call, &shown.collect::<Vec<_>>()))
        }
        // `find_branch!` in `lib/api/branches.rb`.
        "GitLab.GetBranch" => {
            let name = call.needed("branch");
            if project.branches.contains_key(name) {
                Ok(ApiResponse::json(&shown_branch(project, name)))
            } else {
                rejected(404, "404 Branch Not Found")
            }
        }
        "GitLab.GetMergeBase" => merge_base(call, project),
        "GitLab.ListEvents" => {
            // `app/finders/events_finder.rb` sorts by age, the newest first.
            let shown = project.records.history.events.iter().rev().map(shown_event);
            Ok(page(aws, call, &shown.collect::<Vec<_>>()))
        }
        _ => return None,
    })
}

/// `get ':id/repository/merge_base'` in `lib/api/repositories.rb`.
/// <https://docs.gitlab.com/api/repositories/>
fn merge_base(call: &Call, project: &Project) -> Result<ApiResponse, AwsError> {
    let rejected = |status: u16, message: &str| Err(AwsError::new(status, "GitLab", message));
    let refs = call.params.get("refs").and_then(Value::as_array);
    let refs: Vec<&str> = refs
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let [one, other] = refs.as_slice() else {
        return rejected(400, "Provide at least 2 refs");
    };
    let known: Vec<&str> = [*one, *other]
        .into_iter()
        .filter_map(|name| project.commit_at(name))
        .collect();
    let [one_commit, other_commit] = known.as_slice() else {
        // `unknown_refs` in `lib/gitlab/git/merge_base.rb` pairs the names with the commits that were
        // found: if one is missing, it is always the last name.
        let message = if known.is_empty() {
            format!("Could not find refs: {one}, {other}")
        } else {
            format!("Could not find ref: {other}")
        };
        return rejected(400, &message);
    };
    let history = &project.records.history;
    let of_other = history.line(other_commit);
    let base = history
        .line(one_commit)
        .into_iter()
        .find(|commit| of_other.contains(commit));
    match base {
        Some(base) => Ok(ApiResponse::json(&shown_commit(project, base))),
        None => rejected(404, "404 Merge Base Not Found"),
    }
}

impl History {
    /// A commit and its ancestors.
    fn line<'a>(&'a self, commit: &'a str) -> Vec<&'a str> {
        let next = |commit: &&'a str| self.parents.get(*commit).map(String::as_str);
        std::iter::successors(Some(commit), next).collect()
    }
}

impl Project {
    /// The commit of a SHA or of a branch's name.
    fn commit_at<'a>(&'a self, name: &'a str) -> Option<&'a str> {
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
    let committed = project.records.history.committed.get(commit);
    let committed = committed.copied().unwrap_or_default();
    json!({"id": commit, "committed_date": AwsState::instant(committed)})
}

/// `lib/api/entities/event.rb` and `push_event_payload.rb`.
/// <https://docs.gitlab.com/api/events/#list-all-visible-events-for-a-project>
fn shown_event(event: &PushEvent) -> Value {
    let action = if event.from.is_none() {
        "created"
    } else {
        "pushed"
    };
    json!({
        "action_name": if event.from.is_none() { "pushed new" } else { "pushed to" },
        "created_at": AwsState::instant(event.at),
        "push_data": {
            "commit_count": 1,
            "action": action,
            "ref_type": "branch",
            "commit_from": event.from,
            "commit_to": event.to,
            "ref": event.branch,
            "ref_count": null,
        },
    })
}
