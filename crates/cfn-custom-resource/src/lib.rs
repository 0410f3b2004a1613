#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod clock;
mod deadlines;
mod handle_request;
mod progress;
mod properties;
mod reason;
mod remedy;
mod request;
mod resource;
mod response;
mod retry;
mod send_response;
mod worker;

pub use self::clock::Clock;
pub use self::deadlines::Deadlines;
pub use self::handle_request::{ContinuationError, Handled, handle_request};
pub use self::progress::Progress;
pub use self::properties::{
    Format, Kind, Map, Object, Pattern, Property, ValidationError, ValidationErrors, as_text,
    parse_json, shown,
};
pub use self::reason::{Failure, ProtocolCodes, Reason, ReasonCode};
pub use self::remedy::{Command, Remedy};
pub use self::request::{MAX_EVENT_BYTES, Request, RequestType, ResponseUrl};
pub use self::resource::{Outcome, Resource};
pub use self::response::{MAX_BODY_BYTES, Response, Status};
pub use self::retry::{Attempt, doubling, retry};
pub use self::send_response::SendError;
pub use self::worker::Worker;
