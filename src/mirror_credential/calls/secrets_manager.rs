//! Secrets Manager: the secret, its log of versions, and its tags.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::json;

use crate::aws::{Aws, CallError};
use crate::gitlab::Access;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::mirrors::journal::{
    JOURNAL_LABEL, Journal, MirrorRecord, Properties, read_mirrors, read_properties, write_mirrors,
    write_properties,
};
use crate::mirror_credential::observe::{CODECOMMIT, Credential, Secret};
use crate::mirror_credential::plan::Me;
use crate::mirror_credential::spec;
use crate::mirror_credential::spec::Spec;
use crate::password::Password;

/// What became of an attempt to write the log's next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands.
    Yes,
    /// Somebody else wrote that entry first.
    Taken,
    /// The secret is gone.
    Gone,
}

/// What became of an attempt to create the secret.
#[derive(Debug)]
pub enum Created {
    /// It is ours, with this ARN.
    Yes(String),
    /// There is one of that name.
    Taken,
    /// The name is not free yet: a secret of that name is on its way out.
    Blocked(CallError),
}

/// A value that was stored: who logs in how, and which mirrors do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogin {
    /// `username`
    pub service_user_name: String,
    /// `password`
    pub password: Password,
    /// `mirrors`
    pub mirrors: Vec<MirrorRecord>,
}

/// Creates the secret without a value: of two that try, one succeeds.
pub async fn create_secret(aws: &Aws, desired: &Spec, me: &Me) -> Result<Created, CallError> {
    let name = &desired.secret_name;
    let mut call = aws
        .secrets
        .create_secret()
        .name(name)
        .description(format!(
            "CodeCommit login of IAM user {}",
            desired.user_name
        ))
        .set_kms_key_id(desired.kms_key_id.clone());
    let records = [
        (intent_log::STACK_ID, me.owner.stack_id.clone()),
        (intent_log::LOGICAL_ID, me.owner.logical_id.clone()),
        (intent_log::USER_NAME, desired.user_name.clone()),
        (intent_log::AS_OF, intent_log::write_time(me.signed_at)),
        (intent_log::CREATED_BY, me.request_key.clone()),
        (intent_log::CLAIMANT, me.claimant.clone()),
    ];
    let own = records
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    for (key, value) in own.chain(desired.tags.clone()) {
        call = call.tags(secret_tag(key, value));
    }
    let error = match call.send().await {
        Ok(output) => return Ok(Created::Yes(output.arn().unwrap_or(name).to_owned())),
        Err(error) => error,
    };
    let service = error.as_service_error();
    let call_error = CallError::new(format!("creating secret {name}"), &error);
    if service.is_some_and(aws_sdk_secretsmanager::operation::create_secret::CreateSecretError::is_resource_exists_exception) {
        Ok(Created::Taken)
    } else if service.is_some_and(aws_sdk_secretsmanager::operation::create_secret::CreateSecretError::is_invalid_request_exception) {
        Ok(Created::Blocked(call_error))
    } else {
        Err(call_error)
    }
}

/// Writes the log's entry `number` as a claim, with what it says of mirrors.
pub async fn write_claim(
    aws: &Aws,
    secret: &Secret,
    number: u64,
    journal: &Journal,
) -> Result<Written, CallError> {
    let mut labels = vec![intent_log::CLAIM_LABEL.to_owned()];
    if journal.has_to_be_read() {
        labels.push(JOURNAL_LABEL.to_owned());
    }
    let id = intent_log::version_id(number);
    put(aws, secret, &id, journal.write(), labels).await
}

/// Writes what the template asks for as the log's entry `properties.entry`.
pub async fn note_properties(
    aws: &Aws,
    secret: &Secret,
    properties: &Properties,
    document: &serde_json::Value,
) -> Result<Written, CallError> {
    let value = write_properties(document);
    let id = intent_log::version_id(properties.entry);
    put(aws, secret, &id, value, vec![properties.write()]).await
}

/// Writes `login` into its version under `stage`. Under `AWSCURRENT` it is what everybody is to
/// use.
pub async fn write_login(
    aws: &Aws,
    secret: &Secret,
    login: &intent_log::Login,
    stage: &str,
    user_name: &str,
    credential: &Credential,
    value: &StoredLogin,
) -> Result<Written, CallError> {
    let mut json = json!({
        "username": value.service_user_name,
        "password": value.password.expose(),
        "serviceSpecificCredentialId": credential.id,
        "userName": user_name,
        "serviceName": CODECOMMIT,
        "createDate": intent_log::write_time(credential.created),
    });
    if !value.mirrors.is_empty() {
        json["mirrors"] = write_mirrors(&value.mirrors);
    }
    let labels = vec![stage.to_owned(), login.write()];
    put(aws, secret, &login.version_id, json.to_string(), labels).await
}

/// Writes what the version of `login` holds into the version of `copy`.
pub async fn copy_login(
    aws: &Aws,
    secret: &Secret,
    login: &intent_log::Login,
    copy: &intent_log::Login,
) -> Result<Written, CallError> {
    let Some(version) = read_version(aws, secret, &login.version_id).await? else {
        return Ok(Written::Gone);
    };
    let value = version.text.expose().to_owned();
    put(aws, secret, &copy.version_id, value, vec![copy.write()]).await
}

async fn put(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
    value: String,
    labels: Vec<String>,
) -> Result<Written, CallError> {
    let call = aws
        .secrets
        .put_secret_value()
        .secret_id(&secret.arn)
        .client_request_token(version_id)
        .secret_string(value)
        .set_version_stages(Some(labels));
    let Err(error) = call.send().await else {
        return Ok(Written::Yes);
    };
    let service = error.as_service_error();
    if service.is_some_and(aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError::is_resource_exists_exception) {
        Ok(Written::Taken)
    } else if service
        .is_some_and(|e| e.is_resource_not_found_exception() || e.is_invalid_request_exception())
    {
        Ok(Written::Gone)
    } else {
        // A message about the value could quote it: only the code is passed on.
        let mut error = CallError::new(format!("storing in secret {}", secret.arn), &error);
        if let (Some(code), false) = (&error.code, error.is_denied()) {
            error.cause.clone_from(code);
        }
        Err(error)
    }
}

/// Writes tags on the secret.
pub async fn tag_secret(
    aws: &Aws,
    secret: &Secret,
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let mut call = aws.secrets.tag_resource().secret_id(&secret.arn);
    for (key, value) in tags {
        call = call.tags(secret_tag(key.clone(), value.clone()));
    }
    let doing = || format!("tagging secret {}", secret.arn);
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// Takes tags off the secret.
pub async fn untag_secret(aws: &Aws, secret: &Secret, keys: &[String]) -> Result<(), CallError> {
    let call = aws.secrets.untag_resource().secret_id(&secret.arn);
    let call = call.set_tag_keys(Some(keys.to_vec()));
    let doing = || format!("untagging secret {}", secret.arn);
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// Encrypts the secret with another key from now on.
pub async fn change_key(aws: &Aws, secret: &Secret, key: Option<&str>) -> Result<(), CallError> {
    let key = key.unwrap_or("alias/aws/secretsmanager");
    let call = aws
        .secrets
        .update_secret()
        .secret_id(&secret.arn)
        .kms_key_id(key);
    let doing = || format!("changing the key of secret {}", secret.arn);
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// Takes `label` off the version that it stands on, or puts it on another one.
async fn move_label(
    aws: &Aws,
    secret: &Secret,
    label: &str,
    from: &str,
    to: Option<&str>,
) -> Result<Moved, CallError> {
    let call = aws
        .secrets
        .update_secret_version_stage()
        .secret_id(&secret.arn)
        .version_stage(label)
        .remove_from_version_id(from)
        .set_move_to_version_id(to.map(ToOwned::to_owned));
    match call.send().await {
        Ok(_) => Ok(Moved::Yes),
        Err(error) => {
            // The label is not there any more: an earlier call did it and its answer was lost, or
            // somebody else was first.
            let is_elsewhere = error.as_service_error().is_some_and(|e| {
                e.is_invalid_parameter_exception() || e.is_resource_not_found_exception()
            });
            let doing = format!("moving a label in secret {}", secret.arn);
            if is_elsewhere {
                Ok(Moved::NotThere)
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}

/// What became of an attempt to move a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is where it should be.
    Yes,
    /// It was not where it was thought to be.
    NotThere,
}

/// Takes the label of a superseded login off its version.
pub async fn forget_login(
    aws: &Aws,
    secret: &Secret,
    login: &intent_log::Login,
) -> Result<(), CallError> {
    move_label(aws, secret, &login.write(), &login.version_id, None).await?;
    Ok(())
}

/// Takes the label off an earlier entry of properties.
pub async fn forget_properties(
    aws: &Aws,
    secret: &Secret,
    properties: &Properties,
) -> Result<(), CallError> {
    let from = intent_log::version_id(properties.entry);
    move_label(aws, secret, &properties.write(), &from, None).await?;
    Ok(())
}

/// Hands `AWSCURRENT` from one version to another.
pub async fn hand_over(
    aws: &Aws,
    secret: &Secret,
    from: &str,
    to: &str,
) -> Result<Moved, CallError> {
    move_label(aws, secret, "AWSCURRENT", from, Some(to)).await
}

/// Takes `AWSPENDING` off a version.
pub async fn drop_pending(aws: &Aws, secret: &Secret, version_id: &str) -> Result<(), CallError> {
    move_label(aws, secret, "AWSPENDING", version_id, None).await?;
    Ok(())
}

/// Removes the secret for good, so that its name is free again.
pub async fn delete_secret(aws: &Aws, secret: &Secret) -> Result<(), CallError> {
    let call = aws
        .secrets
        .delete_secret()
        .secret_id(&secret.arn)
        .force_delete_without_recovery(true);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let gone = error
                .as_service_error()
                .is_some_and(aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError::is_resource_not_found_exception);
            let doing = format!("deleting secret {}", secret.arn);
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}

/// Reads the login that a version holds, or `None` when what it holds is none.
pub async fn read_login(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<StoredLogin>, CallError> {
    let Some(version) = read_version(aws, secret, version_id).await? else {
        return Ok(None);
    };
    let Ok(value) = serde_json::from_str::<serde_json::Value>(version.text.expose()) else {
        return Ok(None);
    };
    let text = |name: &str| value[name].as_str().map(ToOwned::to_owned);
    Ok(match (text("username"), text("password")) {
        (Some(service_user_name), Some(password)) => Some(StoredLogin {
            service_user_name,
            password: Password::new(password),
            mirrors: read_mirrors(&value),
        }),
        _ => None,
    })
}

/// Reads the journal of a claim; empty when it holds none, or is kept from us by a key that only
/// others may use: what they wrote they remove.
pub async fn read_journal(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Journal, CallError> {
    let version = match read_version(aws, secret, version_id).await {
        Err(error) if error.is_denied() => None,
        version => version?,
    };
    let journal = version.and_then(|version| {
        let journal = Journal::read(version.text.expose())?;
        Some(Journal {
            written: version.created,
            ..journal
        })
    });
    Ok(journal.unwrap_or_default())
}

/// Reads what the template asked for when it was last carried out, if that is known.
pub async fn read_document(
    aws: &Aws,
    secret: &Secret,
) -> Result<Option<serde_json::Value>, CallError> {
    let Some(properties) = secret.properties.last() else {
        return Ok(None);
    };
    let id = intent_log::version_id(properties.entry);
    let version = read_version(aws, secret, &id).await?;
    Ok(version.and_then(|version| read_properties(version.text.expose())))
}

/// Reads the way to GitLab as the template gave it when it was last carried out, if that is known.
pub async fn read_access(aws: &Aws, secret: &Secret) -> Result<Option<Access>, CallError> {
    let document = read_document(aws, secret).await?;
    Ok(document.as_ref().and_then(spec::gitlab_in))
}

/// When a version was written. `None` if it is gone or holds nothing.
pub async fn stored_at(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<SystemTime>, CallError> {
    let version = read_version(aws, secret, version_id).await?;
    Ok(version.and_then(|version| version.created))
}

/// What a version of the secret holds.
struct Version {
    text: Password,
    created: Option<SystemTime>,
}

/// Reads a version; `None` when it is gone or holds nothing.
async fn read_version(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<Version>, CallError> {
    let call = aws.secrets.get_secret_value().secret_id(&secret.arn);
    match call.version_id(version_id).send().await {
        Ok(output) => {
            let created = output.created_date().copied();
            let created = created.and_then(|time| SystemTime::try_from(time).ok());
            let text = output.secret_string.map(Password::new);
            Ok(text.map(|text| Version { text, created }))
        }
        Err(error) => {
            let is_gone = error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception());
            let doing = format!("reading the value of secret {}", secret.arn);
            if is_gone {
                Ok(None)
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}

fn secret_tag(key: String, value: String) -> aws_sdk_secretsmanager::types::Tag {
    aws_sdk_secretsmanager::types::Tag::builder()
        .key(key)
        .value(value)
        .build()
}
