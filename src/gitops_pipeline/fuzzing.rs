//! The private parsers, for the fuzz targets.

pub use super::intent_log::request_token::{Purpose, RequestKey, read as read_token};
pub use super::names::{AwsLocation, ResourceNames};
pub use super::spec::{decode, peek_names};
pub use super::template::{RepositoryOrigin, render};
