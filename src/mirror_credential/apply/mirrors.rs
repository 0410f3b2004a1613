//! Executes the steps for the mirrors.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::clients::gitlab::{ErrorKind, GitLab, GitLabError, Mirror, Rejection, RetryTime, Sent};
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::issue::MAX_UNCERTAIN_CALLS;
use crate::mirror_credential::apply::sync_mirrors::{is_empty, sync_mirrors};
use crate::mirror_credential::calls::gitlab::{GITLAB_POLL_INTERVAL, hidden_mirror};
use crate::mirror_credential::delete::left::{LeftMirror, left_mirrors};
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::observe::projects::{read_branches, read_projects};
use crate::mirror_credential::plan::step::MirrorStep;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::DeliveryError;
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::{calls, messages, observe};
use crate::reconcile::sender::Rollback;
use cfn_custom_resource::Reason;

/// A GitLab that restarts responds again within this time.
const GITLAB_RESTART_TIMEOUT: Duration = Duration::from_secs(60);

impl Applier<'_> {
    pub async fn apply_mirror_step(&mut self, step: MirrorStep) -> Result<(), DeliveryError> {
        match step {
            MirrorStep::ReadMirrorIntent(version_id) => self.read_mirror_intent(version_id).await,
            MirrorStep::ReadProjects => self.read_projects().await,
            MirrorStep::CreateMirrors(indices) => self.create_mirrors(&indices).await,
            MirrorStep::CommitMirrorIds => self.commit_mirror_ids().await,
            MirrorStep::EnableMirrors(records) => self.enable_mirrors(&records).await,
            MirrorStep::SyncMirrors(records) => self.sync_mirrors(&records).await,
            MirrorStep::CheckGitLab(record) => self.check_gitlab(&record).await,
            MirrorStep::DeleteOrphanMirror(record) => self.delete_orphan_mirror(&record).await,
            MirrorStep::RetireMirrors(records) => self.retire_mirrors(&records).await,
        }
    }

    /// Executes `step`. If GitLab rejects it, notes that. The plan then rejects the request, unless
    /// it is a rollback, which goes on without the step. A step that replaces an inactive
    /// credential fails: see `apply_spec`.
    pub async fn apply_or_note_rejected(&mut self, step: MirrorStep) -> Result<(), DeliveryError> {
        let Err(error) = self.apply_mirror_step(step.clone()).await else {
            return Ok(());
        };
        if let MirrorStep::CheckGitLab(record) = &step
            && self.note_unproved(record).await
        {
            return Ok(());
        }
        let is_rotation = self.context.rotation.is_some();
        if is_rotation || self.planner().may_have_only_inactive_to_replace() {
            return Err(error);
        }
        let ids = |records: &[MirrorRecord]| records.iter().map(|one| one.id).collect::<Vec<_>>();
        let mirrors = &mut self.state.mirrors;
        match step {
            MirrorStep::CreateMirrors(indices) => mirrors.uncreated.extend(indices),
            MirrorStep::EnableMirrors(records) => mirrors.settings_sent.extend(ids(&records)),
            MirrorStep::SyncMirrors(records) => mirrors.synced.extend(ids(&records)),
            MirrorStep::CheckGitLab(record) => drop(mirrors.left.insert(record)),
            MirrorStep::RetireMirrors(mut records) => {
                records.retain(|record| !mirrors.retired.contains(record));
                mirrors.left.extend(records);
            }
            MirrorStep::DeleteOrphanMirror(record) => drop(mirrors.orphans.remove(&record)),
            MirrorStep::ReadMirrorIntent(_)
            | MirrorStep::ReadProjects
            | MirrorStep::CommitMirrorIds => return Err(error),
        }
        mirrors.rejected.push(error.reason);
        Ok(())
    }

    async fn gitlab(&mut self) -> Result<Arc<GitLab>, DeliveryError> {
        let Some(access) = &self.spec.gitlab else {
            return Err(DeliveryError::internal("mirrors without GitLab"));
        };
        Ok(self.gitlab_clients.at(&access.url).await?)
    }

    /// Reads every project of the spec. If GitLab is unreachable, the plan decides whether the
    /// request fails.
    pub async fn read_projects(&mut self) -> Result<(), DeliveryError> {
        let left = self.clients.clock.until(self.progress.until());
        let patience = match self.context.rotation {
            // AWS does not document the interval of Secrets Manager's retries: see
            // the module `rotation`.
            Some(_) => left.mul_f64(0.5),
            None => GITLAB_RESTART_TIMEOUT.min(left.mul_f64(0.1)),
        };
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            let Err(error) = self.try_read_projects().await else {
                return Ok(());
            };
            let may_wait = error.retry == RetryTime::Later
                && tokio::time::Instant::now() < give_up
                && !self.is_shown_as_rollback().await;
            if may_wait {
                self.gitlab_clients.clear_failures();
                tokio::time::sleep(GITLAB_POLL_INTERVAL * 5).await;
            } else if self.context.rotation.is_none()
                && (self.state.secret.present().is_some() || !self.context.is_create)
            {
                self.state.mirrors.gitlab_error = Some(error.reason());
                return Ok(());
            } else {
                return Err(error.into());
            }
        }
    }

    /// Whether the request is a rollback, by one look at most.
    async fn is_shown_as_rollback(&mut self) -> bool {
        if self.planner().rollback == Rollback::Unknown {
            self.look_for_rollback().await;
        }
        self.planner().is_rollback()
    }

    async fn try_read_projects(&mut self) -> Result<(), GitLabError> {
        let Some(access) = &self.spec.gitlab else {
            return Ok(());
        };
        let gitlab = self.gitlab_clients.at(&access.url).await?;
        let phase = self.context.rotation.as_ref().map(|one| one.phase);
        let recorded = self.state.recorded_numbers(self.spec);
        let may_lack_some = self.planner().may_lack_mirrors();
        let wanted = &self.spec.mirrors;
        let read = read_projects(&gitlab, wanted, &recorded, phase, may_lack_some).await;
        let (projects, unread) = read?;
        let mirrors = &mut self.state.mirrors;
        mirrors.projects = Some(projects);
        for (name, error) in unread {
            if mirrors.unread.insert(name) {
                mirrors.rejected.push(error.reason());
            }
        }
        mirrors.reachable_gitlabs.insert(access.url.clone());
        Ok(())
    }

    async fn read_mirror_intent(&mut self, version_id: String) -> Result<(), DeliveryError> {
        let secret = self.state.secret.required()?;
        let read = calls::read_mirror_intent(&self.clients.aws, secret, &version_id).await?;
        self.state.mirrors.orphans.extend(read.created);
        let intent = &mut self.state.mirrors.intent;
        intent.content.claimant = read.claimant;
        intent.content.written = read.written;
        intent.read_from = Some(version_id);
        Ok(())
    }

    /// Creates mirrors concurrently. Notes those that exist, even if another one failed.
    async fn create_mirrors(&mut self, indices: &[usize]) -> Result<(), DeliveryError> {
        let gitlab = self.gitlab().await?;
        let mut wanted = Vec::new();
        for one in indices.iter().filter_map(|n| self.spec.mirrors.get(*n)) {
            let number = self.state.mirrors.number_of(one);
            let number = number.ok_or_else(without_project)?;
            // GitLab may have another mirror than the one whose ID it returned.
            let mut vanished = self.state.mirrors.vanished.iter();
            let has_vanished =
                vanished.any(|record| self.state.mirrors.is_for(self.spec, record, one));
            let found = if has_vanished {
                self.find_created(&gitlab, one).await?
            } else {
                None
            };
            match found {
                Some(mirror) => self.note_created(one, number, &mirror),
                None => wanted.push((one, number)),
            }
        }
        let clone_urls = &self.state.clone_urls;
        let login = self.state.next_login();
        let no_login = || DeliveryError::internal("a mirror without a login");
        let (_, login, password) = login.ok_or_else(no_login)?;
        let mut calls = Vec::new();
        for (one, _) in &wanted {
            let shown = self.state.mirrors.project(&one.project);
            let (Some(clone_url), Some(shown)) = (clone_urls.get(&one.repository_name), shown)
            else {
                return Err(DeliveryError::internal("a mirror without an address"));
            };
            let project = self.state.mirrors.project_ref(one);
            let (settings, known) = (&one.settings, &shown.mirrors);
            calls.push(gitlab.create(project, clone_url, login, password, settings, known));
        }
        let (mut uncertain, mut result) = (Vec::new(), Ok(()));
        for ((wanted, number), created) in wanted.into_iter().zip(join_all(calls).await) {
            match created {
                Ok(mirror) => self.note_created(wanted, number, &mirror),
                Err(error) if error.sent == Sent::Unknown => {
                    uncertain.push((wanted, number, error));
                }
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        for (wanted, number, error) in uncertain {
            self.retries.uncertain_calls += 1;
            if self.retries.uncertain_calls > MAX_UNCERTAIN_CALLS {
                return Err(error.into());
            }
            if let Some(mirror) = self.find_created(&gitlab, wanted).await? {
                self.note_created(wanted, number, &mirror);
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
    ) -> Result<Option<Mirror>, DeliveryError> {
        let listed = gitlab.mirrors(self.state.mirrors.project_ref(wanted)).await?;
        let (name, created_at) = (&self.spec.secret_name, self.state.log.created_at);
        let secret = observe::read_secret_created_at(self.clients, name, created_at).await?;
        let is_overtaken =
            secret.is_none_or(|secret| Some(secret.log.claim) > self.state.log.claim);
        let (false, Some(known), Some(clone_url)) = (
            is_overtaken,
            self.state.mirrors.project(&wanted.project),
            self.state.clone_urls.get(&wanted.repository_name),
        ) else {
            return Ok(None);
        };
        let mut new = listed.into_iter().filter(|mirror| {
            let mut known = known.mirrors.iter();
            !mirror.enabled && !known.any(|one| one.id == mirror.id) && mirror.leads_to(clone_url)
        });
        // The address has no account, so of two mirrors one may be another account's.
        let first = new.next();
        Ok(first.filter(|_| new.next().is_none()))
    }

    fn note_created(&mut self, wanted: &WantedMirror, number: u64, mirror: &Mirror) {
        let url = self.spec.gitlab.as_ref().map(|access| access.url.clone());
        let record = MirrorRecord {
            gitlab_url: url.unwrap_or_default(),
            project: wanted.project.clone(),
            number,
            repository_name: wanted.repository_name.clone(),
            id: mirror.id,
        };
        self.state.note_mirror_created(record, mirror);
    }

    /// Commits the IDs of the created mirrors to the log, so that they may be enabled.
    async fn commit_mirror_ids(&mut self) -> Result<(), DeliveryError> {
        let intent = self.state.mirrors.intent.content.clone();
        if self.write_claim(&intent).await?.is_some() {
            self.state.mirrors.intent.ids_committed = true;
        }
        Ok(())
    }

    async fn enable_mirrors(&mut self, records: &[MirrorRecord]) -> Result<(), DeliveryError> {
        let gitlab = self.gitlab().await?;
        let calls = records.iter().map(|record| self.enable(&gitlab, record));
        let mut result = Ok(());
        for (record, enabled) in records.iter().zip(join_all(calls).await) {
            match enabled {
                Ok(Some(mirror)) => {
                    let shown = self.state.mirrors.shown(record);
                    let pushed_the_same = shown.is_some_and(|before| {
                        before.enabled && before.settings.has_branches_of(&mirror.settings)
                    });
                    if !pushed_the_same {
                        self.state.mirrors.restored.insert(record.id);
                    }
                    self.state.mirrors.settings_sent.insert(record.id);
                    self.state.mirrors.note_shown(record, Some(&mirror));
                }
                Ok(None) => self.state.note_mirror_deleted(record),
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
    ) -> Result<Option<Mirror>, DeliveryError> {
        let (project, id) = (record.project(), record.id);
        let Some(wanted) = self.state.mirrors.wanted(self.spec, record) else {
            return Ok(self.state.mirrors.shown(record).cloned());
        };
        self.check_branches(gitlab, wanted).await?;
        let shown = gitlab.update(project, id, &wanted.settings, true).await?;
        let is_enabled = shown.as_ref().is_none_or(|mirror| mirror.enabled);
        if is_enabled || is_empty(gitlab, record).await {
            return Ok(shown);
        }
        let reason = messages::mirror_stays_disabled(&record.project, id);
        Err(DeliveryError::permanent(reason))
    }

    /// Reads the branches again before GitLab may push, because they may have changed since the
    /// start.
    async fn check_branches(
        &self,
        gitlab: &GitLab,
        wanted: &WantedMirror,
    ) -> Result<(), DeliveryError> {
        if self.context.rotation.is_some() {
            return Ok(());
        }
        let number = self.state.mirrors.number_of(wanted).ok_or_else(without_project)?;
        let mut read = Project::new(&gitlab.url, number, vec![]);
        read_branches(gitlab, wanted, &mut read).await?;
        if !read.pushes_everything(&wanted.settings) {
            return Ok(());
        }
        // GitLab protects the default branch with the first push:
        // https://docs.gitlab.com/user/project/repository/branches/default/
        let of_number = self.state.mirrors.project_ref(wanted);
        if gitlab.project(of_number).await?.is_empty {
            return Ok(());
        }
        let n = self.spec.mirrors.iter().position(|one| one == wanted).unwrap_or_default();
        let refusal = messages::every_branch_is_pushed(&format!("Mirrors[{n}]"), &wanted.project);
        Err(DeliveryError::permanent(refusal))
    }

    /// Starts the pushes of mirrors, and waits until they end. The rollback needs the rest of the
    /// time. Looks once more meanwhile, if CloudFormation may show late that the stack rolls back.
    async fn sync_mirrors(&mut self, records: &[MirrorRecord]) -> Result<(), DeliveryError> {
        let gitlab = self.gitlab().await?;
        let pause = self.pause_before_second_look();
        let until = tokio::time::Instant::now() + self.clients.clock.until(self.progress.until());
        let planner = self.planner();
        let (rollback, may_lack_some) = (planner.rollback, planner.may_lack_mirrors());
        let (aws, owner) = (&self.clients.aws, &self.context.owner);
        let second_look = async {
            let is_rollback = rollback == Rollback::NotShown
                && rollback.look(aws, owner, pause).await == Rollback::Yes;
            if !is_rollback {
                std::future::pending::<()>().await;
            }
        };
        let state = &mut self.state;
        let sync = sync_mirrors(&gitlab, self.spec, state, records, until, may_lack_some);
        tokio::select! {
            result = Box::pin(sync) => return result,
            () = Box::pin(second_look) => {}
        }
        self.state.request.rollback = Rollback::Yes;
        let ids = records.iter().map(|record| record.id);
        self.state.mirrors.synced.extend(ids);
        Ok(())
    }

    async fn delete_orphan_mirror(&mut self, record: &MirrorRecord) -> Result<(), DeliveryError> {
        self.ensure_access_to(&record.gitlab_url).await?;
        let deleted = self.gitlab_clients.delete(record).await;
        // If the deletion failed, the claim that names the mirror has to stay open.
        let is_hidden = |error: &GitLabError| error.kind == ErrorKind::NotFound;
        self.state.mirrors.deletion_incomplete |= deleted.as_ref().is_err_and(|it| !is_hidden(it));
        self.note_removal(record, deleted)?;
        self.state.mirrors.orphans.remove(record);
        Ok(())
    }

    async fn retire_mirrors(&mut self, records: &[MirrorRecord]) -> Result<(), DeliveryError> {
        for record in records {
            self.ensure_access_to(&record.gitlab_url).await?;
        }
        let left = self.clients.clock.until(self.progress.until());
        // A rollback does not wait for a push that GitLab shows.
        let is_rollback = self.planner().is_rollback();
        let patience = left.mul_f64(if is_rollback { 0.0 } else { 0.6 });
        let retired = self.gitlab_clients.retire(records, patience).await;
        let mut result = Ok(());
        for (record, retired) in records.iter().zip(retired) {
            if retired.is_err() && self.note_unproved(record).await {
                continue;
            }
            match self.note_removal(record, retired) {
                Ok(()) => drop(self.state.mirrors.retired.insert(record.clone())),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Checks that the GitLab of a mirror responds, before the mirror is superseded.
    async fn check_gitlab(&mut self, record: &MirrorRecord) -> Result<(), DeliveryError> {
        self.ensure_access_to(&record.gitlab_url).await?;
        let checked = self.gitlab_clients.check_response(record).await;
        checked.map_err(|error| self.not_removed(record, error))?;
        self.state.mirrors.reachable_gitlabs.insert(record.gitlab_url.clone());
        Ok(())
    }

    /// Notes a mirror of a former GitLab that pushes with the current login and that may not be
    /// deleted. The plan then issues another login. `false` in a rollback, which issues none.
    async fn note_unproved(&mut self, record: &MirrorRecord) -> bool {
        let pushes_on = self.planner().is_of_former_gitlab(record)
            && self.state.pushes_with_current_login(record);
        let is_unproved = pushes_on && !self.is_shown_as_rollback().await;
        if is_unproved {
            self.state.mirrors.unproved.insert(record.clone());
        }
        is_unproved
    }

    /// Notes a deletion, with what GitLab showed of the mirror. A failure is only a warning if the
    /// project has moved, or if GitLab does not show it: then nothing can remove the mirror. It is
    /// also a warning if the template no longer has the GitLab and the mirror does not push with
    /// the current login. Otherwise a GitLab that no longer exists would block every update.
    fn note_removal(
        &mut self,
        record: &MirrorRecord,
        removed: Result<Option<Reason>, GitLabError>,
    ) -> Result<(), DeliveryError> {
        let error = match removed {
            Ok(note) => {
                if let Some(note) = note {
                    warn!(note, "a mirror is removed with a note");
                    self.warnings.push(note);
                }
                self.state.mirrors.note_shown(record, None);
                return Ok(());
            }
            Err(error) => error,
        };
        let works = self.state.pushes_with_current_login(record);
        let is_former = self.planner().is_of_former_gitlab(record) && !works;
        let is_hidden = error.kind == ErrorKind::NotFound;
        let has_moved = matches!(
            error.kind,
            ErrorKind::Rejected {
                cause: Rejection::ProjectMoved(_),
                ..
            }
        );
        if !is_former && !is_hidden && !has_moved {
            return Err(self.not_removed(record, error));
        }
        let left = LeftMirror::after(record, is_former, &error);
        let mut warning = if is_hidden {
            hidden_mirror(record)
        } else {
            left_mirrors(&left.text)
        };
        if works {
            warning.problem += ", and its login still works";
            let then = ". Change RotationSerial, which ends the login";
            warning.remedy = warning.remedy.then(then);
        }
        warn!(warning, "a mirror was not removed");
        self.warnings.push(warning);
        if is_former {
            self.left.push(left);
        }
        if is_hidden {
            self.state.mirrors.note_shown(record, None);
        }
        Ok(())
    }

    /// The error of a removal. It names a GitLab that is not that of the properties.
    fn not_removed(&self, record: &MirrorRecord, error: GitLabError) -> DeliveryError {
        if !self.planner().is_of_former_gitlab(record) {
            return error.into();
        }
        let left = LeftMirror::after(record, true, &error);
        DeliveryError {
            reason: left_mirrors(&left.text),
            ..error.into()
        }
    }

    /// Reads the access to a GitLab that the template no longer has from the saved spec.
    async fn ensure_access_to(&mut self, url: &str) -> Result<(), DeliveryError> {
        if self.gitlab_clients.has_access_to(url) {
            return Ok(());
        }
        let secret = self.state.secret.required()?;
        let accesses = calls::read_accesses(&self.clients.aws, secret).await?;
        self.gitlab_clients.add(accesses);
        Ok(())
    }

    /// Deletes the mirrors that this delivery created before a peer took the log over. The peer
    /// has not read their IDs.
    pub async fn delete_own_orphans(&mut self) {
        let orphans = &self.state.mirrors.orphans;
        let own: Vec<MirrorRecord> =
            orphans.intersection(&self.state.created.mirrors).cloned().collect();
        for record in own {
            if let Err(error) = self.delete_orphan_mirror(&record).await {
                warn!(error.reason, "an unrecorded mirror is not rolled back");
            }
        }
    }
}

fn without_project() -> DeliveryError {
    DeliveryError::internal("a mirror without its project")
}
