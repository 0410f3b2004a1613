//! Plans the steps for mirrors: which to create, enable, push and delete.

use std::ops::ControlFlow::Continue;

use crate::clients::gitlab::{PushStatus, other_project};
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, Plan, reject};
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::Secret;
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::timing::MIRRORS_AT_ONCE;
use crate::reconcile::{choose, choose_any, choose_if};
use cfn_custom_resource::Reason;

impl<'a> Planner<'a> {
    fn is_for(&self, record: &MirrorRecord, wanted: &WantedMirror) -> bool {
        self.state.mirrors.is_for(self.spec, record, wanted)
    }

    pub fn wanted(&self, record: &MirrorRecord) -> Option<&'a WantedMirror> {
        self.state.mirrors.wanted(self.spec, record)
    }

    pub fn has_mirrors(&self) -> bool {
        !self.spec.mirrors.is_empty()
    }

    /// Rejects the request if GitLab fails or rejects a step, unless it is a rollback. Then each
    /// mirror that GitLab does not change stays as it is, with a warning.
    pub fn check_acceptance(&self) -> Plan {
        let reason = self.gitlab_error().or_else(|| self.state.mirrors.rejected.first().cloned());
        let reason = reason.or_else(|| self.claimed_path()).or_else(|| self.given_twice());
        let reason = reason.or_else(|| self.branch_faults());
        self.reject_unless_rollback(reason)
    }

    /// Whether a rollback leaves all mirrors as they are, because GitLab cannot be read.
    pub fn mirrors_are_left(&self) -> bool {
        self.is_rollback() && self.gitlab_error().is_some()
    }

    /// Paths of the template that now lead to other projects than those of their mirrors.
    pub fn claimed_paths(&self) -> impl Iterator<Item = (&'a WantedMirror, Reason)> {
        let mirrors = self.spec.mirrors.iter().enumerate();
        mirrors.filter_map(|(n, wanted)| {
            let project = self.state.mirrors.project(&wanted.project)?;
            let property = format!("Mirrors[{n}].GitLabProject");
            let now = project.path_leads_to?;
            let reason = other_project(&property, &wanted.project, project.number, now);
            Some((wanted, reason))
        })
    }

    /// The reason to reject such a path, unless the request restores it after another one: its
    /// mirror stays in the former project.
    fn claimed_path(&self) -> Option<Reason> {
        let mut claimed = self.claimed_paths();
        let former = &self.state.request.previous.mirrors;
        let is_former = |wanted: &WantedMirror| {
            let mut former = former.iter();
            former.any(|former| former.project == wanted.project)
        };
        let claimed = claimed.find(|(wanted, _)| is_former(wanted));
        claimed.map(|(_, reason)| reason)
    }

    /// The reason to reject two mirrors from one project to one repository, if the template names
    /// the project by its number and by its path.
    fn given_twice(&self) -> Option<Reason> {
        let mirrors = &self.spec.mirrors;
        mirrors.iter().enumerate().find_map(|(n, wanted)| {
            let number = self.state.mirrors.number_of(wanted)?;
            let is_it = |other: &WantedMirror| {
                other.repository_name == wanted.repository_name
                    && self.state.mirrors.number_of(other) == Some(number)
            };
            let first = mirrors.iter().take(n).position(is_it)?;
            Some(messages::mirror_is_given_twice(first, n, number))
        })
    }

    /// Why the mirrors cannot be compared with the spec: GitLab could not be read, or shows a
    /// mirror of a stored login with another address.
    pub fn gitlab_error(&self) -> Option<Reason> {
        let values = self.state.login.stored.values().flatten();
        let records = values.flat_map(|value| &value.mirrors);
        let error = self.state.mirrors.gitlab_error.clone();
        error.or_else(|| self.shown_elsewhere(records))
    }

    /// Rejects the request if GitLab shows a mirror that this delivery created with another
    /// address, or does not find two in a row. The plan would otherwise create one after another. A
    /// rollback goes on without a mirror that GitLab does not find.
    pub fn check_created(&self) -> Plan {
        if let Some(reason) = self.shown_elsewhere(&self.state.created.mirrors) {
            return choose(reject(reason));
        }
        let vanished = self.vanished_again().next();
        let reason = vanished.map(|one| messages::mirror_is_not_found(&one.project, one.id));
        self.reject_unless_rollback(reason)
    }

    /// The mirrors that vanished after another one for the same project and repository.
    fn vanished_again(&self) -> impl Iterator<Item = &'a MirrorRecord> {
        let vanished = &self.state.mirrors.vanished;
        let again = vanished.iter().enumerate().filter(move |(n, record)| {
            let is_same = |other: &MirrorRecord| {
                other.project == record.project && other.repository_name == record.repository_name
            };
            vanished.iter().take(*n).any(is_same)
        });
        again.map(|(_, record)| record)
    }

    /// The reason to reject mirrors of the spec among `records` that GitLab shows with another
    /// address than that of their repository. `None` if there are none. GitLab cannot change the
    /// address of a mirror, so a mirror that GitLab shows is never one of another repository.
    pub fn shown_elsewhere<'r>(
        &self,
        records: impl IntoIterator<Item = &'r MirrorRecord>,
    ) -> Option<Reason> {
        records.into_iter().find_map(|record| {
            let wanted = self.wanted(record)?;
            let clone_url = self.state.clone_urls.get(&wanted.repository_name)?;
            let mirror = self.state.mirrors.shown(record)?;
            let shown = &mirror.destination;
            (!mirror.leads_to(clone_url))
                .then(|| messages::mirror_shown_elsewhere(record, shown, clone_url))
        })
    }

    /// Mirrors that would push every branch, and required branches that would not be mirrored.
    pub fn branch_faults(&self) -> Option<Reason> {
        let faults = self.mirrors_of_every_branch().into_iter();
        Reason::join(faults.chain(self.unprotected()))
    }

    /// The reasons to reject mirrors through which GitLab would push every branch.
    pub fn mirrors_of_every_branch(&self) -> Vec<Reason> {
        let mirrors = self.spec.mirrors.iter().enumerate();
        let mut faults = vec![];
        for (n, wanted) in mirrors.filter(|(_, wanted)| self.pushes_all_of(wanted)) {
            let place = format!("Mirrors[{n}]");
            faults.push(messages::every_branch_is_pushed(&place, &wanted.project));
        }
        faults
    }

    /// Whether GitLab would push every branch through the mirror of `record`.
    fn pushes_every_branch(&self, record: &MirrorRecord) -> bool {
        let wanted = self.wanted(record);
        wanted.is_some_and(|wanted| self.pushes_all_of(wanted))
    }

    fn pushes_all_of(&self, wanted: &WantedMirror) -> bool {
        let project = self.state.mirrors.project(&wanted.project);
        project.is_some_and(|project| project.pushes_everything(&wanted.settings))
    }

    fn unprotected(&self) -> Vec<Reason> {
        let mut missing = Vec::new();
        for (n, wanted) in self.spec.mirrors.iter().enumerate() {
            let Some(project) = self.state.mirrors.project(&wanted.project) else {
                continue;
            };
            let protected = project.protected_branches.as_ref();
            let is_complete = protected.is_none_or(|protected| protected.is_complete);
            for branch in &wanted.required_branches {
                if wanted.settings.only_protected_branches && !project.mirrors_branch(branch) {
                    missing.push(messages::branch_is_not_protected(
                        n,
                        &wanted.project,
                        branch,
                        is_complete,
                    ));
                }
            }
        }
        missing
    }

    pub fn kept_mirrors(&self, records: &[MirrorRecord]) -> Vec<MirrorRecord> {
        let kept = records.iter().filter(|record| {
            self.wanted(record).is_some() && self.state.mirrors.shown(record).is_some()
        });
        kept.cloned().collect()
    }

    /// The mirrors for the spec, in its order: `kept`, and those created since.
    pub fn placed_mirrors(&self, kept: &[MirrorRecord]) -> Vec<MirrorRecord> {
        let wanted = self.spec.mirrors.iter();
        let placed = wanted.filter_map(|wanted| {
            let mut records = kept.iter().chain(&self.state.mirrors.intent.content.created);
            let record = records.find(|record| self.is_for(record, wanted));
            record.cloned()
        });
        placed.collect()
    }

    /// The mirrors of the next login's version, in the order of `Mirrors`, then those that GitLab
    /// did not delete. With another password, none of the existing mirrors is among them.
    pub fn next_mirrors(&self) -> Vec<MirrorRecord> {
        let secret = self.secret.filter(|_| self.state.login.issued.is_none());
        let current = secret.and_then(|secret| self.current_mirrors(secret).continue_value());
        let current = current.unwrap_or_default();
        if self.mirrors_are_left() && self.state.login.issued.is_none() {
            return current.to_vec();
        }
        let mut next = self.placed_mirrors(&self.kept_mirrors(current));
        let left = current.iter().filter(|record| self.is_left(record));
        next.extend(left.cloned());
        next
    }

    /// Whether the mirror of `record` stays as it is, because GitLab rejects its change.
    fn is_left(&self, record: &MirrorRecord) -> bool {
        let mirrors = &self.state.mirrors;
        let wanted = self.wanted(record);
        mirrors.left.contains(record)
            || wanted.is_some_and(|wanted| mirrors.unread.contains(&wanted.project))
    }

    /// Whether GitLab rejects the creation of the mirror `wanted`, which has this index, or does
    /// not find it afterwards.
    fn is_uncreated(&self, n: usize, wanted: &WantedMirror) -> bool {
        let mirrors = &self.state.mirrors;
        mirrors.uncreated.contains(&n)
            || mirrors.unread.contains(&wanted.project)
            || self.vanished_again().any(|record| self.is_for(record, wanted))
    }

    /// Whether `records` are the mirrors of the spec, of which they have `kept`, as far as GitLab
    /// creates and deletes them.
    pub fn mirrors_are_complete(&self, records: &[MirrorRecord], kept: &[MirrorRecord]) -> bool {
        let wanted = self.spec.mirrors.iter().enumerate();
        let uncreated = wanted.filter(|(n, wanted)| {
            self.is_uncreated(*n, wanted) && !kept.iter().any(|record| self.is_for(record, wanted))
        });
        kept.len() + uncreated.count() == self.spec.mirrors.len()
            && records.iter().all(|record| kept.contains(record) || self.is_left(record))
    }

    /// Creates mirrors disabled, and commits their IDs to the log before any other change to them.
    pub fn create_mirrors(&self, kept: &[MirrorRecord]) -> Plan {
        let placed = self.placed_mirrors(kept);
        let wanted = self.spec.mirrors.iter().enumerate();
        let missing = wanted.filter(|(n, wanted)| {
            let is_rejected = self.mirrors_are_left() || self.is_uncreated(*n, wanted);
            !is_rejected && !placed.iter().any(|record| self.is_for(record, wanted))
        });
        let missing: Vec<usize> = missing.map(|(n, _)| n).take(MIRRORS_AT_ONCE).collect();
        if !missing.is_empty() {
            return choose(MirrorStep::CreateMirrors(missing));
        }
        let is_named = self.state.mirrors.intent.ids_committed
            || self.state.mirrors.intent.content.created.is_empty();
        choose_if(!is_named, MirrorStep::CommitMirrorIds)
    }

    pub fn push_mirrors(&self, records: &[MirrorRecord]) -> Plan {
        self.enable_mirrors(records)?;
        self.sync_mirrors(records)
    }

    /// Enables the mirrors of `records` that are disabled, or that have other settings than the
    /// spec.
    pub fn enable_mirrors(&self, records: &[MirrorRecord]) -> Plan {
        let wrong = records.iter().filter(|record| {
            let wanted = self.wanted(record);
            let (Some(wanted), Some(mirror)) = (wanted, self.state.mirrors.shown(record)) else {
                return false;
            };
            // An older GitLab does not show every setting, and may show mirrors of an empty project
            // as disabled. Without this, the plan would send the same settings forever.
            let is_sent = self.state.mirrors.settings_sent.contains(&record.id);
            !is_sent
                && (!mirror.enabled || mirror.settings != wanted.settings)
                && self.may_enable(record)
        });
        let wrong: Vec<MirrorRecord> = wrong.take(MIRRORS_AT_ONCE).cloned().collect();
        choose_if(!wrong.is_empty(), MirrorStep::EnableMirrors(wrong))
    }

    /// A rotation always enables the new mirror, because the mirror that it replaces pushes the
    /// same branches. It starts no push: see [`Planner::sync_mirrors`].
    fn may_enable(&self, record: &MirrorRecord) -> bool {
        self.context.rotation.is_some() || !self.pushes_every_branch(record)
    }

    /// Lets the mirrors of `records` push that have not pushed yet, whose push failed, or that get
    /// other branches. It skips a mirror through which GitLab would push every branch.
    pub fn sync_mirrors(&self, records: &[MirrorRecord]) -> Plan {
        let silent = records.iter().filter(|record| {
            let Some(mirror) = self.state.mirrors.shown(record) else {
                return false;
            };
            let is_well = mirror.succeeded_at.is_some()
                && !matches!(mirror.status, PushStatus::Failed | PushStatus::ToRetry)
                && !self.gets_other_branches(record);
            !is_well
                && !self.state.mirrors.synced.contains(&record.id)
                && !self.pushes_every_branch(record)
        });
        let silent: Vec<MirrorRecord> = silent.cloned().collect();
        let waits = silent.iter().any(|record| {
            let wanted = self.wanted(record);
            wanted.is_some_and(|wanted| wanted.waits_for_sync)
        });
        if waits {
            self.look_once()?;
        }
        choose_if(!silent.is_empty(), MirrorStep::SyncMirrors(silent))
    }

    /// Whether this request changes the choice of branches, or restored it. GitLab then starts no
    /// push.
    fn gets_other_branches(&self, record: &MirrorRecord) -> bool {
        let mut former = self.state.request.previous.mirrors.iter();
        let former = former.find(|former| self.is_for(record, former));
        let settings = former.zip(self.wanted(record));
        let is_changed = settings
            .is_some_and(|(former, wanted)| !former.settings.has_branches_of(&wanted.settings));
        is_changed || self.state.mirrors.restored.contains(&record.id)
    }

    /// Reads the mirror intent that a peer has not finished.
    pub fn read_mirror_intent(&self, secret: &Secret) -> Plan {
        let is_open = secret.is_unfinished() && !self.state.holds_claim();
        let read_from = self.state.mirrors.intent.read_from.as_ref();
        let intent = secret.log.mirror_intent.as_ref().filter(|_| is_open);
        let unread = intent.filter(|version| read_from != Some(version));
        choose_any(unread.map(|version| MirrorStep::ReadMirrorIntent(version.clone())))
    }

    /// Deletes a mirror of an attempt that was taken over.
    pub fn delete_orphan_mirror(&self, secret: &Secret) -> Plan {
        let orphans = &self.state.mirrors.orphans;
        if orphans.is_empty() {
            return Continue(());
        }
        // A peer may have finished the attempt meanwhile.
        let current = self.current_mirrors(secret)?;
        let orphan = orphans.iter().find(|orphan| !orphan.is_in(current));
        choose_any(orphan.map(|orphan| MirrorStep::DeleteOrphanMirror(orphan.clone())))
    }

    /// Reads the projects, after the records that have their numbers.
    pub fn read_projects(&self) -> Plan {
        if !self.has_mirrors() {
            return Continue(());
        }
        if let Some(secret) = self.secret {
            self.current_mirrors(secret)?;
        }
        let recorded = self.state.recorded_numbers(self.spec);
        let projects = self.state.mirrors.projects.as_ref();
        let is_read = projects.is_some_and(|projects| {
            let is_recorded = |(name, project): (&String, &Project)| {
                let number = recorded.get(name.as_str());
                number.is_none_or(|number| *number == project.number)
            };
            projects.iter().all(is_recorded)
        });
        choose_if(!is_read, MirrorStep::ReadProjects)
    }

    /// The mirrors of the current login, which may have to be read first.
    fn current_mirrors(&self, secret: &Secret) -> Plan<&[MirrorRecord]> {
        match secret.current().filter(|login| login.mirrors > 0) {
            Some(login) => self.mirrors_of(login),
            None => Continue(&[]),
        }
    }

    pub fn mirrors_of(&self, login: &Login) -> Plan<&[MirrorRecord]> {
        match self.state.login.stored.get(&login.version_id) {
            Some(value) => Continue(value.as_ref().map_or(&[], |value| &value.mirrors)),
            None => choose(CredentialStep::ReadLogin(login.version_id.clone())),
        }
    }

    /// Retires mirrors that the spec does not have, in a rollback: the stored login keeps the
    /// records of those that GitLab does not delete. An Update stores the login first.
    pub fn retire_before_storing(&self, records: &[MirrorRecord]) -> Plan {
        let unwanted = records.iter().filter(|record| {
            self.wanted(record).is_none() && !self.is_done(record) && !self.is_gone(record)
        });
        let unwanted: Vec<MirrorRecord> = unwanted.take(MIRRORS_AT_ONCE).cloned().collect();
        if unwanted.is_empty() {
            return Continue(());
        }
        if self.is_former {
            self.look_once()?;
        }
        choose_if(self.is_rollback(), MirrorStep::RetireMirrors(unwanted))
    }

    /// Whether this delivery has retired the mirror of `record`, GitLab rejected that, or another
    /// login has to end its pushes first.
    fn is_done(&self, record: &MirrorRecord) -> bool {
        self.state.mirrors.retired.contains(record)
            || self.is_left(record)
            || self.pushes_on(record)
    }

    /// Whether the spec does not have the GitLab of `record`.
    pub fn is_of_former_gitlab(&self, record: &MirrorRecord) -> bool {
        self.spec.gitlab.as_ref().is_none_or(|gitlab| gitlab.url != record.gitlab_url)
    }

    /// Whether an Update has to issue another login, because a former GitLab may push on with the
    /// current one.
    pub fn needs_other_login(&self) -> bool {
        !self.is_rollback() && self.state.mirrors.unproved.iter().any(|one| self.pushes_on(one))
    }

    fn pushes_on(&self, record: &MirrorRecord) -> bool {
        self.state.mirrors.unproved.contains(record) && self.state.pushes_with_current_login(record)
    }

    /// Whether GitLab did not delete a mirror of the superseded `login`.
    pub fn leaves_mirrors_of(&self, login: &Login) -> bool {
        let value = self.state.login.stored.get(&login.version_id);
        let records = value.into_iter().flatten().flat_map(|value| &value.mirrors);
        let secret = self.secret;
        let current = secret.and_then(|secret| self.current_mirrors(secret).continue_value());
        let current = current.unwrap_or_default();
        records
            .filter(|record| self.is_left(record))
            .any(|record| !record.is_in(current))
    }

    /// Whether the log names no mirror that is still to be deleted.
    pub fn orphans_are_deleted(&self) -> bool {
        self.is_rollback() && self.state.mirrors.orphans.is_empty()
    }

    /// Retires the mirrors of a superseded login that the current login does not have.
    pub fn retire_superseded(&self, secret: &Secret) -> Plan {
        let superseded = secret.log.superseded.iter();
        let mut superseded = superseded.filter(|login| login.mirrors > 0).peekable();
        if superseded.peek().is_none() {
            return Continue(());
        }
        let current = self.current_mirrors(secret)?;
        for login in superseded {
            let records = self.mirrors_of(login)?.iter();
            let left = records.filter(|record| {
                !record.is_in(current) && !self.is_done(record) && !self.is_gone(record)
            });
            let left: Vec<MirrorRecord> = left.take(MIRRORS_AT_ONCE).cloned().collect();
            if !left.is_empty() {
                return choose(MirrorStep::RetireMirrors(left));
            }
        }
        Continue(())
    }

    fn is_gone(&self, record: &MirrorRecord) -> bool {
        if self.is_of_former_gitlab(record) {
            return false;
        }
        let project = self.state.mirrors.project_of(record);
        project.is_some_and(|project| !project.mirrors.iter().any(|one| one.id == record.id))
    }
}

#[cfg(test)]
pub mod tests;
