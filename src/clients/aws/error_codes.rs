//! The error codes and texts with which AWS throttles and denies, and reports a quota.

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_xml::decode::{Document, try_data};
use serde_json::Value;

/// Whether the error code is one of throttling: AWS did nothing, and does it later. The SDK counts
/// `LimitExceededException` too, with which the services that are called here report a quota.
pub(super) fn is_throttling(code: &str) -> bool {
    THROTTLING_ERRORS.contains(&code) && code != "LimitExceededException"
}

/// Whether AWS did nothing because of throttling.
pub(super) fn is_throttled(response: &HttpResponse) -> bool {
    error_of(response).is_some_and(|(code, _)| is_throttling(&code))
}

/// Whether the error code is one of a quota. A repetition does not help.
pub(super) fn is_quota(code: &str) -> bool {
    let is_limit = code.contains("LimitExceeded") || code.ends_with("ExceededException");
    is_limit && !is_throttling(code)
}

/// Whether the error code is about a KMS key that is disabled, deleted or not usable for the call.
pub(super) fn is_of_key(code: &str) -> bool {
    code.contains("cryptionFailure") || code.contains("cryptionKey") || code.starts_with("KMS")
}

/// The error code and the message of an error response, in any protocol. `None` if it is a success,
/// or no error of the service.
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization>
pub(super) fn error_of(response: &HttpResponse) -> Option<(String, Option<String>)> {
    if response.status().is_success() {
        return None;
    }
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let member = |names: [&str; 2], element: &str| {
        let member = names.iter().find_map(|name| json[*name].as_str()).map(ToOwned::to_owned);
        member.or_else(|| text_of(element, &body))
    };
    let header = response.headers().get("x-amzn-errortype");
    let code = header.map(ToOwned::to_owned);
    let code = code.or_else(|| member(["__type", "code"], "Code"))?;
    let code = code.rsplit('#').next()?.split(':').next()?.to_owned();
    Some((code, member(["message", "Message"], "Message")))
}

/// The text of the first element `name` of an XML document.
fn text_of(name: &str, document: &str) -> Option<String> {
    let mut document = Document::new(document);
    while let Some(element) = document.next_start_element() {
        if element.matches(name) {
            return Some(try_data(&mut document).ok()?.into_owned());
        }
    }
    None
}

/// The error codes of a denial.
pub(super) const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];

/// Parts of the messages of a denial that a permission of the function's role cannot allow.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
const DENIED_ELSEWHERE: [&str; 7] = [
    "explicit deny",
    "no permissions boundary allows",
    "no service control policy allows",
    "no resource control policy allows",
    "no resource-based policy allows",
    "no session policy allows",
    "no VPC endpoint policy allows",
];

/// Whether the message of a denial names an explicit one, or a policy other than those of the
/// function's role.
pub fn is_denied_elsewhere(message: &str) -> bool {
    DENIED_ELSEWHERE.iter().any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn texts_of_xml_are_decoded() {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>no &quot;a&quot; &amp; &#39;b&#39; &lt;c&gt;</Message></Error></ErrorResponse>";
        let status = StatusCode::try_from(403).expect("a status");
        let response = HttpResponse::new(status, SdkBody::from(body));
        let message = Some("no \"a\" & 'b' <c>".to_owned());
        assert_eq!(
            error_of(&response),
            Some(("AccessDenied".to_owned(), message))
        );
    }
}
