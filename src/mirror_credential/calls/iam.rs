//! IAM: service-specific credentials and the user's tags.

use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::reason_codes::Code;
use crate::mirror_credential::timing::POLL_INTERVAL;

/// The service of these credentials.
pub const CODECOMMIT: &str = "codecommit.amazonaws.com";

/// Whether IAM rejected the call because another change of the user was in progress.
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

/// Writes tags on the user. Waits while another change of the user is in progress.
pub async fn tag_user(
    aws: &Aws,
    user_name: &str,
    tags: &[(&'static str, String)],
) -> Result<(), CallError> {
    let doing = || format!("tagging user {user_name}");
    let mut call = aws.iam.tag_user().user_name(user_name);
    for (key, value) in tags {
        let tag = aws_sdk_iam::types::Tag::builder().key(*key).value(value).build();
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
