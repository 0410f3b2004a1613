//! Why GitLab did not do what it was asked, and what can be done about it.

/// The tag with which a token's owner says where it may be sent.
pub const URL_TAG: &str = "cfn-gitops:gitlab-url";

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
    /// The token is none.
    #[error(
        "HTTP 401: GitLab does not accept the token ({message}); is it one of this GitLab's, and neither expired nor revoked?"
    )]
    TokenRefused {
        /// What it says.
        message: String,
    },
    /// The token may not use the API.
    #[error("HTTP 403: the token has not the scope `api`, which it needs")]
    InsufficientScope,
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
    /// A Maintainer may not mirror.
    #[error(
        "HTTP {status}: {message}; the token's user is a Maintainer, so that push mirrors must be switched off for the instance: an administrator can allow them (Admin, Settings, Repository, Repository mirroring)"
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
    /// The project has as many mirrors as it may have.
    #[error(
        "HTTP {status}: {message}; a project may have ten enabled push mirrors, and needs a free place while a password changes: disable or remove one in the project's Settings, Repository, Mirroring repositories"
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
    /// The GitLab takes no pattern.
    #[error(
        "this GitLab mirrors no branches by a pattern; BranchRegex needs GitLab Premium, and otherwise OnlyProtectedBranches chooses"
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
    #[error("{cause}")]
    Failed {
        /// What AWS says.
        cause: String,
        /// Whether the same may succeed later.
        may_pass: bool,
    },
}

impl Error {
    /// Whether it is not known if GitLab did what it was asked: no answer, one that cannot be
    /// read, or an internal error.
    pub fn is_uncertain(&self) -> bool {
        match &self.kind {
            Kind::NoAnswer | Kind::TooLarge | Kind::OutOfOrder { .. } => true,
            Kind::NoApi { status } | Kind::Unreadable { status } => (200..300).contains(status),
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
