//! Executes the steps for the secret and its log.

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls::{CreateResult, WriteResult};
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, SavedSpec, spec_key};
use crate::mirror_credential::intent_log::{AS_OF, USER_NAME, version_id, write_time};
use crate::mirror_credential::plan::step::SecretStep;
use crate::mirror_credential::state::{Issued, Secret, SecretOrigin, SecretState};
use crate::mirror_credential::timing::{MAX_TAG_AGE, NAME_RELEASE_TIMEOUT, POLL_INTERVAL};
use crate::mirror_credential::{calls, messages, observe};

/// Maximum attempts to move `AWSCURRENT`. Secrets Manager may show it late.
const MAX_MOVE_RETRIES: u32 = 20;

impl Applier<'_> {
    pub async fn apply_secret_step(&mut self, step: SecretStep) -> Result<(), CallError> {
        match step {
            SecretStep::ReadSecret => self.read_secret().await,
            SecretStep::WaitForPeer => self.wait_for_peer().await,
            SecretStep::CreateSecret => self.create_secret().await,
            SecretStep::Claim(entry) => self.claim(entry).await,
            SecretStep::ClaimIfAllowed(entry) => self.claim_if_allowed(entry).await,
            SecretStep::SaveSpec(entry) => self.save_spec(entry).await,
            SecretStep::TagSecret => self.tag_secret().await,
            SecretStep::MoveAwsCurrent { from, to } => self.move_aws_current(&from, &to).await,
            SecretStep::CopyCurrentVersion(entry) => self.copy_current_version(entry).await,
            SecretStep::DropOldSpec(entry) => self.drop_old_spec(entry).await,
            SecretStep::DropOldLogin(entry) => self.drop_old_login(entry).await,
            SecretStep::DropPending(version_id) => self.drop_pending(&version_id).await,
            SecretStep::ChangeSettings => self.change_settings().await,
            SecretStep::UntagSecret(keys) => self.untag_secret(&keys).await,
        }
    }

    /// Removes the label of an earlier saved spec.
    async fn drop_old_spec(&mut self, entry: u64) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        if let Some(saved) = secret.log.saved_specs.iter().find(|one| one.entry == entry) {
            let (aws, version_id) = (&self.clients.aws, version_id(entry));
            calls::move_label(aws, secret, &saved.write(), &version_id, None).await?;
        }
        self.state
            .secret
            .change(|secret| secret.log.saved_specs.retain(|one| one.entry != entry));
        Ok(())
    }

    /// Removes the label of a superseded login.
    async fn drop_old_login(&mut self, entry: u64) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        if let Some(login) = secret.log.superseded.iter().find(|one| one.entry == entry) {
            let (aws, version_id) = (&self.clients.aws, &login.version_id);
            calls::move_label(aws, secret, &login.write(), version_id, None).await?;
        }
        self.state
            .secret
            .change(|secret| secret.log.superseded.retain(|one| one.entry != entry));
        Ok(())
    }

    async fn drop_pending(&mut self, version_id: &str) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        calls::drop_pending(&self.clients.aws, secret, version_id).await?;
        self.state.secret.change(|secret| secret.log.pending = None);
        Ok(())
    }

    async fn change_settings(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let settings = self.spec.settings.clone();
        calls::change_settings(&self.clients.aws, secret, &settings).await?;
        self.state
            .secret
            .change(|secret| secret.settings = settings);
        Ok(())
    }

    async fn untag_secret(&mut self, keys: &[String]) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        calls::untag_secret(&self.clients.aws, secret, keys).await?;
        self.state
            .secret
            .change(|secret| secret.tags.retain(|key, _| !keys.contains(key)));
        Ok(())
    }

    async fn wait_for_peer(&mut self) -> Result<(), CallError> {
        tokio::time::sleep(POLL_INTERVAL).await;
        self.read_secret().await?;
        self.read_user().await?;
        if self.context.rotation.is_some() {
            // The reads may now show the entries of the previous phase.
            self.state.login.stored.retain(|_, login| login.is_some());
            self.state.mirrors.projects = None;
        }
        Ok(())
    }

    async fn create_secret(&mut self) -> Result<(), CallError> {
        let (spec, context) = (self.spec, self.context);
        match calls::create_secret(&self.clients.aws, spec, context).await? {
            CreateResult::Yes(arn) => {
                let secret = Secret {
                    origin: SecretOrigin {
                        owner: Some(context.owner.clone()),
                        user_name: Some(spec.user_name.clone()),
                        as_of: Some(context.signed_at),
                        created_by: Some(context.request_key.clone()),
                        claimant: Some(context.claimant.clone()),
                    },
                    settings: spec.settings.clone(),
                    tags: spec.tags.clone(),
                    arn,
                    ..Secret::default()
                };
                self.state.secret = SecretState::from(Some(secret));
                self.state.log.claim = Some(0);
            }
            CreateResult::Taken => self.read_secret().await?,
            CreateResult::Blocked(error) => {
                if self.state.now > self.state.started_at + NAME_RELEASE_TIMEOUT {
                    let advice = messages::secret_is_scheduled(&spec.secret_name);
                    let error = error.with_advice(&advice.text);
                    return Err(error.with_reason_code(advice.code));
                }
                tokio::time::sleep(POLL_INTERVAL).await;
                self.read_user().await?;
            }
        }
        let is_stale = self.clients.clock.now() > self.state.user_read_at + MAX_TAG_AGE;
        if self.state.log.claim == Some(0) && is_stale {
            self.read_user().await?;
        }
        Ok(())
    }

    async fn claim(&mut self, entry: u64) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        // The mirrors of a peer that was taken over stay named until they are deleted.
        let intent = MirrorIntent {
            claimant: self.context.claimant.clone(),
            written: None,
            created: self.state.mirrors.orphans.iter().cloned().collect(),
        };
        let version = intent.must_be_read().then(|| version_id(entry));
        let before = secret.log.claim;
        // The login that a rotation stored before it lost the log has to be read.
        let is_open = secret.is_unfinished() && secret.log.mirror_intent.is_some();
        let is_shared = secret.may_rotate() || is_open;
        let written = calls::write_claim(&self.clients.aws, secret, entry, &intent).await?;
        if !self.note_write(written, entry) {
            return Ok(());
        }
        let log = &mut self.state.log;
        log.claim = Some(entry);
        log.claimed_after = Some((before, self.clients.clock.now()));
        log.claim_lost_at = None;
        log.issue_intent_written = false;
        let mirrors = &mut self.state.mirrors;
        mirrors.intent.ids_committed = false;
        mirrors.intent.content = MirrorIntent {
            created: Vec::new(),
            ..intent
        };
        self.state.secret.change(|secret| {
            secret.log.claim = entry;
            secret.log.mirror_intent = version;
        });
        if is_shared && self.context.rotation.is_none() && entry > 1 {
            self.state
                .note_claimed_entry(entry, self.clients.clock.now());
        }
        Ok(())
    }

    async fn claim_if_allowed(&mut self, entry: u64) -> Result<(), CallError> {
        match self.claim(entry).await {
            // A peer has the same role, and cannot store a login either.
            Err(error) if error.is_denied() => {
                self.state.log.claim = self.state.secret.present().map(|secret| secret.log.claim);
                Ok(())
            }
            claimed => claimed,
        }
    }

    async fn save_spec(&mut self, entry: u64) -> Result<(), CallError> {
        let (saved, written) = self.write_spec(entry).await?;
        self.note_saved_spec(saved, written);
        Ok(())
    }

    /// Writes the spec as the log's entry `entry`.
    pub async fn write_spec(&self, entry: u64) -> Result<(SavedSpec, WriteResult), CallError> {
        let document = &self.spec.document;
        let key = spec_key(document);
        let saved = SavedSpec { entry, key };
        let secret = self.state.secret.required()?;
        let written = calls::save_spec(&self.clients.aws, secret, &saved, document).await?;
        Ok((saved, written))
    }

    pub fn note_saved_spec(&mut self, saved: SavedSpec, written: WriteResult) {
        if self.note_write(written, saved.entry) {
            self.state
                .secret
                .change(|secret| secret.log.saved_specs.push(saved));
        }
    }

    async fn tag_secret(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let (spec, signed_at) = (self.spec, self.context.signed_at);
        let mut tags = spec.tags.clone();
        tags.insert(USER_NAME.to_owned(), spec.user_name.clone());
        tags.insert(AS_OF.to_owned(), write_time(signed_at));
        calls::tag_secret(&self.clients.aws, secret, &tags).await?;
        self.state.secret.change(|secret| {
            secret.tags.extend(spec.tags.clone());
            secret.origin.user_name = Some(spec.user_name.clone());
            secret.origin.as_of = Some(signed_at);
        });
        Ok(())
    }

    /// Moves `AWSCURRENT` from one version to another.
    async fn move_aws_current(&mut self, from: &str, to: &str) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let aws = &self.clients.aws;
        if calls::move_label(aws, secret, "AWSCURRENT", from, Some(to)).await? {
            self.state.login.seen_version = Some(to.to_owned());
            self.state.secret.change(|secret| {
                let mut logins = secret.log.superseded.iter();
                if let Some(at) = logins.position(|login| login.version_id == to) {
                    let next = secret.log.superseded.swap_remove(at);
                    let former = secret.log.current.replace(next);
                    secret.log.superseded.extend(former);
                }
            });
            return Ok(());
        }
        self.retries.move_retries += 1;
        if self.retries.move_retries > MAX_MOVE_RETRIES {
            let doing = format!("moving AWSCURRENT to version {to}");
            let cause = format!("it is not at version {from}, where Secrets Manager shows it");
            return Err(CallError::local(Code::RotationOvertaken, doing, cause));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        self.state.secret = SecretState::Unread;
        Ok(())
    }

    /// Writes the current login again as the log's entry `entry`.
    async fn copy_current_version(&mut self, entry: u64) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let current = secret.log.current.as_ref().ok_or_else(|| {
            let doing = "copying the current login";
            CallError::local(Code::InternalError, doing, "the secret has none")
        })?;
        let copy = current.copied_as(entry);
        let written = calls::copy_login(&self.clients.aws, secret, current, &copy).await?;
        if self.note_write(written, entry) {
            self.state
                .secret
                .change(|secret| secret.log.superseded.push(copy));
        }
        Ok(())
    }

    /// Reads the secret, and follows changes by peers.
    pub async fn read_secret(&mut self) -> Result<(), CallError> {
        let read = observe::read_secret(&self.clients.aws, &self.spec.secret_name).await?;
        let now = self.clients.clock.now();
        if let (Some(read), Some(own)) = (&read, self.state.log.claim)
            && read.log.claim > own
        {
            self.state.yield_to_peer(read.log.claim, now);
        }
        self.state.secret = SecretState::from(read);
        self.state.secret_read_after_user = true;
        let highest = self.state.log.highest_claimed_entry;
        let highest = highest.map_or(0, |(entry, _)| entry);
        self.state
            .secret
            .change(|secret| secret.log.highest_claimed_entry = highest);
        let secret = self.state.secret.present();
        self.state.log.was_seen |= secret.is_some_and(|secret| self.context.owns(secret));
        let current = secret.and_then(|secret| secret.log.current.as_ref());
        let login = &mut self.state.login;
        // A peer may have taken the credential over, and have stored it.
        let is_stored =
            |issued: &mut Issued| current.is_some_and(|current| current.credential_id == issued.id);
        login.issued.take_if(is_stored);
        let current_version = current.map(|login| login.version_id.clone());
        if current_version.is_some() && current_version != login.seen_version {
            // IAM may not list its credential yet.
            login.peer_stored_at = Some(now);
            login.seen_version = current_version;
        }
        if current.map(|login| &login.version_id) != login.verified_version.as_ref() {
            login.verified = false;
            login.rejected = false;
        }
        if self.state.log.claim.is_none() {
            // A peer may have finished this delivery's intent.
            let (own, mirrors) = (&self.state.created.mirrors, &mut self.state.mirrors);
            mirrors.orphans.retain(|record| own.contains(record));
            mirrors.intent.content = MirrorIntent::default();
            mirrors.intent.read_from = None;
        }
        let first = self.state.secret.present().filter(|secret| {
            // The response to this delivery's CreateSecret may have been lost.
            secret.log.claim == 0 && secret.is_unfinished() && self.context.has_created(secret)
        });
        let has_claim = self.state.log.claim.is_some() || self.state.log.claim_lost_at.is_some();
        if first.is_some() && !has_claim {
            self.state.log.claim = Some(0);
        }
        Ok(())
    }

    /// Reads the user. The delivery's own changes stay in the state, although IAM may not show them
    /// yet.
    pub async fn read_user(&mut self) -> Result<(), CallError> {
        self.state.user_read_at = self.clients.clock.now();
        self.state.secret_read_after_user = false;
        let mut user = observe::read_user(&self.clients.aws, &self.spec.user_name).await?;
        let deleted = &self.state.login.deleted_credentials;
        let listed = &mut user.credentials;
        listed.retain(|listed| !deleted.contains(&listed.id));
        for own in &self.state.created.credentials {
            if user.credential(&own.id).is_none() {
                user.credentials.push(own.clone());
            }
        }
        if self.state.log.issue_intent_written {
            let before = &mut self.state.user;
            user.owner = before.owner.take();
            user.secret_name = before.secret_name.take();
            user.issue_intent = before.issue_intent.take();
            let context = self.context;
            user.tombstone = user
                .tombstone
                .filter(|tombstone| context.is_superseded_by(tombstone));
        }
        self.state.user = user;
        Ok(())
    }

    /// Follows the write of the log's entry `entry`. `false` if this delivery did not write it.
    pub fn note_write(&mut self, written: WriteResult, entry: u64) -> bool {
        let (state, now) = (&mut self.state, self.clients.clock.now());
        match written {
            WriteResult::Yes => return true,
            WriteResult::Taken if state.log.claim.is_some() => state.yield_to_peer(entry, now),
            WriteResult::Taken => state.note_claimed_entry(entry, now),
            WriteResult::Gone => state.secret = SecretState::Absent,
        }
        false
    }
}
