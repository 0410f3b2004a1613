//! The outcome of an event.

use serde_json::{Value, json};

use cfn_custom_resource::Status;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// CloudFormation has this response, or no delivery of the event can send it.
    Responded { status: Status, body: Value },
    /// Another invocation continues the request. It is the self-invocation of this number.
    Continued { hop: u32 },
    /// The event ended with this summary.
    Done(Value),
}

impl EventOutcome {
    /// The end of an event that needs nothing.
    pub fn ignored(because: &str) -> Self {
        EventOutcome::Done(json!({"Ignored": because}))
    }

    /// The status in the log.
    pub fn status(&self) -> &'static str {
        match self {
            EventOutcome::Responded { status, .. } => status.name(),
            EventOutcome::Continued { .. } => "CONTINUED",
            EventOutcome::Done(_) => Status::Success.name(),
        }
    }
}

/// The result that Lambda returns.
impl From<EventOutcome> for Value {
    fn from(outcome: EventOutcome) -> Self {
        match outcome {
            EventOutcome::Responded { body, .. } => body,
            EventOutcome::Continued { hop } => json!({"Continuation": {"Hop": hop}}),
            EventOutcome::Done(summary) => summary,
        }
    }
}
