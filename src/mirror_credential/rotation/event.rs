//! Secrets Manager's rotation event, and how its step fails.

use aws_lambda_events::secretsmanager::SecretsManagerSecretRotationEvent;

use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::intent_log::entry_number;
use crate::mirror_credential::request_context::RotationPhase;
use cfn_custom_resource::ReasonCode;

/// Secrets Manager's event: one step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEvent {
    /// The phase.
    pub phase: RotationPhase,
    /// The secret's ARN or name.
    pub secret_id: String,
    /// The version that Secrets Manager chose for the new login.
    pub version_id: String,
    /// Whether the health check started the rotation.
    pub is_repair: bool,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} of secret {secret_id}: {}. {} - {}", cause.reason.text, self.consequence(), cause.reason.code)]
pub struct RotationError {
    step: &'static str,
    secret_id: String,
    is_repair: bool,
    cause: ApplyError,
}

impl RotationError {
    fn consequence(&self) -> &'static str {
        if self.cause.is_transient && self.is_repair {
            "The repair stays pending, and a later health check resumes it"
        } else if self.cause.is_transient {
            "The rotation stays pending, and Secrets Manager reattempts it"
        } else {
            // The step deleted what the rotation had created, best effort.
            "The rotation has ended, and the next one starts anew"
        }
    }

    /// The code of the reason.
    pub(crate) fn code(&self) -> ReasonCode {
        self.cause.reason.code
    }
}

impl RotationEvent {
    /// Parses a rotation's event. `None` if it is another event.
    pub fn parse(event: &str) -> Option<Self> {
        // Secrets Manager sends all three members with each step.
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
        let raw: SecretsManagerSecretRotationEvent = serde_json::from_str(event).ok()?;
        let mut phases = RotationPhase::ALL.into_iter();
        let event = RotationEvent {
            phase: phases.find(|phase| phase.step() == raw.step)?,
            secret_id: raw.secret_id,
            version_id: raw.client_request_token,
            is_repair: false,
        };
        // The versions of the log's own entries are not a rotation's.
        entry_number(&event.version_id).is_none().then_some(event)
    }

    /// The step, as Secrets Manager names it.
    pub fn step(&self) -> &'static str {
        self.phase.step()
    }

    /// The failure of this step because of `cause`.
    pub fn error(&self, cause: ApplyError) -> RotationError {
        RotationError {
            step: self.step(),
            secret_id: self.secret_id.clone(),
            is_repair: self.is_repair,
            cause,
        }
    }
}
