//! The AWS clients, their retries and their errors.

mod actions;
mod call_error;
mod config;
mod error_codes;
mod logs;
mod noted_attempts;
mod propagation;
mod retry;
mod s3;
mod signed;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_sdk_iam::config::StalledStreamProtectionConfig;
use aws_sdk_iam::config::retry::{ReconnectMode, RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_types::SdkConfig;

pub use crate::clients::aws::actions::ActionError;
pub use crate::clients::aws::call_error::{
    CHANGE_OTHER_POLICY, CallError, denied_action_in, optional, remedy_of_tags, required,
};
pub use crate::clients::aws::config::{
    FUNCTION_NAME_PREFIX, config_from_environment, env_id_of, is_in_lambda, is_local, own_env_id,
};
pub use crate::clients::aws::error_codes::is_denied_elsewhere;
pub use crate::clients::aws::propagation::{
    is_role_not_assumable, retrying_absence, retrying_denials, time_for_propagation,
    without_retrying_denials,
};

pub use crate::clients::aws::logs::{EventRange, Logs};
pub use crate::clients::aws::s3::{ObjectError, S3, S3Object, object_url};
pub use crate::clients::aws::signed::dns_suffix;

use crate::clients::http::Http;

/// One attempt at a call. AWS's control planes answer within a second or two.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// A client that is created when it is first used: each reads its service's endpoints, and a
/// request needs three of the nine.
pub type Lazy<Client> = LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>;

/// The clients of the services that are called.
pub type Aws = Arc<SdkClients>;

/// One client for each service.
#[derive(Debug)]
pub struct SdkClients {
    /// IAM: users' tags and service-specific credentials.
    pub iam: Lazy<aws_sdk_iam::Client>,
    /// Secrets Manager: the login.
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    /// CodeCommit: repositories, their branches and approval rules.
    pub codecommit: Lazy<aws_sdk_codecommit::Client>,
    /// CloudFormation: the child stacks behind pipelines.
    pub cloudformation: Lazy<aws_sdk_cloudformation::Client>,
    /// CodeBuild: the builds of review branches.
    pub codebuild: Lazy<aws_sdk_codebuild::Client>,
    /// CloudWatch Logs: what builds printed.
    pub logs: Logs,
    /// S3: what these builds stored.
    pub s3: S3,
    /// CodePipeline: the executions that a branch's pushes start.
    pub codepipeline: Lazy<aws_sdk_codepipeline::Client>,
    /// EventBridge: whether a pipeline's event rule is enabled.
    pub events: Lazy<aws_sdk_eventbridge::Client>,
    /// Lambda: this function itself, to continue in another invocation.
    pub lambda: Lazy<aws_sdk_lambda::Client>,
    /// STS: roles of other accounts.
    pub sts: Lazy<aws_sdk_sts::Client>,
}

impl SdkClients {
    /// The clients with the region, endpoints and credentials of `config` that send through `http`.
    pub fn new(config: &SdkConfig, http: &Http) -> Aws {
        let config = config
            .to_builder()
            .http_client(http.for_sdk())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(retry::MAX_ATTEMPTS)
                    // Otherwise the SDK tries to close the connection of each retried response,
                    // which only its own HTTP client offers, and logs an error instead.
                    .with_reconnect_mode(ReconnectMode::ReuseAllConnections),
            )
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        // Each call has its own limit of retries. The SDK's shared budget would let a request fail
        // because of requests before it.
        let partition = RetryPartition::custom("cfn-gitops")
            .token_bucket(TokenBucket::unlimited())
            .build();
        macro_rules! client {
            ($service:ident) => {{
                let (config, partition) = (config.clone(), partition.clone());
                LazyLock::new(Box::new(move || {
                    $service::Client::from_conf(
                        $service::config::Builder::from(&config)
                            .retry_partition(partition)
                            .interceptor(retry::AttemptInterceptor)
                            .retry_classifier(retry::AttemptClassifier)
                            .build(),
                    )
                }))
            }};
        }
        Arc::new(SdkClients {
            iam: client!(aws_sdk_iam),
            secrets: client!(aws_sdk_secretsmanager),
            codecommit: client!(aws_sdk_codecommit),
            cloudformation: client!(aws_sdk_cloudformation),
            codebuild: client!(aws_sdk_codebuild),
            logs: Logs::new(config.clone(), http.clone()),
            s3: S3::new(config.clone(), http.clone()),
            codepipeline: client!(aws_sdk_codepipeline),
            events: client!(aws_sdk_eventbridge),
            lambda: client!(aws_sdk_lambda),
            sts: client!(aws_sdk_sts),
        })
    }
}
