//! The target of a deletion, and the reason for it.

use crate::gitlab::Access;

/// Why a resource is deleted. It determines the precautions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionScope {
    /// CloudFormation's Delete.
    Delete {
        /// `ForeignCredentials: Delete`.
        deletes_foreign: bool,
        /// CloudFormation generated the ID: the Create never responded, and may still run.
        is_create_unanswered: bool,
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

impl DeletionScope {
    /// Whether later deliveries of the Create have to find a tombstone.
    pub fn writes_tombstone(self) -> bool {
        self != DeletionScope::UnknownReplacement
    }

    /// Whether a peer may have issued a credential that IAM does not list yet.
    pub fn waits_for_iam(self) -> bool {
        !matches!(
            self,
            DeletionScope::FailedCreate {
                waits_for_iam: false
            }
        )
    }

    pub fn deletes_foreign(self) -> bool {
        matches!(
            self,
            DeletionScope::Delete {
                deletes_foreign: true,
                ..
            }
        )
    }

    pub fn is_create_unanswered(self) -> bool {
        matches!(
            self,
            DeletionScope::Delete {
                is_create_unanswered: true,
                ..
            }
        )
    }
}

/// The target of a deletion.
#[derive(Clone, Debug)]
pub struct DeletionTarget {
    /// The secret's name, which is the resource's physical ID.
    pub secret_name: String,
    /// The users that may hold its credential, beside the user that the secret names.
    pub user_names: Vec<String>,
    /// Credentials that are deleted already. IAM may still list them.
    pub deleted_credentials: Vec<String>,
    /// How to reach the GitLab instances of its mirrors. The secret's log may name another one.
    pub accesses: Vec<Access>,
    /// Why it is deleted.
    pub scope: DeletionScope,
}
