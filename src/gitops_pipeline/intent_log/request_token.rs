//! The `ClientRequestToken`s of the child stack's operations.
//!
//! Every event of an operation has its token. From the events, a later delivery reads which request
//! started an operation, when CloudFormation signed the request, and the operation's purpose. A
//! token has at most 128 characters, `[a-zA-Z0-9][-a-zA-Z0-9]*`.

use std::time::SystemTime;

use crate::common::ownership;

const REQUEST: &str = "gitops";
const FIRST_PUSH: &str = "first-push";
/// The suffix of the content of [`Purpose::ApplyAgain`].
const AGAIN: &str = "again";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Create or update the stack with this content.
    Apply(String),
    /// The second attempt. A service could not assume a role in the first one, or others changed
    /// the stack after it failed.
    ApplyAgain(String),
    /// Cancel the update of an earlier request.
    Cancel,
    /// Continue a rollback that failed.
    ContinueRollback,
    /// Delete the stack, or an earlier stack that failed.
    Delete,
    /// Delete the stack that this request created, because the request failed.
    RollBack,
}

impl Purpose {
    /// The content that the operation applies. `None` for other operations.
    pub fn content(&self) -> Option<&str> {
        match self {
            Purpose::Apply(content) | Purpose::ApplyAgain(content) => Some(content),
            _ => None,
        }
    }
}

/// The request that started an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// When CloudFormation signed it, in seconds since 1970.
    pub signed: u64,
    /// A hash of its owner and its ID. CloudFormation may reuse an ID, but not in the same second.
    pub hash: String,
}

impl RequestKey {
    /// The key of the request with this ID for this owner.
    pub fn new(signed_at: SystemTime, request_id: &str, owner_key: &str) -> Self {
        RequestKey {
            signed: seconds(signed_at),
            hash: ownership::key(&format!("{request_id} {owner_key}")),
        }
    }

    /// Formats the key, for example as `1795161300-0123456789abcdef`.
    pub fn write(&self) -> String {
        format!("{}-{}", self.signed, self.hash)
    }

    /// Parses the text of [`RequestKey::write`]. Another text is the key of no request, and
    /// precedes every request.
    pub fn read(text: &str) -> Self {
        let (signed, hash) = text.split_once('-').unwrap_or_default();
        RequestKey {
            signed: signed.parse().unwrap_or(0),
            hash: hash.to_owned(),
        }
    }

    /// The token of an operation that this request starts.
    pub fn token(&self, purpose: &Purpose) -> String {
        let purpose = match purpose {
            Purpose::Apply(content) => content.clone(),
            Purpose::ApplyAgain(content) => format!("{content}-{AGAIN}"),
            Purpose::Cancel => "cancel".to_owned(),
            Purpose::ContinueRollback => "continue".to_owned(),
            Purpose::Delete => "delete".to_owned(),
            Purpose::RollBack => "undo".to_owned(),
        };
        format!("{REQUEST}-{}-{purpose}", self.write())
    }
}

/// A time in seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A new token for the update after a first push. Each delivery has its own, so that a retry after
/// a failure starts another update.
pub fn of_first_push() -> String {
    format!("{FIRST_PUSH}-{:016x}", fastrand::u64(..))
}

/// Parses a token. `None` if no request created it.
pub fn read(token: &str) -> Option<(RequestKey, Purpose)> {
    let mut parts = token.strip_prefix(REQUEST)?.strip_prefix('-')?.split('-');
    let signed = parts.next()?.parse().ok()?;
    let hash = parts.next()?.to_owned();
    let purpose = match (parts.next()?, parts.next()) {
        ("cancel", None) => Purpose::Cancel,
        ("continue", None) => Purpose::ContinueRollback,
        ("delete", None) => Purpose::Delete,
        ("undo", None) => Purpose::RollBack,
        (content, None) => Purpose::Apply(content.to_owned()),
        (content, Some(AGAIN)) => Purpose::ApplyAgain(content.to_owned()),
        _ => return None,
    };
    parts.next().is_none().then_some((RequestKey { signed, hash }, purpose))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_contains_request_and_purpose() {
        let signed_at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_161_300);
        let key = RequestKey::new(signed_at, "a-request", "an-owner");
        for purpose in [
            Purpose::Apply(ownership::key("a template")),
            Purpose::ApplyAgain(ownership::key("a template")),
            Purpose::Cancel,
            Purpose::ContinueRollback,
            Purpose::Delete,
            Purpose::RollBack,
        ] {
            let token = key.token(&purpose);
            assert_eq!(read(&token), Some((key.clone(), purpose)));
            assert!(token.len() <= 128);
            assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        }
    }

    #[test]
    fn token_of_another_caller_is_not_read() {
        let first_push = of_first_push();
        for token in [
            "",
            "gitops",
            "gitops-1",
            "gitops-1-2",
            "gitops-x-y-z",
            "gitops-1-2-3-4",
            "Console-CreateStack-7f59c3cf-00d2-40c7-b2ff-e75db0987002",
            &first_push,
        ] {
            assert_eq!(read(token), None, "{token}");
        }
    }
}
