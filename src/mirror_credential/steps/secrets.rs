//! Secrets Manager: the secret, its log of versions, and its tags.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::observe::{CODECOMMIT, Credential, Secret};
use super::super::plan::Me;
use super::super::properties::Desired;
use super::super::records;
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

/// A value that was stored: who logs in how.
pub struct StoredLogin {
    /// `username`
    pub service_user_name: String,
    /// `password`
    pub password: Password,
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
    if service.is_some_and(aws_sdk_secretsmanager::operation::create_secret::CreateSecretError::is_resource_exists_exception) {
        Ok(Created::Taken)
    } else if service.is_some_and(aws_sdk_secretsmanager::operation::create_secret::CreateSecretError::is_invalid_request_exception) {
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
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
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

fn secret_tag(key: String, value: String) -> aws_sdk_secretsmanager::types::Tag {
    aws_sdk_secretsmanager::types::Tag::builder()
        .key(key)
        .value(value)
        .build()
}
