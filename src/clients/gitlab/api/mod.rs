//! A call of the API: its token, its request, and what its response proves.

pub mod call;
pub mod classify;
pub mod endpoints;
pub mod error;
pub mod list;
pub mod members;
pub mod opening;
pub mod own_token;
pub mod project_parts;
pub mod project_ref;
pub mod reason;
pub mod response;
pub mod sanitize;
pub mod token;
pub mod token_error;
pub mod transport;
pub mod unreachable;
