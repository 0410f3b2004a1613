//! The errors of GitLab's API, each with its remedy and its reason code.

use super::project_parts::ProjectPart;
use super::sanitize;
use super::token_error::{TokenError, TokenSource};
use crate::common::reason_codes::{Code, GITLAB_SAYS_IT};
use cfn_custom_resource::Reason;

/// A Maintainer's access level. <https://docs.gitlab.com/api/access_requests/#valid-access-levels>
pub const MAINTAINER: u64 = 40;

/// A Reporter's access level.
pub const REPORTER: u64 = 20;

/// Most calls fail with a [`GitLabError`].
pub type Result<T, E = GitLabError> = std::result::Result<T, E>;

/// A call that failed. It contains neither the token nor a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {kind}")]
pub struct GitLabError {
    /// A gerund, the thing and its ID.
    pub doing: String,
    pub kind: ErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The token would cross a network unencrypted, or the address is invalid.
    #[error(
        "GitLab.Url is not an https address without a login, a query and a fragment. Set it to such an address (http is accepted for this machine only)"
    )]
    UnusableUrl,
    #[error(
        "GitLab.CaCertificate holds no readable PEM certificate. Set it to the certificate of the private CA"
    )]
    InvalidCaCertificate,
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The login has a character that is not safe in an address. Nothing was sent.
    #[error(
        "the login has a character that GitLab does not accept in a mirror's address. Change RotationSerial for another password"
    )]
    UnsafeLogin,
    /// No connection. Nothing was sent.
    #[error("no connection. Check GitLab.Url, and the function's network path to it")]
    Unreachable,
    /// The server's certificate is not trusted. Nothing was sent.
    #[error(
        "GitLab's certificate is not trusted ({0}). If a private CA signed it, set GitLab.CaCertificate to the CA's certificate"
    )]
    UntrustedCertificate(String),
    #[error("GitLab did not respond in time")]
    NoResponse,
    /// The response, or the list of which it is a page, exceeds a limit.
    #[error(
        "the response is larger than cfn-gitops reads: 300 KB, or a list of 5,000 elements. If GitLab.Url does not lead to GitLab, correct it"
    )]
    TooLarge,
    /// A status of 500 or more.
    #[error("HTTP {status}: {message}; {}", failure_of(*.status))]
    ServerError { status: u16, message: String },
    #[error("HTTP 429: {message}; GitLab throttles the requests. Deploy again later")]
    Throttled { message: String },
    /// A redirect, which is not followed: the token is sent to one address only.
    #[error(
        "HTTP {status}: GitLab redirects to {to}, and the token is not sent there. {}",
        remedy_of_redirect(to)
    )]
    Redirected {
        status: u16,
        /// The target, without a query.
        to: String,
    },
    #[error(
        "HTTP {status}: {message}; the response is not JSON of GitLab's API. Check that GitLab.Url leads to GitLab, and not to a proxy or a login page"
    )]
    NotGitLab {
        status: u16,
        /// The response, if it is a plain text. A proxy, or GitLab's rate limits, may write the
        /// cause into it.
        message: String,
    },
    #[error("HTTP {status}: the response is not as GitLab's API documents it")]
    UnexpectedResponse { status: u16 },
    #[error(
        "HTTP 401: GitLab rejects the token ({message}) from secret {id}, key {key:?}. {store} a valid one with `aws secretsmanager put-secret-value --secret-id {id} --secret-string file:///dev/stdin`",
        store = if sanitize::is_bare(message) { "It is expired, revoked or not of this GitLab: store" } else { "Store" },
        id = token.secret_id,
        key = token.secret_key
    )]
    TokenRejected { message: String, token: TokenSource },
    #[error(
        "HTTP 403: the token from secret {id}, key {key:?} does not have the scope `api`. Store a token that has it with `aws secretsmanager put-secret-value --secret-id {id} --secret-string file:///dev/stdin`",
        id = token.secret_id,
        key = token.secret_key
    )]
    InsufficientScope { token: TokenSource },
    /// The token is fine-grained and lacks a permission, or a group requires fine-grained tokens
    /// (`lib/api/api_guard.rb`: `GranularPermissionsError`).
    #[error(
        "HTTP 403: {message}. The token from secret {id}, key {key:?} is a fine-grained one without this permission, or a group of the project accepts fine-grained tokens only. Store a fine-grained token with the permission with `aws secretsmanager put-secret-value --secret-id {id} --secret-string file:///dev/stdin`",
        message = message.trim_end_matches('.'),
        id = token.secret_id,
        key = token.secret_key
    )]
    InsufficientPermissions {
        /// GitLab's message, which names the permissions.
        message: String,
        token: TokenSource,
    },
    #[error(
        "HTTP {status}: the token's user has access level {level} in the project, and push mirrors and protected tags need a Maintainer ({MAINTAINER}). Make the user a Maintainer, or store a Maintainer's token"
    )]
    NotMaintainer { status: u16, level: u64 },
    #[error(
        "HTTP 404: GitLab does not show the project: there is no such project, or the token's user may not see it. Set GitLabProject (of a pipeline: GitLab.Project) to the full path, with all groups, or to the project's number"
    )]
    NotFound,
    #[error(transparent)]
    Unsupported(Feature),
    #[error("HTTP {status}: {}{cause}", message.trim_end_matches('.'))]
    Rejected {
        status: u16,
        message: String,
        /// The cause, as far as the message and the project show it.
        cause: Rejection,
    },
}

/// A feature that older versions or other editions of GitLab lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Feature {
    /// The call that starts a push.
    #[error("HTTP 404: this GitLab cannot start a push by API. Upgrade it to 16.11 or later")]
    Sync,
    /// `mirror_branch_regex`, which the Community Edition ignores.
    #[error(
        "this GitLab does not support mirror_branch_regex: BranchRegex needs the Enterprise Edition (documented for Premium and Ultimate). Remove BranchRegex, and protect the branches to mirror"
    )]
    BranchRegex,
}

/// Why GitLab rejected a request. The texts are remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A Maintainer may not mirror (`app/policies/project_policy.rb`: `mirror_available`,
    /// `self_deletion_in_progress`, `external_authorization`).
    #[error(
        ". The token's user is a Maintainer, so one of these applies: push mirrors are switched off for the instance, the project is being deleted, or an external authorization service denies access to it. An administrator of a self-managed GitLab allows push mirrors in Admin, Settings, Repository, Repository mirroring"
    )]
    MirrorsDisabled,
    /// The user lacks access, and GitLab does not show why.
    #[error(
        ". The token needs the scope `api`, its user must be a Maintainer of the project, and the instance must allow push mirrors"
    )]
    Denied,
    /// The user lacks access to something else than mirrors and reports, and GitLab does not show
    /// why.
    #[error(
        ". The token's user lacks this right in the project, or this part of the project is switched off"
    )]
    AccessDenied,
    /// A state of GitLab that passes: a lock, or maintenance.
    #[error(". GitLab accepts the request later. Deploy again then")]
    Temporary,
    /// The user may not do this part of a report (`app/policies/ci/pipeline_policy.rb`,
    /// `app/policies/environment_policy.rb`, `app/policies/project_policy.rb`: `archived`,
    /// `merge_requests_disabled`).
    #[error(
        ". For example: the branch is protected, and the token's user may neither push nor merge to it; the environment is protected, and the user may not deploy to it; the project is archived; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only"
    )]
    ReportDenied,
    /// A part of the project that the request needs is switched off, for every user.
    #[error(
        ". {0} switched off in the project. Change that in its Settings, General, Visibility, project features, permissions"
    )]
    SwitchedOff(ProjectPart),
    /// A part of the project that the request needs is restricted to members.
    #[error(
        ". {0} restricted to the project's members, and GitLab does not show that the token's user is one with the role Reporter. Add the user to the project, or change that in its Settings, General, Visibility, project features, permissions"
    )]
    MembersOnly(ProjectPart),
    /// GitLab does not accept this part of a report.
    #[error(". Other parts of the report do not depend on it")]
    ReportRejected,
    /// The project has another path now. <https://docs.gitlab.com/api/rest/#redirects>
    #[error(
        ". The project was moved: set GitLabProject to its present path, or to its number, which does not change"
    )]
    ProjectMoved,
    /// GitLab's limit of enabled mirrors, which versions before 18.9 do not have.
    /// <https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965>
    #[error(
        ". While its password changes, each mirror needs a second one: disable or remove a mirror in the project's Settings, Repository, Mirroring repositories"
    )]
    TooManyMirrors,
    /// GitLab accepts no spelling of the address, and lists another mirror to the repository.
    #[error(
        ". The project has another mirror to this repository. If this GitLab accepts an address only once, remove the mirrors to this repository that are not needed"
    )]
    DuplicateAddress,
    /// GitLab does not accept the address (`lib/gitlab/http_v2/url_blocker.rb`).
    #[error(
        ". If GitLab may not send requests there, an administrator must allow this address (Admin, Settings, Network, Outbound requests). If GitLab cannot resolve the host name of CodeCommit, correct the DNS of the GitLab server. If it rejects the username, set UserName to a name that begins with a letter or a digit"
    )]
    AddressBlocked,
    /// GitLab does not push a mirror that counts as disabled.
    #[error(
        ". GitLab counts the mirror as disabled: the project has no repository or is being deleted, the instance is in silent mode, or push mirrors are switched off for it"
    )]
    StaysDisabled,
    /// Another cause: GitLab's message explains it.
    #[error("")]
    Other,
}

/// The attributes of a mirror beside its address.
const MIRROR_SETTINGS: [&str; 3] = [
    "mirror_branch_regex",
    "only_protected_branches",
    "keep_divergent_refs",
];

/// The cause of a status of 500 or more.
fn failure_of(status: u16) -> &'static str {
    match status {
        502..=504 => "GitLab, or a proxy in front of it, is not available",
        _ => "GitLab, or a proxy in front of it, has an internal error",
    }
}

/// The remedy for a redirect to this address, which is not that of a moved project.
fn remedy_of_redirect(to: &str) -> String {
    match to.split_once("/api/v4") {
        Some((url, _)) if url.starts_with("https://") => {
            format!("If that is this GitLab's own address, set GitLab.Url to {url}")
        }
        _ => "Check that GitLab.Url leads to GitLab, and not to a proxy or a login page".to_owned(),
    }
}

impl ErrorKind {
    pub(super) fn rejected(status: u16, cause: Rejection, message: String) -> Self {
        ErrorKind::Rejected {
            status,
            message,
            cause,
        }
    }

    /// Whether GitLab rejected the request for this `cause`.
    pub fn is_rejection(&self, cause: Rejection) -> bool {
        matches!(self, ErrorKind::Rejected { cause: own, .. } if *own == cause)
    }

    /// The HTTP status of a request that GitLab rejected.
    pub(super) fn rejected_status(&self) -> Option<u16> {
        match self {
            ErrorKind::Rejected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether GitLab rejected a value of a mirror, and its message does not show which. The
    /// message is in the language of the token's user, but it begins with the attribute's name,
    /// which GitLab does not translate (`app/services/remote_mirrors/create_service.rb`).
    pub(super) fn is_unexplained(&self) -> bool {
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

    fn reason_code(&self) -> Code {
        let code = match self {
            ErrorKind::UnusableUrl | ErrorKind::InvalidCaCertificate => Code::InvalidProperties,
            ErrorKind::Token(error) => return error.reason_code(),
            ErrorKind::Unreachable
            | ErrorKind::NoResponse
            | ErrorKind::ServerError { .. }
            | ErrorKind::Throttled { .. } => Code::GitLabUnreachable,
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
        code
    }
}

impl GitLabError {
    pub(super) fn new(doing: &str, kind: ErrorKind) -> Self {
        let doing = sanitize::shown(doing);
        GitLabError { doing, kind }
    }

    /// The error with another cause, if GitLab rejected the request.
    pub(super) fn because(mut self, of: Rejection) -> Self {
        if let ErrorKind::Rejected { cause, .. } = &mut self.kind {
            *cause = of;
        }
        self
    }

    /// The reason that reports this error.
    pub fn reason(&self) -> Reason {
        Reason::new(self.kind.reason_code(), self.to_string(), GITLAB_SAYS_IT)
    }

    /// Whether it is unknown if GitLab executed the request: no response, one that cannot be read,
    /// or an internal error.
    pub fn outcome_unknown(&self) -> bool {
        match &self.kind {
            ErrorKind::NoResponse | ErrorKind::TooLarge | ErrorKind::ServerError { .. } => true,
            ErrorKind::NotGitLab { status, .. } | ErrorKind::UnexpectedResponse { status } => {
                (200..300).contains(status)
            }
            _ => false,
        }
    }

    /// Whether the same call may succeed later without a change by a person.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            ErrorKind::Unreachable
            | ErrorKind::NoResponse
            | ErrorKind::ServerError { .. }
            | ErrorKind::Throttled { .. }
            | ErrorKind::Rejected {
                cause: Rejection::Temporary,
                ..
            } => true,
            ErrorKind::Token(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether requests about other projects may fail like this one, most often after the same
    /// wait: the network, TLS or GitLab as a whole may be at fault. A redirect, a page or a
    /// response that is too large is about one request: the project has moved, for example.
    pub fn is_unreachable(&self) -> bool {
        self.has_no_connection()
            || matches!(
                self.kind,
                ErrorKind::NoResponse | ErrorKind::ServerError { .. } | ErrorKind::Throttled { .. }
            )
    }

    /// Whether nothing was sent, because the network or TLS is at fault.
    pub fn has_no_connection(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable | ErrorKind::UntrustedCertificate(_)
        )
    }

    /// Whether GitLab itself evaluated the request.
    pub fn is_from_gitlab(&self) -> bool {
        let is_of_another = matches!(
            self.kind,
            ErrorKind::TooLarge
                | ErrorKind::Redirected { .. }
                | ErrorKind::NotGitLab { .. }
                | ErrorKind::UnexpectedResponse { .. }
        );
        !is_of_another && !self.is_unreachable()
    }

    /// Whether merge requests are switched off in the project.
    pub fn lacks_merge_requests(&self) -> bool {
        let cause = Rejection::SwitchedOff(ProjectPart::MergeRequests);
        self.kind.is_rejection(cause)
    }

    /// Whether the project has another path now, or GitLab another address.
    pub fn has_moved(&self) -> bool {
        matches!(self.kind, ErrorKind::Redirected { .. })
            || self.kind.is_rejection(Rejection::ProjectMoved)
    }
}

impl Rejection {
    fn reason_code(self) -> Code {
        match self {
            Rejection::Denied | Rejection::AccessDenied => Code::TokenLacksAccess,
            Rejection::Temporary => Code::GitLabUnreachable,
            Rejection::ReportDenied => Code::ReportDenied,
            Rejection::SwitchedOff(_) | Rejection::MembersOnly(_) => Code::PartSwitchedOff,
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
    fn reason_code(&self) -> Code {
        match self {
            TokenError::Missing
            | TokenError::OwnSecret(_)
            | TokenError::NoText
            | TokenError::NoMember(_)
            | TokenError::NotJson(_)
            | TokenError::NotAToken(_) => Code::TokenUnusable,
            TokenError::Denied { .. }
            | TokenError::Untagged { .. }
            | TokenError::OtherGitLab { .. }
            | TokenError::OtherEnvironment { .. }
            | TokenError::UntrustedCa { .. } => Code::TokenNotAllowed,
            TokenError::Unnamed => Code::MirrorsLeft,
            TokenError::Failed(error) => error.reason_code,
        }
    }
}
