//! Compares a stack with its template by a drift-aware change set.
//!
//! CloudFormation reads the resources with the role of the change set, so the function needs no
//! permission for them. The change set is read and deleted, and never executed.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>

mod check;
mod result;
mod revert;

pub use self::check::check;
pub use self::result::Drifted;
pub use self::revert::{IN_SYNC, REVERT_DRIFT, revert_command};
