//! Secrets Manager's rotation: four steps, each an invocation of its own.
//!
//! The event names the secret and a version; what is desired stands in the secret's log. Source:
//! the AWS Secrets Manager User Guide, "Lambda rotation functions".

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::gitlabs::GitLabs;
use super::giving_up::Begun;
use super::make_so::{Delivery, Former};
use super::mirror_records;
use super::plan::{IAM_SETTLES, Me, PAUSE, Rotation, RotationPart};
use super::properties::Desired;
use super::records::Owner;
use super::steps::{self, explained};
use super::{MirrorCredential, observe, properties, records};
use crate::aws::CallError;
use crate::cfn::{Failure, Progress};

/// A rotation of which nothing was heard for this long is over: four invocations of fifteen minutes,
/// and what lies between them.
const ROTATION_LIVES: Duration = Duration::from_secs(75 * 60);

/// One step of a rotation, as Secrets Manager asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEvent {
    part: RotationPart,
    secret_id: String,
    version_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEvent {
    step: String,
    secret_id: String,
    client_request_token: String,
}

/// Why a step was not done. Secrets Manager ends the rotation then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} of secret {secret_id}: {cause}")]
pub struct NotRotated {
    step: &'static str,
    secret_id: String,
    cause: String,
}

impl RotationEvent {
    /// Finds a rotation's step in an event; `None` when it is something else.
    pub fn find(event: &str) -> Option<Self> {
        let raw: RawEvent = serde_json::from_str(event).ok()?;
        let part = match raw.step.as_str() {
            "createSecret" => RotationPart::Create,
            "setSecret" => RotationPart::Set,
            "testSecret" => RotationPart::Test,
            "finishSecret" => RotationPart::Finish,
            _ => return None,
        };
        Some(RotationEvent {
            part,
            secret_id: raw.secret_id,
            version_id: raw.client_request_token,
        })
        // The log's own numbers are no rotation's.
        .filter(|event: &RotationEvent| records::entry_number(&event.version_id).is_none())
    }

    /// The step, in Secrets Manager's words.
    pub fn step(&self) -> &'static str {
        match self.part {
            RotationPart::Create => "createSecret",
            RotationPart::Set => "setSecret",
            RotationPart::Test => "testSecret",
            RotationPart::Finish => "finishSecret",
        }
    }

    /// The secret's ARN or name.
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The version that the step is about.
    pub fn version_id(&self) -> &str {
        &self.version_id
    }

    fn error(&self, cause: impl Into<String>) -> NotRotated {
        NotRotated {
            step: self.step(),
            secret_id: self.secret_id.clone(),
            cause: cause.into(),
        }
    }
}

impl MirrorCredential {
    /// Does one step of a rotation; what may wait stops waiting before `until`.
    ///
    /// # Errors
    /// When it could not be done. What the rotation made is removed then, as far as possible.
    pub async fn rotate(&self, event: &RotationEvent, until: SystemTime) -> Result<(), NotRotated> {
        let in_words = |error: CallError| event.error(explained(error).to_string());
        let read = observe::read_secret(&self.aws, &event.secret_id).await;
        let Some(secret) = read.map_err(in_words)? else {
            return Err(event.error("there is no such secret"));
        };
        let Some(owner) = secret.owner.clone() else {
            return Err(event.error("it was not made by Custom::MirrorCredential"));
        };
        let is_tried = event.part == RotationPart::Test
            && secret.open_rotation() == Some(&event.version_id)
            && secret.prepared(&event.version_id).is_none();
        if is_tried {
            // A schedule was attached: Secrets Manager tries whether the function answers, with a
            // version that it throws away.
            return Ok(());
        }
        let desired = match self.desired_patiently(&secret).await {
            Ok(desired) => desired,
            Err(cause) => {
                if secret.open_rotation() == Some(&event.version_id) {
                    let dropped = steps::drop_pending(&self.aws, &secret, &event.version_id).await;
                    dropped.map_err(in_words)?;
                }
                return Err(event.error(cause));
            }
        };
        let me = rotating(event, owner, &secret);
        let progress = Progress::new(until);
        let former = Former::default();
        let delivery = Delivery::begin(self, &desired, &me, &progress, None, former);
        let delivery = match Box::pin(delivery).await {
            Ok(delivery) => delivery,
            Err(Failure(cause)) => {
                progress.ended("failed");
                if let Err(error) = self.clean_up(&desired, &me, &event.version_id).await {
                    tracing::warn!(%error, "the rotation is not undone");
                }
                return Err(event.error(cause));
            }
        };
        let done = Box::pin(delivery.finish_part()).await;
        progress.ended(if done.is_ok() { "done" } else { "failed" });
        done.map_err(|Failure(cause)| event.error(cause))?;
        Ok(())
    }

    /// Ends a rotation of which nothing was heard for longer than its four steps take: it would keep
    /// every later one from beginning. Says whether there was one.
    ///
    /// # Errors
    /// When it could not be ended.
    pub async fn end_abandoned_rotation(&self, secret_id: &str) -> Result<bool, NotRotated> {
        let event = |version_id: &str| RotationEvent {
            part: RotationPart::Finish,
            secret_id: secret_id.to_owned(),
            version_id: version_id.to_owned(),
        };
        let in_words = |error: CallError| event("").error(explained(error).to_string());
        let read = observe::read_secret(&self.aws, secret_id).await;
        let Some(secret) = read.map_err(in_words)? else {
            return Ok(false);
        };
        let changed = secret.last_changed;
        let is_silent = changed.is_some_and(|time| self.clock.now() >= time + ROTATION_LIVES);
        let (Some(version_id), Some(owner), true) = (
            secret.open_rotation().cloned(),
            secret.owner.clone(),
            is_silent,
        ) else {
            return Ok(false);
        };
        let event = event(&version_id);
        if secret.prepared(&version_id).is_none() {
            let dropped = steps::drop_pending(&self.aws, &secret, &version_id).await;
            return dropped.map(|()| true).map_err(in_words);
        }
        let desired = self.desired_by(&secret).await;
        let desired = desired.map_err(|cause| event.error(cause))?;
        let me = rotating(&event, owner, &secret);
        self.clean_up(&desired, &me, &version_id)
            .await
            .map_err(in_words)?;
        Ok(true)
    }

    async fn clean_up(
        &self,
        desired: &Desired,
        me: &Me,
        version_id: &str,
    ) -> Result<(), CallError> {
        let accesses = desired.gitlab.iter().cloned().collect();
        let mut gitlabs = GitLabs::new(&self.aws, &self.http, accesses);
        let begun = Begun::nothing(version_id);
        self.give_up(desired, me, &mut gitlabs, begun).await
    }

    /// What was written to the log a moment ago may not be shown yet.
    async fn desired_patiently(&self, secret: &observe::Secret) -> Result<Desired, String> {
        let give_up = self.clock.now() + IAM_SETTLES;
        let mut desired = self.desired_by(secret).await;
        while desired.is_err() && self.clock.now() < give_up {
            tokio::time::sleep(PAUSE * 2).await;
            let read = observe::read_secret(&self.aws, &secret.arn).await;
            if let Ok(Some(secret)) = read {
                desired = self.desired_by(&secret).await;
            }
        }
        desired
    }

    /// What the template asked for when it was last carried out.
    async fn desired_by(&self, secret: &observe::Secret) -> Result<Desired, String> {
        let document = steps::read_document(&self.aws, secret).await;
        let document: Option<Value> = document.map_err(|error| explained(error).to_string())?;
        let Some(document) = document else {
            return Err("its stack has to be created or updated to the end first".to_owned());
        };
        let desired = properties::decode(&document).map_err(|faults| faults.to_string())?;
        let name = secret.arn.rsplit(':').next().unwrap_or_default();
        // An ARN ends in a hyphen and six characters.
        if name.len() != desired.secret_name.len() + 7 || !name.starts_with(&desired.secret_name) {
            return Err("its log belongs to another secret".to_owned());
        }
        Ok(desired)
    }
}

/// A step of the rotation, in the name of the secret's owner.
fn rotating(event: &RotationEvent, owner: Owner, secret: &observe::Secret) -> Me {
    Me {
        owner,
        // It changes nothing that a template says, so it is as old as the template.
        signed_at: secret.as_of.unwrap_or(SystemTime::UNIX_EPOCH),
        request_key: records::key(&event.version_id),
        claimant: mirror_records::claimant(Some(&event.version_id)),
        is_create: false,
        rotation: Some(Rotation {
            version_id: event.version_id.clone(),
            part: event.part,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_by_its_three_members() {
        let event = r#"{"Step":"setSecret","SecretId":"arn:x","ClientRequestToken":"t","More":1}"#;
        let found = RotationEvent::find(event).expect("a step");
        assert_eq!(found.step(), "setSecret");
        assert_eq!(found.version_id(), "t");
        for other in [
            r#"{"Step":"dropSecret","SecretId":"arn:x","ClientRequestToken":"t"}"#,
            r#"{"Step":"setSecret","SecretId":"arn:x"}"#,
            "[]",
            "",
        ] {
            assert_eq!(RotationEvent::find(other), None, "{other}");
        }
    }
}
