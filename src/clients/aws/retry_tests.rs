use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use tokio::time::Instant;

use crate::clients::aws::{SdkClients, propagation};
use crate::clients::http::Http;

const BUSY: (u16, &str) = (400, "Throttling");
const ILL: (u16, &str) = (500, "InternalFailure");
const DENIED: (u16, &str) = (403, "AccessDenied");

#[derive(Debug)]
struct Answers {
    /// In turn; the last of them for ever.
    next: Vec<(u16, &'static str)>,
    given: u32,
}

/// Answers with errors.
#[derive(Clone, Debug)]
struct Script(Arc<Mutex<Answers>>);

impl HttpConnector for Script {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut script = self.0.lock().expect("no panic under this lock");
        script.given += 1;
        let (status, code) = match script.next.len() {
            1 => script.next[0],
            _ => script.next.remove(0),
        };
        let (code, message) = code.split_once(' ').unwrap_or((code, "m"));
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

/// The attempts at one call, and how long they took.
async fn attempts(answers: &[(u16, &'static str)], is_repeated: bool) -> (u32, Duration) {
    // The SDK's backoff is random: with another one, a minute may end before the last attempt.
    fastrand::seed(1);
    let script = Script(Arc::new(Mutex::new(Answers {
        next: answers.to_vec(),
        given: 0,
    })));
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-real-key", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let http = Http::new(SharedHttpConnector::new(script.clone()));
    let aws = SdkClients::new(&config, &http);
    let began = Instant::now();
    let mut call = aws.iam.list_user_tags().user_name("u").customize();
    if !is_repeated {
        let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
        call = call.config_override(once);
    }
    let sent = call.send().await;
    sent.expect_err("the script knows errors alone");
    let attempts = script.0.lock().expect("no panic under this lock").given;
    (attempts, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn failing_call_is_attempted_eight_times() {
    let (attempts, took) = attempts(&[ILL], true).await;
    assert_eq!(attempts, 8);
    assert!(took < Duration::from_mins(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn throttled_call_is_retried_for_minutes() {
    let mut answers = [BUSY; 21].to_vec();
    answers[20] = DENIED;
    assert_eq!(attempts(&answers, true).await.0, 21);
}

#[tokio::test(start_paused = true)]
async fn throttled_attempts_do_not_count_as_errors() {
    assert_eq!(attempts(&[BUSY, ILL], true).await.0, 9);
}

#[tokio::test(start_paused = true)]
async fn throttled_call_fails_after_ten_minutes() {
    let (_, took) = attempts(&[BUSY], true).await;
    let ten = Duration::from_mins(10);
    assert!(
        took > ten && took < ten + Duration::from_mins(1),
        "{took:?}"
    );
}

const MINUTE: Duration = Duration::from_secs(60);
const NO_POLICY: (u16, &str) = (
    403,
    "AccessDenied not authorized because no identity-based policy allows the action",
);

#[tokio::test(start_paused = true)]
async fn unrepeatable_call_is_retried_after_denials_only() {
    let answers = [NO_POLICY, NO_POLICY, ILL];
    let work = propagation::retrying_denials(MINUTE, attempts(&answers, false));
    assert_eq!(work.await.0, 3);
    let work = propagation::retrying_denials(MINUTE, attempts(&answers, true));
    assert_eq!(work.await.0, 10);
}

#[tokio::test(start_paused = true)]
async fn disabled_retries_stay_disabled() {
    assert_eq!(attempts(&[BUSY], false).await.0, 1);
}

/// The SDK counts the first one as throttling.
#[tokio::test(start_paused = true)]
async fn quota_is_not_repeated_and_throttling_is() {
    for quota in [
        "LimitExceededException",
        "LimitExceeded",
        "AccountLimitExceededException",
        "ResourceLimitExceeded",
        "NumberOfRuleTemplatesExceededException",
    ] {
        assert_eq!(attempts(&[(400, quota)], true).await.0, 1, "{quota}");
    }
    for busy in ["RequestLimitExceeded", "PriorRequestNotComplete"] {
        assert!(attempts(&[(400, busy)], true).await.0 > 8, "{busy}");
    }
}
