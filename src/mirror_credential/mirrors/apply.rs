//! GitLab's mirrors: looking at them, making them, letting them push, removing them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::gitlab_clients::{LOOK, NotRemoved};
use super::journal::{Journal, MirrorRecord};
use super::plan;
use super::sync::is_empty;
use crate::gitlab::{ErrorKind, GitLab, GitLabError, Mirror, ProtectedBranches, PushesEverything};
use crate::mirror_credential::apply::Delivery;
use crate::mirror_credential::apply::error::DeliveryError;
use crate::mirror_credential::apply::issue::MOST_DOUBTS;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::Written;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::{Project, RotationPart, SecretState};
use crate::mirror_credential::spec::WantedMirror;
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

/// A GitLab that is being restarted is back by then.
const A_WHILE: Duration = Duration::from_secs(60);

impl Delivery<'_> {
    pub(in crate::mirror_credential) async fn gitlab(
        &mut self,
    ) -> Result<Arc<GitLab>, DeliveryError> {
        let Some(access) = &self.desired.gitlab else {
            return Err(DeliveryError::internal("mirrors without GitLab"));
        };
        match self.gitlabs.at(&access.url).await {
            Ok(Some(gitlab)) => Ok(gitlab),
            Ok(None) => Err(DeliveryError::internal("GitLab is not known")),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at every project that is to be mirrored. What GitLab does not say may not matter: the
    /// plan decides.
    pub(in crate::mirror_credential) async fn read_projects(
        &mut self,
    ) -> Result<(), DeliveryError> {
        let left = self.resource.clock.until(self.progress.until());
        let patience = match self.me.rotation {
            // How soon Secrets Manager reattempts is not documented: see `crate::mirror_credential::rotation`.
            Some(_) => left.mul_f64(0.5),
            None => A_WHILE.min(left.mul_f64(0.1)),
        };
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            match self.look_at_projects().await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() && tokio::time::Instant::now() < give_up => {
                    self.gitlabs.forget_failures();
                    tokio::time::sleep(LOOK * 5).await;
                }
                Err(error) if self.me.rotation.is_none() && self.secret_is_read() => {
                    self.known.silence = Some(error.reason());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(in crate::mirror_credential) fn secret_is_read(&self) -> bool {
        self.known.secret.present().is_some()
    }

    async fn look_at_projects(&mut self) -> Result<(), GitLabError> {
        let Some(access) = &self.desired.gitlab else {
            return Ok(());
        };
        let Some(gitlab) = self.gitlabs.at(&access.url).await? else {
            return Ok(());
        };
        let mut projects = BTreeMap::new();
        for wanted in &self.desired.mirrors {
            let mut project = match projects.remove(&wanted.project) {
                Some(project) => project,
                None => self.look_at_project(&gitlab, &wanted.project).await?,
            };
            match self.me.rotation.as_ref().map(|rotation| rotation.part) {
                None => match look_at_branches(&gitlab, wanted, &mut project).await {
                    // GitLab may answer so to a regex that is not RE2's, which it refuses with its
                    // reason when the mirror is created.
                    Err(GitLabError {
                        kind: ErrorKind::ServerError { .. },
                        ..
                    }) if wanted.settings.branch_regex.is_some() => {}
                    looked => looked?,
                },
                // These parts start pushes.
                Some(RotationPart::Test | RotationPart::Finish) => {
                    self.look_in_rotation(&gitlab, wanted, &mut project).await?;
                }
                Some(RotationPart::Create | RotationPart::Set) => {}
            }
            projects.insert(wanted.project.clone(), project);
        }
        self.known.projects = Some(projects);
        self.known.answering.insert(access.url.clone());
        Ok(())
    }

    async fn look_at_project(&self, gitlab: &GitLab, name: &str) -> Result<Project, GitLabError> {
        let mut project = Project::new(gitlab.mirrors(name).await?);
        if self.me.rotation.is_none() {
            let described = gitlab.project(name).await?;
            project.is_empty = described.is_empty;
            project.lfs_objects_size = described.lfs_objects_size;
        }
        Ok(project)
    }

    /// A rotation does not fail because of a project's branches: its mirrors push what the former
    /// ones pushed.
    async fn look_in_rotation(
        &self,
        gitlab: &GitLab,
        wanted: &WantedMirror,
        project: &mut Project,
    ) -> Result<(), GitLabError> {
        match gitlab
            .pushes_everything(&wanted.project, &wanted.settings)
            .await
        {
            Ok(None) => {}
            Ok(Some(PushesEverything::NothingProtected)) => {
                tracing::warn!(
                    project = wanted.project,
                    "no branch is protected: GitLab pushes every branch"
                );
                project.protected_branches = Some(ProtectedBranches {
                    own: vec![],
                    is_complete: true,
                });
            }
            Ok(Some(PushesEverything::NothingMatches)) => {
                tracing::warn!(
                    project = wanted.project,
                    "no branch matches BranchRegex: GitLab pushes every branch"
                );
                project
                    .unmatched
                    .extend(wanted.settings.branch_regex.clone());
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => tracing::warn!(%error, "the branches were not read"),
        }
        Ok(())
    }

    /// Looks once more before GitLab may push: the branches may have changed since the beginning.
    async fn look_before_enabling(
        &mut self,
        gitlab: &GitLab,
        wanted: &WantedMirror,
    ) -> Result<(), DeliveryError> {
        if self.me.rotation.is_some() {
            return Ok(());
        }
        let (project, settings) = (&wanted.project, &wanted.settings);
        let Some(reason) = gitlab.pushes_everything(project, settings).await? else {
            return Ok(());
        };
        let mut mirrors = self.desired.mirrors.iter();
        let n = mirrors.position(|one| one == wanted).unwrap_or_default();
        let (place, regex) = (format!("Mirrors[{n}]"), settings.branch_regex.as_deref());
        let refusal = messages::every_branch_is_pushed(&place, project, &reason, regex);
        Err(DeliveryError::permanent(refusal))
    }

    pub(in crate::mirror_credential) async fn read_journal(
        &mut self,
        version_id: String,
    ) -> Result<(), DeliveryError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let journal = calls::read_journal(&self.resource.aws, secret, &version_id).await?;
        let Journal {
            claimant,
            written,
            before,
            made,
        } = journal;
        self.known.strays.extend(made);
        self.known.may_have_lost = !before.is_empty();
        self.known.journal.claimant = claimant;
        self.known.journal.written = written;
        self.known.journal.before = before;
        self.known.journal_read = Some(version_id);
        Ok(())
    }

    /// What the next claim has to say of mirrors.
    pub(in crate::mirror_credential) fn journal_to_write(&self) -> Journal {
        let mut journal = plan::before(&self.known, self.desired, self.me);
        let strays = self.known.strays.iter();
        journal.made.extend(strays.cloned());
        journal
    }

    pub(in crate::mirror_credential) async fn make_mirror(
        &mut self,
        n: usize,
    ) -> Result<(), DeliveryError> {
        let Some(wanted) = self.desired.mirrors.get(n) else {
            return Ok(());
        };
        let Some((login, password)) = self.login_to_mirror_with() else {
            return Err(DeliveryError::internal("a mirror without a login"));
        };
        let gitlab = self.gitlab().await?;
        let Some(clone_url) = self.known.clone_urls.get(&wanted.repository_name) else {
            return Err(DeliveryError::internal("a mirror without an address"));
        };
        let made = gitlab
            .create(
                &wanted.project,
                clone_url,
                &login,
                &password,
                &wanted.settings,
            )
            .await;
        match made {
            Ok(mirror) => {
                self.note_made(wanted, mirror);
                Ok(())
            }
            Err(error) if error.outcome_unknown() => {
                self.doubts += 1;
                if self.doubts > MOST_DOUBTS {
                    return Err(error.into());
                }
                // If it was made after all, it is found.
                self.known.may_have_lost = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn login_to_mirror_with(&self) -> Option<(String, crate::password::Password)> {
        if let Some(issued) = &self.known.issued {
            return Some((issued.service_user_name.clone(), issued.password.clone()?));
        }
        let current = self.known.secret.present()?.current.as_ref()?;
        let value = self.known.values.get(&current.version_id)?.as_ref()?;
        Some((value.service_user_name.clone(), value.password.clone()))
    }

    fn note_made(&mut self, wanted: &WantedMirror, mirror: Mirror) {
        let url = self
            .desired
            .gitlab
            .as_ref()
            .map(|access| access.url.clone());
        let record = MirrorRecord {
            gitlab_url: url.unwrap_or_default(),
            project: wanted.project.clone(),
            repository_name: wanted.repository_name.clone(),
            id: mirror.id,
        };
        self.made_here.insert(record.clone());
        self.known.journal.made.push(record.clone());
        self.known.is_sealed = false;
        self.note_shown(&record, Some(mirror));
    }

    pub(in crate::mirror_credential) fn note_shown(
        &mut self,
        record: &MirrorRecord,
        mirror: Option<Mirror>,
    ) {
        let projects = self.known.projects.as_mut();
        let Some(project) = projects.and_then(|projects| projects.get_mut(&record.project)) else {
            return;
        };
        project.mirrors.retain(|one| one.id != record.id);
        project.mirrors.extend(mirror);
    }

    /// Names the mirrors that were made in the log, so that they may be enabled.
    pub(in crate::mirror_credential) async fn seal(
        &mut self,
        number: u64,
    ) -> Result<(), DeliveryError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let aws = &self.resource.aws;
        let journal = &self.known.journal;
        match calls::write_claim(aws, secret, number, journal).await? {
            Written::Yes => {
                self.known.claim = Some(number);
                self.known.is_sealed = true;
                self.change_secret(|secret| {
                    secret.claim = number;
                    secret.journal = Some(intent_log::version_id(number));
                });
            }
            Written::Taken => self.give_way(number),
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    pub(in crate::mirror_credential) async fn enable_mirror(
        &mut self,
        record: &MirrorRecord,
    ) -> Result<(), DeliveryError> {
        let Some(wanted) = self.desired.wanted(record) else {
            return Ok(());
        };
        let gitlab = self.gitlab().await?;
        self.look_before_enabling(&gitlab, wanted).await?;
        let shown = gitlab
            .update(&record.project, record.id, &wanted.settings, true)
            .await?;
        let Some(mirror) = shown else {
            self.mirror_is_gone(record);
            return Ok(());
        };
        let is_enabled = mirror.enabled;
        self.known.told.insert(record.id);
        self.note_shown(record, Some(mirror));
        if is_enabled || is_empty(&gitlab, record).await {
            return Ok(());
        }
        let reason = messages::mirror_stays_disabled(&record.project, record.id);
        Err(DeliveryError::permanent(reason))
    }

    /// Somebody removed it: a person, or a delivery that took over.
    pub(in crate::mirror_credential) fn mirror_is_gone(&mut self, record: &MirrorRecord) {
        self.note_shown(record, None);
        self.known.journal.made.retain(|one| one != record);
        // If it was one that took over, the log tells.
        self.known.secret = SecretState::Unread;
    }

    pub(in crate::mirror_credential) async fn remove_stray(
        &mut self,
        record: &MirrorRecord,
    ) -> Result<(), DeliveryError> {
        self.knows_access_to(&record.gitlab_url).await?;
        let deleted = self.gitlabs.delete(record).await;
        // The claim that names it stays open.
        self.known.is_left_behind |= deleted.is_err();
        self.note_removal(record, deleted)?;
        self.known.strays.remove(record);
        Ok(())
    }

    pub(in crate::mirror_credential) async fn retire_mirror(
        &mut self,
        record: &MirrorRecord,
    ) -> Result<(), DeliveryError> {
        self.knows_access_to(&record.gitlab_url).await?;
        let left = self.resource.clock.until(self.progress.until());
        let found = self.where_it_is(record);
        let clock = &self.resource.clock;
        let patience = left.mul_f64(0.6);
        let retired = self.gitlabs.retire(&found, patience, clock).await;
        let retired = retired.map(|note| {
            if let Some(note) = note {
                tracing::warn!(note, "mirror deleted");
                self.notes.push(Reason::new(Code::PushInterrupted, note));
            }
        });
        self.note_removal(record, retired)?;
        self.known.retired.insert(record.clone());
        Ok(())
    }

    /// A project that has moved shows its mirrors under its new path; their numbers stay.
    fn where_it_is(&self, record: &MirrorRecord) -> MirrorRecord {
        let url = self.desired.gitlab.as_ref().map(|access| &access.url);
        let projects = self.known.projects.iter().flatten();
        let shows = |project: &Project| project.mirrors.iter().any(|one| one.id == record.id);
        let mut found = projects.filter(|(_, project)| shows(project));
        match found.next() {
            Some((name, _)) if url == Some(&record.gitlab_url) => MirrorRecord {
                project: name.clone(),
                ..record.clone()
            },
            _ => record.clone(),
        }
    }

    /// Asks the GitLab of a mirror that is about to be given up whether it would let it go.
    pub(in crate::mirror_credential) async fn ask_gitlab(
        &mut self,
        record: &MirrorRecord,
    ) -> Result<(), DeliveryError> {
        self.knows_access_to(&record.gitlab_url).await?;
        self.gitlabs.answers(record).await?;
        self.known.answering.insert(record.gitlab_url.clone());
        Ok(())
    }

    /// Looks for mirrors whose numbers got lost on the way.
    pub(in crate::mirror_credential) async fn find_lost(&mut self) -> Result<(), DeliveryError> {
        for before in self.known.journal.before.clone() {
            self.knows_access_to(&before.gitlab_url).await?;
            match self.gitlabs.lost(&before, &self.known.clone_urls).await {
                Ok(lost) => {
                    let made = &self.known.journal.made;
                    let lost = lost.into_iter().filter(|record| !made.contains(record));
                    self.known.strays.extend(lost);
                }
                // They are disabled.
                Err(error) => {
                    self.known.is_left_behind = true;
                    self.notes.push(error.reason());
                }
            }
        }
        self.known.may_have_lost = false;
        Ok(())
    }

    /// A GitLab that the template has left may be gone for good, and a project may have moved: that
    /// does not hold the stack up, unless what is left still works.
    fn note_removal(
        &mut self,
        record: &MirrorRecord,
        removed: Result<(), NotRemoved>,
    ) -> Result<(), DeliveryError> {
        let Err(error) = removed else {
            self.note_shown(record, None);
            return Ok(());
        };
        let url = self.desired.gitlab.as_ref().map(|access| &access.url);
        let is_former = url != Some(&record.gitlab_url) && !self.pushes_with_current_login(record);
        if !is_former && !error.has_moved() {
            return Err(error.into());
        }
        self.notes.push(error.reason());
        Ok(())
    }

    fn pushes_with_current_login(&self, record: &MirrorRecord) -> bool {
        let Some(secret) = self.known.secret.present() else {
            return false;
        };
        let Some(current) = &secret.current else {
            return false;
        };
        let is_named = |version: &String| {
            let value = self.known.values.get(version);
            let value = value.and_then(|value| value.as_ref());
            value.is_some_and(|value| value.mirrors.contains(record))
        };
        let mut logins = secret.logins();
        logins.any(|login| {
            login.credential_id == current.credential_id && is_named(&login.version_id)
        })
    }

    /// The way to a former GitLab stands in the log.
    async fn knows_access_to(&mut self, url: &str) -> Result<(), DeliveryError> {
        if self.gitlabs.knows(url) {
            return Ok(());
        }
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let access = calls::read_access(&self.resource.aws, secret).await?;
        self.gitlabs.add(access);
        Ok(())
    }

    /// Removes the mirrors that this delivery made and that nothing names. What GitLab does not let
    /// go stands in the log for whoever comes next.
    pub(in crate::mirror_credential) async fn undo_mirrors(&mut self) {
        let made = std::mem::take(&mut self.known.journal.made);
        self.known.strays.extend(made);
        self.remove_own_strays().await;
    }

    /// Removes what this delivery made in vain: another one took over, and does not know of it.
    pub(in crate::mirror_credential) async fn remove_own_strays(&mut self) {
        let own = self.known.strays.intersection(&self.made_here).cloned();
        let own: Vec<MirrorRecord> = own.collect();
        for left in self.gitlabs.delete_all(&own).await {
            tracing::warn!(left, "not undone");
        }
    }
}

/// Reads what decides which branches a mirror pushes.
async fn look_at_branches(
    gitlab: &GitLab,
    wanted: &WantedMirror,
    project: &mut Project,
) -> Result<(), GitLabError> {
    if wanted.settings.only_protected_branches {
        if project.protected_branches.is_none() {
            let protected = gitlab.protected_branches(&wanted.project).await?;
            project.protected_branches = Some(protected);
        }
    } else if let Some(regex) = &wanted.settings.branch_regex
        && !gitlab.has_branch_like(&wanted.project, regex).await?
    {
        project.unmatched.insert(regex.clone());
    }
    Ok(())
}
