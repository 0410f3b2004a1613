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
pub struct ThrottleRetryInterceptor;

/// What has become of one call so far.
#[derive(Clone, Debug)]
struct RetryState {
    began: Instant,
    /// When AWS last said that it is busy, or the beginning.
    heard: Instant,
    /// Attempts that AWS throttled or denied: it did nothing.
    turned_down: u32,
    /// What the caller configured; `None` before the first attempt.
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
        let (Some(waited), Some(retries)) = (cfg.load::<RetryState>(), cfg.load::<RetryConfig>())
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
mod tests;
