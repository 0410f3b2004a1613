//! The `ClientRequestToken`s of the child stack's operations.
//!
//! CloudFormation gives every event of an operation its token, so the tokens are where this
//! resource remembers what it did: for which request, when CloudFormation signed that, and what it
//! was about. At most 128 characters, `[a-zA-Z0-9][-a-zA-Z0-9]*`.

use std::time::{Duration, SystemTime};

use crate::ownership;

const REQUEST: &str = "gitops";
const FIRST_PUSH: &str = "first-push";
/// After the content of [`Purpose::MakeAgain`].
const AGAIN: &str = "again";

/// What an operation was begun for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To bring the stack to this content.
    Make(String),
    /// The same once more, because a service could not assume a role the first time.
    MakeAgain(String),
    /// To stop an update of an earlier request.
    Cancel,
    /// To end a rollback that had failed.
    ContinueRollback,
    /// To delete the stack, or what is left of an earlier one.
    Delete,
    /// To delete what this request made, because it failed.
    Undo,
}

impl Purpose {
    /// The content that the operation brings the stack to; `None` for other operations.
    pub fn content(&self) -> Option<&str> {
        match self {
            Purpose::Make(content) | Purpose::MakeAgain(content) => Some(content),
            _ => None,
        }
    }
}

/// Which request an operation belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// When CloudFormation signed it, in seconds since 1970.
    pub signed: u64,
    /// A hash of its id (which may be used again, but not in the same second) and its resource.
    pub hash: String,
}

impl RequestKey {
    /// The key of the request with this id about this resource.
    pub fn new(signed_at: SystemTime, request_id: &str, owner_key: &str) -> Self {
        let since = signed_at.duration_since(SystemTime::UNIX_EPOCH);
        RequestKey {
            signed: since.unwrap_or(Duration::ZERO).as_secs(),
            hash: ownership::key(&format!("{request_id} {owner_key}")),
        }
    }

    /// The token of an operation that is begun for this request.
    pub fn token(&self, purpose: &Purpose) -> String {
        let purpose = match purpose {
            Purpose::Make(content) => content.clone(),
            Purpose::MakeAgain(content) => format!("{content}-{AGAIN}"),
            Purpose::Cancel => "cancel".to_owned(),
            Purpose::ContinueRollback => "continue".to_owned(),
            Purpose::Delete => "delete".to_owned(),
            Purpose::Undo => "undo".to_owned(),
        };
        format!("{REQUEST}-{}-{}-{purpose}", self.signed, self.hash)
    }
}

/// A token for an operation that a branch's first push begins. Each delivery has one of its own,
/// so that one that Lambda repeats after a failure begins anew.
pub fn of_first_push() -> String {
    format!("{FIRST_PUSH}-{:016x}", fastrand::u64(..))
}

/// Reads a token; `None` when it is not one of a request's.
pub fn read(token: &str) -> Option<(RequestKey, Purpose)> {
    let mut parts = token.strip_prefix(REQUEST)?.strip_prefix('-')?.split('-');
    let signed = parts.next()?.parse().ok()?;
    let hash = parts.next()?.to_owned();
    let purpose = match (parts.next()?, parts.next()) {
        ("cancel", None) => Purpose::Cancel,
        ("continue", None) => Purpose::ContinueRollback,
        ("delete", None) => Purpose::Delete,
        ("undo", None) => Purpose::Undo,
        (content, None) => Purpose::Make(content.to_owned()),
        (content, Some(AGAIN)) => Purpose::MakeAgain(content.to_owned()),
        _ => return None,
    };
    parts
        .next()
        .is_none()
        .then_some((RequestKey { signed, hash }, purpose))
}

#[cfg(test)]
mod tests;
