//! CodeCommit: repositories and their branches.

pub mod differences;
pub mod push_check;

use std::collections::HashMap;

use aws_sdk_codecommit::Client;

use crate::clients::aws::{CallError, optional, required};
use crate::common::reason_codes::Code;
use cfn_custom_resource::{Format, Pattern};

/// The name of a repository.
/// <https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html>
pub static REPOSITORY_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9_.-]+$").without("[.]git$").up_to(100),
    "must be 1 to 100 letters, digits and `_.-`, without `.git` at the end",
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub arn: String,
    /// The URL for cloning, as CodeCommit returns it.
    pub clone_url: String,
    /// The branch that a clone checks out. `None` before the first push.
    pub default_branch: Option<String>,
}

/// Looks up the repository `name`. `None` if it does not exist.
pub async fn look_up(codecommit: &Client, name: &str) -> Result<Option<Repository>, CallError> {
    let doing = || format!("looking up repository {name}");
    let call = codecommit.get_repository().repository_name(name);
    let absent = ["RepositoryDoesNotExistException"];
    let Some(output) = optional(call.send().await, &absent, doing)? else {
        return Ok(None);
    };
    let metadata = output.repository_metadata;
    let found = metadata.and_then(|metadata| {
        Some(Repository {
            arn: metadata.arn?,
            clone_url: metadata.clone_url_http?,
            default_branch: metadata.default_branch,
        })
    });
    if found.is_some() {
        return Ok(found);
    }
    let cause = "CodeCommit returned no ARN or no cloneUrlHttp";
    Err(CallError::local(Code::AwsUnavailable, doing(), cause))
}

pub async fn tags(
    codecommit: &Client,
    repository: &Repository,
) -> Result<HashMap<String, String>, CallError> {
    let arn = &repository.arn;
    let (mut tags, mut token) = (HashMap::new(), None);
    loop {
        let call = codecommit.list_tags_for_resource().resource_arn(arn);
        let doing = || format!("reading the tags of repository {arn}");
        let output = required(call.set_next_token(token).send().await, doing)?;
        tags.extend(output.tags.unwrap_or_default());
        token = output.next_token;
        if token.is_none() {
            return Ok(tags);
        }
    }
}

/// The tip of a branch, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchTip {
    /// Its latest commit.
    Commit(String),
    /// The branch does not exist.
    NoBranch,
    /// The repository does not exist.
    NoRepository,
}

impl BranchTip {
    /// The latest commit. `None` if the branch or its repository does not exist.
    pub fn commit(self) -> Option<String> {
        match self {
            BranchTip::Commit(commit) => Some(commit),
            BranchTip::NoBranch | BranchTip::NoRepository => None,
        }
    }
}

/// Looks up a branch.
pub async fn tip(
    codecommit: &Client,
    repository_name: &str,
    branch: &str,
) -> Result<BranchTip, CallError> {
    let call = codecommit.get_branch().repository_name(repository_name).branch_name(branch);
    let result = call.send().await.map_err(|error| {
        let doing = format!("looking up branch {branch} of repository {repository_name}");
        CallError::new(doing, &error)
    });
    match result {
        Ok(output) => {
            let commit = output.branch.and_then(|branch| branch.commit_id);
            Ok(commit.map_or(BranchTip::NoBranch, BranchTip::Commit))
        }
        Err(error) if error.has_code(&["BranchDoesNotExistException"]) => Ok(BranchTip::NoBranch),
        Err(error) if error.has_code(&["RepositoryDoesNotExistException"]) => {
            Ok(BranchTip::NoRepository)
        }
        Err(error) => Err(error),
    }
}

/// A commit, as its author wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitText {
    pub message: String,
    /// The author's name.
    pub author: String,
}

/// Looks up a commit. `None` if it or the repository does not exist.
pub async fn commit(
    codecommit: &Client,
    repository_name: &str,
    id: &str,
) -> Result<Option<CommitText>, CallError> {
    let call = codecommit.get_commit().repository_name(repository_name).commit_id(id);
    let absent = [
        "CommitIdDoesNotExistException",
        "RepositoryDoesNotExistException",
    ];
    let doing = || format!("looking up commit {id} of repository {repository_name}");
    let found = optional(call.send().await, &absent, doing)?;
    Ok(
        found.and_then(|output| output.commit).map(|commit| CommitText {
            author: commit.author.and_then(|author| author.name).unwrap_or_default(),
            message: commit.message.unwrap_or_default(),
        }),
    )
}

/// The names of all branches. Empty if the repository does not exist.
pub async fn branches(
    codecommit: &Client,
    repository_name: &str,
) -> Result<Vec<String>, CallError> {
    let call = codecommit.list_branches().repository_name(repository_name);
    let listed: Result<Vec<String>, _> = call.into_paginator().items().send().collect().await;
    let doing = || format!("listing the branches of repository {repository_name}");
    let listed = optional(listed, &["RepositoryDoesNotExistException"], doing)?;
    Ok(listed.unwrap_or_default())
}

/// Sets the branch that a clone checks out.
pub async fn set_default_branch(
    codecommit: &Client,
    repository_name: &str,
    branch: &str,
) -> Result<(), CallError> {
    let call = codecommit
        .update_default_branch()
        .repository_name(repository_name)
        .default_branch_name(branch);
    // If the branch was deleted since it was observed, the next push creates it again.
    let absent = ["BranchDoesNotExistException"];
    optional(call.send().await, &absent, || {
        format!("making {branch} the default branch of repository {repository_name}")
    })?;
    Ok(())
}

/// Deletes a repository, if it exists. The function may delete repositories with its tag, and a
/// deleted one has no tag: so a denial counts only if the repository still exists.
pub async fn delete(codecommit: &Client, name: &str) -> Result<(), CallError> {
    if look_up(codecommit, name).await?.is_none() {
        return Ok(());
    }
    let call = codecommit.delete_repository().repository_name(name);
    let Err(error) = call.send().await else {
        return Ok(());
    };
    let error = CallError::new(format!("deleting repository {name}"), &error);
    if error.is_denied() && look_up(codecommit, name).await?.is_none() {
        return Ok(());
    }
    Err(error)
}
