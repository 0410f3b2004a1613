//! Executes the planner's steps until the resource matches its spec.
//!
//! [`applier`] has the course of a delivery. The other modules have its steps, as the plan groups
//! them.

pub mod applier;
pub mod attributes;
mod credential;
pub mod error;
mod issue;
mod mirrors;
mod read_again;
mod request;
mod roll_back;
pub mod secret;
pub mod sync_mirrors;
mod verify;
