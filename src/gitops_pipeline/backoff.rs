//! How long to wait between two looks, and how often to bear it when AWS says no.

use std::time::Duration;

use super::observe::ChildStack;
use crate::aws::CallError;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Calls that stay without an answer are tried again this often; each has been tried
/// by the SDK before: eight times, or for ten minutes when it was throttled.
const MAX_UNANSWERED: u32 = 5;

/// The same refusal in the same state is believed after so many looks, which take about twelve
/// seconds: CloudFormation describes a stack late. (IAM's delays are `aws::propagation`'s.)
const MAX_REFUSALS: u32 = 8;

/// What changes nothing for so many looks is not waited for where nobody promised a change: about
/// a minute.
const MAX_LOOKS: u32 = 14;

/// What has been borne so far.
#[derive(Debug, Default)]
pub struct Backoff {
    looks: u32,
    unanswered: u32,
    refusals: u32,
    state: Option<State>,
}

/// What changes when a stack's operation goes on.
type State = (String, String, Option<String>);

impl Backoff {
    /// Something was seen: when it is new, whatever was borne is forgotten.
    pub fn observe(&mut self, child: Option<&ChildStack>) {
        self.unanswered = 0;
        let state = child.map(|child| {
            let token = child.latest_token.clone();
            (child.id.clone(), child.status.clone(), token)
        });
        if state != self.state {
            self.looks = 0;
            self.refusals = 0;
            self.state = state;
        }
    }

    /// Waits, a little longer each time while nothing changes.
    pub async fn pause(&mut self) {
        let pause = FIRST_PAUSE.mul_f64(1.5_f64.powi(self.looks.min(20).try_into().unwrap_or(20)));
        self.looks += 1;
        let jittered = pause.min(MAX_PAUSE).mul_f64(0.75 + fastrand::f64() / 2.0);
        tokio::time::sleep(jittered).await;
    }

    /// Whether something that nobody promised is worth another look.
    pub fn may_poll(&self) -> bool {
        self.looks < MAX_LOOKS
    }

    /// Whether most of the looks are over, in number: a few seconds.
    pub fn is_past_half(&self) -> bool {
        self.looks >= MAX_LOOKS / 2
    }

    /// Waits after an error that may pass, or gives it back. A throttled request waits for its turn
    /// as long as there is time.
    pub async fn retry(&mut self, error: CallError) -> Result<(), CallError> {
        if !error.is_throttled() {
            self.unanswered += 1;
            if !error.outcome_unknown() || self.unanswered >= MAX_UNANSWERED {
                return Err(error);
            }
        }
        tracing::warn!(%error, "trying again");
        self.looks = self.looks.max(4);
        self.pause().await;
        Ok(())
    }

    /// Waits after an error that may pass, however often, or gives it back: for an answer without
    /// which nothing can be said.
    pub async fn retry_until_answered(&mut self, error: CallError) -> Result<(), CallError> {
        if !error.is_transient() {
            return Err(error);
        }
        tracing::warn!(%error, "asking again");
        self.pause().await;
        Ok(())
    }

    /// Bears that CloudFormation refused an operation, or gives the refusal back when nothing has
    /// changed for a while.
    pub fn retry_refusal(
        &mut self,
        child: Option<&ChildStack>,
        error: CallError,
    ) -> Result<(), CallError> {
        self.observe(child);
        self.refusals += 1;
        if self.refusals >= MAX_REFUSALS {
            return Err(error);
        }
        tracing::warn!(%error, "looking again");
        Ok(())
    }
}
