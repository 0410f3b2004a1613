//! Why a delivery did not reach the desired state, and whether a later attempt may reach it.

use crate::clients::gitlab::{GitLabError, RetryTime};
use crate::common::reason_codes::Code;
use cfn_custom_resource::{Failure, Reason, ReasonCode};

/// Why a delivery failed.
///
/// A request of CloudFormation's needs the reason alone. A step of a rotation also needs
/// `is_transient`: it decides whether the rotation stays pending or ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DeliveryError {
    pub reason: Reason,
    /// Whether the same attempt may succeed later without a change by a person: GitLab was
    /// unreachable or a gateway answered in its place, a service throttled or had an internal
    /// error, or time ran out.
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
    pub fn transient(reason: Reason) -> Self {
        DeliveryError {
            reason,
            is_transient: true,
        }
    }

    /// An error for a state that the planner excludes, described by `what`.
    pub fn internal(what: &str) -> Self {
        let problem = format!("internal error: {what}");
        let remedy = "Read the function's log, and report it";
        DeliveryError::permanent(Reason::new(Code::InternalError, problem, remedy))
    }
}

impl From<GitLabError> for DeliveryError {
    fn from(error: GitLabError) -> Self {
        let reason = error.reason();
        // A page, a redirect or a denial of a gateway proves nothing about the token.
        let is_of_gitlab = reason.code != ReasonCode::from(Code::NotGitLab);
        DeliveryError {
            is_transient: error.retry == RetryTime::Later || !is_of_gitlab,
            reason,
        }
    }
}

impl From<DeliveryError> for Failure {
    fn from(error: DeliveryError) -> Self {
        Failure(error.reason)
    }
}
