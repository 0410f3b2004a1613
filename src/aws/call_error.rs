//! Why a call of AWS's failed, in words.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::is_role_not_assumable;
use crate::http::HttpError;
use crate::reason_codes::Code;
use cfn_custom_resource::{Reason, ReasonCode};

/// What is in the code of an error that says that AWS is busy, and did nothing.
pub(super) const BUSY: [&str; 4] = [
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "SlowDown",
];

/// A request that cannot even be built.
const NOT_MADE: &str = "the request could not be made; are region and credentials set?";

/// The codes of a denial.
pub(super) const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];

/// What AWS says of a denial that is not for want of a permission of the function's role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
pub(super) const DENIED_ELSEWHERE: [&str; 7] = [
    "explicit deny",
    "no permissions boundary allows",
    "no service control policy allows",
    "no resource control policy allows",
    "no resource-based policy allows",
    "no session policy allows",
    "no VPC endpoint policy allows",
];

/// What to do about it.
const LOOK_ELSEWHERE: &str = "no parameter of the provider stack allows this: look at the service \
    control policies, the permissions boundary of the function's role, the VPC endpoint's policy, \
    and the policy of the resource or its key";

/// Why a call failed, as the service said it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct CallError {
    /// A gerund, the thing and its id.
    pub doing: String,
    /// The error's code, when the service answered with one.
    pub code: Option<String>,
    /// The HTTP status, when the service answered.
    pub status: Option<u16>,
    /// The code and the message, or what happened instead of an answer.
    pub cause: String,
    /// The code of the reason that is made of this.
    pub(crate) reason_code: ReasonCode,
}

impl CallError {
    /// Puts `error`, which happened while `doing`, into words.
    pub fn new<E>(doing: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        let mut reason_code = Code::AwsUnavailable;
        let (code, cause) = match error {
            SdkError::ServiceError(service) => {
                let metadata = service.err().meta();
                let code = metadata.code().unwrap_or("an unknown error");
                let cause = match metadata.message() {
                    Some(message) => format!("{code}: {message}"),
                    None => code.to_owned(),
                };
                (metadata.code().map(ToOwned::to_owned), cause)
            }
            SdkError::TimeoutError(_) => (None, "AWS did not answer in time".to_owned()),
            SdkError::DispatchFailure(failure) => {
                let (code, cause) = not_reached(failure);
                reason_code = code;
                (None, cause)
            }
            SdkError::ResponseError(_) => (None, "AWS's answer could not be read".to_owned()),
            // No region or no credentials, for example.
            _ => {
                reason_code = Code::AwsUnreachable;
                (None, NOT_MADE.to_owned())
            }
        };
        let error = CallError {
            doing: doing.into(),
            code,
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            cause,
            reason_code: reason_code.into(),
        };
        match error.answered_reason_code() {
            Some(reason_code) => error.with_reason_code(reason_code),
            None => error,
        }
    }

    /// An error that AWS did not report: cfn-gitops found the cause itself. `cause` has the remedy.
    pub(crate) fn local(
        reason_code: impl Into<ReasonCode>,
        doing: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        CallError {
            doing: doing.into(),
            code: None,
            status: None,
            cause: cause.into(),
            reason_code: reason_code.into(),
        }
    }

    /// The code of a reason for what the service answered; `None` if it did not.
    fn answered_reason_code(&self) -> Option<Code> {
        self.code.as_ref()?;
        Some(if self.is_denied_elsewhere() {
            Code::AwsDeniedElsewhere
        } else if is_role_not_assumable(&self.cause) {
            Code::RoleUnusable
        } else if self.is_denied() {
            Code::AwsDenied
        } else if self.is_throttled() {
            Code::AwsThrottled
        } else if self.outcome_unknown() {
            Code::AwsUnavailable
        } else if self.is_of_key() {
            Code::KeyUnusable
        } else {
            Code::AwsRejected
        })
    }

    /// The same with another code of its reason.
    #[must_use]
    pub(crate) fn with_reason_code(self, reason_code: impl Into<ReasonCode>) -> Self {
        CallError {
            reason_code: reason_code.into(),
            ..self
        }
    }

    /// The reason that this error is.
    pub fn reason(&self) -> Reason {
        Reason::new(self.reason_code, self.to_string())
    }

    /// Whether the service answered with one of these error codes.
    pub fn has_code(&self, codes: &[&str]) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| codes.contains(&code))
    }

    /// Whether a KMS key is disabled, gone or not usable for this.
    fn is_of_key(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        code.contains("cryptionFailure") || code.contains("cryptionKey") || code.starts_with("KMS")
    }

    /// Whether the function's role (or a boundary, or a key's policy) does not allow the call.
    pub fn is_denied(&self) -> bool {
        self.has_code(&DENIED)
    }

    /// The action that was denied, such as `iam:TagUser`, where the service says which.
    pub fn denied_action(&self) -> Option<&str> {
        let (_, named) = self.cause.split_once("not authorized to perform: ")?;
        self.is_denied()
            .then(|| named.split_whitespace().next().unwrap_or_default())
    }

    /// Whether something else than the policies of the function's role stands in the way, so that
    /// allowing the action there would not help.
    pub fn is_denied_elsewhere(&self) -> bool {
        let mut words = DENIED_ELSEWHERE.iter();
        self.is_denied() && words.any(|words| self.cause.contains(words))
    }

    /// Whether CloudFormation refused what it was asked in the state that things are in: most of
    /// its refusals have no other type.
    pub fn is_invalid(&self) -> bool {
        self.has_code(&["ValidationError"])
    }

    /// Whether the service said for certain that it did nothing because it is busy.
    pub fn is_throttled(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        BUSY.iter().any(|name| code.contains(name))
    }

    /// Whether it is not known if the service did what was asked: no answer, one that could not
    /// be read, or an internal error.
    pub fn outcome_unknown(&self) -> bool {
        self.code.is_none() || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether the same call may succeed later: nobody was wrong.
    pub fn is_transient(&self) -> bool {
        let code = self.code.as_deref();
        let is_expired = code.is_some_and(|code| code.contains("Expired"));
        self.outcome_unknown() || self.is_throttled() || is_expired
    }

    /// Adds to a denied call, once, that a policy denies it, or else `advice`.
    #[must_use]
    pub fn with_advice_on_denial(self, advice: impl FnOnce(&Self) -> &'static str) -> Self {
        // All advice on what the function may do names the provider stack.
        if !self.is_denied() || self.cause.contains("the provider stack") {
            return self;
        }
        let advice = if self.is_denied_elsewhere() {
            LOOK_ELSEWHERE
        } else {
            advice(&self)
        };
        self.with_advice(advice)
    }

    /// The same with advice added.
    #[must_use]
    pub fn with_advice(mut self, advice: &str) -> Self {
        self.cause = format!("{}; {advice}", self.cause);
        self
    }
}

/// The output of a call. `None` if the service answered with one of the error codes `absent`, such
/// as `NoSuchEntity`: what the call is about does not exist.
pub fn optional<T, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
    absent: &[&str],
    doing: impl FnOnce() -> String,
) -> Result<Option<T>, CallError> {
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code().is_some_and(|code| absent.contains(&code)) => Ok(None),
        Err(error) => Err(CallError::new(doing(), &error)),
    }
}

/// What happened instead of an answer: a person acts differently on each.
fn not_reached(failure: &DispatchFailure) -> (Code, String) {
    let error = failure.as_connector_error();
    // The SDK's own: it found no credentials to sign with. What sends leaves its reason.
    if error.is_some_and(|error| error.is_other() && HttpError::told(error).is_none()) {
        return (Code::AwsUnreachable, NOT_MADE.to_owned());
    }
    let unanswered = error.map(HttpError::of);
    let code = match unanswered {
        Some(HttpError::TooLarge | HttpError::NoAnswer) | None => Code::AwsUnavailable,
        Some(_) => Code::AwsUnreachable,
    };
    let cause = match unanswered {
        Some(HttpError::NotVerified(why)) => format!("AWS's certificate is not trusted: {why}"),
        Some(HttpError::NoConnection) => "AWS could not be reached: no connection; is the region \
            right, and does the function's network lead there?"
            .to_owned(),
        Some(HttpError::TooLarge) => "AWS's answer is too large".to_owned(),
        Some(HttpError::Unsendable) => {
            "the request cannot be sent; is AWS_ENDPOINT_URL an address?".to_owned()
        }
        Some(HttpError::NoAnswer) | None => {
            "AWS could not be reached: the connection broke".to_owned()
        }
    };
    (code, cause)
}
