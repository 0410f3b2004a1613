//! A reason: a text for the operator, and a code that your documentation explains.

use std::fmt;

/// Separates the text from the code. The code is last, so that a search finds it there.
const SEPARATOR: &str = " - ";

/// A code at the end of a reason, such as `CFG-302`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCode(pub &'static str);

impl ReasonCode {
    /// No code: the reason is its text alone.
    pub const NONE: Self = ReasonCode("");
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The codes of the failures that the protocol itself reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolCodes {
    /// The request lacks a member that CloudFormation always sends.
    pub incomplete_request: ReasonCode,
    /// CloudFormation no longer waits for the request.
    pub expired_request: ReasonCode,
    /// The time for the work has passed.
    pub out_of_time: ReasonCode,
    /// The handler panicked, or returned attributes that do not fit into a response.
    pub internal_error: ReasonCode,
    /// Another invocation could not be started to continue the request.
    pub not_continued: ReasonCode,
}

impl ProtocolCodes {
    /// No codes.
    pub const NONE: Self = ProtocolCodes {
        incomplete_request: ReasonCode::NONE,
        expired_request: ReasonCode::NONE,
        out_of_time: ReasonCode::NONE,
        internal_error: ReasonCode::NONE,
        not_continued: ReasonCode::NONE,
    };
}

/// Why a request failed, or the operator's task after a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The action, the ID, the cause and the remedy.
    pub text: String,
    /// The entry of your documentation that explains it.
    pub code: ReasonCode,
}

impl Reason {
    /// A reason with a code. [`ReasonCode::NONE`] if you have no codes.
    pub fn new(code: impl Into<ReasonCode>, text: impl Into<String>) -> Self {
        Reason {
            text: text.into(),
            code: code.into(),
        }
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

    /// The end of a reason, after its text: the separator and the code. It remains when the text is
    /// shortened. Empty without a code.
    pub(crate) fn suffix(&self) -> String {
        match self.code {
            ReasonCode::NONE => String::new(),
            code => format!("{SEPARATOR}{code}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.text, self.suffix())
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub Reason);

impl Failure {
    /// A failure with a code.
    pub fn new(code: impl Into<ReasonCode>, text: impl Into<String>) -> Self {
        Failure(Reason::new(code, text))
    }
}
