//! Counts the AWS calls of an invocation, for the last line of its log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static COUNTER: CallCounter;
}

/// The number of calls so far. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct CallCounter {
    made: Arc<AtomicU64>,
    retried: Arc<AtomicU64>,
}

impl CallCounter {
    /// Runs `work` and counts its calls. A task that it spawns does not inherit the counter.
    pub async fn count<F: Future>(&self, work: F) -> F::Output {
        COUNTER.scope(self.clone(), work).await
    }

    /// All attempts.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The attempts that were retries.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }
}

/// Counts one attempt with the header `amz-sdk-request`, such as `attempt=2; max=8`.
pub fn count_attempt(header: Option<&str>) {
    // Outside of `count` there is no counter.
    let _ = COUNTER.try_with(|calls| {
        calls.made.fetch_add(1, Ordering::Relaxed);
        if header.is_some_and(|header| !header.starts_with("attempt=1;")) {
            calls.retried.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::common::logging::call_counter::*;

    #[tokio::test]
    async fn attempts_are_counted_by_their_own_counter() {
        let (one, other) = (CallCounter::default(), CallCounter::default());
        let work = |header: &'static str| async move {
            count_attempt(Some(header));
            tokio::task::yield_now().await;
            count_attempt(Some("attempt=1; max=8"));
        };
        tokio::join!(
            one.count(work("attempt=1; max=8")),
            other.count(work("attempt=12; max=20"))
        );
        count_attempt(None);
        assert_eq!((one.made(), one.retried()), (2, 0));
        assert_eq!((other.made(), other.retried()), (2, 1));
    }
}
