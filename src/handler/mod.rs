//! Classifies an event, dispatches it, and returns its one result.
//!
//! - `event` parses every kind of event
//! - [`dispatch`](Handler::handle) logs the outcome and catches panics, for every kind of event
//! - `request` handles CloudFormation's requests; `cfn` has their deadlines and their guard
//! - `other_events` handles rotations, first pushes and health checks, within the time of `guard`

mod context;
mod dispatch;
mod error;
mod event;
mod guard;
mod other_events;
mod outcome;
mod request;
pub mod self_invocation;

pub use crate::handler::context::{Handler, Invocation};
pub use crate::handler::error::{HandlerError, StartError};
pub use crate::handler::event::{Event, ReceivedRequest};
