//! What is written down in AWS, and how: the tags of the user and of the secret, and the labels
//! of the secret's versions. Everything that has to survive a crash is here.
//!
//! Three places, each for what it alone can do:
//! - The **user's tags** outlive the secret and die with the user. They say who owns the user's
//!   slots, which credentials were there before the latest attempt to issue one, and when it was
//!   last deleted. IAM shows them late.
//! - The **secret's versions** are a log whose entries have ids that follow from their number, so
//!   that of two writers of the next entry exactly one succeeds (Secrets Manager refuses another
//!   value under the same token). An entry is a claim (somebody is about to issue), a login,
//!   or what the template asked for.
//! - The **label** of a login's version names its credential. It is written together with the
//!   value, atomically, and `DescribeSecret` shows it without showing the password.

use crate::mirror_credential::credential_class::CredentialClass;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub use crate::ownership::{LOGICAL_ID, Owner, STACK_ID, key, read_time, write_time};

/// On the user: the secret that holds its login.
pub const SECRET_NAME: &str = "cfn-gitops:secret-name";
/// On the user: the latest [`IssueIntent`].
pub const ISSUE_INTENT: &str = "cfn-gitops:attempt";
/// On the user: the latest [`Tombstone`].
pub const TOMBSTONE: &str = "cfn-gitops:deletion";
/// In a [`Tombstone`]: there was no secret.
pub const NO_SECRET: &str = "-";
/// On the secret: the user whose login it holds.
pub const USER_NAME: &str = "cfn-gitops:user-name";
/// On the secret: when CloudFormation signed the latest request that changed it.
pub const AS_OF: &str = "cfn-gitops:as-of";
/// On the secret: the key of the request that created it.
pub const CREATED_BY: &str = "cfn-gitops:created-by";
/// On the secret: which of several deliveries created it.
pub const CLAIMANT: &str = "cfn-gitops:claimant";

/// The label of the latest claim's version.
pub const CLAIM_LABEL: &str = "cfn-gitops:claim";

/// An attempt is over this long after it began: a Lambda lives 15 minutes, and the clocks of IAM
/// and Lambda differ by less than the rest.
const MAX_ISSUE_TIME: Duration = Duration::from_secs(20 * 60);

/// The owner that `tags` name. `None` if they name none.
pub fn owner(tags: &BTreeMap<String, String>) -> Option<Owner> {
    Some(Owner {
        stack_id: tags.get(STACK_ID)?.clone(),
        logical_id: tags.get(LOGICAL_ID)?.clone(),
    })
}

/// The write-ahead record of an attempt to issue: whatever the user holds that is not in
/// `before` was issued by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueIntent {
    /// The [`key`] of the ARN of the secret that the login was meant for.
    pub secret_key: String,
    /// The number of the claim under which it was made.
    pub claim: u64,
    /// When.
    pub started: SystemTime,
    /// The credentials that were there before.
    pub before: Vec<(String, CredentialClass)>,
    /// It is over. `before` names what it issued, as [`CredentialClass::Superseded`]; nothing else is its.
    pub closed: bool,
}

impl IssueIntent {
    /// As a tag's value. Credential ids are made of letters, digits and `_`.
    pub fn write(&self) -> String {
        let before: Vec<String> = self
            .before
            .iter()
            .map(|(id, class)| format!("{id}{}", class.sign()))
            .collect();
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

    /// Reads what [`IssueIntent::write`] wrote.
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

    /// The same attempt when it is over and `ours` are this resource's credentials, its own among
    /// them. What was foreign before needs no record any more.
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

    /// Whether this attempt issued the credential `id`, created at `created`: it was not there
    /// before, and it did not come long after (then somebody else made it).
    pub fn issued(&self, id: &str, created: SystemTime) -> bool {
        !self.closed
            && self.recorded_class(id).is_none()
            && created <= self.started + MAX_ISSUE_TIME
    }

    /// What `id` was, if it was already there.
    pub fn recorded_class(&self, id: &str) -> Option<CredentialClass> {
        let state = self.before.iter().find(|(before, _)| before == id);
        state.map(|(_, class)| *class)
    }
}

/// That the resource was deleted, kept on a user that outlives it: a Create that comes late, or
/// is still running, finds that its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The [`Owner::key`] of the one that was deleted.
    pub owner_key: String,
    /// When CloudFormation signed the Delete.
    pub signed_at: SystemTime,
    /// When it was carried out.
    pub done_at: SystemTime,
    /// The [`key`] of the request that had created what was deleted, or [`NO_SECRET`].
    pub ended: String,
    /// CloudFormation had invented the id: the Create never answered.
    pub unanswered: bool,
}

impl Tombstone {
    /// As a tag's value.
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

    /// Reads what [`Tombstone::write`] wrote.
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

    /// Whether a delivery of the Delete that CloudFormation signed at `signed_at` wrote this.
    pub fn is_of(&self, owner_key: &str, signed_at: SystemTime) -> bool {
        self.owner_key == owner_key && write_time(self.signed_at) == write_time(signed_at)
    }

    /// Whether the request of `owner` that CloudFormation signed at `signed_at` came before this
    /// deletion. Times are whole seconds. Within one second, a request is over if the deletion
    /// ended it, if it never answered, or if there was nothing to delete: then it failed.
    pub fn supersedes(&self, owner_key: &str, signed_at: SystemTime, request_key: &str) -> bool {
        if self.owner_key != owner_key {
            return false;
        }
        let (deleted, signed) = (write_time(self.signed_at), write_time(signed_at));
        // CloudFormation may use a request's id again, so the id alone decides nothing.
        let ended_it = self.ended == request_key || self.ended == NO_SECRET;
        deleted > signed || (deleted == signed && (self.unanswered || ended_it))
    }
}

/// A version of the secret that holds a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The number of the log's entry. What a rotation prepares carries the one after its seal.
    pub entry: u64,
    /// The version that holds it. Not part of the label.
    pub version_id: String,
    /// The service-specific credential.
    pub credential_id: String,
    /// The [`key`] of the `RotationSerial` that it was issued for.
    pub serial_key: String,
    /// The [`key`] of the user.
    pub user_key: String,
    /// The password holds no `/`.
    pub url_safe: bool,
    /// How many mirrors the value names.
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

    /// As a version's label.
    pub fn write(&self) -> String {
        let safe = if self.url_safe { "url-safe" } else { "any" };
        let mut label = format!(
            "cfn-gitops:login:{}:{}:{}:{}:{safe}",
            self.entry, self.credential_id, self.serial_key, self.user_key
        );
        if self.mirrors > 0 {
            label = format!("{label}:{}", self.mirrors);
        }
        label
    }

    /// Reads what [`Login::write`] wrote on the version `version_id`.
    pub fn read(label: &str, version_id: &str) -> Option<Self> {
        let mut parts = label.strip_prefix("cfn-gitops:login:")?.split(':');
        Some(Login {
            version_id: version_id.to_owned(),
            entry: parts.next()?.parse().ok()?,
            credential_id: parts.next()?.to_owned(),
            serial_key: parts.next()?.to_owned(),
            user_key: parts.next()?.to_owned(),
            url_safe: parts.next()? == "url-safe",
            mirrors: parts.next().map_or(Some(0), |count| count.parse().ok())?,
        })
    }
}

/// The [`key`] of a `RotationSerial`; that it was taken away is a change too.
pub fn serial_key(serial: Option<&str>) -> String {
    match serial {
        Some(serial) => key(serial),
        None => "none".to_owned(),
    }
}

/// The version id of the log's entry `number`, which is also the token under which it is written.
/// Secrets Manager wants 32 to 64 characters.
pub fn version_id(number: u64) -> String {
    format!("cfn-gitops-entry-{number:016}")
}

/// Reads what [`version_id`] wrote.
pub fn entry_number(version_id: &str) -> Option<u64> {
    version_id.strip_prefix("cfn-gitops-entry-")?.parse().ok()
}

#[cfg(test)]
mod tests;
