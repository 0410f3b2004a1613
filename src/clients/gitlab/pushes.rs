//! The latest pushes to a project, as its events show them.

use std::time::SystemTime;

use serde_json::Value;

use super::branches::about_branches;
use super::client::{error, parse_time};
use super::error::{ErrorKind, GitLabError};
use super::transport::{ApiRequest, GitLab, path};

/// A push of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchPush {
    branch: String,
    /// The branch's tip before the push. `None` for a new branch.
    from: Option<String>,
    /// Its tip after the push. `None` for a deleted branch.
    to: Option<String>,
    at: Option<SystemTime>,
}

/// The latest pushes to a project, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestPushes(Vec<BranchPush>);

impl LatestPushes {
    /// Whether `commit` was the tip of `branch` before or after one of them.
    pub fn had_tip(&self, branch: &str, commit: &str) -> bool {
        let is_it = |one: &Option<String>| one.as_deref() == Some(commit);
        let mut of_branch = self.0.iter().filter(|push| push.branch == branch);
        of_branch.any(|push| is_it(&push.from) || is_it(&push.to))
    }

    /// When `branch` last got the tip `commit`. `None` if none of them shows it.
    pub fn pushed_at(&self, branch: &str, commit: &str) -> Option<SystemTime> {
        let is_it =
            |push: &&BranchPush| push.branch == branch && push.to.as_deref() == Some(commit);
        self.0.iter().find(is_it)?.at
    }

    /// Parses GitLab's list. A push of many branches is one event without commits, which is skipped.
    fn parse(listed: &[Value]) -> Self {
        let pushes = listed.iter().filter_map(|event| {
            let push = &event["push_data"];
            let text = |name: &str| push[name].as_str().map(ToOwned::to_owned);
            Some(BranchPush {
                branch: text("ref").filter(|_| push["ref_type"] == "branch")?,
                from: text("commit_from"),
                to: text("commit_to"),
                at: event["created_at"].as_str().and_then(parse_time),
            })
        });
        LatestPushes(pushes.collect())
    }
}

impl GitLab {
    /// The latest hundred pushes, of branches and tags. GitLab writes an event seconds after its push,
    /// keeps it for three years, and writes one event without commits for a push of more than three
    /// branches. <https://docs.gitlab.com/api/events/>,
    /// <https://docs.gitlab.com/administration/settings/push_event_activities_limit/>
    pub async fn latest_pushes(&self, project: &str) -> Result<LatestPushes, GitLabError> {
        let doing = format!("listing the pushes of project {project} at {}", self.url);
        let request = ApiRequest::get(path(project, "/events?action=pushed&per_page=100"));
        let listed = self.json(project, &request, &doing).await;
        match listed.map_err(about_branches)? {
            Value::Array(events) => Ok(LatestPushes::parse(&events)),
            _ => Err(error(&doing, ErrorKind::UnexpectedResponse { status: 200 })),
        }
    }
}
