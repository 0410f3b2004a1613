//! One request over several invocations: the function calls itself before its time is over.
//!
//! Nothing is carried along but the event as it came and a count. The next invocation observes
//! what there is and goes on, as it would with an event that Lambda delivered twice.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::aws::{Aws, CallError};
use crate::cfn::NotHandedOver;

/// Lambda stops a function that calls itself after about 16 times; an answer that says so comes
/// before that. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const MOST_HOPS: u32 = 14;

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

/// How often a request has been handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Position {
    /// The original invocation is 0.
    pub hop: u32,
}

/// The event in `event` and how often it has been handed over, which is not at all when it is no
/// continuation.
pub fn read(event: &str) -> (&str, Position) {
    match serde_json::from_str::<Continuation<'_>>(event) {
        Ok(Continuation {
            continuation,
            event,
        }) => (event.get(), continuation),
        Err(_) => (event, Position { hop: 0 }),
    }
}

/// Sends `event` to another invocation of the function `function_arn`.
///
/// # Errors
/// When Lambda did not take it, or the request has been handed over too often.
pub async fn hand_over(
    aws: &Aws,
    function_arn: &str,
    event: &str,
    position: Position,
) -> Result<(), NotHandedOver> {
    if position.hop >= MOST_HOPS {
        let times = position.hop;
        return Err(NotHandedOver(format!(
            "it was handed over {times} times already"
        )));
    }
    let event = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(event))
        .map_err(|_| NotHandedOver("the event is no JSON".to_owned()))?;
    let continuation = Continuation {
        continuation: Position {
            hop: position.hop + 1,
        },
        event,
    };
    let payload = serde_json::to_vec(&continuation)
        .map_err(|_| NotHandedOver("the event cannot be written".to_owned()))?;
    let call = aws
        .lambda
        .invoke()
        .function_name(function_arn)
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(payload));
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = CallError::new("invoking this function", &error);
            Err(NotHandedOver(error.cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_continuation_has_not_been_handed_over() {
        for event in ["{}", "7", r#"{"Continuation":{"Hop":1}}"#, "", "[[["] {
            assert_eq!(read(event), (event, Position { hop: 0 }));
        }
    }

    #[test]
    fn the_event_comes_out_as_it_went_in() {
        let inner = r#"{"a": 1.10, "ResponseURL": "x"}"#;
        let event = format!(r#"{{"Continuation":{{"Hop":3}},"Event":{inner}}}"#);
        assert_eq!(read(&event), (inner, Position { hop: 3 }));
    }
}
