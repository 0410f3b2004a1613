//! The reads of an answer.

use crate::health_check::findings::Problem;
use crate::health_check::read_limit::ReadLimit;
use cfn_custom_resource::Reason;

/// Reads with one limit of time, and why parts of an answer are missing.
#[derive(Debug)]
pub struct Reads {
    pub limit: ReadLimit,
    failed: Vec<Reason>,
}

impl Reads {
    pub fn until(limit: ReadLimit) -> Self {
        Reads {
            limit,
            failed: vec![],
        }
    }

    /// The value of the read of a `thing`. `None` if it failed or took too long, which is noted.
    pub async fn read<T, E: Into<Reason>>(
        &mut self,
        thing: String,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let read = self.limit.read(thing, work).await;
        self.note(read)
    }

    /// The value of a read. `None` if it failed, which is noted once for each reason.
    pub fn note<T>(&mut self, read: Result<T, Reason>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(reason) => {
                if !self.failed.contains(&reason) {
                    self.failed.push(reason);
                }
                None
            }
        }
    }

    /// The member `NotRead`.
    pub fn not_read(&self) -> Vec<Problem> {
        self.failed.iter().map(Into::into).collect()
    }
}
