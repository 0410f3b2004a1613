//! A pipeline's requests through the real process: one that outlives its invocation, and a
//! branch's first push.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bucket::{CREDENTIAL, SIGNATURE};
use crate::function::Function;
use crate::http::Request;
use fake_aws::Reaction;

const REPOSITORY: &str = "codecommit-dev-cfn-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";

fn shop() -> Value {
    json!({"ServiceToken": crate::lambda::FUNCTION, "EnvID": "dev", "ProjectID": "shop"})
}

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
    fake.options(|options| options.resource_takes = Duration::from_secs(1));
    let mut event = function.pipeline_request("Create", &shop());
    event["Unknown"] = json!({"Number": 1.5, "Ωmega": ["\u{1}/", null]});
    let event = oddly_written(&event);
    assert!(event.contains("\\u0073hop") && event.contains("1.50e0"));

    let mut lives = 0;
    let mut text = event.clone();
    let answer = loop {
        let time = Duration::from_secs(if lives < 2 { 2 } else { 60 });
        let result = function.lambda.invoke(text, time).result();
        let asked = asked(&function);
        if asked.len() == lives {
            break result;
        }
        lives += 1;
        assert_eq!(result, json!({"Continuation": {"Hop": lives}}));
        assert_eq!(
            function.bucket.attempts().len(),
            0,
            "nobody is answered yet"
        );
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

    // The address went nowhere but into the payloads and to itself.
    let is_address = |text: &str| {
        [SIGNATURE, CREDENTIAL, "path-of-the-answer"]
            .iter()
            .any(|part| text.contains(part))
    };
    for call in function.aws.calls() {
        let headers = format!("{:?}", call.headers);
        let is_hand_over = call.target.ends_with("/invocations");
        assert!(!is_address(&call.target) && !is_address(&headers));
        assert!(is_hand_over || !is_address(&call.text()), "{}", call.text());
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", function.id()));
    let arguments = arguments.expect("the process runs");
    assert!(!is_address(&String::from_utf8_lossy(&arguments)));
    assert!(
        function
            .lambda
            .posted()
            .iter()
            .all(|text| !is_address(text))
    );
    let written = function.ended();
    assert!(
        written.contains("continued in another invocation"),
        "{written}"
    );
    assert!(!is_address(&written), "{written}");
}

#[test]
fn hand_over_rejected_by_lambda_fails_in_time() {
    let function = Function::start();
    function.aws.fake.deny("lambda:InvokeFunction", "");
    let event = function.pipeline_request("Create", &shop());
    let reason = function.fails_within(&event, Duration::from_secs(3));
    assert!(
        reason.ends_with("another invocation: AccessDeniedException - CFG-107"),
        "{reason}"
    );
}

#[test]
fn first_push_creates_the_pipeline_and_sends_no_response() {
    let function = Function::start();
    let fake = &function.aws.fake;
    fake.options(|options| options.resource_takes = Duration::from_millis(100));
    function.succeeds(&function.pipeline_request("Create", &shop()));
    function.bucket.attempts();
    assert!(fake.look(|aws| aws.pipelines.is_empty()));
    let reactions = fake.push(REPOSITORY, "development", "commit-1");
    let [
        Reaction::Event {
            function: told,
            payload,
        },
    ] = reactions.as_slice()
    else {
        panic!("{reactions:?}");
    };
    assert_eq!(told, crate::lambda::FUNCTION);
    // Lambda may deliver it twice.
    for _ in 0..2 {
        let result = function.invoke(payload, Duration::from_mins(1)).result();
        assert_eq!(result, json!({"PipelineName": PIPELINE}));
    }
    fake.look(|aws| {
        let executions = &aws.pipelines[PIPELINE].executions;
        let commits: Vec<_> = executions.iter().map(|one| one.revision.clone()).collect();
        assert_eq!(commits, [Some("commit-1".to_owned())]);
    });
    assert_eq!(function.bucket.attempts().len(), 0);
    // A push that no stack waits for has no effect.
    let mut other = payload.clone();
    other["StackName"] = json!("gitops-dev-other");
    let result = function.invoke(&other, Duration::from_mins(1)).result();
    assert!(result["Ignored"].is_string(), "{result}");
    function.succeeds(&function.pipeline_request("Delete", &shop()));
    fake.look(|aws| {
        assert!(aws.made.is_empty() && aws.pipelines.is_empty());
        assert!(!aws.codecommit.repositories.contains_key(REPOSITORY));
    });
    fake.assert_unbroken();
}
