//! Executes the steps that only a rotation needs, or the end of one.

use crate::aws::CallError;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::state::SecretState;
use crate::mirror_credential::timing::POLL_INTERVAL;
use crate::reason_codes::Code;

/// Maximum attempts to move `AWSCURRENT`. Secrets Manager may show it late.
const MAX_MOVE_RETRIES: u32 = 20;

impl Applier<'_> {
    /// Stores the issued login in the version that Secrets Manager chose.
    pub async fn store_pending(&mut self) -> Result<(), CallError> {
        let (Some(secret), Some(rotation)) = (self.state.secret.present(), &self.context.rotation)
        else {
            return Ok(());
        };
        let version_id = rotation.version_id.clone();
        let doing = format!("preparing version {version_id} of secret {}", secret.arn);
        // See `claim_of`: the entry follows that of the claim.
        let entry = secret.next_entry();
        let Some((value, login)) = self.next_login(entry, version_id.clone()) else {
            return Ok(());
        };
        let Some(credential) = self.state.user.credential(&login.credential_id) else {
            return Ok(());
        };
        let user_name = &self.spec.user_name;
        let aws = &self.clients.aws;
        let stage = "AWSPENDING";
        match calls::write_login(aws, secret, &login, stage, user_name, credential, &value).await? {
            WriteResult::Yes => {
                self.state.login.stored.insert(version_id, Some(value));
                self.state.login.issued = None;
                self.created.stored_credential = Some(login.credential_id);
                // A peer that took the log over meanwhile has not read this login.
                self.note_claimed_entry(entry);
                Ok(())
            }
            WriteResult::Taken => Err(CallError {
                doing,
                // Secrets Manager rejected the entry, so it still holds the peer's value.
                code: Some("ResourceExistsException".to_owned()),
                status: Some(400),
                cause: "it holds another login already".to_owned(),
                reason_code: Code::RotationOvertaken.into(),
            }),
            WriteResult::Gone => {
                self.state.secret = SecretState::Absent;
                Ok(())
            }
        }
    }

    /// Moves `AWSCURRENT` from one version to another.
    pub async fn move_aws_current(&mut self, from: &str, to: &str) -> Result<(), CallError> {
        let Some(secret) = self.state.secret.present() else {
            return Ok(());
        };
        let aws = &self.clients.aws;
        if calls::move_label(aws, secret, "AWSCURRENT", from, Some(to)).await? {
            self.change_secret(|secret| {
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
            let doing = format!("handing AWSCURRENT to version {to}");
            let cause = "it is not where it is shown to be";
            return Err(CallError::local(Code::RotationOvertaken, doing, cause));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        self.state.secret = SecretState::Unread;
        Ok(())
    }

    /// Writes the current login again as the log's entry `entry`.
    pub async fn copy_current_version(&mut self, entry: u64) -> Result<(), CallError> {
        let secret = self.state.secret.present();
        let Some((secret, current)) = secret.and_then(|s| Some((s, s.log.current.as_ref()?)))
        else {
            return Ok(());
        };
        let copy = current.copied_as(entry);
        let written = calls::copy_login(&self.clients.aws, secret, current, &copy).await?;
        self.note_write(written, entry, |secret| secret.log.superseded.push(copy));
        Ok(())
    }
}
