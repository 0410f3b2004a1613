//! The custom-resource protocol, knowing nothing of what is provided.
//!
//! [`handle_request`] takes one raw request through to its one response: it finds where to answer and
//! until when before anything is decoded that could fail, runs the resource's handler in a task
//! of its own (so that neither a panic nor a hang takes the answer with it), and delivers.
//! Nothing here depends on the rest of the crate but for the table of codes that reasons end with:
//! with a table of its own, the folder can be lifted into another project.

mod clock;
mod deadline;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handle_request;
mod progress;
mod properties;
mod reason;
mod request;
mod response;
mod send_response;

pub use crate::cfn::clock::Clock;
pub use crate::cfn::deadline::Deadlines;
pub use crate::cfn::handle_request::{ContinuationError, Handled, Outcome, Resource, answer};
pub use crate::cfn::progress::Progress;
pub use crate::cfn::properties::{
    Format, Kind, Map, Object, Pattern, Property, ValidationError, ValidationErrors, as_text, shown,
};
pub use crate::cfn::reason::{Failure, Reason};
pub use crate::cfn::request::{Request, RequestType, ResponseUrl};
pub use crate::cfn::response::{MAX_BODY_BYTES, Response, Status};
pub use crate::cfn::send_response::{PutError, SendError};
