//! The missing parts of an answer: a call failed, or its time was over.

use std::time::Duration;

use tokio::time::Instant;

use crate::clients::failing_calls::within;
use crate::health_check::findings::Problem;
use cfn_custom_resource::Reason;

/// The end of the reads of an answer, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit(Instant);

impl ReadLimit {
    pub fn after(time: Duration) -> Self {
        ReadLimit(Instant::now() + time)
    }

    /// The same end, or `time` from now on if that is earlier.
    pub fn at_most(self, time: Duration) -> Self {
        ReadLimit(self.0.min(Instant::now() + time))
    }

    pub fn end(self) -> Instant {
        self.0
    }

    /// The time that is left.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The result of the read of a `thing`, which the text names.
    ///
    /// # Errors
    /// If it fails, or has not ended in time.
    pub async fn read<T, E: Into<Reason>>(
        self,
        thing: String,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Reason> {
        match within(self.left(), Box::pin(work)).await {
            Ok(read) => read.map_err(Into::into),
            Err(cut) => {
                let problem = cut.and(&format!("there was no time to read {thing}"));
                Err(Reason::uncoded(problem, "Try again later"))
            }
        }
    }
}

/// The reasons for the missing parts of an answer.
#[derive(Debug, Default)]
pub struct NotRead(Vec<Reason>);

impl NotRead {
    /// The value of a read. `None` if it failed, which is noted once for each reason.
    pub fn note<T>(&mut self, read: Result<T, Reason>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(reason) => {
                if !self.0.contains(&reason) {
                    self.0.push(reason);
                }
                None
            }
        }
    }

    /// The member `NotRead`.
    pub fn shown(&self) -> Vec<Problem> {
        self.0.iter().map(Into::into).collect()
    }
}
