//! The tags of a request in GitLab. Each name decides at most once: after an event of it, the notes
//! show the next one, unless its decision may still follow.

use std::collections::BTreeSet;

use super::request::ApprovalRequest;
use crate::clients::gitlab::{GitLab, GitLabError, ProjectPush, ProjectRef, RefChange, Tag};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::approval_tags::MAX_NUMBER;

/// The most tags of a request without an event. Each takes a call.
const MAX_TAGS: usize = 20;

/// The tags of a request, and their project in GitLab.
pub struct RequestTags<'a> {
    pub gitlab: &'a GitLab,
    pub project: ProjectRef<'a>,
    pub names: &'a ResourceNames,
    pub request: &'a ApprovalRequest,
}

/// The latest tags of a request that have an event, or that exist without one.
pub struct LatestTags {
    pub number: u32,
    /// A rejection comes first.
    pub shown: [Option<Tag>; 2],
    /// The number of the next ones.
    pub next: u32,
    /// Whether GitLab has an earlier rejection: it may be genuine.
    pub has_rejection: bool,
}

impl RequestTags<'_> {
    /// The latest tags. GitLab shows these `pushes` since the request began.
    pub async fn latest(&self, pushes: &[ProjectPush]) -> Result<LatestTags, GitLabError> {
        let of_tags = || pushes.iter().filter(|push| push.is_of_tags);
        let used = of_tags().filter_map(|push| push.name.as_deref()).collect();
        let mut next = self.unused(0, &used);
        let mut number = next - 1;
        let mut shown = [None, None];
        if number > 0 {
            shown = self.read(number).await?;
        }
        for _ in 0..MAX_TAGS {
            let unseen = self.read(next).await?;
            if unseen == [None, None] || next == number {
                break;
            }
            (number, shown) = (next, unseen);
            next = self.unused(number, &used);
        }
        let existing = of_tags().filter(|push| push.change != RefChange::Removed);
        let existing: BTreeSet<&str> = existing.filter_map(|push| push.name.as_deref()).collect();
        Ok(LatestTags {
            has_rejection: self.has_rejection(number, &existing).await?,
            number,
            shown,
            next,
        })
    }

    /// The tags of this number as GitLab has them.
    pub async fn read(&self, number: u32) -> Result<[Option<Tag>; 2], GitLabError> {
        let [reject, deploy] = self.request.tags(self.names, number);
        Ok([
            self.gitlab.tag(self.project, &reject.name()).await?,
            self.gitlab.tag(self.project, &deploy.name()).await?,
        ])
    }

    /// The first number after `number` of which no name is `used`. The last one if each is.
    fn unused(&self, number: u32, used: &BTreeSet<&str>) -> u32 {
        let is_unused = |number: &u32| {
            let tags = self.request.tags(self.names, *number);
            tags.iter().all(|tag| !used.contains(tag.name().as_str()))
        };
        (number + 1..=MAX_NUMBER).find(is_unused).unwrap_or(MAX_NUMBER)
    }

    /// Whether GitLab has a rejection with a number before `number`, of the `existing` names.
    async fn has_rejection(
        &self,
        number: u32,
        existing: &BTreeSet<&str>,
    ) -> Result<bool, GitLabError> {
        for number in 1..number {
            let [reject, _] = self.request.tags(self.names, number);
            let name = reject.name();
            if existing.contains(name.as_str())
                && self.gitlab.tag(self.project, &name).await?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
