//! The statuses of one name that GitLab shows at a commit, and which of them are the pipeline's.
//!
//! A name has `EnvID` and `ProjectID`, which another account or region may have, too. So the
//! address of a status decides, which names both. Another's status is not a reason to post one
//! again: each posts its own once, and GitLab shows the latest one.

use crate::clients::gitlab::{CommitRef, CommitStatus, GitLab, GitLabError, ShownStatus};
use crate::gitops_pipeline::names::are_of_one_account;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// The one in each GitLab pipeline that holds one. The latest one is last.
    pub current: Vec<ShownStatus>,
    /// The pipeline's latest own one, even if another's has replaced it.
    own: Option<ShownStatus>,
    /// The address of the latest one, if that is another's.
    pub other: Option<String>,
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
        let all = match current.last() {
            Some(latest) if !is_own(latest, url) => {
                gitlab.all_commit_statuses(commit, name).await?
            }
            _ => vec![],
        };
        Ok(Statuses::of(current, &all, url))
    }

    /// The `current` statuses, and `all` of them if the latest one is another's.
    pub fn of(current: Vec<ShownStatus>, all: &[ShownStatus], url: &str) -> Self {
        let other = current.last().filter(|latest| !is_own(latest, url));
        let other = other.map(|other| other.status.target_url.clone());
        let listed = if other.is_some() { all } else { &current };
        let own = listed.iter().rfind(|one| is_own(one, url)).cloned();
        Statuses {
            current,
            own,
            other,
        }
    }

    /// The pipeline's latest own status. `None` if it has posted none.
    pub fn own(&self) -> Option<&CommitStatus> {
        self.own.as_ref().map(|own| &own.status)
    }

    /// The GitLab pipeline of the latest own status. `None` if there is none.
    pub fn home(&self) -> Option<u64> {
        self.own.as_ref().and_then(|own| own.pipeline_id)
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

/// Posts `status`, unless it is the pipeline's latest own one.
pub async fn show(
    gitlab: &GitLab,
    commit: &CommitRef<'_>,
    status: &CommitStatus,
) -> Result<(), GitLabError> {
    let shown = Statuses::read(gitlab, commit, &status.name, &status.target_url).await?;
    if shown.own() == Some(status) {
        return Ok(());
    }
    let home = shown.home().or(shown.latest_home());
    let posted = gitlab.post_commit_status(commit, status, home);
    posted.await.map(drop)
}
