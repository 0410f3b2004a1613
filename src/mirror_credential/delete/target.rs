//! The target of a deletion, and the reason for it.

use std::collections::BTreeMap;

use crate::clients::gitlab::Access;
use crate::mirror_credential::spec::WantedMirror;

/// Why a resource is deleted. It determines the precautions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionScope {
    Delete {
        create: CreateResponse,
    },
    /// A replacement that is unknown to CloudFormation: its Update was rolled back before it
    /// responded.
    UnknownReplacement,
    /// The rollback of a Create that failed. A late copy of it must not start again, because no
    /// Delete would follow.
    FailedCreate {
        /// A call to issue whose outcome is unknown may have issued a credential.
        waits_for_iam: bool,
    },
}

/// How the Create responded, by the physical ID of its Delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateResponse {
    /// It succeeded, or failed after its first change.
    Id,
    /// It failed before its first change. Another delivery of the request with this key may have
    /// succeeded.
    Rejected(String),
    /// CloudFormation generated the ID: the Create never responded, and may still run.
    None,
}

#[derive(Clone, Debug)]
pub struct DeletionTarget {
    /// The secret's name, which is the resource's physical ID.
    pub secret_name: String,
    /// The user that may hold its credential, beside the user that the secret names.
    pub user_name: Option<String>,
    /// The GitLab of its mirrors. The secret's log may name another one.
    pub gitlab: Option<Access>,
    /// The `Mirrors` of the properties. GitLab is searched for those that no record names.
    pub mirrors: Vec<WantedMirror>,
    /// The tags of the record of mirrors that are left.
    pub tags: BTreeMap<String, String>,
    pub deletes_foreign: bool,
    pub scope: DeletionScope,
}

impl DeletionTarget {
    /// Whether later deliveries of the Create have to find a tombstone.
    pub fn needs_tombstone(&self) -> bool {
        self.scope != DeletionScope::UnknownReplacement
    }

    /// Whether a peer may have issued a credential that IAM does not list yet.
    pub fn waits_for_iam(&self) -> bool {
        match self.scope {
            DeletionScope::FailedCreate { waits_for_iam } => waits_for_iam,
            DeletionScope::Delete { .. } | DeletionScope::UnknownReplacement => true,
        }
    }

    pub fn is_create_unanswered(&self) -> bool {
        matches!(
            self.scope,
            DeletionScope::Delete {
                create: CreateResponse::None
            }
        )
    }

    /// Whether the physical ID is that of a response which did not reject its request.
    pub fn has_response(&self) -> bool {
        matches!(
            self.scope,
            DeletionScope::Delete {
                create: CreateResponse::Id
            }
        )
    }

    /// Whether the request itself shows that perhaps no secret and no login existed. It does not
    /// fail because of a denied read, or its stack could not be rolled back: the same denial
    /// rejected the Create or the Update before it.
    pub fn may_never_have_existed(&self) -> bool {
        self.scope == DeletionScope::UnknownReplacement || self.rejected_create().is_some()
    }

    /// The key of the Create that was rejected. `None` if none was.
    pub fn rejected_create(&self) -> Option<&String> {
        match &self.scope {
            DeletionScope::Delete {
                create: CreateResponse::Rejected(key),
            } => Some(key),
            _ => None,
        }
    }
}
