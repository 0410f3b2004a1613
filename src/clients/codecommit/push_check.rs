//! Checks whether a login can push, with the first request of a push, which pushes nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::clients::http::{Http, is_https_or_loopback};
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use cfn_custom_resource::{Attempt, Reason, doubling, retry};

/// How long a new login may take to become valid. IAM is eventually consistent, and AWS states no
/// limit: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>.
pub const NEW_LOGIN_TIMEOUT: Duration = Duration::from_mins(5);
/// How long an earlier login may be rejected before its password counts as changed by hand.
pub const EARLIER_LOGIN_TIMEOUT: Duration = Duration::from_mins(1);
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(3);

/// Why it is not proved that a login can push.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushCheckError {
    /// 401: the server rejects the login.
    #[error("HTTP 401: the login is not accepted")]
    LoginRejected,
    /// 403: the server accepts the login and denies the push.
    #[error("HTTP 403: the login may not push")]
    PushDenied,
    /// Another status.
    #[error("HTTP {0}")]
    Status(u16),
    /// No response.
    #[error("the git server does not answer")]
    NoResponse,
    /// A password is never sent unencrypted over a network.
    #[error("the repository's clone address is neither https nor on this machine")]
    InsecureAddress,
}

impl PushCheckError {
    /// Whether the server rejected the login or denied the push.
    pub fn is_rejection(&self) -> bool {
        match self {
            PushCheckError::LoginRejected | PushCheckError::PushDenied => true,
            PushCheckError::Status(_)
            | PushCheckError::NoResponse
            | PushCheckError::InsecureAddress => false,
        }
    }

    /// The reason that reports this error of `doing` something.
    pub fn reason(&self, doing: &str) -> Reason {
        let (code, remedy) = match self {
            PushCheckError::LoginRejected => (
                Code::LoginRejected,
                "Deploy again: IAM may need longer to accept a new login. If it stays so, check in IAM that \
                 the credential is active, then change RotationSerial",
            ),
            PushCheckError::PushDenied => (
                Code::PushDenied,
                "Allow codecommit:GitPull and codecommit:GitPush on the repository in a policy of the user, \
                 and deny them in none. If the repository has a customer managed key, allow the user \
                 kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey on it (kms:ViaService codecommit). \
                 If all is allowed, the stored password is no longer the credential's: change RotationSerial",
            ),
            PushCheckError::Status(_) => (
                Code::AwsUnavailable,
                "Try again. If it stays so, look at the AWS Health Dashboard",
            ),
            PushCheckError::NoResponse => (
                Code::AwsUnavailable,
                "Check the function's network path to CodeCommit's git endpoint, and deploy again",
            ),
            PushCheckError::InsecureAddress => (
                Code::AwsUnreachable,
                "Correct the AWS endpoint that the function uses",
            ),
        };
        Reason::new(code, format!("{doing}: {self}"), remedy)
    }

    /// Whether the same login may be accepted later: IAM propagates a new one, and the policy that
    /// lets it push, within seconds; the server recovers.
    pub fn is_transient(&self) -> bool {
        match self {
            PushCheckError::LoginRejected
            | PushCheckError::PushDenied
            | PushCheckError::NoResponse => true,
            PushCheckError::Status(status) => *status == 429 || *status >= 500,
            PushCheckError::InsecureAddress => false,
        }
    }
}

/// Sends the first request of a push to `clone_url`, as `user` with `password`.
///
/// It is retried for `patience` until the status is 200, because IAM takes time to propagate a
/// login ([`NEW_LOGIN_TIMEOUT`]). Source: git's HTTP protocol, "Smart Server Response" of
/// `git-receive-pack`.
pub async fn check_push(
    http: &Http,
    clone_url: &str,
    user: &str,
    password: &Password,
    patience: Duration,
) -> Result<(), PushCheckError> {
    if !is_https_or_loopback(clone_url) {
        return Err(PushCheckError::InsecureAddress);
    }
    let url = format!(
        "{}/info/refs?service=git-receive-pack",
        clone_url.trim_end_matches('/')
    );
    let attempt = async || {
        let status = http.get_status(&url, user, password);
        let error = match tokio::time::timeout(Duration::from_secs(10), status).await {
            Ok(Ok(200)) => return Attempt::Final(Ok(())),
            Ok(Ok(401)) => PushCheckError::LoginRejected,
            Ok(Ok(403)) => PushCheckError::PushDenied,
            Ok(Ok(status)) => PushCheckError::Status(status),
            Ok(Err(_)) | Err(_) => PushCheckError::NoResponse,
        };
        Attempt::MayPass(Err(error), Duration::ZERO)
    };
    let until = Some(Instant::now() + patience);
    retry(doubling(INITIAL_BACKOFF, MAX_BACKOFF), until, attempt).await
}
