//! Reads one object from S3.
//!
//! `aws-sdk-s3` would add eleven crates, one of them under another licence, for this one request. So it is
//! signed with the SDK's `aws-sigv4`, and sent like every other request.

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

use super::call_error::CallError;
use super::config::endpoint_url;
use crate::http::{Http, HttpError};
use crate::reason_codes::Code;

/// One attempt at a request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// The pauses before an attempt is repeated.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// What requests to S3 need.
#[derive(Clone, Debug)]
pub struct S3 {
    config: SdkConfig,
    http: Http,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Object {
    /// Its content.
    pub text: String,
    /// Its version. `None` if the bucket has no versions.
    pub version_id: Option<String>,
}

/// Why an object was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It does not exist, or its bucket may not be listed: S3 then denies the read of a missing object.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    #[error("the object does not exist")]
    Missing,
    /// It is larger than was permitted.
    #[error("the object is too large")]
    TooLarge,
    /// The request failed.
    #[error(transparent)]
    Failed(#[from] CallError),
}

impl S3 {
    /// Requests with the region, endpoint and credentials of `config`, through `http`.
    pub fn new(config: SdkConfig, http: Http) -> Self {
        S3 { config, http }
    }

    /// Reads an object of at most `max_bytes`.
    ///
    /// # Errors
    /// If it does not exist, is larger, or S3 does not return it.
    pub async fn get_object(
        &self,
        bucket: &str,
        key: &str,
        max_bytes: usize,
    ) -> Result<S3Object, ObjectError> {
        let mut pauses = PAUSES.iter();
        loop {
            let response = self.attempt(bucket, key, max_bytes).await;
            let error = match response {
                Ok(response) => match read(&response, bucket, key) {
                    Err(ObjectError::Failed(error)) => error,
                    read => return read,
                },
                Err(error) => return Err(error),
            };
            match pauses.next().filter(|_| error.is_transient()) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error.into()),
            }
        }
    }

    /// The response of one attempt, or why there is none.
    async fn attempt(
        &self,
        bucket: &str,
        key: &str,
        max_bytes: usize,
    ) -> Result<Result<HttpResponse, HttpError>, ObjectError> {
        let unsendable = || failed(bucket, key, Code::AwsUnreachable, None, NOT_BUILT);
        let request = self.request(bucket, key).await.ok_or_else(unsendable)?;
        let sent = self.http.send(request, max_bytes);
        let response = tokio::time::timeout(ATTEMPT_TIMEOUT, sent).await;
        match response.unwrap_or(Err(HttpError::NoResponse)) {
            Err(HttpError::TooLarge) => Err(ObjectError::TooLarge),
            response => Ok(response),
        }
    }

    /// The signed request. `None` if the configuration has no region or no credentials.
    async fn request(&self, bucket: &str, key: &str) -> Option<HttpRequest> {
        let region = self.config.region()?.as_ref();
        let url = self.url(bucket, key, region)?;
        let provider = self.config.credentials_provider()?;
        let identity: Identity = provider.provide_credentials().await.ok()?.into();
        let mut settings = SigningSettings::default();
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?;
        let body = SignableBody::Bytes(&[]);
        let signable = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body).ok()?;
        let (signed, _) = sign(signable, &parameters.into()).ok()?.into_parts();
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url.as_str()).ok()?;
        for (name, value) in signed.headers() {
            let (name, value) = (name.to_owned(), value.to_owned());
            request.headers_mut().try_insert(name, value).ok()?;
        }
        Some(request)
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
    fn url(&self, bucket: &str, key: &str, region: &str) -> Option<reqwest::Url> {
        let (base, path) = if let Some(endpoint) = endpoint_url(&self.config, "S3") {
            (endpoint, format!("{bucket}/{key}"))
        } else {
            let has = |option: Option<bool>| option == Some(true);
            let fips = if has(self.config.use_fips()) {
                "-fips"
            } else {
                ""
            };
            let dual_stack = if has(self.config.use_dual_stack()) {
                ".dualstack"
            } else {
                ""
            };
            let suffix = dns_suffix(region);
            let host = format!("{bucket}.s3{fips}{dual_stack}.{region}.{suffix}");
            (format!("https://{host}"), key.to_owned())
        };
        let mut url = reqwest::Url::parse(&base).ok()?;
        let mut segments = url.path_segments_mut().ok()?;
        segments.pop_if_empty().extend(path.split('/'));
        drop(segments);
        Some(url)
    }
}

/// The end of the services' addresses in a region.
pub fn dns_suffix(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

const NOT_BUILT: &str = "the request could not be made; are region and credentials set?";

fn read(
    response: &Result<HttpResponse, HttpError>,
    bucket: &str,
    key: &str,
) -> Result<S3Object, ObjectError> {
    let Ok(response) = response else {
        let cause = "S3 could not be reached: no connection, or it broke";
        return Err(failed(bucket, key, Code::AwsUnavailable, None, cause));
    };
    let status = response.status().as_u16();
    match status {
        200 => {}
        403 | 404 => return Err(ObjectError::Missing),
        _ => {
            let cause = format!("HTTP {status}");
            let code = if status >= 500 || status == 429 {
                Code::AwsUnavailable
            } else {
                Code::AwsRejected
            };
            return Err(failed(bucket, key, code, Some(status), &cause));
        }
    }
    let bytes = response.body().bytes().unwrap_or_default();
    Ok(S3Object {
        text: String::from_utf8_lossy(bytes).into_owned(),
        version_id: response
            .headers()
            .get("x-amz-version-id")
            .filter(|id| *id != "null")
            .map(ToOwned::to_owned),
    })
}

fn failed(bucket: &str, key: &str, code: Code, status: Option<u16>, cause: &str) -> ObjectError {
    let doing = format!("reading {key} in bucket {bucket}");
    let error = CallError::local(code, doing, cause);
    ObjectError::Failed(CallError { status, ..error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::region::Region;

    fn url(config: aws_types::sdk_config::Builder) -> String {
        let config = config.region(Region::new("eu-central-1")).build();
        let http = Http::over_reqwest().expect("a client");
        let url = S3::new(config, http).url("bucket", "review/shop/a b.yaml", "eu-central-1");
        url.expect("an address").into()
    }

    #[test]
    fn address_is_that_of_the_bucket() {
        let path = "review/shop/a%20b.yaml";
        assert_eq!(
            url(SdkConfig::builder()),
            format!("https://bucket.s3.eu-central-1.amazonaws.com/{path}")
        );
        assert_eq!(
            url(SdkConfig::builder().use_fips(true).use_dual_stack(true)),
            format!("https://bucket.s3-fips.dualstack.eu-central-1.amazonaws.com/{path}")
        );
        assert_eq!(
            url(SdkConfig::builder().endpoint_url("http://127.0.0.1:4566/")),
            format!("http://127.0.0.1:4566/bucket/{path}")
        );
    }
}
