//! The AWS SDK's standard environment, as far as a Lambda function has one.
//!
//! `aws-config` would also read profiles, instance metadata, web identities and other sources of
//! credentials: 0.3 MB of the package for sources that Lambda does not have.

use std::collections::HashMap;

use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// Services whose endpoint shows whether this is a local AWS.
const REPLACEABLE_SERVICES: [&str; 4] = ["S3", "IAM", "Secrets Manager", "CloudFormation"];

/// The region, the endpoints and the credentials of the function's environment, without a call.
pub fn config_from_environment() -> SdkConfig {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config(variables.collect())
}

fn config(mut variables: HashMap<String, String>) -> SdkConfig {
    variables.retain(|_, value| !value.trim().is_empty());
    let get = |name: &str| Some(variables.get(name)?.trim().to_owned());
    let is_true = |name: &str| Some(get(name)?.eq_ignore_ascii_case("true"));
    let credentials = || {
        let (id, key) = (get("AWS_ACCESS_KEY_ID")?, get("AWS_SECRET_ACCESS_KEY")?);
        let token = get("AWS_SESSION_TOKEN");
        Some(Credentials::new(
            id,
            key,
            token,
            None,
            "EnvironmentVariable",
        ))
    };
    let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
    let app_name = get("AWS_SDK_UA_APP_ID").and_then(|name| AppName::new(name).ok());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new));
    config
        .set_credentials_provider(credentials().map(SharedCredentialsProvider::new))
        .set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"))
        .set_app_name(app_name);
    if is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != Some(true) {
        config.set_endpoint_url(get("AWS_ENDPOINT_URL"));
        // The others contain the credentials.
        variables.retain(|name, _| name.starts_with("AWS_ENDPOINT_URL_"));
        config.set_service_config(Some(ServiceEndpoints(variables)));
    }
    config.build()
}

/// Whether the process runs in Lambda, which always sets this reserved variable.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
pub fn is_in_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_INITIALIZATION_TYPE").is_some()
}

/// The function's name up to the environment's ID.
pub const FUNCTION_NAME_PREFIX: &str = "cfn-gitops-";

/// The end of the name of the function that only reads.
const READING: &str = "-read";

/// The environment in the `name` of a function. `None` if the name has none.
pub fn env_id_of(name: &str) -> Option<&str> {
    let named = name.strip_prefix(FUNCTION_NAME_PREFIX)?;
    Some(named.strip_suffix(READING).unwrap_or(named))
}

/// The environment in the name of this function. `None` if the name has none. Lambda sets the
/// variable, and it cannot be configured.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
pub fn own_env_id() -> Option<String> {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok()?;
    env_id_of(&name).map(ToOwned::to_owned)
}

/// Whether `AWS_ENDPOINT_URL`, or the variable of a service that every request calls or of S3,
/// names a local AWS.
pub fn is_local(config: &SdkConfig) -> bool {
    let mut services = REPLACEABLE_SERVICES.into_iter();
    services.any(|service| endpoint_url(config, service).is_some())
}

/// The configured address of a service. `None` if it is AWS's own.
pub(super) fn endpoint_url(config: &SdkConfig, service: &'static str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|it| it.load_config(key));
    own.or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}

/// The variables of single services, such as `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
#[derive(Debug)]
struct ServiceEndpoints(HashMap<String, String>);

impl LoadServiceConfig for ServiceEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let value = self.0.get(&format!("{}_{service}", key.env()))?;
        Some(value.trim().to_owned())
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
