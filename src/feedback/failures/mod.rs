//! Why a build or a deployment failed, as statuses and notes show it.
//!
//! - [`build`] reads the failed phase of a build
//! - [`build_log`] reads the end of its log, and shows it as a block that no text can leave
//! - `masks` hides the secrets that a build may print
//! - [`text`] renders both for a note
//! - [`deployment`] reads the failed resources of a deployment, from the `stack_operation` that it
//!   began, and [`values`] the values that their reasons may contain
//! - [`cause`] reads which of them it is, and [`outputs`] what else is shown of an execution

pub mod build;
pub mod build_log;
pub mod cause;
pub mod deployment;
mod masks;
pub mod outputs;
mod stack_operation;
pub mod text;
pub mod values;
