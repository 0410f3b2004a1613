//! Lambda, as far as a function invokes itself: the payload is kept, and a test hands it to a
//! new delivery.

use serde_json::Value;
use std::time::Duration;

use crate::world::{ApiResponse, ApiResult, Call, World, rejected};

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
) -> ApiResult {
    if call.operation != "Invoke" {
        return Err(world.unknown_operation("lambda", &call.operation));
    }
    let kind = call.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    if kind != "Event" {
        // A function that waits for itself pays twice, and the product needs none.
        world.complaints.push(format!("a synchronous Invoke ({kind})"));
    }
    let Ok(payload) = serde_json::from_slice(&call.body) else {
        let message = "Could not parse request body into json";
        return Err(rejected("InvalidRequestContentException", message));
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
