//! Every request gets a true response, before every deadline.

use std::time::Duration;

use expect_test::expect;

use crate::aws_front::Mood;
use crate::function::{Function, Setup, mirror};
use crate::http::ClosedPort;

#[test]
fn create_response_equals_the_result_of_lambda() {
    let function = Function::start();
    let answer = function.succeeds(&function.request("Create", &mirror()));
    assert_eq!(answer["PhysicalResourceId"], "codecommit-mirror/mirror");
    assert_eq!(answer["RequestId"], "request-Create");
    assert_eq!(answer["Data"]["UserName"], "mirror");
    assert_eq!(function.bucket.attempts().len(), 1);
    let calls = function.aws.calls();
    let proof = "/v1/repos/infra/info/refs?service=git-receive-pack";
    assert!(calls.iter().any(|call| call.target == proof));
    function.aws.fake.assert_unbroken();
}

#[test]
fn aws_without_response_fails_before_the_lambda_deadline() {
    let fails = &|kind: &str| {
        let function = Function::start();
        function.aws.mood(Mood::Hanging);
        let time = function.seconds(3);
        let invocation = function.invoke(&function.request(kind, &mirror()), time);
        let (_, took) = function.failed(&invocation);
        assert!(took < time, "{took:?}");
        assert!(took > time / 2, "{kind}: {took:?}");
        // And when it does again, all is well in the same process.
        function.aws.mood(Mood::Well);
        function.succeeds(&function.request("Create", &mirror()));
    };
    std::thread::scope(|scope| {
        for kind in ["Create", "Update", "Delete"] {
            scope.spawn(move || fails(kind));
        }
    });
}

#[test]
fn service_timeout_ends_before_the_lambda_deadline() {
    let function = Function::start();
    function.aws.mood(Mood::Hanging);
    let reason = function.fails_before_service_timeout(3);
    assert!(reason.contains("no time was left"), "{reason}");
}

#[test]
fn rejected_or_broken_connections_fail_with_a_reason() {
    let port = ClosedPort::new();
    let endpoint = format!("http://{}", port.address());
    let refused = Setup::new().aws_at(&endpoint).start();
    let broken = Function::start();
    broken.aws.mood(Mood::Resetting);
    std::thread::scope(|scope| {
        for function in [refused, broken] {
            scope.spawn(move || {
                let reason = function.fails_before_service_timeout(3);
                assert!(!reason.contains("127.0.0.1"), "{reason}");
            });
        }
    });
}

#[test]
fn slow_aws_is_awaited() {
    let function = Function::start();
    function.aws.mood(Mood::Slow(Duration::from_millis(150)));
    function.succeeds(&function.request("Create", &mirror()));
}

#[test]
fn request_without_region_or_credentials_gets_a_response() {
    let binary = crate::function::binary();
    let function = Setup::of(&binary)
        .with("AWS_REGION", "")
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "")
        .start();
    let reason = function.fails(&function.request("Create", &mirror()));
    expect!["reading the tags of user mirror: the request could not be made (iam ListUserTags). Check the region, the credentials, AWS_ENDPOINT_URL if it is set, and the function's network path to AWS - CFG-205"].assert_eq(&reason);
}
