//! The request that a delivery works for: a request of CloudFormation, or a step of a rotation.

use crate::mirror_credential::intent_log::{Owner, Tombstone, write_time};
use crate::mirror_credential::state::{Secret, User};
use std::time::SystemTime;

#[derive(Clone, Debug)]
pub struct RequestContext {
    pub owner: Owner,
    /// When CloudFormation signed the request, for records.
    pub signed_at: SystemTime,
    /// The same, to compare with the records of a secret: see `Request::compared_at`.
    pub compared_at: SystemTime,
    /// The [`key`] of the request's id.
    pub request_key: String,
    /// Distinguishes the deliveries of one request.
    pub claimant: String,
    /// It is a Create. On failure, the delivery deletes its resources. The function's role may be
    /// new, too.
    pub is_create: bool,
    /// It was sent by hand to a function on this machine: see `sender::is_local`.
    pub is_local: bool,
    /// The phase of a rotation. `None` for a request of CloudFormation.
    pub rotation: Option<Rotation>,
}

impl RequestContext {
    pub fn owns(&self, secret: &Secret) -> bool {
        secret.origin.owner.as_ref() == Some(&self.owner)
    }

    /// Whether this delivery created `secret`. Secrets Manager's response may have been lost.
    pub fn has_created(&self, secret: &Secret) -> bool {
        secret.origin.claimant.as_ref() == Some(&self.claimant)
    }

    /// The tombstone that a delivery of this Delete has written on `user`.
    pub fn tombstone_on<'a>(&self, user: &'a User) -> Option<&'a Tombstone> {
        let (owner_key, signed_at) = (self.owner.key(), write_time(self.signed_at));
        let tombstone = user.tombstone.as_ref();
        tombstone.filter(|one| one.owner_key == owner_key && write_time(one.signed_at) == signed_at)
    }

    /// Whether a later Delete of the resource left its tombstone on `user`.
    pub fn is_outdated_delete(&self, user: &User) -> bool {
        let tombstone = user.tombstone.as_ref().filter(|one| one.owner_key == self.owner.key());
        tombstone.is_some_and(|one| write_time(one.signed_at) > write_time(self.signed_at))
    }

    /// Whether `secret` shows a later request of its resource than this one.
    pub fn is_outdated(&self, secret: &Secret) -> bool {
        let latest = secret.origin.as_of.map(write_time);
        latest.is_some_and(|latest| latest > write_time(self.compared_at))
    }

    /// Whether the Delete of `tombstone` came after this request.
    pub fn is_superseded_by(&self, tombstone: &Tombstone) -> bool {
        tombstone.supersedes(&self.owner.key(), self.signed_at, &self.request_key)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The version that Secrets Manager chose: the `ClientRequestToken`.
    pub version_id: String,
    pub phase: RotationPhase,
    /// The phase failed: the resources of the rotation have to be deleted.
    pub is_aborted: bool,
}

/// The four phases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationPhase {
    /// `createSecret`: issue, create mirrors, store both under `AWSPENDING`.
    Create,
    /// `setSecret`: verify the login, enable the mirrors.
    Set,
    /// `testSecret`: let the mirrors push.
    Test,
    /// `finishSecret`: move `AWSCURRENT`, retire the superseded login.
    Finish,
}

impl RotationPhase {
    pub const ALL: [RotationPhase; 4] = [
        RotationPhase::Create,
        RotationPhase::Set,
        RotationPhase::Test,
        RotationPhase::Finish,
    ];

    /// The phase as Secrets Manager names it.
    pub fn step(self) -> &'static str {
        match self {
            RotationPhase::Create => "createSecret",
            RotationPhase::Set => "setSecret",
            RotationPhase::Test => "testSecret",
            RotationPhase::Finish => "finishSecret",
        }
    }
}
