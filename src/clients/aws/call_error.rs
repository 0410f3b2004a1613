//! The error of an AWS call, with its text and its classification.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error_codes::{DENIED, DENIED_ELSEWHERE, error_of, is_quota, is_throttling};
use super::propagation::is_role_not_assumable;
use crate::clients::http::HttpError;
use crate::common::reason_codes::{AWS_SAYS_IT, Code};
use cfn_custom_resource::{Reason, Remedy};

/// The SDK cannot build or sign the request.
pub(super) const NOT_BUILT: &str = "the request could not be made";

/// The remedy for a denial by another policy than those of the function's role.
pub const CHANGE_OTHER_POLICY: &str = "Change the service control policy, the permissions boundary of the \
    function's role, the VPC endpoint's policy, or the policy of the resource or its key: no parameter of \
    the provider stack allows this";

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
const SET_TAGS: &str = "If that policy requires tags, set them with the property Tags, or with ResourceTags of the \
    templates";

/// The error of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct CallError {
    /// A gerund, the thing and its ID.
    pub doing: String,
    /// The SDK's type of the error, which names the action that was called. Empty if none was.
    pub error_type: &'static str,
    /// The service's error code. `None` if it did not respond with one.
    pub code: Option<String>,
    /// The HTTP status. `None` if the service did not respond.
    pub status: Option<u16>,
    /// The error code and message, or why there is no response.
    pub cause: String,
    pub(crate) reason_code: Code,
    /// A remedy that fits the call better than the one of its code.
    pub(crate) remedy: Option<Remedy>,
}

impl CallError {
    /// The error that the SDK returned while `doing`.
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
            SdkError::TimeoutError(_) => (None, "AWS did not respond in time".to_owned()),
            SdkError::DispatchFailure(failure) => {
                let (code, cause) = no_response(failure);
                reason_code = code;
                (None, cause)
            }
            SdkError::ResponseError(_) => (None, "AWS's response could not be read".to_owned()),
            // No region or no credentials, for example.
            _ => {
                reason_code = Code::AwsUnreachable;
                (None, NOT_BUILT.to_owned())
            }
        };
        // Without an answer, nothing else names the call: the action may consist of several.
        let error_type = std::any::type_name::<E>();
        let cause = match (error.raw_response(), action_of(error_type)) {
            (None, (service, action)) if !action.is_empty() => {
                format!("{cause} ({service} {action})")
            }
            _ => cause,
        };
        let error = CallError {
            doing: doing.into(),
            error_type,
            code,
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            cause,
            reason_code,
            remedy: None,
        };
        let reason_code = error.service_reason_code().unwrap_or(reason_code);
        error.with_reason_code(reason_code)
    }

    /// An error that AWS did not report: cfn-gitops found the cause itself.
    pub(crate) fn local(
        reason_code: Code,
        doing: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        CallError {
            doing: doing.into(),
            error_type: "",
            code: None,
            status: None,
            cause: cause.into(),
            reason_code,
            remedy: None,
        }
    }

    /// The error in a `response` that the SDK has not read. `error_type` is the SDK's name for the
    /// errors of the action.
    pub(super) fn of_response(
        doing: impl Into<String>,
        error_type: &'static str,
        response: &HttpResponse,
    ) -> Self {
        let (code, message) = error_of(response).unzip();
        let shown = code.as_deref().unwrap_or("an unknown error");
        let cause = match message.flatten() {
            Some(message) => format!("{shown}: {message}"),
            None => shown.to_owned(),
        };
        let error = CallError {
            error_type,
            code,
            status: Some(response.status().as_u16()),
            ..CallError::local(Code::AwsUnavailable, doing, cause)
        };
        let reason_code = error.service_reason_code();
        error.with_reason_code(reason_code.unwrap_or(Code::AwsUnavailable))
    }

    /// The reason code of the service's error. `None` if the service did not respond.
    fn service_reason_code(&self) -> Option<Code> {
        self.code.as_ref()?;
        Some(if self.is_denied_elsewhere() {
            Code::AwsDeniedElsewhere
        } else if is_role_not_assumable(&self.cause) {
            Code::RoleUnusable
        } else if self.is_denied() {
            Code::AwsDenied
        } else if self.is_throttled() {
            Code::AwsThrottled
        } else if self.is_quota() {
            Code::QuotaReached
        } else if self.is_outcome_unknown() {
            Code::AwsUnavailable
        } else if self.is_key_error() {
            Code::KeyUnusable
        } else {
            Code::AwsRejected
        })
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
            Code::AwsDenied | Code::AwsDeniedElsewhere if self.is_denied_elsewhere() => {
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
            _ => AWS_SAYS_IT,
        }
    }

    /// Whether the service answered with one of these error codes.
    pub fn has_code(&self, codes: &[&str]) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| codes.contains(&code))
    }

    /// Whether a KMS key is disabled, deleted or not usable for the call.
    pub fn is_key_error(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        code.contains("cryptionFailure") || code.contains("cryptionKey") || code.starts_with("KMS")
    }

    /// The remedy for a key that cannot be used, if `caller` made the call. Only a denial and a
    /// disabled key have an exception of their own. The others do not prove the state of the key:
    /// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetRepository.html#API_GetRepository_Errors>
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>
    pub(crate) fn key_remedy(&self, caller: &str) -> String {
        let state =
            "If KMS shows the key as disabled, enable it. If its deletion is scheduled, cancel it";
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
        denied_action_in(&self.cause).unwrap_or_else(|| action_of(self.error_type))
    }

    /// Whether a policy other than those of the function's role denies the call, so that allowing
    /// the action there would not help.
    pub fn is_denied_elsewhere(&self) -> bool {
        self.is_denied() && is_denied_elsewhere(&self.cause)
    }

    /// Whether CloudFormation rejected the call in the present state: most of its rejections have
    /// this type.
    pub fn is_invalid(&self) -> bool {
        self.has_code(&["ValidationError"])
    }

    /// Whether the service did nothing because of throttling.
    pub fn is_throttled(&self) -> bool {
        self.code.as_deref().is_some_and(is_throttling) || self.status == Some(429)
    }

    /// Whether a quota of the service is reached.
    pub fn is_quota(&self) -> bool {
        self.code.as_deref().is_some_and(is_quota)
    }

    /// Whether it is unknown if the service executed the request: no response, an unreadable one,
    /// or an internal error.
    pub fn is_outcome_unknown(&self) -> bool {
        self.code.is_none() || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether the same call may succeed later without a change by a person.
    pub fn is_transient(&self) -> bool {
        if self.reason_code == Code::InternalError {
            return false;
        }
        let code = self.code.as_deref();
        let is_expired = code.is_some_and(|code| code.contains("Expired"));
        self.is_outcome_unknown() || self.is_throttled() || is_expired
    }

    /// Adds the `remedy` of a denied call, unless it has one. The one for a denial by another
    /// policy stays.
    #[must_use]
    pub fn with_remedy_on_denial(self, remedy: impl FnOnce(&Self) -> &'static str) -> Self {
        if !self.is_denied() || self.is_denied_elsewhere() || self.remedy.is_some() {
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

/// Whether the message of a denial names a policy other than those of the function's role.
pub fn is_denied_elsewhere(message: &str) -> bool {
    DENIED_ELSEWHERE.iter().any(|part| message.contains(part))
}

/// The remedy if another policy may have denied `action` because of missing tags. `None` if none
/// denied it, or if the action creates nothing with tags.
pub fn remedy_of_tags(message: &str, action: &str) -> Option<&'static str> {
    let takes_tags = CREATES_WITH_TAGS.contains(&action);
    (takes_tags && is_denied_elsewhere(message)).then_some(SET_TAGS)
}

/// The action with the errors `error_type`: the SDK names its crate after the service, and its type
/// after the action.
fn action_of(error_type: &str) -> (&str, &str) {
    let path = error_type.strip_prefix("aws_sdk_");
    let (service, path) = path.and_then(|it| it.split_once("::")).unwrap_or_default();
    let (_, error) = path.rsplit_once("::").unwrap_or_default();
    (service, error.trim_end_matches("Error"))
}

impl From<CallError> for Reason {
    fn from(error: CallError) -> Self {
        error.reason()
    }
}

/// The output of a call. `None` if the service answered with one of the error codes `absent`, such
/// as `NoSuchEntity`: the requested object does not exist.
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

/// The output of a call, of which no error code counts as a result.
pub fn required<T, E: ProvideErrorMetadata>(
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
    let error = error.map(HttpError::from_connector);
    let code = match error {
        Some(HttpError::TooLarge | HttpError::NoResponse) | None => Code::AwsUnavailable,
        Some(
            HttpError::Unsendable
            | HttpError::NoConnection
            | HttpError::Proxy(_)
            | HttpError::Tls(_),
        ) => Code::AwsUnreachable,
    };
    let cause = match &error {
        Some(HttpError::Tls(why)) => format!("AWS could not be reached: {why}"),
        Some(HttpError::Proxy(why)) => format!("AWS could not be reached: {why}"),
        Some(HttpError::NoConnection) => "AWS could not be reached: no connection".to_owned(),
        Some(HttpError::TooLarge) => "AWS's response is too large".to_owned(),
        Some(HttpError::Unsendable) => {
            "the request cannot be sent: its address is invalid".to_owned()
        }
        Some(HttpError::NoResponse) | None => {
            "AWS could not be reached: the connection was lost".to_owned()
        }
    };
    (code, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;

    #[test]
    fn denial_of_an_organization_names_tags_of_a_create() {
        let create = std::any::type_name::<CreateSecretError>();
        for (error_type, is_creating) in [(create, true), ("aws_sdk_codecommit::E", false)] {
            let by_organization = "with an explicit deny in a service control policy";
            let error = CallError {
                error_type,
                code: Some("AccessDenied".to_owned()),
                ..CallError::local(Code::AwsDeniedElsewhere, "reading", by_organization)
            };
            let remedy = error.reason().remedy.to_string();
            assert_eq!(remedy.ends_with(SET_TAGS), is_creating, "{remedy}");
        }
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
            let error = CallError {
                code: Some(code.to_owned()),
                ..CallError::local(Code::AwsRejected, "reading", message)
            };
            assert_eq!(
                error.service_reason_code(),
                Some(Code::KeyUnusable),
                "{code}"
            );
            let error = error.with_reason_code(Code::KeyUnusable);
            let remedy = error.reason().remedy.to_string();
            assert!(remedy.starts_with(begins), "{code}: {remedy}");
            assert_eq!(
                remedy.contains("kms:ViaService"),
                code == "EncryptionKeyAccessDeniedException"
            );
        }
    }

    #[test]
    fn error_type_names_the_action() {
        let action = action_of(std::any::type_name::<CreateSecretError>());
        assert_eq!(action, ("secretsmanager", "CreateSecret"));
        assert_eq!(action_of(""), ("", ""));
    }
}
