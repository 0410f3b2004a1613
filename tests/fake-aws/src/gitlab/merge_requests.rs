//! GitLab's merge requests, as far as notes need them: `lib/api/merge_requests.rb` and
//! `lib/api/entities/merge_request_basic.rb`.

use serde_json::{Value, json};

pub use crate::gitlab::project_data::MergeRequest;
use crate::{
    gitlab::{
        Project,
        entities::{created, refused},
    },
    world::{ApiResponse, ApiResult, BAD_PARAMETERS, Call, rejected},
};

/// The ID of the project of a fork.
const FORK: u64 = 4711;

/// `lib/api/entities/merge_request_basic.rb`. `state` is `opened`, `closed`, `locked` while it is
/// merged, or `merged` (`app/models/merge_request.rb`). The list of a commit has all of them.
pub fn shown(project: &Project, iid: u64, state: &str) -> Value {
    let held = project.records.details.get(&iid).cloned();
    let held = held.unwrap_or_else(|| MergeRequest {
        source_branch: format!("branch-{iid}"),
        target_branch: project.default_branch.clone(),
        ..MergeRequest::default()
    });
    json!({
        "id": 9000 + iid,
        "iid": iid,
        "project_id": project.id,
        "description": held.description,
        "state": state,
        "source_branch": held.source_branch,
        "target_branch": held.target_branch,
        "source_project_id": if held.is_from_fork { FORK } else { project.id },
        "target_project_id": project.id,
        "sha": held.head,
        "merge_commit_sha": held.merge_commit,
        "squash_commit_sha": held.squash_commit,
    })
}

/// `lib/api/entities/merge_request.rb`: `diverged_commits_count` only if
/// `include_diverged_commits_count` is given. `None` if there is no such request.
pub fn shown_alone(project: &Project, iid: u64, with_count: bool) -> Option<Value> {
    let all = project.records.merge_requests.values().flatten();
    let (_, state) = all.into_iter().find(|(other, _)| *other == iid)?;
    let mut shown = shown(project, iid, state);
    if with_count {
        let held = project.records.details.get(&iid);
        shown["diverged_commits_count"] = held.map_or(0, |held| held.commits_behind).into();
    }
    Some(shown)
}

/// Creates a merge request, or closes or reopens it (`lib/api/merge_requests.rb`).
pub fn change(call: &Call, project: &mut Project) -> ApiResult {
    if call.operation == "GitLab.UpdateMergeRequest" {
        let iid = call.needed("iid").parse().unwrap_or(0);
        let state = match call.text("state_event") {
            Some("close") => "closed",
            _ => "opened",
        };
        set_state(project, iid, state);
        let shown =
            shown_alone(project, iid, false).ok_or_else(|| refused(404, "404 Not found"))?;
        return Ok(ApiResponse::json(&shown));
    }
    let branches = ["source_branch", "target_branch"].map(|name| call.needed(name));
    let missing = branches.iter().find(|name| !project.branches.contains_key(**name));
    if let Some(name) = missing {
        // The status and the text are not documented. (?)
        let message = format!("400 Bad request - {name} does not exist");
        return Err(rejected(BAD_PARAMETERS, message));
    }
    let iid = 1 + project.records.details.len() as u64;
    let made = MergeRequest {
        source_branch: branches[0].to_owned(),
        target_branch: branches[1].to_owned(),
        ..MergeRequest::default()
    };
    project.records.details.insert(iid, made);
    refresh(project, iid, "opened");
    Ok(created(&shown(project, iid, "opened")))
}

pub fn set_state(project: &mut Project, iid: u64, state: &'static str) {
    let all = project.records.merge_requests.values_mut().flatten();
    for (_, shown) in all.filter(|(other, _)| *other == iid) {
        *shown = state;
    }
}

/// After a push, open merge requests have the commits of their source branches that the target
/// branches do not have (`app/services/merge_requests/refresh_service.rb`). GitLab does it in the
/// background, here it is done with the push.
pub fn refresh_all(project: &mut Project) {
    let all = project.records.merge_requests.values().flatten();
    let open = all.filter(|(_, state)| *state == "opened");
    let open: Vec<u64> = open.map(|(iid, _)| *iid).collect();
    for iid in open {
        refresh(project, iid, "opened");
    }
}

fn refresh(project: &mut Project, iid: u64, state: &'static str) {
    let request = &project.records.details[&iid];
    let tip = |branch: &str| project.branches.get(branch).cloned();
    let (Some(head), Some(target)) = (tip(&request.source_branch), tip(&request.target_branch))
    else {
        return;
    };
    let history = &project.records.history;
    let (source, target) = (history.line(&head), history.line(&target));
    let commits = source.iter().filter(|one| !target.contains(one));
    let mut commits: Vec<String> = commits.map(|one| (*one).to_owned()).collect();
    if commits.is_empty() {
        // No commit finds a request without commits.
        commits.push(String::new());
    }
    let behind = target.iter().filter(|one| !source.contains(one)).count() as u64;
    let details = project.records.details.get_mut(&iid).expect("just read");
    details.commits_behind = behind;
    if details.head == head {
        // The commits stay if the target branch has them by now.
        return;
    }
    details.head = head;
    let all = &mut project.records.merge_requests;
    for of_commit in all.values_mut() {
        of_commit.retain(|(other, _)| *other != iid);
    }
    for commit in commits {
        all.entry(commit).or_default().push((iid, state));
    }
}
