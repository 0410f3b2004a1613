//! Events that no caller should send. `tests/event_fuzz` has their members in other forms, without a process.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::function::Function;
use crate::http::Reply;

/// Replaces a quoted placeholder by JSON that `serde_json` cannot hold.
fn raw(function: &Function, event: &Value, placeholder: &str, json: &str) -> Value {
    let text = event.to_string();
    let text = text.replace(&format!("\"{placeholder}\""), json);
    let result = function
        .lambda
        .invoke(text, Duration::from_secs(20))
        .result();
    assert_eq!(function.bucket.accepted(), std::slice::from_ref(&result));
    result
}

// claim: every-event-with-a-response-url-gets-one-response-and-none-panics
#[test]
fn deeply_nested_properties_fail_with_a_reason() {
    let function = Function::start();
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for kind in ["Create", "Update"] {
        let event = function.request(kind, &json!({"UserName": "mirror", "Tags": "DEEP"}));
        let answer = raw(&function, &event, "DEEP", &deep);
        assert_eq!(answer["Status"], "FAILED");
        let reason = answer["Reason"].as_str().expect("a reason");
        assert!(reason.starts_with("reading ResourceProperties"), "{reason}");
    }
    // A Delete needs no valid properties.
    let event = function.request("Delete", &json!({"Tags": "DEEP"}));
    assert_eq!(raw(&function, &event, "DEEP", &deep)["Status"], "SUCCESS");
}

#[test]
fn unknown_event_fails_with_the_names_of_known_events() {
    let function = Function::start();
    for event in [
        "{}",
        "[]",
        "null",
        "7",
        "\"text\"",
        "true",
        r#"{"ResponseURL":7}"#,
        r#"{"source":"aws.s3","detail-type":"Object Created","detail":{}}"#,
    ] {
        let error = function
            .lambda
            .invoke(event, Duration::from_secs(5))
            .error();
        assert_eq!(error["errorType"], "UnknownEvent", "{event}");
        let text = error["errorMessage"].as_str().expect("a message");
        for kind in [
            "RequestType",
            "ResponseURL",
            "Step",
            "SecretId",
            "ClientRequestToken",
            "CodeCommit",
            "health check",
            "continuation",
        ] {
            assert!(text.contains(kind), "{event}: {kind} in {text}");
        }
    }
    // The process continues.
    function.succeeds(&function.request("Create", &json!({"UserName": "mirror"})));
}

#[test]
fn payload_that_is_not_json_is_an_unknown_event() {
    let function = Function::start();
    let payloads: [&[u8]; 5] = [b"", b"{", b"{\"a\" 1}", b"\xff\xfe", b"{\"a\":\"\xff\"}"];
    for payload in payloads {
        let invocation = function.lambda.invoke(payload, Duration::from_secs(5));
        let error = invocation.error();
        assert_eq!(error["errorType"], "UnknownEvent", "{payload:?}: {error}");
    }
}

#[test]
fn every_error_has_a_stable_name() {
    let function = Function::start();
    let step = json!({
        "Step": "createSecret",
        "SecretId": "unknown",
        "ClientRequestToken": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    });
    let push = include_str!("../../events/first-push.json");
    let push: Value = serde_json::from_str(push).expect("JSON");
    function.aws.fake.deny("cloudformation:DescribeStacks", "");
    function.bucket.always(Some(Reply::status(500)));
    for (event, name) in [
        (step, "RotationFailed"),
        (push, "FirstPushFailed"),
        (json!({"HealthCheck": {}}), "UnknownEnvironment"),
        (
            function.request("Create", &json!({})),
            "ResponseNotDelivered",
        ),
    ] {
        let error = function.invoke(&event, Duration::from_secs(4)).error();
        assert_eq!(error["errorType"], name, "{error}");
    }
    let written = function.ended();
    assert!(!written.contains("dyn "), "{written}");
}

/// Only the function itself sends a continuation, but every caller can invoke it with one.
#[test]
fn continuation_with_any_position_gets_a_response() {
    let function = Function::start();
    let event = function.request("Create", &json!({"Typo": 1}));
    let most = json!(u64::MAX);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    for position in [
        json!({"Hop": 1}),
        json!({"Hop": u32::MAX}),
        json!({"Hop": 1, "Received": now}),
        json!({"Hop": 1, "Received": most}),
        json!({"Hop": 0, "Received": null, "Further": [1]}),
    ] {
        let continuation = json!({"Continuation": position, "Event": event});
        let reason = function.fails(&continuation);
        assert!(reason.contains("Typo: "), "{position}: {reason}");
    }
}
