//! The delay between two reads, and how often an error is retried.

use std::time::Duration;

use crate::clients::aws::CallError;

const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A poll finds the end of an operation half of this later on average. So the response follows
/// within two seconds, after at most one poll in three seconds.
const MAX_PAUSE: Duration = Duration::from_secs(3);

/// The same while AWS throttles the polls. Each pause is then as long as the poll before, so that
/// many requests at once leave each other's first and last polls the rate.
const MAX_THROTTLED_PAUSE: Duration = Duration::from_secs(10);

/// A poll that took longer was throttled. The SDK repeated it.
const THROTTLED_POLL: Duration = Duration::from_secs(1);

/// Retries of a call whose outcome is unknown. The SDK has retried each before: eight times, or for
/// ten minutes if it was throttled.
const MAX_UNANSWERED: u32 = 5;

/// Reads in the same state after which a rejection counts, in about twelve seconds: CloudFormation
/// may describe a stack late. (IAM's delays are in `aws::propagation`.)
const MAX_REJECTIONS: u32 = 8;

/// Polls without a change of the state if no operation is known to run: about a minute.
const MAX_POLLS: u32 = 25;

/// Counts polls and errors since the observed state `K` changed last.
#[derive(Debug)]
pub struct Backoff<K> {
    polls: u32,
    unanswered: u32,
    rejections: u32,
    /// How long the latest poll took, if it was throttled. Otherwise zero.
    throttled: Duration,
    state: Option<K>,
}

impl<K: PartialEq> Backoff<K> {
    /// A backoff that has counted nothing.
    pub fn new() -> Self {
        Backoff {
            polls: 0,
            unanswered: 0,
            rejections: 0,
            throttled: Duration::ZERO,
            state: None,
        }
    }

    /// Starts again if the state has changed. `None` if the observed thing does not exist.
    pub fn observe(&mut self, state: Option<K>) {
        self.unanswered = 0;
        if state != self.state {
            self.polls = 0;
            self.rejections = 0;
            self.state = state;
        }
    }

    /// Notes how long the latest poll took.
    pub fn polled(&mut self, took: Duration) {
        let is_throttled = took > THROTTLED_POLL;
        self.throttled = if is_throttled { took } else { Duration::ZERO };
    }

    /// Waits, longer each time while the state stays the same.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }

    /// The time to wait now. It counts as waited.
    pub fn next_pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.mul_f64(1.5_f64.powi(self.polls.min(20).try_into().unwrap_or(20)));
        self.polls += 1;
        let jitter = 0.75 + fastrand::f64() / 2.0;
        let pause = if self.throttled.is_zero() {
            pause.min(MAX_PAUSE)
        } else {
            pause.max(self.throttled).min(MAX_THROTTLED_PAUSE)
        };
        pause.mul_f64(jitter)
    }

    /// Whether to poll again if no operation is known to run.
    pub fn may_poll(&self) -> bool {
        self.polls < MAX_POLLS
    }

    /// Waits after an error that a retry may resolve, or returns it. A throttled call is retried
    /// until the deadline.
    ///
    /// # Errors
    /// `error`, if a retry would not help.
    pub async fn retry(&mut self, error: CallError) -> Result<(), CallError> {
        if !error.is_throttled() {
            self.unanswered += 1;
            if !error.is_outcome_unknown() || self.unanswered >= MAX_UNANSWERED {
                return Err(error);
            }
        }
        tracing::warn!(%error, "retrying a call");
        self.polls = self.polls.max(4);
        self.pause().await;
        Ok(())
    }

    /// Counts a rejection of an operation.
    ///
    /// # Errors
    /// `error`, if the state has stayed the same for too many rejections.
    pub fn retry_rejection(&mut self, error: CallError) -> Result<(), CallError> {
        self.rejections += 1;
        if self.rejections >= MAX_REJECTIONS {
            return Err(error);
        }
        tracing::warn!(%error, "an operation is rejected: reading the state again");
        Ok(())
    }
}
