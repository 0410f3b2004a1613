//! Executes the steps for the credential and its login: from the issue intent to the stored login.

use crate::clients::aws::CallError;
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::calls::{IssueResult, WriteResult};
use crate::mirror_credential::intent_log::{Login, key, serial_key, version_id};
use crate::mirror_credential::plan::step::CredentialStep;
use crate::mirror_credential::state::mirrors::IntentState;
use crate::mirror_credential::state::{Credential, Issued, StoredLogin};
use crate::mirror_credential::timing::POLL_INTERVAL;
use crate::mirror_credential::{calls, plan};
use cfn_custom_resource::Reason;

/// A reset returns a password with `/` with a probability of about one half.
const MAX_RESETS: u32 = 40;

/// Maximum calls per delivery whose outcome is unknown.
pub const MAX_UNCERTAIN_CALLS: u32 = 4;

impl Applier<'_> {
    pub async fn apply_credential_step(&mut self, step: CredentialStep) -> Result<(), ApplyError> {
        let aws = &self.clients.aws;
        let user_name = &self.spec.user_name;
        match step {
            CredentialStep::WaitForIam => {
                tokio::time::sleep(POLL_INTERVAL).await;
                self.read_user().await?;
            }
            CredentialStep::WriteIssueIntent => self.write_issue_intent(false).await?,
            CredentialStep::CloseIssueIntent => self.write_issue_intent(true).await?,
            CredentialStep::Issue => self.issue().await?,
            CredentialStep::Reset(id) => self.reset(&id).await?,
            CredentialStep::VerifyIssued => self.verify_issued().await?,
            CredentialStep::Store => self.store().await?,
            CredentialStep::ReadLogin(version_id) => {
                let secret = self.state.secret.required()?;
                let login = calls::read_login(aws, secret, &version_id).await?;
                self.state.login.stored.insert(version_id, login);
            }
            CredentialStep::VerifyStored => self.verify_stored().await?,
            CredentialStep::Deactivate(id) => match calls::deactivate(aws, user_name, &id).await {
                Err(error) if error.has_code(&["NoSuchEntity"]) => {
                    self.note_credential_deleted(&id);
                }
                deactivated => {
                    deactivated?;
                    self.note_deactivated(&id);
                }
            },
            CredentialStep::DeleteCredential(id) => {
                calls::delete_credential(aws, user_name, &id).await?;
                self.note_credential_deleted(&id);
            }
        }
        Ok(())
    }

    /// Issues a credential. A Create saves its spec at the same time.
    async fn issue(&mut self) -> Result<(), CallError> {
        let entry = plan::first_saved_spec(self.context, &self.state);
        let result = calls::issue(&self.clients.aws, &self.spec.user_name);
        let (result, saved) = tokio::join!(result, async {
            match entry {
                Some(entry) => self.write_spec(entry).await.map(Some),
                None => Ok(None),
            }
        });
        self.follow_issue(result?, None).await?;
        if let Some((saved, written)) = saved? {
            self.note_saved_spec(saved, written);
        }
        Ok(())
    }

    async fn reset(&mut self, id: &str) -> Result<(), CallError> {
        let user_name = &self.spec.user_name;
        if self.retries.resets == MAX_RESETS {
            let doing =
                format!("resetting the service-specific credential {id} of user {user_name}");
            let cause = format!("no usable password in {MAX_RESETS} resets");
            return Err(CallError::local(Code::InternalError, doing, cause));
        }
        let result = calls::reset(&self.clients.aws, user_name, id).await?;
        // IAM rejected a throttled call without a reset.
        if !matches!(result, IssueResult::Busy) {
            self.retries.resets += 1;
        }
        self.follow_issue(result, Some(id)).await
    }

    /// Follows a call that issued a credential, or reset the credential `reset`.
    async fn follow_issue(
        &mut self,
        result: IssueResult,
        reset: Option<&str>,
    ) -> Result<(), CallError> {
        if !matches!(result, IssueResult::Busy) {
            self.retries.throttled_calls = 0;
        }
        match result {
            IssueResult::Done(credential, password) => {
                self.note_issued(&credential, password, reset.is_some());
            }
            IssueResult::Busy => {
                // With a thousand users, a call per second each would keep IAM throttling.
                let pause = POLL_INTERVAL * (1 << self.retries.throttled_calls.min(4));
                self.retries.throttled_calls += 1;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            }
            IssueResult::Gone => {
                if let Some(id) = reset {
                    self.note_credential_deleted(id);
                }
            }
            IssueResult::Unknown(error) => {
                self.retries.uncertain_calls += 1;
                if self.retries.uncertain_calls > MAX_UNCERTAIN_CALLS {
                    return Err(error);
                }
                if reset.is_none() {
                    self.state.login.uncertain_since = Some(self.clients.clock.now());
                    self.state.login.may_have_issued = true;
                } else {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            }
            IssueResult::NoSlot(error) => {
                // IAM may not list the credential in the slot yet, or may still count a deleted
                // one.
                self.retries.slots_refused += 1;
                if self.retries.slots_refused > 1 {
                    return Err(error.with_reason_code(Code::NoFreeSlot));
                }
                self.state.login.uncertain_since = Some(self.clients.clock.now());
            }
        }
        Ok(())
    }

    /// Notes that `credential` has the password `password`. `reset` if it existed before.
    fn note_issued(&mut self, credential: &Credential, password: Password, reset: bool) {
        let mut own = self.created.credentials.iter();
        let is_own = own.any(|own| own.id == credential.id);
        self.created.is_login_shared |= reset && !is_own;
        self.state.login.issued = Some(Issued {
            id: credential.id.clone(),
            service_user_name: credential.service_user_name.clone(),
            password: Some(password),
            verified: false,
        });
        for list in [
            &mut self.state.user.credentials,
            &mut self.created.credentials,
        ] {
            list.retain(|listed| listed.id != credential.id);
            list.push(credential.clone());
        }
    }

    /// Stores the login and its mirrors as the log's next entry, under `AWSCURRENT`. A rotation
    /// stores them in the version that Secrets Manager chose, under `AWSPENDING`.
    async fn store(&mut self) -> Result<(), ApplyError> {
        let secret = self.state.secret.required()?;
        // For a rotation, see `claim_of`: the entry follows that of the claim.
        let entry = secret.next_entry();
        let (stage, version_id) = match &self.context.rotation {
            Some(rotation) => ("AWSPENDING", rotation.version_id.clone()),
            None => ("AWSCURRENT", version_id(entry)),
        };
        let no_login = || ApplyError::internal("no login to store");
        let (value, login) = self.next_login(entry, version_id).ok_or_else(no_login)?;
        let credential = self.state.user.credential(&login.credential_id);
        let credential = credential.ok_or_else(no_login)?;
        let (aws, user_name) = (&self.clients.aws, &self.spec.user_name);
        self.created.storing_entry = Some(entry);
        let write = calls::write_login(aws, secret, &login, stage, user_name, credential, &value);
        let (written, proved) = Box::pin(self.prove_beside(write)).await?;
        let is_rotation = self.context.rotation.is_some();
        if is_rotation && written == WriteResult::Taken {
            let text = format!(
                "storing the login of version {}: it holds another login already",
                login.version_id
            );
            let reason = Reason::new(Code::RotationOvertaken, text);
            return Err(ApplyError::permanent(reason));
        }
        if !self.note_write(written, entry) {
            return Ok(());
        }
        if is_rotation {
            self.created.stored_credential = Some(login.credential_id);
            self.state
                .login
                .stored
                .insert(login.version_id, Some(value));
            self.state.login.issued = None;
            // A peer that took the log over meanwhile has not read this login.
            self.note_claimed_entry(entry);
            return Ok(());
        }
        self.note_stored(login, value);
        if let Some(proved) = proved {
            proved.map_err(|(_, failure)| failure)?;
            self.state.login.verified = true;
        }
        Ok(())
    }

    fn note_stored(&mut self, login: Login, value: StoredLogin) {
        self.created.storing_entry = None;
        self.created.stored_credential = Some(login.credential_id.clone());
        let state = &mut self.state.login;
        if let Some(issued) = state.issued.take() {
            state.verified = issued.verified;
        }
        state.verified_version = Some(login.version_id.clone());
        state.seen_version = Some(login.version_id.clone());
        state.stored.insert(login.version_id.clone(), Some(value));
        state.rejected = false;
        state.uncertain_since = None;
        let intent = &mut self.state.mirrors.intent;
        *intent = IntentState {
            read_from: intent.read_from.take(),
            ..IntentState::default()
        };
        self.change_secret(|secret| {
            secret.log.superseded.extend(secret.log.current.take());
            secret.log.current = Some(login);
            secret.log.changed_by_hand = false;
        });
    }

    /// The next version's login: the issued one, or the current one with other mirrors.
    pub fn next_login(&self, entry: u64, version_id: String) -> Option<(StoredLogin, Login)> {
        let secret = self.state.secret.present()?;
        let login = &self.state.login;
        let (credential_id, service_user_name, password) = if let Some(issued) = &login.issued {
            let password = issued.password.clone()?;
            (
                issued.id.clone(),
                issued.service_user_name.clone(),
                password,
            )
        } else {
            let current = secret.log.current.as_ref()?;
            let value = login.stored.get(&current.version_id)?.clone()?;
            let id = current.credential_id.clone();
            (id, value.service_user_name, value.password)
        };
        let mirrors = plan::next_mirrors(self.spec, self.context, &self.state);
        let login = Login {
            entry,
            version_id,
            credential_id,
            serial_key: serial_key(self.spec.rotation_serial.as_deref()),
            user_key: key(&self.spec.user_name),
            mirrors: mirrors.len(),
        };
        let value = StoredLogin {
            service_user_name,
            password,
            mirrors,
        };
        Some((value, login))
    }
}
