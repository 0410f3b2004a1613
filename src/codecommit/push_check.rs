//! Whether a login can push: asked of the git server itself, without pushing anything.

use std::time::Duration;

use crate::http::{Http, is_https_or_loopback};
use crate::password::Password;
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

/// How long a new login may take to become valid. IAM is eventually consistent, and AWS states no
/// limit: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>.
pub const NEW_LOGIN_TIMEOUT: Duration = Duration::from_mins(5);
/// How long an earlier login may be rejected before its password counts as changed by hand.
pub const EARLIER_LOGIN_TIMEOUT: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a login was not proved able to push.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPushable {
    /// 401: the server does not know the login.
    #[error(
        "HTTP 401: the login is not accepted; is the credential active, and did it have time to spread?"
    )]
    LoginRefused,
    /// 403: the login is known and may not push.
    #[error(
        "HTTP 403: the login may not push; a policy of the user must allow codecommit:GitPull and codecommit:GitPush on the repository, and none may deny it (or the stored password is not the credential's any more: then change RotationSerial)"
    )]
    PushDenied,
    /// Anything else.
    #[error("HTTP {0}")]
    Status(u16),
    /// The server could not be reached.
    #[error("the git server does not answer")]
    NoAnswer,
    /// A password is never sent in clear over a network.
    #[error("the repository's clone address is neither https nor on this machine")]
    InsecureAddress,
}

impl NotPushable {
    /// Whether the server knew who asked, or what for, and refused it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, NotPushable::LoginRefused | NotPushable::PushDenied)
    }

    /// A reason with this `text`.
    pub fn reason_with(&self, text: String) -> Reason {
        let code = match self {
            NotPushable::LoginRefused => Code::LoginRejected,
            NotPushable::PushDenied => Code::PushDenied,
            NotPushable::Status(_) | NotPushable::NoAnswer => Code::AwsUnavailable,
            NotPushable::InsecureAddress => Code::AwsUnreachable,
        };
        Reason::new(code, text)
    }

    /// Whether the same login may be accepted later: IAM propagates a new one, and the policy that
    /// lets it push, within seconds; the server recovers.
    pub fn is_transient(&self) -> bool {
        match self {
            NotPushable::LoginRefused | NotPushable::PushDenied | NotPushable::NoAnswer => true,
            NotPushable::Status(status) => *status == 429 || *status >= 500,
            NotPushable::InsecureAddress => false,
        }
    }
}

/// Asks the server at `clone_url` for what a push begins with, as `user` with `password`.
///
/// Anything but 200 is asked again for `patience`, because IAM takes time to propagate a login
/// ([`NEW_LOGIN_TIMEOUT`]).
/// Source: git's HTTP protocol, "Smart Server Response" of `git-receive-pack`.
pub async fn prove_pushable(
    http: &Http,
    clone_url: &str,
    user: &str,
    password: &Password,
    patience: Duration,
) -> Result<(), NotPushable> {
    if !is_https_or_loopback(clone_url) {
        return Err(NotPushable::InsecureAddress);
    }
    let url = format!(
        "{}/info/refs?service=git-receive-pack",
        clone_url.trim_end_matches('/')
    );
    let give_up = tokio::time::Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = http.get_status(&url, user, password);
        let refusal = match tokio::time::timeout(Duration::from_secs(10), attempt).await {
            Ok(Ok(200)) => return Ok(()),
            Ok(Ok(401)) => NotPushable::LoginRefused,
            Ok(Ok(403)) => NotPushable::PushDenied,
            Ok(Ok(status)) => NotPushable::Status(status),
            Ok(Err(_)) | Err(_) => NotPushable::NoAnswer,
        };
        if tokio::time::Instant::now() + pause >= give_up {
            return Err(refusal);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
