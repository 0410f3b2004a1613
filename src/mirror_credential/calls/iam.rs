//! IAM: service-specific credentials and the user's tags.

use std::time::SystemTime;

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::{ServiceSpecificCredential, StatusType};

use crate::aws::{Aws, CallError};
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Attempt, Deletion, Owner};
use crate::mirror_credential::observe::{CODECOMMIT, Credential};
use crate::password::Password;
use crate::reason_codes::Code;

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
        Ok(output) => Ok(issuance(output.service_specific_credential(), &doing)),
        Err(error) => {
            let no_slot = error
                .as_service_error()
                .is_some_and(aws_sdk_iam::operation::create_service_specific_credential::CreateServiceSpecificCredentialError::is_limit_exceeded_exception);
            let error = CallError::new(doing, &error);
            match error {
                error if no_slot => Ok(Issuance::NoSlot(error)),
                error if is_busy(&error) => Ok(Issuance::Busy),
                error if error.outcome_unknown() => Ok(Issuance::Unknown(error)),
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
        Ok(output) => Ok(issuance(output.service_specific_credential(), &doing)),
        Err(error) => {
            let gone = error
                .as_service_error()
                .is_some_and(aws_sdk_iam::operation::reset_service_specific_credential::ResetServiceSpecificCredentialError::is_no_such_entity_exception);
            let error = CallError::new(doing, &error);
            match error {
                _ if gone => Ok(Issuance::Gone),
                error if is_busy(&error) => Ok(Issuance::Busy),
                error if error.outcome_unknown() => Ok(Issuance::Unknown(error)),
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

fn issuance(issued: Option<&ServiceSpecificCredential>, doing: &str) -> Issuance {
    let Some(issued) = issued else {
        let cause = "IAM's answer holds no credential";
        return Issuance::Unknown(CallError::local(Code::AwsUnavailable, doing, cause));
    };
    let credential = Credential {
        id: issued.service_specific_credential_id().to_owned(),
        service_user_name: issued.service_user_name().to_owned(),
        active: issued.status() != &StatusType::Inactive,
        created: (*issued.create_date())
            .try_into()
            .unwrap_or(SystemTime::UNIX_EPOCH),
    };
    Issuance::Done(credential, Password::new(issued.service_password()))
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
                .is_some_and(aws_sdk_iam::operation::delete_service_specific_credential::DeleteServiceSpecificCredentialError::is_no_such_entity_exception);
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

/// Sets a credential to active or inactive.
pub async fn set_active(
    aws: &Aws,
    user_name: &str,
    id: &str,
    active: bool,
) -> Result<(), CallError> {
    let (status, doing) = if active {
        (StatusType::Active, "activating")
    } else {
        (StatusType::Inactive, "deactivating")
    };
    let call = aws
        .iam
        .update_service_specific_credential()
        .user_name(user_name)
        .service_specific_credential_id(id)
        .status(status);
    let doing = || format!("{doing} the service-specific credential {id} of user {user_name}");
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
        let tag =
            tag.map_err(|error| CallError::local(Code::InternalError, doing(), error.to_string()));
        call = call.tags(tag?);
    }
    call.send()
        .await
        .map_err(|error| CallError::new(doing(), &error))?;
    Ok(())
}

/// The tags that say whose the user is.
fn ownership(owner: &Owner, secret_name: &str) -> Vec<(&'static str, String)> {
    vec![
        (intent_log::STACK_ID, owner.stack_id.clone()),
        (intent_log::LOGICAL_ID, owner.logical_id.clone()),
        (intent_log::SECRET_NAME, secret_name.to_owned()),
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
    tags.push((intent_log::ATTEMPT, attempt.write()));
    if was_deleted {
        tags.push((intent_log::DELETION, String::new()));
    }
    tags
}

/// Writes on the user that the resource was deleted.
pub async fn mark_deleted(
    aws: &Aws,
    user_name: &str,
    deletion: &Deletion,
) -> Result<(), CallError> {
    tag_user(aws, user_name, &[(intent_log::DELETION, deletion.write())]).await
}

/// Takes our records off the user, except that of a deletion.
pub async fn release_user(aws: &Aws, user_name: &str) -> Result<(), CallError> {
    let mut call = aws.iam.untag_user().user_name(user_name);
    for key in [
        intent_log::STACK_ID,
        intent_log::LOGICAL_ID,
        intent_log::SECRET_NAME,
        intent_log::ATTEMPT,
    ] {
        call = call.tag_keys(key);
    }
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let gone = error.as_service_error().is_some_and(
                aws_sdk_iam::operation::untag_user::UntagUserError::is_no_such_entity_exception,
            );
            let doing = format!("untagging user {user_name}");
            if gone {
                Ok(())
            } else {
                Err(CallError::new(doing, &error))
            }
        }
    }
}
