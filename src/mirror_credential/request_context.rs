//! The request that a delivery works for: a request of CloudFormation, or a step of a rotation.

use crate::mirror_credential::intent_log::{Owner, Tombstone};
use crate::mirror_credential::state::Secret;
use std::time::SystemTime;

/// The request that this delivery works for.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The resource.
    pub owner: Owner,
    /// When CloudFormation signed the request.
    pub signed_at: SystemTime,
    /// The [`key`] of the request's id.
    pub request_key: String,
    /// Tells apart the deliveries of one request.
    pub claimant: String,
    /// It is a Create: most likely there is no secret yet, and creating it is the quickest way to
    /// find out; what fails is taken back; and the function's role may be as new.
    pub is_create: bool,
    /// The part of a rotation that this is; `None` for a request of CloudFormation's.
    pub rotation: Option<Rotation>,
}

impl RequestContext {
    /// Whether this very delivery created `secret`: the answer that said so may have been lost.
    pub fn has_created(&self, secret: &Secret) -> bool {
        secret.claimant.as_ref() == Some(&self.claimant)
    }

    /// Whether `deletion` came after this request.
    pub fn is_superseded_by(&self, tombstone: &Tombstone) -> bool {
        tombstone.supersedes(&self.owner.key(), self.signed_at, &self.request_key)
    }
}

/// One step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The version that Secrets Manager chose: the `ClientRequestToken`.
    pub version_id: String,
    /// How far to go.
    pub phase: RotationPhase,
}

/// The four steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RotationPhase {
    /// `createSecret`: issue, make mirrors, write both under `AWSPENDING`.
    Create,
    /// `setSecret`: prove the login, enable the mirrors.
    Set,
    /// `testSecret`: let the mirrors push.
    Test,
    /// `finishSecret`: make it the current one, remove what was superseded.
    Finish,
}
