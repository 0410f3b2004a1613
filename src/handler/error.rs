//! The errors that are returned to Lambda.

use std::sync::LazyLock;

use super::origins::ORIGINS;
use crate::clients::failing_calls::OutOfTime;
use crate::clients::http::ClientError;
use crate::common::reason_codes::Code;
use crate::feedback::reporting::ReportError;
use crate::health_check::RejectedCheck;
use cfn_custom_resource::{Failure, MAX_EVENT_BYTES, Reason, SendError};

/// The remedy for an event of an unknown kind.
static KNOWN_EVENTS: LazyLock<String> = LazyLock::new(|| {
    let of_eventbridge = ORIGINS.map(|origin| origin.what).join(", ");
    format!(
        "Send one of these: a CloudFormation custom-resource request (`RequestType`, `ResponseURL`), the function's \
         own continuation of a long one (`Continuation`, `Event`), a Secrets Manager rotation step (`Step`, \
         `SecretId`, `ClientRequestToken`), an event of EventBridge (`source`, `detail-type`, `detail`: \
         {of_eventbridge}), or the scheduled health check (`HealthCheck`). The function \
         cfn-gitops-<EnvID>-read answers questions"
    )
});

/// The remedy for an event that is not a question.
const KNOWN_QUESTIONS: &str = "Send one of these: {\"Doctor\": {}}, {\"Projects\": {}}, {\"Deployments\": \
    {\"ProjectID\": \"<ProjectID>\"}}";

/// Why the first event was not handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The thread of the work cannot be started.
    #[error("starting the thread of the work: {0}")]
    Thread(std::io::ErrorKind),
    /// A variable has a value that nothing understands.
    #[error("reading variable {0}: its value is unknown")]
    Variable(&'static str),
}

/// An error that is returned to Lambda, which delivers an asynchronous event twice more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum HandlerError {
    /// The event is of no kind that the function handles. Its origin is shown if it has one.
    UnknownEvent(String),
    /// The event is not a question, and the function answers nothing else.
    UnknownQuestion,
    /// The event is not a request, and has so many bytes.
    EventTooLarge(usize),
    /// The response was not delivered to CloudFormation.
    ResponseNotDelivered(#[from] SendError),
    /// It is unknown whether another invocation continues the request.
    MaybeContinued,
    /// The pipeline of a branch with a first push was not created.
    NotStarted(Failure),
    /// A change set without changes was not approved.
    NotApproved(Failure),
    /// An execution was not reported to GitLab.
    NotReported(#[from] ReportError),
    /// A rotation step failed.
    NotRotated(Failure),
    /// A health check that is not executed.
    Rejected(#[from] RejectedCheck),
    /// The invocation's time was over.
    OutOfTime(OutOfTime),
    /// The HTTP client or the thread of the work cannot be created.
    StartFailed(#[from] StartError),
    /// The handling panicked. The panic's text is left out, because it may contain a secret.
    Panicked,
}

impl HandlerError {
    /// The name under which Lambda reports the error (`errorType`). Alarms and filters depend on
    /// it, so it does not follow the names in the source.
    pub fn name(&self) -> &'static str {
        match self {
            HandlerError::UnknownEvent(_)
            | HandlerError::UnknownQuestion
            | HandlerError::EventTooLarge(_) => "UnknownEvent",
            HandlerError::ResponseNotDelivered(_) => "ResponseNotDelivered",
            HandlerError::MaybeContinued => "ContinuationUnconfirmed",
            HandlerError::NotStarted(_) => "FirstPushFailed",
            HandlerError::NotApproved(_) => "ApprovalFailed",
            HandlerError::NotReported(_) => "ReportFailed",
            HandlerError::NotRotated(error) if error.0.code == Code::OutOfTime.into() => {
                "OutOfTime"
            }
            HandlerError::NotRotated(_) => "RotationFailed",
            HandlerError::Rejected(
                RejectedCheck::NoEnvironment | RejectedCheck::OtherEnvironment { .. },
            ) => "UnknownEnvironment",
            HandlerError::Rejected(
                RejectedCheck::UnknownMember(_)
                | RejectedCheck::InvalidProject(_)
                | RejectedCheck::InvalidExecution,
            ) => "InvalidQuestion",
            HandlerError::OutOfTime(_) => "OutOfTime",
            HandlerError::StartFailed(_) => "StartFailed",
            HandlerError::Panicked => "InternalError",
        }
    }

    pub(super) fn reason(&self) -> Reason {
        const READ_LOG: &str = "Read the function's log";
        let (code, problem, remedy) = match self {
            HandlerError::NotStarted(Failure(reason))
            | HandlerError::NotApproved(Failure(reason))
            | HandlerError::NotRotated(Failure(reason)) => return reason.clone(),
            HandlerError::NotReported(error) => return error.reason.clone(),
            HandlerError::UnknownEvent(origin) => (
                Code::UnusableEvent,
                format!("classifying the event: the function does not handle this kind{origin}"),
                KNOWN_EVENTS.as_str(),
            ),
            HandlerError::UnknownQuestion => (
                Code::UnusableEvent,
                "reading the question: this function only answers questions, and this is none"
                    .to_owned(),
                KNOWN_QUESTIONS,
            ),
            HandlerError::EventTooLarge(bytes) => (
                Code::UnusableEvent,
                format!(
                    "classifying the event: it has {bytes} bytes, and at most {MAX_EVENT_BYTES} are decoded"
                ),
                KNOWN_EVENTS.as_str(),
            ),
            HandlerError::Rejected(error) => {
                (Code::UnusableEvent, error.to_string(), error.remedy())
            }
            HandlerError::ResponseNotDelivered(error) => (
                Code::ResponseNotDelivered,
                format!("sending the response to CloudFormation: {error}"),
                error.remedy(),
            ),
            HandlerError::MaybeContinued => (
                Code::NotContinued,
                "continuing the request in another invocation: no response".to_owned(),
                "Wait: Lambda delivers the event again. If the stack operation fails, repeat it",
            ),
            HandlerError::OutOfTime(cut) => (
                Code::OutOfTime,
                format!("handling the event: {cut}"),
                "Wait for the next attempt. If it stays so, increase the function's Timeout",
            ),
            HandlerError::StartFailed(error) => {
                let remedy = match error {
                    StartError::Client(ClientError::Proxy) => "Correct the parameter HttpsProxy",
                    StartError::Variable(_) => "Deploy the environment's stack again",
                    _ => READ_LOG,
                };
                (Code::InternalError, error.to_string(), remedy)
            }
            HandlerError::Panicked => (
                Code::InternalError,
                "handling the event: internal error".to_owned(),
                READ_LOG,
            ),
        };
        Reason::new(code, problem, remedy)
    }
}
