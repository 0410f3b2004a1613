//! Executes the steps for the credential and its login: from the issue intent to the stored login.

use std::time::Duration;

use crate::clients::aws::CallError;
use crate::clients::codecommit::push_check;
use crate::clients::codecommit::push_check::PushCheckError;
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::calls::{IssueResult, WriteResult};
use crate::mirror_credential::intent_log::{OPEN_INTENT, version_id};
use crate::mirror_credential::plan::step::CredentialStep;
use crate::mirror_credential::state::Secret;
use crate::mirror_credential::timing::POLL_INTERVAL;
use crate::mirror_credential::{calls, plan};
use cfn_custom_resource::Reason;

/// A reset returns a password with `/` with a probability of about one half.
const MAX_RESETS: u32 = 40;

/// Maximum calls per delivery whose outcome is unknown.
pub const MAX_UNCERTAIN_CALLS: u32 = 4;

/// IAM has propagated a credential everywhere by then. IAM documents no bound: "changes that I make
/// are not always immediately visible", and seconds are observed.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const LOGIN_PROPAGATION_TIME: Duration = Duration::from_secs(60 * 60);

/// Whether a login can push to every repository, and the error of the first check that failed.
pub type Proof = Result<(), (PushCheckError, ApplyError)>;

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
                    self.state.note_credential_deleted(&id);
                }
                deactivated => {
                    deactivated?;
                    self.state.note_deactivated(&id);
                }
            },
            CredentialStep::DeleteCredential(id) => {
                calls::delete_credential(aws, user_name, &id).await?;
                self.state.note_credential_deleted(&id);
            }
        }
        Ok(())
    }

    /// Writes the open or the closed intent, and who owns the user.
    pub async fn write_issue_intent(&mut self, closed: bool) -> Result<(), CallError> {
        self.state.now = self.clients.clock.now();
        let secret = self.state.secret.required()?;
        let intent = self.planner().issue_intent(secret, closed);
        let user = &self.state.user;
        if !closed {
            let earlier = user.issue_intent.as_ref();
            let before = self.state.log.claimed_after.map(|(claim, _)| claim);
            self.state.log.follows_closed_intent = earlier.is_some_and(|earlier| {
                earlier.closed
                    && earlier.secret_key == intent.secret_key
                    && before == Some(earlier.claim)
            });
        }
        let owner = &self.context.owner;
        // The tombstone of a Delete that came after this request stays: a second delivery of this
        // request would issue a credential that no stack owns.
        let tombstone = user.tombstone.as_ref();
        let is_stale = tombstone.is_some_and(|one| !self.context.is_superseded_by(one));
        let mut tags = calls::issue_intent_tags(owner, &self.spec.secret_name, &intent, is_stale);
        // A closed intent does not end that of another secret, which this resource has left.
        let earlier = user.issue_intent.as_ref();
        if closed && earlier.is_some_and(|earlier| earlier.secret_key != intent.secret_key) {
            tags.push((OPEN_INTENT, String::new()));
        }
        calls::tag_user(&self.clients.aws, &self.spec.user_name, &tags).await?;
        let user = &mut self.state.user;
        user.owner = Some(self.context.owner.clone());
        user.secret_name = Some(self.spec.secret_name.clone());
        user.issue_intent = Some(intent);
        if is_stale {
            user.tombstone = None;
        }
        self.state.log.issue_intent_written = true;
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
                self.state
                    .note_issued(&credential, password, reset.is_some());
            }
            IssueResult::Busy => {
                // With a thousand users, a call per second each would keep IAM throttling.
                let pause = POLL_INTERVAL * (1 << self.retries.throttled_calls.min(4));
                self.retries.throttled_calls += 1;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            }
            IssueResult::Gone => {
                if let Some(id) = reset {
                    self.state.note_credential_deleted(id);
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
        let next = self.planner().next_login(entry, version_id);
        let (value, login) = next.ok_or_else(no_login)?;
        let credential = self.state.user.credential(&login.credential_id);
        let credential = credential.ok_or_else(no_login)?;
        let (aws, user_name) = (&self.clients.aws, &self.spec.user_name);
        self.state.created.storing_entry = Some(entry);
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
            self.state.created.stored_credential = Some(login.credential_id);
            self.state
                .login
                .stored
                .insert(login.version_id, Some(value));
            self.state.login.issued = None;
            // A peer that took the log over meanwhile has not read this login.
            self.state
                .note_claimed_entry(entry, self.clients.clock.now());
            return Ok(());
        }
        self.state.note_stored(login, value);
        if let Some(proved) = proved {
            proved.map_err(|(_, failure)| failure)?;
            self.state.login.verified = true;
        }
        Ok(())
    }

    async fn verify_issued(&mut self) -> Result<(), ApplyError> {
        let issued = self.state.login.issued.as_ref();
        let issued =
            issued.and_then(|issued| Some((&issued.service_user_name, issued.password.as_ref()?)));
        let (login, password) = issued.ok_or_else(|| ApplyError::internal("no login to verify"))?;
        match self.prove(login, password).await {
            // A peer may have taken the credential over and reset it meanwhile.
            Err((PushCheckError::LoginRejected, failure))
                if !self.state.created.is_login_shared =>
            {
                self.read_secret().await?;
                return self.state.log.claim.map_or(Ok(()), |_| Err(failure));
            }
            // A superseded delivery may have reset it once more before it read the peer's claim.
            Err((PushCheckError::LoginRejected, _)) if !self.retries.login_rejected => {
                self.retries.login_rejected = true;
                if let Some(issued) = &mut self.state.login.issued {
                    issued.password = None;
                }
                self.state.orphan_created_mirrors();
                return Ok(());
            }
            proved => proved.map_err(|(_, failure)| failure)?,
        }
        if let Some(issued) = &mut self.state.login.issued {
            issued.verified = true;
        }
        Ok(())
    }

    /// Runs `write`, which stores the issued login. The first login of a secret is verified at the
    /// same time, unless mirrors use it: then it was verified before. Without a successful write
    /// the result of the verification does not matter.
    async fn prove_beside(
        &self,
        write: impl Future<Output = Result<WriteResult, CallError>>,
    ) -> Result<(WriteResult, Option<Proof>), CallError> {
        let current = self
            .state
            .secret
            .present()
            .map(|secret| &secret.log.current);
        let is_first = current.is_some_and(Option::is_none) && self.context.rotation.is_none();
        let issued = self.state.login.issued.as_ref();
        let unproved = issued.filter(|issued| is_first && !issued.verified);
        let Some((login, password)) = unproved
            .and_then(|issued| Some((&issued.service_user_name, issued.password.as_ref()?)))
        else {
            return Ok((write.await?, None));
        };
        let proof = async { Ok(Box::pin(self.prove(login, password)).await) };
        let written = async {
            match write.await {
                Ok(WriteResult::Yes) => Ok(()),
                other => Err(other),
            }
        };
        match tokio::try_join!(written, proof) {
            Ok(((), proof)) => Ok((WriteResult::Yes, Some(proof))),
            Err(written) => Ok((written?, None)),
        }
    }

    /// Proves the login that the secret holds, or the one that a rotation has prepared.
    async fn verify_stored(&mut self) -> Result<(), ApplyError> {
        let secret = self.state.secret.required()?;
        let rotation = self.context.rotation.as_ref();
        let prepared = rotation.and_then(|rotation| secret.prepared(&rotation.version_id));
        let login = prepared.or(secret.log.current.as_ref());
        let login = login.ok_or_else(|| ApplyError::internal("no login to verify"))?;
        let version_id = login.version_id.clone();
        let is_new = self.is_new(secret, &login.credential_id);
        self.state.login.verified_version = Some(version_id.clone());
        if !self.state.login.stored.contains_key(&version_id) {
            let value = calls::read_login(&self.clients.aws, secret, &version_id).await?;
            self.state.login.stored.insert(version_id.clone(), value);
        }
        let Some(value) = self.state.login.stored.get(&version_id).cloned().flatten() else {
            self.state.login.rejected = true;
            return Ok(());
        };
        match self.prove(&value.service_user_name, &value.password).await {
            Ok(()) => self.state.login.verified = true,
            // A person reset the credential: a new credential repairs that.
            Err((PushCheckError::LoginRejected, _))
                if self.state.created.stored_credential.is_none() && rotation.is_none() =>
            {
                self.state.login.rejected = true;
            }
            Err((refused, mut error)) => {
                // IAM has propagated an older login everywhere. A policy rejects it, or a person
                // changed the credential.
                error.is_transient &= is_new || !refused.is_rejection();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether IAM may still be propagating the credential `id`, which `secret` names.
    fn is_new(&self, secret: &Secret, id: &str) -> bool {
        let listed = self.state.user.credential(id).map(|listed| listed.created);
        // IAM may list it late. Its secret was changed when it was stored, or later.
        let issued = listed.or(secret.last_changed);
        issued.is_none_or(|time| self.clients.clock.now() < time + LOGIN_PROPAGATION_TIME)
    }

    async fn prove(&self, login: &str, password: &Password) -> Proof {
        // An Update that issues a password waits as long as a Create. The old login works
        // meanwhile.
        let is_new = self.context.is_create
            || self.context.rotation.is_some()
            || self.state.login.issued.is_some()
            || self.state.created.stored_credential.is_some();
        let timeout = if is_new {
            push_check::NEW_LOGIN_TIMEOUT
        } else {
            push_check::EARLIER_LOGIN_TIMEOUT
        };
        let clock = &self.clients.clock;
        // The rollback and the response need the rest of the time.
        let share = clock.until(self.progress.until()).mul_f64(0.6);
        let give_up = clock.now() + timeout.min(share);
        for (name, url) in &self.state.clone_urls {
            let patience = clock.until(give_up);
            let proof = push_check::check_push(&self.clients.http, url, login, password, patience);
            if let Err(error) = proof.await {
                let user = &self.spec.user_name;
                let reason = format!(
                    "verifying that the login of user {user} can push to repository {name}: {error}"
                );
                let failure = ApplyError {
                    reason: error.reason_with(reason),
                    is_transient: error.is_transient(),
                };
                return Err((error, failure));
            }
        }
        Ok(())
    }
}
