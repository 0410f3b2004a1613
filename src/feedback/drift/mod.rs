//! Compares a stack with its template by a drift-aware change set.
//!
//! CloudFormation reads the resources with the role of the change set, so the function needs no
//! permission for them. A stack that cfn-gitops itself manages can be repaired: the change set is
//! then executed. Otherwise it is deleted.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>

mod check;
mod result;
mod target;

pub use self::check::check;
pub use self::result::{Drifted, Found, Repair};
pub use self::target::{DriftTarget, REVERT_DRIFT};
