//! The order of the results, the cursor, and the times at which a part stops.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;

fn part(is_last: bool) -> TimeLimits {
    let part = Part {
        schedule: Part::whole(Duration::ZERO).schedule,
        progress: CheckProgress::default(),
        time: Duration::from_secs(100),
        is_last,
    };
    part.limits()
}

/// Checks items that each take so many seconds. Returns whether all were checked, and the names in
/// the order of the reports.
async fn checked(seconds: &[u64], limits: &TimeLimits) -> (bool, Vec<String>) {
    let names: Vec<String> = (0..seconds.len()).map(|n| format!("{n:03}")).collect();
    let items = names.iter().map(String::as_str);
    let items = items.zip(seconds.iter().copied()).collect();
    let check = |_, seconds| -> Checking<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_secs(seconds)))
    };
    let mut reported = vec![];
    let report = |name: &str, ()| reported.push(name.to_owned());
    let is_done = check_each(items, limits, check, report).await;
    (is_done, reported)
}

#[tokio::test(start_paused = true)]
async fn results_are_reported_in_the_order_of_the_names() {
    let (is_done, reported) = checked(&[5, 1, 4, 2, 3], &part(false)).await;
    assert!(is_done);
    assert_eq!(reported, ["000", "001", "002", "003", "004"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_to_check_is_done() {
    assert_eq!(checked(&[], &part(false)).await, (true, vec![]));
}

#[tokio::test(start_paused = true)]
async fn slow_item_delays_only_its_report() {
    let mut seconds = vec![1; 40];
    seconds[0] = 20;
    let began = Instant::now();
    let (is_done, reported) = checked(&seconds, &part(false)).await;
    assert!(is_done && reported.len() == 40);
    assert_eq!(began.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded() {
    let (running, most) = (AtomicUsize::new(0), Cell::new(0));
    let names: Vec<String> = (0..30).map(|n| format!("{n:03}")).collect();
    let items = names.iter().map(|name| (name.as_str(), ())).collect();
    let running = &running;
    let check = |_, ()| -> Checking<'_, usize> {
        Box::pin(async move {
            let now = running.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            now
        })
    };
    let report = |_: &str, now| most.set(most.get().max(now));
    assert!(check_each(items, &part(false), check, report).await);
    assert_eq!(most.get(), MAX_CONCURRENT);
}

#[tokio::test(start_paused = true)]
async fn last_reported_name_is_a_cursor_if_the_time_is_over() {
    // The third item outlives the part. All others end before.
    let mut seconds = vec![1; 10];
    seconds[2] = 1000;
    let (is_done, reported) = checked(&seconds, &part(false)).await;
    assert!(!is_done);
    assert_eq!(reported, ["000", "001"]);
    let (is_done, reported) = checked(&seconds, &part(true)).await;
    assert!(!is_done);
    assert_eq!(reported.len(), 9, "nothing follows, so all results count");
}

#[tokio::test(start_paused = true)]
async fn no_item_starts_late() {
    let began = Instant::now();
    // Eight at a time, 20 seconds each, until 75 seconds have passed.
    let (is_done, reported) = checked(&[20; 100], &part(false)).await;
    assert!(!is_done);
    assert_eq!(reported.len(), 8 * 4);
    assert_eq!(began.elapsed(), Duration::from_secs(80));
}

#[test]
fn cursor_continues_behind_its_name() {
    let all = ["a", "b", "d"].map(ToOwned::to_owned);
    for (after, rest) in [
        (None, &["a", "b", "d"][..]),
        (Some("a"), &["b", "d"]),
        // It was deleted meanwhile.
        (Some("c"), &["d"]),
        (Some("d"), &[]),
    ] {
        let cursor = Cursor {
            after: after.map(ToOwned::to_owned),
            is_done: false,
        };
        let left = cursor.rest(all.iter().map(|name| (name, ())));
        let names: Vec<&str> = left.into_iter().map(|(name, ())| name).collect();
        assert_eq!(names, rest, "{after:?}");
    }
}

#[test]
fn progress_is_written_and_read() {
    let progress = CheckProgress {
        credentials: Cursor {
            after: Some("codecommit-mirror/a".to_owned()),
            is_done: false,
        },
        pipelines: Cursor {
            after: None,
            is_done: true,
        },
        totals: Totals {
            mirrors: 3,
            failed: 1,
            ..Totals::default()
        },
        ..CheckProgress::default()
    };
    let written = json!(progress);
    assert_eq!(written["Credentials"]["After"], "codecommit-mirror/a");
    assert_eq!(written["Totals"]["Mirrors"], 3);
    let read = CheckProgress::deserialize(&written).expect("what was written");
    assert_eq!(read, progress);
    let empty = CheckProgress::deserialize(&json!({})).expect("defaults");
    assert_eq!(empty, CheckProgress::default());
}
