//! How long a call is repeated: one that AWS turned down because others were faster waits for its
//! turn for minutes, one that found AWS ill for a minute, and one that AWS denied as long as
//! [`propagation`] says.

use std::time::Duration;

use aws_sdk_iam::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use super::call_error::BUSY;
use super::propagation;

/// Attempts at a call that are not turned down, and fail all the same.
pub const ATTEMPTS: u32 = 8;

/// Nothing is tried again that failed later than this after the call, or after AWS last said that it
/// is busy.
const ILL: Duration = Duration::from_secs(60);

/// Nor later than this, whatever AWS says: who is that busy is told of as the reason, while there is
/// time to act on it.
const LATEST: Duration = Duration::from_mins(10);

/// Repeats what was throttled for longer than the SDK would. What its caller lets nobody repeat
/// stays so.
#[derive(Debug)]
pub struct WaitsItsTurn;

/// What has become of one call so far.
#[derive(Clone, Debug)]
struct Waited {
    began: Instant,
    /// When AWS last said that it is busy, or the beginning.
    heard: Instant,
    /// Attempts that AWS throttled or denied: it did nothing.
    turned_down: u32,
    /// What the caller configured; `None` before the first attempt.
    configured: Option<RetryConfig>,
}

impl Storable for Waited {
    type Storer = StoreReplace<Self>;
}

impl Intercept for WaitsItsTurn {
    fn name(&self) -> &'static str {
        "WaitsItsTurn"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = Instant::now();
        cfg.interceptor_state().store_put(Waited {
            began: now,
            heard: now,
            turned_down: 0,
            configured: None,
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(waited), Some(retries)) = (cfg.load::<Waited>(), cfg.load::<RetryConfig>())
        else {
            return Ok(());
        };
        let (mut waited, now) = (waited.clone(), Instant::now());
        let configured = waited
            .configured
            .get_or_insert_with(|| retries.clone())
            .clone();
        let is_denied = context
            .response()
            .is_some_and(propagation::may_be_propagating);
        let retries = match propagation::time_left() {
            // Safe for every call, so also for one that its caller lets nobody repeat.
            Some(left) if is_denied => {
                waited.heard = now;
                waited.turned_down += 1;
                configured
                    .with_max_attempts(waited.turned_down + ATTEMPTS)
                    .with_initial_backoff(propagation::INITIAL_BACKOFF)
                    .with_max_backoff(propagation::MAX_BACKOFF.min(left))
            }
            _ if configured.max_attempts() <= 1 => configured,
            _ => {
                if is_throttled(context) {
                    waited.heard = now;
                    waited.turned_down += 1;
                }
                let is_over = now - waited.began > LATEST || now - waited.heard > ILL;
                let attempts = if is_over {
                    1
                } else {
                    waited.turned_down + ATTEMPTS
                };
                configured.with_max_attempts(attempts)
            }
        };
        cfg.interceptor_state().store_put(waited);
        cfg.interceptor_state().store_put(retries);
        Ok(())
    }
}

fn is_throttled(context: &FinalizerInterceptorContextRef<'_>) -> bool {
    let Some(answer) = context.response() else {
        return false;
    };
    if answer.status().is_success() {
        return false;
    }
    let header = answer.headers().get("x-amzn-errortype").unwrap_or_default();
    let body = answer.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    BUSY.iter()
        .any(|name| header.contains(name) || body.contains(name))
}

#[cfg(test)]
mod tests {
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

    use crate::aws::{Aws, propagation};
    use crate::http::Http;

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
        let aws = Aws::new(
            &config,
            &Http::new(SharedHttpConnector::new(script.clone())),
        );
        let began = Instant::now();
        let call = aws.iam.list_user_tags().user_name("u").customize();
        let call = if is_repeated {
            call
        } else {
            let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
            call.config_override(once)
        };
        call.send()
            .await
            .expect_err("the script knows errors alone");
        let attempts = script.0.lock().expect("no panic under this lock").given;
        (attempts, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_finds_aws_ill_is_tried_eight_times() {
        let (attempts, took) = attempts(&[ILL], true).await;
        assert_eq!(attempts, 8);
        assert!(took < Duration::from_mins(2), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_throttled_waits_for_its_turn() {
        let mut answers = [BUSY; 21].to_vec();
        answers[20] = DENIED;
        assert_eq!(attempts(&answers, true).await.0, 21);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_throttled_is_not_held_against_a_call_that_finds_aws_ill_then() {
        assert_eq!(attempts(&[BUSY, ILL], true).await.0, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn after_ten_minutes_it_is_told_that_aws_is_busy() {
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
    async fn denied_call_is_retried_until_its_time_is_over() {
        for is_repeated in [true, false] {
            let call = attempts(&[NO_POLICY], is_repeated);
            let (attempts, took) = propagation::retrying_denials(MINUTE, call).await;
            assert!((10..80).contains(&attempts), "{attempts}");
            assert!(took <= MINUTE + Duration::from_millis(10), "{took:?}");
            assert!(took > MINUTE / 2, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn denied_call_without_time_is_not_retried() {
        assert_eq!(attempts(&[NO_POLICY], true).await.0, 1);
        let work = propagation::retrying_denials(Duration::ZERO, attempts(&[NO_POLICY], true));
        assert_eq!(work.await.0, 1);
        let inner = propagation::without_retrying_denials(attempts(&[NO_POLICY], true));
        assert_eq!(propagation::retrying_denials(MINUTE, inner).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn explicit_denial_is_not_retried() {
        let denied = [(
            403,
            "AccessDenied with an explicit deny in an identity-based policy",
        )];
        let work = propagation::retrying_denials(MINUTE, attempts(&denied, true));
        assert_eq!(work.await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn unrepeatable_call_is_retried_after_denials_only() {
        let answers = [NO_POLICY, NO_POLICY, ILL];
        let work = propagation::retrying_denials(MINUTE, attempts(&answers, false));
        assert_eq!(work.await.0, 3);
        let work = propagation::retrying_denials(MINUTE, attempts(&answers, true));
        assert_eq!(work.await.0, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_be_repeated_is_not() {
        assert_eq!(attempts(&[BUSY], false).await.0, 1);
    }
}
