//! The private parsers, for the fuzz targets.

pub use super::names::{AwsLocation, ResourceNames};
pub use super::request_token::{Purpose, RequestKey, read as read_token};
pub use super::spec::{decode, peek_names};
pub use super::template::{RepositoryOrigin, render};
pub use super::tombstone::PipelineTombstone;

pub fn read_mark(text: &str) -> PipelineTombstone {
    PipelineTombstone::from_text(text)
}

pub fn write_mark(mark: &PipelineTombstone) -> String {
    mark.to_text()
}
