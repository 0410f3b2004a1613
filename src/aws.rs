//! The AWS clients, and their errors in words.

mod environment;

use std::time::Duration;

use aws_sdk_iam::config::StalledStreamProtectionConfig;
use aws_sdk_iam::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;

pub use environment::config_from_environment;

use crate::http::Http;

/// One attempt at a call. AWS's control planes answer within a second or two.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// A call with all its attempts.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// IAM throttles early, and a stack with many of these resources asks for them all at once.
const ATTEMPTS: u32 = 8;

/// The clients of the services that are called.
#[derive(Clone, Debug)]
pub struct Aws {
    /// IAM: users' tags and service-specific credentials.
    pub iam: aws_sdk_iam::Client,
    /// Secrets Manager: where the password lives.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// CodeCommit: repositories, their branches and approval rules.
    pub codecommit: aws_sdk_codecommit::Client,
    /// CloudFormation: the child stacks behind pipelines.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// CodePipeline: the executions that a branch's first push starts.
    pub codepipeline: aws_sdk_codepipeline::Client,
    /// Lambda: this function itself, which goes on in another invocation.
    pub lambda: aws_sdk_lambda::Client,
    /// STS: roles of other accounts.
    pub sts: aws_sdk_sts::Client,
}

impl Aws {
    /// Clients with the region, endpoints and credentials of `config` that send through `http`.
    pub fn new(config: &SdkConfig, http: &Http) -> Self {
        let config = config
            .to_builder()
            .http_client(http.for_sdk())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        // Each call has its own bound. The SDK's common budget of retries is meant for services
        // under load, and would let a request fail because of others before it.
        let partition = || {
            RetryPartition::custom("cfn-gitops")
                .token_bucket(TokenBucket::unlimited())
                .build()
        };
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::config::Builder::from(&config)
                        .retry_partition(partition())
                        .build(),
                )
            };
        }
        Aws {
            iam: client!(aws_sdk_iam),
            secrets: client!(aws_sdk_secretsmanager),
            codecommit: client!(aws_sdk_codecommit),
            cloudformation: client!(aws_sdk_cloudformation),
            codepipeline: client!(aws_sdk_codepipeline),
            lambda: client!(aws_sdk_lambda),
            sts: client!(aws_sdk_sts),
        }
    }
}

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
}

impl CallError {
    /// Puts `error`, which happened while `doing`, into words.
    pub fn new<E>(doing: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata,
    {
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
            SdkError::DispatchFailure(_) => (None, "AWS could not be reached".to_owned()),
            SdkError::ResponseError(_) => (None, "AWS's answer could not be read".to_owned()),
            // A request that cannot even be built: no region or no credentials, for example.
            _ => (
                None,
                "the request could not be made; are region and credentials set?".to_owned(),
            ),
        };
        CallError {
            doing: doing.into(),
            code,
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            cause,
        }
    }

    /// Whether the function's role (or a boundary, or a key's policy) does not allow the call.
    pub fn is_denied(&self) -> bool {
        let code = self.code.as_deref();
        matches!(code, Some("AccessDenied" | "AccessDeniedException"))
    }

    /// Whether CloudFormation refused what it was asked in the state that things are in: most of
    /// its refusals have no other type.
    pub fn is_invalid(&self) -> bool {
        self.code.as_deref() == Some("ValidationError")
    }

    /// Whether the service said for certain that it did nothing because it is busy.
    pub fn is_throttled(&self) -> bool {
        self.code.as_deref().is_some_and(|code| {
            code.contains("Throttl")
                || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded")
        })
    }

    /// Whether it is not known if the service did what was asked: no answer, one that could not
    /// be read, or an internal error.
    pub fn is_uncertain(&self) -> bool {
        self.code.is_none() || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether the same call may succeed later: nobody was wrong.
    pub fn may_pass(&self) -> bool {
        let code = self.code.as_deref();
        let is_expired = code.is_some_and(|code| code.contains("Expired"));
        self.is_uncertain() || self.is_throttled() || is_expired
    }

    /// The same with advice added.
    #[must_use]
    pub fn with_advice(mut self, advice: &str) -> Self {
        self.cause = format!("{}; {advice}", self.cause);
        self
    }
}
