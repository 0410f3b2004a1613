//! Which mirrors are to be made, enabled, pushed and removed.

use super::journal::{Before, Journal, MirrorRecord, properties_key};
use crate::gitlab::PushStatus;
use crate::mirror_credential::messages;
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan::{Project, Step, View};
use crate::mirror_credential::spec::is_protected;
use cfn_custom_resource::Reason;

impl View<'_> {
    pub(in crate::mirror_credential) fn wants_mirrors(&self) -> bool {
        !self.desired.mirrors.is_empty()
    }

    /// What GitLab says, or that it says nothing, is a reason to refuse what is new. What stands as
    /// it was noted stays as it is, with a warning: the rollback of another change must succeed.
    pub(in crate::mirror_credential) fn refused_by_gitlab(&self) -> Option<Step> {
        let reason = self
            .known
            .silence
            .clone()
            .or_else(|| self.branch_faults())?;
        let refuse = Some(Step::Refuse(reason));
        let Some((secret, login)) = self.secret.and_then(|s| Some((s, s.current.as_ref()?))) else {
            return refuse;
        };
        let key = properties_key(&self.desired.document);
        let is_noted = secret
            .properties
            .last()
            .is_some_and(|noted| noted.key == key);
        if !is_noted || login.mirrors != self.desired.mirrors.len() {
            return refuse;
        }
        let current = match self.current_mirrors(secret) {
            Ok(current) => current,
            Err(step) => return Some(*step),
        };
        let mut wanted = self.desired.mirrors.iter();
        let is_kept = |wanted| {
            let mut current = current.iter();
            current.any(|record| self.desired.is_for(record, wanted))
        };
        if wanted.all(is_kept) { None } else { refuse }
    }

    /// Mirrors that would push every branch, and required branches that would not be mirrored.
    pub(in crate::mirror_credential) fn branch_faults(&self) -> Option<Reason> {
        let faults = self.mirrors_of_everything().into_iter();
        Reason::join(faults.chain(self.unprotected()))
    }

    /// The reason to reject mirrors through which GitLab would push every branch. `None` if there
    /// are none.
    pub(in crate::mirror_credential) fn pushes_everything(&self) -> Option<Reason> {
        Reason::join(self.mirrors_of_everything())
    }

    fn mirrors_of_everything(&self) -> Vec<Reason> {
        let mirrors = self.desired.mirrors.iter().enumerate();
        let faults = mirrors.filter_map(|(n, wanted)| {
            let reason = self
                .project(&wanted.project)?
                .pushes_everything(&wanted.settings)?;
            let place = format!("Mirrors[{n}]");
            let regex = wanted.settings.branch_regex.as_deref();
            Some(messages::every_branch_is_pushed(
                &place,
                &wanted.project,
                &reason,
                regex,
            ))
        });
        faults.collect()
    }

    /// Whether GitLab would push every branch through the mirror of `record`.
    fn is_of_everything(&self, record: &MirrorRecord) -> bool {
        let reason = self.desired.wanted(record).and_then(|wanted| {
            let project = self.project(&wanted.project)?;
            project.pushes_everything(&wanted.settings)
        });
        reason.is_some()
    }

    fn unprotected(&self) -> Vec<Reason> {
        let mut missing = Vec::new();
        let Some(projects) = &self.known.projects else {
            return missing;
        };
        for (n, wanted) in self.desired.mirrors.iter().enumerate() {
            let project = projects.get(&wanted.project);
            let Some(protected) = project.and_then(|project| project.protected_branches.as_ref())
            else {
                continue;
            };
            for branch in &wanted.required_branches {
                if wanted.settings.only_protected_branches && !is_protected(branch, &protected.own)
                {
                    missing.push(messages::branch_is_not_protected(
                        n,
                        &wanted.project,
                        branch,
                        protected.is_complete,
                    ));
                }
            }
        }
        missing
    }

    fn project(&self, name: &str) -> Option<&Project> {
        self.known.projects.as_ref()?.get(name)
    }

    /// Those of `records` that are wanted and still there.
    pub(in crate::mirror_credential) fn kept(&self, records: &[MirrorRecord]) -> Vec<MirrorRecord> {
        let mut kept: Vec<MirrorRecord> = Vec::new();
        for record in records {
            let is_there =
                self.desired.wanted(record).is_some() && self.known.shown(record).is_some();
            let is_second = kept.iter().any(|one| {
                one.project == record.project && one.repository_name == record.repository_name
            });
            if is_there && !is_second {
                kept.push(record.clone());
            }
        }
        kept
    }

    /// The mirrors that there are for what is wanted, in its order: `kept` and those made since.
    pub(in crate::mirror_credential) fn placed(&self, kept: &[MirrorRecord]) -> Vec<MirrorRecord> {
        let wanted = self.desired.mirrors.iter();
        let placed = wanted.filter_map(|wanted| {
            let mut records = kept.iter().chain(&self.known.journal.made);
            let record = records.find(|record| self.desired.is_for(record, wanted));
            record.cloned()
        });
        placed.collect()
    }

    /// Mirrors are made disabled, and named in the log before anything else happens with them.
    pub(in crate::mirror_credential) fn make_mirrors(
        &self,
        secret: &Secret,
        kept: &[MirrorRecord],
    ) -> Option<Step> {
        let placed = self.placed(kept);
        for (n, wanted) in self.desired.mirrors.iter().enumerate() {
            let mut placed = placed.iter();
            if !placed.any(|record| self.desired.is_for(record, wanted)) {
                return Some(Step::MakeMirror(n));
            }
        }
        let is_named = self.known.is_sealed || self.known.journal.made.is_empty();
        (!is_named).then(|| Step::Seal(secret.next_entry()))
    }

    /// A mirror of `records` that does not do what it should.
    pub(in crate::mirror_credential) fn enable(&self, records: &[MirrorRecord]) -> Option<Step> {
        let wrong = records.iter().find(|record| {
            let wanted = self.desired.wanted(record);
            let (Some(wanted), Some(mirror)) = (wanted, self.known.shown(record)) else {
                return false;
            };
            // An older GitLab does not show every setting, and mirrors of a project without
            // commits may show as disabled: what was told once counts.
            let is_told = self.known.told.contains(&record.id);
            !is_told
                && (!mirror.enabled || mirror.settings != wanted.settings)
                && self.may_enable(record)
        });
        wrong.map(|record| Step::EnableMirror(record.clone()))
    }

    /// A rotation enables the new mirror in any case, because the former one pushes as much. It
    /// starts no push then, see [`View::sync`].
    fn may_enable(&self, record: &MirrorRecord) -> bool {
        self.me.rotation.is_some() || !self.is_of_everything(record)
    }

    /// Those of `records` that have not pushed yet, or failed to. A mirror through which GitLab
    /// would push every branch is left out: nothing here starts such a push.
    pub(in crate::mirror_credential) fn sync(&self, records: &[MirrorRecord]) -> Option<Step> {
        let silent = records.iter().filter(|record| {
            let Some(mirror) = self.known.shown(record) else {
                return false;
            };
            let is_well = mirror.succeeded_at.is_some()
                && !matches!(mirror.status, PushStatus::Failed | PushStatus::ToRetry);
            !is_well && !self.known.synced.contains(&record.id) && !self.is_of_everything(record)
        });
        let silent: Vec<MirrorRecord> = silent.cloned().collect();
        (!silent.is_empty()).then_some(Step::SyncMirrors(silent))
    }

    /// The journal of an attempt that somebody else did not finish has to be known.
    pub(in crate::mirror_credential) fn read_journal(&self, secret: &Secret) -> Option<Step> {
        let version = secret.journal.as_ref()?;
        let is_open = secret.is_unfinished() && !self.is_mine();
        let is_read = self.known.journal_read.as_ref() == Some(version);
        (is_open && !is_read).then(|| Step::ReadJournal(version.clone()))
    }

    /// A mirror of an attempt that was taken over, or one whose number got lost on the way.
    pub(in crate::mirror_credential) fn remove_stray(&self, secret: &Secret) -> Option<Step> {
        if self.known.may_have_lost && !self.known.journal.before.is_empty() {
            return Some(Step::FindLost);
        }
        self.known.strays.first()?;
        // The attempt may have been concluded by somebody else meanwhile.
        let current = match self.current_mirrors(secret) {
            Ok(current) => current,
            Err(step) => return Some(*step),
        };
        let mut strays = self.known.strays.iter();
        let stray = strays.find(|stray| !current.contains(stray))?;
        Some(Step::RemoveStray(stray.clone()))
    }

    /// The mirrors of the current login.
    fn current_mirrors(&self, secret: &Secret) -> Result<&[MirrorRecord], Box<Step>> {
        let Some(login) = secret.current.as_ref().filter(|login| login.mirrors > 0) else {
            return Ok(&[]);
        };
        match self.known.values.get(&login.version_id) {
            None => Err(Box::new(Step::ReadLogin(login.version_id.clone()))),
            Some(value) => Ok(value.as_ref().map_or(&[], |value| &value.mirrors)),
        }
    }

    /// A mirror of a superseded login that the current one does not have.
    pub(in crate::mirror_credential) fn retire_superseded(&self, secret: &Secret) -> Option<Step> {
        let mut superseded = secret.superseded.iter();
        if !superseded.any(|login| login.mirrors > 0) {
            return None;
        }
        let current = match self.current_mirrors(secret) {
            Ok(current) => current,
            Err(step) => return Some(*step),
        };
        for login in secret.superseded.iter().filter(|login| login.mirrors > 0) {
            let Some(value) = self.known.values.get(&login.version_id) else {
                return Some(Step::ReadLogin(login.version_id.clone()));
            };
            let records = value.iter().flat_map(|value| &value.mirrors);
            let mut left = records.filter(|record| {
                !current.contains(record)
                    && !self.known.retired.contains(record)
                    && !self.is_gone(record)
            });
            if let Some(record) = left.next() {
                return Some(Step::RetireMirror(record.clone()));
            }
        }
        None
    }

    fn is_gone(&self, record: &MirrorRecord) -> bool {
        let gitlab = self.desired.gitlab.as_ref();
        if gitlab.is_none_or(|gitlab| gitlab.url != record.gitlab_url) {
            return false;
        }
        let project = self.project(&record.project);
        project.is_some_and(|project| !project.mirrors.iter().any(|one| one.id == record.id))
    }
}

/// What to write down before mirrors are made: what `journal` says of an attempt that was taken
/// over stays true.
pub fn before(
    view_of: &crate::mirror_credential::plan::Observed,
    desired: &crate::mirror_credential::spec::Spec,
    me: &crate::mirror_credential::plan::Me,
) -> Journal {
    let mut journal = Journal {
        claimant: me.claimant.clone(),
        written: None,
        before: view_of.journal.before.clone(),
        made: Vec::new(),
    };
    let (Some(gitlab), Some(projects)) = (&desired.gitlab, &view_of.projects) else {
        return journal;
    };
    for wanted in &desired.mirrors {
        let (name, repository) = (&wanted.project, &wanted.repository_name);
        let (Some(project), Some(clone_url)) =
            (projects.get(name), view_of.clone_urls.get(repository))
        else {
            continue;
        };
        if journal.before(&gitlab.url, name, repository).is_none() {
            let leading = project.mirrors.iter();
            let leading = leading.filter(|mirror| mirror.leads_to(clone_url));
            journal.before.push(Before {
                gitlab_url: gitlab.url.clone(),
                project: name.clone(),
                repository_name: repository.clone(),
                ids: leading.map(|mirror| mirror.id).collect(),
            });
        }
    }
    journal
}

#[cfg(test)]
pub mod tests;
