//! Why a build or a deployment failed, as a note shows it.
//!
//! - [`build`] reads the failed phase of a build
//! - [`build_log`] reads the end of its log, and shows it as a block that no text can leave
//! - `masks` hides the secrets that a build may print

#![allow(dead_code, reason = "no note shows them yet")]

pub mod build;
pub mod build_log;
mod masks;
