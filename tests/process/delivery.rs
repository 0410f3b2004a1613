//! The answer's way to the bucket.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::bucket;
use crate::function::{Function, Setup};
use crate::http::{ClosedPort, Reply, silence};

/// A request that is answered without any call of AWS.
fn quick(function: &Function) -> Value {
    function.request("Create", &json!({"Typo": "x"}))
}

/// S3's replies, and the number of attempts.
#[test]
fn response_is_sent_until_s3_accepts_or_rejects_it() {
    let status = Reply::status;
    let late = Reply::Late(Duration::from_secs(2), Box::new(status(200)));
    let errors = [status(500), status(503), status(429), Reply::Reset];
    let rows = [
        (errors.to_vec(), 5),
        (vec![Reply::CutOff, Reply::CutOff], 3),
        (vec![Reply::Hang], 2),
        (vec![late], 1),
        (vec![status(400)], 1),
        (vec![status(403)], 1),
        (vec![status(404)], 1),
    ];
    let function = Function::start();
    for (replies, expected) in rows {
        // An attempt that hangs ends after half of this time.
        let time = match replies[0] {
            Reply::Hang => function.seconds(4),
            _ => Duration::from_mins(1),
        };
        function.bucket.next(replies.clone());
        let invocation = function.invoke(&quick(&function), time);
        let result = invocation.result();
        assert_eq!(result["Status"], "FAILED");
        // The bucket has no more replies of this row, and accepts the last attempt.
        let is_accepted = expected > replies.len();
        let accepted = function.bucket.accepted();
        assert_eq!(accepted == [result], is_accepted, "{replies:?}");
        let attempts = function.bucket.attempts();
        assert_eq!(attempts.len(), expected, "{replies:?}");
        let (first, _) = &attempts[0];
        let mut puts = attempts.iter().map(|(put, _)| put);
        assert!(puts.all(|put| put.method == "PUT" && put.body == first.body));
    }
}

#[test]
fn unreachable_bucket_makes_lambda_redeliver() {
    let function = Function::start();
    let time = function.seconds(3);
    function.bucket.always(Some(Reply::status(503)));
    let event = quick(&function);
    let (ended, took) = function.invoke(&event, time).ended();
    let error = ended.error();
    assert!(took < time, "{took:?}");
    let message = error["errorMessage"].as_str().expect("a message");
    assert!(message.contains("could not be reached in time"), "{error}");
    assert!(function.bucket.attempts().len() > 2);
    // The redelivery, to a bucket that is well again.
    function.bucket.always(None);
    function.fails(&event);
}

#[test]
fn bucket_out_of_reach_fails_in_time() {
    let is_silent = bucket::url(silence(), SystemTime::now());
    let over_tls = is_silent.replacen("http:", "https:", 1);
    std::thread::scope(|scope| {
        for url in [is_silent, over_tls] {
            scope.spawn(move || {
                let function = Function::start();
                let mut event = quick(&function);
                event["ResponseURL"] = json!(url);
                let time = function.seconds(3);
                let (ended, took) = function.invoke(&event, time).ended();
                let error = ended.error().to_string();
                assert!(error.contains("could not be reached in time"), "{error}");
                assert!(took < time, "{took:?}");
            });
        }
    });
}

#[test]
fn response_that_cannot_be_sent_is_only_the_result() {
    let function = Function::start();
    let url = bucket::url(ClosedPort::new().address(), SystemTime::now());
    let path = url.splitn(4, '/').last().expect("a path");
    // No such name is ever registered: RFC 6761, section 6.4.
    let hosts = [
        "https://response-bucket.invalid",
        "https://10.0.0.1",
        "http://s3.amazonaws.com",
    ];
    let elsewhere = hosts.map(|host| format!("{host}/{path}"));
    // Nothing listens at this machine's address.
    for url in elsewhere.iter().chain([&url]) {
        let mut event = quick(&function);
        event["ResponseURL"] = json!(url);
        let time = Duration::from_mins(1);
        let (ended, took) = function.invoke(&event, time).ended();
        assert_eq!(ended.result()["Status"], "FAILED");
        // Without a retry until the deadline.
        assert!(took < function.seconds(4), "{url}: {took:?}");
    }
    let written = function.ended();
    let reason = "it is not an HTTPS address of Amazon S3";
    assert_eq!(written.matches(reason).count(), hosts.len(), "{written}");
}

// claim: any-other-host-is-rejected
#[test]
fn loopback_in_lambda_gets_no_response_from_aws() {
    let in_lambda = || Setup::new().with("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    let of_aws = |setup: Setup| setup.with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    for (setup, sent) in [
        (of_aws(in_lambda()), 0),
        (in_lambda(), 1),
        (of_aws(Setup::new()), 1),
    ] {
        let function = setup.start();
        let invocation = function.invoke(&quick(&function), Duration::from_mins(1));
        assert_eq!(invocation.result()["Status"], "FAILED");
        assert_eq!(function.bucket.attempts().len(), sent);
    }
}

#[test]
fn request_after_cloudformations_timeout_fails_at_once() {
    let function = Function::start();
    let mut event = function.request("Create", &json!({"UserName": "mirror"}));
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3601);
    event["ResponseURL"] = json!(bucket::url(function.bucket.server.address, an_hour_ago));
    function.fails(&event);
    assert!(function.aws.calls().is_empty());
}
