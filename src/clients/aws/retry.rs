//! Limits how long a call is retried: for minutes if AWS throttles it, for a minute after another
//! transient error, and as long as [`propagation`] allows after a denial. Each attempt is noted.

use std::time::Duration;

use aws_sdk_iam::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_sdk_iam::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use super::error_codes::{error_of, is_quota, is_throttled};
use super::{noted_attempts, propagation};

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
pub struct AttemptInterceptor;

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

impl Intercept for AttemptInterceptor {
    fn name(&self) -> &'static str {
        "AttemptInterceptor"
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

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        noted_attempts::began(cfg);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        noted_attempts::ended(context.response(), cfg);
        let (Some(state), Some(retries)) = (cfg.load::<RetryState>(), cfg.load::<RetryConfig>())
        else {
            return Ok(());
        };
        let (mut state, now) = (state.clone(), Instant::now());
        let configured = state.configured.get_or_insert_with(|| retries.clone()).clone();
        let denial_time = context.response().and_then(propagation::time_left);
        if denial_time.is_some() || context.response().is_some_and(is_throttled) {
            state.last_rejection = now;
            state.rejections += 1;
        }
        let is_over = now - state.started > THROTTLE_RETRY_WINDOW
            || now - state.last_rejection > ERROR_RETRY_WINDOW;
        let attempts = state.rejections + MAX_ATTEMPTS;
        let retries = match denial_time {
            // AWS did nothing, so a retry is safe even if the call's configuration disables
            // retries.
            Some(left) => configured
                .with_max_attempts(attempts)
                .with_initial_backoff(propagation::INITIAL_BACKOFF)
                .with_max_backoff(propagation::MAX_BACKOFF.min(left)),
            None if configured.max_attempts() <= 1 => configured,
            None => configured.with_max_attempts(if is_over { 1 } else { attempts }),
        };
        cfg.interceptor_state().store_put(state);
        cfg.interceptor_state().store_put(retries);
        Ok(())
    }
}

/// Fails a call at once if a quota is reached, which the SDK would repeat as if it were throttled.
/// Repeats a denial that may pass, within the time of [`propagation`].
#[derive(Debug)]
pub struct AttemptClassifier;

impl ClassifyRetry for AttemptClassifier {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            return RetryAction::NoActionIndicated;
        };
        match error_of(response) {
            Some((code, _)) if is_quota(&code) => RetryAction::RetryForbidden,
            Some(_) if propagation::time_left(response).is_some() => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "AttemptClassifier"
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
