//! The reason code of each error.

use super::error::{ErrorKind, GitLabError, Rejection};
use super::token_error::TokenError;
use crate::common::reason_codes::Code;
use cfn_custom_resource::{Reason, ReasonCode};

impl GitLabError {
    /// The reason that reports this error.
    pub fn reason(&self) -> Reason {
        Reason::new(self.kind.reason_code(), self.to_string())
    }
}

impl ErrorKind {
    fn reason_code(&self) -> ReasonCode {
        let code = match self {
            ErrorKind::UnusableUrl | ErrorKind::InvalidCaCertificate => Code::InvalidProperties,
            ErrorKind::NoAccess => Code::MirrorsLeft,
            ErrorKind::Token(error) => return error.reason_code(),
            ErrorKind::Unreachable
            | ErrorKind::NoResponse
            | ErrorKind::ServerError { .. }
            | ErrorKind::Throttled => Code::GitLabUnreachable,
            ErrorKind::UntrustedCertificate(_) => Code::GitLabNotTrusted,
            ErrorKind::TooLarge
            | ErrorKind::Redirected { .. }
            | ErrorKind::NotGitLab { .. }
            | ErrorKind::UnexpectedResponse { .. } => Code::NotGitLab,
            ErrorKind::TokenRejected { .. } => Code::TokenRejected,
            ErrorKind::InsufficientScope { .. }
            | ErrorKind::InsufficientPermissions { .. }
            | ErrorKind::NotMaintainer { .. } => Code::TokenLacksAccess,
            ErrorKind::NotFound => Code::ProjectMissing,
            ErrorKind::UnsafeLogin => Code::AddressRejected,
            ErrorKind::Unsupported(_) => Code::GitLabRejected,
            ErrorKind::Rejected { cause, .. } => cause.reason_code(),
        };
        code.into()
    }
}

impl Rejection {
    fn reason_code(self) -> Code {
        match self {
            Rejection::Denied => Code::TokenLacksAccess,
            Rejection::ReportDenied => Code::ReportDenied,
            Rejection::ReportRejected => Code::ReportRejected,
            Rejection::ProjectMoved => Code::ProjectMissing,
            Rejection::MirrorsDisabled | Rejection::StaysDisabled => Code::MirrorsDisabled,
            Rejection::TooManyMirrors | Rejection::DuplicateAddress => Code::MirrorLimit,
            Rejection::AddressBlocked => Code::AddressRejected,
            Rejection::Other => Code::GitLabRejected,
        }
    }
}

impl TokenError {
    fn reason_code(&self) -> ReasonCode {
        match self {
            TokenError::Missing
            | TokenError::OwnSecret(_)
            | TokenError::NoText
            | TokenError::NoMember(_)
            | TokenError::NotAToken => Code::TokenUnusable.into(),
            TokenError::Denied { .. }
            | TokenError::Untagged { .. }
            | TokenError::OtherGitLab { .. }
            | TokenError::OtherEnvironment { .. }
            | TokenError::UntrustedCa { .. } => Code::TokenNotAllowed.into(),
            TokenError::Failed(error) => error.reason_code,
        }
    }
}
