//! Executes the steps for the secret and its log.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;

use crate::clients::aws::{Aws, CallError, optional, required, retrying_absence};
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::intent_log::mirrors::{
    MirrorIntent, SavedSpec, spec_key, write_spec,
};
use crate::mirror_credential::intent_log::{
    AS_OF, CHANGED_BY, CLAIMANT, LOGICAL_ID, Login, STACK_ID, USER_NAME, version_id, write_time,
};
use crate::mirror_credential::plan::step::SecretStep;
use crate::mirror_credential::spec::{DEFAULT_KEY, Spec};
use crate::mirror_credential::state::{Secret, SecretState};
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
            SecretStep::Claim => self.claim().await,
            SecretStep::ClaimIfAllowed => self.claim_if_allowed().await,
            SecretStep::SaveSpec => self.save_spec().await,
            SecretStep::TagSecret => self.tag_secret().await,
            SecretStep::TagSecretIfAllowed => self.tag_secret_if_allowed().await,
            SecretStep::MoveAwsCurrent(to) => self.move_aws_current(&to).await,
            SecretStep::CopyCurrentVersion => self.copy_current_version().await,
            SecretStep::DropLabel { label, version_id } => {
                self.drop_label(&label, &version_id).await
            }
            SecretStep::ChangeSettings => self.change_settings().await,
            SecretStep::UntagSecret(keys) => self.untag_secret(&keys).await,
        }
    }

    async fn drop_label(&mut self, label: &str, version_id: &str) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        move_label(&self.clients.aws, secret, label, version_id, None).await?;
        self.state.secret.change(|secret| secret.log.drop_label(label));
        Ok(())
    }

    fn is_key_new(&self) -> bool {
        let key = self.spec.kms_key_id.as_ref();
        key.is_some_and(|key| self.may_be_new(key))
    }

    async fn change_settings(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let key = self.spec.kms_key_id.clone();
        let call = self.clients.aws.secrets.update_secret();
        let call = call.secret_id(&secret.arn).kms_key_id(key.as_deref().unwrap_or(DEFAULT_KEY));
        let doing = || format!("changing the settings of secret {}", secret.arn);
        let sent = retrying_absence(self.is_key_new(), call.send()).await;
        required(sent, doing)?;
        self.state.secret.change(|secret| secret.kms_key_id = key);
        Ok(())
    }

    async fn untag_secret(&mut self, keys: &[String]) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let call = self.clients.aws.secrets.untag_resource();
        let call = call.secret_id(&secret.arn).set_tag_keys(Some(keys.to_vec()));
        let doing = || format!("untagging secret {}", secret.arn);
        required(call.send().await, doing)?;
        self.state
            .secret
            .change(|secret| secret.tags.retain(|key, _| !keys.contains(key)));
        Ok(())
    }

    async fn create_secret(&mut self) -> Result<(), CallError> {
        let (spec, context) = (self.spec, self.context);
        let signed_at = write_time(context.signed_at);
        let records = [
            (STACK_ID, &context.owner.stack_id),
            (LOGICAL_ID, &context.owner.logical_id),
            (USER_NAME, &spec.user_name),
            (AS_OF, &signed_at),
            (CHANGED_BY, &context.request_key),
            (CLAIMANT, &context.claimant),
        ];
        let records = records.map(|(key, value)| (key.to_owned(), value.clone())).into();
        let creation = create_secret(&self.clients.aws, spec, &records);
        match retrying_absence(self.is_key_new(), creation).await {
            Ok(arn) => {
                let secret = Secret {
                    origin: observe::parse_origin(&records),
                    kms_key_id: spec.kms_key_id.clone(),
                    tags: spec.tags.clone(),
                    arn,
                    ..Secret::default()
                };
                self.state.secret = SecretState::from(Some(secret));
                self.state.log.claim = Some(0);
                self.state.log.created_at = Some(self.clients.clock.now());
            }
            Err(error) if error.has_code(&["ResourceExistsException"]) => {
                self.read_secret().await?;
                if self.state.secret.present().is_none() {
                    // Secrets Manager shows it late.
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            }
            // Secrets Manager is still deleting a secret with that name.
            Err(error) if error.has_code(&["InvalidRequestException"]) => {
                if self.state.now > self.state.started_at + NAME_RELEASE_TIMEOUT {
                    let remedy = messages::secret_is_scheduled(&spec.secret_name).remedy;
                    let error = error.with_reason_code(Code::SecretScheduled);
                    return Err(error.with_remedy(remedy));
                }
                tokio::time::sleep(POLL_INTERVAL).await;
                self.read_user().await?;
            }
            Err(error) => return Err(error),
        }
        let is_stale = self.clients.clock.now() > self.state.user_read_at + MAX_TAG_AGE;
        if self.state.log.claim == Some(0) && is_stale {
            self.read_user().await?;
        }
        Ok(())
    }

    async fn claim(&mut self) -> Result<(), CallError> {
        self.state.log.claims += 1;
        let secret = self.state.secret.required()?;
        // The mirrors of a peer that was taken over stay named until they are deleted.
        let intent = MirrorIntent {
            claimant: self.context.claimant.clone(),
            written: None,
            created: self.state.mirrors.orphans.iter().cloned().collect(),
        };
        let before = secret.log.claim;
        // The login that a rotation stored before it lost the log has to be read.
        let is_open = secret.is_unfinished() && secret.log.mirror_intent.is_some();
        let is_shared = secret.may_rotate() || is_open;
        let written = match self.write_claim(&intent).await {
            // A rollback may have nothing to undo: the plan finds that without a claim.
            Err(error) if self.may_go_on_without_entry(&error) => return Ok(()),
            written => written?,
        };
        let Some(entry) = written else {
            return Ok(());
        };
        let log = &mut self.state.log;
        log.claimed_after = Some((before, self.clients.clock.now()));
        log.claim_lost_at = None;
        log.issue_intent_written = false;
        let mirrors = &mut self.state.mirrors;
        mirrors.intent.ids_committed = false;
        mirrors.intent.content = MirrorIntent {
            created: Vec::new(),
            ..intent
        };
        if is_shared && self.context.rotation.is_none() && entry > 1 {
            self.state.note_claimed_entry(entry, self.clients.clock.now());
        }
        Ok(())
    }

    /// Writes a claim with `intent` as the log's next entry. `None` if this delivery did not write
    /// it.
    pub async fn write_claim(&mut self, intent: &MirrorIntent) -> Result<Option<u64>, CallError> {
        let secret = self.state.secret.required()?;
        let entry = secret.next_entry();
        let written = calls::write_claim(&self.clients.aws, secret, entry, intent).await?;
        if !self.note_write(written, entry) {
            return Ok(None);
        }
        self.state.log.claim = Some(entry);
        self.state.secret.change(|secret| secret.log.note_claim(entry, intent));
        Ok(Some(entry))
    }

    async fn claim_if_allowed(&mut self) -> Result<(), CallError> {
        match self.claim().await {
            // A peer has the same role, and cannot store a login either.
            Err(error) if error.is_denied() => {
                self.state.log.claim = self.state.secret.present().map(|secret| secret.log.claim);
                Ok(())
            }
            claimed => claimed,
        }
    }

    async fn save_spec(&mut self) -> Result<(), CallError> {
        let (saved, written) = match self.write_spec().await {
            // The next request concludes the claims before it.
            Err(error) if self.may_go_on_without_entry(&error) => return Ok(()),
            written => written?,
        };
        self.note_saved_spec(saved, written);
        Ok(())
    }

    /// Whether the secret has reached its quota of versions, and the request restores the spec that
    /// was saved last. An Update that failed at the quota has stored no other spec.
    fn may_go_on_without_entry(&mut self, error: &CallError) -> bool {
        let secret = self.state.secret.present();
        let is_saved = secret.is_some_and(|secret| secret.has_saved(&self.spec.document));
        let may_go_on = error.is_quota() && is_saved && !self.state.log.is_full;
        if may_go_on {
            warn!(error.reason(), "the log gets no entry");
            self.state.log.is_full = true;
        }
        may_go_on
    }

    pub async fn write_spec(&self) -> Result<(SavedSpec, WriteResult), CallError> {
        let document = &self.spec.document;
        let secret = self.state.secret.required()?;
        let (entry, key) = (secret.next_entry(), spec_key(document));
        let saved = SavedSpec { entry, key };
        let (aws, labels) = (&self.clients.aws, vec![saved.write()]);
        let value = write_spec(document);
        let written = calls::put(aws, secret, &version_id(entry), value, labels).await?;
        Ok((saved, written))
    }

    pub fn note_saved_spec(&mut self, saved: SavedSpec, written: WriteResult) {
        if self.note_write(written, saved.entry) {
            self.state.secret.change(|secret| secret.log.saved_specs.push(saved));
        }
    }

    async fn tag_secret(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        let (spec, signed_at) = (self.spec, self.context.signed_at);
        // A rotation is not a request of CloudFormation.
        let is_rotation = self.context.rotation.is_some();
        let changed_by = (!is_rotation).then(|| self.context.request_key.clone());
        let mut tags = spec.tags.clone();
        tags.insert(USER_NAME.to_owned(), spec.user_name.clone());
        tags.insert(AS_OF.to_owned(), write_time(signed_at));
        tags.extend(changed_by.clone().map(|key| (CHANGED_BY.to_owned(), key)));
        let call = self.clients.aws.secrets.tag_resource();
        let tags = tags.into_iter().map(|(key, value)| secret_tag(key, value));
        let call = call.secret_id(&secret.arn).set_tags(Some(tags.collect()));
        let doing = || format!("tagging secret {}", secret.arn);
        required(call.send().await, doing)?;
        self.state.secret.change(|secret| {
            secret.tags.extend(spec.tags.clone());
            secret.origin.user_name = Some(spec.user_name.clone());
            secret.origin.as_of = Some(signed_at);
            if changed_by.is_some() {
                secret.origin.changed_by = changed_by;
            }
        });
        Ok(())
    }

    async fn tag_secret_if_allowed(&mut self) -> Result<(), CallError> {
        match self.tag_secret().await {
            Err(error) if error.is_denied() => {
                warn!(error.reason(), "the request is not recorded");
                self.state.log.is_recording_denied = true;
                Ok(())
            }
            tagged => tagged,
        }
    }

    /// The secret, with its current login.
    fn current_login(&self) -> Result<(&Secret, &Login), CallError> {
        let secret = self.state.secret.required()?;
        let error = || {
            let doing = "using the current login";
            CallError::local(Code::InternalError, doing, "the secret has none")
        };
        let current = secret.current().ok_or_else(error)?;
        Ok((secret, current))
    }

    async fn move_aws_current(&mut self, to: &str) -> Result<(), CallError> {
        let (secret, current) = self.current_login()?;
        let (aws, from) = (&self.clients.aws, current.version_id.clone());
        if move_label(aws, secret, "AWSCURRENT", &from, Some(to)).await? {
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
            let error = CallError::local(Code::RotationOvertaken, doing, cause);
            return Err(error.with_remedy(messages::REPEAT_IF_WANTED));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        self.state.secret = SecretState::Unread;
        Ok(())
    }

    async fn copy_current_version(&mut self) -> Result<(), CallError> {
        let (secret, current) = self.current_login()?;
        let entry = secret.next_entry();
        let copy = current.copied_as(entry);
        let (aws, id, labels) = (&self.clients.aws, &copy.version_id, vec![copy.write()]);
        let written = match calls::read_version(aws, secret, &current.version_id).await? {
            Some(version) => {
                let value = version.text.expose().to_owned();
                calls::put(aws, secret, id, value, labels).await?
            }
            None => WriteResult::Gone,
        };
        if self.note_write(written, entry) {
            self.state.secret.change(|secret| secret.log.superseded.push(copy));
        }
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

/// Creates the secret without a value, and returns its ARN. If two deliveries try, one succeeds.
async fn create_secret(
    aws: &Aws,
    spec: &Spec,
    records: &BTreeMap<String, String>,
) -> Result<String, CallError> {
    let name = &spec.secret_name;
    let tags = records.clone().into_iter().chain(spec.tags.clone());
    let tags = tags.map(|(key, value)| secret_tag(key, value));
    let call = aws
        .secrets
        .create_secret()
        .name(name)
        .description(format!("CodeCommit login of IAM user {}", spec.user_name))
        .set_kms_key_id(spec.kms_key_id.clone())
        .set_tags(Some(tags.collect()));
    let created = required(call.send().await, || format!("creating secret {name}"))?;
    Ok(created.arn.unwrap_or_else(|| name.clone()))
}

fn secret_tag(key: String, value: String) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Removes `label` from the version `from`, or moves it to another one. `false` if the label is not
/// on `from`: a peer, or an earlier call whose response was lost, may have moved it.
async fn move_label(
    aws: &Aws,
    secret: &Secret,
    label: &str,
    from: &str,
    to: Option<&str>,
) -> Result<bool, CallError> {
    let call = aws.secrets.update_secret_version_stage();
    let call = call.secret_id(&secret.arn).version_stage(label).remove_from_version_id(from);
    let call = call.set_move_to_version_id(to.map(ToOwned::to_owned));
    let not_there = ["InvalidParameterException", "ResourceNotFoundException"];
    let doing = || format!("moving a label in secret {}", secret.arn);
    let moved = optional(call.send().await, &not_there, doing)?;
    Ok(moved.is_some())
}

pub async fn drop_pending(aws: &Aws, secret: &Secret, version_id: &str) -> Result<(), CallError> {
    let dropped = move_label(aws, secret, "AWSPENDING", version_id, None).await;
    dropped.map(drop)
}
