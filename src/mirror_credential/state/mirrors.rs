//! The state of the mirrors: GitLab's projects, and the intents in the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::gitlab::{Mirror, ProjectRef, ProtectedBranches, Settings};
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, MirrorRecord};
use crate::mirror_credential::spec::{Spec, WantedMirror};
use cfn_custom_resource::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The GitLab that shows it.
    pub gitlab_url: String,
    pub number: u64,
    /// The project that its path in the template leads to now, if that is another one.
    pub path_leads_to: Option<u64>,
    /// All its mirrors, of any origin.
    pub mirrors: Vec<Mirror>,
    /// The branches that the project itself protects. `None` if they were not read.
    pub protected_branches: Option<ProtectedBranches>,
    pub is_empty: bool,
    /// Its default branch. `None` if it was not read.
    pub default_branch: Option<String>,
    /// The size of its Git LFS objects in bytes. 0 if it was not read.
    pub lfs_objects_size: u64,
}

impl Project {
    /// Whether `record` is about this project.
    fn is_of(&self, record: &MirrorRecord) -> bool {
        self.number == record.number && self.gitlab_url == record.gitlab_url
    }

    /// A project of which only the mirrors were read.
    pub fn new(gitlab_url: &str, number: u64, mirrors: Vec<Mirror>) -> Self {
        Project {
            gitlab_url: gitlab_url.to_owned(),
            number,
            path_leads_to: None,
            mirrors,
            protected_branches: None,
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

    /// Whether GitLab would push every branch through a mirror with `settings`, although these
    /// select the protected ones. `false` if the branches were not read.
    pub fn pushes_everything(&self, settings: &Settings) -> bool {
        let protected = self.protected_branches.as_ref();
        let protects_none = protected.is_some_and(ProtectedBranches::is_empty);
        settings.only_protected_branches && protects_none && !self.is_empty
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
    /// The projects of the spec, by their names in it. `None` if they have to be read (again).
    pub projects: Option<BTreeMap<String, Project>>,
    /// The mirrors of the secret that the request replaces.
    pub replaced: Vec<MirrorRecord>,
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
    /// Why GitLab rejected steps of the request. Such a step is not repeated.
    pub rejected: Vec<Reason>,
    /// Projects that GitLab did not show in a rollback. Their mirrors stay as they are.
    pub unread: BTreeSet<String>,
    /// The indices in `Mirrors` of those whose creation GitLab rejected.
    pub uncreated: BTreeSet<usize>,
    /// Mirrors of a former GitLab that push with the current login, and whose deletion nothing
    /// proves. Another login ends their pushes.
    pub unproved: BTreeSet<MirrorRecord>,
    /// Mirrors whose deletion GitLab rejected. The stored login keeps their records.
    pub left: BTreeSet<MirrorRecord>,
    /// A mirror could not be deleted. The claim that names it has to stay open.
    pub deletion_incomplete: bool,
    pub intent: IntentState,
}

impl MirrorState {
    /// The mirror of `record`. `None` if it is deleted.
    pub fn shown(&self, record: &MirrorRecord) -> Option<&Mirror> {
        let mirrors = &self.project_of(record)?.mirrors;
        mirrors.iter().find(|mirror| mirror.id == record.id)
    }

    /// The project that the spec names `name`. `None` if it was not read.
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects.as_ref()?.get(name)
    }

    /// The project of `record`. `None` if the spec has none with its number.
    pub fn project_of(&self, record: &MirrorRecord) -> Option<&Project> {
        self.projects.as_ref()?.values().find(|project| project.is_of(record))
    }

    /// Notes the mirror of `record` as GitLab shows it. `None` if it is deleted.
    pub fn note_shown(&mut self, record: &MirrorRecord, mirror: Option<&Mirror>) {
        // A project that the spec names by its path and by its number is listed twice.
        for project in self.projects.iter_mut().flat_map(BTreeMap::values_mut) {
            if project.is_of(record) {
                project.mirrors.retain(|one| one.id != record.id);
                project.mirrors.extend(mirror.cloned());
            }
        }
    }

    /// The project of `wanted`, by its number if it was read.
    pub fn project_ref<'a>(&self, wanted: &'a WantedMirror) -> ProjectRef<'a> {
        ProjectRef::numbered(self.number_of(wanted), &wanted.project)
    }

    pub fn number_of(&self, wanted: &WantedMirror) -> Option<u64> {
        self.project(&wanted.project).map(|project| project.number)
    }

    /// Whether `record` is about the mirror `wanted` of `spec`: from the same project, even under
    /// another name, to the same repository.
    pub fn is_for(&self, spec: &Spec, record: &MirrorRecord, wanted: &WantedMirror) -> bool {
        let is_same_project = match self.number_of(wanted) {
            Some(number) => record.number == number,
            None => record.is_named(&wanted.project),
        };
        let url = spec.gitlab.as_ref().map(|gitlab| &gitlab.url);
        url == Some(&record.gitlab_url)
            && is_same_project
            && record.repository_name == wanted.repository_name
    }

    /// The mirror of `spec` that `record` is about. `None` if the template no longer has it.
    pub fn wanted<'a>(&self, spec: &'a Spec, record: &MirrorRecord) -> Option<&'a WantedMirror> {
        let mut wanted = spec.mirrors.iter();
        wanted.find(|wanted| self.is_for(spec, record, wanted))
    }
}
