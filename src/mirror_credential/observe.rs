//! Reads the user's tags and credentials, and the secret.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;

use crate::aws::{Aws, CallError, optional};
use crate::mirror_credential::calls::CODECOMMIT;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::mirrors::intent::{MIRROR_INTENT_LABEL, SavedSpec};
use crate::mirror_credential::state::{Credential, Secret, SecretLog, SecretOrigin, User};

/// Reads the user's tags and credentials concurrently. A user that does not exist, or that the
/// function may not read, is returned as such.
///
/// # Errors
/// If IAM fails.
pub async fn read_user(aws: &Aws, name: &str) -> Result<User, CallError> {
    let (tags, credentials) = tokio::join!(read_tags(aws, name), list_credentials(aws, name));
    let tags = match tags {
        Ok(Some(tags)) => tags,
        Ok(None) => return Ok(User::absent(name, None)),
        Err(error) if error.is_denied() => return Ok(User::absent(name, Some(error))),
        Err(error) => return Err(error),
    };
    match credentials {
        Ok(Some(credentials)) => Ok(User {
            credentials,
            ..User::from_tags(name, &tags)
        }),
        Ok(None) => Ok(User::absent(name, None)),
        Err(error) if error.is_denied() => Ok(User::absent(name, Some(error))),
        Err(error) => Err(error),
    }
}

async fn read_tags(aws: &Aws, name: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
    let mut tags = BTreeMap::new();
    let mut marker = None;
    loop {
        let call = aws.iam.list_user_tags().user_name(name).set_marker(marker);
        let doing = || format!("reading the tags of user {name}");
        let Some(page) = optional(call.send().await, &["NoSuchEntity"], doing)? else {
            return Ok(None);
        };
        for tag in page.tags() {
            tags.insert(tag.key().to_owned(), tag.value().to_owned());
        }
        if !page.is_truncated() {
            return Ok(Some(tags));
        }
        marker = page.marker().map(ToOwned::to_owned);
    }
}

async fn list_credentials(aws: &Aws, name: &str) -> Result<Option<Vec<Credential>>, CallError> {
    let mut credentials = Vec::new();
    let mut marker = None;
    loop {
        let call = aws.iam.list_service_specific_credentials();
        let call = call
            .user_name(name)
            .service_name(CODECOMMIT)
            .set_marker(marker);
        let doing = || format!("listing the service-specific credentials of user {name}");
        let Some(page) = optional(call.send().await, &["NoSuchEntity"], doing)? else {
            return Ok(None);
        };
        for metadata in page.service_specific_credentials() {
            credentials.push(Credential {
                id: metadata.service_specific_credential_id().to_owned(),
                service_user_name: metadata.service_user_name().to_owned(),
                active: metadata.status().as_str() == "Active",
                created: (*metadata.create_date())
                    .try_into()
                    .unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        if !page.is_truncated() {
            return Ok(Some(credentials));
        }
        marker = page.marker().map(ToOwned::to_owned);
    }
}

/// Reads the secret `name`. `None` if it does not exist.
///
/// # Errors
/// If Secrets Manager fails.
pub async fn read_secret(aws: &Aws, name: &str) -> Result<Option<Secret>, CallError> {
    let call = aws.secrets.describe_secret().secret_id(name);
    let doing = || format!("reading secret {name}");
    let output = optional(call.send().await, &["ResourceNotFoundException"], doing)?;
    Ok(output.as_ref().map(parse_secret))
}

fn parse_secret(output: &DescribeSecretOutput) -> Secret {
    let all_tags: BTreeMap<String, String> = output
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect();
    let tag = |key: &str| all_tags.get(key).filter(|value| !value.is_empty());
    let mut secret = Secret {
        arn: output.arn().unwrap_or_default().to_owned(),
        origin: SecretOrigin {
            owner: intent_log::owner(&all_tags),
            user_name: tag(intent_log::USER_NAME).cloned(),
            as_of: tag(intent_log::AS_OF).and_then(|text| intent_log::read_time(text)),
            created_by: tag(intent_log::CREATED_BY).cloned(),
            claimant: tag(intent_log::CLAIMANT).cloned(),
        },
        kms_key_id: output.kms_key_id().map(ToOwned::to_owned),
        tags: all_tags
            .iter()
            .filter(|(key, _)| !key.starts_with(crate::tags::OWN))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        rotates: output.rotation_enabled().unwrap_or_default(),
        last_changed: output
            .last_changed_date()
            .and_then(|time| (*time).try_into().ok()),
        deleted_at: output
            .deleted_date()
            .and_then(|time| (*time).try_into().ok()),
        log: SecretLog::default(),
    };
    for (version_id, labels) in output.version_ids_to_stages().into_iter().flatten() {
        add_version(&mut secret, version_id, labels);
    }
    secret.log.superseded.sort_by_key(|login| login.entry);
    secret.log.saved_specs.sort_by_key(|saved| saved.entry);
    secret
}

fn add_version(secret: &mut Secret, version_id: &str, labels: &[String]) {
    let has = |wanted: &str| labels.iter().any(|label| label == wanted);
    let is_current = has("AWSCURRENT");
    let is_claim = has(intent_log::CLAIM_LABEL);
    if is_claim {
        secret.log.claim = intent_log::entry_number(version_id).unwrap_or_default();
        secret.log.mirror_intent = has(MIRROR_INTENT_LABEL).then(|| version_id.to_owned());
    }
    if has("AWSPENDING") {
        secret.log.pending = Some(version_id.to_owned());
    }
    let saved = labels.iter().filter_map(|label| SavedSpec::read(label));
    secret.log.saved_specs.extend(saved);
    let logins = labels
        .iter()
        .filter_map(|label| Login::read(label, version_id));
    let mut logins: Vec<Login> = logins.collect();
    logins.sort_by_key(|login| login.entry);
    if is_current {
        // Secrets Manager puts AWSCURRENT on a secret's first version, even if that is a claim.
        secret.log.changed_by_hand = logins.is_empty() && !is_claim;
        secret.log.current = logins.pop();
    }
    secret.log.superseded.extend(logins);
}
