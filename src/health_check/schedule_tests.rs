//! Which checks look at which resource, and how many of them reach all.

use std::collections::BTreeSet;

use super::*;

fn schedule(minute: u64, interval: u64) -> Schedule {
    Schedule {
        began: UNIX_EPOCH + Duration::from_secs(minute * 60 + 127),
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

/// The schedule's own time is beside the boundary of two intervals.
#[test]
fn delayed_check_lets_no_name_wait_for_another_day() {
    for name in ["gitops-dev-shop", "gitops-dev-blog", "cfnstack-dev-shop"] {
        for delay in [1, 59] {
            let is_due = |n: u64| {
                let seconds = (n + 1) * 15 * 60 - 1 + (n % 2) * delay;
                let began = UNIX_EPOCH + Duration::from_secs(seconds);
                Schedule {
                    began,
                    ..schedule(0, 15)
                }
                .is_due(name, DAY)
            };
            assert!((0..96).any(is_due), "{name}");
        }
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

/// The first of 1,000 items, in the check with this number.
fn first(number: u64) -> usize {
    let mut items: Vec<usize> = (0..1000).collect();
    schedule(number * 15, 15).rotate(&mut items);
    items[0]
}

/// How many items the checks with these numbers do not reach, if each reaches as many as `reach`.
fn missed(numbers: impl Iterator<Item = u64>, reach: usize) -> usize {
    let starts = numbers.map(first);
    let reached: BTreeSet<usize> = starts
        .flat_map(|first| (first..first + reach).map(|item| item % 1000))
        .collect();
    1000 - reached.len()
}

#[test]
fn consecutive_checks_reach_all() {
    for began in (0..3000).step_by(7) {
        for checks in 2..40_u16 {
            let reach = 2000_usize.div_ceil(checks.into());
            let numbers = began..began + u64::from(checks);
            assert_eq!(missed(numbers, reach), 0, "{checks} since {began}");
        }
    }
}

#[test]
fn check_of_each_day_reaches_all_in_some_days() {
    // A step of a half would begin with the same item every day.
    let days = (0..4).map(|day| 7 + day * 96);
    assert_eq!(missed(days, 500), 0);
}

#[test]
fn requested_check_looks_at_everything_from_the_first() {
    let mut items = [1, 2, 3];
    let requested = Schedule {
        interval: None,
        ..schedule(7, 15)
    };
    requested.rotate(&mut items);
    assert_eq!(items, [1, 2, 3]);
    assert!(requested.is_due("gitops-dev-shop", DAY));
    assert!(requested.is_covered(0, 1000) && !requested.is_covered(1, 1000));
    schedule(7, 15).rotate::<u8>(&mut []);
}

#[test]
fn checks_of_an_hour_reach_all_or_not() {
    for (interval, left, is_covered) in [
        (5, 833, true),
        (5, 834, false),
        (15, 0, true),
        (15, 500, true),
        (15, 501, false),
        (30, 0, true),
        (30, 1, false),
        (60, 1, false),
    ] {
        let found = schedule(0, interval).is_covered(left, 1000);
        assert_eq!(found, is_covered, "{left} every {interval} minutes");
    }
}

#[test]
fn check_ends_when_the_next_one_begins() {
    let invocation = Duration::from_mins(15);
    for (interval, minutes) in [(5, 5), (15, 15), (60, 15)] {
        let time = schedule(0, interval).time_within(invocation);
        assert_eq!(time, Duration::from_mins(minutes));
    }
}
