//! The records of requests in AWS, which later requests and deliveries read: the tokens of the
//! stack's operations, and the tombstone of a Delete.

pub mod request_token;
pub mod tombstone;

pub use self::request_token::{Purpose, RequestKey};
