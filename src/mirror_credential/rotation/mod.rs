//! Secrets Manager's rotation: four steps, each an invocation of its own.
//!
//! The event names the secret and a version; what is desired stands in the secret's log. Source:
//! the AWS Secrets Manager User Guide, "Lambda rotation functions".
//!
//! A step that fails either leaves the rotation pending or ends it.
//!
//! - The failure may pass ([`DeliveryError::is_transient`]): `AWSPENDING` and everything that the step
//!   created stay, as after a killed process. "If any rotation step fails, Secrets Manager retries the
//!   entire rotation process multiple times"
//!   (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html>): each
//!   step with the same version resumes.
//! - It does not pass: the step removes what the rotation created, `AWSPENDING` first. While that
//!   label is on another version than `AWSCURRENT`, `RotateSecret` "assumes that a previous rotation
//!   request is still in progress and returns an error"
//!   (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html>): "A
//!   previous rotation isn't complete. That rotation will be reattempted." A stack's update that
//!   changes the `RotationSchedule` fails with it (<https://github.com/aws/aws-cdk/issues/28539>).
//!
//! How often and how soon Secrets Manager reattempts is not documented.

use std::time::{Duration, SystemTime};

use aws_lambda_events::secretsmanager::SecretsManagerSecretRotationEvent;
use serde_json::Value;

use super::apply::error::DeliveryError;
use super::apply::{Delivery, Former};
use super::calls;
use super::intent_log::Owner;
use super::mirrors::gitlab_clients::GitLabs;
use super::mirrors::journal;
use super::plan::{IAM_SETTLES, Me, PAUSE, Rotation, RotationPart};
use super::rotation::abort::Begun;
use super::spec::Spec;
use super::{MirrorCredential, intent_log, observe, spec};
use crate::aws::CallError;
use crate::reason_codes::Code;
use cfn_custom_resource::{Progress, Reason, ReasonCode};

/// A rotation that succeeds takes no longer: four invocations of fifteen minutes, and the time between
/// them. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
const ROTATION_TAKES: Duration = Duration::from_secs(75 * 60);

/// A rotation whose `AWSPENDING` the health check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingRotation {
    /// It waits for Secrets Manager, which reattempts it.
    Waits {
        /// The version under `AWSPENDING`.
        version_id: String,
        /// When the step stored the new login, or, if none is stored, when the secret last changed.
        since: SystemTime,
    },
    /// The secret has no rotation schedule any more, so it was ended.
    Ended,
}

/// One step of a rotation, as Secrets Manager asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEvent {
    part: RotationPart,
    secret_id: String,
    version_id: String,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRotated {
    /// A later attempt may succeed.
    #[error(
        "{step} of secret {secret_id}: {}. The rotation stays pending, and Secrets Manager reattempts it - {}",
        cause.text,
        cause.code
    )]
    Pending {
        /// In Secrets Manager's words.
        step: &'static str,
        /// The secret's ARN or name.
        secret_id: String,
        /// What went wrong.
        cause: Reason,
    },
    /// The step removed, as far as possible, what the rotation had created.
    #[error(
        "{step} of secret {secret_id}: {}. The rotation has ended, and the next one starts anew - {}",
        cause.text,
        cause.code
    )]
    Ended {
        /// In Secrets Manager's words.
        step: &'static str,
        /// The secret's ARN or name.
        secret_id: String,
        /// What went wrong.
        cause: Reason,
    },
}

impl NotRotated {
    pub(crate) fn code(&self) -> ReasonCode {
        match self {
            NotRotated::Pending { cause, .. } | NotRotated::Ended { cause, .. } => cause.code,
        }
    }
}

impl RotationEvent {
    /// Finds a rotation's step in an event; `None` when it is something else.
    pub fn find(event: &str) -> Option<Self> {
        // Secrets Manager sends all three members with each step.
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
        let raw: SecretsManagerSecretRotationEvent = serde_json::from_str(event).ok()?;
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
        .filter(|event: &RotationEvent| intent_log::entry_number(&event.version_id).is_none())
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

    fn error(&self, error: impl Into<DeliveryError>) -> NotRotated {
        let DeliveryError {
            reason,
            is_transient,
        } = error.into();
        let (step, secret_id) = (self.step(), self.secret_id.clone());
        let cause = reason;
        if is_transient {
            NotRotated::Pending {
                step,
                secret_id,
                cause,
            }
        } else {
            NotRotated::Ended {
                step,
                secret_id,
                cause,
            }
        }
    }

    fn ended(&self, cause: &str) -> NotRotated {
        self.error(DeliveryError::permanent(not_rotatable(cause)))
    }
}

impl MirrorCredential {
    /// Runs one step of a rotation; what may wait stops waiting before `until`.
    ///
    /// # Errors
    /// If the step failed. If the failure may pass, the rotation stays pending. Otherwise the step
    /// removes what the rotation created, as far as possible.
    pub async fn rotate(&self, event: &RotationEvent, until: SystemTime) -> Result<(), NotRotated> {
        let in_words = |error: CallError| event.error(error);
        let read = observe::read_secret(&self.aws, &event.secret_id).await;
        let Some(secret) = read.map_err(in_words)? else {
            return Err(event.ended("there is no such secret"));
        };
        let Some(owner) = secret.owner.clone() else {
            return Err(event.ended("it was not made by Custom::MirrorCredential"));
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
            Err(error) => {
                if !error.is_transient && secret.open_rotation() == Some(&event.version_id) {
                    let dropped = calls::drop_pending(&self.aws, &secret, &event.version_id).await;
                    dropped.map_err(in_words)?;
                }
                return Err(event.error(error));
            }
        };
        let me = rotating(event, owner, &secret);
        let progress = Progress::new(until);
        let former = Former::default();
        let delivery = Delivery::begin(self, &desired, &me, &progress, None, former);
        let delivery = match Box::pin(delivery).await {
            Ok(delivery) => delivery,
            Err(error) => {
                progress.ended("failed");
                if !error.is_transient
                    && let Err(error) = self.clean_up(&desired, &me, &event.version_id).await
                {
                    tracing::warn!(%error, "the rotation is not undone");
                }
                return Err(event.error(error));
            }
        };
        let done = Box::pin(delivery.finish_part()).await;
        progress.ended(if done.is_ok() { "done" } else { "failed" });
        done.map_err(|error| event.error(error))
    }

    /// Looks for a rotation that has not gone on for longer than its four steps take. `None` if there
    /// is none.
    ///
    /// Secrets Manager reattempts it as long as the secret has a schedule, so it stays. Without a
    /// schedule ("`CancelRotateSecret` … can leave the `VersionStage` labels in an unexpected state",
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html>)
    /// nothing resumes it, and it would keep a later schedule from being attached: it is ended.
    ///
    /// # Errors
    /// If the secret could not be read, or the rotation not be ended.
    pub async fn look_at_rotation(
        &self,
        secret_id: &str,
    ) -> Result<Option<PendingRotation>, NotRotated> {
        let event = |version_id: &str| RotationEvent {
            part: RotationPart::Finish,
            secret_id: secret_id.to_owned(),
            version_id: version_id.to_owned(),
        };
        let in_words = |error: CallError| event("").error(error);
        let read = observe::read_secret(&self.aws, secret_id).await;
        let Some(secret) = read.map_err(in_words)? else {
            return Ok(None);
        };
        let (Some(version_id), Some(owner), Some(changed)) = (
            secret.open_rotation().cloned(),
            secret.owner.clone(),
            secret.last_changed,
        ) else {
            return Ok(None);
        };
        let is_over = |since: SystemTime| self.clock.now() >= since + ROTATION_TAKES;
        let event = event(&version_id);
        if secret.rotates {
            // A reattempt changes the secret, but not when its version was written.
            let stored = calls::stored_at(&self.aws, &secret, &version_id).await;
            let since = stored.map_err(in_words)?.unwrap_or(changed);
            return Ok(is_over(since).then_some(PendingRotation::Waits { version_id, since }));
        }
        if !is_over(changed) {
            return Ok(None);
        }
        if secret.prepared(&version_id).is_none() {
            let dropped = calls::drop_pending(&self.aws, &secret, &version_id).await;
            dropped.map_err(in_words)?;
            return Ok(Some(PendingRotation::Ended));
        }
        let desired = self.desired_by(&secret).await;
        let desired = desired.map_err(|error| event.error(error))?;
        let me = rotating(&event, owner, &secret);
        self.clean_up(&desired, &me, &version_id)
            .await
            .map_err(in_words)?;
        Ok(Some(PendingRotation::Ended))
    }

    async fn clean_up(&self, desired: &Spec, me: &Me, version_id: &str) -> Result<(), CallError> {
        let accesses = desired.gitlab.iter().cloned().collect();
        let mut gitlabs = GitLabs::new(&self.aws, &self.http, accesses);
        let begun = Begun::nothing(version_id);
        self.give_up(desired, me, &mut gitlabs, begun).await?;
        Ok(())
    }

    /// What was written to the log a moment ago may not be shown yet.
    async fn desired_patiently(&self, secret: &observe::Secret) -> Result<Spec, DeliveryError> {
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
    async fn desired_by(&self, secret: &observe::Secret) -> Result<Spec, DeliveryError> {
        let document: Option<Value> = calls::read_document(&self.aws, secret).await?;
        let Some(document) = document else {
            let reason = "its stack has to be created or updated to the end first";
            return Err(DeliveryError::permanent(not_rotatable(reason)));
        };
        let desired = spec::decode(&document);
        let desired = desired
            .map_err(|faults| DeliveryError::permanent(not_rotatable(&faults.to_string())))?;
        let name = secret.arn.rsplit(':').next().unwrap_or_default();
        // An ARN ends in a hyphen and six characters.
        if name.len() != desired.secret_name.len() + 7 || !name.starts_with(&desired.secret_name) {
            let reason = not_rotatable("its log belongs to another secret");
            return Err(DeliveryError::permanent(reason));
        }
        Ok(desired)
    }
}

/// The secret cannot be rotated, because of `cause`.
fn not_rotatable(cause: &str) -> Reason {
    Reason::new(Code::NothingToRotate, cause)
}

/// A step of the rotation, in the name of the secret's owner.
fn rotating(event: &RotationEvent, owner: Owner, secret: &observe::Secret) -> Me {
    Me {
        owner,
        // It changes nothing that a template says, so it is as old as the template.
        signed_at: secret.as_of.unwrap_or(SystemTime::UNIX_EPOCH),
        request_key: intent_log::key(&event.version_id),
        claimant: journal::claimant(Some(&event.version_id)),
        is_create: false,
        rotation: Some(Rotation {
            version_id: event.version_id.clone(),
            part: event.part,
        }),
    }
}

pub mod abort;
pub mod apply;
pub mod plan;

#[cfg(test)]
mod tests;
