//! Reads the events of one log stream of CloudWatch Logs.
//!
//! `aws-sdk-cloudwatchlogs` is twice as large as the largest SDK here, for this one request.

use aws_types::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call_error::{CallError, NOT_BUILT};
use super::error_codes::error_of;
use super::signed::{ServiceName, Signed, Unsigned};
use crate::clients::http::{Http, HttpError};
use crate::common::reason_codes::Code;

/// JSON escapes a control character as six bytes, and a page has at most 1 MB:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>.
const MAX_BYTES: usize = 8 * 1024 * 1024;

const SERVICE: ServiceName = ("CloudWatch Logs", "logs");

const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "Logs_20140328.GetLogEvents"),
];

/// A client of CloudWatch Logs.
#[derive(Clone, Debug)]
pub struct Logs(Signed);

/// The events to read: the last page of them, or the one of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRange<'a> {
    pub log_group_name: &'a str,
    pub log_stream_name: &'a str,
    /// The first moment, in milliseconds of the Unix epoch. `None` for the beginning of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// The moment after the last one. `None` for the end of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    /// The most events on a page.
    pub limit: u32,
    /// The page. `None` for the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A page of events, the latest last. It may be empty although there are earlier events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogPage {
    #[serde(default)]
    pub events: Vec<LogEvent>,
    /// The token of the page before. At the beginning it is the one of this page. `None` if the
    /// service returns none.
    pub next_backward_token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogEvent {
    #[serde(default)]
    pub message: String,
}

impl Logs {
    /// Requests with the region, endpoint and credentials of `config`, through `http`.
    pub fn new(config: SdkConfig, http: Http) -> Self {
        Logs(Signed::new(config, http))
    }

    /// Reads a page. `None` if the group or the stream does not exist.
    pub async fn get_log_events(
        &self,
        range: &EventRange<'_>,
    ) -> Result<Option<LogPage>, CallError> {
        let (group, stream) = (range.log_group_name, range.log_stream_name);
        let mut input = json!(range);
        input["startFromHead"] = json!(false);
        match self.send(&input, &format!("reading log stream {stream} of {group}")).await {
            Ok(page) => Ok(Some(page)),
            Err(error) if error.has_code(&["ResourceNotFoundException"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a request, and reads its response. `doing` is for an error.
    async fn send(&self, input: &Value, doing: &str) -> Result<LogPage, CallError> {
        let failed = |code, cause| CallError::local(code, doing.to_owned(), cause);
        let url = self.0.url(SERVICE);
        let url = url.ok_or_else(|| failed(Code::AwsUnreachable, NOT_BUILT))?;
        let unsigned = Unsigned {
            service: SERVICE,
            operation: "GetLogEvents",
            method: "POST",
            url: &url,
            headers: &HEADERS,
            body: &input.to_string(),
            max_bytes: MAX_BYTES,
        };
        let response = self.0.send(&unsigned).await.map_err(|error| match error {
            HttpError::Unsendable => failed(Code::AwsUnreachable, NOT_BUILT),
            HttpError::TooLarge => failed(Code::AwsUnavailable, "AWS's response is too large"),
            _ => failed(
                Code::AwsUnavailable,
                "AWS could not be reached: no connection, or it broke",
            ),
        })?;
        if !response.status().is_success() {
            let (code, message) = error_of(&response).unzip();
            let (code, message) = (code.as_deref(), message.as_ref().and_then(Option::as_deref));
            let (doing, status) = (doing.to_owned(), response.status().as_u16());
            let action = "logs:GetLogEvents";
            return Err(CallError::answered(doing, action, status, code, message));
        }
        let body = response.body().bytes().unwrap_or_default();
        let unreadable = |_| failed(Code::AwsUnavailable, "AWS's response could not be read");
        serde_json::from_slice(body).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::region::Region;
    use aws_types::sdk_config::Builder;

    fn url(region: &'static str, config: Builder) -> String {
        let config = config.region(Region::new(region)).build();
        let logs = Logs::new(config, Http::over_reqwest().expect("a client"));
        logs.0.url(SERVICE).expect("an address")
    }

    #[test]
    fn address_is_that_of_the_region() {
        let (plain, fips) = (SdkConfig::builder, || SdkConfig::builder().use_fips(true));
        for (region, config, expected) in [
            ("eu-central-1", plain(), "logs.eu-central-1.amazonaws.com"),
            ("us-east-1", fips(), "logs-fips.us-east-1.amazonaws.com"),
            ("us-gov-west-1", fips(), "logs.us-gov-west-1.amazonaws.com"),
            (
                "us-gov-east-1",
                fips().use_dual_stack(true),
                "logs-fips.us-gov-east-1.api.aws",
            ),
            ("cn-north-1", plain(), "logs.cn-north-1.amazonaws.com.cn"),
            (
                "cn-north-1",
                plain().use_dual_stack(true),
                "logs.cn-north-1.api.amazonwebservices.com.cn",
            ),
        ] {
            assert_eq!(url(region, config), format!("https://{expected}/"));
        }
        let local = plain().endpoint_url("http://127.0.0.1:4566");
        assert_eq!(url("eu-central-1", local), "http://127.0.0.1:4566/");
    }

    #[test]
    fn page_has_the_messages_and_the_token() {
        let of = |body: &str| serde_json::from_str(body).ok();
        let page =
            of(r#"{"events":[{"timestamp":1,"message":"a\n"},{}],"nextBackwardToken":"b/1"}"#);
        let expected = LogPage {
            events: ["a\n", ""].map(|it| LogEvent { message: it.into() }).into(),
            next_backward_token: Some("b/1".to_owned()),
        };
        assert_eq!(page, Some(expected));
        assert_eq!(of("{}"), Some(LogPage::default()));
        assert_eq!(of("<html>"), None);
    }
}
