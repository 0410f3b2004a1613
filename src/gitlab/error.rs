//! Why GitLab did not do what it was asked, and what can be done about it.

use crate::aws::CallError;

/// The tag with which a token's owner says where it may be sent.
pub const URL_TAG: &str = "cfn-gitops:gitlab-url";

/// The tag with which a token's owner names the certificates of `GitLab.CaCertificate`: the SHA-256
/// fingerprint of each, separated by spaces.
pub const CA_TAG: &str = "cfn-gitops:gitlab-ca-sha256";

/// A Maintainer's access level. <https://docs.gitlab.com/api/access_requests/#valid-access-levels>
pub const MAINTAINER: u64 = 40;

/// Why a call failed. Neither the token nor a password is in it.
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
    /// The token would go over a network in clear, or the address is none.
    #[error(
        "GitLab.Url must be an https address without a login, a query or a fragment (http is for this machine alone)"
    )]
    UnusableUrl,
    /// The certificates cannot be read.
    #[error("GitLab.CaCertificate holds no certificate in PEM that can be read")]
    CaCertificate,
    /// The token was not to be had.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// Nothing was sent: the login cannot stand in an address.
    #[error(
        "the login cannot stand in the mirror's address: it holds a character that GitLab does not take there; change RotationSerial for another password, with UrlSafePassword: true"
    )]
    UnsafeLogin,
    /// Nothing could be sent.
    #[error("no connection; is GitLab.Url right, and does the function's network lead to it?")]
    Unreachable,
    /// Nothing was sent, because it could be anybody.
    #[error(
        "GitLab's certificate is not trusted ({0}); a GitLab with an authority of its own needs that authority's certificate in GitLab.CaCertificate"
    )]
    NotVerified(String),
    /// It was sent, and no answer came.
    #[error("GitLab did not answer in time")]
    NoAnswer,
    /// The answer was cut off.
    #[error("the answer is larger than any of GitLab's; is GitLab.Url right?")]
    TooLarge,
    /// A list did not end.
    #[error("the list is longer than {0} pages")]
    TooManyPages(usize),
    /// GitLab, or what stands before it, has an error of its own.
    #[error("HTTP {status}: {message}; GitLab, or what stands before it, is out of order")]
    OutOfOrder {
        /// The HTTP status, 500 or more.
        status: u16,
        /// What it says.
        message: String,
    },
    /// Too many requests.
    #[error("HTTP 429: GitLab gets too many requests; try again later")]
    Throttled,
    /// It sends requests elsewhere. The token is not taken there.
    #[error(
        "HTTP {status}: sent on to {to}, where the token is not taken; GitLab.Url must be the address that GitLab itself uses (https, its present name), and GitLabProject the project's present path or its number, if it was moved"
    )]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// Where to, without a query.
        to: String,
    },
    /// What answers is no GitLab.
    #[error(
        "HTTP {status}: the answer is no JSON of GitLab's API; does GitLab.Url lead to a GitLab, and not to a proxy's or a login's page?"
    )]
    NoApi {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is GitLab's and cannot be understood.
    #[error("HTTP {status}: the answer is not what GitLab's API describes")]
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
    /// GitLab rejects the token.
    #[error(
        "HTTP 401: GitLab does not accept the token ({message}); the token is from {token}. It is expired, revoked or not of this GitLab: store a valid one with `aws secretsmanager put-secret-value --secret-id {}`",
        token.secret_id
    )]
    TokenRefused {
        /// What it says.
        message: String,
        /// The secret that the token was read from.
        token: TokenSource,
    },
    /// The token may not use the API.
    #[error(
        "HTTP 403: the token from {token} does not have the scope `api`; store a token that has it with `aws secretsmanager put-secret-value --secret-id {}`",
        token.secret_id
    )]
    InsufficientScope {
        /// The secret that the token was read from.
        token: TokenSource,
    },
    /// The token's user has too little to say in the project.
    #[error(
        "HTTP {status}: the token's user has access level {level} in the project; push mirrors need a Maintainer ({MAINTAINER})"
    )]
    NotMaintainer {
        /// The HTTP status.
        status: u16,
        /// The user's access level.
        level: u64,
    },
    /// A Maintainer may not mirror (`app/policies/project_policy.rb`: `mirror_available`,
    /// `self_deletion_in_progress`, `external_authorization`).
    #[error(
        "HTTP {status}: {message}; the token's user is a Maintainer. On a self-managed GitLab an administrator may have switched push mirrors off for the instance: allow them in Admin, Settings, Repository, Repository mirroring. Otherwise the project is being deleted, or an external authorization service denies access to it"
    )]
    Disabled {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// It is not allowed, and nobody says why.
    #[error(
        "HTTP {status}: {message}; the token needs the scope `api`, its user must be a Maintainer of the project, and the instance must allow push mirrors"
    )]
    Denied {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// There is no such project, or the token may not see it.
    #[error(
        "HTTP 404: there is no such project, or the token's user may not see it; GitLabProject is the full path, with all groups, or the number"
    )]
    NotFound,
    /// The project is elsewhere. <https://docs.gitlab.com/api/rest/#redirects>
    #[error(
        "HTTP {status}: {message}; the project was moved: GitLabProject must be its present path, or its number, which stays"
    )]
    Moved {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// GitLab's limit of enabled mirrors, which versions before 18.9 do not have.
    /// <https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965>
    #[error(
        "HTTP {status}: {message}; each mirror needs a second one for a moment while its password changes: disable or remove a mirror in the project's Settings, Repository, Mirroring repositories"
    )]
    TooMany {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// There are mirrors to this address already, in every spelling of it.
    #[error(
        "HTTP {status}: {message}; this GitLab takes an address once only: remove the mirrors to this repository that are not needed"
    )]
    Taken {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// GitLab may not send to the address.
    #[error(
        "HTTP {status}: {message}; an administrator must allow this address (Admin, Settings, Network, Outbound requests)"
    )]
    Blocked {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// GitLab cannot resolve the destination's host (`lib/gitlab/http_v2/url_blocker.rb`).
    #[error(
        "HTTP {status}: {message}; GitLab cannot resolve the host name of CodeCommit: correct the DNS of the GitLab server"
    )]
    HostNotResolved {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// GitLab rejects the user of the address (`lib/gitlab/http_v2/url_blocker.rb`,
    /// `validate_user`).
    #[error(
        "HTTP {status}: {message}; the login of CodeCommit begins with the IAM user's name: choose a UserName that begins with a letter or a digit"
    )]
    UserNotAccepted {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// GitLab cannot parse the address: the login has a character such as `/`, `#` or `?`
    /// (`lib/gitlab/http_v2/url_blocker.rb`, `parse_url`).
    #[error(
        "HTTP {status}: {message}; the login has a character that GitLab does not accept in an address: change RotationSerial for another password, with UrlSafePassword: true"
    )]
    AddressNotParsed {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The mirror does not mirror.
    #[error(
        "HTTP {status}: {message}; GitLab counts the mirror as disabled: by itself, because the project has no repository or is being deleted, because the instance is in silent mode, or because push mirrors are switched off there"
    )]
    StaysDisabled {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The GitLab is too old.
    #[error("HTTP 404: this GitLab cannot be asked for a push; that came with version 16.11")]
    NoSync,
    /// The Community Edition ignores `mirror_branch_regex`.
    #[error(
        "this GitLab does not know mirror_branch_regex: BranchRegex needs the Enterprise Edition (documented for Premium and Ultimate). Remove BranchRegex, and protect the branches to mirror"
    )]
    NoBranchRegex,
    /// Another refusal.
    #[error("HTTP {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
}

/// Where a token was read from. It does not hold the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    /// `GitLab.TokenSecretId`.
    pub secret_id: String,
    /// `GitLab.TokenSecretKey`.
    pub secret_key: String,
}

impl std::fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TokenSource {
            secret_id,
            secret_key,
        } = self;
        write!(formatter, "secret {secret_id}, key {secret_key:?}")
    }
}

/// Why the token was not to be had, or not to be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// There is no such secret.
    #[error("there is no such secret in this account and region")]
    Missing,
    /// The function may not read it.
    #[error(
        "{cause}; the function may read a secret whose owner has given it the tag {URL_TAG}, with the value {url}; one with a key of its own needs the template's GitLabTokenKmsKeyArn besides"
    )]
    Denied {
        /// What AWS says.
        cause: String,
        /// The GitLab that the token is wanted for.
        url: String,
    },
    /// Its owner does not say where it may be sent.
    #[error(
        "the secret has no tag {URL_TAG}, with which its owner says where the token may be sent; it was not read. `aws secretsmanager tag-resource --secret-id {secret} --tags Key={URL_TAG},Value={url}` allows it"
    )]
    Untagged {
        /// The secret.
        secret: String,
        /// The GitLab that the token is wanted for.
        url: String,
    },
    /// Its owner means it for another GitLab.
    #[error(
        "the secret's owner allows its token for {tagged} (tag {URL_TAG}), and GitLab.Url is {url}; the token was neither read nor sent"
    )]
    OtherHost {
        /// The tag's value.
        tagged: String,
        /// The GitLab that the token is wanted for.
        url: String,
    },
    /// Its owner does not trust the certificates, so that a server that has one of them could read
    /// the token.
    #[error(
        "the secret's owner does not allow GitLab.CaCertificate: the tag {CA_TAG} does not have the SHA-256 fingerprint {missing}; the token was neither read nor sent. `aws secretsmanager tag-resource --secret-id {secret} --tags 'Key={CA_TAG},Value={all}'` allows it"
    )]
    UntrustedCa {
        /// The first fingerprint that the tag lacks.
        missing: String,
        /// Every fingerprint of `GitLab.CaCertificate`.
        all: String,
        /// The secret.
        secret: String,
    },
    /// It is a secret of this function's own, which holds a mirror's login.
    #[error(
        "the secret belongs to a stack's resource (tag {0}) and holds a mirror's login, so it was not read; GitLab.TokenSecretId must be the secret of a GitLab token"
    )]
    OwnSecret(&'static str),
    /// It has no value that is a text.
    #[error("the secret has no text as its value")]
    NoText,
    /// Its value is JSON without that member.
    #[error(
        "the secret's value is JSON without a text {0:?} in it; GitLab.TokenSecretKey names the member"
    )]
    NoMember(String),
    /// What it holds cannot be a token.
    #[error("what the secret holds is no token: it is empty, or has characters that no token has")]
    NoToken,
    /// AWS did something else.
    #[error("{}", .0.cause)]
    Failed(CallError),
}

impl Error {
    /// Whether it is not known if GitLab did what it was asked: no answer, one that cannot be
    /// read, or an internal error.
    pub fn outcome_unknown(&self) -> bool {
        match &self.kind {
            Kind::NoAnswer | Kind::TooLarge | Kind::OutOfOrder { .. } => true,
            Kind::NoApi { status } | Kind::Unreadable { status } => (200..300).contains(status),
            _ => false,
        }
    }

    /// Whether the same call may succeed later without a change by a person.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            Kind::Unreachable | Kind::NoAnswer | Kind::OutOfOrder { .. } | Kind::Throttled => true,
            Kind::Token(TokenFault::Failed(error)) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether nobody was reached who could say anything about the request: the network, TLS, what
    /// stands before GitLab, or GitLab as a whole is at fault.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable
                | Kind::NotVerified(_)
                | Kind::NoAnswer
                | Kind::TooLarge
                | Kind::OutOfOrder { .. }
                | Kind::Throttled
                | Kind::Redirected { .. }
                | Kind::NoApi { .. }
        )
    }
}
