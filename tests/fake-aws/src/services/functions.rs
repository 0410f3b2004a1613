//! Lambda, as far as a function invokes itself: the payload is kept, and a test hands it to a
//! new delivery. And the reservation of the function that handles events.

use serde_json::{Value, json};
use std::time::Duration;

use crate::world::{ApiResponse, ApiResult, AwsError, Call, World, rejected};

/// One asynchronous invocation that Lambda has taken on.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked {
    pub caller: String,
    pub at: Duration,
    pub function: String,
    pub payload: Value,
}

/// The function that handles events.
#[derive(Clone, Debug, Default)]
pub struct ProviderFunction {
    pub is_deleted: bool,
    /// Its `ReservedConcurrentExecutions`. `None` without a reservation.
    pub reserved: Option<u32>,
}

impl ProviderFunction {
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html>
    pub fn concurrency(&self) -> ApiResult {
        if self.is_deleted {
            let message = "The resource you requested does not exist.";
            return Err(AwsError::new(404, "ResourceNotFoundException", message));
        }
        let reserved = self.reserved.map(|it| json!({"ReservedConcurrentExecutions": it}));
        Ok(ApiResponse::plain(
            200,
            reserved.unwrap_or(json!({})).to_string(),
        ))
    }
}

/// The operation of an address, and the function.
pub fn operation_at(path: &str) -> Option<(&'static str, &str)> {
    let invoked = path.strip_prefix("/2015-03-31/functions/");
    let invoked = invoked.and_then(|rest| rest.strip_suffix("/invocations"));
    let read = path.strip_prefix("/2019-09-30/functions/");
    let read = read.and_then(|rest| rest.strip_suffix("/concurrency"));
    let read = read.map(|function| ("GetFunctionConcurrency", function));
    invoked.map(|function| ("Invoke", function)).or(read)
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
