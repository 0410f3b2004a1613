//! A reason: what a person reads, and the code under which the documentation explains it.

use std::fmt;

use super::ValidationErrors;
use crate::reason_codes::Code;

/// Between the text and the code. The code is the very end, so that a search finds it there.
const SEPARATOR: &str = " - ";

/// Why something failed, or what a success leaves to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What was being done, the ID, the cause and the remedy.
    pub text: String,
    /// What the documentation explains.
    pub(crate) code: Code,
}

impl Reason {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        let text = text.into();
        Reason { text, code }
    }

    /// One reason with the texts of all and the code of the first; `None` if there are none.
    pub fn join(reasons: impl IntoIterator<Item = Reason>) -> Option<Self> {
        let mut reasons = reasons.into_iter();
        let mut joined = reasons.next()?;
        for reason in reasons {
            joined.text.push_str("; ");
            joined.text.push_str(&reason.text);
        }
        Some(joined)
    }

    /// What follows the text. It stays when the text is cut.
    pub(super) fn suffix(&self) -> String {
        format!("{SEPARATOR}{}", self.code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{SEPARATOR}{}", self.text, self.code)
    }
}

/// Why a request failed, as a person is to read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub Reason);

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Failure(Reason::new(code, text))
    }

    /// `ResourceProperties` cannot be read.
    pub fn invalid_properties(error: &impl fmt::Display) -> Self {
        let text = format!("reading ResourceProperties: {error}");
        Failure::new(Code::InvalidProperties, text)
    }
}

impl From<ValidationErrors> for Failure {
    fn from(errors: ValidationErrors) -> Self {
        Failure::new(Code::InvalidProperties, errors.to_string())
    }
}
