//! Deletes mirrors that are superseded, or that were never in use.

use crate::clients::gitlab::GitLabError;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::state::mirrors::Project;
use cfn_custom_resource::Reason;

impl Applier<'_> {
    pub async fn delete_orphan_mirror(&mut self, record: &MirrorRecord) -> Result<(), ApplyError> {
        self.ensure_access_to(&record.gitlab_url).await?;
        let deleted = self.gitlab_clients.delete(record).await;
        // If the deletion failed, the claim that names the mirror has to stay open.
        self.state.mirrors.deletion_incomplete |= deleted.is_err();
        self.note_removal(record, deleted)?;
        self.state.mirrors.orphans.remove(record);
        Ok(())
    }

    pub async fn retire_mirrors(&mut self, records: &[MirrorRecord]) -> Result<(), ApplyError> {
        for record in records {
            self.ensure_access_to(&record.gitlab_url).await?;
        }
        let left = self.clients.clock.until(self.progress.until());
        let records = records.iter();
        let found: Vec<_> = records
            .clone()
            .map(|one| self.with_current_project(one))
            .collect();
        let (clock, patience) = (&self.clients.clock, left.mul_f64(0.6));
        let retired = self.gitlab_clients.retire(&found, patience, clock).await;
        let mut result = Ok(());
        for (record, retired) in records.zip(retired) {
            let retired = retired.map(|note| {
                if let Some(note) = note {
                    tracing::warn!(note, "mirror deleted");
                    self.warnings.push(Reason::new(Code::PushInterrupted, note));
                }
            });
            match self.note_removal(record, retired) {
                Ok(()) => drop(self.state.mirrors.retired.insert(record.clone())),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// `record` with the project's current path. A project that has moved keeps the IDs of its
    /// mirrors.
    fn with_current_project(&self, record: &MirrorRecord) -> MirrorRecord {
        let url = self.spec.gitlab.as_ref().map(|access| &access.url);
        let projects = self.state.mirrors.projects.iter().flatten();
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

    /// Checks that the GitLab of a mirror responds, before the mirror is superseded.
    pub async fn check_gitlab(&mut self, record: &MirrorRecord) -> Result<(), ApplyError> {
        self.ensure_access_to(&record.gitlab_url).await?;
        self.gitlab_clients.answers(record).await?;
        self.state
            .mirrors
            .reachable_gitlabs
            .insert(record.gitlab_url.clone());
        Ok(())
    }

    /// Notes a deletion. A failure is only a warning if the project has moved. It is also a warning
    /// if the template no longer has the GitLab and the mirror does not push with the current
    /// login. Otherwise a GitLab that no longer exists would block every update.
    fn note_removal(
        &mut self,
        record: &MirrorRecord,
        removed: Result<(), GitLabError>,
    ) -> Result<(), ApplyError> {
        let Err(error) = removed else {
            self.note_shown(record, None);
            return Ok(());
        };
        let url = self.spec.gitlab.as_ref().map(|access| &access.url);
        let is_former = url != Some(&record.gitlab_url) && !self.pushes_with_current_login(record);
        if !is_former && !error.has_moved() {
            return Err(error.into());
        }
        self.warnings.push(error.reason());
        Ok(())
    }

    fn pushes_with_current_login(&self, record: &MirrorRecord) -> bool {
        let Some(secret) = self.state.secret.present() else {
            return false;
        };
        let Some(current) = &secret.log.current else {
            return false;
        };
        let is_named = |version: &String| {
            let value = self.state.login.stored.get(version);
            let value = value.and_then(|value| value.as_ref());
            value.is_some_and(|value| value.mirrors.contains(record))
        };
        let mut logins = secret.logins();
        logins.any(|login| {
            login.credential_id == current.credential_id && is_named(&login.version_id)
        })
    }

    /// Reads the access to a GitLab that the template no longer has from the saved spec.
    async fn ensure_access_to(&mut self, url: &str) -> Result<(), ApplyError> {
        if self.gitlab_clients.knows(url) {
            return Ok(());
        }
        let secret = self.state.secret.required()?;
        let access = calls::read_access(&self.clients.aws, secret).await?;
        self.gitlab_clients.add(access);
        Ok(())
    }

    /// Deletes the mirrors that this delivery created and that no login names, best effort. If GitLab
    /// fails, the log still names them for the next delivery.
    pub async fn roll_back_mirrors(&mut self) {
        self.orphan_created_mirrors();
        self.delete_own_orphans().await;
    }

    /// Deletes the mirrors that this delivery created before a peer took the log over. The peer
    /// has not read their IDs.
    pub async fn delete_own_orphans(&mut self) {
        let orphans = &self.state.mirrors.orphans;
        let own: Vec<MirrorRecord> = orphans
            .intersection(&self.created.mirrors)
            .cloned()
            .collect();
        for record in own {
            if let Err(error) = self.delete_orphan_mirror(&record).await {
                tracing::warn!(%error, "not rolled back");
            }
        }
    }
}
