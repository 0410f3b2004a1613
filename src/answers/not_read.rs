//! The missing parts of an answer.

use crate::health_check::findings::Problem;
use cfn_custom_resource::Reason;

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
