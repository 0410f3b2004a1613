//! A pipeline's request that outlives its invocation, through the real process.

use serde_json::{Value, json};

use crate::function::Function;
use crate::http::Request;

/// The function's invocations of itself.
fn asked(function: &Function) -> Vec<Request> {
    let mut calls = function.aws.calls();
    calls.retain(|call| call.target.ends_with("/invocations"));
    calls
}

/// The event with another writer's JSON than `serde_json`'s.
fn oddly_written(event: &Value) -> String {
    let text = serde_json::to_string_pretty(event).expect("JSON");
    text.replace("\"shop\"", "\"\\u0073hop\"")
        .replace("\"Number\": 1.5", "\"Number\" :\t1.50e0")
}

#[test]
fn long_request_continues_and_gets_one_response() {
    let function = Function::start();
    let fake = &function.aws.fake;
    fake.options(|options| options.resource_takes = function.seconds(1));
    let shop =
        json!({"ServiceToken": crate::lambda::FUNCTION, "EnvID": "dev", "ProjectID": "shop"});
    let mut event = function.pipeline_request("Create", &shop);
    event["Unknown"] = json!({"Number": 1.5, "Ωmega": ["\u{1}/", null]});
    let event = oddly_written(&event);
    assert!(event.contains("\\u0073hop") && event.contains("1.50e0"));

    let mut lives = 0;
    let mut text = event.clone();
    let answer = loop {
        let time = function.seconds(if lives < 2 { 2 } else { 60 });
        let result = function.lambda.invoke(text, time).result();
        let asked = asked(&function);
        if asked.len() == lives {
            break result;
        }
        lives += 1;
        assert_eq!(result, json!({"Continuation": {"Hop": lives}}));
        assert!(function.bucket.attempts().is_empty(), "a response");
        let last = &asked[lives - 1];
        let encoded = crate::lambda::FUNCTION.replace(':', "%3A");
        assert!(last.target.contains(&encoded), "{}", last.target);
        assert_eq!(last.header("x-amz-invocation-type"), Some("Event"));
        text = last.text();
        let position = format!("{{\"Continuation\":{{\"Hop\":{lives},\"Received\":");
        assert!(text.starts_with(&position), "{text}");
        assert!(text.ends_with(&format!(",\"Event\":{event}}}")), "{text}");
    };
    assert_eq!(lives, 2, "continued twice");
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(answer["PhysicalResourceId"], "gitops-dev-shop");
    assert_eq!(function.bucket.accepted(), [answer]);
    assert_eq!(function.bucket.attempts().len(), 1);
    fake.assert_unbroken();
    let written = function.ended();
    let line = "continued in another invocation";
    assert!(written.contains(line), "{written}");
}
