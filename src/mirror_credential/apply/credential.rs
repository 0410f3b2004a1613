//! Executes the steps for the credential and its login: the intent record, the stored login, and
//! the deletion. `issue` and `verify` have the others.

use aws_sdk_iam::types::StatusType;
use serde_json::{Value, json};

use crate::clients::aws::{CallError, optional, retrying_absence};
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::{CODECOMMIT, WriteResult};
use crate::mirror_credential::intent_log::{
    LOGICAL_ID, OPEN_INTENT, SECRET_NAME, STACK_ID, TOMBSTONE, version_id, write_time,
};
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::step::CredentialStep;
use crate::mirror_credential::state::{Credential, DeliveryError, LoginTrial, StoredLogin};
use crate::mirror_credential::timing::POLL_INTERVAL;

impl Applier<'_> {
    pub async fn apply_credential_step(
        &mut self,
        step: CredentialStep,
    ) -> Result<(), DeliveryError> {
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
            CredentialStep::Deactivate(id) => self.deactivate(&id).await?,
            CredentialStep::DeleteCredential(id) => {
                calls::delete_credential(aws, user_name, &id).await?;
                self.state.note_credential_deleted(&id);
            }
        }
        Ok(())
    }

    async fn deactivate(&mut self, id: &str) -> Result<(), CallError> {
        let user_name = &self.spec.user_name;
        let call = self.clients.aws.iam.update_service_specific_credential();
        let call = call.user_name(user_name).service_specific_credential_id(id);
        let doing =
            || format!("deactivating the service-specific credential {id} of user {user_name}");
        let sent = call.status(StatusType::Inactive).send().await;
        match optional(sent, &["NoSuchEntity"], doing)? {
            Some(_) => self.state.note_deactivated(id),
            None => self.state.note_credential_deleted(id),
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
        let mut tags = vec![
            (STACK_ID, owner.stack_id.clone()),
            (LOGICAL_ID, owner.logical_id.clone()),
            (SECRET_NAME, self.spec.secret_name.clone()),
            intent.tag(),
        ];
        if is_stale {
            tags.push((TOMBSTONE, String::new()));
        }
        // A closed intent does not end that of another secret, which this resource has left.
        let earlier = user.issue_intent.as_ref();
        if closed && earlier.is_some_and(|earlier| earlier.secret_key != intent.secret_key) {
            tags.push((OPEN_INTENT, String::new()));
        }
        let tagging = calls::tag_user(&self.clients.aws, &self.spec.user_name, &tags);
        retrying_absence(self.may_be_new(&self.spec.user_name), tagging).await?;
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

    /// Stores the login and its mirrors as the log's next entry, under `AWSCURRENT`. A rotation
    /// stores them in the version that Secrets Manager chose, under `AWSPENDING`.
    async fn store(&mut self) -> Result<(), DeliveryError> {
        let secret = self.state.secret.required()?;
        // For a rotation, see `claim_of`: the entry follows that of the claim.
        let entry = secret.next_entry();
        let (stage, version_id) = match &self.context.rotation {
            Some(rotation) => ("AWSPENDING", rotation.version_id.clone()),
            None => ("AWSCURRENT", version_id(entry)),
        };
        let no_login = || DeliveryError::internal("no login to store");
        let next = self.planner().next_login(entry, version_id);
        let (value, login) = next.ok_or_else(no_login)?;
        let credential = self.state.user.credential(&login.credential_id).ok_or_else(no_login)?;
        self.state.created.storing_entry = Some(entry);
        let json = self.login_json(&value, credential).to_string();
        // Every reader of the secret uses the version under `AWSCURRENT`.
        let labels = vec![stage.to_owned(), login.write()];
        let write = calls::put(&self.clients.aws, secret, &login.version_id, json, labels);
        let (written, proved) = Box::pin(self.prove_beside(write)).await?;
        let is_rotation = self.context.rotation.is_some();
        if is_rotation && written == WriteResult::Taken {
            let reason = messages::version_is_taken(&login.version_id);
            return Err(DeliveryError::permanent(reason));
        }
        if !self.note_write(written, entry) {
            return Ok(());
        }
        if is_rotation {
            self.state.created.stored_credential = Some(login.credential_id);
            self.state.login.stored.insert(login.version_id, Some(value));
            self.state.login.issued = None;
            // A peer that took the log over meanwhile has not read this login.
            self.state.note_claimed_entry(entry, self.clients.clock.now());
            return Ok(());
        }
        self.state.note_stored(login, value);
        if let Some(proved) = proved {
            proved.map_err(|(_, failure)| failure)?;
            self.state.login.trial = LoginTrial::Accepted;
        }
        Ok(())
    }

    fn login_json(&self, value: &StoredLogin, credential: &Credential) -> Value {
        let mut json = json!({
            "username": value.service_user_name,
            "password": value.password.expose(),
            "serviceSpecificCredentialId": credential.id,
            "userName": self.spec.user_name,
            "serviceName": CODECOMMIT,
            "createDate": write_time(credential.created),
        });
        if !value.mirrors.is_empty() {
            json["mirrors"] = json!(value.mirrors);
        }
        json
    }
}
