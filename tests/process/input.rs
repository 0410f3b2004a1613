//! Events that no caller should send. `tests/event_fuzz` has their members in other forms, without a process.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use expect_test::expect;
use serde_json::{Value, json};

use crate::function::{Function, Setup, mirror, reason};
use crate::http::Reply;
use fake_aws::redacted;

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

/// Its Create has failed, so its stack has nothing else to delete.
#[test]
fn delete_of_an_unknown_type_succeeds() {
    let function = Function::start();
    let send = |kind| {
        let mut event = function.request(kind, &json!({}));
        event["ResourceType"] = json!("Custom::Other");
        function.lambda.invoke(event.to_string(), Duration::from_mins(1))
    };
    let reason = reason(&function.failed(&send("Create")).0);
    assert!(
        reason.starts_with("ResourceType: Custom::Other is not provided"),
        "{reason}"
    );
    function.succeeded(&send("Delete"));
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
    let mut texts = BTreeSet::new();
    for event in events {
        let invocation = function.lambda.invoke(event, Duration::from_secs(5));
        let error = invocation.error();
        assert_eq!(error["errorType"], "UnknownEvent", "{event:?}: {error}");
        texts.insert(error["errorMessage"].as_str().expect("a message").to_owned());
    }
    expect![[r#"
        classifying the event: the function does not handle this kind (aws.s3, Object Created). Send one of these: a CloudFormation custom-resource request (`RequestType`, `ResponseURL`), the function's own continuation of a long one (`Continuation`, `Event`), a Secrets Manager rotation step (`Step`, `SecretId`, `ClientRequestToken`), an event of EventBridge (`source`, `detail-type`, `detail`: a CodeCommit branch's push, a CodePipeline state change, a CodeBuild state change, a schedule), or the scheduled health check (`HealthCheck`). The function cfn-gitops-<EnvID>-read answers questions - CFG-110
        classifying the event: the function does not handle this kind. Send one of these: a CloudFormation custom-resource request (`RequestType`, `ResponseURL`), the function's own continuation of a long one (`Continuation`, `Event`), a Secrets Manager rotation step (`Step`, `SecretId`, `ClientRequestToken`), an event of EventBridge (`source`, `detail-type`, `detail`: a CodeCommit branch's push, a CodePipeline state change, a CodeBuild state change, a schedule), or the scheduled health check (`HealthCheck`). The function cfn-gitops-<EnvID>-read answers questions - CFG-110"#]].assert_eq(&Vec::from_iter(texts).join("\n"));
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
    let scheduled = json!({
        "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
    });
    let mut errors = vec![];
    for (event, name) in [
        (step, "RotationFailed"),
        (push, "FirstPushFailed"),
        (json!({"HealthCheck": {}}), "UnknownEnvironment"),
        (scheduled, "UnknownEnvironment"),
        (create, "ResponseNotDelivered"),
    ] {
        // A new secret may be shown late, so a step looks for it for ten seconds.
        let seconds = if name == "RotationFailed" { 15 } else { 4 };
        let invoked = function.invoke(&event, Duration::from_secs(seconds));
        let error = invoked.error();
        let message = error["errorMessage"].as_str().expect("a message");
        errors.push(format!("{name}: {}", redacted(message)));
        assert_eq!(error["errorType"], name, "{error}");
    }
    expect![[r#"
        RotationFailed: createSecret of secret unknown: there is no such secret. The rotation has ended, and the next one starts anew. Set the rotation schedule's SecretId to the Ref of a Custom::MirrorCredential - CFG-601
        FirstPushFailed: handling a push: looking up stack gitops-dev-infra: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: cloudformation:DescribeStacks on resource: arn:aws:cloudformation:eu-central-1:123456789012:stack/gitops-dev-infra/* because no identity-based policy allows the cloudformation:DescribeStacks action. Deploy the provider stack again, or allow cloudformation:DescribeStacks in a policy of the function's role - CFG-201
        UnknownEnvironment: looking at an environment: the event names none, and the function is not called cfn-gitops-<EnvID>. Set EnvID in the event to a letter, then letters and digits, all in lower case - CFG-110
        UnknownEnvironment: looking at an environment: the event names none, and the function is not called cfn-gitops-<EnvID>. Set EnvID in the event to a letter, then letters and digits, all in lower case - CFG-110
        ResponseNotDelivered: sending the response to CloudFormation: the response bucket could not be reached in time. Check the function's network path to Amazon S3, then repeat the stack operation - CFG-111"#]].assert_eq(&errors.join("\n"));
    let written = function.ended();
    assert!(
        !written.contains("dyn ") && !written.contains("\"_aws\""),
        "{written}"
    );
}

#[test]
fn function_that_reads_only_answers_questions() {
    let settings = json!({"EnvID": "dev", "UserNames": "user-dev-*"});
    let setup = Setup::new().with("FUNCTION", "read");
    let function = setup.with("ENVIRONMENT", &settings.to_string()).start();
    let mut errors = vec![];
    for event in [
        function.request("Create", &mirror()),
        json!({"HealthCheck": {"EnvID": "dev"}}),
        json!({"Doctor": {}, "Projects": {}}),
        json!({"Doctor": {"Contains": {}}}),
        json!({"Doctor": {"EnvID": "prd"}}),
    ] {
        let error = function.invoke(&event, Duration::from_secs(5)).error();
        let text = |name: &str| error[name].as_str().expect("a text").to_owned();
        errors.push(format!("{}: {}", text("errorType"), text("errorMessage")));
    }
    errors.dedup();
    expect![[r#"
        UnknownEvent: reading the question: this function only answers questions, and this is none. Send one of these: {"Doctor": {}}, {"Projects": {}}, {"Deployments": {"ProjectID": "<ProjectID>"}} - CFG-110
        InvalidQuestion: reading the question: Doctor.Contains is unknown. Remove it - CFG-110
        UnknownEnvironment: looking at environment prd: this function is that of dev. Invoke the function of that environment, or leave out EnvID - CFG-110"#]].assert_eq(&errors.join("\n"));
    let answer = function.invoke(&json!({"Doctor": {}}), Duration::from_secs(60)).result();
    assert_eq!(
        (&answer["Format"], &answer["EnvID"]),
        (&json!(2), &json!("dev"))
    );
    assert!(answer["Checks"].is_array(), "{answer}");
    assert!(!function.ended().contains("\"_aws\""));
}

#[test]
fn unknown_function_starts_nothing() {
    for (name, value) in [("FUNCTION", "write"), ("ENVIRONMENT", "{")] {
        let setup = Setup::new().with("FUNCTION", "read").with(name, value);
        let function = setup.start();
        let error = function.invoke(&json!({"Doctor": {}}), Duration::from_secs(5)).error();
        assert_eq!(error["errorType"], "StartFailed", "{error}");
    }
}

/// Only the function itself sends a continuation, but every caller can invoke it with one.
#[test]
fn continuation_with_any_position_gets_a_response() {
    let function = Function::start();
    let event = function.request("Create", &json!({"Typo": 1}));
    let most = json!(u64::MAX);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let mut reasons = BTreeSet::new();
    for position in [
        json!({"Hop": 1}),
        json!({"Hop": u32::MAX}),
        json!({"Hop": 1, "Received": now}),
        json!({"Hop": 1, "Received": most}),
        json!({"Hop": 0, "Received": null, "Further": [1]}),
    ] {
        let continuation = json!({"Continuation": position, "Event": event});
        reasons.insert(function.fails(&continuation));
    }
    expect!["UserName: is required; Typo: is not a property. Correct the properties in the template - CFG-102"].assert_eq(&Vec::from_iter(reasons).join("\n"));
}
