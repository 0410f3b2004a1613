//! The reason that reports an error of GitLab: its remedy and its code.

use super::error::{ErrorKind, GitLabError, Rejection};
use super::token_error::{CA_TAG, ENV_TAG, TokenError, TokenSource, URL_TAG};
use crate::clients::aws::{CHANGE_OTHER_POLICY, is_denied_elsewhere};
use crate::clients::http::{ProxyError, TlsError};
use crate::common::commands::{aws, restore_secret};
use crate::common::reason_codes::{Code, GITLAB_SAYS_IT};
use cfn_custom_resource::{Reason, Remedy};

/// Where a Maintainer switches parts of a project on and off.
const FEATURES: &str = "Settings, General, Visibility, project features, permissions";

impl GitLabError {
    pub fn reason(&self) -> Reason {
        let (code, remedy) = (self.kind.reason_code(), self.kind.remedy());
        Reason::new(code, self.to_string(), remedy)
    }
}

impl ErrorKind {
    fn reason_code(&self) -> Code {
        match self {
            ErrorKind::UnusableUrl | ErrorKind::InvalidCaCertificate => Code::InvalidProperties,
            ErrorKind::Token(error) => error.reason_code(),
            ErrorKind::Unreachable
            | ErrorKind::Proxy(_)
            | ErrorKind::NoResponse
            | ErrorKind::ServerError { .. }
            | ErrorKind::Throttled { .. } => Code::GitLabUnreachable,
            ErrorKind::Tls(error) => of_tls(error).0,
            ErrorKind::TooLarge
            | ErrorKind::Redirected { .. }
            | ErrorKind::NotGitLab { .. }
            | ErrorKind::Blocked { .. }
            | ErrorKind::Challenged { .. }
            | ErrorKind::UnknownRoute
            | ErrorKind::UnexpectedResponse { .. } => Code::NotGitLab,
            ErrorKind::TokenRejected { .. } | ErrorKind::ProofRequired { .. } => {
                Code::TokenRejected
            }
            ErrorKind::InsufficientScope { .. }
            | ErrorKind::InsufficientPermissions { .. }
            | ErrorKind::NotMaintainer { .. } => Code::TokenLacksAccess,
            ErrorKind::NotFound => Code::ProjectMissing,
            ErrorKind::UnsafeLogin => Code::AddressRejected,
            ErrorKind::NoSync => Code::GitLabRejected,
            ErrorKind::Rejected { cause, .. } => cause.reason_code(),
        }
    }

    #[rustfmt::skip] // A table.
    fn remedy(&self) -> Remedy {
        let remedy = match self {
            ErrorKind::Token(error) => return error.remedy(),
            // GitLab may lack the commit or its branch. A message about a deployment begins with an
            // attribute's name, which GitLab does not translate (`app/models/deployment.rb`).
            ErrorKind::Rejected { cause: Rejection::ReportRejected, status, message } if *status == 404 || message.starts_with("sha ") || message.starts_with("ref ") => "Follow GitLab's message. If the commit is only in CodeCommit, push it to GitLab",
            ErrorKind::Rejected { cause, .. } => return cause.remedy(),
            ErrorKind::TokenRejected { token, .. } => return store_token("a valid token", token),
            ErrorKind::ProofRequired { token, .. } => return store_token("a project or group access token", token).then(", or let the token's user disable DPoP in GitLab"),
            ErrorKind::InsufficientScope { token } => return store_token("a token that has it", token),
            ErrorKind::InsufficientPermissions { token, .. } => return store_token("a fine-grained token with the permission", token),
            ErrorKind::Tls(error) => of_tls(error).1,
            ErrorKind::Redirected { .. } => "If that is this GitLab's own address, set GitLab.Url to the part before /api/v4. Otherwise check that GitLab.Url leads to GitLab, and not to a proxy or a login page",
            ErrorKind::UnusableUrl => "Set GitLab.Url to such an address (http is accepted for this machine only)",
            ErrorKind::InvalidCaCertificate => "Set GitLab.CaCertificate to the certificate of the private CA",
            ErrorKind::UnsafeLogin => "Change RotationSerial for another password",
            ErrorKind::Proxy(ProxyError::Answered(407)) => "Let the proxy connect the function without a login. Or name GitLab's host in NoProxy, if the function reaches it directly",
            ErrorKind::Proxy(_) => "Check GitLab.Url, and let the proxy connect to its host and port. Or name the host in NoProxy, if the function reaches it directly",
            ErrorKind::Unreachable => "Check GitLab.Url, and the function's network path to it",
            ErrorKind::NoResponse => "Try again in some minutes. If it stays so, check the function's network path to GitLab, and GitLab's load",
            ErrorKind::TooLarge => "If GitLab.Url does not lead to GitLab, correct it",
            ErrorKind::ServerError { .. } => "Try again in some minutes. If it stays so, look at GitLab's own logs or status page",
            ErrorKind::Throttled { .. } => "Try again later. A report is repeated by the health check",
            ErrorKind::NotGitLab { .. } | ErrorKind::UnexpectedResponse { .. } => "Check that GitLab.Url leads to GitLab, and not to a proxy or a login page",
            ErrorKind::Blocked { .. } => "Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body",
            ErrorKind::Challenged { .. } => "Try again later. If it stays so, exclude the function's addresses from Cloudflare's challenges. For gitlab.com, let the function send from an address of its own (a NAT gateway with an Elastic IP address)",
            ErrorKind::UnknownRoute => "If a proxy in front of GitLab decodes %2F in paths, let it pass them unchanged, or set GitLabProject (of a pipeline: GitLab.Project) to the project's number. If GitLab has a path of its own, such as /gitlab, add it to GitLab.Url",
            ErrorKind::NotMaintainer { .. } => "Make the user a Maintainer, or store a Maintainer's token",
            ErrorKind::NotFound => "Set GitLabProject (of a pipeline: GitLab.Project) to the full path, with all groups, or to the project's number. If it is right, make the token's user a Maintainer of the project",
            ErrorKind::NoSync => "Upgrade GitLab to 16.11 or later",
        };
        remedy.into()
    }
}

fn store_token(which: &str, token: &TokenSource) -> Remedy {
    aws([
        "secretsmanager",
        "put-secret-value",
        "--secret-id",
        &token.secret_id,
        "--secret-string",
        "file:///dev/stdin",
    ])
    .after(format!("Store {which} with "))
}

#[rustfmt::skip] // A table.
fn of_tls(error: &TlsError) -> (Code, &'static str) {
    let (certificate, handshake) = (Code::GitLabNotTrusted, Code::NoTlsConnection);
    match error {
        TlsError::Expired | TlsError::Revoked => (certificate, "Renew GitLab's certificate"),
        TlsError::NotYetValid => (certificate, "Wait until it is valid, or correct the clock of the server that issued it"),
        TlsError::WrongName(_) => (certificate, "Set GitLab.Url to a name in the certificate if it has one, or issue a certificate with the name in GitLab.Url as a subject alternative name"),
        TlsError::UnknownCa => (certificate, "If a private CA signed it, set GitLab.CaCertificate to the CA's certificate. If a public one did, let the server send the intermediate certificates too"),
        TlsError::CaAsServer => (certificate, "Create GitLab's certificate with `-addext basicConstraints=critical,CA:FALSE`, or let a CA sign it, and set GitLab.CaCertificate to the new one or to the CA's"),
        TlsError::BadSignature => (certificate, "Set GitLab.CaCertificate to the present certificate of the CA: another one has the same name"),
        TlsError::UnsupportedAlgorithm => (certificate, "Issue GitLab's certificate with ECDSA (P-256 or P-384) or RSA of at least 2048 bits, and SHA-256 or better"),
        TlsError::UnusableCertificate => (certificate, "Issue an X.509 certificate of version 3 for server authentication, with its intermediate certificates"),
        TlsError::ClientCertificateRequired => (handshake, "Let the proxy in front of GitLab accept the function without a client certificate"),
        TlsError::NothingInCommon => (handshake, "Let the server support TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20"),
        TlsError::UnknownName => (handshake, "Check the host name in GitLab.Url, and the names that the server has"),
        TlsError::Refused => (handshake, "Let the server support TLS 1.3, or TLS 1.2 with ECDHE, and require no client certificate"),
        TlsError::ServerFailed => (handshake, "Try again in some minutes. If it stays so, read the server's log"),
        TlsError::NotTls => (handshake, "Check the port in GitLab.Url: the server there does not use https"),
        TlsError::Failed => (handshake, "Check with `openssl s_client` what the server at GitLab.Url responds"),
    }
}

impl Rejection {
    fn reason_code(self) -> Code {
        match self {
            Rejection::Denied | Rejection::AccessDenied => Code::TokenLacksAccess,
            Rejection::Temporary => Code::GitLabUnreachable,
            Rejection::ReportDenied | Rejection::Archived | Rejection::DeploymentDenied => {
                Code::ReportDenied
            }
            Rejection::SwitchedOff(_) | Rejection::MembersOnly(_) => Code::PartSwitchedOff,
            Rejection::ReportRejected => Code::ReportRejected,
            Rejection::ProjectMoved(_) => Code::ProjectMissing,
            Rejection::MirrorsDisabled | Rejection::StaysDisabled => Code::MirrorsDisabled,
            Rejection::TooManyMirrors | Rejection::DuplicateAddress => Code::MirrorLimit,
            Rejection::AddressBlocked => Code::AddressRejected,
            Rejection::Other => Code::GitLabRejected,
        }
    }

    #[rustfmt::skip] // A table.
    fn remedy(self) -> Remedy {
        let remedy = match self {
            Rejection::SwitchedOff(_) => return format!("Change that in the project's {FEATURES}").into(),
            Rejection::MembersOnly(_) => return format!("Add the user to the project, or change that in the project's {FEATURES}").into(),
            Rejection::Other | Rejection::ReportRejected => GITLAB_SAYS_IT,
            Rejection::MirrorsDisabled => "Check, for example, whether push mirrors are switched off for the instance, the project is being deleted, or an external authorization service denies access to it. An administrator of a self-managed GitLab allows push mirrors in Admin, Settings, Repository, Repository mirroring",
            Rejection::Denied => "Give the token the scope `api`, make its user a Maintainer of the project, and allow push mirrors for the instance",
            Rejection::AccessDenied => "Give the token's user this right in the project, or switch on this part of the project",
            Rejection::Temporary => "Try again later: this state of GitLab passes. A report is repeated by the health check",
            Rejection::ReportDenied => "Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only",
            Rejection::Archived => "Unarchive it in its Settings, General, Advanced, or remove GitLab from the resource",
            Rejection::DeploymentDenied => "If the commit's statuses are posted, the environment is protected: let the token's user deploy to it in the project's Settings, CI/CD, Protected environments",
            Rejection::ProjectMoved(_) => "If the project is scheduled for deletion, restore it in its Settings, General, Advanced. Otherwise set GitLabProject (of a pipeline: GitLab.Project) to the project's present path, or to its number, which does not change",
            Rejection::TooManyMirrors => "Disable or remove a mirror in the project's Settings, Repository, Mirroring repositories: while its password changes, each mirror needs a second one",
            Rejection::DuplicateAddress => "If this GitLab accepts an address only once, remove the mirrors to this repository that are not needed",
            Rejection::AddressBlocked => "If GitLab may not send requests there, let an administrator allow this address (Admin, Settings, Network, Outbound requests). If GitLab cannot resolve the host name of CodeCommit, correct the DNS of the GitLab server. If it rejects the username, set UserName to a name that begins with a letter or a digit",
            Rejection::StaysDisabled => "Check whether the project has no repository or is being deleted, the instance is in silent mode, or push mirrors are switched off for it",
        };
        remedy.into()
    }
}

impl TokenError {
    fn reason_code(&self) -> Code {
        match self {
            TokenError::Missing
            | TokenError::PartialArn
            | TokenError::OtherRegion { .. }
            | TokenError::OtherKind(_)
            | TokenError::Deleted { .. }
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

    #[rustfmt::skip] // A table.
    pub fn remedy(&self) -> Remedy {
        let tag = |secret: &str, key: &str, value: &str| {
            let tag = format!("Key={key},Value={value}");
            aws(["secretsmanager", "tag-resource", "--secret-id", secret, "--tags", &tag])
        };
        let remedy = match self {
            TokenError::Failed(error) => return error.reason().remedy,
            // The message names the key, so no tag is the cause.
            TokenError::Denied { cause, .. } if cause.contains("kms:") && is_denied_elsewhere(cause) => CHANGE_OTHER_POLICY.into(),
            TokenError::Denied { cause, .. } if cause.contains("kms:") || cause.contains("Access to KMS") => "Set GitLabTokenKmsKeyArn on the provider stack to the key of the secret, and allow the account or the function's role in the key's policy".into(),
            TokenError::Denied { url, .. } => format!("Let the secret's owner give it the tag {URL_TAG} with the value {url}. If it has the tag {ENV_TAG}, only the function of that environment may read it. If the secret has its own KMS key, set GitLabTokenKmsKeyArn on the provider stack, too"),
            TokenError::Untagged { secret, url } => return tag(secret, URL_TAG, url).after("Allow this GitLab with "),
            TokenError::OtherGitLab { tagged, url } => format!("Set GitLabUrl to {tagged} (the property GitLab.Url), or GitLab.TokenSecretId to the secret of a token for {url}"),
            TokenError::UntrustedCa { all, secret, .. } => return tag(secret, CA_TAG, all).after("Allow the certificate with "),
            TokenError::Unnamed => "Update the stack, or remove its mirrors in GitLab".into(),
            TokenError::Missing => "Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token".into(),
            TokenError::PartialArn => "Set GitLab.TokenSecretId to the secret's name, or to its whole ARN".into(),
            TokenError::OtherRegion { own, .. } => format!("Replicate the secret to {own} or create it there, and set GitLab.TokenSecretId to its name"),
            TokenError::OtherKind(_) => "Store a personal, project or group access token with the scope `api`".into(),
            TokenError::Deleted { secret } => return restore_secret(secret).after("Restore it: "),
            TokenError::OtherEnvironment { .. } => "Set GitLab.TokenSecretId to the secret of this environment's token".into(),
            TokenError::OwnSecret(_) => "Set GitLab.TokenSecretId to the secret of a GitLab token".into(),
            TokenError::NoText => "Store the token in it as text".into(),
            TokenError::NoMember(_) => "Store the token alone, or set GitLab.TokenSecretKey to its member".into(),
            TokenError::NotJson(_) => "Correct the value in Secrets Manager".into(),
            TokenError::NotAToken(_) => "Store the token alone, or as the member GitLab.TokenSecretKey of a JSON object".into(),
        };
        remedy.into()
    }
}
