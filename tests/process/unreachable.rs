//! AWS out of reach: each way in which a network fails is a failure with a reason, in time, or is
//! waited out.

use std::time::Duration;

use serde_json::json;

use crate::aws_front::Front;
use crate::function::{Function, Setup, mirror, wait_until};
use crate::http::{AUTHORITY, ClosedPort, Reply, silence};

/// A Create that has so many seconds, and its reason.
fn failed_within(function: &Function, seconds: u64) -> String {
    // CloudFormation counts from the whole second in which it signs, and this machine may be busy.
    function.lambda.wait_until_asked();
    let mut properties = mirror();
    properties["ServiceTimeout"] = json!(seconds.to_string());
    let event = function.request("Create", &properties);
    let (ended, took) = function.invoke(&event, Duration::from_mins(1)).ended();
    let answer = ended.result();
    assert_eq!(function.bucket.accepted(), std::slice::from_ref(&answer));
    assert_eq!(answer["Status"], "FAILED");
    assert!(took < Duration::from_secs(seconds), "{took:?}");
    answer["Reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn unresolved_name_fails_with_a_reason() {
    // No such name is ever registered: RFC 6761, section 6.4.
    let setup = Setup::new().aws_at("http://aws.invalid");
    let reason = failed_within(&setup.start(), 5);
    assert!(reason.contains("mirror"), "{reason}");
    assert!(!reason.contains("aws.invalid"), "{reason}");
}

#[test]
fn missing_tls_handshake_fails_with_a_reason() {
    let setup = Setup::new().aws_at(&format!("https://{}", silence()));
    let reason = failed_within(&setup.start(), 5);
    assert!(reason.contains("mirror"), "{reason}");
}

#[test]
fn aws_with_untrusted_certificate_receives_nothing() {
    let function = Setup::new().over_tls().start();
    let reason = failed_within(&function, 5);
    let cause = "AWS's certificate is not trusted";
    assert!(reason.contains(cause), "{reason}");
    assert!(function.aws.server.connections() > 0, "it was tried");
    assert!(function.aws.calls().is_empty());
    // Only the CA was missing.
    let trusting = Setup::new().over_tls().with("SSL_CERT_FILE", AUTHORITY);
    let function = trusting.start();
    function.succeeds(&function.request("Create", &mirror()));
}

#[test]
fn aws_that_becomes_reachable_is_awaited() {
    let port = ClosedPort::new();
    let endpoint = format!("http://{}", port.address());
    let mut function = Setup::new().aws_at(&endpoint).start();
    let event = function.request("Create", &mirror());
    let invocation = function.invoke(&event, Duration::from_mins(1));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!invocation.has_ended(), "AWS is not there");
    function.aws = Front::start_at(port);
    let answer = invocation.result();
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(function.bucket.accepted(), [answer]);
}

#[test]
fn response_that_breaks_off_is_requested_again() {
    let function = Function::start();
    function.aws.next([Reply::CutOff, Reply::Reset]);
    function.succeeds(&function.request("Create", &mirror()));
    function.aws.fake.assert_unbroken();
}

/// Eight megabytes of it are read, and the function has 128.
#[test]
fn endless_response_is_abandoned_and_the_process_survives() {
    let function = Function::start();
    function.aws.next([Reply::Endless]);
    let event = function.request("Create", &mirror());
    let reason = function.fails(&event);
    assert!(
        reason.ends_with("AWS's response is too large - CFG-204"),
        "{reason}"
    );
    assert!(
        function.peak_memory() < 100_000,
        "{} kB",
        function.peak_memory()
    );
    function.succeeds(&event);
}

#[test]
fn connection_broken_during_the_work_is_retried() {
    let function = Function::start();
    let fake = &function.aws.fake;
    // For a moment nothing comes through, wherever the work has come to.
    for call in 1..4 {
        let event = function.request("Update", &mirror());
        let before = fake.journal().len();
        let invocation = function.invoke(&event, Duration::from_mins(1));
        wait_until("work to begin", || fake.journal().len() >= before + call);
        function.aws.server.close_connections();
        let answer = invocation.result();
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    }
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));
    fake.assert_unbroken();
}
