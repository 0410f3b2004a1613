//! The private parsers, for the fuzz targets.

pub use super::names::{Names, Place};
pub use super::request_token::{Purpose, RequestKey, read as read_token};
pub use super::spec::{decode, names_in};
pub use super::template::{Repository, render};
pub use super::tombstone::Mark;

pub fn read_mark(text: &str) -> Mark {
    Mark::read(text)
}

pub fn write_mark(mark: &Mark) -> String {
    mark.write()
}
