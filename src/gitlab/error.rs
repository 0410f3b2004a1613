//! Why GitLab did not do what it was asked, and what can be done about it.

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {kind}")]
pub struct Error {
    /// A gerund, the thing and its id.
    pub doing: String,
    /// What was wrong.
    pub kind: Kind,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// Nothing could be sent.
    #[error("GitLab could not be reached; does the address in GitLab.Url lead to it from the function?")]
    Unreachable,
    /// It was sent, and no answer came.
    #[error("GitLab did not answer")]
    NoAnswer,
    /// The token was not to be had.
    #[error(transparent)]
    Token(#[from] TokenFault),
}

/// Why the token was not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// There is no such secret.
    #[error("there is no such secret")]
    Missing,
}

impl Error {
    /// Whether it is not known if GitLab did what was asked.
    pub fn is_uncertain(&self) -> bool {
        matches!(self.kind, Kind::NoAnswer)
    }

    /// Whether GitLab was not reached, or not in a state to answer.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, Kind::NoAnswer | Kind::Unreachable)
    }
}
