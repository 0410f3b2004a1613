//! The answer's way to the bucket.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::bucket::{self, long_ago};
use crate::function::{Function, Setup};
use crate::http::{ClosedPort, Reply, silence};

/// A request that is answered without any call of AWS.
fn quick(function: &Function) -> Value {
    function.request("Create", &json!({"Typo": "x"}))
}

#[test]
fn failed_response_is_retried_until_it_is_accepted() {
    let function = Function::start();
    function.bucket.next([
        Reply::status(500),
        Reply::status(503),
        Reply::status(429),
        Reply::Reset,
    ]);
    function.fails(&quick(&function));
    let attempts = function.bucket.attempts();
    assert_eq!(attempts.len(), 5);
    assert!(
        attempts
            .iter()
            .all(|(put, _)| put.method == "PUT" && put.body == attempts[0].0.body),
        "every attempt is the same"
    );
}

#[test]
fn hanging_bucket_leaves_time_for_a_second_attempt() {
    let function = Function::start();
    function.bucket.next([Reply::Hang]);
    let event = quick(&function);
    let result = function.invoke(&event, Duration::from_secs(4)).result();
    assert_eq!(function.bucket.accepted(), [result]);
    assert_eq!(function.bucket.attempts().len(), 2);
}

#[test]
fn rejected_response_is_not_sent_again() {
    let function = Function::start();
    for status in [400, 403, 404] {
        function.bucket.next([Reply::status(status)]);
        let event = quick(&function);
        let result = function.invoke(&event, Duration::from_secs(5)).result();
        assert_eq!(result["Status"], "FAILED");
        assert_eq!(function.bucket.attempts().len(), 1, "{status}");
    }
    assert_eq!(function.bucket.accepted(), Vec::<Value>::new());
}

#[test]
fn unreachable_bucket_makes_lambda_redeliver() {
    let function = Function::start();
    let time = Duration::from_secs(3);
    function.bucket.always(Some(Reply::status(503)));
    let event = quick(&function);
    let (ended, took) = function.invoke(&event, time).ended();
    let error = ended.error();
    assert!(took < time, "{took:?}");
    assert!(
        error["errorMessage"]
            .as_str()
            .is_some_and(|text| text.contains("could not be reached in time")),
        "{error}"
    );
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
                let time = Duration::from_secs(3);
                let (ended, took) = function.invoke(&event, time).ended();
                let error = ended.error().to_string();
                assert!(error.contains("could not be reached in time"), "{error}");
                assert!(took < time, "{took:?}");
            });
        }
    });
}

#[test]
fn result_is_the_response_if_nothing_listens_here() {
    let function = Function::start();
    let mut event = quick(&function);
    event["ResponseURL"] = json!(bucket::url(ClosedPort::new().address(), SystemTime::now()));
    let (ended, took) = function.invoke(&event, Duration::from_mins(1)).ended();
    assert_eq!(ended.result()["Status"], "FAILED");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn response_to_a_host_that_is_not_s3_is_not_sent() {
    let function = Function::start();
    let url = function.bucket.url();
    let (_, path) = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .expect("a path");
    // No such name is ever registered: RFC 6761, section 6.4.
    for host in [
        "https://response-bucket.invalid",
        "https://10.0.0.1",
        "http://s3.amazonaws.com",
    ] {
        let mut event = quick(&function);
        event["ResponseURL"] = json!(format!("{host}/{path}"));
        let (ended, took) = function.invoke(&event, Duration::from_mins(1)).ended();
        assert_eq!(ended.result()["Status"], "FAILED");
        assert!(took < Duration::from_secs(4), "{host}: {took:?}");
    }
    let written = function.ended();
    assert_eq!(
        written
            .matches("it is not an HTTPS address of Amazon S3")
            .count(),
        3,
        "{written}"
    );
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
        let (ended, _) = function
            .invoke(&quick(&function), Duration::from_mins(1))
            .ended();
        assert_eq!(ended.result()["Status"], "FAILED");
        assert_eq!(function.bucket.attempts().len(), sent);
    }
}

#[test]
fn bucket_response_that_breaks_off_is_retried() {
    let function = Function::start();
    function.bucket.next([Reply::CutOff, Reply::CutOff]);
    function.fails(&quick(&function));
    assert_eq!(function.bucket.attempts().len(), 3);
}

#[test]
fn slow_bucket_is_awaited() {
    let function = Function::start();
    let late = Reply::Late(Duration::from_secs(2), Box::new(Reply::status(200)));
    function.bucket.next([late]);
    let event = quick(&function);
    let result = function.invoke(&event, Duration::from_mins(1)).result();
    assert_eq!(result["Status"], "FAILED");
    assert_eq!(function.bucket.attempts().len(), 1);
}

#[test]
fn create_with_expired_url_sends_and_creates_nothing() {
    let function = Function::start();
    let mut event = function.request("Create", &json!({"UserName": "mirror"}));
    event["ResponseURL"] = json!(function.bucket.url_signed(long_ago()));
    let (_, took) = function.invoke(&event, Duration::from_mins(1)).ended();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(function.bucket.attempts().is_empty());
    assert!(function.aws.calls().is_empty());
}

#[test]
fn request_whose_url_expired_before_its_timeout_changes_nothing() {
    let function = Function::start();
    let a_minute_ago = SystemTime::now() - Duration::from_secs(61);
    let url = function.bucket.url_signed(a_minute_ago);
    let url = url.replace("X-Amz-Expires=7200", "X-Amz-Expires=60");
    let properties = json!({"UserName": "mirror"});
    for kind in ["Create", "Update"] {
        let mut event = function.request(kind, &properties);
        event["ResponseURL"] = json!(url);
        let (ended, took) = function.invoke(&event, Duration::from_mins(1)).ended();
        let answer = ended.result();
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert!(function.bucket.attempts().is_empty());
    assert!(function.aws.calls().is_empty());
    function.left_nothing();
}

#[test]
fn delete_whose_url_expired_still_deletes() {
    let function = Function::start();
    let properties = json!({"UserName": "mirror"});
    function.succeeds(&function.request("Create", &properties));
    function.bucket.attempts();
    let mut event = function.request("Delete", &properties);
    // Signed after the Create, and good for no time at all.
    let url = function.bucket.url();
    event["ResponseURL"] = json!(url.replace("X-Amz-Expires=7200", "X-Amz-Expires=0"));
    let (ended, _) = function.invoke(&event, Duration::from_mins(1)).ended();
    assert_eq!(ended.result()["Status"], "SUCCESS");
    assert!(function.bucket.attempts().is_empty());
    function.left_nothing();
}

#[test]
fn request_after_cloudformations_timeout_fails_at_once() {
    let function = Function::start();
    let mut event = function.request("Create", &json!({"UserName": "mirror"}));
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3601);
    event["ResponseURL"] = json!(function.bucket.url_signed(an_hour_ago));
    function.fails(&event);
    assert!(function.aws.calls().is_empty());
}
