//! The properties as a template sets them: the desired state.

mod mirrors;
mod types;

use serde_json::Value;

pub use self::mirrors::gitlab_in;
pub(crate) use self::mirrors::{WantedMirror, mirrors_in};
pub(crate) use self::types::Spec;

use self::mirrors::{GITLAB, MIRRORS, decode_mirrors};
use crate::clients::codecommit::REPOSITORY_NAME;
use crate::clients::gitlab::Access;
use crate::common::tags;
use crate::common::tags::TAGS;
use cfn_custom_resource::{Format, Kind, Object, Pattern, Property, ValidationErrors};

/// The properties of `Custom::MirrorCredential`. `docs/schemas/custom-mirrorcredential.json` is
/// generated from this table.
pub static PROPERTIES: [Property; 11] = [
    Property::new("ServiceToken", Kind::Any),
    Property::new("ServiceTimeout", Kind::Any),
    Property::required("UserName", Kind::Text(&USER_NAME)).doc(
        "The existing IAM user that gets the login. Use one `MirrorCredential` per user. With \
         `Mirrors` the name must begin with a letter or digit.\n\
         Update: Replacement. If you set `SecretName`, change it too. An update that changes \
         only `UserName` fails",
    ),
    Property::new("SecretName", Kind::Text(&SECRET_NAME)).doc(
        "The secret in Secrets Manager that holds the login. It must match the parameter \
         `MirrorSecretNames`.\n\
         Default: `codecommit-mirror/<UserName>`\n\
         Update: Replacement",
    ),
    Property::new("KmsKeyId", Kind::Text(&KMS_KEY)).doc(
        "The KMS key that encrypts the secret. To change it, see [Use your own \
         keys](../how-to/keys.md#the-mirrors-secret).\n\
         Default: the account's default key",
    ),
    Property::new(
        "RepositoryNames",
        Kind::List {
            items: &Kind::Text(&REPOSITORY_NAME),
            max: None,
        },
    )
    .doc("CodeCommit repositories. cfn-gitops verifies that the login can push to each of them."),
    Property::new("ForeignCredentials", Kind::Choice(&["Refuse", "Delete"]))
        .or("Refuse")
        .doc(
            "How CodeCommit credentials of the user are treated that this resource did not \
             issue. `Refuse`: they stay, and a request fails if it needs their slot (IAM allows \
             two for each user). `Delete`: they are deleted. The deletion of the resource \
             deletes them as well. Use `Delete` only for a user that exists for the mirror alone.",
        ),
    Property::new("RotationSerial", Kind::AnyText)
        .doc("Any change of this value issues a new password."),
    TAGS.doc(
        "Tags of the secret, at most 40. [Set tags](../how-to/tags.md) has their forms and limits.",
    ),
    GITLAB,
    MIRRORS,
];

// IAM also accepts commas. The default `SecretName` contains the user name, and so does a tag.
// Secrets Manager rejects commas in both.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
static USER_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9_+=.@-]+$").up_to(64),
    "must be the name of an IAM user without its path: 1 to 64 letters, digits and `_+=.@-`. A name \
     with a comma is not supported, because no tag and no secret name can contain one",
);
// Secrets Manager accepts 512 characters. A tag of the user, which accepts 256, contains the name.
static SECRET_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9/_+=.@-]+$").up_to(256),
    "must be 1 to 256 letters, digits and `/_+=.@-`",
);
// The keys that AWS manages for other services encrypt for these alone.
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
static KMS_KEY: Format = Format::with_parser(
    Pattern::new("^[A-Za-z0-9:/_-]+$").up_to(2048),
    "must be the id, ARN or alias of a KMS key, and of those that begin with alias/aws/ only \
     alias/aws/secretsmanager",
    |key| {
        let name = key.rsplit(':').next().unwrap_or(key);
        !name.starts_with("alias/aws/") || name == DEFAULT_KEY
    },
);

/// The alias of the key that encrypts a secret for which no key was chosen.
pub const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// The part of a key's ID, ARN or alias that all notations have. An ARN ends in `:key/<id>` or
/// `:alias/<name>`.
pub(crate) fn short_key(key: Option<&str>) -> &str {
    let key = key.unwrap_or(DEFAULT_KEY);
    let key = key.rsplit(':').next().unwrap_or(key);
    key.strip_prefix("key/").unwrap_or(key)
}

/// Decodes the properties.
///
/// # Errors
/// Every mistake, each with its path.
pub fn decode(properties: &Value) -> Result<Spec, ValidationErrors> {
    let mut errors = ValidationErrors::default();
    let object = Object::decode(&PROPERTIES, properties, "", &mut errors);
    let user_name = object.text("UserName").unwrap_or_default();
    let spec = Spec {
        secret_name: object.text("SecretName").unwrap_or_else(|| default_secret_name(&user_name)),
        user_name,
        kms_key_id: object.text("KmsKeyId"),
        repository_names: object.texts("RepositoryNames"),
        deletes_foreign: deletes_foreign(properties),
        rotation_serial: object.text("RotationSerial"),
        tags: tags::from_properties(&object, &mut errors),
        gitlab: Access::decode(object.object("GitLab")),
        mirrors: decode_mirrors(&object, &mut errors),
        document: document(properties),
    };
    if !spec.mirrors.is_empty() {
        check_mirrors(&spec, object.is_set("GitLab"), &mut errors);
    }
    if errors.0.is_empty() {
        Ok(spec)
    } else {
        Err(errors)
    }
}

/// Checks that the properties which mirrors require are set.
fn check_mirrors(spec: &Spec, has_gitlab: bool, errors: &mut ValidationErrors) {
    if !has_gitlab {
        errors.add("Mirrors", "needs GitLab");
    }
    if !spec.user_name.is_empty() && !begins_a_login(&spec.user_name) {
        errors.add(
            "UserName",
            "must begin with a letter or digit with Mirrors: GitLab rejects any other login",
        );
    }
}

/// The properties without those of CloudFormation itself.
pub fn document(properties: &Value) -> Value {
    let mut document = properties.clone();
    if let Some(members) = document.as_object_mut() {
        members.remove("ServiceToken");
        members.remove("ServiceTimeout");
    }
    document
}

pub(crate) fn default_secret_name(user_name: &str) -> String {
    format!("codecommit-mirror/{user_name}")
}

/// The user's name. The other properties may be invalid.
pub fn user_name_in(properties: &Value) -> Option<String> {
    let name = properties["UserName"].as_str()?;
    USER_NAME.fits(name).then(|| name.to_owned())
}

/// The secret's name. The other properties may be invalid.
pub fn secret_name_in(properties: &Value) -> Option<String> {
    match &properties["SecretName"] {
        Value::String(name) => is_secret_name(name).then(|| name.clone()),
        Value::Null => user_name_in(properties).map(|name| default_secret_name(&name)),
        _ => None,
    }
}

pub(crate) fn deletes_foreign(properties: &Value) -> bool {
    properties["ForeignCredentials"] == "Delete"
}

pub(crate) fn is_secret_name(name: &str) -> bool {
    SECRET_NAME.fits(name)
}

// The login's user name begins with the IAM user's. GitLab rejects a mirror's address otherwise:
// "Username needs to start with an alphanumeric character" (`validate_user`).
// https://gitlab.com/gitlab-org/gitlab/-/blob/master/gems/gitlab-http/lib/gitlab/http_v2/url_blocker.rb
fn begins_a_login(user_name: &str) -> bool {
    user_name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
