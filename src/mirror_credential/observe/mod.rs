//! Reads the user's tags and credentials, the secret, the repositories' clone URLs, and the
//! projects in GitLab.

pub mod projects;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use aws_sdk_iam::types::{StatusType, Tag};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::primitives::DateTime;
use futures_util::future::try_join_all;

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError, optional, required, retrying_absence};
use crate::clients::codecommit;
use crate::clients::sent::RetryTime;
use crate::common::reason_codes::Code;
use crate::mirror_credential::calls::CODECOMMIT;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::mirrors::{MIRROR_INTENT_LABEL, SavedSpec};
use crate::mirror_credential::intent_log::{Login, Owner};
use crate::mirror_credential::state::{
    Credential, DeniedRead, Secret, SecretLog, SecretOrigin, User,
};
use crate::mirror_credential::timing::{POLL_INTERVAL, PROPAGATION_TIME};

/// IAM's error code for a user, a credential or a service that does not exist.
const NO_ENTITY: [&str; 1] = ["NoSuchEntity"];

/// Reads the user's tags and credentials concurrently. A user that does not exist, or that the
/// function may not read, is returned as such.
pub async fn read_user(aws: &Aws, name: &str) -> Result<User, CallError> {
    let read = async || tokio::join!(read_tags(aws, name), list_credentials(aws, name));
    let (tags, credentials) = match read().await {
        // One of both answers may be wrong, or the user was created or deleted meanwhile.
        (Ok(None), Ok(_)) => read().await,
        (Ok(Some(_)), Err(error)) if error.has_code(&NO_ENTITY) => read().await,
        read => read,
    };
    match (tags, credentials) {
        (Ok(Some(tags)), Ok(credentials)) => Ok(User {
            credentials,
            ..User::from_tags(name, &tags)
        }),
        (Ok(None), _) => Ok(User::absent(name, None)),
        // IAM gives the code for a missing user to a service without such credentials, too.
        (Ok(Some(_)), Err(error)) if error.has_code(&NO_ENTITY) => {
            Ok(User::absent(name, Some(DeniedRead(error))))
        }
        (Err(error), _) | (_, Err(error)) if error.is_denied() => {
            Ok(User::absent(name, Some(DeniedRead(error))))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The tags of the user `name`. `None` if the user does not exist.
pub async fn read_tags(
    aws: &Aws,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, CallError> {
    let call = aws.iam.list_user_tags().user_name(name);
    let tags: Result<Vec<Tag>, _> = call.into_paginator().items().send().collect().await;
    let doing = || format!("reading the tags of user {name}");
    let tags = optional(tags, &NO_ENTITY, doing)?;
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

async fn list_credentials(aws: &Aws, name: &str) -> Result<Vec<Credential>, CallError> {
    let mut credentials = Vec::new();
    let mut marker = None;
    loop {
        let call = aws.iam.list_service_specific_credentials();
        let call = call.user_name(name).service_name(CODECOMMIT);
        let doing = || format!("listing the service-specific credentials of user {name}");
        let page = call.set_marker(marker).send().await;
        let page = required(page, doing)?;
        credentials.extend(
            page.service_specific_credentials().iter().map(|listed| Credential {
                id: listed.service_specific_credential_id().to_owned(),
                service_user_name: listed.service_user_name().to_owned(),
                active: is_active(listed.status()),
                created: SystemTime::try_from(*listed.create_date())
                    .unwrap_or(SystemTime::UNIX_EPOCH),
            }),
        );
        let is_truncated = page.is_truncated();
        marker = page.marker;
        if marker.is_none() {
            let incomplete =
                || CallError::local(Code::AwsUnavailable, doing(), "the list has no end");
            return (!is_truncated).then_some(credentials).ok_or_else(incomplete);
        }
    }
}

/// Whether a credential is active. One with a status that a later version of IAM has counts as
/// active, because an inactive one is replaced. CodeCommit decides whether its login works.
pub fn is_active(status: &StatusType) -> bool {
    match status {
        StatusType::Active => true,
        StatusType::Inactive | StatusType::Expired => false,
        other => {
            tracing::warn!(status = other.as_str(), "unknown status of a credential");
            true
        }
    }
}

/// The clone URL of each of the repositories `names`, of which `new` may have been created just
/// before.
pub async fn clone_urls(
    aws: &Aws,
    names: BTreeSet<&str>,
    new: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, CallError> {
    let urls = try_join_all(names.into_iter().map(|name| async move {
        let url = retrying_absence(new.contains(name), clone_url(aws, name)).await?;
        Ok::<_, CallError>((name.to_owned(), url))
    }));
    Ok(urls.await?.into_iter().collect())
}

async fn clone_url(aws: &Aws, repository_name: &str) -> Result<String, CallError> {
    if let Some(repository) = codecommit::look_up(&aws.codecommit, repository_name).await? {
        return Ok(repository.clone_url);
    }
    let doing = format!("looking up repository {repository_name}");
    let region = aws.s3.region().unwrap_or("this region");
    let cause = format!("it does not exist in {region} of the function's account");
    Err(CallError {
        retry: RetryTime::Never,
        ..CallError::local(Code::RepositoryMissing, doing, cause)
    }
    .with_remedy("Create it there, or correct RepositoryName or RepositoryNames"))
}

/// Reads the secret `name`. `None` if it does not exist.
pub async fn read_secret(aws: &Aws, name: &str) -> Result<Option<Secret>, CallError> {
    let call = aws.secrets.describe_secret().secret_id(name);
    let doing = || format!("reading secret {name}");
    let output = optional(call.send().await, &["ResourceNotFoundException"], doing)?;
    Ok(output.as_ref().map(parse_secret))
}

/// Reads the secret `name`, which may have been created a moment ago: Secrets Manager may show it
/// late. `None` if it does not show the secret within [`PROPAGATION_TIME`].
pub async fn read_created_secret(
    clients: &Clients,
    name: &str,
) -> Result<Option<Secret>, CallError> {
    read_secret_created_at(clients, name, Some(clients.clock.now())).await
}

/// The same, if it was created at a known time. `None` if the secret is an old one.
pub async fn read_secret_created_at(
    clients: &Clients,
    name: &str,
    created_at: Option<SystemTime>,
) -> Result<Option<Secret>, CallError> {
    loop {
        let secret = read_secret(&clients.aws, name).await?;
        let now = clients.clock.now();
        if secret.is_some() || created_at.is_none_or(|at| now >= at + PROPAGATION_TIME) {
            return Ok(secret);
        }
        tokio::time::sleep(POLL_INTERVAL * 2).await;
    }
}

fn parse_secret(output: &DescribeSecretOutput) -> Secret {
    let tags = output.tags().iter();
    let tags = tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let mut tags: BTreeMap<String, String> = tags.collect();
    let time = |time: Option<&DateTime>| time.and_then(|time| SystemTime::try_from(*time).ok());
    let origin = parse_origin(&tags);
    tags.retain(|key, _| !key.starts_with(crate::common::tags::OWN));
    Secret {
        arn: output.arn().unwrap_or_default().to_owned(),
        origin,
        kms_key_id: output.kms_key_id().map(ToOwned::to_owned),
        log: parse_log(output.version_ids_to_stages()),
        rotates: output.rotation_enabled().unwrap_or_default(),
        last_changed: time(output.last_changed_date()),
        deleted_at: time(output.deleted_date()),
        tags,
    }
}

/// The origin of a secret, from its `tags`.
pub fn parse_origin(tags: &BTreeMap<String, String>) -> SecretOrigin {
    let tag = |key: &str| tags.get(key).filter(|value| !value.is_empty());
    SecretOrigin {
        owner: Owner::from_tags(|key| tags.get(key).map(String::as_str)),
        stack_id: tag(intent_log::STACK_ID).cloned(),
        user_name: tag(intent_log::USER_NAME).cloned(),
        as_of: tag(intent_log::AS_OF).and_then(|text| intent_log::read_time(text)),
        changed_by: tag(intent_log::CHANGED_BY).cloned(),
        claimant: tag(intent_log::CLAIMANT).cloned(),
    }
}

/// The log that the labels of the `versions` of a secret are.
pub fn parse_log(versions: Option<&HashMap<String, Vec<String>>>) -> SecretLog {
    let mut log = SecretLog::default();
    for (version_id, labels) in versions.into_iter().flatten() {
        let has_label = |wanted: &str| labels.iter().any(|label| label == wanted);
        let is_claim = has_label(intent_log::CLAIM_LABEL);
        if is_claim {
            log.claim = intent_log::entry_number(version_id).unwrap_or_default();
            log.mirror_intent = has_label(MIRROR_INTENT_LABEL).then(|| version_id.clone());
        }
        if has_label("AWSPENDING") {
            log.pending = Some(version_id.clone());
        }
        let saved = labels.iter().filter_map(|label| SavedSpec::read(label));
        log.saved_specs.extend(saved);
        let logins = labels.iter().filter_map(|label| Login::read(label, version_id));
        let mut logins: Vec<Login> = logins.collect();
        logins.sort_by_key(|login| login.entry);
        if has_label("AWSCURRENT") {
            // Secrets Manager puts AWSCURRENT on a secret's first version, even if that is a claim.
            log.changed_by_hand = logins.is_empty() && !is_claim;
            log.current = logins.pop();
        }
        log.superseded.extend(logins);
    }
    log.superseded.sort_by_key(|login| login.entry);
    log.saved_specs.sort_by_key(|saved| saved.entry);
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_of_an_unknown_status_is_not_replaced() {
        for (status, expected) in [
            ("Active", true),
            ("Inactive", false),
            ("Expired", false),
            ("FUTURE_VALUE", true),
        ] {
            assert_eq!(is_active(&status.into()), expected, "{status}");
        }
    }
}
