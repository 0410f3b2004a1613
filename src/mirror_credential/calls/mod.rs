//! The AWS calls behind the steps. Every call except issuing is idempotent. cfn-gitops issues at
//! most once per attempt, without the SDK's retries, and then looks for the result.

pub mod gitlab;
mod iam;
mod secrets_manager;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::common::reason_codes::Code;

pub use self::iam::{
    CODECOMMIT, IssueResult, deactivate, delete_credential, is_concurrent, issue,
    issue_intent_tags, release_user, reset, tag_user,
};
pub use self::secrets_manager::{
    CreateResult, WriteResult, change_settings, copy_login, create_secret, delete_secret,
    drop_pending, move_label, read_access, read_current_login, read_login, read_mirror_intent,
    read_saved_spec, save_spec, stored_at, tag_secret, untag_secret, write_claim, write_login,
};

/// The clone URL of each of the repositories `names`.
pub async fn clone_urls(
    aws: &Aws,
    names: BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, CallError> {
    let urls = try_join_all(names.into_iter().map(|name| async move {
        let url = clone_url(aws, name).await?;
        Ok::<_, CallError>((name.to_owned(), url))
    }));
    Ok(urls.await?.into_iter().collect())
}

/// The clone URL of `repository_name`, which CodeCommit returns.
pub async fn clone_url(aws: &Aws, repository_name: &str) -> Result<String, CallError> {
    if let Some(repository) = codecommit::look_up(&aws.codecommit, repository_name).await? {
        return Ok(repository.clone_url);
    }
    let doing = format!("looking up repository {repository_name}");
    Err(CallError {
        code: Some("RepositoryDoesNotExistException".to_owned()),
        ..CallError::local(Code::RepositoryMissing, doing, "it does not exist")
    })
}
