//! The requests of a round: which are repeated, and what GitLab accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::facts::Facts;
use crate::clients::aws::CallError;
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
    posted: BTreeSet<Topic>,
    /// The execution in its present state, if that has changed since.
    newest: Option<Facts<'a>>,
    /// GitLab's pipeline that holds the statuses, if one was read or posted.
    pub pipeline_id: Option<u64>,
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
            newest: None,
            pipeline_id: None,
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

    /// Waits before the records are read again. Another delivery may have read a later state, and
    /// posted it before these requests.
    pub async fn pause(&mut self) -> Result<(), CallError> {
        sleep(RETRY_INTERVAL).await;
        self.look_for_change().await
    }

    async fn look_for_change(&mut self) -> Result<(), CallError> {
        if self.newest.is_none() {
            self.newest = self.facts.changed(&self.posted).await?;
        }
        Ok(())
    }

    /// Begins with the present state, if the execution has changed since the requests. Returns
    /// whether it has.
    pub async fn begins_again(&mut self) -> Result<bool, CallError> {
        self.look_for_change().await?;
        let Some(newest) = self.newest.take() else {
            return Ok(false);
        };
        self.facts = Arc::new(newest);
        self.posted.clear();
        Ok(true)
    }

    /// Whether requests about this part are still to be sent: not if it failed, or if the execution
    /// has changed. Without a connection to GitLab, each would fail.
    pub fn is_open(&self, topic: Topic) -> bool {
        self.newest.is_none()
            && !self.reported.failed.contains_key(&topic)
            && !self.reported.is_unreachable()
    }
}
