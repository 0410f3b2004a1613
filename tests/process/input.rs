//! Events that no caller should send.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::function::Function;
use crate::http::Reply;

/// The members without which nothing is called. `ResponseURL` and `RequestType` have tests of their
/// own.
const REQUIRED: [&str; 4] = ["StackId", "RequestId", "LogicalResourceId", "ResourceType"];

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
fn half_a_surrogate_pair_gets_a_response() {
    let function = Function::start();
    let lone = "\"a\\ud800\"";
    let properties = json!({"UserName": "LONE"});
    let event = function.request("Create", &properties);
    assert_eq!(raw(&function, &event, "LONE", lone)["Status"], "FAILED");
    for member in [
        "StackId",
        "RequestId",
        "LogicalResourceId",
        "RequestType",
        "ResourceType",
    ] {
        let mut event = function.request("Create", &json!({"Typo": 1}));
        event[member] = json!("LONE");
        assert_eq!(raw(&function, &event, "LONE", lone)["Status"], "FAILED");
    }
    let mut event = function.request("Create", &json!({"Typo": 1}));
    event["NAME"] = json!(1);
    assert_eq!(raw(&function, &event, "NAME", lone)["Status"], "FAILED");
}

#[test]
fn members_of_the_wrong_type_get_a_response() {
    let function = Function::start();
    for wrong in [
        json!(7),
        json!(null),
        json!([]),
        json!({"a": {}}),
        json!(true),
        json!(""),
    ] {
        for member in [
            "RequestType",
            "StackId",
            "RequestId",
            "LogicalResourceId",
            "PhysicalResourceId",
            "ResourceType",
            "ResourceProperties",
            "OldResourceProperties",
        ] {
            let mut event = function.request("Update", &json!({"Typo": 1}));
            event[member] = wrong.clone();
            let answer = function.answered(&event);
            let reason = answer["Reason"].as_str().expect("a reason");
            let is_required = REQUIRED.contains(&member);
            let names_it = reason.starts_with(&format!("reading the request: {member}: "));
            assert_eq!(names_it, is_required, "{member}: {wrong}: {reason}");
            assert_eq!(answer["Status"], "FAILED", "{member}: {wrong}");
            let id = answer["PhysicalResourceId"].as_str();
            assert!(id.is_some_and(|id| !id.is_empty()), "{member}: {wrong}");
        }
    }
}

#[test]
fn request_without_a_required_member_calls_nothing() {
    let function = Function::start();
    let mirror = json!({"UserName": "mirror", "ServiceToken": "arn"});
    let shop = json!({"EnvID": "dev", "ProjectID": "shop"});
    for kind in ["Create", "Update", "Delete"] {
        for request in [
            function.request(kind, &mirror),
            function.pipeline_request(kind, &shop),
        ] {
            for member in REQUIRED {
                let mut without = request.clone();
                without.as_object_mut().expect("an object").remove(member);
                let mut null = request.clone();
                null[member] = Value::Null;
                for event in [without, null] {
                    let reason = function.fails(&event);
                    let names =
                        format!("reading the request: {member}: must be a non-empty string");
                    assert!(reason.starts_with(&names), "{reason}");
                }
            }
            let mut none = request;
            none.as_object_mut()
                .expect("an object")
                .retain(|name, _| !REQUIRED.contains(&name.as_str()));
            let reason = function.fails(&none);
            assert!(reason.contains(&REQUIRED.join(", ")), "{reason}");
        }
    }
    assert!(function.aws.calls().is_empty());
    function.left_nothing();
}

#[test]
fn every_property_of_the_wrong_type_is_named_at_once() {
    let function = Function::start();
    let properties = json!({
        "UserName": [], "SecretName": {}, "KmsKeyId": [1], "RepositoryNames": "infra",
        "ForeignCredentials": 7, "RotationSerial": {},
        "Tags": {"Key": "x"}, "Typo": null,
    });
    let reason = function.fails(&function.request("Create", &properties));
    for name in properties.as_object().expect("an object").keys() {
        assert!(reason.contains(&format!("{name}: ")), "{name} in {reason}");
    }
    assert!(function.aws.calls().is_empty(), "before anything is called");
}

#[test]
fn reason_of_any_length_and_script_fits_the_response() {
    let function = Function::start();
    for unit in ["a", "漢", "\u{1}", "🦀\"\\"] {
        let mut event = function.request("Create", &json!({}));
        event["ResourceType"] = json!(unit.repeat(20_000));
        function.fails(&event);
        let mut properties = serde_json::Map::new();
        for n in 0..200 {
            properties.insert(format!("{n}{}", unit.repeat(500)), json!(1));
        }
        let event = function.request("Create", &Value::Object(properties));
        function.fails(&event);
        let attempts = function.bucket.attempts();
        assert!(attempts.iter().all(|(put, _)| put.body.len() <= 4096));
    }
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
