//! The records of requests in AWS, from which later requests and deliveries read what happened: the
//! tokens of the stack's operations, and the tombstone of a Delete.

pub mod request_token;
pub mod tombstone;

pub use self::request_token::{Purpose, RequestKey};
