//! The answers of the function that only reads. `shape` has their members.
//!
//! The operator's command prints them, and concludes nothing itself. They change nothing, write no
//! metrics, and contain no secret, no parameter's value and no line of a log. The rows of AWS come
//! first, and what GitLab takes is limited: a GitLab that does not respond delays nothing else.

mod deployments;
mod doctor;
mod failure;
mod projects;
mod question;
mod reads;
mod shape;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

pub use self::deployments::AskedDeployments;
pub use self::question::{AskedAbout, Question};

use self::shape::Answer;
use crate::health_check::Checker;

/// The version of the answers' members. The operator's command reads no other.
const FORMAT: u32 = 2;

impl<'a> Checker<'a> {
    /// Answers a question about the environment as far as `time` allows.
    pub fn answer(self, topic: &'a AskedAbout, time: Duration) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            match topic {
                AskedAbout::Doctor => self.stamped(Box::pin(self.diagnose(time)).await),
                AskedAbout::Projects(only) => {
                    self.stamped(Box::pin(self.projects(only.as_ref(), time)).await)
                }
                AskedAbout::Deployments(asked) => {
                    self.stamped(Box::pin(self.deployments(asked, time)).await)
                }
            }
        })
    }

    fn stamped<T: Serialize>(&self, rest: T) -> Value {
        serde_json::json!(Answer {
            format: FORMAT,
            env_id: self.environment.id.clone(),
            rest,
        })
    }
}
