//! The error of an AWS call, with its text and its classification.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::actions::ActionError;
use super::error_codes::{DENIED, is_denied_elsewhere, is_of_key, is_quota, is_throttling};
use super::propagation::is_role_not_assumable;
use crate::clients::http::HttpError;
use crate::clients::sent::{RetryTime, Sent};
use crate::common::reason_codes::{AWS_SAYS_IT, Code};
use cfn_custom_resource::{Reason, Remedy};

/// The SDK cannot build or sign the request.
pub(super) const NOT_BUILT: &str = "the request could not be made";

/// The remedy for a denial that a permission of the function's role cannot end.
pub const CHANGE_OTHER_POLICY: &str = "Change the policy that denies the call (an identity-based policy or the \
    permissions boundary of the function's role, a service control policy, or the policy of the VPC endpoint, of \
    the resource or of its key): no parameter of the provider stack allows this";

/// The calls of the function, and those of CloudFormation in the child stack, that create something
/// with the tags of the property. `docs/how-to/tags.md` lists all calls that create something.
const CREATES_WITH_TAGS: [&str; 6] = [
    "CreateSecret",
    "CreateStack",
    "CreateRepository",
    "CreateProject",
    "CreateLogGroup",
    "CreatePipeline",
];

/// A further remedy if the denied call creates something with the tags of the property.
const SET_TAGS: &str = "If that policy requires tags or their values, set them with the property Tags, or with \
    ResourceTags of the templates";

/// The sentence of a tag policy that is enforced, in errors of several codes:
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_tag-policies-enforcement.html>.
const TAG_POLICY: &str = "tag policy does not allow the specified value";

/// The error of a call.
///
/// Its consequences are decided where it arises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct CallError {
    /// A gerund, the thing and its ID.
    pub doing: String,
    /// The action that was called, as IAM names it: `codecommit:GetBranch`. Empty if none was.
    pub action: &'static str,
    /// The service's error code. `None` if it did not respond with one.
    pub code: Option<String>,
    /// The error code and message, or why there is no response.
    pub cause: String,
    /// `No` if the service did nothing because of throttling.
    pub sent: Sent,
    pub retry: RetryTime,
    pub(crate) reason_code: Code,
    /// A remedy that fits the call better than the one of its code.
    pub(crate) remedy: Option<Remedy>,
}

impl CallError {
    /// The error that the SDK returned while `doing`.
    pub fn new<E: ActionError>(
        doing: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let action = E::action();
        let (reason_code, cause) = match error {
            SdkError::ServiceError(service) => {
                let (meta, status) = (service.err().meta(), service.raw().status().as_u16());
                let (code, message) = (meta.code(), meta.message());
                return CallError::answered(doing.into(), action, status, code, message);
            }
            SdkError::TimeoutError(_) => {
                let cause = "AWS did not respond in time".to_owned();
                (Code::AwsUnavailable, cause)
            }
            SdkError::DispatchFailure(failure) => no_response(failure),
            SdkError::ResponseError(_) => {
                let cause = "AWS's response could not be read".to_owned();
                (Code::AwsUnavailable, cause)
            }
            // No region or no credentials, for example.
            _ => (Code::AwsUnreachable, NOT_BUILT.to_owned()),
        };
        // Without an answer, nothing else names the call: `doing` may consist of several.
        let cause = format!("{cause} ({})", action.replace(':', " "));
        CallError {
            action,
            ..CallError::local(reason_code, doing, cause)
        }
    }

    /// An error that AWS did not report: cfn-gitops found the cause itself. It may find another one
    /// later, unless it is an internal error.
    pub(crate) fn local(
        reason_code: Code,
        doing: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        CallError {
            doing: doing.into(),
            action: "",
            code: None,
            cause: cause.into(),
            // Earlier attempts at the call may have been executed.
            sent: Sent::Unknown,
            retry: match reason_code {
                Code::InternalError => RetryTime::Never,
                _ => RetryTime::Later,
            },
            reason_code,
            remedy: None,
        }
    }

    /// The error of a service that responded with this HTTP `status`, error code and message.
    pub(crate) fn answered(
        doing: String,
        action: &'static str,
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
    ) -> Self {
        let shown = code.unwrap_or("an unknown error");
        let cause = match message {
            // A text continues after it.
            Some(message) => format!("{shown}: {}", message.trim_end_matches('.')),
            None => shown.to_owned(),
        };
        let sent = if status == 429 || code.is_some_and(is_throttling) {
            Sent::No
        } else if code.is_none() || status >= 500 {
            Sent::Unknown
        } else {
            Sent::Yes
        };
        let is_expired = code.is_some_and(|code| code.contains("Expired"));
        CallError {
            action,
            code: code.map(ToOwned::to_owned),
            sent,
            retry: match sent {
                Sent::Yes if !is_expired => RetryTime::Never,
                _ => RetryTime::Later,
            },
            ..CallError::local(reason_code_of(code, sent, &cause), doing, cause)
        }
    }

    #[must_use]
    pub(crate) fn with_reason_code(self, reason_code: Code) -> Self {
        CallError {
            reason_code,
            ..self
        }
    }

    /// The error with another remedy.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<Remedy>) -> Self {
        CallError {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// The reason that reports this error.
    pub fn reason(&self) -> Reason {
        Reason::new(self.reason_code, self.to_string(), self.remedy())
    }

    fn remedy(&self) -> Remedy {
        if let Some(remedy) = &self.remedy {
            return remedy.clone();
        }
        match self.reason_code {
            Code::AwsDeniedElsewhere => {
                let tags = remedy_of_tags(&self.cause, self.denied_action().1);
                let all: Vec<&str> = [CHANGE_OTHER_POLICY].into_iter().chain(tags).collect();
                all.join(". ").into()
            }
            Code::AwsDenied => {
                let (service, action) = self.denied_action();
                let allow = format!("allow {service}:{action} in a policy of the function's role");
                format!("Deploy the provider stack again, or {allow}").into()
            }
            Code::AwsThrottled => "Try again in some minutes".into(),
            Code::AwsUnavailable => {
                "Try again. If it stays so, look at the AWS Health Dashboard".into()
            }
            Code::AwsUnreachable => {
                "Check the region, the credentials, AWS_ENDPOINT_URL if it is set, \
                and the function's network path to AWS"
                    .into()
            }
            Code::KeyUnusable => self.key_remedy("the function's role").into(),
            Code::RoleUnusable => "Correct the role's trust policy".into(),
            // IAM's `LimitExceeded` is about a user's credentials or tags, and names the limit.
            Code::QuotaReached if !self.has_code(&["LimitExceeded"]) => {
                "Delete what is no longer needed, or request a higher quota in Service Quotas"
                    .into()
            }
            Code::InternalError => "Read the function's log, and report it".into(),
            _ if self.cause.contains(TAG_POLICY) => SET_TAGS.into(),
            _ => AWS_SAYS_IT.into(),
        }
    }

    /// Whether the service answered with one of these error codes.
    pub fn has_code(&self, codes: &[&str]) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| codes.contains(&code))
    }

    /// Whether a KMS key is disabled, deleted or not usable for the call.
    pub fn is_key_error(&self) -> bool {
        self.reason_code == Code::KeyUnusable
    }

    /// The remedy for a key that cannot be used, if `caller` made the call. Only a denial and a
    /// disabled key have an exception of their own. The others do not prove the state of the key:
    /// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetRepository.html#API_GetRepository_Errors>
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>
    pub(crate) fn key_remedy(&self, caller: &str) -> String {
        let state = "If KMS shows the key as disabled, enable it. If its deletion is scheduled, cancel it. If a \
             secret's key is deleted, remove the resource in one deployment, and add it in the next";
        match self.code.as_deref().unwrap_or_default() {
            "EncryptionKeyAccessDeniedException" => format!(
                "Allow {caller} kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey on the repository's \
                 key in the key's policy (kms:ViaService codecommit), and deny them in no policy"
            ),
            "EncryptionKeyDisabledException" => "Enable the repository's key".to_owned(),
            "EncryptionKeyNotFoundException" => {
                "If KMS shows that the deletion of the repository's key is scheduled, cancel it. If \
                 the key is deleted, create the repository again, and push to it"
                    .to_owned()
            }
            "EncryptionKeyUnavailableException" => {
                format!("{state}. Otherwise try again")
            }
            code if code.contains("AccessDenied") => format!(
                "Allow the use of the key in its policy and in those of {caller}"
            ),
            _ => state.to_owned(),
        }
    }

    /// Whether the function's role (or a boundary, or a key's policy) does not allow the call.
    pub fn is_denied(&self) -> bool {
        self.has_code(&DENIED)
    }

    /// The denied action: the one that the service's message names, or else the one that was
    /// called.
    pub fn denied_action(&self) -> (&str, &str) {
        let named = denied_action_in(&self.cause);
        named.or_else(|| self.action.split_once(':')).unwrap_or_default()
    }

    /// Whether CloudFormation rejected the call in the present state: most of its rejections have
    /// this type.
    pub fn is_invalid(&self) -> bool {
        self.has_code(&["ValidationError"])
    }

    /// Whether the service did nothing because of throttling.
    pub fn is_throttled(&self) -> bool {
        self.sent == Sent::No
    }

    /// Whether a quota of the service is reached.
    pub fn is_quota(&self) -> bool {
        self.reason_code == Code::QuotaReached
    }

    /// Whether it is unknown if the service executed the request: no response, an unreadable one,
    /// or an internal error.
    pub fn is_outcome_unknown(&self) -> bool {
        self.sent == Sent::Unknown
    }

    /// Whether the same call may succeed later without a change by a person.
    pub fn is_transient(&self) -> bool {
        self.retry == RetryTime::Later
    }

    /// Adds the `remedy` of a denied call, unless it has one. The one for a denial by another
    /// policy stays.
    #[must_use]
    pub fn with_remedy_on_denial(self, remedy: impl FnOnce(&Self) -> &'static str) -> Self {
        let is_elsewhere = self.reason_code == Code::AwsDeniedElsewhere;
        if !self.is_denied() || is_elsewhere || self.remedy.is_some() {
            return self;
        }
        let remedy = remedy(&self);
        self.with_remedy(remedy)
    }
}

/// The action that the message of a denial names, as in `("codecommit", "CreateRepository")`.
pub fn denied_action_in(message: &str) -> Option<(&str, &str)> {
    let (_, named) = message.split_once("not authorized to perform: ")?;
    named.split_whitespace().next()?.split_once(':')
}

/// The remedy if a tag policy, or another policy, may have denied `action` because of its tags.
/// `None` if none denied it, or if the action creates nothing with tags.
pub fn remedy_of_tags(message: &str, action: &str) -> Option<&'static str> {
    let takes_tags = CREATES_WITH_TAGS.contains(&action);
    let is_of_tags = takes_tags && is_denied_elsewhere(message);
    (is_of_tags || message.contains(TAG_POLICY)).then_some(SET_TAGS)
}

/// The reason code of a service's answer.
fn reason_code_of(code: Option<&str>, sent: Sent, cause: &str) -> Code {
    let Some(code) = code else {
        return Code::AwsUnavailable;
    };
    let is_denied = DENIED.contains(&code);
    if is_denied && is_denied_elsewhere(cause) {
        Code::AwsDeniedElsewhere
    } else if is_role_not_assumable(cause) {
        Code::RoleUnusable
    } else if is_denied {
        Code::AwsDenied
    } else if sent == Sent::No {
        Code::AwsThrottled
    } else if is_quota(code) {
        Code::QuotaReached
    } else if sent == Sent::Unknown {
        Code::AwsUnavailable
    } else if is_of_key(code) {
        Code::KeyUnusable
    } else {
        Code::AwsRejected
    }
}

impl From<CallError> for Reason {
    fn from(error: CallError) -> Self {
        error.reason()
    }
}

/// The output of a call. `None` if the service answered with one of the error codes `absent`, such
/// as `NoSuchEntity`: the requested object does not exist.
pub fn optional<T, E: ActionError>(
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

/// The output of a call, of which no error code counts as a result.
pub fn required<T, E: ActionError>(
    result: Result<T, SdkError<E, HttpResponse>>,
    doing: impl FnOnce() -> String,
) -> Result<T, CallError> {
    result.map_err(|error| CallError::new(doing(), &error))
}

/// Why there is no response.
fn no_response(failure: &DispatchFailure) -> (Code, String) {
    let error = failure.as_connector_error();
    // An error of the SDK itself: it has no credentials. The connector's errors have a source.
    if error.is_some_and(|error| error.is_other() && HttpError::source_of(error).is_none()) {
        return (Code::AwsUnreachable, NOT_BUILT.to_owned());
    }
    let (code, cause) = match error.map(HttpError::from_connector) {
        Some(why @ (HttpError::Tls(_) | HttpError::Proxy(_) | HttpError::NoConnection)) => {
            let cause = format!("AWS could not be reached: {why}");
            return (Code::AwsUnreachable, cause);
        }
        Some(HttpError::Unsendable) => (
            Code::AwsUnreachable,
            "the request cannot be sent: its address is invalid",
        ),
        Some(HttpError::TooLarge) => (Code::AwsUnavailable, "AWS's response is too large"),
        Some(HttpError::NoResponse) | None => (
            Code::AwsUnavailable,
            "AWS could not be reached: the connection was lost",
        ),
    };
    (code, cause.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answered(action: &'static str, status: u16, code: &str, message: &str) -> CallError {
        let doing = "reading".to_owned();
        CallError::answered(doing, action, status, Some(code), Some(message))
    }

    #[test]
    fn error_keeps_its_action() {
        let response = || {
            let status = 403.try_into().expect("a status");
            HttpResponse::new(status, SdkBody::from("x"))
        };
        let denied = ErrorMetadata::builder().code("AccessDeniedException").build();
        let denied = SdkError::service_error(DescribeRuleError::generic(denied), response());
        let remedy = CallError::new("reading", &denied).reason().remedy.to_string();
        assert!(
            remedy.contains("or allow events:DescribeRule in"),
            "{remedy}"
        );
        let lost = SdkError::dispatch_failure(ConnectorError::io("x".into()));
        let unreadable = SdkError::response_error("x", response());
        for (unanswered, cause) in [
            (lost, "AWS could not be reached: the connection was lost"),
            (unreadable, "AWS's response could not be read"),
            (SdkError::timeout_error("x"), "AWS did not respond in time"),
            (SdkError::construction_failure("x"), NOT_BUILT),
        ] {
            let unanswered: SdkError<DescribeRuleError, HttpResponse> = unanswered;
            let error = CallError::new("reading", &unanswered);
            assert_eq!(error.cause, format!("{cause} (events DescribeRule)"));
            assert_eq!((error.sent, error.retry), (Sent::Unknown, RetryTime::Later));
        }
    }

    #[test]
    fn answer_decides_the_consequences() {
        #[rustfmt::skip] // A table.
        let rows = [
            (400, "ThrottlingException", Sent::No, RetryTime::Later, Code::AwsThrottled),
            (503, "Throttling", Sent::No, RetryTime::Later, Code::AwsThrottled),
            (500, "InternalFailure", Sent::Unknown, RetryTime::Later, Code::AwsUnavailable),
            (400, "ExpiredTokenException", Sent::Yes, RetryTime::Later, Code::AwsRejected),
            (400, "LimitExceededException", Sent::Yes, RetryTime::Never, Code::QuotaReached),
            (400, "ValidationError", Sent::Yes, RetryTime::Never, Code::AwsRejected),
        ];
        for (status, code, sent, retry, reason) in rows {
            let error = answered("codecommit:GetBranch", status, code, "m");
            let decided = (error.sent, error.retry, error.reason_code);
            assert_eq!(decided, (sent, retry, reason), "{code}");
        }
        let nameless = CallError::answered(String::new(), "", 404, None, None);
        assert_eq!(
            (nameless.sent, nameless.retry),
            (Sent::Unknown, RetryTime::Later)
        );
        assert_eq!(nameless.reason_code, Code::AwsUnavailable);
    }

    #[test]
    fn denial_of_an_organization_names_tags_of_a_create() {
        for (action, is_creating) in [
            ("codecommit:CreateRepository", true),
            ("codecommit:GetBranch", false),
        ] {
            let by_organization = "with an explicit deny in a service control policy";
            let error = answered(action, 400, "AccessDenied", by_organization);
            let remedy = error.reason().remedy.to_string();
            assert_eq!(remedy.ends_with(SET_TAGS), is_creating, "{remedy}");
        }
        let by_tag_policy =
            "The tag policy does not allow the specified value for the following tag key: 'Team'.";
        let error = answered(
            "secretsmanager:CreateSecret",
            400,
            "TagPolicyException",
            by_tag_policy,
        );
        assert_eq!(error.reason().remedy.to_string(), SET_TAGS);
    }

    #[test]
    fn each_error_of_a_key_has_its_own_remedy() {
        for (code, begins) in [
            (
                "EncryptionKeyAccessDeniedException",
                "Allow the function's role kms:Decrypt",
            ),
            (
                "EncryptionKeyDisabledException",
                "Enable the repository's key",
            ),
            (
                "EncryptionKeyNotFoundException",
                "If KMS shows that the deletion of the repository's key",
            ),
            (
                "EncryptionKeyUnavailableException",
                "If KMS shows the key as disabled",
            ),
            ("DecryptionFailure", "If KMS shows the key as disabled"),
            ("EncryptionFailure", "If KMS shows the key as disabled"),
            (
                "KMSAccessDeniedException",
                "Allow the use of the key in its policy",
            ),
            ("KMSDisabledException", "If KMS shows the key as disabled"),
        ] {
            // AWS may name the action of KMS, which is not the one that the function called.
            let message = "is not authorized to perform: kms:Decrypt on resource: k";
            let error = answered("codecommit:GetBranch", 400, code, message);
            assert_eq!(error.reason_code, Code::KeyUnusable, "{code}");
            let remedy = error.reason().remedy.to_string();
            assert!(remedy.starts_with(begins), "{code}: {remedy}");
            assert_eq!(
                remedy.contains("kms:ViaService"),
                code == "EncryptionKeyAccessDeniedException"
            );
        }
    }
}
