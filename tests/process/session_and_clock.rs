//! The session that Lambda gave to the process is over, or its clock is wrong.

use std::time::{Duration, SystemTime};

use expect_test::expect;
use serde_json::{Value, json};

use crate::aws_front::Mood;
use crate::bucket::url;
use crate::function::Function;
use fake_aws::redacted;

fn mirror(serial: &str) -> Value {
    json!({"UserName": "mirror", "RepositoryNames": ["infra"], "RotationSerial": serial})
}

fn update(function: &Function, from: &str, to: &str) -> Value {
    let mut event = function.request("Update", &mirror(to));
    event["OldResourceProperties"] = mirror(from);
    event
}

#[test]
fn expired_session_fails_and_a_new_process_recovers() {
    let mut function = Function::start();
    function.succeeds(&function.request("Create", &mirror("1")));
    function.aws.mood(Mood::PastTheSession);
    let event = update(&function, "1", "2");
    let before = function.aws.calls().len();
    let reason = function.fails(&event);
    expect!["reading the tags of user mirror: ExpiredToken: The security token included in the request is expired. AWS's message is all that is known - CFG-207"].assert_eq(&redacted(&reason));
    // It is believed at once: the same process never has another session.
    let calls = function.aws.calls();
    assert!(calls.len() - before <= 5, "{} calls", calls.len() - before);
    let fake = function.aws.fake.clone();
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));

    function.aws.mood(Mood::Well);
    function.restart(&[("AWS_ACCESS_KEY_ID", "ASIAOFTHENEXTSESSION")]);
    let seen = function.aws.calls().len();
    function.succeeds(&event);
    let calls = function.aws.calls();
    let signed = calls[seen..]
        .iter()
        .filter_map(|call| call.header("authorization"))
        .filter(|header| header.starts_with("AWS4"));
    for header in signed {
        assert!(header.contains("ASIAOFTHENEXTSESSION"), "{header}");
    }
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));
    fake.assert_unbroken();
}

fn lives_where_the_clock_is_off(ahead: i64) {
    let function = Function::start();
    function.aws.mood(Mood::Ahead(ahead));
    let signed_now = |mut event: Value| {
        let off = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let there = if ahead > 0 { now + off } else { now - off };
        event["ResponseURL"] = json!(url(function.bucket.server.address, there));
        event
    };
    for event in [
        function.request("Create", &mirror("1")),
        update(&function, "1", "2"),
        function.request("Delete", &mirror("2")),
    ] {
        function.succeeds(&signed_now(event));
    }
    function.left_nothing();
}

#[test]
fn clock_ten_minutes_off_is_corrected() {
    std::thread::scope(|scope| {
        for ahead in [600, -600] {
            scope.spawn(move || lives_where_the_clock_is_off(ahead));
        }
    });
}
