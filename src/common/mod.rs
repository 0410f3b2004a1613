//! Modules that every part uses.

pub mod ascii;
pub(crate) mod branch_names;
pub(crate) mod commands;
pub mod iam_wildcard;
#[macro_use]
pub mod logging;
pub(crate) mod one_line;
pub mod ownership;
pub(crate) mod pace;
pub mod password;
pub mod reason_codes;
pub mod stop;
pub(crate) mod tags;
pub(crate) mod text_file;
