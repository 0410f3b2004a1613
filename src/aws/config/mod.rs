//! The AWS SDK's standard environment, as far as a Lambda function has one.
//!
//! `aws-config` reads it as well, and behind it profiles, instance metadata, web identities and
//! what else credentials may come from: 0.3 MB of the package for what Lambda never has.

use std::fmt;
use std::sync::Arc;

use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The region, the endpoints, and the credentials that Lambda hands to the function. Nothing is
/// called.
pub fn config_from_environment() -> SdkConfig {
    config(Variables(Arc::new(|name| std::env::var(name).ok())))
}

/// What says a variable's value.
type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment's variables, by their names.
#[derive(Clone)]
struct Variables(Arc<LookUp>);

impl Variables {
    /// A variable that is set, and to something.
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

// They hold the credentials.
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

/// Whether the process runs in Lambda, which sets this variable always and reserves it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
pub fn is_in_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_INITIALIZATION_TYPE").is_some()
}

/// The address that stands in for the `service` of AWS. `None` if calls go to AWS itself.
pub fn endpoint_url(config: &SdkConfig, service: &'static str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let own = config.service_config().and_then(|it| it.load_config(key));
    own.or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}

/// The variables that are about one service: `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
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
