//! The result of the check of the credentials, as far as other checks use it.

use std::collections::BTreeMap;

use crate::mirror_credential::health::{MirrorHealth, SecretSummary};

/// The environment's secrets by their names.
pub type Secrets = BTreeMap<String, SecretSummary>;

#[derive(Debug)]
pub struct FoundSecrets {
    pub secrets: Secrets,
    /// The repositories of the mirrors of each secret.
    pub repositories: BTreeMap<String, Vec<String>>,
    /// The checked mirrors, which are not reported yet.
    pub mirrors: Vec<MirrorHealth>,
}
