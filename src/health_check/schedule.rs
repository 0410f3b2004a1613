//! Which resources a health check looks at that does not look at all of them.
//!
//! A check keeps no state between two runs. So the name of a resource decides which of the checks of a
//! day or an hour looks at it. The resources are spread evenly over them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::ownership;

/// How often a stack is compared with its template.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often what is broken is repaired.
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// When a health check began, and how often it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When its first invocation began.
    pub began: SystemTime,
    /// The time until the next check. `None` if a person requested this one.
    pub interval: Option<Duration>,
}

impl Schedule {
    /// A number that is the same for all checks of an hour.
    pub fn hour(&self) -> u64 {
        let since = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_secs() / HOUR.as_secs()
    }

    /// Whether this check is the one of `period` that looks at `name`. A check that a person
    /// requested looks at everything.
    pub fn is_due(&self, name: &str, period: Duration) -> bool {
        let Some(interval) = self.interval.filter(|interval| !interval.is_zero()) else {
            return true;
        };
        let since = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let checks = (period.as_secs() / interval.as_secs()).max(1);
        let number = since.as_secs() / interval.as_secs();
        number % checks == share(name) % checks
    }
}

/// A number that depends only on `name`.
fn share(name: &str) -> u64 {
    let key = ownership::key(name);
    let digits = key.get(..8).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(minute: u64, interval: u64) -> Schedule {
        Schedule {
            began: UNIX_EPOCH + Duration::from_secs(minute * 60 + 7),
            interval: Some(Duration::from_secs(interval * 60)),
        }
    }

    #[test]
    fn each_name_is_due_once_a_day() {
        for name in ["gitops-dev-shop", "gitops-dev-blog", "cfnstack-dev-shop"] {
            let due = (0..96).filter(|n| schedule(n * 15, 15).is_due(name, DAY));
            assert_eq!(due.count(), 1, "{name}");
        }
    }

    #[test]
    fn names_are_spread_over_the_day() {
        let names: Vec<String> = (0..960).map(|n| format!("gitops-dev-p{n}")).collect();
        let busiest = (0..96).map(|n| {
            let now = schedule(n * 15, 15);
            names.iter().filter(|name| now.is_due(name, DAY)).count()
        });
        assert!(busiest.max() < Some(30));
    }

    #[test]
    fn requested_check_looks_at_everything() {
        let requested = Schedule {
            interval: None,
            ..schedule(3, 15)
        };
        assert!(requested.is_due("gitops-dev-shop", DAY));
    }
}
