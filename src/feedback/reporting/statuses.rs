//! The statuses of one name that GitLab shows at a commit, and which of them are the pipeline's.
//!
//! A name has `EnvID` and `ProjectID`, which another account or region may have, too. So the
//! address of a status decides, which names both. Another function's status is not a reason to post
//! one again: each posts its own once, and GitLab shows the latest one. But its poster chooses the
//! address, so a person could hide a failure. Therefore a person's status, which GitLab shows by
//! the number of its user, is replaced once.

use crate::clients::gitlab::{CommitRef, CommitStatus, GitLab, GitLabError, ShownStatus};
use crate::gitops_pipeline::names::are_of_one_account;

/// Who else posts statuses or notes with the names of the pipeline's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherReporter {
    /// Another function or tool, whose status or note has this address.
    Address(String),
    /// The person whose number in GitLab this is.
    Person(u64),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// The one in each GitLab pipeline that holds one. The latest one is last.
    pub current: Vec<ShownStatus>,
    /// The pipeline's own ones, the latest one last, even if another's has replaced it.
    own: Vec<ShownStatus>,
    /// Who posted the latest one, if that is another's.
    pub other: Option<OtherReporter>,
}

impl Statuses {
    /// Reads the statuses `name` of a commit. `url` is an address that the pipeline posts.
    pub async fn read(
        gitlab: &GitLab,
        commit: &CommitRef<'_>,
        name: &str,
        url: &str,
    ) -> Result<Self, GitLabError> {
        let current = gitlab.commit_statuses(commit, name).await?;
        let Some(other) = current.last().filter(|latest| !is_own(latest, url)) else {
            return Ok(Statuses::of(current.clone(), current, url, None));
        };
        let all = gitlab.all_commit_statuses(commit, name).await?;
        // Without the proof that it is a person's, it counts as another function's.
        let other = match other.author {
            Some(user) if gitlab.is_other_person(user).await.unwrap_or(false) => {
                OtherReporter::Person(user)
            }
            _ => OtherReporter::Address(other.status.target_url.clone()),
        };
        Ok(Statuses::of(current, all, url, Some(other)))
    }

    /// The `current` statuses, and `all` of them if the latest one is another's.
    pub fn of(
        current: Vec<ShownStatus>,
        mut all: Vec<ShownStatus>,
        url: &str,
        other: Option<OtherReporter>,
    ) -> Self {
        all.retain(|one| is_own(one, url));
        Statuses {
            current,
            own: all,
            other,
        }
    }

    /// The pipeline's latest own status. `None` if it has posted none.
    pub fn own(&self) -> Option<&CommitStatus> {
        self.own.last().map(|own| &own.status)
    }

    /// Whether the pipeline posts its `own` final status once more, because a person's hides it.
    pub fn is_hidden_once(&self, own: &CommitStatus) -> bool {
        let is_same = |shown: &&ShownStatus| {
            (shown.status.state, &shown.status.target_url) == (own.state, &own.target_url)
        };
        let is_of_person = matches!(self.other, Some(OtherReporter::Person(_)));
        is_of_person && !own.state.is_open() && self.own.iter().filter(is_same).count() == 1
    }

    /// The GitLab pipeline of the latest own status. `None` if there is none.
    pub fn home(&self) -> Option<u64> {
        self.own.last().and_then(|own| own.pipeline_id)
    }

    /// The GitLab pipeline of the latest status. `None` if there is none.
    pub fn latest_home(&self) -> Option<u64> {
        self.current.last().and_then(|latest| latest.pipeline_id)
    }

    /// The GitLab pipelines other than [`home`](Self::home) in which an own status is open.
    pub fn open_elsewhere(&self, url: &str) -> impl Iterator<Item = u64> {
        let is_open = |one: &&ShownStatus| one.status.state.is_open() && is_own(one, url);
        let open = self.current.iter().filter(is_open);
        let home = self.home();
        open.filter_map(move |one| one.pipeline_id.filter(|id| Some(*id) != home))
    }
}

fn is_own(shown: &ShownStatus, url: &str) -> bool {
    are_of_one_account(&shown.status.target_url, url)
}

/// Posts `status`, unless it is the pipeline's latest own one, and no person's hides it.
pub async fn show(
    gitlab: &GitLab,
    commit: &CommitRef<'_>,
    status: &CommitStatus,
) -> Result<(), GitLabError> {
    let shown = Statuses::read(gitlab, commit, &status.name, &status.target_url).await?;
    if shown.own() == Some(status) && !shown.is_hidden_once(status) {
        return Ok(());
    }
    let home = shown.home().or(shown.latest_home());
    let posted = gitlab.post_commit_status(commit, status, home);
    posted.await.map(drop)
}
