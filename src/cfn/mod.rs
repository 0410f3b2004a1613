//! The custom-resource protocol, knowing nothing of what is provided.
//!
//! [`answer`] takes one raw request through to its one response: it finds where to answer and
//! until when before anything is decoded that could fail, runs the resource's handler in a task
//! of its own (so that neither a panic nor a hang takes the answer with it), and delivers.
//! Nothing here depends on the rest of the crate but for the table of codes that reasons end with:
//! with a table of its own, the folder can be lifted into another project.

mod answer;
mod clock;
mod deadline;
mod delivery;
#[cfg(test)]
mod fuzz;
mod progress;
mod properties;
mod reason;
mod request;
mod response;

pub use answer::{Answered, NotHandedOver, Outcome, Resource, answer};
pub use clock::Clock;
pub use deadline::Deadlines;
pub use delivery::{NotPut, Undelivered};
pub use progress::Progress;
#[cfg(test)]
pub use properties::recorder;
pub use properties::{Fault, Faults, Form, Members, Pattern, as_text, is_made_of};
pub use reason::{Failure, Reason};
pub use request::{Request, RequestType, ResponseUrl};
pub use response::{MAX_BODY_BYTES, Response, Status};
