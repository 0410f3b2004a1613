//! The calls of a rotation.

use super::abort::Begun;
use crate::aws::CallError;
use crate::mirror_credential::apply::Delivery;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::{Moved, Written};
use crate::mirror_credential::mirrors::journal::{Properties, properties_key};
use crate::mirror_credential::plan::{PAUSE, SecretState};
use crate::reason_codes::Code;

/// How often `AWSCURRENT` is looked for elsewhere.
const MOST_LOOKS: u32 = 20;

impl Delivery<'_> {
    /// Writes what was issued into the version that Secrets Manager chose.
    pub(in crate::mirror_credential) async fn prepare(&mut self) -> Result<(), CallError> {
        let (Some(secret), Some(rotation)) = (self.known.secret.present(), &self.me.rotation)
        else {
            return Ok(());
        };
        let version_id = rotation.version_id.clone();
        let doing = format!("preparing version {version_id} of secret {}", secret.arn);
        // See `seal_of`: the number follows that of the claim.
        let entry = secret.next_entry();
        let Some((value, login)) = self.next_login(entry, version_id.clone()) else {
            return Ok(());
        };
        let Some(credential) = self.known.user.credential(&login.credential_id) else {
            return Ok(());
        };
        let user_name = &self.desired.user_name;
        let aws = &self.resource.aws;
        let stage = "AWSPENDING";
        match calls::write_login(aws, secret, &login, stage, user_name, credential, &value).await? {
            Written::Yes => {
                self.known.values.insert(version_id, Some(value));
                self.known.issued = None;
                self.stored = Some(login.credential_id);
                // Whoever took the log meanwhile does not know of it.
                self.number_is_taken(entry);
                Ok(())
            }
            Written::Taken => Err(CallError {
                doing,
                // What Secrets Manager answered: another value stays there.
                code: Some("ResourceExistsException".to_owned()),
                status: Some(400),
                cause: "it holds another login already".to_owned(),
                reason_code: Code::RotationOvertaken.into(),
            }),
            Written::Gone => {
                self.known.secret = SecretState::Absent;
                Ok(())
            }
        }
    }

    /// Writes the current login once more as the log's next entry, which is not current yet.
    pub(in crate::mirror_credential) async fn copy(&mut self, entry: u64) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let Some(current) = &secret.current else {
            return Ok(());
        };
        let copy = current.copied_as(entry);
        match calls::copy_login(&self.resource.aws, secret, current, &copy).await? {
            Written::Yes => self.change_secret(|secret| secret.superseded.push(copy)),
            Written::Taken => self.number_is_taken(entry),
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    /// Hands `AWSCURRENT` from one version to another.
    pub(in crate::mirror_credential) async fn hand_over(
        &mut self,
        from: &str,
        to: &str,
    ) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        match calls::hand_over(&self.resource.aws, secret, from, to).await? {
            Moved::Yes => self.change_secret(|secret| {
                let mut logins = secret.superseded.iter();
                if let Some(at) = logins.position(|login| login.version_id == to) {
                    let next = secret.superseded.swap_remove(at);
                    secret.superseded.extend(secret.current.replace(next));
                }
            }),
            Moved::NotThere => {
                self.looks += 1;
                if self.looks > MOST_LOOKS {
                    let doing = format!("handing AWSCURRENT to version {to}");
                    let cause = "it is not where it is shown to be";
                    return Err(CallError::local(Code::RotationOvertaken, doing, cause));
                }
                // It may be shown late.
                tokio::time::sleep(PAUSE).await;
                self.known.secret = SecretState::Unread;
            }
        }
        Ok(())
    }

    /// Writes what the template asks for as the log's next entry.
    pub(in crate::mirror_credential) async fn note_properties(
        &mut self,
        entry: u64,
    ) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let document = &self.desired.document;
        let properties = Properties {
            entry,
            key: properties_key(document),
        };
        let aws = &self.resource.aws;
        match calls::note_properties(aws, secret, &properties, document).await? {
            Written::Yes => self.change_secret(|secret| secret.properties.push(properties)),
            Written::Taken => self.number_is_taken(entry),
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    /// Removes what the rotation to `version_id` made, and closes its record.
    pub(in crate::mirror_credential) async fn give_up(
        &mut self,
        version_id: &str,
    ) -> Result<(), CallError> {
        let made = std::mem::take(&mut self.known.journal.made);
        let known = made.into_iter().chain(self.known.strays.iter().cloned());
        let (own, strays) = known.partition(|record| self.made_here.contains(record));
        let issued = self.known.issued.as_ref().map(|issued| issued.id.clone());
        let begun = Begun {
            version_id,
            claim: self.known.claim,
            before: std::mem::take(&mut self.known.journal.before),
            own: if self.stored.is_some() {
                self.made_here.iter().cloned().collect()
            } else {
                own
            },
            strays,
            issued: issued.or(self.stored.clone()),
            has_prepared: self.stored.is_some(),
        };
        let resource = self.resource;
        let (desired, me) = (self.desired, self.me);
        let given_up = resource.give_up(desired, me, &mut self.gitlabs, begun);
        let claim = given_up.await?;
        if claim.is_some() && self.known.recorded && !self.known.may_have_issued {
            self.known.claim = claim;
            self.record(true).await?;
        }
        Ok(())
    }
}
