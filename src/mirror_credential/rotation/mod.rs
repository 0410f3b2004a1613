//! Secrets Manager's rotation in four phases, each in an invocation of its own.
//!
//! The event names the secret and a version. The secret's log holds the saved spec. See
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>.
//!
//! A step that fails either leaves the rotation pending or ends it.
//!
//! - If the failure may pass ([`DeliveryError::is_transient`]), `AWSPENDING` and everything that
//!   the step created stay, as after a killed process. "If any rotation step fails, Secrets Manager
//!   retries the entire rotation process multiple times"
//!   (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html>).
//!   Each step with the same version resumes.
//! - Otherwise the step deletes the resources of the rotation, and removes `AWSPENDING` first.
//!   While that label is on another version than `AWSCURRENT`, `RotateSecret` "assumes that a
//!   previous rotation request is still in progress and returns an error"
//!   (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html>): "A
//!   previous rotation isn't complete. That rotation will be reattempted." A stack update that
//!   changes the `RotationSchedule` fails with this error
//!   (<https://github.com/aws/aws-cdk/issues/28539>).
//!
//! AWS does not document how often and how soon Secrets Manager retries.

mod event;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::clients::Clients;
use crate::clients::aws::Aws;
use crate::clients::failing_calls::{OutOfTime, within};
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::secret::drop_pending;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::intent_log::mirrors::claimant;
use crate::mirror_credential::observe;
use crate::mirror_credential::request_context::{RequestContext, Rotation, RotationPhase};
use crate::mirror_credential::resource::MirrorCredential;
pub use crate::mirror_credential::rotation::event::RotationEvent;
use crate::mirror_credential::spec;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{
    DeliveryError, PreviousSpec, Secret, SecretState, State, User,
};
use crate::mirror_credential::timing::{POLL_INTERVAL, PROPAGATION_TIME};
use cfn_custom_resource::{Failure, Progress, Reason};

/// A rotation that succeeds takes no longer: four invocations of fifteen minutes, and the time
/// between them. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
const ROTATION_TIMEOUT: Duration = Duration::from_secs(75 * 60);

/// How long the health check waits for the pushes of a rotation that it ends.
const ABORT_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// The secret has no rotation schedule any more, so nothing resumes it.
    Abandoned {
        /// The version under `AWSPENDING`.
        version_id: String,
        /// When the secret last changed.
        since: SystemTime,
    },
    /// It was abandoned, and the health check ended it.
    Ended,
}

impl MirrorCredential {
    /// Runs one phase of a rotation. Every wait ends before `until`.
    ///
    /// # Errors
    /// If the phase failed. If the failure may pass, the rotation stays pending. Otherwise the
    /// phase deletes the resources of the rotation, best effort.
    pub async fn rotate(&self, event: &RotationEvent, until: SystemTime) -> Result<(), Failure> {
        let time = self.clients.clock.until(until);
        let done = within(time, Box::pin(self.run_phase(event, until))).await;
        let out_of_time = |cut: OutOfTime| {
            let remedy = "Wait for the next attempt, and look at the calls that failed";
            let reason = Reason::new(Code::OutOfTime, cut.to_string(), remedy);
            Err(DeliveryError::transient(reason))
        };
        done.unwrap_or_else(out_of_time).map_err(|error| event.failure(error))
    }

    async fn run_phase(
        &self,
        event: &RotationEvent,
        until: SystemTime,
    ) -> Result<(), DeliveryError> {
        let aws = &self.clients.aws;
        let read = observe::read_created_secret(&self.clients, &event.secret_id);
        let Some(secret) = read.await? else {
            return Err(not_rotatable("there is no such secret", SCHEDULE_OTHER));
        };
        let Some(owner) = secret.origin.owner.clone() else {
            let cause = "no tags name its owner";
            return Err(not_rotatable(cause, SCHEDULE_OTHER_OR_TAG));
        };
        let is_pending = secret.open_rotation() == Some(&event.version_id);
        let is_prepared = secret.prepared(&event.version_id).is_some();
        if event.phase == RotationPhase::Test && is_pending && !is_prepared {
            // When a schedule is attached, Secrets Manager tests the function with a version that
            // it discards.
            return Ok(());
        }
        let spec = match read_spec_with_retry(&self.clients, &secret).await {
            Ok(spec) => spec,
            Err(error) => {
                if !error.is_transient && is_pending {
                    drop_pending(aws, &secret, &event.version_id).await?;
                }
                return Err(error);
            }
        };
        let context = context_of(event, owner, &secret);
        let progress = Progress::new(until);
        let previous = PreviousSpec::default();
        let applier = Applier::start(&self.clients, &spec, &context, &progress, previous);
        let done = Box::pin(Box::pin(applier).await.apply_rotation_phase()).await;
        progress.ended(if done.is_ok() { "done" } else { "failed" });
        done
    }

    /// Finds a rotation that has made no progress for longer than its four phases take. `None` if
    /// there is none.
    ///
    /// If the secret has a schedule, Secrets Manager retries the rotation, so it stays pending.
    /// Without a schedule, Secrets Manager does not resume it: "`CancelRotateSecret` … can leave
    /// the `VersionStage` labels in an unexpected state"
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html>).
    /// It would then prevent a new schedule from being attached, so this function ends it, if it
    /// `may_change` something.
    ///
    /// # Errors
    /// If the secret could not be read, or the rotation could not be ended.
    pub async fn check_rotation(
        &self,
        secret_id: &str,
        may_change: bool,
    ) -> Result<Option<PendingRotation>, DeliveryError> {
        let aws = &self.clients.aws;
        let Some(secret) = observe::read_secret(aws, secret_id).await? else {
            return Ok(None);
        };
        let (Some(version_id), Some(owner), Some(changed)) = (
            secret.open_rotation().cloned(),
            secret.origin.owner.clone(),
            secret.last_changed,
        ) else {
            return Ok(None);
        };
        let is_over = |since: SystemTime| self.clients.clock.now() >= since + ROTATION_TIMEOUT;
        if secret.rotates {
            // A reattempt changes the secret, but not when its version was written.
            // A reader without the values has the latest attempt instead.
            let stored = if may_change {
                calls::read_version(aws, &secret, &version_id).await?
            } else {
                None
            };
            let since = stored.and_then(|stored| stored.created).unwrap_or(changed);
            return Ok(is_over(since).then_some(PendingRotation::Waits { version_id, since }));
        }
        if !is_over(changed) {
            return Ok(None);
        }
        if !may_change {
            let since = changed;
            return Ok(Some(PendingRotation::Abandoned { version_id, since }));
        }
        if secret.prepared(&version_id).is_none() {
            drop_pending(aws, &secret, &version_id).await?;
            return Ok(Some(PendingRotation::Ended));
        }
        let spec = read_spec(aws, &secret).await?;
        let event = RotationEvent {
            phase: RotationPhase::Finish,
            secret_id: secret_id.to_owned(),
            version_id,
        };
        let context = context_of(&event, owner, &secret);
        let progress = Progress::new(self.clients.clock.now() + ABORT_TIMEOUT);
        // The abort works from the secret alone.
        let user = User::from_tags(&spec.user_name, &BTreeMap::new());
        let state = State::new(self.clients.clock.now(), user, SecretState::Unread);
        let applier = Applier::new(&self.clients, &spec, &context, &progress, state);
        if let Some(rotation) = &context.rotation {
            Box::pin(applier.abort_rotation(rotation)).await?;
        }
        Ok(Some(PendingRotation::Ended))
    }
}

/// Reads the saved spec. Secrets Manager may show it late.
async fn read_spec_with_retry(clients: &Clients, secret: &Secret) -> Result<Spec, DeliveryError> {
    let give_up = clients.clock.now() + PROPAGATION_TIME;
    let mut spec = read_spec(&clients.aws, secret).await;
    while spec.is_err() && clients.clock.now() < give_up {
        tokio::time::sleep(POLL_INTERVAL * 2).await;
        let read = observe::read_secret(&clients.aws, &secret.arn).await;
        if let Ok(Some(secret)) = read {
            spec = read_spec(&clients.aws, &secret).await;
        }
    }
    spec
}

/// Reads the spec that was applied last.
async fn read_spec(aws: &Aws, secret: &Secret) -> Result<Spec, DeliveryError> {
    let Some(document) = calls::read_saved_spec(aws, secret).await? else {
        let cause = "its stack was never created or updated to the end";
        return Err(not_rotatable(cause, UPDATE_STACK));
    };
    let spec = spec::decode(&document);
    let spec = spec.map_err(|errors| not_rotatable(&errors.to_string(), UPDATE_STACK))?;
    let name = secret.arn.rsplit(':').next().unwrap_or_default();
    // An ARN ends in a hyphen and six characters.
    if name.len() != spec.secret_name.len() + 7 || !name.starts_with(&spec.secret_name) {
        let cause = "its log belongs to another secret";
        return Err(not_rotatable(cause, UPDATE_STACK));
    }
    Ok(spec)
}

const SCHEDULE_OTHER: &str =
    "Set the rotation schedule's SecretId to the Ref of a Custom::MirrorCredential";
const SCHEDULE_OTHER_OR_TAG: &str = "If it is the secret of a Custom::MirrorCredential, whose tags were removed, \
    set them with the command that the health check logs. Otherwise set the rotation schedule's SecretId to \
    the Ref of one";
const UPDATE_STACK: &str = "Update the stack of the secret's Custom::MirrorCredential to the end";

fn not_rotatable(cause: &str, remedy: &'static str) -> DeliveryError {
    DeliveryError::permanent(Reason::new(Code::NothingToRotate, cause, remedy))
}

fn context_of(event: &RotationEvent, owner: Owner, secret: &Secret) -> RequestContext {
    // A rotation changes no property, so it is as old as the saved spec.
    let as_of = secret.origin.as_of.unwrap_or(SystemTime::UNIX_EPOCH);
    RequestContext {
        owner,
        signed_at: as_of,
        compared_at: as_of,
        request_key: intent_log::key(&event.version_id),
        claimant: claimant(Some(&event.version_id)),
        is_create: false,
        is_local: false,
        rotation: Some(Rotation {
            version_id: event.version_id.clone(),
            phase: event.phase,
            is_aborted: false,
        }),
    }
}

#[cfg(test)]
mod tests;
