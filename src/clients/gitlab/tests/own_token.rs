//! The expiry of the token.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, TOKEN, described, gitlab, ok};
use crate::clients::gitlab::{GitLabError, Mirror};

const REQUEST: &str = "GET /personal_access_tokens/self";

async fn read(reply: Reply) -> Result<Option<SystemTime>, GitLabError> {
    let script = Script::default().then(REQUEST, reply);
    let details = gitlab(&script).token_details().await;
    // One request: no project explains a rejection.
    script.sent();
    details.map(|details| details.expires_at)
}

#[tokio::test(start_paused = true)]
async fn token_without_a_readable_date_has_no_expiry() {
    for expires_at in [
        Value::Null,
        json!(""),
        json!(7),
        json!("never"),
        json!("2026-13-40"),
        json!("2026-12-05T10:00:00Z"),
    ] {
        let body = json!({"id": 42, "expires_at": expires_at});
        assert_eq!(read(ok(body.clone())).await, Ok(None), "{body}");
    }
    assert_eq!(read(ok(json!({"id": 42}))).await, Ok(None));
    // An answer without an ID is not about a token.
    let error = read(ok(json!({"message": "ok"}))).await.expect_err("unproved");
    assert!(error.reason().to_string().contains("CFG-403"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn rejected_expiry_request_names_status_and_message() {
    for status in [401, 403, 404] {
        let body = json!({"error": "no", "error_description": format!("not for {TOKEN}")});
        let error = read(Reply::json(status, body)).await.expect_err("an error");
        let text = error.to_string();
        let doing =
            "reading the scopes and the expiry of the token at https://gitlab.example.com: HTTP";
        assert!(text.starts_with(&format!("{doing} {status}: ")), "{text}");
        assert!(!text.contains(TOKEN), "{text}");
    }
}

/// A mirror with these times of the latest push, in seconds.
fn pushed(enabled: bool, started: Option<u64>, succeeded: Option<u64>) -> Mirror {
    let time = |seconds: Option<u64>| seconds.map(|at| format!("1970-01-01T00:{at:02}:00Z"));
    let described = json!({
        "id": 7, "enabled": enabled, "last_update_started_at": time(started),
        "last_successful_update_at": time(succeeded),
    });
    Mirror::parse(&described).expect("a mirror")
}

#[test]
fn lag_is_the_age_of_a_push_that_has_not_succeeded() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let now = SystemTime::UNIX_EPOCH + minutes(50);
    for (enabled, started, succeeded, lag) in [
        (true, None, None, None),
        (true, Some(10), None, Some(40)),
        (true, Some(10), Some(9), Some(40)),
        (true, Some(10), Some(10), Some(0)),
        (true, Some(10), Some(12), Some(0)),
        // GitLab's clock is ahead.
        (true, Some(55), Some(9), Some(0)),
        (false, Some(10), Some(9), None),
    ] {
        let mirror = pushed(enabled, started, succeeded);
        assert_eq!(mirror.lag(now), lag.map(minutes), "{mirror:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn token_without_listed_scopes_has_none() {
    for body in [json!({"id": 42, "scopes": []}), json!({"id": 42})] {
        let script = Script::default().then(REQUEST, ok(body));
        let details = gitlab(&script).token_details().await.expect("a response");
        assert!(details.scopes.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn age_of_a_push_is_measured_by_gitlabs_clock() {
    let own = SystemTime::UNIX_EPOCH + Duration::from_hours(20);
    for (date, started, expected) in [
        (Some("Thu, 01 Jan 1970 20:00:00 GMT"), "19:55:00", 5),
        (Some("Thu, 01 Jan 1970 17:00:00 GMT"), "16:55:00", 5),
        (Some("Thu, 01 Jan 1970 23:00:00 GMT"), "22:55:00", 5),
        // A proxy removed the header, or broke it.
        (None, "19:55:00", 5),
        (Some("yesterday"), "19:50:00", 10),
    ] {
        let mut body = described(7);
        body["enabled"] = json!(true);
        body["last_update_started_at"] = json!(format!("1970-01-01T{started}.000Z"));
        let reply = match date {
            Some(date) => ok(body).with("date", date),
            None => ok(body),
        };
        let script = Script::default().then(&format!("GET {MIRRORS}/7"), reply);
        let gitlab = gitlab(&script);
        let mirror = gitlab.mirror(INFRA, 7).await.expect("a response");
        let lag = mirror.expect("a mirror").lag(gitlab.now(own));
        assert_eq!(lag, Some(Duration::from_mins(expected)), "{date:?}");
    }
}
