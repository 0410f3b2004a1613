//! The code at the end of a reason.

use cfn_gitops::common::reason_codes::TABLE;

/// The text of `reason` and its code; `None` if it does not end with a code of the table.
pub fn split(reason: &str) -> Option<(&str, &str)> {
    let (text, code) = reason.rsplit_once(" - ")?;
    let is_known = TABLE.iter().any(|(known, _)| *known == code);
    is_known.then_some((text, code))
}
