//! Checks resources of one kind, some at the same time, within the time of a health check.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

/// The most resources of one kind that are checked at the same time.
/// [`Pace`](crate::common::pace::Pace) limits the calls to AWS and GitLab. This limits the memory
/// while a service is slow.
const MAX_CONCURRENT: usize = 8;

/// How many pipelines a second are checked, with one `ListPipelineExecutions` and one
/// `GetPipelineState` each. AWS documents no rate of these. A loop over 160 pipelines without a
/// pause was throttled:
/// <https://github.com/aws-ia/terraform-aws-control_tower_account_factory/issues/351>.
pub const PIPELINES_PER_SECOND: u32 = 5;

/// How long after the first look at a branch the second one follows. An event arrives within
/// seconds, and CodePipeline lists the execution that it starts as soon.
pub const SECOND_LOOK_DELAY: Duration = Duration::from_secs(60);

/// The least time for a second look and a start.
const MIN_START_TIME: Duration = Duration::from_secs(10);

/// The times at which a health check stops.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// No check starts later.
    pub last_start: Instant,
    /// A check that has not ended by then is dropped.
    pub checks_end: Instant,
    /// The end of the health check. The time before it is for the reports to GitLab.
    pub end: Instant,
}

impl TimeLimits {
    /// The limits of a health check that begins now and has `time`.
    pub fn of(time: Duration) -> Self {
        let now = Instant::now();
        TimeLimits {
            last_start: now + time.mul_f64(0.93),
            checks_end: now + time.mul_f64(0.97),
            end: now + time,
        }
    }

    /// The end of work that has to leave time for other work: missed pushes, and reports.
    pub fn half_of_the_rest(&self) -> Instant {
        let now = Instant::now();
        now + self.end.saturating_duration_since(now) / 2
    }

    /// When the last first look at a branch may begin: it leaves time for the second one.
    pub fn last_look(&self) -> Instant {
        let second_look = SECOND_LOOK_DELAY + MIN_START_TIME;
        let last = self.end.checked_sub(second_look);
        last.unwrap_or_else(Instant::now)
    }

    /// The same with all checks until `end`.
    pub fn until(&self, end: Instant) -> Self {
        TimeLimits {
            last_start: end,
            checks_end: end,
            ..*self
        }
    }
}

/// A check that has started. A box with a named type: the compiler cannot show that a closure's
/// future is `Send` for every lifetime.
pub type Checking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Checks `items`, some at the same time, and then passes the results to `report` in the order of
/// the items. Returns how many were not checked in time.
pub async fn check_each<'a, V: 'a, T: Send + 'a>(
    items: Vec<(&'a str, V)>,
    limits: &TimeLimits,
    check: impl Fn(&'a str, V) -> Checking<'a, T>,
    mut report: impl FnMut(&'a str, T),
) -> usize {
    let all = items.len();
    let mut items = items.into_iter().enumerate();
    let mut running = FuturesUnordered::<Checking<'_, _>>::new();
    let mut results = BTreeMap::new();
    loop {
        while running.len() < MAX_CONCURRENT && Instant::now() < limits.last_start {
            let Some((index, (name, item))) = items.next() else {
                break;
            };
            let checking = check(name, item);
            running.push(Box::pin(async move { (index, (name, checking.await)) }));
        }
        match timeout_at(limits.checks_end, running.next()).await {
            Ok(Some((index, result))) => results.insert(index, result),
            Ok(None) | Err(_) => break,
        };
    }
    let left = all - results.len();
    for (name, result) in results.into_values() {
        report(name, result);
    }
    left
}

#[cfg(test)]
#[path = "concurrent_tests.rs"]
mod tests;
