//! The calls behind the steps. Each is safe to make twice; the one that is not, issuing, is made
//! once per attempt, without the SDK's retries, and what became of it is looked up.

mod iam;
mod secrets_manager;

use crate::aws::{Aws, CallError};
use crate::codecommit;
use crate::reason_codes::Code;

pub use super::calls::iam::{
    Issuance, attempt_tags, delete_credential, is_concurrent, issue, mark_deleted, release_user,
    reset, set_active, tag_user,
};
pub use super::calls::secrets_manager::{
    Created, Moved, StoredLogin, Written, change_key, copy_login, create_secret, delete_secret,
    drop_pending, forget_login, forget_properties, hand_over, note_properties, read_access,
    read_document, read_journal, read_login, stored_at, tag_secret, untag_secret, write_claim,
    write_login,
};

const NAME_OF_USERS: &str = "the provider stack's parameter MirrorUserNames says which users this \
    function may manage";
const NAME_OF_SECRETS: &str = "the provider stack's parameters MirrorSecretNames, \
    MirrorSecretKmsKeyArn and MirrorSecretFormerKmsKeyArns say which secrets and which keys this \
    function may use";

const NAME_OF_REPOSITORIES: &str = "the provider stack's parameter RepositoryNames says which \
    repositories this function may look up";

const STACKS: &str = "deploy the provider stack again, whose template allows \
    cloudformation:DescribeStackResource";

/// Adds to a denied call which parameter would allow it.
pub fn explained(error: CallError) -> CallError {
    error.with_advice_on_denial(|error| {
        let action = error.denied_action().unwrap_or_default();
        match action.split(':').next().unwrap_or_default() {
            "secretsmanager" | "kms" => NAME_OF_SECRETS,
            "codecommit" => NAME_OF_REPOSITORIES,
            "iam" => NAME_OF_USERS,
            "cloudformation" => STACKS,
            // The service does not say what it denies.
            _ if error.doing.contains(" secret ") => NAME_OF_SECRETS,
            _ if error.doing.contains("repository") => NAME_OF_REPOSITORIES,
            _ if error.doing.contains(" of stack ") => STACKS,
            _ => NAME_OF_USERS,
        }
    })
}

/// The address from which `repository_name` is cloned, as CodeCommit says it.
pub async fn clone_url(aws: &Aws, repository_name: &str) -> Result<String, CallError> {
    match codecommit::look_up(&aws.codecommit, repository_name).await? {
        Some(repository) => Ok(repository.clone_url),
        None => Err(CallError {
            doing: format!("looking up repository {repository_name}"),
            code: Some("RepositoryDoesNotExistException".to_owned()),
            status: Some(400),
            cause: "it does not exist".to_owned(),
            reason_code: Code::RepositoryMissing.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
