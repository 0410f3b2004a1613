//! The logins, and the resources that this delivery created for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::common::password::Password;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::state::user::Credential;
use cfn_custom_resource::Reason;

/// The value of a version that holds a login: user name, password, and the mirrors that use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogin {
    pub service_user_name: String,
    pub password: Password,
    pub mirrors: Vec<MirrorRecord>,
}

/// A credential that this delivery issued or reset, and has not stored yet.
#[derive(Clone, Debug)]
pub struct Issued {
    /// `ServiceSpecificCredentialId`.
    pub id: String,
    pub service_user_name: String,
    /// `None` if a peer may have reset the credential since.
    pub password: Option<Password>,
    /// The login can push to every repository.
    pub verified: bool,
}

/// The response of CodeCommit to the stored login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginTrial {
    #[default]
    Untried,
    /// It can push to every repository.
    Accepted,
    /// Its password is not the credential's.
    Rejected,
}

/// The user's credentials and the secret's logins.
#[derive(Clone, Debug, Default)]
pub struct LoginState {
    /// The credential that this delivery issued and has not stored.
    pub issued: Option<Issued>,
    /// When this delivery last called IAM to issue a credential without learning the outcome, or
    /// without finding a free slot.
    pub uncertain_since: Option<SystemTime>,
    /// A call whose outcome is unknown may have issued a credential.
    pub may_have_issued: bool,
    /// The version of the current login when the secret was last read or written.
    pub seen_version: Option<String>,
    /// When this delivery first saw a login that a peer has stored since it started.
    pub peer_stored_at: Option<SystemTime>,
    pub trial: LoginTrial,
    /// The version of the secret whose login was tried.
    pub tried_version: Option<String>,
    /// The logins that were read, by version ID. `None` if the version holds no login.
    pub stored: BTreeMap<String, Option<StoredLogin>>,
    /// Why the current credential, which is inactive, could not be replaced.
    pub replacement_error: Option<Reason>,
    /// Credentials of this resource in the secret that this one replaces.
    pub other_resource_credentials: Vec<String>,
    /// Credentials that this delivery deleted. IAM may still list them.
    pub deleted_credentials: Vec<String>,
}

/// The resources that this delivery created, which a rollback deletes.
#[derive(Clone, Debug, Default)]
pub struct CreatedResources {
    pub mirrors: BTreeSet<MirrorRecord>,
    /// The credentials. IAM may not list them yet.
    pub credentials: Vec<Credential>,
    pub stored_credential: Option<String>,
    /// The number of the log's entry in which this delivery last tried to store a login.
    pub storing_entry: Option<u64>,
    /// A peer may have reset the credential that this delivery issued.
    pub is_login_shared: bool,
}
