//! The latest pushes to a project, as its events show them.

use std::time::SystemTime;

use serde_json::Value;

use crate::clients::gitlab::api::error::Result;
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::parse_time;
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab};

/// A push of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProjectPush {
    name: String,
    /// The commit before. `None` if there was none.
    from: Option<String>,
    /// The commit afterwards. `None` if it was removed.
    to: Option<String>,
    /// When GitLab recorded it.
    at: SystemTime,
}

/// The latest pushes of branches of a project, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestPushes(Vec<ProjectPush>);

impl LatestPushes {
    /// Whether `commit` was the tip of `branch` before or after one of them.
    pub fn contains_tip(&self, branch: &str, commit: &str) -> bool {
        let is_it = |one: &Option<String>| one.as_deref() == Some(commit);
        let mut of_branch = self.of(branch);
        of_branch.any(|push| is_it(&push.from) || is_it(&push.to))
    }

    /// When `branch` last got the tip `commit`. `None` if none of them shows it.
    pub fn pushed_at(&self, branch: &str, commit: &str) -> Option<SystemTime> {
        let mut of_branch = self.of(branch);
        let push = of_branch.find(|push| push.to.as_deref() == Some(commit))?;
        Some(push.at)
    }

    fn of(&self, branch: &str) -> impl Iterator<Item = &ProjectPush> {
        self.0.iter().filter(move |push| push.name == branch)
    }
}

impl ProjectPush {
    /// Parses an element of GitLab's list. `None` if it is not of a branch, or of more branches
    /// than GitLab lists.
    fn parse(event: &Value) -> Option<Self> {
        let push = &event["push_data"];
        let text = |name: &str| push[name].as_str().map(ToOwned::to_owned);
        Some(ProjectPush {
            name: text("ref").filter(|_| push["ref_type"] == "branch")?,
            from: text("commit_from"),
            to: text("commit_to"),
            at: event["created_at"].as_str().and_then(parse_time)?,
        })
    }
}

impl GitLab {
    /// The latest hundred pushes, of branches and tags. GitLab writes an event seconds after its
    /// push, keeps it for three years, and writes one event without commits for a push of more than
    /// three branches. <https://docs.gitlab.com/api/events/>,
    /// <https://docs.gitlab.com/administration/settings/push_event_activities_limit/>
    pub async fn latest_pushes(&self, project: ProjectRef<'_>) -> Result<LatestPushes> {
        let purpose = format!("listing the pushes of project {project}");
        let call = self.get(Area::Project(project), "/events", &purpose);
        // One that is not understood is not the push that is looked for.
        let parse = |event: &Value| Some(ProjectPush::parse(event));
        let call = call.query("action", "pushed");
        let latest = call.read(Reading::first(100, 100), parse).await?;
        Ok(LatestPushes(
            latest.elements.into_iter().flatten().collect(),
        ))
    }
}
