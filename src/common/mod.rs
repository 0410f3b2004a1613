//! Modules that every part uses.
//!
//! - [`ascii`] stores text where only ASCII survives
//! - [`branch_names`] are the formats of branches in properties
//! - [`iam_wildcard`] matches names as IAM does
//! - [`logging`] writes JSON lines without secrets
//! - [`ownership`] is the owner of a resource and its tags; [`tags`] are a template's own
//! - [`pace`] limits the calls in a second
//! - [`password`] is the type that keeps secrets out of logs
//! - [`reason_codes`] is the table of error codes
//! - [`text_file`] decodes text, and names places in it

pub(crate) mod ascii;
pub(crate) mod branch_names;
pub mod iam_wildcard;
pub mod logging;
pub mod ownership;
pub(crate) mod pace;
pub mod password;
pub mod reason_codes;
pub(crate) mod tags;
pub(crate) mod text_file;
