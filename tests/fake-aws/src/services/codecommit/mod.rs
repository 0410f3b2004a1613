//! CodeCommit's repositories, its API and the git address behind it. Errors and their names: API
//! Reference, the operations named here.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    services::{
        iam::ACCOUNT,
        pages::{CODECOMMIT, DIFFERENCES, page},
    },
    world::{ApiResponse, ApiResult, AwsError, Call, JsonResult, World, rejected},
};

/// CodeCommit's approval rule templates.
mod approval_rules;
/// Another account, and STS.
pub mod other_account;
/// The repositories of an account.
mod repositories;

pub(crate) use repositories::no_repository;
pub use repositories::{CodeCommit, Repository, RuleTemplate, clone_url};
use repositories::{existing_repository, repository_name};

pub fn answer(codecommit: &mut CodeCommit, world: &mut World, call: &Call) -> ApiResult {
    if let Some(answer) = approval_rules::answer(codecommit, world, call) {
        return answer;
    }
    let body = match call.operation.as_str() {
        "GetRepository" => get(codecommit, call)?,
        "GetBranch" => get_branch(codecommit, call)?,
        "GetCommit" => get_commit(codecommit, call)?,
        "ListBranches" => list_branches(codecommit, world, call)?,
        "GetDifferences" => differences(codecommit, world, call)?,
        "UpdateDefaultBranch" => update_default_branch(codecommit, call)?,
        "DeleteRepository" => {
            let name = repository_name(call)?;
            // The function's policy requires a tag, which a deleted repository does not have.
            let Some(held) = codecommit.repositories.get(name) else {
                let message = format!(
                    "not authorized to perform: codecommit:DeleteRepository on resource: {name}"
                );
                return Err(rejected("AccessDeniedException", message));
            };
            let id = held.id.clone();
            codecommit.remove(name);
            json!({"repositoryId": id})
        }
        "ListTagsForResource" => tags_page(codecommit, world, call)?,
        unknown => return Err(world.unknown_operation("codecommit", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

fn get(codecommit: &CodeCommit, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?;
    let held = &codecommit.repositories[name];
    let mut shown = json!({
        "accountId": ACCOUNT,
        "repositoryId": held.id,
        "repositoryName": name,
        "cloneUrlHttp": clone_url(name),
        "cloneUrlSsh": clone_url(name).replacen("https", "ssh", 1),
        "Arn": held.arn,
        "creationDate": World::seconds(held.created),
        "lastModifiedDate": World::seconds(held.created),
    });
    if let Some(description) = &held.description {
        shown["repositoryDescription"] = json!(description);
    }
    if let Some(branch) = &held.default_branch {
        shown["defaultBranch"] = json!(branch);
    }
    Ok(json!({"repositoryMetadata": shown}))
}

fn get_branch(codecommit: &CodeCommit, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?;
    let branch = call.needed("branchName");
    match codecommit.repositories[name].branches.get(branch) {
        Some(commit) => Ok(json!({"branch": {"branchName": branch, "commitId": commit}})),
        None => Err(no_branch(branch)),
    }
}

/// A commit, as far as the product reads it. Its text names it.
/// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetCommit.html>
fn get_commit(codecommit: &CodeCommit, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?;
    let id = call.needed("commitId");
    if !codecommit.repositories[name].trees.contains_key(id) {
        let message = format!("The commit ID {id} does not exist in the repository");
        return Err(rejected("CommitIdDoesNotExistException", message));
    }
    let message = format!("Change {}\n\nThe reason\n", &id[..8.min(id.len())]);
    let author = json!({"name": "Jane Doe", "email": "jane@example.com"});
    Ok(json!({"commit": {"commitId": id, "message": message, "author": author}}))
}

/// The names, in pages of a length that is not documented.
/// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_ListBranches.html>
fn list_branches(codecommit: &CodeCommit, world: &World, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?;
    let branches = codecommit.repositories[name].branches.keys();
    let branches: Vec<Value> = branches.map(|name| json!(name)).collect();
    page(world, call, CODECOMMIT, "branches", &branches)
}

/// "Returns information about the differences in a valid commit specifier." The length of a page is
/// not documented. A rename is a deletion and an addition.
fn differences(codecommit: &CodeCommit, world: &World, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?;
    let trees = &codecommit.repositories[name].trees;
    let tree = |parameter: &str| {
        let commit = call.needed(parameter);
        trees.get(commit).ok_or_else(|| {
            let message = format!("Commit {commit} does not exist in this repository.");
            rejected("CommitDoesNotExistException", message)
        })
    };
    let (before, after) = (
        tree("beforeCommitSpecifier")?,
        tree("afterCommitSpecifier")?,
    );
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter_map(|path| {
        let [was, is] = [before, after].map(|tree| tree.get(path));
        let blob = |content: &String| json!({"blobId": content, "path": path});
        match (was, is) {
            _ if was == is => None,
            (Some(was), Some(is)) => {
                Some(json!({"changeType": "M", "beforeBlob": blob(was), "afterBlob": blob(is)}))
            }
            (Some(was), None) => Some(json!({"changeType": "D", "beforeBlob": blob(was)})),
            (None, is) => Some(json!({"changeType": "A", "afterBlob": is.map(blob)})),
        }
    });
    let changed: Vec<Value> = changed.collect();
    page(world, call, DIFFERENCES, "differences", &changed)
}

fn update_default_branch(codecommit: &mut CodeCommit, call: &Call) -> JsonResult {
    let name = existing_repository(codecommit, call)?.to_owned();
    let branch = call.needed("defaultBranchName");
    let held = codecommit.repositories.get_mut(&name).expect("just found");
    if !held.branches.contains_key(branch) {
        return Err(no_branch(branch));
    }
    held.default_branch = Some(branch.to_owned());
    Ok(json!({}))
}

/// The tags, in pages of a length that is not documented.
fn tags_page(codecommit: &CodeCommit, world: &World, call: &Call) -> JsonResult {
    let length = world.options.page_length.unwrap_or(usize::MAX);
    let tags = &tagged(codecommit, call)?.tags;
    let start = call.text("nextToken").map_or(Ok(0), str::parse::<usize>);
    let start = start.map_err(|_| rejected("InvalidNextTokenException", "nextToken"))?;
    let page: BTreeMap<_, _> = tags.iter().skip(start).take(length).collect();
    let end = start + page.len();
    let mut body = json!({"tags": page});
    if end < tags.len() {
        body["nextToken"] = end.to_string().into();
    }
    Ok(body)
}

fn tagged<'a>(codecommit: &'a CodeCommit, call: &Call) -> Result<&'a Repository, AwsError> {
    let arn = call.needed("resourceArn");
    let own = format!("arn:aws:codecommit:eu-central-1:{ACCOUNT}:");
    let Some(name) = arn.strip_prefix(&own) else {
        let message = "The value for the resource ARN is not valid.";
        return Err(rejected("InvalidResourceArnException", message));
    };
    let held = codecommit.repositories.get(name);
    held.ok_or_else(|| no_repository(name))
}

fn no_branch(name: &str) -> AwsError {
    let message = format!("The specified branch {name} does not exist");
    rejected("BranchDoesNotExistException", message)
}
