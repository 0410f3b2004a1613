//! Why a delivery did not reach the desired state, and whether a later attempt may reach it.

use crate::aws::CallError;
use crate::gitlab::GitLabError;
use crate::mirror_credential::calls::{explained, is_concurrent};
use crate::mirror_credential::mirrors::gitlab_clients::NotRemoved;
use crate::reason_codes::Code;
use cfn_custom_resource::{Failure, Reason};

/// Why a delivery failed.
///
/// A request of CloudFormation's needs the reason alone. A step of a rotation also needs `is_transient`:
/// it decides whether the rotation stays pending or ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DeliveryError {
    /// The reason, as a person reads it.
    pub reason: Reason,
    /// Whether the same attempt may succeed later without a change by a person: GitLab was
    /// unreachable, a service throttled or had an internal error, or time ran out.
    pub is_transient: bool,
}

impl DeliveryError {
    /// A failure that remains until a person changes something.
    pub fn permanent(reason: Reason) -> Self {
        DeliveryError {
            reason,
            is_transient: false,
        }
    }

    /// A failure after which a later attempt may succeed.
    pub fn passing(reason: Reason) -> Self {
        DeliveryError {
            reason,
            is_transient: true,
        }
    }

    /// A state that the plan excludes: `what`.
    pub fn internal(what: &str) -> Self {
        let text = format!("internal error: {what}");
        DeliveryError::permanent(Reason::new(Code::InternalError, text))
    }
}

impl From<CallError> for DeliveryError {
    fn from(error: CallError) -> Self {
        DeliveryError {
            // "Wait a few minutes and submit your request again."
            // https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html#API_TagUser_Errors
            is_transient: error.is_transient() || is_concurrent(&error),
            reason: explained(error).reason(),
        }
    }
}

impl From<GitLabError> for DeliveryError {
    fn from(error: GitLabError) -> Self {
        DeliveryError {
            is_transient: error.is_transient(),
            reason: error.reason(),
        }
    }
}

impl From<NotRemoved> for DeliveryError {
    fn from(error: NotRemoved) -> Self {
        match error {
            NotRemoved::GitLab(error) => error.into(),
            NotRemoved::NoAccess { .. } => DeliveryError::permanent(error.reason()),
        }
    }
}

impl From<DeliveryError> for Failure {
    fn from(error: DeliveryError) -> Self {
        Failure(error.reason)
    }
}
