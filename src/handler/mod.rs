//! Classifies an event, dispatches it, and returns its one result.

mod context;
mod dispatch;
mod error;
mod event;
mod guard;
mod origins;
mod other_events;
mod outcome;
mod request;
pub mod self_invocation;

pub use crate::handler::context::{Handler, Invocation};
pub use crate::handler::error::{HandlerError, StartError};
pub use crate::handler::event::{Event, ReceivedRequest};
pub use crate::handler::origins::ORIGINS;
