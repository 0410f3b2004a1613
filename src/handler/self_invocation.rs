//! Continues a request in another invocation: the function invokes itself before its time is over.
//!
//! The next invocation receives only the original event and a count. It observes the existing
//! resources and continues, as it would with an event that Lambda delivered twice.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clients::aws::{Aws, required};
use cfn_custom_resource::{Attempt, ContinuationError, doubling, retry};

/// Lambda stops a function that has invoked itself about 16 times. The request fails with a reason
/// before that. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MAX_HOPS: u32 = 14;

/// Lambda throttles by the second.
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);

/// The event of an invocation that continues another's request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Continuation<'a> {
    /// How many invocations have worked on the request.
    pub continuation: Position,
    /// The event as CloudFormation sent it.
    #[serde(borrow)]
    pub event: &'a RawValue,
}

/// How many invocations have worked on a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Position {
    /// The number of self-invocations. 0 in the original invocation.
    pub hop: u32,
    /// When the original invocation received the request, in seconds since 1970. It is the time of
    /// a request whose `ResponseURL` has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// The calls that failed in the invocation before, by operation: the reason names them if the
    /// time ends before they are answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failing: BTreeMap<String, String>,
}

impl Position {
    /// When the original invocation received the request that this one received at `now`.
    pub fn received_at(&self, now: SystemTime) -> SystemTime {
        let received = self.received.map(Duration::from_secs);
        let received = received.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        // A time in the future cannot be the time of receipt.
        received.filter(|at| *at < now).unwrap_or(now)
    }
}

/// The event within `event` and its position. An event that is not a continuation is returned as it
/// is, with position 0.
pub fn parse(event: &str) -> (&str, Position) {
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
/// The SDK's retries are off: Lambda cannot distinguish a retry from a second request, and would
/// run both.
///
/// # Errors
/// If Lambda rejected the event, if that is unknown, or if the request has been continued too
/// often.
pub async fn continue_request(
    aws: &Aws,
    function_arn: &str,
    event: &str,
    position: Position,
    received_at: SystemTime,
    within: Duration,
) -> Result<(), ContinuationError> {
    if position.hop >= MAX_HOPS {
        return Err(ContinuationError::TooOften(position.hop));
    }
    let rejected = |what: &str| ContinuationError::Rejected(what.to_owned());
    let event =
        serde_json::from_str(event).map_err(|_| rejected("the event cannot be read as JSON"))?;
    let received = received_at.duration_since(SystemTime::UNIX_EPOCH);
    let continuation = Continuation {
        continuation: Position {
            hop: position.hop + 1,
            received: received.ok().map(|since| since.as_secs()),
            failing: position.failing,
        },
        event,
    };
    let payload = serde_json::to_vec(&continuation)
        .map_err(|_| rejected("the event cannot be written as JSON"))?;
    // A call that is running at the end of the time has an unknown outcome, so none starts late.
    let last_call = Some(tokio::time::Instant::now() + within / 2);
    let attempt = async || {
        let call = aws
            .lambda
            .invoke()
            .function_name(function_arn)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload.clone()))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        let sent = required(call.send().await, || "invoking this function".to_owned());
        match sent.map(drop) {
            Err(error) if error.is_throttled() => Attempt::MayPass(Err(error), Duration::ZERO),
            sent => Attempt::Final(sent),
        }
    };
    let sent = retry(doubling(INITIAL_BACKOFF, within), last_call, attempt).await;
    sent.map_err(|error| {
        if error.is_outcome_unknown() {
            ContinuationError::OutcomeUnknown
        } else {
            // Lambda's message is left out, because it may contain a part of the event.
            ContinuationError::Rejected(error.code.unwrap_or_default())
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::handler::self_invocation::*;

    #[test]
    fn other_event_has_position_0() {
        for event in ["{}", "7", r#"{"Continuation":{"Hop":1}}"#, "", "[[["] {
            assert_eq!(parse(event), (event, Position::default()));
        }
    }

    #[test]
    fn time_of_receipt_is_never_in_the_future() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let at = |received| {
            let position = Position {
                received,
                ..Position::default()
            };
            position.received_at(now)
        };
        assert_eq!(at(None), now);
        assert_eq!(at(Some(90)), now - Duration::from_secs(10));
        assert_eq!(at(Some(101)), now);
        assert_eq!(at(Some(u64::MAX)), now);
    }
}
