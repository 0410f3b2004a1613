//! Secrets Manager's rotation event, and how its step fails.

use aws_lambda_events::secretsmanager::SecretsManagerSecretRotationEvent;
use serde::Deserialize;
use serde_json::Value;

use crate::mirror_credential::intent_log::entry_number;
use crate::mirror_credential::request_context::RotationPhase;
use crate::mirror_credential::state::DeliveryError;
use cfn_custom_resource::Failure;

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

impl RotationEvent {
    /// Parses a rotation's event. `None` if it is another event.
    pub fn parse(event: &Value) -> Option<Self> {
        // Secrets Manager sends all three members with each step.
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
        let raw = SecretsManagerSecretRotationEvent::deserialize(event).ok()?;
        let event = RotationEvent {
            phase: RotationPhase::ALL.into_iter().find(|phase| phase.step() == raw.step)?,
            secret_id: raw.secret_id,
            version_id: raw.client_request_token,
        };
        // The versions of the log's own entries are not a rotation's.
        entry_number(&event.version_id).is_none().then_some(event)
    }

    /// The failure of this step because of `cause`, with its consequence.
    pub fn failure(&self, cause: DeliveryError) -> Failure {
        let consequence = if cause.is_transient {
            "The rotation stays pending, and Secrets Manager reattempts it"
        } else {
            // The step deleted the resources of the rotation, best effort.
            "The rotation has ended, and the next one starts anew"
        };
        let (step, secret_id, mut reason) = (self.phase.step(), &self.secret_id, cause.reason);
        let problem = reason.problem.trim_end_matches('.');
        reason.problem = format!("{step} of secret {secret_id}: {problem}. {consequence}");
        Failure(reason)
    }
}
