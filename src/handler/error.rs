//! The errors that are returned to Lambda.

use crate::clients::failing_calls::OutOfTime;
use crate::clients::http::ClientError;
use crate::common::reason_codes::Code;
use crate::feedback::reporting::ReportError;
use crate::health_check::EnvironmentError;
use cfn_custom_resource::{Failure, MAX_EVENT_BYTES, ReasonCode, SendError};

/// The end of the text of an unknown event.
const KNOWN_EVENTS: &str = "It handles a CloudFormation custom-resource request (`RequestType`, `ResponseURL`), its own \
    continuation of a long one (`Continuation`, `Event`), a Secrets Manager rotation step (`Step`, \
    `SecretId`, `ClientRequestToken`), a CodeCommit branch's push or tag of an approval, a CodePipeline state change and a \
    CodeBuild state change (`source`, `detail`), the scheduled health check (`HealthCheck`), and a diagnosis \
    (`Doctor`)";

/// Why the first event was not handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The thread of the work cannot be started.
    #[error("starting the thread of the work: {0}")]
    Thread(std::io::ErrorKind),
}

/// An error that is returned to Lambda, which delivers an asynchronous event twice more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The event is of no kind that the function handles. Its origin is shown if it has one.
    #[error("classifying the event: the function does not handle this kind{_0}. {KNOWN_EVENTS} - {}", self.code())]
    UnknownEvent(String),
    /// The event is not a request, and has so many bytes.
    #[error(
        "classifying the event: it has {_0} bytes, and at most {MAX_EVENT_BYTES} are decoded. {KNOWN_EVENTS} - {}",
        self.code()
    )]
    EventTooLarge(usize),
    /// The response was not delivered to CloudFormation.
    #[error("sending the response to CloudFormation: {} - {}", .0, self.code())]
    ResponseNotDelivered(#[from] SendError),
    /// It is unknown whether another invocation continues the request.
    #[error("continuing the request in another invocation: no response - {}", self.code())]
    MaybeContinued,
    /// The pipeline of a branch with a first push was not created.
    #[error(transparent)]
    NotStarted(Failure),
    /// A change set without changes was not approved.
    #[error(transparent)]
    NotApproved(Failure),
    /// An execution was not reported to GitLab.
    #[error(transparent)]
    NotReported(#[from] ReportError),
    /// A rotation step failed.
    #[error(transparent)]
    NotRotated(Failure),
    /// The environment of a health check is unknown.
    #[error("{} - {}", .0, self.code())]
    NoEnvironment(#[from] EnvironmentError),
    /// The invocation's time was over.
    #[error("handling the event: {} - {}", .0, self.code())]
    OutOfTime(OutOfTime),
    /// The HTTP client or the thread of the work cannot be created.
    #[error("{} - {}", .0, self.code())]
    StartFailed(#[from] StartError),
    /// The handling panicked. The panic's text is left out, because it may contain a secret.
    #[error("handling the event: internal error. See the function's log. - {}", self.code())]
    Panicked,
}

impl HandlerError {
    /// The name under which Lambda reports the error (`errorType`). Alarms and filters depend on
    /// it, so it does not follow the names in the source.
    pub fn name(&self) -> &'static str {
        match self {
            HandlerError::UnknownEvent(_) | HandlerError::EventTooLarge(_) => "UnknownEvent",
            HandlerError::ResponseNotDelivered(_) => "ResponseNotDelivered",
            HandlerError::MaybeContinued => "ContinuationUnconfirmed",
            HandlerError::NotStarted(_) => "FirstPushFailed",
            HandlerError::NotApproved(_) => "ApprovalFailed",
            HandlerError::NotReported(_) => "ReportFailed",
            HandlerError::NotRotated(error) if error.0.code == Code::OutOfTime.into() => {
                "OutOfTime"
            }
            HandlerError::NotRotated(_) => "RotationFailed",
            HandlerError::NoEnvironment(_) => "UnknownEnvironment",
            HandlerError::OutOfTime(_) => "OutOfTime",
            HandlerError::StartFailed(_) => "StartFailed",
            HandlerError::Panicked => "InternalError",
        }
    }

    /// The code at the end of the error's text.
    pub(super) fn code(&self) -> ReasonCode {
        let code = match self {
            HandlerError::UnknownEvent(_)
            | HandlerError::EventTooLarge(_)
            | HandlerError::NoEnvironment(_) => Code::UnusableEvent,
            HandlerError::ResponseNotDelivered(_) => Code::ResponseNotDelivered,
            HandlerError::MaybeContinued => Code::NotContinued,
            HandlerError::NotStarted(Failure(reason))
            | HandlerError::NotApproved(Failure(reason))
            | HandlerError::NotRotated(Failure(reason)) => return reason.code,
            HandlerError::NotReported(error) => return error.reason.code,
            HandlerError::OutOfTime(_) => Code::OutOfTime,
            HandlerError::StartFailed(_) | HandlerError::Panicked => Code::InternalError,
        };
        code.into()
    }
}
