//! The protocol of CloudFormation custom resources, for Lambda functions in Rust.
//!
//! Implement [`Resource`] for your type. For each event, parse a [`Request`] and call
//! [`handle_request`]. It runs the handler and sends one response, in time:
//!
//! - [`Deadlines`] are the earliest of the invocation's end, `ServiceTimeout` and the expiry of the
//!   response URL. The work ends before them, so that a response still arrives.
//! - A handler that panics, hangs or blocks its thread becomes a FAILED response.
//! - The response has at most 4096 bytes. Its `Reason` is shortened, its code is kept.
//! - A failed Update keeps the physical ID, so that CloudFormation does not delete the resource as
//!   replaced.
//! - A request that CloudFormation no longer waits for is not started, unless it is a Delete.
//!
//! [`Object`] decodes properties by a table of [`Property`] rows and collects every error.
//!
//! The crate calls no AWS service and has no HTTP client: you pass a function that sends a PUT.

mod clock;
mod deadlines;
mod handle_request;
mod progress;
mod properties;
mod reason;
mod request;
mod response;
mod send_response;

pub use self::clock::Clock;
pub use self::deadlines::Deadlines;
pub use self::handle_request::{ContinuationError, Handled, Outcome, Resource, handle_request};
pub use self::progress::Progress;
pub use self::properties::{
    Format, Kind, Map, Object, Pattern, Property, ValidationError, ValidationErrors, as_text, shown,
};
pub use self::reason::{Failure, ProtocolCodes, Reason, ReasonCode};
pub use self::request::{Request, RequestType, ResponseUrl};
pub use self::response::{MAX_BODY_BYTES, Response, Status};
pub use self::send_response::{PutError, SendError};
