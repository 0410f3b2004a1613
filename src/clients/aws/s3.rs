//! Reads one object from S3.
//!
//! `aws-sdk-s3` would add eleven crates, one of them under another licence, for this one request.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::call_error::{CallError, NOT_BUILT};
use super::error_codes::error_of;
use super::signed::{Signed, Unsigned, dns_suffix};
use crate::clients::http::{Http, HttpError, RESERVED};
use crate::common::reason_codes::Code;
use crate::common::text_file;

/// The error codes of a missing object: without `s3:ListBucket`, S3 denies its read. Another code,
/// such as `SignatureDoesNotMatch`, is not about the object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
const MISSING: [&str; 2] = ["NoSuchKey", "AccessDenied"];

/// S3 signs a path in which each byte is encoded "except the unreserved characters: 'A'-'Z',
/// 'a'-'z', '0'-'9', '-', '.', '_', and '~'", and the slash of an object's key. A URL library
/// leaves `+` and others.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
const RESERVED_IN_KEY: AsciiSet = RESERVED.remove(b'/');

/// A client of S3.
#[derive(Clone, Debug)]
pub struct S3(Signed);

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
    /// It does not exist, or its bucket may not be listed: S3 then denies the read of a missing
    /// object. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    #[error("the object does not exist")]
    Missing,
    /// It is larger than was permitted.
    #[error("the object is too large")]
    TooLarge,
    /// It is not UTF-8 text, for this reason. Without the invalid bytes it would be another text.
    #[error("{0}")]
    NotText(String),
    /// The request failed.
    #[error(transparent)]
    Failed(#[from] CallError),
}

impl S3 {
    /// The function's region.
    pub fn region(&self) -> Option<&str> {
        self.0.region()
    }

    /// Requests with the region, endpoint and credentials of `config`, through `http`.
    pub fn new(config: SdkConfig, http: Http) -> Self {
        S3(Signed::new(config, http))
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
        let failed = |code, cause: &str| {
            let doing = format!("reading {key} in bucket {bucket}");
            ObjectError::Failed(CallError::local(code, doing, cause))
        };
        let not_built = || failed(Code::AwsUnreachable, NOT_BUILT);
        let url = self.region().and_then(|region| self.url(bucket, key, region));
        let url = url.ok_or_else(not_built)?;
        let request = Unsigned {
            service: ("S3", "s3"),
            operation: "GetObject",
            method: "GET",
            url: url.as_str(),
            headers: &[],
            body: "",
            max_bytes,
        };
        match self.0.send(&request).await {
            Ok(response) if response.status().as_u16() == 200 => read(&response),
            Ok(response) => Err(rejection(&response, failed)),
            Err(HttpError::TooLarge) => Err(ObjectError::TooLarge),
            Err(HttpError::Unsendable) => Err(not_built()),
            Err(_) => {
                let cause = "S3 could not be reached: no connection, or it broke";
                Err(failed(Code::AwsUnavailable, cause))
            }
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
    fn url(&self, bucket: &str, key: &str, region: &str) -> Option<reqwest::Url> {
        if let Some(endpoint) = self.0.endpoint("S3") {
            return with_path(&endpoint, &format!("{bucket}/{key}"));
        }
        let (has_fips, is_dual_stack) = self.0.variants();
        let fips = if has_fips { "-fips" } else { "" };
        let dual_stack = if is_dual_stack { ".dualstack" } else { "" };
        object_url(bucket, key, region, &format!("s3{fips}{dual_stack}"))
    }
}

/// The address of an object at `service`, which is `s3` or a variant of it. `None` if the bucket's
/// name cannot be part of it.
pub fn object_url(bucket: &str, key: &str, region: &str, service: &str) -> Option<reqwest::Url> {
    let suffix = dns_suffix(region);
    let base = format!("https://{bucket}.{service}.{region}.{suffix}");
    with_path(&base, key)
}

/// The address of `path` below `base`, encoded as it is signed. `None` if it is not an address.
fn with_path(base: &str, path: &str) -> Option<reqwest::Url> {
    // The library would resolve them: the request would read another key.
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return None;
    }
    let escaped = utf8_percent_encode(path, &RESERVED_IN_KEY);
    let base = base.trim_end_matches('/');
    reqwest::Url::parse(&format!("{base}/{escaped}")).ok()
}

/// Why S3 returned no object. `failed` makes the error from its code and cause.
fn rejection(response: &HttpResponse, failed: impl Fn(Code, &str) -> ObjectError) -> ObjectError {
    let status = response.status().as_u16();
    let (error_code, _) = error_of(response).unwrap_or_default();
    let is_name = error_code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let error_code = if is_name { &error_code } else { "" };
    if MISSING.contains(&error_code) {
        return ObjectError::Missing;
    }
    let is_unavailable = status >= 500 || status == 429;
    let code = if is_unavailable {
        Code::AwsUnavailable
    } else {
        Code::AwsRejected
    };
    let cause = format!("HTTP {status} {error_code}");
    failed(code, cause.trim_end())
}

fn read(response: &HttpResponse) -> Result<S3Object, ObjectError> {
    let bytes = response.body().bytes().unwrap_or_default();
    let text = text_file::decode(bytes).map_err(ObjectError::NotText)?;
    let version_id = response.headers().get("x-amz-version-id");
    Ok(S3Object {
        text: text.to_owned(),
        version_id: version_id.filter(|id| *id != "null").map(ToOwned::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;
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

    #[test]
    fn object_that_is_not_utf8_is_rejected() {
        let of = |body: &'static [u8]| {
            let status = 200.try_into().expect("a status");
            read(&HttpResponse::new(status, SdkBody::from(body)))
        };
        let why = "it is not UTF-8 (line 1, column 10)".to_owned();
        assert_eq!(of(b"Transform\xff: x"), Err(ObjectError::NotText(why)));
        assert_eq!(
            of("ä".as_bytes()).map(|object| object.text),
            Ok("ä".to_owned())
        );
    }

    #[test]
    fn every_reserved_character_in_a_key_is_escaped() {
        let key = "a+=@()!',;:&$*/ä-._~z%41?";
        let expected = "a%2B%3D%40%28%29%21%27%2C%3B%3A%26%24%2A/%C3%A4-._~z%2541%3F";
        let url = object_url("bucket", key, "cn-north-1", "s3").expect("an address");
        let bucket = "https://bucket.s3.cn-north-1.amazonaws.com.cn";
        assert_eq!(url.as_str(), format!("{bucket}/{expected}"));
        let config = SdkConfig::builder().endpoint_url("http://127.0.0.1:4566/");
        let s3 = S3::new(config.build(), Http::over_reqwest().expect("a client"));
        let url = s3.url("bucket", key, "eu-central-1").expect("an address");
        assert_eq!(url.path(), format!("/bucket/{expected}"));
    }

    #[test]
    fn only_a_missing_object_counts_as_missing() {
        for (status, code, expected) in [
            (404, "NoSuchKey", None),
            (403, "AccessDenied", None),
            (404, "NoSuchBucket", Some(" NoSuchBucket")),
            (403, "SignatureDoesNotMatch", Some(" SignatureDoesNotMatch")),
            (400, "ExpiredToken", Some(" ExpiredToken")),
            (403, "<b>", Some("")),
        ] {
            let expected = expected.map(|code| format!("HTTP {status}{code}"));
            let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>");
            let http_status = status.try_into().expect("a status");
            let response = HttpResponse::new(http_status, SdkBody::from(body));
            let failed = |code, cause: &str| {
                ObjectError::Failed(CallError::local(code, "reading it".to_owned(), cause))
            };
            let cause = match rejection(&response, failed) {
                ObjectError::Failed(error) => Some(error.cause),
                error => {
                    assert_eq!(error, ObjectError::Missing);
                    None
                }
            };
            assert_eq!(cause, expected);
        }
    }
}
