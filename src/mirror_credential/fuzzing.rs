//! The private parsers, for the fuzz targets.

pub use super::intent_log::mirrors as intent;
pub use super::intent_log::{IssueIntent, Login, Tombstone, entry_number, version_id};
pub use super::spec::{decode, gitlab_in, user_name_in};
