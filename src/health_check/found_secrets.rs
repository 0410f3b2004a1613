//! The result of the check of the credentials, as far as other checks use it.

use std::collections::BTreeMap;

use crate::clients::gitlab::Access;
use crate::mirror_credential::health::{MirrorHealth, SecretSummary};

/// The environment's secrets by their names.
pub type Secrets = BTreeMap<String, SecretSummary>;

#[derive(Debug)]
pub struct FoundSecrets {
    pub secrets: Secrets,
    /// The repositories of the mirrors of each secret.
    pub repositories: BTreeMap<String, Vec<String>>,
    pub mirrors: Vec<FoundMirror>,
}

/// A checked mirror, which is not reported yet.
#[derive(Debug)]
pub struct FoundMirror {
    /// How its stack reaches GitLab.
    pub access: Option<Access>,
    pub health: MirrorHealth,
}
