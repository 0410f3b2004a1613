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
    /// `GitLab.TokenSecretId`.
    pub secret_id: String,
    /// `GitLab.TokenSecretKey`.
    pub secret_key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Neither the properties nor the saved spec name a token for this GitLab.
    #[error(
        "cfn-gitops has no token for this GitLab. Update the stack, or remove its mirrors in GitLab"
    )]
    Unnamed,
    #[error(
        "no such secret in this account and region. Create it, or set GitLab.TokenSecretId to the secret of a GitLab token"
    )]
    Missing,
    #[error(
        "{cause}. The function may read a secret that its owner has given the tag {URL_TAG} with the value {url}. If it has the tag {ENV_TAG}, only the function of that environment may read it. If the secret has its own KMS key, set GitLabTokenKmsKeyArn on the provider stack, too"
    )]
    Denied { cause: String, url: String },
    #[error(
        "the secret has no tag {URL_TAG}, with which its owner allows its token for a GitLab, so it was not read. Allow it with `aws secretsmanager tag-resource --secret-id {secret} --tags Key={URL_TAG},Value={url}`"
    )]
    Untagged { secret: String, url: String },
    #[error(
        "the secret's owner allows its token for {tagged} (tag {URL_TAG}), and GitLab.Url is {url}. The token was neither read nor sent. Set GitLabUrl to {tagged} (the property GitLab.Url), or GitLab.TokenSecretId to the secret of a token for {url}"
    )]
    OtherGitLab { tagged: String, url: String },
    #[error(
        "the secret's owner allows its token for environment {tagged} only (tag {ENV_TAG}), and this function is that of {own}. The token was neither read nor sent. Set GitLab.TokenSecretId to the secret of this environment's token"
    )]
    OtherEnvironment { tagged: String, own: String },
    /// The secret's owner does not allow a certificate. A server with it could read the token.
    #[error(
        "the secret's owner does not allow GitLab.CaCertificate: the tag {CA_TAG} lacks the SHA-256 fingerprint {missing}. The token was neither read nor sent. Allow the certificate with `aws secretsmanager tag-resource --secret-id {secret} --tags 'Key={CA_TAG},Value={all}'`"
    )]
    UntrustedCa {
        /// The first fingerprint that the tag lacks.
        missing: String,
        /// Every fingerprint of `GitLab.CaCertificate`.
        all: String,
        secret: String,
    },
    #[error(
        "the secret belongs to a stack's resource (tag {0}) and holds a mirror's login, so it was not read. Set GitLab.TokenSecretId to the secret of a GitLab token"
    )]
    OwnSecret(&'static str),
    /// The secret's value is binary or missing.
    #[error("the secret has no text value. Store the token in it as text")]
    NoText,
    #[error(
        "the secret's value is JSON without a text member {0:?}. Set GitLab.TokenSecretKey to the member that is the token"
    )]
    NoMember(String),
    #[error("the secret's value begins as a JSON object, but {0}. Correct it in Secrets Manager")]
    NotJson(String),
    #[error(
        "the secret's value is not a token: {0}. Store the token alone, or as the member GitLab.TokenSecretKey of a JSON object"
    )]
    NotAToken(&'static str),
    #[error("{}", .0.cause)]
    Failed(Box<CallError>),
}

impl TokenError {
    /// Whether reading the token may succeed later without a change by a person.
    pub fn is_transient(&self) -> bool {
        matches!(self, TokenError::Failed(error) if error.is_transient())
    }
}
