use std::cell::Cell;

use super::*;
use crate::Request;

/// The result of sending within `time`, and the number of attempts. Each attempt takes the time and
/// has the result of its entry in `ends`; the last entry repeats.
async fn delivered(
    time: Duration,
    ends: &[(Duration, Result<u16, SendError>)],
) -> (Result<(), SendError>, usize) {
    let clock = Clock::starting_at(SystemTime::UNIX_EPOCH);
    let request = Request::parse(r#"{"ResponseURL":"https://x/"}"#, clock.now()).expect("one");
    let attempts = Cell::new(0);
    let put = |_, _| {
        let n = attempts.get();
        attempts.set(n + 1);
        let (takes, status) = ends[n.min(ends.len() - 1)];
        async move {
            tokio::time::sleep(takes).await;
            status
        }
    };
    let until = clock.now() + time;
    let result = send_response(put, &request.response_url, "{}", until, &clock).await;
    assert!(clock.now() <= until, "delivery went on after its time");
    (result, attempts.get())
}

#[tokio::test(start_paused = true)]
async fn hanging_attempt_leaves_time_for_another() {
    let never = (Duration::from_secs(86_400), Ok(200));
    let at_once = (Duration::ZERO, Ok(200));
    for seconds in [2, 4, 10, 20, 60, 800] {
        let time = Duration::from_secs(seconds);
        let (result, attempts) = delivered(time, &[never, at_once]).await;
        assert_eq!((result, attempts), (Ok(()), 2), "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_at_a_slow_bucket_time_out() {
    let slow = (Duration::from_secs(150), Ok(200));
    for seconds in [4, 60, 800] {
        let time = Duration::from_secs(seconds);
        let (result, attempts) = delivered(time, &[slow]).await;
        assert_eq!(result, Err(SendError::Unreachable));
        assert!(attempts > 2, "{attempts} attempts in {seconds} s");
    }
    // One that takes seconds is waited for.
    let slow = (Duration::from_secs(9), Ok(200));
    let (result, attempts) = delivered(Duration::from_secs(60), &[slow]).await;
    assert_eq!((result, attempts), (Ok(()), 1));
}

#[tokio::test(start_paused = true)]
async fn status_that_may_pass_is_tried_again_and_no_other() {
    let at_once = (Duration::ZERO, Ok(200));
    for (status, expected) in [
        (408, (Ok(()), 2)),
        (429, (Ok(()), 2)),
        (500, (Ok(()), 2)),
        (403, (Err(SendError::Rejected(403)), 1)),
    ] {
        let first = (Duration::ZERO, Ok(status));
        let found = delivered(Duration::from_secs(60), &[first, at_once]).await;
        assert_eq!(found, expected, "status {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn last_attempt_is_shortly_before_the_deadline() {
    for seed in 0..20 {
        fastrand::seed(seed);
        for seconds in [1, 2, 8, 20, 60, 800] {
            let began = tokio::time::Instant::now();
            let time = Duration::from_secs(seconds);
            let refused = (Duration::ZERO, Err(SendError::Unreachable));
            let (result, attempts) = delivered(time, &[refused]).await;
            assert_eq!(result, Err(SendError::Unreachable));
            assert!(attempts < 200, "{attempts} attempts in {seconds} s");
            let unused = time.saturating_sub(began.elapsed());
            assert!(unused <= MIN_ATTEMPT_TIMEOUT, "{unused:?} of {seconds} s");
        }
    }
}
