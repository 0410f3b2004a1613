//! The errors of GitLab's API, each with its consequences.

use std::borrow::Cow;

use super::project_parts::ProjectPart;
use super::sanitize;
use super::token_error::{TokenError, TokenSource};
use crate::clients::http::{ProxyError, TlsError};
pub use crate::clients::sent::{RetryTime, Sent};

/// A Maintainer's access level. <https://docs.gitlab.com/api/access_requests/#valid-access-levels>
pub const MAINTAINER: u64 = 40;

/// A Reporter's access level.
pub const REPORTER: u64 = 20;

pub type Result<T, E = GitLabError> = std::result::Result<T, E>;

/// A call that failed. It contains neither the token nor a password.
///
/// Its consequences are decided where it arises: one kind may have several causes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {kind}")]
pub struct GitLabError {
    /// A gerund, the thing and its ID. Empty until the call adds it.
    pub doing: String,
    pub kind: ErrorKind,
    pub sent: Sent,
    pub retry: RetryTime,
    pub scope: ErrorScope,
}

/// Which requests may fail like this one, most often after the same wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScope {
    /// This one. A redirect, a page or a response that is too large is about one request, too: the
    /// project has moved, for example.
    Request,
    /// Perhaps those about other projects: GitLab as a whole may be at fault, or one repository.
    Unclear,
    /// Each: the network or TLS is at fault.
    GitLab,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The token would cross a network unencrypted, or the address is invalid.
    #[error("GitLab.Url is not an https address without a login, a query and a fragment")]
    UnusableUrl,
    #[error("GitLab.CaCertificate holds no readable PEM certificate")]
    InvalidCaCertificate,
    #[error("the login has a character that GitLab does not accept in a mirror's address")]
    UnsafeLogin,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("no connection")]
    Unreachable,
    #[error(transparent)]
    Proxy(ProxyError),
    #[error("no TLS connection to GitLab: {0}")]
    Tls(TlsError),
    #[error("GitLab did not respond in time")]
    NoResponse,
    /// The response, or the list of which it is a page, exceeds a limit.
    #[error("the response is larger than cfn-gitops reads: 300 KB, or a list of 5,000 elements")]
    TooLarge,
    #[error("HTTP {status}: {message}; {}", failure_of(*.status))]
    ServerError { status: u16, message: String },
    #[error("HTTP 429: {message}; GitLab throttles the requests")]
    Throttled { message: String },
    /// A redirect, which is not followed: the token is sent to one address only.
    #[error("HTTP {status}: {}", redirection(to))]
    Redirected {
        status: u16,
        /// The target, without a query.
        to: String,
    },
    #[error("HTTP {status}: {message}; the response is not JSON of GitLab's API")]
    NotGitLab {
        status: u16,
        /// The response, if it is a plain text. A proxy, or GitLab's rate limits, may write the
        /// cause into it.
        message: String,
    },
    /// GitLab did not get the request, because of its size or its text.
    #[error(
        "HTTP {status}: {message}; a firewall or proxy in front of GitLab rejects this request ({} bytes)",
        with_commas(*.bytes)
    )]
    Blocked {
        status: u16,
        /// The response, if it is a plain text.
        message: String,
        bytes: usize,
    },
    /// GitLab did not get the request: only a browser passes.
    #[error(
        "HTTP {status}: Cloudflare, which is in front of GitLab, checks whether the function is a browser"
    )]
    Challenged { status: u16 },
    /// GitLab's own response to a path that its API does not have.
    #[error("HTTP 404: GitLab's API does not have this path")]
    UnknownRoute,
    #[error("HTTP {status}: the response is not as GitLab's API documents it")]
    UnexpectedResponse { status: u16 },
    #[error(
        "HTTP 401: GitLab rejects the token ({message}) from secret {id}, key {key:?}{why}",
        why = if sanitize::is_bare(message) { ". It is expired, revoked or not of this GitLab" } else { "" },
        id = token.secret_id,
        key = token.secret_key
    )]
    TokenRejected { message: String, token: TokenSource },
    /// The token's user accepts their personal tokens only with a proof (`DPoP`).
    /// <https://docs.gitlab.com/user/profile/personal_access_tokens/#use-dpop-with-personal-access-tokens>
    #[error("HTTP 401: GitLab accepts the token only with a proof (DPoP): {message}")]
    ProofRequired { message: String, token: TokenSource },
    #[error(
        "HTTP 403: the token from secret {id}, key {key:?} does not have the scope `api`",
        id = token.secret_id,
        key = token.secret_key
    )]
    InsufficientScope { token: TokenSource },
    /// The token is fine-grained and lacks a permission, or a group requires fine-grained tokens
    /// (`lib/api/api_guard.rb`: `GranularPermissionsError`).
    #[error(
        "HTTP 403: {message}. The token from secret {id}, key {key:?} is a fine-grained one without this permission, or a group of the project accepts fine-grained tokens only",
        id = token.secret_id,
        key = token.secret_key
    )]
    InsufficientPermissions {
        /// GitLab's message, which names the permissions.
        message: String,
        token: TokenSource,
    },
    #[error(
        "HTTP {status}: the token's user has access level {level} in the project, and push mirrors need a Maintainer ({MAINTAINER})"
    )]
    NotMaintainer { status: u16, level: u64 },
    #[error(
        "HTTP 404: GitLab does not show the project: there is no such project, or the token's user may not see it"
    )]
    NotFound,
    /// Versions before 16.11 lack the call.
    #[error("HTTP 404: this GitLab cannot start a push by API")]
    NoSync,
    #[error("HTTP {status}: {message}{}", cause.explanation())]
    Rejected {
        status: u16,
        message: String,
        /// The cause, as far as the message and the project show it.
        cause: Rejection,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A Maintainer may not mirror (`app/policies/project_policy.rb`: `mirror_available`,
    /// `self_deletion_in_progress`, `external_authorization`).
    MirrorsDisabled,
    /// The user lacks access, and GitLab does not show why.
    Denied,
    /// The user lacks access to something else than mirrors and reports, and GitLab does not show
    /// why.
    AccessDenied,
    /// A state of GitLab that passes: a lock, or maintenance.
    Temporary,
    /// The user may not do this part of a report (`app/policies/ci/pipeline_policy.rb`,
    /// `app/policies/environment_policy.rb`, `app/policies/project_policy.rb`: `archived`,
    /// `merge_requests_disabled`).
    ReportDenied,
    /// The same, because the project is archived.
    Archived,
    /// The user may not record a deployment, or change its environment.
    DeploymentDenied,
    /// A part of the project that the request needs is switched off, for every user.
    SwitchedOff(ProjectPart),
    /// A part of the project that the request needs is restricted to members.
    MembersOnly(ProjectPart),
    /// GitLab does not accept this part of a report.
    ReportRejected,
    /// The project has another path now. <https://docs.gitlab.com/api/rest/#redirects>. With its
    /// number, if GitLab shows it.
    ProjectMoved(Option<u64>),
    /// GitLab's limit of enabled mirrors, which versions before 18.9 do not have.
    /// <https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965>
    TooManyMirrors,
    /// GitLab accepts no spelling of the address, and lists another mirror to the repository.
    DuplicateAddress,
    /// GitLab does not accept the address (`lib/gitlab/http_v2/url_blocker.rb`).
    AddressBlocked,
    /// GitLab does not push a mirror that counts as disabled.
    StaysDisabled,
    /// Another cause: GitLab's message explains it.
    Other,
}

/// The attributes of a mirror beside its address.
const MIRROR_SETTINGS: [&str; 3] = [
    "mirror_branch_regex",
    "only_protected_branches",
    "keep_divergent_refs",
];

/// The sentence about a redirect.
pub fn redirection(to: &str) -> String {
    format!("GitLab redirects to {to}, and the token is not sent there")
}

/// The cause of a status of 500 or more.
fn failure_of(status: u16) -> &'static str {
    match status {
        502..=504 => "GitLab, or a proxy in front of it, is not available",
        _ => "GitLab, or a proxy in front of it, has an internal error",
    }
}

fn with_commas(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", with_commas(number / 1000), number % 1000),
    }
}

impl ErrorKind {
    /// Whether GitLab rejected the request for this `cause`.
    pub fn is_rejection(&self, cause: Rejection) -> bool {
        matches!(self, ErrorKind::Rejected { cause: own, .. } if *own == cause)
    }

    /// Whether GitLab rejected a value of a mirror, and its message does not show which. The
    /// message is in the language of the token's user, but it begins with the attribute's name,
    /// which GitLab does not translate (`app/services/remote_mirrors/create_service.rb`).
    pub fn is_unexplained(&self) -> bool {
        let is_of_setting = |message: &str| MIRROR_SETTINGS.iter().any(|it| message.contains(it));
        match self {
            ErrorKind::Rejected {
                status: 400 | 422,
                message,
                cause: Rejection::Other,
            } => !is_of_setting(message),
            _ => false,
        }
    }
}

impl GitLabError {
    pub fn new(kind: ErrorKind, sent: Sent, retry: RetryTime, scope: ErrorScope) -> Self {
        GitLabError {
            doing: String::new(),
            kind,
            sent,
            retry,
            scope,
        }
    }

    /// The error of a request that cannot be sent.
    pub(crate) fn unsent(kind: ErrorKind) -> Self {
        GitLabError::new(kind, Sent::No, RetryTime::Never, ErrorScope::Request)
    }

    /// The error of a request that may have been executed, and whose response is not understood.
    pub fn unclear(kind: ErrorKind) -> Self {
        GitLabError::new(kind, Sent::Unknown, RetryTime::Never, ErrorScope::Request)
    }

    /// The error of a request that GitLab evaluated.
    pub fn answered(kind: ErrorKind) -> Self {
        GitLabError::new(kind, Sent::Yes, RetryTime::Never, ErrorScope::Request)
    }

    pub(crate) fn rejected(status: u16, cause: Rejection, message: String) -> Self {
        GitLabError::answered(ErrorKind::Rejected {
            status,
            message,
            cause,
        })
    }

    /// The error of `doing` something.
    pub(crate) fn of(self, doing: &str) -> Self {
        let doing = sanitize::shown(doing);
        GitLabError { doing, ..self }
    }

    /// The error with another cause, if GitLab rejected the request.
    pub fn because(mut self, of: Rejection) -> Self {
        if let ErrorKind::Rejected { cause, .. } = &mut self.kind {
            *cause = of;
        }
        self
    }

    /// The number of the project that has another path now. `None` if another error, or if GitLab
    /// does not show it.
    pub fn moved_to(&self) -> Option<u64> {
        match self.kind {
            ErrorKind::Rejected {
                cause: Rejection::ProjectMoved(number),
                ..
            } => number,
            _ => None,
        }
    }

    /// Whether a firewall rejects the request, which a shorter text may pass. Logs why.
    pub fn is_blocked(&self) -> bool {
        let is_blocked = matches!(self.kind, ErrorKind::Blocked { .. });
        if is_blocked {
            warn!(self.reason(), "a text for GitLab is shortened");
        }
        is_blocked
    }

    /// Whether environments and deployments are switched off in the project.
    pub fn lacks_environments(&self) -> bool {
        let parts = [ProjectPart::CiCd, ProjectPart::Environments];
        let mut causes = parts.map(Rejection::SwitchedOff).into_iter();
        causes.any(|cause| self.kind.is_rejection(cause))
    }

    /// Whether merge requests are switched off in the project.
    pub fn lacks_merge_requests(&self) -> bool {
        let cause = Rejection::SwitchedOff(ProjectPart::MergeRequests);
        self.kind.is_rejection(cause)
    }
}

impl Rejection {
    /// The sentence that GitLab's message lacks.
    fn explanation(self) -> Cow<'static, str> {
        match self {
            Rejection::MirrorsDisabled => ". The token's user is a Maintainer".into(),
            Rejection::SwitchedOff(part) => format!(". {part} switched off in the project").into(),
            Rejection::MembersOnly(part) => format!(
                ". {part} restricted to the project's members, and GitLab does not show that the token's user is one with the role Reporter"
            )
            .into(),
            Rejection::ProjectMoved(_) => ". The project was moved, or GitLab renamed it because it is scheduled for deletion".into(),
            Rejection::DuplicateAddress => ". The project has another mirror to this repository".into(),
            Rejection::StaysDisabled => ". GitLab counts the mirror as disabled".into(),
            Rejection::Archived => ". The project is archived".into(),
            Rejection::Denied
            | Rejection::AccessDenied
            | Rejection::Temporary
            | Rejection::ReportDenied
            | Rejection::DeploymentDenied
            | Rejection::ReportRejected
            | Rejection::TooManyMirrors
            | Rejection::AddressBlocked
            | Rejection::Other => "".into(),
        }
    }
}
