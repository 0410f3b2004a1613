//! The panic guard of every event, and the time limit of those that CloudFormation does not send.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use cfn_custom_resource::Worker;
use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::error::HandlerError;
use crate::clients::failing_calls::{FailingCalls, OutOfTime};

/// Reserved before the end of the time, to report that the work did not stop by itself.
const MARGIN: Duration = Duration::from_millis(500);

/// Runs `work`. `None` if it panicked. The runtime would report the panic's text to Lambda.
pub async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// Runs `work` in a task of `worker` until shortly before `time` is over: work that panics or
/// blocks its thread then ends as an error, in time. For events that CloudFormation does not wait
/// for; `cfn` has the guard for its requests.
pub async fn run_guarded<T: Send + 'static>(
    worker: &Worker,
    work: impl Future<Output = T> + Send + 'static,
    time: Duration,
) -> Result<T, HandlerError> {
    let calls = FailingCalls::default();
    let noted = calls.clone();
    let work = async move { noted.note(work).await };
    let mut task = AbortedOnDrop(worker.spawn(work.in_current_span()));
    let time = time.saturating_sub(MARGIN.min(time / 8));
    match tokio::time::timeout(time, &mut task.0).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(HandlerError::Panicked),
        Err(_) => Err(HandlerError::OutOfTime(OutOfTime::of(&calls))),
    }
}

/// A task that ends together with the future that waits for it.
struct AbortedOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortedOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
