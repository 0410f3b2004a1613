//! The state of the mirrors: GitLab's projects, and the intents in the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::gitlab::{Mirror, ProtectedBranches, PushesEverything, Settings};
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, MirrorRecord};
use cfn_custom_resource::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// All its mirrors, of any origin.
    pub mirrors: Vec<Mirror>,
    /// The branches that the project itself protects. `None` if they were not read.
    pub protected_branches: Option<ProtectedBranches>,
    /// Each `BranchRegex` that matches no existing branch.
    pub unmatched: BTreeSet<String>,
    pub is_empty: bool,
    /// Its default branch. `None` if it was not read.
    pub default_branch: Option<String>,
    /// The size of its Git LFS objects in bytes. 0 if it was not read.
    pub lfs_objects_size: u64,
}

impl Project {
    /// A project of which only the mirrors were read.
    pub fn new(mirrors: Vec<Mirror>) -> Self {
        Project {
            mirrors,
            protected_branches: None,
            unmatched: BTreeSet::new(),
            is_empty: false,
            default_branch: None,
            lfs_objects_size: 0,
        }
    }

    /// Whether GitLab mirrors `branch` through a mirror of protected branches, as far as it was
    /// read. The first push to an empty project protects its default branch
    /// (`app/services/projects/protect_default_branch_service.rb`).
    pub fn mirrors_branch(&self, branch: &str) -> bool {
        let protected = self.protected_branches.as_ref();
        protected.is_none_or(|protected| protected.protects(branch))
            || (self.is_empty && self.default_branch.as_deref() == Some(branch))
    }

    /// Why GitLab would push every branch through a mirror with `settings`. `None` if it pushes
    /// the branches that the settings select, or if the branches were not read.
    pub fn pushes_everything(&self, settings: &Settings) -> Option<PushesEverything> {
        let protected = self.protected_branches.as_ref();
        if self.is_empty {
            None
        } else if settings.only_protected_branches {
            let protects_none = protected.is_some_and(ProtectedBranches::is_empty);
            protects_none.then_some(PushesEverything::NothingProtected)
        } else {
            let regex = settings.branch_regex.as_ref()?;
            let has_no_match = self.unmatched.contains(regex);
            has_no_match.then_some(PushesEverything::NothingMatches)
        }
    }
}

/// The mirror intent of the claim that counts, and how much of it is written.
#[derive(Clone, Debug, Default)]
pub struct IntentState {
    /// The mirrors that this delivery created since its claim.
    pub content: MirrorIntent,
    /// The version that an unfinished intent of a peer was read from.
    pub read_from: Option<String>,
    /// The claim of this delivery names the created mirrors. They may be enabled.
    pub ids_committed: bool,
}

/// The mirrors as this delivery has read and changed them.
#[derive(Clone, Debug, Default)]
pub struct MirrorState {
    /// The projects of the spec. `None` if they have to be read (again).
    pub projects: Option<BTreeMap<String, Project>>,
    pub gitlab_error: Option<Reason>,
    /// GitLab instances with mirrors to delete that responded.
    pub reachable_gitlabs: BTreeSet<String>,
    pub settings_sent: BTreeSet<u64>,
    /// Mirrors that this delivery enabled again, or gave their branches again.
    pub restored: BTreeSet<u64>,
    /// Mirrors that pushed since this delivery started, or have nothing to push.
    pub synced: BTreeSet<u64>,
    /// Mirrors that this delivery deleted, or whose GitLab is permanently unreachable.
    pub retired: BTreeSet<MirrorRecord>,
    /// Mirrors of an intent that was taken over. They include this delivery's own.
    pub orphans: BTreeSet<MirrorRecord>,
    /// Mirrors that this delivery created, and that GitLab then did not find, although no peer took
    /// the log over.
    pub vanished: Vec<MirrorRecord>,
    /// A mirror could not be deleted. The claim that names it has to stay open.
    pub deletion_incomplete: bool,
    pub intent: IntentState,
}

impl MirrorState {
    /// The mirror of `record`. `None` if it is deleted.
    pub fn shown(&self, record: &MirrorRecord) -> Option<&Mirror> {
        let mirrors = &self.projects.as_ref()?.get(&record.project)?.mirrors;
        mirrors.iter().find(|mirror| mirror.id == record.id)
    }
}
