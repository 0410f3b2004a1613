//! Lambda, as far as a function invokes itself: the payload is kept, and a test hands it to a
//! new delivery.

use serde_json::Value;
use std::time::Duration;

use crate::world::{ApiResponse, AwsError, Call, World};

/// API Reference, `Invoke`: asynchronous payloads of up to 1 MB.
const LONGEST: usize = 1_048_576;

/// One asynchronous invocation that Lambda has taken on.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked {
    pub caller: String,
    pub at: Duration,
    pub function: String,
    pub payload: Value,
}

pub fn answer(
    invocations: &mut Vec<Invoked>,
    world: &mut World,
    call: &Call,
    caller: &str,
) -> Result<ApiResponse, AwsError> {
    if call.operation != "Invoke" {
        return Err(world.unknown_operation("lambda", &call.operation));
    }
    let kind = call
        .header("x-amz-invocation-type")
        .unwrap_or("RequestResponse");
    if kind != "Event" {
        // A function that waits for itself pays twice, and the product needs none.
        world
            .complaints
            .push(format!("a synchronous Invoke ({kind})"));
    }
    if call.body.len() > LONGEST {
        let message = "Request must be smaller than 1048576 bytes for the Event Invocation API";
        return Err(AwsError::new(413, "RequestTooLargeException", message));
    }
    let Ok(payload) = serde_json::from_slice(&call.body) else {
        let message = "Could not parse request body into json";
        return Err(AwsError::new(
            400,
            "InvalidRequestContentException",
            message,
        ));
    };
    invocations.push(Invoked {
        caller: caller.to_owned(),
        at: world.now,
        function: call.needed("FunctionName").to_owned(),
        payload,
    });
    // "For asynchronous invocation, this status code is 202."
    Ok(ApiResponse::plain(202, ""))
}
