//! The calls behind the steps. Each is safe to make twice; the one that is not, issuing, is made
//! once per attempt, without the SDK's retries, and what became of it is looked up.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::types::{ServiceSpecificCredential, StatusType};
use serde_json::json;

use super::observe::{CODECOMMIT, Credential, Secret};
use super::plan::Me;
use super::properties::Desired;
use super::records::{self, Attempt, Deletion, Owner};
use crate::aws::{Aws, CallError};
use crate::secret::Password;

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

/// What became of an attempt to issue or to reset a credential.
pub enum Issuance {
    /// A credential and its password.
    Done(Credential, Password),
    /// Nothing was done, for now.
    Busy,
    /// Nobody knows whether it was done.
    Unknown(CallError),
    /// Both slots are taken, perhaps by one that is not listed yet.
    NoSlot(CallError),
    /// The credential to reset is gone.
    Gone,
}

/// A value that was stored: who logs in how.
pub struct StoredLogin {
    /// `username`
    pub service_user_name: String,
    /// `password`
    pub password: Password,
}

const NAME_OF_USERS: &str = "the provider stack's parameter MirrorUserNames says which users this \
    function may manage";
const NAME_OF_SECRETS: &str = "the provider stack's parameters MirrorSecretNames and \
    MirrorSecretKmsKeyArn say which secrets and which key this function may use";

/// Adds to a denied call which parameter would allow it.
pub fn explained(error: CallError) -> CallError {
    if !error.is_denied() {
        return error;
    }
    let advice = if error.doing.contains(" secret ") {
        NAME_OF_SECRETS
    } else if error.doing.contains("repository") {
        "the provider stack's parameter RepositoryNames says which repositories this function may \
         look up"
    } else {
        NAME_OF_USERS
    };
    error.with_advice(advice)
}

/// Creates the secret without a value: of two that try, one succeeds.
pub async fn create_secret(aws: &Aws, desired: &Desired, me: &Me) -> Result<Created, CallError> {
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
        (records::STACK_ID, me.owner.stack_id.clone()),
        (records::LOGICAL_ID, me.owner.logical_id.clone()),
        (records::USER_NAME, desired.user_name.clone()),
        (records::AS_OF, records::write_time(me.signed_at)),
        (records::CREATED_BY, me.request_key.clone()),
        (records::CLAIMANT, me.claimant.clone()),
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
    if service.is_some_and(|e| e.is_resource_exists_exception()) {
        Ok(Created::Taken)
    } else if service.is_some_and(|e| e.is_invalid_request_exception()) {
        Ok(Created::Blocked(call_error))
    } else {
        Err(call_error)
    }
}

/// Writes the log's entry `number` as a claim.
pub async fn write_claim(
    aws: &Aws,
    secret: &Secret,
    number: u64,
    claimant: &str,
) -> Result<Written, CallError> {
    let value = json!({"claimedBy": claimant}).to_string();
    put(
        aws,
        secret,
        number,
        value,
        &[records::CLAIM_LABEL.to_owned()],
    )
    .await
}

/// Writes the log's entry `number` as the login that everybody is to use.
pub async fn write_login(
    aws: &Aws,
    secret: &Secret,
    login: &records::Login,
    user_name: &str,
    credential: &Credential,
    password: &Password,
) -> Result<Written, CallError> {
    let value = json!({
        "username": credential.service_user_name,
        "password": password.expose(),
        "serviceSpecificCredentialId": credential.id,
        "userName": user_name,
        "serviceName": CODECOMMIT,
        "createDate": records::write_time(credential.created),
    });
    let labels = ["AWSCURRENT".to_owned(), login.write()];
    put(aws, secret, login.entry, value.to_string(), &labels).await
}

async fn put(
    aws: &Aws,
    secret: &Secret,
    number: u64,
    value: String,
    labels: &[String],
) -> Result<Written, CallError> {
    let call = aws
        .secrets
        .put_secret_value()
        .secret_id(&secret.arn)
        .client_request_token(records::version_id(number))
        .secret_string(value)
        .set_version_stages(Some(labels.to_vec()));
    let error = match call.send().await {
        Ok(_) => return Ok(Written::Yes),
        Err(error) => error,
    };
    let service = error.as_service_error();
    if service.is_some_and(|e| e.is_resource_exists_exception()) {
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

/// Issues a credential. Never repeated by the SDK: after a lost answer a repetition would issue
/// a second one.
pub async fn issue(aws: &Aws, user_name: &str) -> Result<Issuance, CallError> {
    let call = aws
        .iam
        .create_service_specific_credential()
        .user_name(user_name)
        .service_name(CODECOMMIT)
        .customize()
        .config_override(aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled()));
    let doing = format!("issuing the service-specific credential of user {user_name}");
    match call.send().await {
        Ok(output) => issuance(output.service_specific_credential(), &doing),
        Err(error) => {
            let no_slot = error
                .as_service_error()
                .is_some_and(|e| e.is_limit_exceeded_exception());
            let error = CallError::new(doing, &error);
            match error {
                error if no_slot => Ok(Issuance::NoSlot(error)),
                error if is_busy(&error) => Ok(Issuance::Busy),
                error if error.is_uncertain() => Ok(Issuance::Unknown(error)),
                error => Err(error),
            }
        }
    }
}

/// Resets a credential that is not live. Each reset makes another password, so this is not
/// repeated by the SDK either: an answer that comes late must not be taken for the latest.
pub async fn reset(aws: &Aws, user_name: &str, id: &str) -> Result<Issuance, CallError> {
    let call = aws
        .iam
        .reset_service_specific_credential()
        .user_name(user_name)
        .service_specific_credential_id(id)
        .customize()
        .config_override(aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled()));
    let doing = format!("resetting the service-specific credential {id} of user {user_name}");
    match call.send().await {
        Ok(output) => issuance(output.service_specific_credential(), &doing),
        Err(error) => {
            let gone = error
                .as_service_error()
                .is_some_and(|e| e.is_no_such_entity_exception());
            let error = CallError::new(doing, &error);
            match error {
                _ if gone => Ok(Issuance::Gone),
                error if is_busy(&error) => Ok(Issuance::Busy),
                error if error.is_uncertain() => Ok(Issuance::Unknown(error)),
                error => Err(error),
            }
        }
    }
}

fn is_busy(error: &CallError) -> bool {
    error.is_throttled() || is_concurrent(error)
}

/// Whether IAM turned the call down because another change to the user was under way.
pub fn is_concurrent(error: &CallError) -> bool {
    error.code.as_deref() == Some("ConcurrentModification")
}

fn issuance(
    issued: Option<&ServiceSpecificCredential>,
    doing: &str,
) -> Result<Issuance, CallError> {
    let Some(issued) = issued else {
        return Err(CallError {
            doing: doing.to_owned(),
            code: None,
            cause: "IAM's answer holds no credential".to_owned(),
        });
    };
    let credential = Credential {
        id: issued.service_specific_credential_id().to_owned(),
        service_user_name: issued.service_user_name().to_owned(),
        active: issued.status() != &StatusType::Inactive,
        created: (*issued.create_date())
            .try_into()
            .unwrap_or(SystemTime::UNIX_EPOCH),
    };
    Ok(Issuance::Done(
        credential,
        Password::new(issued.service_password()),
    ))
}

/// Removes a credential; that it is gone already is as good.
pub async fn delete_credential(aws: &Aws, user_name: &str, id: &str) -> Result<(), CallError> {
    let call = aws
        .iam
        .delete_service_specific_credential()
        .user_name(user_name)
        .service_specific_credential_id(id);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let gone = error
                .as_service_error()
                .is_some_and(|e| e.is_no_such_entity_exception());
            let doing =
                format!("deleting the service-specific credential {id} of user {user_name}");
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}

/// Sets a credential to active.
pub async fn activate(aws: &Aws, user_name: &str, id: &str) -> Result<(), CallError> {
    let call = aws
        .iam
        .update_service_specific_credential()
        .user_name(user_name)
        .service_specific_credential_id(id)
        .status(StatusType::Active);
    let doing = || format!("activating the service-specific credential {id} of user {user_name}");
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// Writes tags on the user.
pub async fn tag_user(
    aws: &Aws,
    user_name: &str,
    tags: &[(&'static str, String)],
) -> Result<(), CallError> {
    let doing = || format!("tagging user {user_name}");
    let mut call = aws.iam.tag_user().user_name(user_name);
    for (key, value) in tags {
        let tag = aws_sdk_iam::types::Tag::builder()
            .key(*key)
            .value(value)
            .build();
        call = call.tags(tag.map_err(|error| CallError {
            doing: doing(),
            code: None,
            cause: error.to_string(),
        })?);
    }
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// The tags that say whose the user is.
pub fn ownership(owner: &Owner, secret_name: &str) -> Vec<(&'static str, String)> {
    vec![
        (records::STACK_ID, owner.stack_id.clone()),
        (records::LOGICAL_ID, owner.logical_id.clone()),
        (records::SECRET_NAME, secret_name.to_owned()),
    ]
}

/// The tags of an attempt to issue. An empty value takes the mark of an earlier deletion back.
pub fn attempt_tags(
    owner: &Owner,
    secret_name: &str,
    attempt: &Attempt,
    was_deleted: bool,
) -> Vec<(&'static str, String)> {
    let mut tags = ownership(owner, secret_name);
    tags.push((records::ATTEMPT, attempt.write()));
    if was_deleted {
        tags.push((records::DELETION, String::new()));
    }
    tags
}

/// Writes on the user that the resource was deleted.
pub async fn mark_deleted(
    aws: &Aws,
    user_name: &str,
    deletion: &Deletion,
) -> Result<(), CallError> {
    tag_user(aws, user_name, &[(records::DELETION, deletion.write())]).await
}

/// Takes our records off the user, except that of a deletion.
pub async fn release_user(aws: &Aws, user_name: &str) -> Result<(), CallError> {
    let mut call = aws.iam.untag_user().user_name(user_name);
    for key in [
        records::STACK_ID,
        records::LOGICAL_ID,
        records::SECRET_NAME,
        records::ATTEMPT,
    ] {
        call = call.tag_keys(key);
    }
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let gone = error
                .as_service_error()
                .is_some_and(|e| e.is_no_such_entity_exception());
            let doing = format!("untagging user {user_name}");
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
        }
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

/// Takes the label of a superseded login off its version.
pub async fn forget_login(
    aws: &Aws,
    secret: &Secret,
    login: &records::Login,
) -> Result<(), CallError> {
    let call = aws
        .secrets
        .update_secret_version_stage()
        .secret_id(&secret.arn)
        .version_stage(login.write())
        .remove_from_version_id(records::version_id(login.entry));
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            // The label is not there any more: an earlier call did it and its answer was lost.
            let gone = error.as_service_error().is_some_and(|e| {
                e.is_invalid_parameter_exception() || e.is_resource_not_found_exception()
            });
            let doing = format!("removing a label in secret {}", secret.arn);
            if gone { Ok(()) } else { Err(CallError::new(doing, &error)) }
        }
    }
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
                .is_some_and(|e| e.is_resource_not_found_exception());
            let doing = format!("deleting secret {}", secret.arn);
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}

/// Reads the login that the secret holds, or `None` when what it holds is none.
pub async fn read_login(aws: &Aws, secret: &Secret) -> Result<Option<StoredLogin>, CallError> {
    let output = match aws
        .secrets
        .get_secret_value()
        .secret_id(&secret.arn)
        .send()
        .await
    {
        Ok(output) => output,
        Err(error) => {
            let doing = format!("reading the value of secret {}", secret.arn);
            return Err(CallError::new(doing, &error));
        }
    };
    let value: serde_json::Value =
        match serde_json::from_str(output.secret_string().unwrap_or_default()) {
            Ok(value) => value,
            Err(_) => return Ok(None),
        };
    let text = |name: &str| value[name].as_str().map(ToOwned::to_owned);
    Ok(match (text("username"), text("password")) {
        (Some(service_user_name), Some(password)) => Some(StoredLogin {
            service_user_name,
            password: Password::new(password),
        }),
        _ => None,
    })
}

/// The address from which `repository_name` is cloned, as CodeCommit says it.
pub async fn clone_url(aws: &Aws, repository_name: &str) -> Result<String, CallError> {
    let doing = || format!("looking up repository {repository_name}");
    let call = aws
        .codecommit
        .get_repository()
        .repository_name(repository_name);
    let output = call
        .send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    let metadata = output.repository_metadata();
    let url = metadata.and_then(|metadata| metadata.clone_url_http());
    url.map(ToOwned::to_owned).ok_or_else(|| CallError {
        doing: doing(),
        code: None,
        cause: "CodeCommit gave no cloneUrlHttp".to_owned(),
    })
}

fn secret_tag(key: String, value: String) -> aws_sdk_secretsmanager::types::Tag {
    aws_sdk_secretsmanager::types::Tag::builder()
        .key(key)
        .value(value)
        .build()
}
