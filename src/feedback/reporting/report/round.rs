//! The requests of a round: which are repeated, and what GitLab accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::facts::Facts;
use crate::clients::gitlab::{GitLabError, RetryTime, Sent};
use crate::feedback::reporting::outcome::{ReportError, Reported};
use crate::feedback::reporting::plan::Topic;
use cfn_custom_resource::Progress;

/// Maximum requests of a part that GitLab does not confirm, or rejects for another delivery's.
pub const MAX_RETRIES: u32 = 4;

/// The pause after such a request.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// A round of the report.
pub(super) struct Round<'a> {
    pub facts: Arc<Facts<'a>>,
    /// The parts about which GitLab accepted a request since the execution was read.
    pub posted: BTreeSet<Topic>,
    /// The repeated requests of each part.
    retries: BTreeMap<Topic, u32>,
    pub reported: Reported,
    progress: Progress,
}

impl<'a> Round<'a> {
    pub fn new(facts: Arc<Facts<'a>>) -> Self {
        Round {
            facts,
            posted: BTreeSet::new(),
            retries: BTreeMap::new(),
            reported: Reported::default(),
            // The caller enforces the deadline.
            progress: Progress::new(SystemTime::UNIX_EPOCH),
        }
    }

    /// Sends a `request` about a part of the report, which returns whether it has changed GitLab's
    /// records. Returns whether to read the records again, and to send the requests that are still
    /// missing. One that GitLab accepted must not be repeated: GitLab may show its effect late.
    pub async fn send(
        &mut self,
        topic: Topic,
        request: impl Future<Output = Result<bool, GitLabError>>,
    ) -> bool {
        let (part, commit) = (topic.name(), &self.facts.context.commit.sha);
        self.progress.doing(format!("posting the {part} of commit {commit} to GitLab"));
        let retries = self.retries.entry(topic).or_default();
        match request.await {
            Ok(has_changed) => {
                self.posted.insert(topic);
                self.reported.accepted += usize::from(has_changed);
            }
            // One more attempt: a request without a response may take a minute.
            Err(error)
                if error.retry != RetryTime::Never
                    && *retries < MAX_RETRIES
                    && (*retries == 0 || error.sent != Sent::Unknown) =>
            {
                *retries += 1;
                return true;
            }
            Err(error) => {
                // GitLab does not change, for example, an open status that another user's status
                // has replaced.
                let is_final = error.retry != RetryTime::Later;
                let error = ReportError {
                    is_final,
                    ..error.into()
                };
                self.reported.settle::<()>(topic, Err(error));
            }
        }
        false
    }

    /// Whether this part of the report has not failed. Without a connection to GitLab, each would
    /// fail.
    pub fn is_open(&self, topic: Topic) -> bool {
        !self.reported.failed.contains_key(&topic) && !self.reported.is_unreachable()
    }
}
