//! Secrets Manager's secrets: created, described, tagged, deleted. It is strongly consistent,
//! unless a test makes descriptions late. Sentences in quotation marks are from the API reference.
//! The texts of errors are recorded responses of AWS unless a comment states otherwise.

use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    request::Call,
    response::{ApiResponse, AwsError},
    services::{
        iam::characters,
        tags::{self, Tags},
    },
    state::AwsState,
};

/// Secrets Manager's list of secrets.
mod lists;
/// Secrets Manager's rotation.
mod rotation;
/// Secrets Manager's versions and their staging labels.
pub mod versions;

pub use rotation::{RotationSchedule, change_as_service};
use versions::{Version, VersionContent};

pub const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
pub const PENDING: &str = "AWSPENDING";

#[derive(Clone, Debug)]
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
            description: None,
            kms_key_id: None,
            tags: Tags::new(),
            versions: BTreeMap::new(),
            created: now,
            changed: now,
            deletion: None,
            created_empty_by: None,
            rotation: None,
        }
    }

    /// The version that holds a staging label.
    pub fn at_stage(&self, stage: &str) -> Option<&str> {
        let holds = |(_, version): &(_, &Version)| version.stages.contains(stage);
        self.versions.iter().find(holds).map(|(id, _)| id.as_str())
    }
}

pub fn answer(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    let body = match call.operation.as_str() {
        "CreateSecret" => create(aws, call)?,
        "DescribeSecret" => describe(aws, call)?,
        "ListSecrets" => lists::list(aws, call)?,
        "UpdateSecret" => update(aws, call)?,
        "DeleteSecret" => delete(aws, call)?,
        "RestoreSecret" => restore(aws, call)?,
        "TagResource" => tag(aws, call)?,
        "UntagResource" => untag(aws, call)?,
        "GetSecretValue" => versions::get(aws, call)?,
        "PutSecretValue" => versions::put(aws, call)?,
        "UpdateSecretVersionStage" => versions::move_stage(aws, call)?,
        unknown => return Err(aws.unknown_operation("secretsmanager", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

/// Removes the secrets whose deletion is complete.
pub(crate) fn purge(aws: &mut AwsState) {
    let now = aws.now;
    let done = |secret: &Secret| secret.deletion.is_some_and(|deletion| deletion.done <= now);
    aws.secrets.retain(|_, secret| !done(secret));
}

fn create(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = call.needed("Name");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any \
                       of the following: -/_+=.@!";
        return Err(AwsError::new(400, "ValidationException", message));
    }
    let token = versions::token(call)?;
    let content = VersionContent::sent_with(call);
    let tags = checked_tags(call)?;
    if let Some(held) = aws.secrets.get(name) {
        if held.deletion.is_some() {
            return Err(invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        // "If a version with this value already exists and the version
        // SecretString and SecretBinary values are the same as those in the
        // request, then the request is ignored. If […] different […] the
        // request fails".
        let repeated = match (&content, held.versions.get(token)) {
            (Some(content), Some(version)) if version.value == *content => true,
            (_, Some(_)) => return Err(versions::token_in_use(token, held)),
            (None, None) => {
                aws.options.empty_create_is_idempotent
                    && held.created_empty_by.as_deref() == Some(token)
            }
            (Some(_), None) => false,
        };
        if !repeated {
            let message = format!("The operation failed because the secret {name} already exists.");
            return Err(AwsError::new(400, "ResourceExistsException", message));
        }
        return Ok(named(held, content.is_some().then_some(token)));
    }
    let mut secret = Secret {
        description: call.text("Description").map(str::to_owned),
        kms_key_id: key_of(call),
        tags,
        created_empty_by: content.is_none().then(|| token.to_owned()),
        ..Secret::empty(&mut aws.random, name, aws.now)
    };
    let has_value = content.is_some();
    if let Some(content) = content {
        versions::add(&mut secret, token, content, &[CURRENT], aws.now);
    }
    let body = named(&secret, has_value.then_some(token));
    aws.secrets.insert(name.to_owned(), secret);
    Ok(body)
}

/// Records the state for later reads.
pub(crate) fn remember(aws: &mut AwsState, call: &Call) {
    let late = aws.options.secrets_late + aws.options.secret_lists_late;
    if late.is_zero() || call.reads() {
        return;
    }
    let secrets = aws.secrets.clone();
    aws.secrets_seen.change(aws.now, |seen| *seen = secrets);
}

fn describe(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let late = aws.options.secrets_late;
    let secrets = if late.is_zero() {
        &aws.secrets
    } else {
        aws.secrets_seen.seen(aws.now, late)
    };
    let secret = find_in(secrets, call)?;
    Ok(described(secret, "VersionIdsToStages"))
}

/// The description of a secret, with its versions under a name.
pub fn described(secret: &Secret, versions: &str) -> Value {
    let tags = secret.tags.iter();
    let labelled = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.stages.is_empty());
    let mut body = Map::new();
    body.insert("ARN".into(), json!(secret.arn));
    body.insert("Name".into(), json!(secret.name));
    body.insert(
        "CreatedDate".into(),
        json!(AwsState::seconds(secret.created)),
    );
    body.insert(
        "LastChangedDate".into(),
        json!(AwsState::seconds(secret.changed)),
    );
    let tags: Vec<_> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    body.insert("Tags".into(), tags.into());
    // "Versions that have no staging labels […] aren't included in this list."
    let stages: Map<String, Value> = labelled
        .map(|(id, version)| (id.clone(), json!(version.stages)))
        .collect();
    if !stages.is_empty() {
        body.insert(versions.into(), stages.into());
    }
    // "If the secret has never been configured for rotation […] returns null."
    if let Some(rotation) = &secret.rotation {
        body.insert("RotationEnabled".into(), json!(rotation.enabled));
        body.insert("RotationLambdaARN".into(), json!(rotation.function));
        let rules = json!({"AutomaticallyAfterDays": rotation.days});
        body.insert("RotationRules".into(), rules);
        if let Some(last) = rotation.last {
            body.insert("LastRotatedDate".into(), json!(AwsState::seconds(last)));
        }
    }
    if let Some(description) = &secret.description {
        body.insert("Description".into(), json!(description));
    }
    // "If the secret is encrypted with the AWS managed key aws/secretsmanager,
    // this field is omitted."
    if let Some(key) = &secret.kms_key_id {
        body.insert("KmsKeyId".into(), json!(key));
    }
    if let Some(deletion) = secret.deletion {
        body.insert(
            "DeletedDate".into(),
            json!(AwsState::seconds(deletion.asked)),
        );
    }
    body.into()
}

/// Changes the description and the key, and the value when one is sent.
fn update(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let content = VersionContent::sent_with(call);
    let now = aws.now;
    let secret = find_live_mut(aws, call)?;
    let version = match content {
        Some(content) => {
            let token = versions::token(call)?;
            versions::add_once(secret, token, content, &[CURRENT], now)?;
            Some(token)
        }
        None => None,
    };
    if let Some(description) = call.text("Description") {
        secret.description = Some(description.to_owned());
    }
    // "If you set this to an empty string, Secrets Manager uses the AWS managed
    // key aws/secretsmanager."
    if call.text("KmsKeyId").is_some() {
        secret.kms_key_id = key_of(call);
    }
    secret.changed = now;
    Ok(named(secret, version))
}

/// "If you use [`ForceDeleteWithoutRecovery`] with a previously deleted or
/// nonexistent secret, the operation does not return `ResourceNotFoundException`."
fn delete(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let forced = call.flag("ForceDeleteWithoutRecovery");
    let days = call
        .params
        .get("RecoveryWindowInDays")
        .and_then(Value::as_u64);
    if forced && days.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let days = days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let now = aws.now;
    let takes = if forced {
        aws.options.deletion_takes
    } else {
        Duration::from_hours(24) * u32::try_from(days).expect("at most 30")
    };
    let id = call.needed("SecretId").to_owned();
    let secret = match find_mut(aws, call) {
        Ok(secret) => secret,
        Err(_) if forced => {
            let arn =
                format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{id}-000000");
            return Ok(json!({"ARN": arn, "Name": id, "DeletionDate": AwsState::seconds(now)}));
        }
        Err(error) => return Err(error),
    };
    if secret.deletion.is_some() && !forced {
        return Err(marked_for_deletion());
    }
    let earlier = secret.deletion.filter(|deletion| deletion.forced);
    let deletion = earlier.unwrap_or(Deletion {
        asked: now,
        done: now + takes,
        forced,
    });
    secret.deletion = Some(deletion);
    let body = json!({
        "ARN": secret.arn, "Name": secret.name, "DeletionDate": AwsState::seconds(deletion.done),
    });
    purge(aws);
    Ok(body)
}

fn restore(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let secret = find_mut(aws, call)?;
    // AWS's response during a forced deletion is not recorded.
    if secret.deletion.is_some_and(|deletion| deletion.forced) {
        return Err(marked_for_deletion());
    }
    secret.deletion = None;
    Ok(named(secret, None))
}

fn tag(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let added = checked_tags(call)?;
    let now = aws.now;
    let secret = find_live_mut(aws, call)?;
    let mut all = secret.tags.clone();
    all.extend(added);
    if all.len() > tags::MOST {
        return Err(invalid_parameter("A secret can have at most 50 tags."));
    }
    secret.tags = all;
    secret.changed = now;
    Ok(json!({}))
}

fn untag(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let now = aws.now;
    let keys = call.list("TagKeys");
    let secret = find_live_mut(aws, call)?;
    secret.tags.retain(|key, _| !keys.contains(&key.as_str()));
    secret.changed = now;
    Ok(json!({}))
}

fn checked_tags(call: &Call) -> Result<Tags, AwsError> {
    let sent = call.params.get("Tags").and_then(Value::as_array);
    let mut tags = Tags::new();
    for tag in sent.into_iter().flatten() {
        let part = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        let (key, value) = (part("Key"), part("Value"));
        if let Some(refusal) = tags::refusal(&key, &value) {
            return Err(invalid_parameter(&refusal));
        }
        if tags::reserved(&key) {
            return Err(invalid_parameter("Tag keys can't begin with aws:."));
        }
        tags.insert(key, value);
    }
    if tags.len() > tags::MOST {
        return Err(invalid_parameter("A secret can have at most 50 tags."));
    }
    Ok(tags)
}

fn key_of(call: &Call) -> Option<String> {
    let sent = call.text("KmsKeyId").filter(|key| !key.is_empty());
    sent.map(str::to_owned)
}

/// Finds by name or by full ARN.
fn find<'a>(aws: &'a AwsState, call: &Call) -> Result<&'a Secret, AwsError> {
    find_in(&aws.secrets, call)
}

fn find_in<'a>(secrets: &'a BTreeMap<String, Secret>, call: &Call) -> Result<&'a Secret, AwsError> {
    let id = call.needed("SecretId");
    let mut secrets = secrets.values();
    let found = secrets.find(|secret| secret.name == id || secret.arn == id);
    found.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
}

fn find_mut<'a>(aws: &'a mut AwsState, call: &Call) -> Result<&'a mut Secret, AwsError> {
    let name = find(aws, call)?.name.clone();
    Ok(aws.secrets.get_mut(&name).expect("just found"))
}

/// Finds one that is not marked for deletion, as most operations need.
pub(crate) fn find_live<'a>(aws: &'a AwsState, call: &Call) -> Result<&'a Secret, AwsError> {
    let secret = find(aws, call)?;
    match secret.deletion {
        Some(_) => Err(marked_for_deletion()),
        None => Ok(secret),
    }
}

pub(crate) fn find_live_mut<'a>(
    aws: &'a mut AwsState,
    call: &Call,
) -> Result<&'a mut Secret, AwsError> {
    find_live(aws, call)?;
    find_mut(aws, call)
}

pub fn named(secret: &Secret, version: Option<&str>) -> Value {
    let mut body = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(version) = version {
        body["VersionId"] = version.into();
    }
    body
}

pub(crate) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}

pub(crate) fn invalid_parameter(message: &str) -> AwsError {
    AwsError::new(400, "InvalidParameterException", message)
}

pub(crate) fn invalid_request(message: &str) -> AwsError {
    AwsError::new(400, "InvalidRequestException", message)
}

fn marked_for_deletion() -> AwsError {
    invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}
