//! One limit of time for several reads.

use std::time::Duration;

use tokio::time::Instant;

use crate::clients::failing_calls::within;
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

    /// Half of the time that is left, so that a read that hangs leaves time for others.
    pub fn half(self) -> Self {
        self.at_most(self.left() / 2)
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
