//! A reason: a problem, the operator's remedy, and a code that your documentation explains.

use std::error::Error;
use std::fmt;

use crate::remedy::Remedy;

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
///
/// Its parts are joined where it leaves the program: `<problem>. <remedy> - <code>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", self.text(), self.suffix())]
pub struct Reason {
    /// The action, the ID and the cause.
    pub problem: String,
    /// The action that ends the problem.
    pub remedy: Remedy,
    /// The entry of your documentation that explains it.
    pub code: ReasonCode,
}

impl Reason {
    /// A reason with a code. [`ReasonCode::NONE`] if you have no codes.
    pub fn new(
        code: impl Into<ReasonCode>,
        problem: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> Self {
        Reason {
            problem: problem.into(),
            remedy: remedy.into(),
            code: code.into(),
        }
    }

    /// A reason without a code.
    pub fn uncoded(problem: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Reason::new(ReasonCode::NONE, problem, remedy)
    }

    /// One reason with the problems of all, each remedy once, and the code of the first. `None` if
    /// there are none.
    pub fn join(reasons: impl IntoIterator<Item = Reason>) -> Option<Self> {
        reasons.into_iter().reduce(|all, next| all.and(&next))
    }

    /// This reason with the problem and the remedy of `other`.
    #[must_use]
    pub fn and(mut self, other: &Reason) -> Self {
        self.problem = format!("{}; {}", sentence(&self.problem), other.problem);
        self.remedy = self.remedy.and(&other.remedy);
        self
    }

    /// The reason as the value of a log's field: a subscriber finds its parts by a downcast.
    pub fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }

    /// The problem and its remedy.
    pub fn text(&self) -> String {
        let problem = sentence(&self.problem);
        let end = if problem.ends_with(['?', '!']) {
            ""
        } else {
            "."
        };
        format!("{problem}{end} {}", self.remedy)
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

/// A text without the period with which a quoted message may end.
fn sentence(text: &str) -> &str {
    text.trim_end_matches(['.', ' '])
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub Reason);

impl Failure {
    /// A failure with a code.
    pub fn new(
        code: impl Into<ReasonCode>,
        problem: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> Self {
        Failure(Reason::new(code, problem, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_joined_into_sentences() {
        let reason = |problem: &str| Reason::new(ReasonCode("CFG-102"), problem, "Do it");
        for (problem, joined) in [
            ("reading x: no", "reading x: no. Do it - CFG-102"),
            ("reading x: No.", "reading x: No. Do it - CFG-102"),
            (
                "Nme: did you mean Name?",
                "Nme: did you mean Name? Do it - CFG-102",
            ),
        ] {
            assert_eq!(reason(problem).to_string(), joined);
        }
    }

    #[test]
    fn joined_reasons_have_each_remedy_once() {
        let reason = |problem: &str, remedy: &'static str| Reason::uncoded(problem, remedy);
        let all = [
            reason("a.", "Do A"),
            reason("b", "Do A"),
            reason("c", "Do C"),
        ];
        let joined = Reason::join(all).map(|joined| joined.to_string());
        assert_eq!(joined.as_deref(), Some("a; b; c. Do A. Do C"));
        assert_eq!(Reason::join([]), None);

        let beginning = reason("a", "Create it there").and(&reason("b", "Create it"));
        assert_eq!(beginning.to_string(), "a; b. Create it there. Create it");
    }
}
