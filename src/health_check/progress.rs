//! How far a health check is, and how it continues in another invocation.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::schedule::Schedule;

/// The most resources of one kind that are checked at the same time. [`Pace`](crate::common::pace::Pace) limits
/// the calls to AWS and GitLab. This limits the memory while a service is slow.
const MAX_CONCURRENT: usize = 8;

/// The share of an invocation's time in which checks start and end, if another invocation continues.
/// The rest is for the reports to GitLab and for the call that continues.
const CONTINUED_SHARES: (f64, f64, f64) = (0.75, 0.85, 0.95);

/// The same for the last invocation.
const LAST_SHARES: (f64, f64, f64) = (0.93, 0.97, 1.0);

/// What earlier invocations of a health check have done. It is part of the continuation's event, so
/// it contains names and counts, and no text of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CheckProgress {
    /// The secrets of credentials, with their mirrors.
    pub credentials: Cursor,
    /// The pipelines.
    pub pipelines: Cursor,
    /// The pipelines' stacks.
    pub stacks: Cursor,
    /// The counts of all invocations so far.
    pub totals: Totals,
}

/// Which resources of one kind were checked. They are checked in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cursor {
    /// The last name that was checked. `None` if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether all were checked, or cannot be listed.
    pub is_done: bool,
}

/// The counts of a health check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Totals {
    /// Mirrors that were checked.
    pub mirrors: usize,
    /// Credentials that were checked.
    pub credentials: usize,
    /// Pipelines that were checked.
    pub pipelines: usize,
    /// Pipelines' stacks without an owner.
    pub orphans: usize,
    /// Checks that failed.
    pub failed: usize,
}

/// The part of a health check that one invocation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What earlier invocations have done.
    pub progress: CheckProgress,
    /// The time for this part.
    pub time: Duration,
    /// Whether no other part follows: no time would be left for another part.
    pub is_last: bool,
    /// When the health check began, and how often it runs.
    pub schedule: Schedule,
}

/// The times at which a part stops.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// No check starts later.
    pub last_start: Instant,
    /// A check that has not ended by then is dropped.
    pub checks_end: Instant,
    /// The end of the part, except for the call that continues.
    pub end: Instant,
    /// Whether no other part follows.
    pub is_last: bool,
}

impl TimeLimits {
    /// The same with all checks until `end`.
    pub fn until(&self, end: Instant) -> Self {
        TimeLimits {
            last_start: end,
            checks_end: end,
            ..*self
        }
    }
}

impl CheckProgress {
    /// Whether everything was checked.
    pub fn is_done(&self) -> bool {
        self.credentials.is_done && self.pipelines.is_done && self.stacks.is_done
    }
}

impl Cursor {
    /// The elements of `all`, sorted by their names, that were not checked.
    pub fn rest<'a, V>(&self, all: impl Iterator<Item = (&'a String, V)>) -> Vec<(&'a str, V)> {
        let after = self.after.as_ref();
        let rest = all.filter(|(name, _)| after.is_none_or(|after| *name > after));
        rest.map(|(name, value)| (name.as_str(), value)).collect()
    }
}

impl Totals {
    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Totals) {
        self.mirrors += other.mirrors;
        self.credentials += other.credentials;
        self.pipelines += other.pipelines;
        self.orphans += other.orphans;
        self.failed += other.failed;
    }
}

impl Part {
    /// A health check that no other invocation continues.
    pub fn whole(time: Duration) -> Self {
        Part {
            progress: CheckProgress::default(),
            time,
            is_last: true,
            schedule: Schedule {
                began: SystemTime::UNIX_EPOCH,
                interval: None,
            },
        }
    }

    /// When this part stops, if it starts now.
    pub fn limits(&self) -> TimeLimits {
        let (last_start, checks_end, end) = if self.is_last {
            LAST_SHARES
        } else {
            CONTINUED_SHARES
        };
        let now = Instant::now();
        let at = |share| now + self.time.mul_f64(share);
        TimeLimits {
            last_start: at(last_start),
            checks_end: at(checks_end),
            end: at(end),
            is_last: self.is_last,
        }
    }
}

/// A check that has started. A box with a named type: the compiler cannot show that a closure's future
/// is `Send` for every lifetime.
pub type Checking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Checks `items`, some at the same time, and passes the results to `report` in the order of the
/// items. Returns whether all were checked in time.
///
/// A result is reported after those of all earlier items, so that the last reported name is a
/// cursor. If the time is over and another part follows, later results are dropped, and their items
/// count as unchecked.
pub async fn check_each<'a, V: 'a, T: Send + 'a>(
    items: Vec<(&'a str, V)>,
    limits: &TimeLimits,
    check: impl Fn(&'a str, V) -> Checking<'a, T>,
    mut report: impl FnMut(&'a str, T),
) -> bool {
    let mut items = items.into_iter().enumerate();
    let mut running: FuturesUnordered<Checking<'_, (usize, T)>> = FuturesUnordered::new();
    let mut results: VecDeque<(&str, Option<T>)> = VecDeque::new();
    let mut reported = 0;
    loop {
        while running.len() < MAX_CONCURRENT && Instant::now() < limits.last_start {
            let Some((index, (name, item))) = items.next() else {
                break;
            };
            results.push_back((name, None));
            let checking = check(name, item);
            running.push(Box::pin(async move { (index, checking.await) }));
        }
        match timeout_at(limits.checks_end, running.next()).await {
            Ok(Some((index, result))) => {
                if let Some((_, place)) = results.get_mut(index - reported) {
                    *place = Some(result);
                }
            }
            Ok(None) => return items.len() == 0,
            Err(_) => break,
        }
        let has_ended = |(_, result): &mut (&str, Option<T>)| result.is_some();
        while let Some((name, Some(result))) = results.pop_front_if(has_ended) {
            report(name, result);
            reported += 1;
        }
    }
    if limits.is_last {
        let ended = results.into_iter();
        for (name, result) in ended.filter_map(|(name, result)| Some((name, result?))) {
            report(name, result);
        }
    }
    false
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
