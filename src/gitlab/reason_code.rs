//! Which code a reason has that is an error of GitLab's.

use super::error::{Error, Kind, TokenFault};
use crate::cfn::Reason;
use crate::reason_codes::Code;

impl Error {
    /// The reason that this error is.
    pub fn reason(&self) -> Reason {
        Reason::new(self.kind.reason_code(), self.to_string())
    }
}

impl Kind {
    fn reason_code(&self) -> Code {
        match self {
            Kind::UnusableUrl | Kind::CaCertificate => Code::InvalidProperties,
            Kind::Token(fault) => fault.reason_code(),
            Kind::Unreachable | Kind::NoAnswer | Kind::OutOfOrder { .. } | Kind::Throttled => {
                Code::GitLabUnreachable
            }
            Kind::NotVerified(_) => Code::GitLabNotTrusted,
            Kind::TooLarge
            | Kind::TooManyPages(_)
            | Kind::Redirected { .. }
            | Kind::NoApi { .. }
            | Kind::Unreadable { .. } => Code::NotGitLab,
            Kind::TokenRefused { .. } => Code::TokenRejected,
            Kind::InsufficientScope { .. } | Kind::NotMaintainer { .. } | Kind::Denied { .. } => {
                Code::TokenLacksAccess
            }
            Kind::NotFound | Kind::Moved { .. } => Code::ProjectMissing,
            Kind::Disabled { .. } | Kind::StaysDisabled { .. } => Code::MirrorsDisabled,
            Kind::TooMany { .. } | Kind::Taken { .. } => Code::MirrorLimit,
            Kind::UnsafeLogin
            | Kind::Blocked { .. }
            | Kind::HostNotResolved { .. }
            | Kind::UserNotAccepted { .. }
            | Kind::AddressNotParsed { .. } => Code::AddressRejected,
            Kind::NoSync | Kind::NoBranchRegex | Kind::Refused { .. } => Code::GitLabRejected,
        }
    }
}

impl TokenFault {
    fn reason_code(&self) -> Code {
        match self {
            TokenFault::Missing
            | TokenFault::OwnSecret(_)
            | TokenFault::NoText
            | TokenFault::NoMember(_)
            | TokenFault::NoToken => Code::TokenUnusable,
            TokenFault::Denied { .. }
            | TokenFault::Untagged { .. }
            | TokenFault::OtherHost { .. }
            | TokenFault::UntrustedCa { .. } => Code::TokenNotAllowed,
            TokenFault::Failed(error) => error.reason_code,
        }
    }
}
