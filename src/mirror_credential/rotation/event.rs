//! Secrets Manager's rotation event, and how its step fails.

use aws_lambda_events::secretsmanager::SecretsManagerSecretRotationEvent;

use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::intent_log::entry_number;
use crate::mirror_credential::messages;
use crate::mirror_credential::request_context::RotationPhase;
use cfn_custom_resource::{Reason, ReasonCode};

/// Secrets Manager's event: one step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEvent {
    /// The phase.
    pub phase: RotationPhase,
    /// The secret's ARN or name.
    pub secret_id: String,
    /// The version that Secrets Manager chose for the new login.
    pub version_id: String,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// A later attempt may succeed.
    #[error(
        "{step} of secret {secret_id}: {}. The rotation stays pending, and Secrets Manager reattempts it - {}",
        cause.text,
        cause.code
    )]
    Pending {
        /// The step, as Secrets Manager names it.
        step: &'static str,
        /// The secret's ARN or name.
        secret_id: String,
        /// The cause of the failure.
        cause: Reason,
    },
    /// The step deleted what the rotation had created, best effort.
    #[error(
        "{step} of secret {secret_id}: {}. The rotation has ended, and the next one starts anew - {}",
        cause.text,
        cause.code
    )]
    Ended {
        /// The step, as Secrets Manager names it.
        step: &'static str,
        /// The secret's ARN or name.
        secret_id: String,
        /// The cause of the failure.
        cause: Reason,
    },
}

impl RotationError {
    /// The code of the reason.
    pub(crate) fn code(&self) -> ReasonCode {
        match self {
            RotationError::Pending { cause, .. } | RotationError::Ended { cause, .. } => cause.code,
        }
    }
}

impl RotationEvent {
    /// Parses a rotation's event. `None` if it is another event.
    pub fn parse(event: &str) -> Option<Self> {
        // Secrets Manager sends all three members with each step.
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
        let raw: SecretsManagerSecretRotationEvent = serde_json::from_str(event).ok()?;
        let phase = match raw.step.as_str() {
            "createSecret" => RotationPhase::Create,
            "setSecret" => RotationPhase::Set,
            "testSecret" => RotationPhase::Test,
            "finishSecret" => RotationPhase::Finish,
            _ => return None,
        };
        Some(RotationEvent {
            phase,
            secret_id: raw.secret_id,
            version_id: raw.client_request_token,
        })
        // The versions of the log's own entries are not a rotation's.
        .filter(|event: &RotationEvent| entry_number(&event.version_id).is_none())
    }

    /// The step, as Secrets Manager names it.
    pub fn step(&self) -> &'static str {
        match self.phase {
            RotationPhase::Create => "createSecret",
            RotationPhase::Set => "setSecret",
            RotationPhase::Test => "testSecret",
            RotationPhase::Finish => "finishSecret",
        }
    }

    /// The failure of this step because of `error`.
    pub fn error(&self, error: impl Into<ApplyError>) -> RotationError {
        let ApplyError {
            reason,
            is_transient,
        } = error.into();
        let (step, secret_id, cause) = (self.step(), self.secret_id.clone(), reason);
        if is_transient {
            RotationError::Pending {
                step,
                secret_id,
                cause,
            }
        } else {
            RotationError::Ended {
                step,
                secret_id,
                cause,
            }
        }
    }

    /// The failure of this step because the secret cannot be rotated.
    pub fn not_rotatable(&self, cause: &str) -> RotationError {
        self.error(ApplyError::permanent(messages::not_rotatable(cause)))
    }
}
