//! Which requests are retried, and how long.

use std::time::Duration;

use serde_json::json;

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, create, described, gitlab, ok};
use crate::clients::gitlab::ErrorKind;
use crate::clients::http::{HttpError, TlsError};

fn get(path: &str) -> String {
    format!("GET {MIRRORS}{path}")
}

/// The errors of a request that may be retried, and of the one that may not.
async fn attempts(times: usize, reply: Reply) -> [(ErrorKind, Duration); 2] {
    let script = Script::default().then_times(4, &get("/7"), &reply);
    let begun = tokio::time::Instant::now();
    let repeated = gitlab(&script).mirror(INFRA, 7).await.expect_err("fault");
    let took = begun.elapsed();
    assert_eq!(script.sent().len(), 4);
    let script = Script::default().then_times(times, &format!("POST {MIRRORS}"), &reply);
    let begun = tokio::time::Instant::now();
    let once = create(&gitlab(&script)).await.expect_err("fault");
    script.sent();
    [(repeated.kind, took), (once.kind, begun.elapsed())]
}

#[tokio::test(start_paused = true)]
async fn create_is_retried_only_if_gitlab_did_nothing() {
    let (message, page) = (
        "no message".to_owned(),
        "a page without a message".to_owned(),
    );
    let (status, nothing) = (502, Reply::Nothing);
    for (times, reply, kind) in [
        (4, nothing(HttpError::NoConnection), ErrorKind::Unreachable),
        (1, nothing(HttpError::NoResponse), ErrorKind::NoResponse),
        (1, Reply::Silence, ErrorKind::NoResponse),
        (4, Reply::empty(429), ErrorKind::Throttled { message }),
        (
            1,
            Reply::page(502),
            ErrorKind::ServerError {
                status,
                message: page,
            },
        ),
    ] {
        for (got, took) in attempts(times, reply).await {
            assert_eq!(got, kind);
            assert!(took < Duration::from_secs(70), "{kind:?} took {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn permanent_error_is_not_retried() {
    let (status, message) = (200, "Welcome".to_owned());
    let untrusted = Reply::Nothing(HttpError::Tls(TlsError::UnknownCa));
    let odd = ErrorKind::UnexpectedResponse { status };
    let large = Reply::text(200, &" ".repeat(1_000_001));
    for (reply, kind) in [
        (untrusted, ErrorKind::Tls(TlsError::UnknownCa)),
        (Reply::Nothing(HttpError::TooLarge), ErrorKind::TooLarge),
        (
            Reply::Nothing(HttpError::Unsendable),
            ErrorKind::UnusableUrl,
        ),
        (large, ErrorKind::TooLarge),
        (
            Reply::text(200, "Welcome"),
            ErrorKind::NotGitLab { status, message },
        ),
        (Reply::json(200, json!({"id": "seven"})), odd.clone()),
        (Reply::empty(200), odd),
    ] {
        let script = Script::default().then(&get("/7"), reply);
        let error = gitlab(&script).mirror(INFRA, 7).await.expect_err("fault");
        assert_eq!(error.kind, kind);
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_capped_at_30s() {
    for (wished, waited) in [("7", 7), ("30", 30), ("3600", 30), ("0", 0)] {
        let busy = Reply::empty(429).with("retry-after", wished);
        let script = Script::default().then(&get("/7"), busy).then(&get("/7"), ok(described(7)));
        gitlab(&script).mirror(INFRA, 7).await.expect("an answer");
        let sent = script.sent();
        let pause = sent[1].at - sent[0].at;
        assert_eq!(pause.as_secs(), waited, "{wished}");
    }
}
