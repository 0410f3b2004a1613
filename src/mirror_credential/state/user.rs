//! The IAM user: its tags and its credentials.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::clients::aws::CallError;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{IssueIntent, Owner, Tombstone, key};
use crate::mirror_credential::state::Secret;

/// One service-specific credential of a user, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `ServiceSpecificCredentialId`.
    pub id: String,
    /// `ServiceUserName`: the login's name.
    pub service_user_name: String,
    pub active: bool,
    pub created: SystemTime,
}

/// A read that IAM denied, or that it does not offer, and its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedRead(pub CallError);

/// The IAM user, with the fields that this resource uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub exists: bool,
    /// The resource that holds its slots.
    pub owner: Option<Owner>,
    /// The secret that holds its login.
    pub secret_name: Option<String>,
    pub issue_intent: Option<IssueIntent>,
    pub tombstone: Option<Tombstone>,
    /// Its CodeCommit credentials. IAM may list them late.
    pub credentials: Vec<Credential>,
    /// The denied call, if the function may not read the user.
    pub denied: Option<DeniedRead>,
}

impl User {
    /// The user `name` with `tags`, without its credentials.
    pub fn from_tags(name: &str, tags: &BTreeMap<String, String>) -> Self {
        let tag = |key: &str| tags.get(key).filter(|value| !value.is_empty());
        User {
            name: name.to_owned(),
            exists: true,
            owner: Owner::from_tags(|key| tags.get(key).map(String::as_str)),
            secret_name: tag(intent_log::SECRET_NAME).cloned(),
            issue_intent: IssueIntent::from_tags(tags),
            tombstone: tag(intent_log::TOMBSTONE).and_then(|text| Tombstone::read(text)),
            credentials: Vec::new(),
            denied: None,
        }
    }

    /// A user that does not exist, or that the function may not read.
    pub fn absent(name: &str, denied: Option<DeniedRead>) -> Self {
        User {
            exists: false,
            denied,
            ..User::from_tags(name, &BTreeMap::new())
        }
    }

    /// The owner. `None` if the latest Delete released the user.
    pub fn held_by(&self) -> Option<&Owner> {
        let released_by = self.tombstone.as_ref().map(|tombstone| &tombstone.owner_key);
        self.owner.as_ref().filter(|owner| released_by != Some(&owner.key()))
    }

    /// Whether the user's tags name `owner` and this `secret` of the name `secret_name`. Only the
    /// function writes them. The name alone may pass to a secret of another owner, so the latest
    /// intent has to name the ARN, whose suffix AWS chose.
    pub fn records(&self, owner: &Owner, secret_name: &str, secret: &Secret) -> bool {
        let intent = self.issue_intent.as_ref();
        self.owner.as_ref() == Some(owner)
            && self.secret_name.as_deref() == Some(secret_name)
            && intent.is_some_and(|intent| intent.secret_key == key(&secret.arn))
    }

    /// Keeps the credentials inactive that were inactive in `earlier`. IAM's later list may be the
    /// older one.
    pub fn keep_inactive(&mut self, earlier: &User) {
        for credential in &mut self.credentials {
            let before = earlier.credential(&credential.id);
            credential.active &= before.is_none_or(|before| before.active);
        }
    }

    /// The credential `id`. `None` if IAM does not list it.
    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.id == id)
    }
}
