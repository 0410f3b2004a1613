//! The private parsers, for the fuzz targets.

pub use super::intent_log::{Attempt, Deletion, Login, entry_number, version_id};
pub use super::spec::{decode, gitlab_in, is_protected, user_name_in};
