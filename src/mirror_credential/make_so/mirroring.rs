//! GitLab's mirrors: looking at them, making them, letting them push, removing them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::gitlabs::LOOK;
use super::super::mirror_records::{Journal, MirrorRecord};
use super::super::plan::{Project, SecretState, mirroring};
use super::super::properties::{self, WantedMirror};
use super::super::refusals;
use super::super::steps::{self, Written, explained};
use super::Delivery;
use super::issuing::MOST_DOUBTS;
use crate::cfn::Failure;
use crate::gitlab::{Error, GitLab, Mirror, Status};

/// The longest that one push is waited for.
const PUSH_TAKES: Duration = Duration::from_secs(12 * 60);

fn failure(error: &Error) -> Failure {
    Failure(error.to_string())
}

impl Delivery<'_> {
    async fn gitlab(&mut self) -> Result<Arc<GitLab>, Failure> {
        let Some(access) = &self.desired.gitlab else {
            return Err(Failure("internal error: mirrors without GitLab".to_owned()));
        };
        match self.gitlabs.at(&access.url).await {
            Ok(Some(gitlab)) => Ok(gitlab),
            Ok(None) => Err(Failure("internal error: GitLab is not known".to_owned())),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Looks at every project that is to be mirrored, or was when an attempt began.
    pub(super) async fn read_projects(&mut self) -> Result<(), Failure> {
        let gitlab = self.gitlab().await?;
        let patience = match self.me.rotation {
            // Secrets Manager may not try again before the next rotation is due.
            Some(_) => self
                .resource
                .clock
                .until(self.progress.until())
                .mul_f64(0.5),
            None => Duration::ZERO,
        };
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            match self.look_at_projects(&gitlab).await {
                Err(error) if error.is_unreachable() && tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(LOOK * 5).await;
                }
                looked => return looked.map_err(|error| failure(&error)),
            }
        }
    }

    async fn look_at_projects(&mut self, gitlab: &GitLab) -> Result<(), Error> {
        let mut projects = BTreeMap::new();
        for wanted in &self.desired.mirrors {
            let has_to_know =
                wanted.settings.only_protected_branches && !wanted.required_branches.is_empty();
            let project = match projects.remove(&wanted.project) {
                Some(project) => project,
                None => Project {
                    mirrors: gitlab.mirrors(&wanted.project).await?,
                    protected_branches: None,
                },
            };
            let protected_branches = match project.protected_branches {
                None if has_to_know => Some(gitlab.protected_branches(&wanted.project).await?),
                known => known,
            };
            let project = Project {
                protected_branches,
                ..project
            };
            projects.insert(wanted.project.clone(), project);
        }
        let url = self.desired.gitlab.as_ref().map(|access| &access.url);
        let before = self.known.journal.before.iter();
        for before in before.filter(|before| Some(&before.gitlab_url) == url) {
            if projects.contains_key(&before.project) {
                continue;
            }
            // It may be gone meanwhile.
            if let Ok(mirrors) = gitlab.mirrors(&before.project).await {
                let project = Project {
                    mirrors,
                    protected_branches: None,
                };
                projects.insert(before.project.clone(), project);
            }
        }
        self.known.projects = Some(projects);
        Ok(())
    }

    pub(super) async fn read_journal(&mut self, version_id: String) -> Result<(), Failure> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let journal = steps::read_journal(&self.resource.aws, secret, &version_id).await;
        let journal = journal.map_err(|error| Failure(explained(error).to_string()))?;
        let projects = self.known.projects.as_ref();
        let is_unseen = journal
            .before
            .iter()
            .any(|before| projects.is_some_and(|projects| !projects.contains_key(&before.project)));
        if is_unseen {
            self.known.projects = None;
        }
        self.known.strays.extend(journal.made);
        self.known.journal.before = journal.before;
        self.known.journal_read = Some(version_id);
        Ok(())
    }

    /// What the next claim has to say of mirrors.
    pub(super) fn journal_to_write(&self) -> Journal {
        let mut journal = mirroring::before(&self.known, self.desired);
        let strays = self.known.strays.iter();
        journal.made.extend(strays.cloned());
        journal
    }

    pub(super) async fn make_mirror(&mut self, n: usize) -> Result<(), Failure> {
        let Some(wanted) = self.desired.mirrors.get(n).cloned() else {
            return Ok(());
        };
        let Some((login, password)) = self.login_to_mirror_with() else {
            return Err(Failure(
                "internal error: a mirror without a login".to_owned(),
            ));
        };
        let gitlab = self.gitlab().await?;
        let Some(clone_url) = self.known.clone_urls.get(&wanted.repository_name) else {
            return Err(Failure(
                "internal error: a mirror without an address".to_owned(),
            ));
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
                self.note_made(&wanted, mirror);
                Ok(())
            }
            Err(error) if error.is_uncertain() => {
                self.doubts += 1;
                if self.doubts > MOST_DOUBTS {
                    return Err(failure(&error));
                }
                // If it was made after all, it is found there.
                self.known.projects = None;
                Ok(())
            }
            Err(error) => Err(failure(&error)),
        }
    }

    fn login_to_mirror_with(&self) -> Option<(String, crate::secret::Password)> {
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

    fn note_shown(&mut self, record: &MirrorRecord, mirror: Option<Mirror>) {
        let projects = self.known.projects.as_mut();
        let Some(project) = projects.and_then(|projects| projects.get_mut(&record.project)) else {
            return;
        };
        project.mirrors.retain(|one| one.id != record.id);
        project.mirrors.extend(mirror);
    }

    fn shown(&self, record: &MirrorRecord) -> Option<&Mirror> {
        let project = self.known.projects.as_ref()?.get(&record.project)?;
        project.mirrors.iter().find(|one| one.id == record.id)
    }

    fn wanted(&self, record: &MirrorRecord) -> Option<WantedMirror> {
        let mut wanted = self.desired.mirrors.iter();
        let wanted = wanted.find(|wanted| {
            wanted.project == record.project && wanted.repository_name == record.repository_name
        });
        wanted.cloned()
    }

    /// Names the mirrors that were made in the log, so that they may be enabled.
    pub(super) async fn seal(&mut self, number: u64) -> Result<(), Failure> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let aws = &self.resource.aws;
        let journal = &self.known.journal;
        let written = steps::write_claim(aws, secret, number, &self.me.claimant, journal).await;
        match written.map_err(|error| Failure(explained(error).to_string()))? {
            Written::Yes => {
                self.known.claim = Some(number);
                self.known.is_sealed = true;
                self.change_secret(|secret| secret.claim = number);
            }
            Written::Taken => self.give_way(number),
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    /// Somebody else has taken over. What was issued may have been reset, and what was made in
    /// GitLab is not needed.
    pub(super) fn give_way(&mut self, number: u64) {
        if let Some(issued) = &mut self.known.issued {
            issued.password = None;
        }
        let made = std::mem::take(&mut self.known.journal.made);
        self.known.strays.extend(made);
        self.known.overtaken_at = Some(self.resource.clock.now());
        self.known.claim = None;
        self.known.is_journaled = false;
        self.known.is_sealed = false;
        self.number_is_taken(number);
    }

    pub(super) async fn enable_mirror(&mut self, record: &MirrorRecord) -> Result<(), Failure> {
        let Some(wanted) = self.wanted(record) else {
            return Ok(());
        };
        let gitlab = self.gitlab().await?;
        let shown = gitlab
            .update(&record.project, record.id, &wanted.settings, true)
            .await
            .map_err(|error| failure(&error))?;
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
        let reason = refusals::mirror_stays_disabled(&record.project, record.id);
        Err(Failure(reason))
    }

    /// Somebody removed it: a person, or a delivery that took over.
    fn mirror_is_gone(&mut self, record: &MirrorRecord) {
        self.note_shown(record, None);
        let made = &mut self.known.journal.made;
        if made.contains(record) {
            made.retain(|one| one != record);
            self.give_way(0);
        }
    }

    pub(super) async fn sync_mirror(&mut self, record: &MirrorRecord) -> Result<(), Failure> {
        let Some(wanted) = self.wanted(record) else {
            return Ok(());
        };
        let gitlab = self.gitlab().await?;
        let (project, id) = (&record.project, record.id);
        let mut before = self.shown(record).cloned();
        if before.as_ref().is_some_and(|mirror| !mirror.enabled) {
            // Of a project without commits: it cannot push, and need not.
            self.known.synced.insert(id);
            return Ok(());
        }
        let asked = gitlab.sync(project, id).await;
        if !asked.map_err(|error| failure(&error))? {
            self.mirror_is_gone(record);
            return Ok(());
        }
        if !wanted.waits_for_sync {
            self.known.synced.insert(id);
            return Ok(());
        }
        let left = self.resource.clock.until(self.progress.until());
        let give_up = tokio::time::Instant::now() + PUSH_TAKES.min(left.mul_f64(0.7));
        let mut has_asked_again = false;
        let mut knows_that_it_has_commits = false;
        loop {
            let shown = gitlab.mirror(project, id).await;
            let Some(mirror) = shown.map_err(|error| failure(&error))? else {
                self.mirror_is_gone(record);
                return Ok(());
            };
            match Push::of(before.as_ref(), &mirror) {
                Push::Succeeded => {
                    self.known.synced.insert(id);
                    self.note_shown(record, Some(mirror));
                    return Ok(());
                }
                // The login may not have spread to where GitLab's push arrived.
                Push::Failed if !has_asked_again => {
                    has_asked_again = true;
                    let asked = gitlab.sync(project, id).await;
                    asked.map_err(|error| failure(&error))?;
                    before = Some(mirror.clone());
                }
                Push::Failed => return Err(self.not_pushed(record, &mirror, "failed")),
                Push::UnderWay => {}
            }
            if !knows_that_it_has_commits {
                if is_empty(&gitlab, record).await {
                    self.known.synced.insert(id);
                    return Ok(());
                }
                knows_that_it_has_commits = true;
            }
            if tokio::time::Instant::now() + LOOK >= give_up {
                return Err(self.not_pushed(record, &mirror, "did not end in time"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn not_pushed(&self, record: &MirrorRecord, mirror: &Mirror, what: &str) -> Failure {
        let MirrorRecord {
            project,
            repository_name,
            id,
            ..
        } = record;
        let mut error = mirror.last_error.clone().unwrap_or_default();
        if let Some((_, password)) = self.login_to_mirror_with() {
            error = password.redact(&error);
        }
        let error = if error.is_empty() {
            "GitLab gives no reason".to_owned()
        } else {
            format!("GitLab says: {error}")
        };
        Failure(format!(
            "pushing project {project} to repository {repository_name} with push mirror {id}: the push \
             {what}; {error}"
        ))
    }

    pub(super) async fn remove_stray(&mut self, record: &MirrorRecord) -> Result<(), Failure> {
        self.knows_access_to(record).await?;
        let deleted = self.gitlabs.delete(record).await;
        self.note_removal(record, deleted.map_err(|error| error.to_string()))?;
        self.known.strays.remove(record);
        Ok(())
    }

    pub(super) async fn retire_mirror(&mut self, record: &MirrorRecord) -> Result<(), Failure> {
        self.knows_access_to(record).await?;
        let left = self.resource.clock.until(self.progress.until());
        let retired = self.gitlabs.retire(record, left.mul_f64(0.6)).await;
        self.note_removal(record, retired.map_err(|error| error.to_string()))?;
        self.known.retired.insert(record.clone());
        Ok(())
    }

    /// A GitLab that the template has left may be gone for good; it does not hold the stack up.
    fn note_removal(
        &mut self,
        record: &MirrorRecord,
        removed: Result<(), String>,
    ) -> Result<(), Failure> {
        let url = self.desired.gitlab.as_ref().map(|access| &access.url);
        match removed {
            Ok(()) => self.note_shown(record, None),
            Err(reason) if url == Some(&record.gitlab_url) => return Err(Failure(reason)),
            Err(reason) => tracing::warn!(reason, "a mirror is left behind"),
        }
        Ok(())
    }

    /// The way to a former GitLab stands in the log.
    async fn knows_access_to(&mut self, record: &MirrorRecord) -> Result<(), Failure> {
        if self.gitlabs.knows(&record.gitlab_url) {
            return Ok(());
        }
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let document = steps::read_document(&self.resource.aws, secret).await;
        let document = document.map_err(|error| Failure(explained(error).to_string()))?;
        if let Some(access) = document.as_ref().and_then(properties::gitlab_in) {
            self.gitlabs.add(access);
        }
        Ok(())
    }

    /// Removes the mirrors that this delivery made and that nothing names. What GitLab does not let
    /// go stands in the log for whoever comes next.
    pub(super) async fn undo_mirrors(&mut self) {
        let made = std::mem::take(&mut self.known.journal.made);
        let own = self.known.strays.intersection(&self.made_here).cloned();
        let records: Vec<MirrorRecord> = made.into_iter().chain(own).collect();
        for left in self.gitlabs.delete_all(&records).await {
            tracing::warn!(left, "not undone");
        }
    }
}

/// Whether the project has no commits: its mirrors have nothing to do.
async fn is_empty(gitlab: &GitLab, record: &MirrorRecord) -> bool {
    let project = gitlab.project(&record.project).await;
    project.is_ok_and(|project| project.is_empty)
}

/// What became of a push that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    UnderWay,
    Succeeded,
    Failed,
}

impl Push {
    /// `before` is what the mirror showed before the push was asked for.
    fn of(before: Option<&Mirror>, now: &Mirror) -> Push {
        let is_newer = |get: fn(&Mirror) -> Option<std::time::SystemTime>| {
            get(now).is_some() && get(now) > before.and_then(get)
        };
        if is_newer(|mirror| mirror.succeeded_at) {
            return Push::Succeeded;
        }
        let has_ended = is_newer(|mirror| mirror.updated_at)
            || is_newer(|mirror| mirror.started_at)
            || before.is_none_or(|before| before.status != Status::Failed);
        match now.status {
            Status::Failed if has_ended => Push::Failed,
            _ => Push::UnderWay,
        }
    }
}
