//! The first resource of a health check, and its daily and hourly work.
//!
//! A check keeps no state between two runs. If one check does not reach all resources, consecutive
//! checks do, because each begins with another one. The name of a resource assigns its daily or
//! hourly work to one of the checks. The resources are spread evenly over them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::ownership;

/// How often a stack is compared with its template.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often review branches are looked up.
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// How much later than its schedule EventBridge starts a check.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>
const MAX_DELAY: Duration = Duration::from_secs(60);

/// 2^64, divided by the golden ratio. Its multiples modulo 2^64 are spread evenly, however many
/// they are: `k` consecutive ones leave no gap of twice the `k`th part (*three-gap theorem*).
const GOLDEN_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// When a health check began, and how often it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it began.
    pub began: SystemTime,
    /// The time until the next check. `None` if a person requested this one.
    pub interval: Option<Duration>,
}

impl Schedule {
    /// A number that is the same for all checks of an hour.
    pub fn hour(&self) -> u64 {
        self.number_of(HOUR)
    }

    /// The time of this check in an invocation that has `time`. A check ends when the next one
    /// begins: two at once would double the rate of the calls.
    pub fn time_within(&self, time: Duration) -> Duration {
        self.interval.map_or(time, |interval| interval.min(time))
    }

    /// How many intervals of this length passed until the check began.
    fn number_of(&self, interval: Duration) -> u64 {
        self.since_1970().as_secs() / interval.as_secs().max(1)
    }

    fn since_1970(&self) -> Duration {
        self.began.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Whether this check is the one of `period` that looks at `name`. A check that a person
    /// requested looks at everything. Within a day, two checks may be the one: if this one was
    /// delayed into the next interval, no check was in its own.
    pub fn is_due(&self, name: &str, period: Duration) -> bool {
        self.interval.is_none_or(|interval| {
            let (checks, number) = (checks_of(period, interval), self.number_of(interval));
            let is_due = |number: u64| number % checks == share(name) % checks;
            let in_interval = self.since_1970().as_secs() % interval.as_secs().max(1);
            let may_be_delayed = period >= DAY && in_interval < MAX_DELAY.as_secs();
            is_due(number) || (may_be_delayed && is_due(number.saturating_sub(1)))
        })
    }

    /// Makes `items` begin with another one at each check. A check that a person requested begins
    /// with the first one.
    ///
    /// The start does not depend on how many items a check reaches. With steps of a fixed length,
    /// an item could lie behind the end of each check, or before the start of each that looks at it
    /// once a day.
    pub fn rotate<T>(&self, items: &mut [T]) {
        let number = self.interval.map_or(0, |it| self.number_of(it));
        let turn = u128::from(number.wrapping_mul(GOLDEN_STEP));
        let first = (turn * items.len() as u128) >> 64;
        items.rotate_left(usize::try_from(first).unwrap_or_default());
    }

    /// Whether the checks of an hour reach each of `all` items, if each check reaches as many as
    /// this one, which left out `left`. No other check follows one that a person requested.
    pub fn is_covered(&self, left: usize, all: usize) -> bool {
        let checks = self.interval.map_or(1, |it| checks_of(HOUR, it));
        let checks = usize::try_from(checks).unwrap_or(usize::MAX);
        left == 0 || (all - left).saturating_mul(checks) >= 2 * all
    }
}

/// How many checks a `period` has.
fn checks_of(period: Duration, interval: Duration) -> u64 {
    (period.as_secs() / interval.as_secs().max(1)).max(1)
}

pub fn days(time: Duration) -> f64 {
    time.as_secs_f64() / DAY.as_secs_f64()
}

/// A number that depends only on `name`.
fn share(name: &str) -> u64 {
    let key = ownership::key(name);
    let digits = key.get(..8).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
