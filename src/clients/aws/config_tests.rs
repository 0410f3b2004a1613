use aws_sdk_iam::config::ProvideCredentials;

use super::{SdkConfig, config, endpoint_url, is_local};

fn config_of(variables: &[(&str, &str)]) -> SdkConfig {
    let variables = variables.iter();
    config(
        variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

#[tokio::test]
async fn region_and_credentials_come_from_lambda() {
    let config = config_of(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-real-key"),
        ("AWS_SESSION_TOKEN", "not-a-real-token"),
    ]);
    assert_eq!(config.region().unwrap().as_ref(), "eu-central-1");
    let provider = config.credentials_provider().unwrap();
    let credentials = provider.provide_credentials().await.unwrap();
    assert_eq!(credentials.access_key_id(), "AKIDEXAMPLE");
    assert_eq!(credentials.secret_access_key(), "not-a-real-key");
    assert_eq!(credentials.session_token(), Some("not-a-real-token"));
    assert!(!format!("{config:?}").contains("not-a-real"));
}

#[test]
fn empty_variable_is_not_set() {
    let config = config_of(&[
        ("AWS_REGION", ""),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", " "),
        ("AWS_ENDPOINT_URL", ""),
    ]);
    assert_eq!(config.region().unwrap().as_ref(), "us-east-1");
    assert!(config.credentials_provider().is_none());
    assert_eq!(config.endpoint_url(), None);
    assert_eq!(config.use_fips(), None);
}

#[test]
fn service_can_have_its_own_endpoint() {
    let config = config_of(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:2"),
    ]);
    let endpoint = |service| endpoint_url(&config, service);
    assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:4566"));
    assert_eq!(endpoint("Secrets Manager").unwrap(), "http://127.0.0.1:1");
    assert_eq!(endpoint("IAM").unwrap(), "http://127.0.0.1:2");
    assert_eq!(endpoint("CodeCommit").unwrap(), "http://127.0.0.1:4566");
    let config = config_of(&[("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:3")]);
    assert_eq!(endpoint_url(&config, "S3").unwrap(), "http://127.0.0.1:3");
    assert_eq!(endpoint_url(&config, "CodeCommit"), None);
}

#[test]
fn endpoints_can_be_ignored_fips_or_dual_stack() {
    let config = config_of(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:2"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
    ]);
    assert_eq!(config.endpoint_url(), None);
    assert_eq!(endpoint_url(&config, "IAM"), None);
    assert_eq!(config.use_fips(), Some(true));
    assert_eq!(config.use_dual_stack(), Some(false));
}

#[test]
fn any_replaced_service_is_a_local_aws() {
    const URL: &str = "http://127.0.0.1:4566";
    assert!(!is_local(&config_of(&[])));
    assert!(is_local(&config_of(&[("AWS_ENDPOINT_URL", URL)])));
    assert!(is_local(&config_of(&[("AWS_ENDPOINT_URL_S3", URL)])));
    assert!(is_local(&config_of(&[("AWS_ENDPOINT_URL_IAM", URL)])));
}
