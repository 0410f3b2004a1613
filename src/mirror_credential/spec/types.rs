//! The decoded properties.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clients::gitlab::Access;
use crate::mirror_credential::spec::WantedMirror;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub user_name: String,
    pub secret_name: String,
    /// Key ID, ARN or alias. `None` for the account's default key.
    pub kms_key_id: Option<String>,
    /// Repositories that the login must be able to push to.
    pub repository_names: Vec<String>,
    /// Delete CodeCommit credentials of the user that this resource did not issue. Otherwise fail
    /// if a credential is needed and IAM's limit is reached, and name them.
    pub deletes_foreign: bool,
    /// Any change issues a new password.
    pub rotation_serial: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub gitlab: Option<Access>,
    pub mirrors: Vec<WantedMirror>,
    /// The properties as the template sets them. A rotation reads them from the secret.
    pub document: Value,
}

impl Spec {
    /// Every repository that the login must be able to push to.
    pub fn repositories(&self) -> BTreeSet<&str> {
        let mirrored = self.mirrors.iter().map(|mirror| &mirror.repository_name);
        let named = self.repository_names.iter().chain(mirrored);
        named.map(String::as_str).collect()
    }

    /// The names of everything that has to exist: the user, the key, the secret with GitLab's token
    /// and the repositories.
    pub fn names(&self) -> BTreeSet<&str> {
        let token = self.gitlab.as_ref().map(|gitlab| &gitlab.token_secret_id);
        let others = token.into_iter().chain(&self.kms_key_id);
        let mut names = self.repositories();
        names.extend(others.chain([&self.user_name]).map(String::as_str));
        names
    }
}
