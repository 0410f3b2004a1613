//! The request, compared with the previous properties, and what decides whether it may begin.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::gitlab::Access;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::{DeliveryError, Secret};
use crate::reconcile::sender::{Rollback, Sender};

/// The previous spec, as far as the new one needs it, and what the new one changes.
#[derive(Clone, Debug, Default)]
pub struct PreviousSpec {
    pub gitlab: Option<Access>,
    pub mirrors: Vec<WantedMirror>,
    pub user_name: Option<String>,
    pub tag_keys: Vec<String>,
    /// The names in the new spec that the previous properties do not have. The things that they
    /// name may have been created just before.
    pub new_names: BTreeSet<String>,
    /// The request changes properties, rolls such a change back, or is answered with another
    /// physical ID. Such a request is recorded, even if it changes nothing in AWS.
    pub needs_record: bool,
    /// The physical ID of the resource is the secret of the new spec.
    pub keeps_secret: bool,
    /// The secret of the resource, if the new spec has another one.
    pub secret_name: Option<String>,
    /// The request keeps `SecretName`, and changes `UserName` as far as the previous properties
    /// show.
    pub changes_user_name: bool,
    /// The secret of a replacement whose Update was rolled back before it responded. CloudFormation
    /// does not have its physical ID, and will not delete it.
    pub unknown_replacement: Option<String>,
}

/// The facts that decide whether the request may begin.
#[derive(Clone, Debug, Default)]
pub struct RequestState {
    pub previous: PreviousSpec,
    /// The first read at the start that failed. The state lacks its result.
    pub failed_read: Option<DeliveryError>,
    /// The read of the user failed.
    pub is_user_unread: bool,
    /// The secrets that the request replaces, or from which it moves the login, by their names.
    /// `None` if one does not exist.
    pub former_secrets: BTreeMap<String, Option<Secret>>,
    /// The sender, as CloudFormation shows it. `None` until it was looked up.
    pub sender: Option<Sender>,
    /// Whether it is part of a rollback, as CloudFormation shows it.
    pub rollback: Rollback,
    /// The delivery has executed a step for the user, the secret or the mirrors.
    pub has_begun: bool,
}
