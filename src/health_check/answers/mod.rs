//! The answers of the function that only reads: `docs/schemas/answer-….json` has their members.
//!
//! The operator's command prints them, and concludes nothing itself. They change nothing, write no
//! metrics, and contain no secret, no parameter's value and no line of a log. The rows of AWS come
//! first, and what GitLab takes is limited: a GitLab that does not respond delays nothing else.

mod deployments;
mod doctor;
mod failure;
mod gitlab_reads;
mod members;
mod mirrors;
mod not_read;
mod projects;
mod question;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

pub use self::deployments::AskedDeployments;
pub use self::question::{AskedAbout, Question};

use super::checker::Checker;

/// The version of the answers' members. The operator's command reads no other.
const FORMAT: u32 = 1;

impl<'a> Checker<'a> {
    /// Answers a question about the environment as far as `time` allows.
    pub fn answer(self, topic: &'a AskedAbout, time: Duration) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            let mut answer = match topic {
                AskedAbout::Doctor => Box::pin(self.diagnose(time)).await,
                AskedAbout::Projects(only) => Box::pin(self.projects(only.as_ref(), time)).await,
                AskedAbout::Deployments(asked) => Box::pin(self.deployments(asked, time)).await,
            };
            answer["Format"] = json!(FORMAT);
            answer["EnvID"] = json!(self.environment.id);
            answer
        })
    }
}
