//! Requests that are signed with the SDK's `aws-sigv4`, and sent like every other request.
//!
//! For one operation of a service, its crate would be compiled and shipped with all others:
//! `docs/project/decisions` has the figures of S3 and of CloudWatch Logs.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;

use super::config::endpoint_url;
use super::error_codes::{error_of, is_throttling};
use crate::clients::failing_calls;
use crate::clients::http::{Http, HttpError};
use cfn_custom_resource::{Attempt, retry};

/// One attempt at a request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// The pauses between attempts, in milliseconds.
const PAUSES: [u64; 3] = [250, 1000, 4000];

/// A service's name for people, and the one in signatures, which most addresses begin with.
pub(super) type ServiceName = (&'static str, &'static str);

/// Sends signed requests.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    config: SdkConfig,
    http: Http,
}

/// A request before its signature.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub service: ServiceName,
    pub operation: &'static str,
    pub method: &'static str,
    pub url: &'a str,
    pub headers: &'a [(&'static str, &'static str)],
    pub body: &'a str,
    /// A longer response is not read.
    pub max_bytes: usize,
}

impl Signed {
    pub fn new(config: SdkConfig, http: Http) -> Self {
        Signed { config, http }
    }

    /// The address of a service. `None` if the configuration has no region.
    /// <https://docs.aws.amazon.com/general/latest/gr/cwl_region.html>
    pub fn url(&self, service: ServiceName) -> Option<String> {
        let (name, host) = service;
        if let Some(endpoint) = self.endpoint(name) {
            return Some(format!("{}/", endpoint.trim_end_matches('/')));
        }
        let region = self.region()?;
        let (has_fips, is_dual_stack) = self.variants();
        // The address without `-fips` is the one with FIPS there, as the SDK's rules have it.
        let is_government = region.starts_with("us-gov-") && !is_dual_stack;
        let fips = if has_fips && !is_government {
            "-fips"
        } else {
            ""
        };
        let suffix = match region.split('-').next() {
            Some("cn") if is_dual_stack => "api.amazonwebservices.com.cn",
            Some("eusc") if is_dual_stack => "api.amazonwebservices.eu",
            _ if is_dual_stack => "api.aws",
            _ => dns_suffix(region),
        };
        Some(format!("https://{host}{fips}.{region}.{suffix}/"))
    }

    /// The function's region.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    /// The configured address of a service. `None` if it is AWS's own.
    pub fn endpoint(&self, service: &'static str) -> Option<String> {
        endpoint_url(&self.config, service)
    }

    /// Whether the configuration demands FIPS, and dual-stack addresses.
    pub fn variants(&self) -> (bool, bool) {
        let is_set = |option: Option<bool>| option == Some(true);
        let (fips, dual_stack) = (self.config.use_fips(), self.config.use_dual_stack());
        (is_set(fips), is_set(dual_stack))
    }

    /// Sends a request, and repeats it while the error may pass. The response may be a rejection.
    /// It cannot be sent if the configuration has no region or no credentials.
    pub async fn send(&self, unsigned: &Unsigned<'_>) -> Result<HttpResponse, HttpError> {
        let ((service, _), operation) = (unsigned.service, unsigned.operation);
        let attempt = async || {
            failing_calls::began(operation);
            let Some(request) = self.sign(unsigned).await else {
                return Attempt::Final(Err(HttpError::Unsendable));
            };
            let result = self.attempt(request, unsigned.max_bytes).await;
            if let Some(cause) = passing_cause(&result) {
                failing_calls::failed(service, operation, &cause);
                return Attempt::MayPass(result, Duration::ZERO);
            }
            failing_calls::answered(operation);
            Attempt::Final(result)
        };
        retry(PAUSES.map(Duration::from_millis), None, attempt).await
    }

    async fn attempt(
        &self,
        request: HttpRequest,
        max_bytes: usize,
    ) -> Result<HttpResponse, HttpError> {
        let sent = tokio::time::timeout(ATTEMPT_TIMEOUT, self.http.send(request, max_bytes));
        sent.await.unwrap_or(Err(HttpError::NoResponse))
    }

    /// The signed request. `None` if the configuration has no region or no credentials.
    async fn sign(&self, unsigned: &Unsigned<'_>) -> Option<HttpRequest> {
        let Unsigned { url, body, .. } = unsigned;
        let provider = self.config.credentials_provider()?;
        let identity: Identity = provider.provide_credentials().await.ok()?.into();
        let mut settings = SigningSettings::default();
        // S3 accepts no other form:
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region()?)
            .name(unsigned.service.1)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?;
        let headers = unsigned.headers.iter().copied();
        let content = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new(unsigned.method, *url, headers, content).ok()?;
        let (signed, _) = sign(signable, &parameters.into()).ok()?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(*body));
        request.set_method(unsigned.method).ok()?;
        request.set_uri(*url).ok()?;
        for (name, value) in unsigned.headers.iter().copied().chain(signed.headers()) {
            let (name, value) = (name.to_owned(), value.to_owned());
            request.headers_mut().try_insert(name, value).ok()?;
        }
        Some(request)
    }
}

/// Why an attempt failed, if the next one may succeed.
fn passing_cause(result: &Result<HttpResponse, HttpError>) -> Option<String> {
    let response = match result {
        Ok(response) => response,
        Err(HttpError::Unsendable | HttpError::TooLarge) => return None,
        Err(_) => return Some("could not be reached".to_owned()),
    };
    let status = response.status().as_u16();
    let (code, _) = error_of(response).unwrap_or_default();
    let may_pass = status >= 500 || status == 429 || is_throttling(&code);
    may_pass.then(|| format!("HTTP {status} {code}").trim_end().to_owned())
}

/// The end of the services' addresses in a region.
pub fn dns_suffix(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}
