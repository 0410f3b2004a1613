//! Events that no caller should send. `tests/event_fuzz` has their members in other forms, without a process.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::function::{Function, reason};
use crate::http::Reply;

// claim: every-event-with-a-response-url-gets-one-response-and-none-panics
#[test]
fn deeply_nested_properties_fail_with_a_reason() {
    let function = Function::start();
    // `serde_json` cannot hold it.
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    // A Delete needs no valid properties.
    for (kind, is_read) in [("Create", true), ("Update", true), ("Delete", false)] {
        let event = function.request(kind, &json!({"UserName": "mirror", "Tags": "DEEP"}));
        let event = event.to_string().replace("\"DEEP\"", &deep);
        // The Delete looks for the secret for ten seconds.
        let invocation = function.lambda.invoke(event, Duration::from_mins(1));
        if is_read {
            let reason = reason(&function.failed(&invocation).0);
            assert!(reason.starts_with("reading ResourceProperties"), "{reason}");
        } else {
            function.succeeded(&invocation);
        }
    }
}

#[test]
fn unknown_event_fails_with_the_names_of_known_events() {
    let function = Function::start();
    let events: [&[u8]; 13] = [
        b"{}",
        b"[]",
        b"null",
        b"7",
        b"\"text\"",
        b"true",
        br#"{"ResponseURL":7}"#,
        br#"{"source":"aws.s3","detail-type":"Object Created","detail":{}}"#,
        b"",
        b"{",
        b"{\"a\" 1}",
        b"\xff\xfe",
        b"{\"a\":\"\xff\"}",
    ];
    let kinds =
        "RequestType ResponseURL Step SecretId ClientRequestToken CodeCommit health continuation";
    for event in events {
        let invocation = function.lambda.invoke(event, Duration::from_secs(5));
        let error = invocation.error();
        assert_eq!(error["errorType"], "UnknownEvent", "{event:?}: {error}");
        let text = error["errorMessage"].as_str().expect("a message");
        for kind in kinds.split(' ') {
            assert!(text.contains(kind), "{event:?}: {kind} in {text}");
        }
        let names_origin = text.contains("(aws.s3, Object Created)");
        assert_eq!(names_origin, event.starts_with(b"{\"source\""), "{text}");
    }
    // The process continues.
    function.succeeds(&function.request("Create", &json!({"UserName": "mirror"})));
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
    let create = function.request("Create", &json!({}));
    let invalid_question = json!({"Doctor": {"EnvID": "dev", "Contains": {"ProjectID": "shop"}}});
    let scheduled = json!({
        "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
    });
    for (event, name) in [
        (step, "RotationFailed"),
        (push, "FirstPushFailed"),
        (json!({"HealthCheck": {}}), "UnknownEnvironment"),
        (scheduled, "UnknownEnvironment"),
        (invalid_question, "InvalidQuestion"),
        (create, "ResponseNotDelivered"),
    ] {
        // A new secret may be shown late, so a step looks for it for ten seconds.
        let seconds = if name == "RotationFailed" { 15 } else { 4 };
        let invoked = function.invoke(&event, Duration::from_secs(seconds));
        let error = invoked.error();
        assert_eq!(error["errorType"], name, "{error}");
        let message = error["errorMessage"].as_str().expect("a message");
        let is_of_health_check = name == "UnknownEnvironment";
        assert_eq!(message.contains("HealthCheck.EnvID"), is_of_health_check);
    }
    let written = function.ended();
    assert!(
        !written.contains("dyn ") && !written.contains("\"_aws\""),
        "{written}"
    );
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
