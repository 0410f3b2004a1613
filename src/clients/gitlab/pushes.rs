//! The latest pushes to a project, as its events show them.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::error::Result;
use super::list::Reading;
use super::members::parse_time;
use super::project_ref::ProjectRef;
use super::transport::{Area, GitLab};
use crate::common::ownership::write_time;

/// How long before the given time a list of pushes begins. GitLab lists the events after the end of
/// a day, in its time zone (`app/finders/events_finder.rb`), so it begins at least a day earlier.
const EARLIER: Duration = Duration::from_hours(3 * 24);

/// The change of a branch or a tag, or of each of many (`app/models/push_event_payload.rb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefChange {
    Created,
    Removed,
    /// It was moved, or GitLab shows another action.
    Moved,
}

/// A push of a branch or a tag, or of many, and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPush {
    pub project: u64,
    pub author: u64,
    pub is_of_tags: bool,
    /// The branch or the tag. `None` for a push of more of them than GitLab lists.
    pub name: Option<String>,
    pub change: RefChange,
    /// The object before. `None` if there was none.
    pub from: Option<String>,
    /// The object afterwards, of an annotated tag its annotation and not its commit
    /// (`app/services/push_event_payload_service.rb`). `None` if it was removed.
    pub to: Option<String>,
    /// When GitLab recorded it.
    pub at: SystemTime,
}

/// The latest pushes to a project, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestPushes(Vec<ProjectPush>);

impl LatestPushes {
    /// Whether `commit` was the tip of `branch` before or after one of them.
    pub fn contains_tip(&self, branch: &str, commit: &str) -> bool {
        let is_it = |one: &Option<String>| one.as_deref() == Some(commit);
        let mut of_branch = self.0.iter().filter(|push| push.is_of_branch(branch));
        of_branch.any(|push| is_it(&push.from) || is_it(&push.to))
    }

    /// When `branch` last got the tip `commit`. `None` if none of them shows it.
    pub fn pushed_at(&self, branch: &str, commit: &str) -> Option<SystemTime> {
        let mut of_branch = self.0.iter().filter(|push| push.is_of_branch(branch));
        let push = of_branch.find(|push| push.to.as_deref() == Some(commit))?;
        Some(push.at)
    }
}

impl ProjectPush {
    pub fn is_of_branch(&self, name: &str) -> bool {
        !self.is_of_tags && self.name.as_deref() == Some(name)
    }

    /// Parses an element of GitLab's list. `None` if it is neither of branches nor of tags, because
    /// the list is not understood then.
    fn parse(event: &Value) -> Option<Self> {
        let push = &event["push_data"];
        let text = |name: &str| push[name].as_str().map(ToOwned::to_owned);
        Some(ProjectPush {
            project: event["project_id"].as_u64()?,
            author: event["author_id"].as_u64()?,
            is_of_tags: match push["ref_type"].as_str()? {
                "tag" => true,
                "branch" => false,
                _ => return None,
            },
            name: text("ref"),
            change: match push["action"].as_str() {
                Some("created") => RefChange::Created,
                Some("removed") => RefChange::Removed,
                _ => RefChange::Moved,
            },
            from: text("commit_from"),
            to: text("commit_to"),
            at: event["created_at"].as_str().and_then(parse_time)?,
        })
    }
}

impl GitLab {
    /// The pushes since `since`, or earlier, the newest first. `None` if there are more than 5,000.
    pub async fn pushes_since(
        &self,
        project: ProjectRef<'_>,
        since: SystemTime,
    ) -> Result<Option<Vec<ProjectPush>>> {
        let time = write_time(since - EARLIER);
        let day = time.split('T').next().unwrap_or_default();
        let purpose = format!("listing the pushes of project {project}");
        let call = self.get(Area::Project(project), "/events", &purpose);
        let call = call.query("action", "pushed").query("after", day);
        let read = call.read(Reading::ALL, ProjectPush::parse).await?;
        Ok(read.at_most(usize::MAX))
    }

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
