//! The codes at the end of every reason, such as `CFG-302`, and what the documentation explains of
//! each.
//!
//! [`table`] is the only place that lists them. `docs/reason-codes.md` is generated from it. A code
//! that no reason has is dead code for the compiler.

mod entry;
#[cfg(test)]
mod page;
mod table;

pub use crate::reason_codes::entry::Entry;
pub(crate) use crate::reason_codes::table::Code;
pub use crate::reason_codes::table::TABLE;

use std::fmt;

use cfn_custom_resource::{Failure, ProtocolCodes, ReasonCode};

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl From<Code> for ReasonCode {
    fn from(code: Code) -> Self {
        ReasonCode(code.text())
    }
}

/// The codes of the failures that the protocol reports.
pub const PROTOCOL: ProtocolCodes = ProtocolCodes {
    incomplete_request: ReasonCode(Code::IncompleteRequest.text()),
    expired_request: ReasonCode(Code::ExpiredRequest.text()),
    out_of_time: ReasonCode(Code::OutOfTime.text()),
    internal_error: ReasonCode(Code::InternalError.text()),
    not_continued: ReasonCode(Code::NotContinued.text()),
};

/// The failure of a request whose properties are invalid.
pub(crate) fn invalid_properties(errors: &impl fmt::Display) -> Failure {
    Failure::new(Code::InvalidProperties, errors.to_string())
}
