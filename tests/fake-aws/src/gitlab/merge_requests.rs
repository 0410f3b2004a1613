//! GitLab's merge requests, as far as notes need them: `lib/api/merge_requests.rb` and
//! `lib/api/entities/merge_request_basic.rb`.

use serde_json::{Value, json};

use crate::gitlab::Project;
pub use crate::gitlab::project_data::MergeRequest;

/// The ID of the project of a fork.
const FORK: u64 = 4711;

/// `lib/api/entities/merge_request_basic.rb`.
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
        "squash_commit_sha": null,
        "author": {"id": held.author},
        "merge_user": held.merge_user.map(|id| json!({"id": id})),
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
