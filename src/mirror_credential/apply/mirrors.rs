//! Executes the steps for the mirrors.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use crate::clients::gitlab::{GitLab, Mirror};
use crate::common::password::Password;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::credential::MAX_UNCERTAIN_CALLS;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::apply::sync_mirrors::is_empty;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::version_id;
use crate::mirror_credential::plan::step::MirrorStep;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::SecretState;
use crate::mirror_credential::{calls, messages, observe};

impl Applier<'_> {
    pub async fn apply_mirror_step(&mut self, step: MirrorStep) -> Result<(), ApplyError> {
        match step {
            MirrorStep::ReadMirrorIntent(version_id) => self.read_mirror_intent(version_id).await,
            MirrorStep::ReadProjects => self.read_projects().await,
            MirrorStep::CreateMirrors(indices) => self.create_mirrors(&indices).await,
            MirrorStep::CommitMirrorIds(entry) => self.commit_mirror_ids(entry).await,
            MirrorStep::EnableMirrors(records) => self.enable_mirrors(&records).await,
            MirrorStep::SyncMirrors(records) => self.sync_mirrors(&records).await,
            MirrorStep::CheckGitLab(record) => self.check_gitlab(&record).await,
            MirrorStep::DeleteOrphanMirror(record) => self.delete_orphan_mirror(&record).await,
            MirrorStep::RetireMirrors(records) => self.retire_mirrors(&records).await,
        }
    }

    pub async fn gitlab(&mut self) -> Result<Arc<GitLab>, ApplyError> {
        let Some(access) = &self.spec.gitlab else {
            return Err(ApplyError::internal("mirrors without GitLab"));
        };
        Ok(self.gitlab_clients.at(&access.url).await?)
    }

    async fn read_mirror_intent(&mut self, version_id: String) -> Result<(), ApplyError> {
        let secret = self.state.secret.required()?;
        let read = calls::read_mirror_intent(&self.clients.aws, secret, &version_id).await?;
        self.state.mirrors.orphans.extend(read.created);
        let intent = &mut self.state.mirrors.intent;
        intent.content.claimant = read.claimant;
        intent.content.written = read.written;
        intent.read_from = Some(version_id);
        Ok(())
    }

    /// Creates mirrors concurrently. All that exist are noted, also if another one failed.
    async fn create_mirrors(&mut self, indices: &[usize]) -> Result<(), ApplyError> {
        let Some((login, password)) = self.login_to_mirror_with() else {
            return Err(ApplyError::internal("a mirror without a login"));
        };
        let gitlab = self.gitlab().await?;
        let (spec, clone_urls) = (self.spec, self.state.clone_urls.clone());
        let mut calls = FuturesUnordered::new();
        for wanted in indices.iter().filter_map(|n| spec.mirrors.get(*n)) {
            let Some(clone_url) = clone_urls.get(&wanted.repository_name) else {
                return Err(ApplyError::internal("a mirror without an address"));
            };
            let (project, settings) = (&wanted.project, &wanted.settings);
            let call = gitlab.create(project, clone_url, &login, &password, settings);
            calls.push(async move { (wanted, call.await) });
        }
        let (mut uncertain, mut result) = (Vec::new(), Ok(()));
        while let Some((wanted, created)) = calls.next().await {
            match created {
                Ok(mirror) => self.note_created(wanted, mirror),
                Err(error) if error.outcome_unknown() => uncertain.push((wanted, error)),
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        drop(calls);
        for (wanted, error) in uncertain {
            self.retries.uncertain_calls += 1;
            if self.retries.uncertain_calls > MAX_UNCERTAIN_CALLS {
                return Err(error.into());
            }
            if let Some(mirror) = self.find_created(&gitlab, wanted).await? {
                self.note_created(wanted, mirror);
            }
        }
        result
    }

    /// Finds the mirror that a call with an unknown outcome created: it is disabled, and was not
    /// there before. `None` if there is none, or if a peer has taken the log over, because the
    /// peer creates mirrors of its own.
    async fn find_created(
        &self,
        gitlab: &GitLab,
        wanted: &WantedMirror,
    ) -> Result<Option<Mirror>, ApplyError> {
        let listed = gitlab.mirrors(&wanted.project).await?;
        let secret = observe::read_secret(&self.clients.aws, &self.spec.secret_name).await?;
        let is_overtaken =
            secret.is_none_or(|secret| Some(secret.log.claim) > self.state.log.claim);
        let projects = self.state.mirrors.projects.as_ref();
        let (false, Some(known), Some(clone_url)) = (
            is_overtaken,
            projects.and_then(|projects| projects.get(&wanted.project)),
            self.state.clone_urls.get(&wanted.repository_name),
        ) else {
            return Ok(None);
        };
        let mut new = listed.into_iter().filter(|mirror| {
            let mut known = known.mirrors.iter();
            !mirror.enabled && !known.any(|one| one.id == mirror.id) && mirror.leads_to(clone_url)
        });
        Ok(new.next())
    }

    fn login_to_mirror_with(&self) -> Option<(String, Password)> {
        if let Some(issued) = &self.state.login.issued {
            return Some((issued.service_user_name.clone(), issued.password.clone()?));
        }
        let current = self.state.secret.present()?.log.current.as_ref()?;
        let value = self.state.login.stored.get(&current.version_id)?.as_ref()?;
        Some((value.service_user_name.clone(), value.password.clone()))
    }

    fn note_created(&mut self, wanted: &WantedMirror, mirror: Mirror) {
        let url = self.spec.gitlab.as_ref().map(|access| access.url.clone());
        let record = MirrorRecord {
            gitlab_url: url.unwrap_or_default(),
            project: wanted.project.clone(),
            repository_name: wanted.repository_name.clone(),
            id: mirror.id,
        };
        self.created.mirrors.insert(record.clone());
        self.state
            .mirrors
            .intent
            .content
            .created
            .push(record.clone());
        self.state.mirrors.intent.ids_committed = false;
        self.note_shown(&record, Some(mirror));
    }

    pub fn note_shown(&mut self, record: &MirrorRecord, mirror: Option<Mirror>) {
        let projects = self.state.mirrors.projects.as_mut();
        let Some(project) = projects.and_then(|projects| projects.get_mut(&record.project)) else {
            return;
        };
        project.mirrors.retain(|one| one.id != record.id);
        project.mirrors.extend(mirror);
    }

    /// Commits the IDs of the created mirrors to the log, so that they may be enabled.
    async fn commit_mirror_ids(&mut self, number: u64) -> Result<(), ApplyError> {
        let secret = self.state.secret.required()?;
        let aws = &self.clients.aws;
        let mirror_intent = &self.state.mirrors.intent.content;
        match calls::write_claim(aws, secret, number, mirror_intent).await? {
            WriteResult::Yes => {
                self.state.log.claim = Some(number);
                self.state.mirrors.intent.ids_committed = true;
                self.change_secret(|secret| {
                    secret.log.claim = number;
                    secret.log.mirror_intent = Some(version_id(number));
                });
            }
            WriteResult::Taken => self.yield_to_peer(number),
            WriteResult::Gone => self.state.secret = SecretState::Absent,
        }
        Ok(())
    }

    async fn enable_mirrors(&mut self, records: &[MirrorRecord]) -> Result<(), ApplyError> {
        let gitlab = self.gitlab().await?;
        let calls = records.iter().map(|record| self.enable(&gitlab, record));
        let mut result = Ok(());
        for (record, enabled) in records.iter().zip(join_all(calls).await) {
            match enabled {
                Ok(Some(mirror)) => {
                    self.state.mirrors.settings_sent.insert(record.id);
                    self.note_shown(record, Some(mirror));
                }
                Ok(None) => self.note_mirror_deleted(record),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Sends a mirror its settings, and enables it. `None` if it is deleted.
    async fn enable(
        &self,
        gitlab: &GitLab,
        record: &MirrorRecord,
    ) -> Result<Option<Mirror>, ApplyError> {
        let MirrorRecord { project, id, .. } = record;
        let Some(wanted) = self.spec.wanted(record) else {
            return Ok(self.state.shown(record).cloned());
        };
        self.check_branches(gitlab, wanted).await?;
        let shown = gitlab.update(project, *id, &wanted.settings, true).await?;
        let is_enabled = shown.as_ref().is_none_or(|mirror| mirror.enabled);
        if is_enabled || is_empty(gitlab, record).await {
            return Ok(shown);
        }
        let reason = messages::mirror_stays_disabled(project, *id);
        Err(ApplyError::permanent(reason))
    }

    /// Follows the deletion of a mirror by a person, or by a peer that took the log over.
    pub fn note_mirror_deleted(&mut self, record: &MirrorRecord) {
        self.note_shown(record, None);
        self.state
            .mirrors
            .intent
            .content
            .created
            .retain(|one| one != record);
        // If a peer deleted it, the log shows the peer's claim.
        self.state.secret = SecretState::Unread;
    }
}
