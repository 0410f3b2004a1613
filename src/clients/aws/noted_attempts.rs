//! Notes each attempt at a call of AWS for [`failing_calls`].

use aws_sdk_iam::config::ConfigBag;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};

use super::error_codes::{error_of, is_throttled};
use super::propagation;
use crate::clients::failing_calls;

/// The operation whose errors may quote a password.
const WITH_PASSWORD: &str = "PutSecretValue";

/// Notes the beginning of an attempt.
pub(super) fn began(cfg: &ConfigBag) {
    if let Some(call) = cfg.load::<Metadata>() {
        failing_calls::began(call.name());
    }
}

/// Notes the end of an attempt. `None` if there was no response.
pub(super) fn ended(response: Option<&HttpResponse>, cfg: &ConfigBag) {
    let Some(call) = cfg.load::<Metadata>() else {
        return;
    };
    let failed = |cause: &str| failing_calls::failed(call.service(), call.name(), cause);
    match response {
        None => failed("no response"),
        Some(response) if may_pass(response) => failed(&cause(response, call.name())),
        Some(_) => failing_calls::answered(call.name()),
    }
}

/// Whether the call, or the work, may repeat the request. 409 is IAM's status for a concurrent
/// change, and for a full list whose deletions it may not show yet.
fn may_pass(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    status >= 500
        || status == 409
        || is_throttled(response)
        || propagation::time_left(response).is_some()
}

/// The status, the error code and the message, in any protocol. Without the message of a call with
/// a password.
fn cause(response: &HttpResponse, operation: &str) -> String {
    let status = response.status().as_u16();
    match error_of(response) {
        Some((code, Some(message))) if operation != WITH_PASSWORD => {
            format!("HTTP {status} ({code}: {message})")
        }
        Some((code, _)) => format!("HTTP {status} ({code})"),
        None => format!("HTTP {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    #[test]
    fn cause_is_read_in_each_protocol_and_never_a_password() {
        let response = |header: Option<&'static str>, body: &str| {
            let status = StatusCode::try_from(500).expect("a status");
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            if let Some(header) = header {
                response.headers_mut().insert("x-amzn-errortype", header);
            }
            response
        };
        let json = response(
            None,
            r#"{"__type":"com.amazonaws.x#Failure","message":"m"}"#,
        );
        assert_eq!(cause(&json, "GetRole"), "HTTP 500 (Failure: m)");
        assert_eq!(cause(&json, WITH_PASSWORD), "HTTP 500 (Failure)");
        let xml = "<E><Error><Code>Failure</Code><Message>m</Message></Error></E>";
        assert_eq!(
            cause(&response(None, xml), "GetRole"),
            "HTTP 500 (Failure: m)"
        );
        let header = response(Some("Failure:http://internal"), "{}");
        assert_eq!(cause(&header, "GetRole"), "HTTP 500 (Failure)");
        assert_eq!(cause(&response(None, "<html>"), "GetRole"), "HTTP 500");
    }
}
