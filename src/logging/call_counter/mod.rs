//! How many calls of AWS an invocation has made, for its last line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static COUNTED: Calls;
}

/// What has been counted so far. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    made: AtomicU64,
    retried: AtomicU64,
}

impl Calls {
    /// Does `work`, counting the calls that it makes. A task that it starts counts for itself.
    pub async fn count<F: Future>(&self, work: F) -> F::Output {
        COUNTED.scope(self.clone(), work).await
    }

    /// Every attempt, be it the first or a later one.
    pub fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// The attempts that repeated an earlier one.
    pub fn retried(&self) -> u64 {
        self.0.retried.load(Ordering::Relaxed)
    }
}

/// Counts one attempt, whose header `amz-sdk-request` is `attempt=2; max=8`, say.
pub fn attempted(header: Option<&str>) {
    // What nobody counts is left uncounted.
    let _ = COUNTED.try_with(|calls| {
        calls.0.made.fetch_add(1, Ordering::Relaxed);
        if header.is_some_and(|header| !header.starts_with("attempt=1;")) {
            calls.0.retried.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[cfg(test)]
mod tests;
