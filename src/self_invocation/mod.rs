//! One request over several invocations: the function calls itself before its time is over.
//!
//! Nothing is carried along but the event as it came and a count. The next invocation observes
//! what there is and goes on, as it would with an event that Lambda delivered twice.

use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::aws::{Aws, CallError};
use crate::cfn::ContinuationError;

/// Lambda stops a function that calls itself after about 16 times; an answer that says so comes
/// before that. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MOST_HOPS: u32 = 14;

/// Lambda throttles by the second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The event of an invocation that goes on with another's.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Continuation<'a> {
    /// How far it has come.
    pub continuation: Position,
    /// The event as it came from CloudFormation.
    #[serde(borrow)]
    pub event: &'a RawValue,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Position {
    /// How often it has been handed over; the original invocation is 0.
    pub hop: u32,
    /// When the original invocation received it, in seconds since 1970: the time of a request
    /// whose address says nothing of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
}

impl Position {
    /// When the original invocation received the request that this one received at `now`.
    pub fn received_at(&self, now: SystemTime) -> SystemTime {
        let received = self.received.map(Duration::from_secs);
        let received = received.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        // What is in the future is not when it was received.
        received.filter(|at| *at < now).unwrap_or(now)
    }
}

/// The event in `event` and how often it has been handed over, which is not at all when it is no
/// continuation.
pub fn read(event: &str) -> (&str, Position) {
    match serde_json::from_str::<Continuation<'_>>(event) {
        Ok(Continuation {
            continuation,
            event,
        }) => (event.get(), continuation),
        Err(_) => (event, Position::default()),
    }
}

/// Sends `event` to another invocation of the function `function_arn`, `within` a time.
///
/// Once for certain, so not by the SDK's own repetitions: Lambda cannot tell one from a second
/// request.
///
/// # Errors
/// When Lambda did not take it, or may not have, or the request has been handed over too often.
pub async fn hand_over(
    aws: &Aws,
    function_arn: &str,
    event: &str,
    position: Position,
    received_at: SystemTime,
    within: Duration,
) -> Result<(), ContinuationError> {
    if position.hop >= MOST_HOPS {
        let times = position.hop;
        return Err(ContinuationError::Rejected(format!(
            "it was handed over {times} times already; the function's Timeout is too short"
        )));
    }
    let refused = |what: &str| ContinuationError::Rejected(what.to_owned());
    let event =
        serde_json::from_str(event).map_err(|_| refused("the event cannot be read as JSON"))?;
    let received = received_at.duration_since(SystemTime::UNIX_EPOCH);
    let continuation = Continuation {
        continuation: Position {
            hop: position.hop + 1,
            received: received.ok().map(|since| since.as_secs()),
        },
        event,
    };
    let payload = serde_json::to_vec(&continuation)
        .map_err(|_| refused("the event cannot be written as JSON"))?;
    // A call that runs when the time is over may have been heard; none is begun so late.
    let last_call = tokio::time::Instant::now() + within / 2;
    let mut pause = FIRST_PAUSE;
    loop {
        let call = aws
            .lambda
            .invoke()
            .function_name(function_arn)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload.clone()))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        let Err(error) = call.send().await else {
            return Ok(());
        };
        let error = CallError::new("invoking this function", &error);
        if error.is_throttled() && tokio::time::Instant::now() + pause < last_call {
            tokio::time::sleep(pause).await;
            pause *= 2;
        } else if error.outcome_unknown() {
            return Err(ContinuationError::OutcomeUnknown);
        } else {
            // Not Lambda's message, which may hold a piece of the event.
            return Err(ContinuationError::Rejected(error.code.unwrap_or_default()));
        }
    }
}

#[cfg(test)]
mod tests;
