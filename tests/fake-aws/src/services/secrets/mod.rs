//! Secrets Manager's secrets: created, described, tagged, deleted. It is strongly consistent,
//! unless a test makes descriptions late. Sentences in quotation marks are from the API reference.
//! The texts of errors are recorded responses of AWS unless a comment states otherwise.

use serde_json::{Value, json};
use std::time::Duration;

use crate::world::{
    ApiResponse, ApiResult, AwsError, Call, History, JsonResult, Tags, World, rejected, tags,
};

/// Secrets Manager's list of secrets.
mod lists;
/// Secrets Manager's rotation.
mod rotation;
/// The secrets of an account.
mod secret;
/// Secrets Manager's versions and their staging labels.
pub mod versions;

use lists::described;
pub(crate) use rotation::change_as_service;
pub use secret::{CURRENT, PENDING, RotationSchedule, Secret, Secrets};
use secret::{
    Deletion, find_live_mut, find_mut, invalid_parameter, invalid_request, marked_for_deletion,
    named,
};
pub(crate) use secret::{find, no_such_secret};
use versions::VersionContent;

pub fn answer(
    secrets: &mut Secrets,
    seen: &History<Secrets>,
    world: &mut World,
    call: &Call,
) -> ApiResult {
    let body = match call.operation.as_str() {
        "CreateSecret" => create(secrets, world, call)?,
        "DescribeSecret" => describe(secrets, seen, world, call)?,
        "ListSecrets" => lists::list(secrets, seen, world, call)?,
        "UpdateSecret" => update(secrets, world, call)?,
        "DeleteSecret" => delete(secrets, world, call)?,
        "RestoreSecret" => restore(secrets, call)?,
        "TagResource" => tag(secrets, world, call)?,
        "UntagResource" => untag(secrets, world, call)?,
        "GetSecretValue" => versions::get(secrets, call)?,
        "PutSecretValue" => versions::put(secrets, world, call)?,
        "UpdateSecretVersionStage" => versions::move_stage(secrets, world, call)?,
        unknown => return Err(world.unknown_operation("secretsmanager", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

/// Removes the secrets whose deletion is complete.
pub(crate) fn purge(secrets: &mut Secrets, world: &World) {
    let now = world.now;
    let done = |secret: &Secret| secret.deletion.is_some_and(|deletion| deletion.done <= now);
    secrets.retain(|_, secret| !done(secret));
}

fn create(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let name = call.needed("Name");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any \
                       of the following: -/_+=.@!";
        return Err(rejected("ValidationException", message));
    }
    let token = versions::token(call)?;
    let content = VersionContent::sent_with(call);
    let tags = checked_tags(call)?;
    if let Some(held) = secrets.get(name) {
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
                world.options.empty_create_is_idempotent
                    && held.created_empty_by.as_deref() == Some(token)
            }
            (Some(_), None) => false,
        };
        if !repeated {
            let message = format!("The operation failed because the secret {name} already exists.");
            return Err(rejected("ResourceExistsException", message));
        }
        return Ok(named(held, content.is_some().then_some(token)));
    }
    let mut secret = Secret {
        description: call.text("Description").map(str::to_owned),
        kms_key_id: key_of(call),
        tags,
        created_empty_by: content.is_none().then(|| token.to_owned()),
        ..Secret::empty(&mut world.random, name, world.now)
    };
    let has_value = content.is_some();
    if let Some(content) = content {
        versions::add(&mut secret, token, content, &[CURRENT], world.now);
    }
    let body = named(&secret, has_value.then_some(token));
    secrets.insert(name.to_owned(), secret);
    Ok(body)
}

/// Records the state for later reads.
pub(crate) fn remember(secrets: &Secrets, seen: &mut History<Secrets>, world: &World, call: &Call) {
    let late = world.options.secrets_late + world.options.secret_lists_late;
    if late.is_zero() || call.reads() {
        return;
    }
    let secrets = secrets.clone();
    seen.change(world.now, |seen| *seen = secrets);
}

fn describe(secrets: &Secrets, seen: &History<Secrets>, world: &World, call: &Call) -> JsonResult {
    let late = world.options.secrets_late;
    let secrets = if late.is_zero() {
        secrets
    } else {
        seen.seen(world.now, late)
    };
    let secret = secret::find(secrets, call)?;
    // The end of a deletion is shown as late as every other change.
    let is_gone = |deletion: &Deletion| deletion.done + late <= world.now;
    if secret.deletion.as_ref().is_some_and(is_gone) {
        return Err(no_such_secret());
    }
    Ok(described(secret, "VersionIdsToStages"))
}

/// Changes the description and the key, and the value when one is sent.
fn update(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let content = VersionContent::sent_with(call);
    let now = world.now;
    let secret = find_live_mut(secrets, call)?;
    let mut version = None;
    if let Some(content) = content {
        let token = versions::token(call)?;
        versions::add_once(secret, token, content, &[CURRENT], now)?;
        version = Some(token);
    }
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
fn delete(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let forced = call.flag("ForceDeleteWithoutRecovery");
    let days = call.params.get("RecoveryWindowInDays").and_then(Value::as_u64);
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
    let now = world.now;
    let takes = if forced {
        world.options.deletion_takes
    } else {
        Duration::from_hours(24) * u32::try_from(days).expect("at most 30")
    };
    let id = call.needed("SecretId").to_owned();
    let secret = match find_mut(secrets, call) {
        Ok(secret) => secret,
        Err(_) if forced => {
            let arn =
                format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{id}-000000");
            return Ok(json!({"ARN": arn, "Name": id, "DeletionDate": World::seconds(now)}));
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
        "ARN": secret.arn, "Name": secret.name, "DeletionDate": World::seconds(deletion.done),
    });
    purge(secrets, world);
    Ok(body)
}

fn restore(secrets: &mut Secrets, call: &Call) -> JsonResult {
    let secret = find_mut(secrets, call)?;
    // AWS's response during a forced deletion is not recorded.
    if secret.deletion.is_some_and(|deletion| deletion.forced) {
        return Err(marked_for_deletion());
    }
    secret.deletion = None;
    Ok(named(secret, None))
}

fn tag(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let added = checked_tags(call)?;
    let now = world.now;
    let secret = find_live_mut(secrets, call)?;
    let mut all = secret.tags.clone();
    all.extend(added);
    if all.len() > tags::MOST {
        return Err(invalid_parameter("A secret can have at most 50 tags."));
    }
    secret.tags = all;
    secret.changed = now;
    Ok(json!({}))
}

fn untag(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let now = world.now;
    let keys = call.list("TagKeys");
    let secret = find_live_mut(secrets, call)?;
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
