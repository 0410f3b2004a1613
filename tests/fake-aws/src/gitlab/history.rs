//! The branches of a GitLab project, the ancestors of its commits, and its push events:
//! `lib/api/branches.rb`, `lib/api/repositories.rb`, `lib/api/commits.rb` and
//! `lib/api/project_events.rb`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    gitlab::{
        Project,
        api::{page, page_without},
    },
    request::{Call, unescaped},
    response::{ApiResponse, AwsError},
    state::AwsState,
};

/// The user who pushes branches, unless a test names another one.
pub const PUSHER: u64 = 20;
/// The address of the author and of the committer of each commit, unless a test sets another one.
const AUTHOR_EMAIL: &str = "developer@example.com";

/// A push of a branch or a tag, as GitLab lists it (`app/models/push_event_payload.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    pub at: Duration,
    pub author: u64,
    /// `branch` or `tag`.
    pub kind: &'static str,
    /// `created`, `pushed` or `removed` (`app/services/push_event_payload_service.rb`).
    pub action: &'static str,
    /// `None` in the event of more than one.
    pub name: Option<String>,
    /// `None` for a new one.
    pub from: Option<String>,
    /// `None` if it was deleted.
    pub to: Option<String>,
    /// The number of branches or tags, if the event is of more than one.
    pub count: Option<usize>,
}

impl PushEvent {
    pub fn of(
        kind: &'static str,
        name: &str,
        from: Option<String>,
        to: Option<String>,
        author: u64,
        at: Duration,
    ) -> Self {
        let action = match (&from, &to) {
            (None, _) => "created",
            (_, None) => "removed",
            _ => "pushed",
        };
        Self {
            at,
            author,
            kind,
            action,
            name: Some(name.to_owned()),
            from,
            to,
            count: None,
        }
    }

    /// One event of so many changes, none of which it names
    /// (`app/services/bulk_push_event_payload_service.rb`).
    pub fn hide_among(&mut self, count: usize) {
        (self.name, self.from, self.to) = (None, None, None);
        self.count = Some(count);
    }
}

/// How a project's branches got their tips.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The parent of each commit that was pushed onto another one.
    pub parents: BTreeMap<String, String>,
    /// When each commit was made.
    pub committed: BTreeMap<String, Duration>,
    /// The addresses of commits' authors.
    pub author_emails: BTreeMap<String, String>,
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
    let to = Some(commit.to_owned());
    let event = PushEvent::of("branch", branch, from, to, PUSHER, now);
    history.events.push(event);
}

/// The operation at a path below a project, and its parameters.
pub fn decode(method: &str, parts: &[&str]) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    match (method, parts) {
        ("GET", ["repository", "branches"]) => Some(("ListBranches", vec![])),
        ("GET", ["repository", "branches", name]) => {
            Some(("GetBranch", vec![("branch", unescaped(name))]))
        }
        ("GET", ["repository", "merge_base"]) => Some(("GetMergeBase", vec![])),
        ("GET", ["repository", "commits"]) => Some(("ListCommits", vec![])),
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
            // `app/finders/events_finder.rb` sorts by age, the newest first. `after` begins at the
            // end of that day.
            let after = call.text("after").unwrap_or_default();
            let is_wanted = |event: &&PushEvent| &AwsState::date(event.at)[..10] > after;
            let events = project.records.history.events.iter().rev();
            let shown = events.filter(is_wanted);
            let shown = shown.map(|event| shown_event(project, event));
            let shown: Vec<Value> = shown.collect();
            Ok(page_without(aws, call, &shown, 1))
        }
        // `ref_name` may be a range, and an unknown end of it gives an empty list
        // (`internal/gitaly/service/commit/find_commits.go` in Gitaly ignores the result of
        // `git log`).
        "GitLab.ListCommits" => {
            let range = call.text("ref_name").unwrap_or(&project.default_branch);
            let (from, to) = range.split_once("..").unwrap_or(("", range));
            let commit = |name| project.commit_at(name);
            let history = &project.records.history;
            let before = commit(from).map_or(vec![], |from| history.line(from));
            let listed = commit(to).filter(|_| from.is_empty() || !before.is_empty());
            let listed = listed.map_or(vec![], |to| history.line(to));
            let listed = listed.into_iter().filter(|one| !before.contains(one));
            let shown = listed.map(|one| shown_commit(project, one));
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
        // `unknown_refs` in `lib/gitlab/git/merge_base.rb` pairs the names with the commits that
        // were found: if one is missing, it is always the last name.
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
    let history = &project.records.history;
    let committed = history.committed.get(commit);
    let committed = committed.copied().unwrap_or_default();
    let email = history.author_emails.get(commit);
    let parents: Vec<&String> = history.parents.get(commit).into_iter().collect();
    json!({
        "id": commit, "committed_date": AwsState::instant(committed), "parent_ids": parents,
        "author_email": email.map_or(AUTHOR_EMAIL, String::as_str), "committer_email": AUTHOR_EMAIL,
    })
}

/// `lib/api/entities/event.rb` and `push_event_payload.rb`.
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
        "author_id": event.author,
        "created_at": AwsState::instant(event.at),
        "push_data": {
            "commit_count": 1,
            "action": event.action,
            "ref_type": event.kind,
            "commit_from": event.from,
            "commit_to": event.to,
            "ref": event.name,
            "ref_count": event.count,
        },
    })
}
