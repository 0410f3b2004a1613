//! SDK clients over a connector, like the product's.

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_types::SdkConfig;

/// The configuration of the environment, without its variables.
pub fn sdk_config(connector: SharedHttpConnector) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-real-key", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(TokioSleep::new())
        .retry_config(RetryConfig::standard())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

/// One client for each service.
#[derive(Clone, Debug)]
pub struct Clients {
    pub iam: aws_sdk_iam::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub codebuild: aws_sdk_codebuild::Client,
    pub codecommit: aws_sdk_codecommit::Client,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub codepipeline: aws_sdk_codepipeline::Client,
    pub lambda: aws_sdk_lambda::Client,
}

impl Clients {
    pub fn over(connector: SharedHttpConnector) -> Self {
        let config = sdk_config(connector);
        Self {
            iam: aws_sdk_iam::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            codebuild: aws_sdk_codebuild::Client::new(&config),
            codecommit: aws_sdk_codecommit::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            codepipeline: aws_sdk_codepipeline::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
        }
    }
}
