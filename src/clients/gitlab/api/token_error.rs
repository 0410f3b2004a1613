//! Why a token cannot be read, or may not be sent to a GitLab.

use crate::clients::aws::CallError;

/// The tag with which a token's owner names the GitLab that it may be sent to.
pub const URL_TAG: &str = "cfn-gitops:gitlab-url";

/// The tag with which a token's owner allows the certificates of `GitLab.CaCertificate`: the
/// SHA-256 fingerprint of each, separated by spaces.
pub const CA_TAG: &str = "cfn-gitops:gitlab-ca-sha256";

/// The tag with which a token's owner allows its token for one environment only.
pub const ENV_TAG: &str = "cfn-gitops:env";

/// Where a token was read from. It does not hold the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    pub secret_id: String,
    pub secret_key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Neither the properties nor the saved spec name a token for this GitLab.
    #[error("cfn-gitops has no token for this GitLab")]
    Unnamed,
    #[error("no such secret in this account and region")]
    Missing,
    /// Secrets Manager adds a hyphen and six characters to a name.
    #[error("no such secret: its ARN does not end with a hyphen and six characters")]
    PartialArn,
    #[error("the ARN is one of region {region}, and the function reads secrets of {own}")]
    OtherRegion { region: String, own: String },
    /// It still has its tags.
    #[error("the secret is scheduled for deletion, so its token cannot be read")]
    Deleted { secret: String },
    #[error("{cause}")]
    Denied { cause: String, url: String },
    #[error(
        "the secret has no tag {URL_TAG}, with which its owner allows its token for a GitLab, so it was not read"
    )]
    Untagged { secret: String, url: String },
    #[error(
        "the secret's owner allows its token for {tagged} (tag {URL_TAG}), and not for {url}. The token was neither read nor sent"
    )]
    OtherGitLab { tagged: String, url: String },
    #[error(
        "the secret's owner allows its token for environment {tagged} only (tag {ENV_TAG}), and this function is that of {own}. The token was neither read nor sent"
    )]
    OtherEnvironment { tagged: String, own: String },
    /// The secret's owner does not allow a certificate. A server with it could read the token.
    #[error(
        "the secret's owner does not allow GitLab.CaCertificate: the tag {CA_TAG} lacks the SHA-256 fingerprint {missing}. The token was neither read nor sent"
    )]
    UntrustedCa {
        /// The first fingerprint that the tag lacks.
        missing: String,
        /// The fingerprints of the tag, and those that it lacks.
        all: String,
        secret: String,
    },
    #[error(
        "the secret belongs to a stack's resource (tag {0}) and holds a mirror's login, so it was not read"
    )]
    OwnSecret(&'static str),
    /// The secret's value is binary or missing.
    #[error("the secret has no text value")]
    NoText,
    #[error("the secret's value is JSON without a text member {0:?}")]
    NoMember(String),
    #[error("the secret's value begins as a JSON object, but {0}")]
    NotJson(String),
    #[error("the secret's value is not a token: {0}")]
    NotAToken(&'static str),
    /// The prefix of the value shows the kind of token.
    #[error("the secret's value is {0}, which GitLab's API does not accept for this")]
    OtherKind(&'static str),
    #[error("{}", .0.cause)]
    Failed(Box<CallError>),
}
