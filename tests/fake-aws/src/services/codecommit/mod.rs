//! CodeCommit's repositories, its API and the git address behind it. Errors and their names: API
//! Reference, the operations named here.

use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    request::Call,
    response::{ApiResponse, AwsError},
    services::{
        iam::ACCOUNT,
        pages::List,
        tags::{self, Tags},
    },
    state::AwsState,
};

/// CodeCommit's approval rule templates.
mod approval_rules;
/// Another account, and STS.
pub mod other_account;

pub use approval_rules::RuleTemplate;

#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    pub id: String,
    pub arn: String,
    pub description: Option<String>,
    pub created: Duration,
    pub tags: Tags,
    /// The files of each commit, with their contents.
    pub trees: BTreeMap<String, BTreeMap<String, String>>,
    /// The newest commit of each branch.
    pub branches: BTreeMap<String, String>,
    pub default_branch: Option<String>,
    /// The stack that created it. `None` for a repository of another owner.
    pub stack_id: Option<String>,
}

impl Repository {
    pub fn new(name: &str, id: String) -> Self {
        Self {
            id,
            arn: format!("arn:aws:codecommit:eu-central-1:{ACCOUNT}:{name}"),
            description: None,
            created: Duration::ZERO,
            tags: Tags::new(),
            trees: BTreeMap::new(),
            branches: BTreeMap::new(),
            default_branch: None,
            stack_id: None,
        }
    }

    /// Moves a branch. "The first branch pushed is the default branch" (User Guide, Change branch
    /// settings). Answers the commit that it was at.
    pub fn push(&mut self, branch: &str, commit: &str) -> Option<String> {
        self.default_branch.get_or_insert_with(|| branch.to_owned());
        self.trees.entry(commit.to_owned()).or_default();
        self.branches.insert(branch.to_owned(), commit.to_owned())
    }
}

pub fn clone_url(name: &str) -> String {
    format!("https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/{name}")
}

/// Deletes a repository, with its place in approval rule templates.
pub fn remove(aws: &mut AwsState, name: &str) {
    if aws.repositories.remove(name).is_some() {
        aws.repositories_gone.push(name.to_owned());
    }
    for template in aws.rule_templates.values_mut() {
        template.repositories.remove(name);
    }
}

pub fn answer(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    if let Some(answer) = approval_rules::answer(aws, call) {
        return answer;
    }
    let body = match call.operation.as_str() {
        "GetRepository" => get(aws, call)?,
        "GetBranch" => get_branch(aws, call)?,
        "ListBranches" => list_branches(aws, call)?,
        "GetDifferences" => differences(aws, call)?,
        "UpdateDefaultBranch" => update_default_branch(aws, call)?,
        "DeleteRepository" => {
            let name = repository_name(call)?;
            // The function's policy requires a tag, which a deleted repository does not have.
            let Some(held) = aws.repositories.get(name) else {
                let message = format!(
                    "not authorized to perform: codecommit:DeleteRepository on resource: {name}"
                );
                return Err(AwsError::new(400, "AccessDeniedException", message));
            };
            let id = held.id.clone();
            remove(aws, name);
            json!({"repositoryId": id})
        }
        "ListTagsForResource" => tags_page(aws, call)?,
        "TagResource" => tag(aws, call)?,
        "UntagResource" => {
            let keys: Vec<String> = call
                .list("tagKeys")
                .into_iter()
                .map(str::to_owned)
                .collect();
            tagged(aws, call)?.tags.retain(|key, _| !keys.contains(key));
            json!({})
        }
        unknown => return Err(aws.unknown_operation("codecommit", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

fn get(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = existing_repository(aws, call)?;
    let held = &aws.repositories[name];
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    put("accountId", ACCOUNT.into());
    put("repositoryId", held.id.clone().into());
    put("repositoryName", name.into());
    put("cloneUrlHttp", clone_url(name).into());
    put(
        "cloneUrlSsh",
        clone_url(name).replacen("https", "ssh", 1).into(),
    );
    put("Arn", held.arn.clone().into());
    put("creationDate", AwsState::seconds(held.created).into());
    put("lastModifiedDate", AwsState::seconds(held.created).into());
    if let Some(description) = &held.description {
        put("repositoryDescription", description.clone().into());
    }
    if let Some(branch) = &held.default_branch {
        put("defaultBranch", branch.clone().into());
    }
    Ok(json!({"repositoryMetadata": shown}))
}

fn get_branch(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = existing_repository(aws, call)?;
    let branch = call.needed("branchName");
    match aws.repositories[name].branches.get(branch) {
        Some(commit) => Ok(json!({"branch": {"branchName": branch, "commitId": commit}})),
        None => Err(no_branch(branch)),
    }
}

/// The names, in pages of a length that is not documented.
/// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_ListBranches.html>
fn list_branches(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = existing_repository(aws, call)?;
    let branches = aws.repositories[name].branches.keys();
    let branches: Vec<Value> = branches.map(|name| json!(name)).collect();
    let list = List {
        name: "branches",
        token: "nextToken",
        invalid_token: "InvalidContinuationTokenException",
    };
    list.page(aws, call, &branches)
}

/// "Returns information about the differences in a valid commit specifier." The length of a page is
/// not documented. A rename is a deletion and an addition.
fn differences(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = existing_repository(aws, call)?;
    let trees = &aws.repositories[name].trees;
    let tree = |parameter: &str| {
        let commit = call.needed(parameter);
        trees.get(commit).ok_or_else(|| {
            let message = format!("Commit {commit} does not exist in this repository.");
            AwsError::new(400, "CommitDoesNotExistException", message)
        })
    };
    let (before, after) = (
        tree("beforeCommitSpecifier")?,
        tree("afterCommitSpecifier")?,
    );
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path));
    let changed: Vec<Value> = changed
        .map(|path| {
            let blob = |tree: &BTreeMap<String, String>| {
                tree.get(path)
                    .map(|content| json!({"blobId": content, "path": path}))
            };
            let mut difference = json!({"changeType": "M"});
            let blobs = [("beforeBlob", blob(before)), ("afterBlob", blob(after))];
            for (name, blob) in blobs {
                if let Some(blob) = blob {
                    difference[name] = blob;
                } else {
                    difference["changeType"] = if name == "afterBlob" { "D" } else { "A" }.into();
                }
            }
            difference
        })
        .collect();
    let list = List {
        name: "differences",
        token: "NextToken",
        invalid_token: "InvalidContinuationTokenException",
    };
    list.page(aws, call, &changed)
}

fn update_default_branch(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = existing_repository(aws, call)?.to_owned();
    let branch = call.needed("defaultBranchName");
    let held = aws.repositories.get_mut(&name).expect("just found");
    if !held.branches.contains_key(branch) {
        return Err(no_branch(branch));
    }
    held.default_branch = Some(branch.to_owned());
    Ok(json!({}))
}

fn tag(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let empty = Map::new();
    let sent = call.params.get("tags").and_then(Value::as_object);
    let mut added = Tags::new();
    for (key, value) in sent.unwrap_or(&empty) {
        let value = value.as_str().unwrap_or_default();
        if let Some(refusal) = tags::refusal(key, value) {
            return Err(AwsError::new(400, "InvalidTagsMapException", refusal));
        }
        if tags::reserved(key) {
            let message = "The specified tag is not valid. Key names cannot be prefixed with aws:.";
            return Err(AwsError::new(
                400,
                "InvalidSystemTagUsageException",
                message,
            ));
        }
        added.insert(key.clone(), value.to_owned());
    }
    let held = tagged(aws, call)?;
    let mut all = held.tags.clone();
    all.extend(added);
    let own = all.keys().filter(|key| !tags::reserved(key));
    if own.count() > tags::MOST {
        let message =
            "The maximum number of tags for an AWS CodeCommit resource has been exceeded.";
        return Err(AwsError::new(400, "TooManyTagsException", message));
    }
    held.tags = all;
    Ok(json!({}))
}

/// The tags, in pages of a length that is not documented.
fn tags_page(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let length = aws.options.page_length.unwrap_or(usize::MAX);
    let tags = tagged(aws, call)?.tags.clone();
    let start = call.text("nextToken").map_or(Ok(0), str::parse::<usize>);
    let start = start.map_err(|_| AwsError::new(400, "InvalidNextTokenException", "nextToken"))?;
    let page: BTreeMap<_, _> = tags.iter().skip(start).take(length).collect();
    let end = start + page.len();
    let mut body = json!({"tags": page});
    if end < tags.len() {
        body["nextToken"] = end.to_string().into();
    }
    Ok(body)
}

fn tagged<'a>(aws: &'a mut AwsState, call: &Call) -> Result<&'a mut Repository, AwsError> {
    let arn = call.needed("resourceArn");
    let own = format!("arn:aws:codecommit:eu-central-1:{ACCOUNT}:");
    let Some(name) = arn.strip_prefix(&own) else {
        let message = "The value for the resource ARN is not valid.";
        return Err(AwsError::new(400, "InvalidResourceArnException", message));
    };
    aws.repositories
        .get_mut(name)
        .ok_or_else(|| no_repository(name))
}

fn no_repository(name: &str) -> AwsError {
    let message = format!("{name} does not exist");
    AwsError::new(400, "RepositoryDoesNotExistException", message)
}

fn no_branch(name: &str) -> AwsError {
    let message = format!("The specified branch {name} does not exist");
    AwsError::new(400, "BranchDoesNotExistException", message)
}

/// The name of an existing repository.
pub(crate) fn existing_repository<'a>(aws: &AwsState, call: &'a Call) -> Result<&'a str, AwsError> {
    let name = repository_name(call)?;
    if aws.repositories.contains_key(name) {
        return Ok(name);
    }
    Err(no_repository(name))
}

fn repository_name(call: &Call) -> Result<&str, AwsError> {
    let name = call.needed("repositoryName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        let message = "The repository name is not valid. Repository names can be any valid combination \
                       of letters, numbers, periods, underscores, and dashes between 1 and 100 characters \
                       in length.";
        return Err(AwsError::new(
            400,
            "InvalidRepositoryNameException",
            message,
        ));
    }
    Ok(name)
}

/// The first request of a `git push`. git's "smart HTTP" protocol: the response to a user who
/// may push is an advertisement of the refs.
pub fn probe(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    if call.method != "GET" {
        return Err(AwsError::new(405, "MethodNotAllowed", ""));
    }
    let login = call.header("authorization").and_then(basic);
    let repository = call.needed("repository");
    let allowed = login.map_or(Err(401), |(name, password)| {
        may_push(aws, &name, &password, repository)
    });
    match allowed {
        Ok(()) => {}
        Err(403) => return Err(AwsError::new(403, "Forbidden", "")),
        Err(404) => return Err(AwsError::new(404, "NotFound", "repository not found")),
        Err(_) => {
            let mut refusal = ApiResponse::plain(401, "");
            refusal.code = Some("Unauthorized");
            refusal
                .headers
                .push(("www-authenticate", "Basic realm=\"AWS CodeCommit\"".into()));
            return Ok(refusal);
        }
    }
    let mut advertisement = ApiResponse::plain(200, "001f# service=git-receive-pack\n0000");
    advertisement.headers.push((
        "content-type",
        "application/x-git-receive-pack-advertisement".into(),
    ));
    Ok(advertisement)
}

/// Whether a login may push, or the status with which git is turned away.
pub(crate) fn may_push(
    aws: &AwsState,
    name: &str,
    password: &str,
    repository: &str,
) -> Result<(), u16> {
    // A new login is rejected until IAM's change has propagated.
    let seen = aws.iam.seen(aws.now, aws.options.login_late);
    let user = seen.login(name, password).ok_or(401_u16)?;
    if !aws.repositories.contains_key(repository) {
        return Err(404);
    }
    // The response to a user without GitPush is only known to have the status 403.
    if aws.without_git_push.contains(user) {
        return Err(403);
    }
    Ok(())
}

/// Name and password from a Basic `Authorization` header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(aws_smithy_types::base64::decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
