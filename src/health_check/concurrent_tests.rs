//! The order of the results, and the times at which a check stops.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn limits() -> TimeLimits {
    TimeLimits::of(Duration::from_secs(100))
}

/// Checks items that each take so many seconds. Returns how many were left, and the names in the
/// order of the reports.
async fn checked(seconds: &[u64]) -> (usize, Vec<String>) {
    let names: Vec<String> = (0..seconds.len()).map(|n| format!("{n:03}")).collect();
    let items = names.iter().map(String::as_str).zip(seconds.iter().copied()).collect();
    let check = |_, seconds| -> Checking<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_secs(seconds)))
    };
    let mut reported = vec![];
    let report = |name: &str, ()| reported.push(name.to_owned());
    let left = check_each(items, &limits(), check, report).await;
    (left, reported)
}

#[tokio::test(start_paused = true)]
async fn results_are_reported_in_the_order_of_the_names() {
    let (left, reported) = checked(&[5, 1, 4, 2, 3]).await;
    assert_eq!(left, 0);
    assert_eq!(reported, ["000", "001", "002", "003", "004"]);
}

#[tokio::test(start_paused = true)]
async fn slow_item_delays_only_its_report() {
    let mut seconds = vec![1; 40];
    seconds[0] = 20;
    let began = Instant::now();
    let (left, reported) = checked(&seconds).await;
    assert_eq!((left, reported.len()), (0, 40));
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
    assert_eq!(check_each(items, &limits(), check, report).await, 0);
    assert_eq!(most.get(), MAX_CONCURRENT);
}

#[tokio::test(start_paused = true)]
async fn item_that_does_not_end_in_time_is_left() {
    let mut seconds = vec![1; 10];
    seconds[2] = 1000;
    let (left, reported) = checked(&seconds).await;
    assert_eq!((left, reported.len()), (1, 9));
}

#[tokio::test(start_paused = true)]
async fn no_item_starts_late() {
    let began = Instant::now();
    // Eight at a time, 19 seconds each, until 93 seconds have passed.
    let (left, reported) = checked(&[19; 100]).await;
    assert_eq!((left, reported.len()), (100 - 8 * 5, 8 * 5));
    assert_eq!(began.elapsed(), Duration::from_secs(95));
}
