//! IAM: service-specific credentials and the user's tags.

use std::time::SystemTime;

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::{ServiceSpecificCredential, StatusType};

use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{IssueIntent, Owner};
use crate::mirror_credential::state::Credential;
use crate::mirror_credential::timing::POLL_INTERVAL;

/// The service of these credentials.
pub const CODECOMMIT: &str = "codecommit.amazonaws.com";

/// The result of an attempt to issue or to reset a credential.
pub enum IssueResult {
    Done(Credential, Password),
    /// IAM did nothing, because it throttled the call or another change of the user was under way.
    Busy,
    /// The outcome is unknown.
    Unknown(CallError),
    /// Both slots are taken, perhaps by a credential that IAM does not list yet.
    NoSlot(CallError),
    /// The credential to reset does not exist.
    Gone,
}

/// Issues a credential. The SDK must not retry: after a lost response, a retry would issue a second
/// one.
pub async fn issue(aws: &Aws, user_name: &str) -> Result<IssueResult, CallError> {
    let call = aws.iam.create_service_specific_credential();
    let call = call.user_name(user_name).service_name(CODECOMMIT);
    let call = call.customize().config_override(without_retries());
    let doing = || format!("issuing the service-specific credential of user {user_name}");
    let issued = required(call.send().await, doing);
    let issued = issued.map(|output| output.service_specific_credential);
    to_result(issued, doing)
}

/// Resets a credential whose login is not in use. The SDK must not retry: each reset returns
/// another password, so a late response would pass for the latest one.
pub async fn reset(aws: &Aws, user_name: &str, id: &str) -> Result<IssueResult, CallError> {
    let call = aws.iam.reset_service_specific_credential();
    let call = call.user_name(user_name).service_specific_credential_id(id);
    let call = call.customize().config_override(without_retries());
    let doing = || format!("resetting the service-specific credential {id} of user {user_name}");
    match optional(call.send().await, &["NoSuchEntity"], doing) {
        Ok(None) => Ok(IssueResult::Gone),
        Ok(Some(reset)) => to_result(Ok(reset.service_specific_credential), doing),
        Err(error) => to_result(Err(error), doing),
    }
}

fn without_retries() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled())
}

fn to_result(
    called: Result<Option<ServiceSpecificCredential>, CallError>,
    doing: impl FnOnce() -> String,
) -> Result<IssueResult, CallError> {
    let issued = match called {
        Ok(Some(issued)) => issued,
        Ok(None) => {
            let cause = "IAM's answer holds no credential";
            let error = CallError::local(Code::AwsUnavailable, doing(), cause);
            return Ok(IssueResult::Unknown(error));
        }
        Err(error) if error.has_code(&["LimitExceeded"]) => return Ok(IssueResult::NoSlot(error)),
        Err(error) if error.is_throttled() || is_concurrent(&error) => {
            return Ok(IssueResult::Busy);
        }
        Err(error) if error.outcome_unknown() => return Ok(IssueResult::Unknown(error)),
        Err(error) => return Err(error),
    };
    let credential = Credential {
        id: issued.service_specific_credential_id,
        service_user_name: issued.service_user_name,
        active: issued.status != StatusType::Inactive,
        created: SystemTime::try_from(issued.create_date).unwrap_or(SystemTime::UNIX_EPOCH),
    };
    let password = Password::new(issued.service_password);
    Ok(IssueResult::Done(credential, password))
}

/// Whether IAM rejected the call because another change of the user was under way.
pub fn is_concurrent(error: &CallError) -> bool {
    error.code.as_deref() == Some("ConcurrentModification")
}

/// Deletes a credential. Succeeds if it does not exist.
pub async fn delete_credential(aws: &Aws, user_name: &str, id: &str) -> Result<(), CallError> {
    let call = aws.iam.delete_service_specific_credential();
    let call = call.user_name(user_name).service_specific_credential_id(id);
    let doing = || format!("deleting the service-specific credential {id} of user {user_name}");
    optional(call.send().await, &["NoSuchEntity"], doing).map(drop)
}

/// Sets a credential to inactive.
pub async fn deactivate(aws: &Aws, user_name: &str, id: &str) -> Result<(), CallError> {
    let call = aws
        .iam
        .update_service_specific_credential()
        .user_name(user_name)
        .service_specific_credential_id(id)
        .status(StatusType::Inactive);
    let doing = || format!("deactivating the service-specific credential {id} of user {user_name}");
    required(call.send().await, doing).map(drop)
}

/// Writes tags on the user. Waits while another change of the user is under way.
pub async fn tag_user(
    aws: &Aws,
    user_name: &str,
    tags: &[(&'static str, String)],
) -> Result<(), CallError> {
    let doing = || format!("tagging user {user_name}");
    let mut call = aws.iam.tag_user().user_name(user_name);
    for (key, value) in tags {
        let tag = aws_sdk_iam::types::Tag::builder();
        let tag = tag.key(*key).value(value).build();
        let tag = tag.map_err(|e| CallError::local(Code::InternalError, doing(), e.to_string()));
        call = call.tags(tag?);
    }
    loop {
        match required(call.clone().send().await, doing) {
            Err(error) if is_concurrent(&error) => tokio::time::sleep(POLL_INTERVAL).await,
            tagged => return tagged.map(drop),
        }
    }
}

/// The tags of an issue intent. An empty value voids the tombstone of an earlier Delete.
pub fn issue_intent_tags(
    owner: &Owner,
    secret_name: &str,
    issue_intent: &IssueIntent,
    was_deleted: bool,
) -> Vec<(&'static str, String)> {
    let mut tags = vec![
        (intent_log::STACK_ID, owner.stack_id.clone()),
        (intent_log::LOGICAL_ID, owner.logical_id.clone()),
        (intent_log::SECRET_NAME, secret_name.to_owned()),
        issue_intent.tag(),
    ];
    if was_deleted {
        tags.push((intent_log::TOMBSTONE, String::new()));
    }
    tags
}

/// Removes the records of cfn-gitops from the user, except the tombstone.
pub async fn release_user(aws: &Aws, user_name: &str) -> Result<(), CallError> {
    let keys = [
        intent_log::STACK_ID,
        intent_log::LOGICAL_ID,
        intent_log::SECRET_NAME,
        intent_log::OPEN_INTENT,
        intent_log::CLOSED_INTENT,
    ];
    let call = aws.iam.untag_user().user_name(user_name);
    let call = call.set_tag_keys(Some(keys.map(ToOwned::to_owned).to_vec()));
    let doing = || format!("untagging user {user_name}");
    optional(call.send().await, &["NoSuchEntity"], doing).map(drop)
}
