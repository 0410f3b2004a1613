//! How long a call is repeated: one that AWS turned down because others were faster waits for its
//! turn for minutes, one that found AWS ill for a minute.

use std::time::Duration;

use aws_sdk_iam::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

/// Attempts at a call that are not turned down, and fail all the same.
pub const ATTEMPTS: u32 = 8;

/// No attempt begins later than this after the call, or after AWS last said that it is busy.
const ILL: Duration = Duration::from_secs(60);

/// No attempt begins later, whatever AWS says: time has to be left to tell CloudFormation.
const LATEST: Duration = Duration::from_mins(10);

/// How errors begin that say it, in the service's XML, JSON or header.
const BUSY: [&str; 4] = [
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "SlowDown",
];

/// Repeats what was throttled for longer than the SDK would. What its caller lets nobody repeat
/// stays so.
#[derive(Debug)]
pub struct WaitsItsTurn;

/// What has become of one call so far.
#[derive(Clone, Copy, Debug)]
struct Waited {
    began: Instant,
    /// When AWS last said that it is busy, or the beginning.
    heard: Instant,
    throttled: u32,
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
            throttled: 0,
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
        if retries.max_attempts() <= 1 {
            return Ok(());
        }
        let (mut waited, now) = (*waited, Instant::now());
        let is_throttled = is_throttled(context);
        if is_throttled {
            waited.heard = now;
            waited.throttled += 1;
        }
        let is_over = now - waited.began > LATEST || now - waited.heard > ILL;
        let attempts = if is_over {
            1
        } else {
            waited.throttled + ATTEMPTS
        };
        let retries = retries.clone().with_max_attempts(attempts);
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
