//! Repeats an attempt after pauses.

use std::time::Duration;

use tokio::time::Instant;

/// An attempt's result, and whether another attempt may have a better one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// The result.
    Final(T),
    /// The result if this was the last attempt. The next one follows after this duration or later.
    MayPass(T, Duration),
}

/// Pauses from `first` on, of which each is twice as long as the one before, up to `longest`.
pub fn doubling(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(first), move |pause| Some((*pause * 2).min(longest)))
}

/// Repeats `attempt` until its result is final, the `pauses` are used up, or `until` is reached.
/// The last pause is shortened, so that the last attempt is made at that time.
///
/// Each pause is half to one and a half of the given one, at random. Otherwise callers that were
/// throttled together would come back together.
pub async fn retry<T, F: Future<Output = Attempt<T>>>(
    pauses: impl IntoIterator<Item = Duration>,
    until: Option<Instant>,
    mut attempt: impl FnMut() -> F,
) -> T {
    let mut pauses = pauses.into_iter();
    loop {
        let (result, shortest) = match attempt().await {
            Attempt::Final(result) => return result,
            Attempt::MayPass(result, shortest) => (result, shortest),
        };
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        let left = until.map_or(Duration::MAX, left);
        let Some(pause) = pauses.next().filter(|_| !left.is_zero()) else {
            return result;
        };
        let jittered = pause.mul_f64(0.5 + fastrand::f64());
        tokio::time::sleep(jittered.max(shortest).min(left)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The times of the attempts, of which `count` is the most, in seconds since the first one.
    /// Each fails.
    async fn times(count: usize, until: Option<Instant>, shortest: Duration) -> Vec<f64> {
        let began = Instant::now();
        let mut times = vec![];
        let attempt = || {
            times.push(began.elapsed().as_secs_f64());
            async { Attempt::MayPass((), shortest) }
        };
        let pauses = doubling(SECOND, 4 * SECOND).take(count - 1);
        retry(pauses, until, attempt).await;
        times
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_with_jitter_up_to_their_end() {
        for seed in 0..20 {
            fastrand::seed(seed);
            let times = times(5, None, Duration::ZERO).await;
            assert_eq!(times.len(), 5);
            for (pair, backoff) in times.windows(2).zip([1.0, 2.0, 4.0, 4.0]) {
                let part = (pair[1] - pair[0]) / backoff;
                assert!((0.499..1.502).contains(&part), "{times:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn last_attempt_is_at_the_given_time() {
        for seed in 0..20 {
            fastrand::seed(seed);
            let until = Some(Instant::now() + 10 * SECOND);
            let times = times(100, until, Duration::ZERO).await;
            let last = times.last().expect("an attempt");
            assert!((last - 10.0).abs() < 0.01, "{times:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pause_is_never_shorter_than_demanded() {
        let times = times(2, None, 30 * SECOND).await;
        assert!((times[1] - 30.0).abs() < 0.01, "{times:?}");
    }
}
