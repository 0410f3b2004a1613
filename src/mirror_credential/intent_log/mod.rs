//! The records in AWS that survive a crash: tags of the user, tags of the secret, and the labels of
//! the secret's versions.
//!
//! Each of the three places has a property that the others lack:
//! - The **user's tags** outlive the secret, and IAM deletes them with the user. They name the
//!   owner of the user's slots, the credentials that existed before the latest attempt to issue
//!   one, and the latest Delete. IAM shows them late.
//! - The **secret's versions** are a log. The version ID of an entry follows from its number. If
//!   two deliveries write the next entry, exactly one succeeds, because Secrets Manager rejects
//!   another value under the same token. An entry is a claim (a delivery is about to issue), a
//!   login, or the spec.
//! - The **label** of a login's version names its credential. Secrets Manager writes it atomically
//!   with the value, and `DescribeSecret` returns it without the password.

pub mod mirrors;

use crate::mirror_credential::credential_class::CredentialClass;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub use crate::common::ownership::{LOGICAL_ID, Owner, STACK_ID, key, read_time, write_time};

/// On the user: the secret that holds its login.
pub const SECRET_NAME: &str = "cfn-gitops:secret-name";
/// On the user: the latest open [`IssueIntent`].
pub const OPEN_INTENT: &str = "cfn-gitops:attempt";
/// On the user: the latest closed [`IssueIntent`].
pub const CLOSED_INTENT: &str = "cfn-gitops:ended-attempt";
/// On the user: the latest [`Tombstone`].
pub const TOMBSTONE: &str = "cfn-gitops:deletion";
/// In a [`Tombstone`]: there was no secret.
pub const NO_SECRET: &str = "-";
/// On the secret: the user whose login it holds.
pub const USER_NAME: &str = "cfn-gitops:user-name";
/// On the secret: the signing time of the latest request that changed it.
pub const AS_OF: &str = "cfn-gitops:as-of";
/// On the secret: the key of the latest request that changed it.
pub const CHANGED_BY: &str = "cfn-gitops:changed-by";
/// On the secret: the delivery that created it.
pub const CLAIMANT: &str = "cfn-gitops:claimant";

/// The label of the latest claim's version.
pub const CLAIM_LABEL: &str = "cfn-gitops:claim";

/// An attempt has ended this long after it began. A Lambda function runs for at most 15 minutes,
/// and the clocks of IAM and Lambda differ by less than the rest.
const MAX_ISSUE_TIME: Duration = Duration::from_secs(20 * 60);

/// The write-ahead record of an attempt to issue. The attempt issued every credential of the user
/// that is not in `before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueIntent {
    /// The [`key`] of the ARN of the secret that stores the login.
    pub secret_key: String,
    /// The number of the claim that the attempt holds.
    pub claim: u64,
    /// When the attempt began.
    pub started: SystemTime,
    /// The credentials that existed before the attempt.
    pub before: Vec<(String, CredentialClass)>,
    /// The attempt has ended. `before` names what it issued, as [`CredentialClass::Superseded`]. It
    /// issued no other credential.
    pub closed: bool,
}

impl IssueIntent {
    /// The latest intent in a user's tags.
    ///
    /// The two states have a tag each: a delivery that closes its intent late would otherwise
    /// overwrite the open one of the next request, and what that issues would become foreign.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Self> {
        let read = |key| tags.get(key).and_then(|text| IssueIntent::read(text));
        match (read(OPEN_INTENT), read(CLOSED_INTENT)) {
            (Some(open), Some(closed)) if closed.ends(&open) => Some(closed),
            (open, closed) => open.or(closed),
        }
    }

    pub fn tag(&self) -> (&'static str, String) {
        let key = if self.closed {
            CLOSED_INTENT
        } else {
            OPEN_INTENT
        };
        (key, self.write())
    }

    fn ends(&self, open: &IssueIntent) -> bool {
        self.secret_key == open.secret_key && self.claim >= open.claim
    }

    /// Formats the value of the tag. Credential IDs consist of letters, digits and `_`.
    pub fn write(&self) -> String {
        let before: Vec<String> =
            self.before.iter().map(|(id, class)| format!("{id}{}", class.sign())).collect();
        let before = if before.is_empty() {
            "-".to_owned()
        } else {
            before.join("+")
        };
        let state = if self.closed { "closed" } else { "open" };
        let started = write_time(self.started);
        format!(
            "{} {} {started} {before} {state}",
            self.secret_key, self.claim
        )
    }

    /// Parses the text of [`IssueIntent::write`].
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let secret_key = parts.next()?.to_owned();
        let claim = parts.next()?.parse().ok()?;
        let started = read_time(parts.next()?)?;
        let before = parts.next()?;
        let state = parts.next()?;
        Some(IssueIntent {
            secret_key,
            claim,
            started,
            before: match before {
                "-" => Vec::new(),
                ids => ids.split('+').map(CredentialClass::parse).collect(),
            },
            closed: state == "closed",
        })
    }

    /// The same attempt after it ended. `ours` are this resource's credentials, including those
    /// that the attempt issued. Foreign credentials need no record any more.
    #[must_use]
    pub fn closed_with(&self, ours: Vec<String>) -> Self {
        let mut before = self.before.clone();
        before.retain(|(id, class)| *class != CredentialClass::Foreign && !ours.contains(id));
        before.extend(ours.into_iter().map(|id| (id, CredentialClass::Superseded)));
        IssueIntent {
            before,
            closed: true,
            ..self.clone()
        }
    }

    /// Whether this attempt issued the credential `id`, created at `created`. It did not if the
    /// credential existed before, or if IAM created it long after the attempt began.
    pub fn has_issued(&self, id: &str, created: SystemTime) -> bool {
        !self.closed
            && self.recorded_class(id).is_none()
            && created <= self.started + MAX_ISSUE_TIME
    }

    /// The class of `id` before the attempt. `None` if it did not exist.
    pub fn recorded_class(&self, id: &str) -> Option<CredentialClass> {
        let state = self.before.iter().find(|(before, _)| before == id);
        state.map(|(_, class)| *class)
    }
}

/// The record of a Delete, on a user that outlives the resource. A Create that arrives late, or
/// that is still running, finds it and stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The [`Owner::key`] of the deleted resource.
    pub owner_key: String,
    /// When CloudFormation signed the Delete.
    pub signed_at: SystemTime,
    /// When a delivery executed the Delete.
    pub done_at: SystemTime,
    /// The [`key`] of the latest request that had changed the resource, or [`NO_SECRET`].
    pub ended: String,
    /// CloudFormation generated the physical ID, because the Create never responded.
    pub unanswered: bool,
}

impl Tombstone {
    /// Formats the value of the tag.
    pub fn write(&self) -> String {
        let signed_at = write_time(self.signed_at);
        let done_at = write_time(self.done_at);
        let how = if self.unanswered {
            "unanswered"
        } else {
            "answered"
        };
        format!(
            "{} {signed_at} {done_at} {} {how}",
            self.owner_key, self.ended
        )
    }

    /// Parses the text of [`Tombstone::write`].
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        Some(Tombstone {
            owner_key: parts.next()?.to_owned(),
            signed_at: read_time(parts.next()?)?,
            done_at: read_time(parts.next()?)?,
            ended: parts.next()?.to_owned(),
            unanswered: parts.next()? == "unanswered",
        })
    }

    /// Whether this Delete came after the request of `owner` that CloudFormation signed at
    /// `signed_at`.
    ///
    /// Times are whole seconds. Within the same second, the Delete came after the request in three
    /// cases. The Delete deleted the resource of the request, the request never responded, or it
    /// had failed and no secret existed.
    pub fn supersedes(&self, owner_key: &str, signed_at: SystemTime, request_key: &str) -> bool {
        if self.owner_key != owner_key {
            return false;
        }
        let (deleted, signed) = (write_time(self.signed_at), write_time(signed_at));
        // CloudFormation may reuse a request ID, so the ID alone is not enough.
        let ended_it = self.ended == request_key || self.ended == NO_SECRET;
        deleted > signed || (deleted == signed && (self.unanswered || ended_it))
    }
}

/// A version of the secret that holds a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The number of the log's entry. A rotation's login has the number after its claim with the
    /// mirror IDs.
    pub entry: u64,
    /// The version that holds the login. It is not part of the label.
    pub version_id: String,
    pub credential_id: String,
    /// The [`key`] of the `RotationSerial` that it was issued for.
    pub serial_key: String,
    /// The [`key`] of the user name.
    pub user_key: String,
    /// The number of mirrors in the value.
    pub mirrors: usize,
}

impl Login {
    /// The same login as the log's entry `entry`.
    #[must_use]
    pub fn copied_as(&self, entry: u64) -> Self {
        Login {
            entry,
            version_id: version_id(entry),
            ..self.clone()
        }
    }

    /// Formats the label of the version.
    pub fn write(&self) -> String {
        let mut label = format!(
            "cfn-gitops:login:{}:{}:{}:{}",
            self.entry, self.credential_id, self.serial_key, self.user_key
        );
        if self.mirrors > 0 {
            label = format!("{label}:{}", self.mirrors);
        }
        label
    }

    /// Parses the label that [`Login::write`] wrote on the version `version_id`.
    pub fn read(label: &str, version_id: &str) -> Option<Self> {
        let mut parts = label.strip_prefix("cfn-gitops:login:")?.split(':');
        Some(Login {
            version_id: version_id.to_owned(),
            entry: parts.next()?.parse().ok()?,
            credential_id: parts.next()?.to_owned(),
            serial_key: parts.next()?.to_owned(),
            user_key: parts.next()?.to_owned(),
            mirrors: parts.next().map_or(Some(0), |count| count.parse().ok())?,
        })
    }
}

/// The [`key`] of a `RotationSerial`. The removal of the property counts as a change.
pub fn serial_key(serial: Option<&str>) -> String {
    match serial {
        Some(serial) => key(serial),
        None => "none".to_owned(),
    }
}

/// The version ID of the log's entry `number`, which is also its `ClientRequestToken`. Secrets
/// Manager requires 32 to 64 characters.
pub fn version_id(number: u64) -> String {
    format!("cfn-gitops-entry-{number:016}")
}

/// Parses a version ID of [`version_id`].
pub fn entry_number(version_id: &str) -> Option<u64> {
    version_id.strip_prefix("cfn-gitops-entry-")?.parse().ok()
}

#[cfg(test)]
mod tests;
