//! What a template asks for.

use super::mirrors::spec;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use super::mirrors::spec::{WantedMirror, gitlab_in, is_protected};

use super::mirrors::journal::MirrorRecord;
use crate::cfn::{Format, ObjectReader, Pattern, ValidationErrors, is_made_of};
use crate::codecommit::REPOSITORY_NAME;
use crate::gitlab::Access;
use crate::tags;

const USER_NAME: Format = Format {
    fits: is_user_name,
    must_be: "must be the name of an IAM user without its path: 1 to 64 letters, digits and \
        `_+=.@-`. A name with a comma is not supported, because no tag and no secret name can \
        contain one",
    pattern: Pattern::of("^[A-Za-z0-9_+=.@-]+$").up_to(64),
};
const SECRET_NAME: Format = Format {
    fits: is_secret_name,
    must_be: "must be 1 to 256 letters, digits and `/_+=.@-`",
    pattern: Pattern::of("^[A-Za-z0-9/_+=.@-]+$").up_to(256),
};
const KMS_KEY: Format = Format {
    fits: is_kms_key,
    must_be: "must be the id, ARN or alias of a KMS key",
    pattern: Pattern::of("^[A-Za-z0-9:/_-]+$").up_to(2048),
};

/// What to do with CodeCommit credentials of the user that this resource did not issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignCredentials {
    /// Do nothing that needs their slot; say which they are.
    Refuse,
    /// Remove them.
    Delete,
}

/// The properties of one `Custom::MirrorCredential`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The IAM user.
    pub user_name: String,
    /// The secret that holds the login.
    pub secret_name: String,
    /// Key id, ARN or alias; `None` is the account's default key.
    pub kms_key_id: Option<String>,
    /// Repositories that the login must be able to push to.
    pub repository_names: Vec<String>,
    /// What to do with credentials of other origin.
    pub foreign_credentials: ForeignCredentials,
    /// Any change issues a new password.
    pub rotation_serial: Option<String>,
    /// The password must hold no `/`.
    pub url_safe_password: bool,
    /// On the secret, beside our own.
    pub tags: BTreeMap<String, String>,
    /// Whose mirrors these are.
    pub gitlab: Option<Access>,
    /// What GitLab pushes with this login.
    pub mirrors: Vec<WantedMirror>,
    /// All of it as the template gave it, for a rotation, which has no template.
    pub document: Value,
}

impl Spec {
    /// Every repository that the login must be able to push to.
    pub fn repositories(&self) -> BTreeSet<&str> {
        let mirrored = self.mirrors.iter().map(|mirror| &mirror.repository_name);
        let named = self.repository_names.iter().chain(mirrored);
        named.map(String::as_str).collect()
    }

    /// Whether `record` is of a mirror for `wanted`.
    pub fn is_for(&self, record: &MirrorRecord, wanted: &WantedMirror) -> bool {
        let url = self.gitlab.as_ref().map(|gitlab| &gitlab.url);
        url == Some(&record.gitlab_url)
            && record.project == wanted.project
            && record.repository_name == wanted.repository_name
    }

    /// What `record` is of a mirror for, if that is wanted.
    pub fn wanted(&self, record: &MirrorRecord) -> Option<&WantedMirror> {
        let mut wanted = self.mirrors.iter();
        wanted.find(|wanted| self.is_for(record, wanted))
    }
}

/// Decodes the properties, or names everything that is wrong with them.
///
/// # Errors
/// Every fault, each with its path.
pub fn decode(properties: &Value) -> Result<Spec, ValidationErrors> {
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(properties, "", &mut faults);
    members.value("ServiceToken");
    members.value("ServiceTimeout");

    let user_name = members.required_text("UserName", &USER_NAME, &mut faults);
    let secret_name = members.text("SecretName", &SECRET_NAME, &mut faults);
    let kms_key_id = members.text("KmsKeyId", &KMS_KEY, &mut faults);
    let mut repository_names = Vec::new();
    for (_, name) in members.texts("RepositoryNames", &REPOSITORY_NAME, &mut faults) {
        if !repository_names.contains(&name) {
            repository_names.push(name);
        }
    }
    let foreign_credentials = members.one_of(
        "ForeignCredentials",
        &[
            ("Refuse", ForeignCredentials::Refuse),
            ("Delete", ForeignCredentials::Delete),
        ],
        &mut faults,
    );
    let rotation_serial = members.string("RotationSerial", &mut faults);
    let url_safe_password = members.boolean("UrlSafePassword", true, &mut faults);
    let tags = tags::decode(&mut members, &mut faults);
    let has_gitlab = members.value("GitLab").is_some();
    let gitlab = spec::decode_gitlab(&mut members, &mut faults);
    let mirrors = spec::decode_mirrors(&mut members, &mut faults);
    if !mirrors.is_empty() && !has_gitlab {
        faults.note("Mirrors", "needs GitLab");
    }
    if !mirrors.is_empty() && !url_safe_password {
        faults.note(
            "UrlSafePassword",
            "must be true with Mirrors: GitLab refuses a `/` in a mirror's login",
        );
    }
    if !mirrors.is_empty()
        && user_name
            .as_deref()
            .is_some_and(|name| !begins_a_login(name))
    {
        faults.note(
            "UserName",
            "must begin with a letter or digit with Mirrors: GitLab rejects any other login",
        );
    }
    members.finish(&mut faults);

    match user_name {
        Some(user_name) if faults.0.is_empty() => Ok(Spec {
            secret_name: secret_name.unwrap_or_else(|| default_secret_name(&user_name)),
            user_name,
            kms_key_id,
            repository_names,
            foreign_credentials: foreign_credentials.unwrap_or(ForeignCredentials::Refuse),
            rotation_serial,
            url_safe_password,
            tags,
            gitlab,
            mirrors,
            document: document(properties),
        }),
        _ => Err(faults),
    }
}

/// The properties without what CloudFormation added for itself.
fn document(properties: &Value) -> Value {
    let mut document = properties.clone();
    if let Some(members) = document.as_object_mut() {
        members.remove("ServiceToken");
        members.remove("ServiceTimeout");
    }
    document
}

/// Where the login of `user_name` lives unless the template says otherwise.
pub fn default_secret_name(user_name: &str) -> String {
    format!("codecommit-mirror/{user_name}")
}

/// The user's name in properties of which nothing else needs to be valid.
pub fn user_name_in(properties: &Value) -> Option<String> {
    let name = properties["UserName"].as_str()?;
    is_user_name(name).then(|| name.to_owned())
}

/// The secret's name in properties of which nothing else needs to be valid.
pub fn secret_name_in(properties: &Value) -> Option<String> {
    match &properties["SecretName"] {
        Value::String(name) => is_secret_name(name).then(|| name.clone()),
        Value::Null => user_name_in(properties).map(|name| default_secret_name(&name)),
        _ => None,
    }
}

/// Whether `ForeignCredentials` is `Delete` in properties of which nothing else needs to be valid.
pub fn deletes_foreign(properties: &Value) -> bool {
    properties["ForeignCredentials"] == "Delete"
}

/// Whether Secrets Manager takes `name`, and a tag of the user can hold it: 256 of the 512
/// characters that a secret's name may have.
pub fn is_secret_name(name: &str) -> bool {
    is_made_of(name, 1, 256, "/_+=.@-")
}

// IAM also takes commas. The default `SecretName` contains the user name, and Secrets Manager rejects
// a secret name with a comma, and a tag value too.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
fn is_user_name(name: &str) -> bool {
    is_made_of(name, 1, 64, "_+=.@-")
}

// The login's user name begins with the IAM user's. GitLab rejects a mirror's address otherwise:
// "Username needs to start with an alphanumeric character" (`validate_user`).
// https://gitlab.com/gitlab-org/gitlab/-/blob/master/gems/gitlab-http/lib/gitlab/http_v2/url_blocker.rb
fn begins_a_login(user_name: &str) -> bool {
    user_name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_kms_key(key: &str) -> bool {
    is_made_of(key, 1, 2048, ":/_-")
}

#[cfg(test)]
mod tests;
