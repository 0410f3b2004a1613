//! Secrets Manager's versions and their staging labels. Sentences in quotation
//! marks are from the API reference.

use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    services::secrets::secret::{
        CURRENT, PENDING, PREVIOUS, Secret, Secrets, find_live, find_live_mut, invalid_parameter,
        invalid_request, named, not_found,
    },
    world::{AwsError, Call, JsonResult, World, rejected},
};

pub use crate::services::secrets::secret::{Version, VersionContent};
pub use crate::world::options::{AbandonedBy, Pending};

/// "Staging labels attached across all versions of a secret: 20" (User Guide, Quotas).
pub(crate) const MOST_LABELS: usize = 20;
/// "Secrets Manager removes unlabeled versions when there are more than 100, but it does not
/// remove versions created less than 24 hours ago" (User Guide, Quotas).
const MOST_VERSIONS: usize = 100;
const KEPT: Duration = Duration::from_hours(24);
const LONGEST_LABEL: usize = 256;

impl VersionContent {
    pub(crate) fn sent_with(call: &Call) -> Option<Self> {
        let part = |name: &str, binary| {
            let text = call.text(name)?.to_owned();
            Some(Self { text, binary })
        };
        part("SecretString", false).or_else(|| part("SecretBinary", true))
    }
}

/// The request's token, which becomes the version's id: 32 to 64 characters.
pub fn token(call: &Call) -> Result<&str, AwsError> {
    let token = call.text("ClientRequestToken").ok_or_else(|| {
        invalid_request(
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        )
    })?;
    if !(32..=64).contains(&token.len()) {
        return Err(invalid_parameter(
            "ClientRequestToken must be 32-64 characters long.",
        ));
    }
    Ok(token)
}

pub fn get(secrets: &Secrets, call: &Call) -> JsonResult {
    let secret = find_live(secrets, call)?;
    let stage = call.text("VersionStage");
    let id = if let Some(id) = call.text("VersionId") {
        id
    } else {
        let stage = stage.unwrap_or(CURRENT);
        let missing = format!(
            "Secrets Manager can't find the specified secret value for staging label: {stage}"
        );
        secret.at_stage(stage).ok_or_else(|| not_found(missing))?
    };
    let missing = || {
        not_found(format!(
            "Secrets Manager can't find the specified secret value for VersionId: {id}"
        ))
    };
    // A version without labels is deprecated, and can still be read by its id
    // until Secrets Manager removes it, which it does not do within a day.
    let version = secret.versions.get(id).ok_or_else(missing)?;
    if version.is_empty() {
        return Err(missing());
    }
    if stage.is_some_and(|stage| !version.stages.contains(stage)) {
        return Err(invalid_request(
            "You provided a VersionStage that is not associated to the provided VersionId.",
        ));
    }
    let mut body = named(secret, Some(id));
    // The model has at least one: a version without a label has no such member. (?)
    if !version.stages.is_empty() {
        body["VersionStages"] = json!(version.stages);
    }
    body["CreatedDate"] = json!(World::seconds(version.created));
    let field = if version.value.binary {
        "SecretBinary"
    } else {
        "SecretString"
    };
    body[field] = json!(version.value.text);
    Ok(body)
}

pub fn put(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let token = token(call)?;
    let content = VersionContent::sent_with(call)
        .ok_or_else(|| invalid_request("You must provide either SecretString or SecretBinary."))?;
    let stages = call.list("VersionStages");
    if call.params.contains_key("VersionStages") && stages.is_empty() {
        return Err(invalid_parameter(
            "VersionStages must have at least one member.",
        ));
    }
    // "If you don't include VersionStages, then Secrets Manager automatically
    // moves the staging label AWSCURRENT to this version."
    let stages = if stages.is_empty() {
        vec![CURRENT]
    } else {
        stages
    };
    if stages.iter().any(|label| label.is_empty() || label.len() > LONGEST_LABEL) {
        return Err(invalid_parameter(
            "A staging label has 1 to 256 characters.",
        ));
    }
    let (now, abandoned_by) = (world.now, world.options.pending.abandoned_by);
    let secret = find_live_mut(secrets, call)?;
    if secret.is_replica {
        return Err(invalid_request(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
        ));
    }
    let is_new = secret.versions.get(token).is_none_or(Version::is_empty);
    add_once(secret, token, content, &stages, now)?;
    let abandons = match abandoned_by {
        AbandonedBy::Nothing => false,
        AbandonedBy::Current => is_new && stages.contains(&CURRENT),
        AbandonedBy::Any => is_new,
    };
    if abandons && secret.at_stage(PENDING) != Some(token) {
        detach(&mut secret.versions, PENDING);
    }
    let mut body = named(secret, Some(token));
    body["VersionStages"] = json!(secret.versions[token].stages);
    Ok(body)
}

/// "If you call this operation with a `ClientRequestToken` that matches an
/// existing version's `VersionId`, and you specify the same secret data, the
/// operation succeeds but does nothing. However, if the secret data is
/// different, then the operation fails".
pub(crate) fn add_once(
    secret: &mut Secret,
    token: &str,
    content: VersionContent,
    stages: &[&str],
    now: Duration,
) -> Result<(), AwsError> {
    match secret.versions.get(token) {
        Some(version) if version.value == content => {}
        Some(version) if !version.is_empty() => return Err(token_in_use(token, secret)),
        _ => {
            has_place_for(secret, stages)?;
            has_place_for_a_version(secret, now)?;
            add(secret, token, content, stages, now);
        }
    }
    Ok(())
}

/// `LimitExceededException`: "The request failed because it would exceed one of the Secrets Manager
/// quotas." The text is recorded nowhere.
fn has_place_for(secret: &Secret, added: &[&str]) -> Result<(), AwsError> {
    let held = secret.versions.values().flat_map(|version| &version.stages);
    let mut labels: BTreeSet<&str> = held.map(String::as_str).collect();
    labels.extend(added);
    if added.contains(&CURRENT) && secret.at_stage(CURRENT).is_some() {
        labels.insert(PREVIOUS);
    }
    if labels.len() > MOST_LABELS {
        let message = "You have reached the maximum number of staging labels for this secret.";
        return Err(rejected("LimitExceededException", message));
    }
    Ok(())
}

/// "If you call `PutSecretValue` more than once every 10 minutes, you will create more versions than
/// Secrets Manager removes, and you will reach the quota for secret versions" (API Reference,
/// `PutSecretValue`). The text is recorded nowhere.
fn has_place_for_a_version(secret: &Secret, now: Duration) -> Result<(), AwsError> {
    let stays = |version: &&Version| !version.stages.is_empty() || version.created + KEPT > now;
    if secret.versions.values().filter(stays).count() < MOST_VERSIONS {
        return Ok(());
    }
    let message = "You have reached the maximum number of versions for this secret.";
    Err(rejected("LimitExceededException", message))
}

/// Adds a version, or gives one its value that a rotation has only named, and moves labels to it.
pub fn add(
    secret: &mut Secret,
    token: &str,
    value: VersionContent,
    stages: &[&str],
    now: Duration,
) {
    let first = secret.versions.is_empty();
    let version = Version {
        value,
        stages: BTreeSet::new(),
        created: now,
    };
    let named = secret.versions.entry(token.to_owned());
    named
        .and_modify(|named| named.value.clone_from(&version.value))
        .or_insert(version);
    for stage in stages {
        attach(&mut secret.versions, token, stage);
    }
    // "If this operation creates the first version for the secret, then Secrets
    // Manager automatically attaches the staging label AWSCURRENT to it."
    if first {
        attach(&mut secret.versions, token, CURRENT);
    }
    forget_old(&mut secret.versions, now);
    secret.changed = now;
}

/// Removes the oldest versions without a label that are a day old, if there are too many.
fn forget_old(versions: &mut BTreeMap<String, Version>, now: Duration) {
    while versions.len() > MOST_VERSIONS {
        let old = |(_, version): &(&String, &Version)| {
            version.stages.is_empty() && version.created + KEPT <= now
        };
        let oldest = versions.iter().filter(old).min_by_key(|(_, version)| version.created);
        let Some(id) = oldest.map(|(id, _)| id.clone()) else {
            return;
        };
        versions.remove(&id);
    }
}

/// Names a version that a rotation is to fill, and moves AWSPENDING to it.
pub fn name_pending(secret: &mut Secret, id: &str, now: Duration) {
    let value = VersionContent {
        text: String::new(),
        binary: false,
    };
    let version = Version {
        value,
        stages: BTreeSet::new(),
        created: now,
    };
    secret.versions.insert(id.to_owned(), version);
    attach(&mut secret.versions, id, PENDING);
    secret.changed = now;
}

/// Removes AWSPENDING from a version, which is deleted if it has no value.
pub fn forget_pending(secret: &mut Secret, id: &str) {
    let Some(version) = secret.versions.get_mut(id) else {
        return;
    };
    version.stages.remove(PENDING);
    if version.is_empty() {
        secret.versions.remove(id);
    }
}

/// "Each staging label can be attached to only one version at a time."
fn attach(versions: &mut BTreeMap<String, Version>, id: &str, stage: &str) {
    let holder = detach(versions, stage);
    if let Some(version) = versions.get_mut(id) {
        version.stages.insert(stage.to_owned());
    }
    // "Whenever you move AWSCURRENT, Secrets Manager automatically moves the
    // label AWSPREVIOUS to the version that AWSCURRENT was removed from."
    if let (CURRENT, Some(holder)) = (stage, holder.filter(|holder| holder != id)) {
        attach(versions, &holder, PREVIOUS);
    }
}

fn detach(versions: &mut BTreeMap<String, Version>, stage: &str) -> Option<String> {
    versions
        .iter_mut()
        .find_map(|(id, version)| version.stages.remove(stage).then(|| id.clone()))
}

/// "If the label is attached and you either do not specify [`RemoveFromVersionId`],
/// or the version ID does not match, then the operation fails."
pub fn move_stage(secrets: &mut Secrets, world: &mut World, call: &Call) -> JsonResult {
    let stage = call.needed("VersionStage");
    let to = call.text("MoveToVersionId");
    let from = call.text("RemoveFromVersionId");
    let (now, goes_along) = (world.now, world.options.pending.goes_with_current);
    let secret = find_live_mut(secrets, call)?;
    for version in to.iter().chain(&from) {
        // The reference lists ResourceNotFoundException for "the
        // resource that you asked for"; its text is not recorded.
        if !secret.versions.contains_key(*version) {
            return Err(not_found(format!(
                "Secrets Manager can't find the specified secret value for VersionId: {version}"
            )));
        }
    }
    let holder = secret.at_stage(stage).map(str::to_owned);
    match (holder.as_deref(), from) {
        (Some(holder), None) if to != Some(holder) => {
            return Err(invalid_parameter(&format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently \
                 attached to version {holder}, so you must explicitly reference that version in \
                 RemoveFromVersionId."
            )));
        }
        (holder, Some(from)) if holder != Some(from) => {
            return Err(invalid_parameter(&format!(
                "When you move staging label {stage}, if you specify RemoveFromVersionId, it must be \
                 set to the version that currently has the staging label {stage}."
            )));
        }
        _ => {}
    }
    if to.is_some() {
        has_place_for(secret, &[stage])?;
    }
    match to {
        Some(to) => {
            attach(&mut secret.versions, to, stage);
            if goes_along && stage == CURRENT && secret.at_stage(PENDING) == Some(to) {
                detach(&mut secret.versions, PENDING);
            }
        }
        None if stage == CURRENT => {
            return Err(invalid_parameter(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            ));
        }
        None => drop(detach(&mut secret.versions, stage)),
    }
    // A version never has AWSPREVIOUS and AWSCURRENT: moving back leaves
    // AWSPREVIOUS on the version that AWSCURRENT came from.
    secret.changed = now;
    Ok(named(secret, None))
}

pub(crate) fn token_in_use(token: &str, secret: &Secret) -> AwsError {
    let message = format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version \
         of secret {}.",
        secret.arn
    );
    rejected("ResourceExistsException", message)
}
