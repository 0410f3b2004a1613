//! The target of a deletion, and the reason for it.

use crate::clients::gitlab::Access;

/// Why a resource is deleted. It determines the precautions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionScope {
    /// CloudFormation's Delete.
    Delete {
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

#[derive(Clone, Debug)]
pub struct DeletionTarget {
    /// The secret's name, which is the resource's physical ID.
    pub secret_name: String,
    /// The user that may hold its credential, beside the user that the secret names.
    pub user_name: Option<String>,
    /// The GitLab of its mirrors. The secret's log may name another one.
    pub gitlab: Option<Access>,
    /// `ForeignCredentials: Delete`.
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
        let waits_for_iam = false;
        self.scope != DeletionScope::FailedCreate { waits_for_iam }
    }

    /// Whether the Create never responded.
    pub fn is_create_unanswered(&self) -> bool {
        let is_create_unanswered = true;
        self.scope
            == DeletionScope::Delete {
                is_create_unanswered,
            }
    }
}
