//! The secrets of an account, and how a call finds one.

use fastrand::Rng;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    services::iam::characters,
    world::{AwsError, Call, Tags, rejected},
};

pub const CURRENT: &str = "AWSCURRENT";

pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

pub const PENDING: &str = "AWSPENDING";

/// All secrets of the account, by name.
pub type Secrets = BTreeMap<String, Secret>;

#[derive(Clone, Debug, Default)]
pub struct Secret {
    pub arn: String,
    pub name: String,
    pub description: Option<String>,
    /// None is the account's default key.
    pub kms_key_id: Option<String>,
    pub tags: Tags,
    /// By version ID, which is the token of the request that created it.
    pub versions: BTreeMap<String, Version>,
    pub created: Duration,
    pub changed: Duration,
    pub deletion: Option<Deletion>,
    /// The token of a `CreateSecret` without a value.
    pub(crate) created_empty_by: Option<String>,
    /// Whether it is the replica of a secret in another region. "You can't update the secret value
    /// of a replica secret except to change its encryption key"
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>).
    pub is_replica: bool,
    /// Once rotation has been set up.
    pub rotation: Option<RotationSchedule>,
}

#[derive(Clone, Copy, Debug)]
pub struct Deletion {
    /// When the deletion was requested. From then on the value cannot be read.
    pub asked: Duration,
    /// When the secret is deleted and its name free.
    pub done: Duration,
    /// A forced one can not be taken back.
    pub(crate) forced: bool,
}

impl Secret {
    /// One without a version.
    pub fn empty(random: &mut Rng, name: &str, now: Duration) -> Self {
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        // "Secrets Manager automatically adds several random characters": an ARN
        // distinguishes a secret from an earlier one of the same name.
        let suffix = characters(random, 6, letters);
        Self {
            arn: format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-{suffix}"),
            name: name.to_owned(),
            created: now,
            changed: now,
            ..Self::default()
        }
    }

    pub(crate) fn is_named(&self, id: &str) -> bool {
        let partial = self.arn.rsplit_once('-').map(|(partial, _)| partial);
        self.name == id || self.arn == id || partial == Some(id)
    }

    /// The version that holds a staging label.
    pub fn at_stage(&self, stage: &str) -> Option<&str> {
        let holds = |(_, version): &(_, &Version)| version.stages.contains(stage);
        self.versions.iter().find(holds).map(|(id, _)| id.as_str())
    }
}

#[derive(Clone, Debug)]
pub struct Version {
    /// Empty while a rotation has only named the version.
    pub value: VersionContent,
    pub stages: BTreeSet<String>,
    pub created: Duration,
}

/// The value of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionContent {
    pub text: String,
    /// Whether it came as `SecretBinary` (then the text is base64).
    pub binary: bool,
}

impl Version {
    /// "When rotation is unsuccessful, the AWSPENDING staging label might be attached to an empty
    /// secret version" (`RotateSecret`).
    pub fn is_empty(&self) -> bool {
        self.value.text.is_empty()
    }
}

/// When a secret is rotated, and by whom.
#[derive(Clone, Debug)]
pub struct RotationSchedule {
    pub function: String,
    pub days: u64,
    /// False after `CancelRotateSecret`.
    pub enabled: bool,
    pub last: Option<Duration>,
}

/// Finds by name, by ARN, or by "a partial ARN", which has no random characters at its end
/// (API Reference, `DescribeSecret`, `SecretId`).
pub fn find<'a>(secrets: &'a Secrets, call: &Call) -> Result<&'a Secret, AwsError> {
    let id = call.needed("SecretId");
    let found = secrets.values().find(|secret| secret.is_named(id));
    found.ok_or_else(no_such_secret)
}

pub(crate) fn no_such_secret() -> AwsError {
    not_found("Secrets Manager can't find the specified secret.")
}

pub fn find_mut<'a>(secrets: &'a mut Secrets, call: &Call) -> Result<&'a mut Secret, AwsError> {
    let name = find(secrets, call)?.name.clone();
    Ok(secrets.get_mut(&name).expect("just found"))
}

/// Finds one that is not marked for deletion, as most operations need.
pub(crate) fn find_live<'a>(secrets: &'a Secrets, call: &Call) -> Result<&'a Secret, AwsError> {
    let secret = find(secrets, call)?;
    match secret.deletion {
        Some(_) => Err(marked_for_deletion()),
        None => Ok(secret),
    }
}

pub(crate) fn find_live_mut<'a>(
    secrets: &'a mut Secrets,
    call: &Call,
) -> Result<&'a mut Secret, AwsError> {
    find_live(secrets, call)?;
    find_mut(secrets, call)
}

pub fn named(secret: &Secret, version: Option<&str>) -> Value {
    let mut body = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(version) = version {
        body["VersionId"] = version.into();
    }
    body
}

pub(crate) fn not_found(message: impl Into<String>) -> AwsError {
    rejected("ResourceNotFoundException", message)
}

pub(crate) fn invalid_parameter(message: &str) -> AwsError {
    rejected("InvalidParameterException", message)
}

pub(crate) fn invalid_request(message: &str) -> AwsError {
    rejected("InvalidRequestException", message)
}

pub fn marked_for_deletion() -> AwsError {
    invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}
