//! Lambda's Runtime API itself out of order.

use std::process::Command;
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::function::{Function, binary};
use crate::http::Reply;

fn mirror(function: &Function) -> Value {
    function.request("Create", &json!({"UserName": "mirror"}))
}

#[test]
fn program_outside_of_lambda_names_the_command() {
    let ended = Command::new(binary()).env_clear().output().expect("a program");
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{text}");
    expect!["cfn-gitops: this is the Lambda function's program, which only Lambda starts. The operator's command is the file cfn-gitops of the release folder: docs/reference/commands.md"].assert_eq(text.trim_end());
    assert!(ended.stdout.is_empty());
}

/// Lambda starts another process then.
#[test]
fn failed_poll_ends_the_process_before_any_work() {
    for reply in [
        Reply::status(500),
        Reply::status(403),
        Reply::Reset,
        Reply::CutOff,
    ] {
        let mut function = Function::start();
        function.lambda.next_polls([reply.clone()]);
        let status = function.wait();
        assert!(!status.success(), "{reply:?}: {status}");
        assert!(function.aws.calls().is_empty());
        assert!(function.bucket.attempts().is_empty());
        assert_eq!(function.lambda.posted(), Vec::<String>::new());
        function.restart(&[]);
        function.succeeds(&mirror(&function));
    }
}

#[test]
fn result_rejected_by_lambda_has_reached_cloudformation() {
    let function = Function::start();
    for status in [500, 413] {
        function.lambda.next_results([Reply::status(status)]);
        function.invoke(&mirror(&function), Duration::from_mins(1));
        // It polls only after it has finished this one.
        function.lambda.wait_until_asked();
        let accepted = function.bucket.accepted();
        assert_eq!(accepted.len(), 1);
        assert_eq!(accepted[0]["Status"], "SUCCESS");
    }
    // The delivery that Lambda may make again, in the same process.
    function.succeeds(&mirror(&function));
    function.aws.fake.assert_unbroken();
}

#[test]
fn lost_runtime_api_ends_the_process_after_the_response() {
    let mut function = Function::start();
    function.lambda.next_results([Reply::Reset]);
    let event = mirror(&function);
    function.invoke(&event, Duration::from_mins(1));
    assert!(!function.wait().success());
    let accepted = function.bucket.accepted();
    assert_eq!(accepted.len(), 1);
    function.restart(&[]);
    assert_eq!(function.succeeds(&event), accepted[0]);
    let fake = &function.aws.fake;
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));
    fake.assert_unbroken();
}
