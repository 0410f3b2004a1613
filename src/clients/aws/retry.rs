//! Limits how long a call is retried: for minutes if AWS throttles it, for a minute after another
//! transient error, and as long as [`propagation`] allows after a denial.

use std::time::Duration;

use aws_sdk_iam::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_sdk_iam::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use super::error_codes::{error_of, is_quota, is_throttling};
use super::propagation;

/// The most attempts that fail without throttling or denial.
pub const MAX_ATTEMPTS: u32 = 8;

/// An error is not retried later than this after the start of the call, or after the last
/// throttling.
const ERROR_RETRY_WINDOW: Duration = Duration::from_secs(60);

/// Nothing is retried later than this after the start of the call, so that the throttling is
/// reported as the reason while there is time to act on it.
const THROTTLE_RETRY_WINDOW: Duration = Duration::from_mins(10);

/// Retries throttled calls for longer than the SDK would. If a call's own configuration disables
/// retries, they stay disabled.
#[derive(Debug)]
pub struct ThrottleRetryInterceptor;

/// The attempts at one call so far.
#[derive(Clone, Debug)]
struct RetryState {
    started: Instant,
    /// When AWS last throttled or denied the call; at first, its start.
    last_rejection: Instant,
    /// The attempts that AWS throttled or denied: it did nothing.
    rejections: u32,
    /// The caller's configuration; `None` before the first attempt.
    configured: Option<RetryConfig>,
}

impl Storable for RetryState {
    type Storer = StoreReplace<Self>;
}

impl Intercept for ThrottleRetryInterceptor {
    fn name(&self) -> &'static str {
        "ThrottleRetryInterceptor"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = Instant::now();
        cfg.interceptor_state().store_put(RetryState {
            started: now,
            last_rejection: now,
            rejections: 0,
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
        let (Some(state), Some(retries)) = (cfg.load::<RetryState>(), cfg.load::<RetryConfig>())
        else {
            return Ok(());
        };
        let (mut state, now) = (state.clone(), Instant::now());
        let configured = state
            .configured
            .get_or_insert_with(|| retries.clone())
            .clone();
        let is_denied = context
            .response()
            .is_some_and(propagation::may_be_propagating);
        let retries = match propagation::time_left() {
            // AWS did nothing, so a retry is safe even if the call's configuration disables
            // retries.
            Some(left) if is_denied => {
                state.last_rejection = now;
                state.rejections += 1;
                configured
                    .with_max_attempts(state.rejections + MAX_ATTEMPTS)
                    .with_initial_backoff(propagation::INITIAL_BACKOFF)
                    .with_max_backoff(propagation::MAX_BACKOFF.min(left))
            }
            _ if configured.max_attempts() <= 1 => configured,
            _ => {
                if context.response().is_some_and(is_throttled) {
                    state.last_rejection = now;
                    state.rejections += 1;
                }
                let is_over = now - state.started > THROTTLE_RETRY_WINDOW
                    || now - state.last_rejection > ERROR_RETRY_WINDOW;
                let attempts = if is_over {
                    1
                } else {
                    state.rejections + MAX_ATTEMPTS
                };
                configured.with_max_attempts(attempts)
            }
        };
        cfg.interceptor_state().store_put(state);
        cfg.interceptor_state().store_put(retries);
        Ok(())
    }
}

/// Whether AWS did nothing because of throttling.
pub(super) fn is_throttled(response: &HttpResponse) -> bool {
    error_of(response).is_some_and(|(code, _)| is_throttling(&code))
}

/// Fails a call at once if a quota is reached. The SDK would repeat it as if it were throttled.
#[derive(Debug)]
pub struct QuotaRetryClassifier;

impl ClassifyRetry for QuotaRetryClassifier {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(error_of) {
            Some((code, _)) if is_quota(&code) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "QuotaRetryClassifier"
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
