//! AWS out of reach: each way in which a network fails is a failure with a reason, in time, or is
//! waited out.

use std::time::Duration;

use crate::aws_front::{Front, one_account};
use crate::function::{Function, Setup, mirror, wait_until};
use crate::http::{AUTHORITY, ClosedPort, Reply, silence};

#[test]
fn unresolved_name_or_missing_handshake_fails_with_a_reason() {
    // No such name is ever registered: RFC 6761, section 6.4.
    for endpoint in ["http://aws.invalid", &format!("https://{}", silence())] {
        let function = Setup::new().aws_at(endpoint).start();
        let reason = function.fails_before_service_timeout(5);
        let shows_name = reason.contains("aws.invalid");
        assert!(reason.contains("mirror") && !shows_name, "{reason}");
    }
}

#[test]
fn aws_with_untrusted_certificate_receives_nothing() {
    let aws = Front::over_tls(one_account());
    let setup = Setup::new().aws_at(&format!("https://{}", aws.server.address));
    let reason = setup.clone().start().fails_before_service_timeout(5);
    let cause =
        "AWS could not be reached: the server's certificate is signed by a CA that is not trusted";
    assert!(reason.contains(cause), "{reason}");
    assert!(aws.server.connections() > 0, "it was tried");
    assert!(aws.calls().is_empty());
    // Only the CA was missing.
    let function = setup.with("SSL_CERT_FILE", AUTHORITY).start();
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
    function.succeeded(&invocation);
}

/// Eight megabytes of it are read, and the function has 128.
#[test]
fn endless_response_is_abandoned_and_the_process_survives() {
    let function = Function::start();
    function.aws.next([Reply::Endless]);
    let event = function.request("Create", &mirror());
    let reason = function.fails(&event);
    // It names the call, which is the first of several at once.
    assert!(reason.contains("AWS's response is too large ("), "{reason}");
    assert!(reason.ends_with(" - CFG-204"), "{reason}");
    let peak = function.peak_memory();
    assert!(peak < 100_000, "{peak} kB");
    function.succeeds(&event);
}

#[test]
fn broken_response_or_connection_is_retried() {
    let function = Function::start();
    let fake = &function.aws.fake;
    function.aws.next([Reply::CutOff, Reply::Reset]);
    function.succeeds(&function.request("Create", &mirror()));
    // For a moment nothing comes through, wherever the work has come to.
    for call in 1..4 {
        let event = function.request("Update", &mirror());
        let before = fake.journal().len();
        let invocation = function.invoke(&event, Duration::from_mins(1));
        wait_until("work to begin", || fake.journal().len() >= before + call);
        function.aws.server.close_connections();
        function.succeeded(&invocation);
    }
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));
    fake.assert_unbroken();
}
