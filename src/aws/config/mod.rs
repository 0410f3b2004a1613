//! The AWS SDK's standard environment, as far as a Lambda function has one.
//!
//! `aws-config` would also read profiles, instance metadata, web identities and other sources of
//! credentials: 0.3 MB of the package for sources that Lambda does not have.

use std::fmt;
use std::sync::Arc;

use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// Services whose endpoint shows whether this is a local AWS.
const REPLACEABLE_SERVICES: [&str; 4] = ["S3", "IAM", "Secrets Manager", "CloudFormation"];

/// The region, the endpoints and the credentials of the function's environment, without a call.
pub fn config_from_environment() -> SdkConfig {
    config(Variables(Arc::new(|name| std::env::var(name).ok())))
}

/// Returns the value of a variable.
type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment's variables, by their names.
#[derive(Clone)]
struct Variables(Arc<LookUp>);

impl Variables {
    /// The value of a variable. `None` if it is not set, or empty.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn is_true(&self, name: &str) -> Option<bool> {
        Some(self.get(name)?.eq_ignore_ascii_case("true"))
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials::new(
            self.get("AWS_ACCESS_KEY_ID")?,
            self.get("AWS_SECRET_ACCESS_KEY")?,
            self.get("AWS_SESSION_TOKEN"),
            None,
            "EnvironmentVariable",
        ))
    }
}

// The variables contain the credentials.
impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Variables")
    }
}

fn config(variables: Variables) -> SdkConfig {
    let region = variables.get("AWS_REGION");
    let region = region.or_else(|| variables.get("AWS_DEFAULT_REGION"));
    let app_name = variables.get("AWS_SDK_UA_APP_ID");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new));
    config
        .set_credentials_provider(variables.credentials().map(SharedCredentialsProvider::new))
        .set_use_fips(variables.is_true("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(variables.is_true("AWS_USE_DUALSTACK_ENDPOINT"))
        .set_app_name(app_name.and_then(|name| AppName::new(name).ok()));
    if variables.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != Some(true) {
        config
            .set_endpoint_url(variables.get("AWS_ENDPOINT_URL"))
            .set_service_config(Some(ServiceVariables(variables)));
    }
    config.build()
}

/// Whether the process runs in Lambda, which always sets this reserved variable.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
pub fn is_in_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_INITIALIZATION_TYPE").is_some()
}

/// Whether `AWS_ENDPOINT_URL`, or the variable of a service that every request calls or of S3, names
/// a local AWS.
pub fn is_local(config: &SdkConfig) -> bool {
    let mut services = REPLACEABLE_SERVICES.into_iter();
    services.any(|service| endpoint_url(config, service).is_some())
}

/// The configured address of a service. `None` if it is AWS's own.
fn endpoint_url(config: &SdkConfig, service: &'static str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|it| it.load_config(key));
    own.or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}

/// The variables of one service, such as `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
#[derive(Debug)]
struct ServiceVariables(Variables);

impl LoadServiceConfig for ServiceVariables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.0.get(&format!("{}_{service}", key.env()))
    }
}

#[cfg(test)]
mod tests;
