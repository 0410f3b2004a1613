//! The repositories of an account, their rules, and the git address.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    services::iam::{ACCOUNT, Iam},
    world::{ApiResponse, ApiResult, AwsError, Call, Tags, rejected},
};

#[derive(Clone, Debug, Default, PartialEq)]
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
    /// The error with which its key rejects every caller, such as `EncryptionKeyDisabledException`.
    /// `None` if the key can be used.
    pub key_error: Option<&'static str>,
    /// The stack that created it. `None` for a repository of another owner.
    pub stack_id: Option<String>,
}

impl Repository {
    pub fn new(name: &str, id: String) -> Self {
        Self {
            id,
            arn: format!("arn:aws:codecommit:eu-central-1:{ACCOUNT}:{name}"),
            ..Self::default()
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

#[derive(Clone, Debug, PartialEq)]
pub struct RuleTemplate {
    pub id: String,
    pub description: String,
    pub content: String,
    pub created: Duration,
    pub changed: Duration,
    pub repositories: BTreeSet<String>,
}

/// The repositories of this account, and their rules.
#[derive(Clone, Debug, Default)]
pub struct CodeCommit {
    pub repositories: BTreeMap<String, Repository>,
    /// Repositories that were deleted, in order.
    pub repositories_gone: Vec<String>,
    pub rule_templates: BTreeMap<String, RuleTemplate>,
    /// Users whose policy does not allow `codecommit:GitPush`.
    pub(crate) without_git_push: BTreeSet<String>,
}

impl CodeCommit {
    /// Deletes a repository, with its place in approval rule templates.
    pub fn remove(&mut self, name: &str) {
        if self.repositories.remove(name).is_some() {
            self.repositories_gone.push(name.to_owned());
        }
        for template in self.rule_templates.values_mut() {
            template.repositories.remove(name);
        }
    }

    /// The first request of a `git push`. git's "smart HTTP" protocol: the response to a user who
    /// may push is an advertisement of the refs.
    pub fn probe(&self, iam: &Iam, call: &Call) -> ApiResult {
        if call.method != "GET" {
            return Err(AwsError::new(405, "MethodNotAllowed", ""));
        }
        let login = call.header("authorization").and_then(basic);
        let repository = call.needed("repository");
        let allowed = login.map_or(Err(401), |(name, password)| {
            self.may_push(iam, &name, &password, repository)
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
        &self,
        iam: &Iam,
        name: &str,
        password: &str,
        repository: &str,
    ) -> Result<(), u16> {
        // `iam` is the state that reads show: a new login is rejected until its change has propagated.
        let user = iam.login(name, password).ok_or(401_u16)?;
        if !self.repositories.contains_key(repository) {
            return Err(404);
        }
        // The response to a user without GitPush is only known to have the status 403.
        if self.without_git_push.contains(user) {
            return Err(403);
        }
        Ok(())
    }
}

pub fn clone_url(name: &str) -> String {
    format!("https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/{name}")
}

/// The name of an existing repository, with whose key its caller may read. Each operation that uses
/// this has the errors of the key. The text is what the API Reference has for a denial.
pub(crate) fn existing_repository<'a>(
    codecommit: &CodeCommit,
    call: &'a Call,
) -> Result<&'a str, AwsError> {
    let name = repository_name(call)?;
    let Some(held) = codecommit.repositories.get(name) else {
        return Err(no_repository(name));
    };
    match held.key_error {
        Some(code) => Err(rejected(code, "An encryption key could not be accessed.")),
        None => Ok(name),
    }
}

pub fn repository_name(call: &Call) -> Result<&str, AwsError> {
    let name = call.needed("repositoryName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        let message = "The repository name is not valid. Repository names can be any valid combination \
                       of letters, numbers, periods, underscores, and dashes between 1 and 100 characters \
                       in length.";
        return Err(rejected("InvalidRepositoryNameException", message));
    }
    Ok(name)
}

pub fn no_repository(name: &str) -> AwsError {
    let message = format!("{name} does not exist");
    rejected("RepositoryDoesNotExistException", message)
}

/// Name and password from a Basic `Authorization` header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(aws_smithy_types::base64::decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
