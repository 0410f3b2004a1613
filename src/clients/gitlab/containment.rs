//! Whether a branch of GitLab contains a commit.

use serde_json::Value;

use super::branches::{Branch, about_branches};
use super::client::error;
use super::error::{ErrorKind, GitLabError};
use super::transport::{ApiRequest, ApiResponse, GitLab, path, query_value};

/// GitLab's message if a branch does not exist (`find_branch!` in its `lib/api/branches.rb`).
const NO_BRANCH: &str = "404 Branch Not Found";

/// GitLab's messages if two commits have no common ancestor, or if the project lacks one of them
/// (`lib/api/repositories.rb`).
const NO_ANCESTOR: [&str; 2] = ["404 Merge Base Not Found", "Could not find ref"];

/// Whether a branch in GitLab contains a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// The commit is the branch's tip, or an ancestor of it.
    Contained,
    /// The branch exists and does not contain the commit, or the project has no such commit.
    Missing,
    /// The project has no such branch, so GitLab does not say whether the commit was on it.
    NoBranch,
}

impl GitLab {
    /// Whether `branch` contains `commit`. It takes one request if the commit is the branch's tip,
    /// otherwise two.
    ///
    /// # Errors
    /// If GitLab cannot be reached, the project is missing, or the token may not read the code.
    /// Then it is unknown.
    pub async fn branch_contains(
        &self,
        project: &str,
        branch: &str,
        commit: &str,
    ) -> Result<Containment, GitLabError> {
        match self.branch(project, branch).await? {
            Some(found) => self.history_contains(project, &found.tip, commit).await,
            None => Ok(Containment::NoBranch),
        }
    }

    /// The branch `name`. `None` if it does not exist.
    pub async fn branch(&self, project: &str, name: &str) -> Result<Option<Branch>, GitLabError> {
        let url = &self.url;
        let doing = format!("looking up branch {name} of project {project} at {url}");
        // https://docs.gitlab.com/api/branches/
        let part = format!("/repository/branches/{}", query_value(name));
        let Some(found) = self.unless(&[NO_BRANCH], project, &part, &doing).await? else {
            return Ok(None);
        };
        let found = Branch::parse(&found).ok_or_else(|| unexpected(&doing))?;
        Ok(Some(found))
    }

    /// Whether `commit` is `tip` or an ancestor of it. `tip` is a commit of the project.
    ///
    /// The request names commits. In the place of a branch's name, git would prefer a tag of that
    /// name, which more users may create.
    pub async fn history_contains(
        &self,
        project: &str,
        tip: &str,
        commit: &str,
    ) -> Result<Containment, GitLabError> {
        if tip == commit {
            return Ok(Containment::Contained);
        }
        let url = &self.url;
        let doing = format!(
            "looking up whether commit {tip} contains {commit} in project {project} at {url}"
        );
        // https://docs.gitlab.com/api/repositories/. If the project lacks one of two commits, GitLab's
        // message names the last one, also if the first one is missing
        // (`lib/gitlab/git/merge_base.rb`).
        let (tip, sha) = (query_value(tip), query_value(commit));
        let part = format!("/repository/merge_base?refs%5B%5D={tip}&refs%5B%5D={sha}");
        let found = self.unless(&NO_ANCESTOR, project, &part, &doing).await?;
        let Some(ancestor) = found else {
            return Ok(Containment::Missing);
        };
        match ancestor["id"].as_str() {
            Some(id) if id == commit => Ok(Containment::Contained),
            Some(_) => Ok(Containment::Missing),
            None => Err(unexpected(&doing)),
        }
    }

    /// The response to a GET. `None` if GitLab rejected it with one of these `messages`.
    pub(super) async fn unless(
        &self,
        messages: &[&str],
        project: &str,
        part: &str,
        doing: &str,
    ) -> Result<Option<Value>, GitLabError> {
        let response = self
            .send(&ApiRequest::get(path(project, part)), doing)
            .await?;
        if matches!(response.status, 400 | 404) {
            let message = response.message();
            if messages.iter().any(|known| message.starts_with(known)) {
                return Ok(None);
            }
        }
        let checked = self.check(project, response).await;
        let found = checked.and_then(ApiResponse::into_json);
        let found = found.map_err(|kind| about_branches(error(doing, kind)));
        found.map(Some)
    }
}

fn unexpected(doing: &str) -> GitLabError {
    error(doing, ErrorKind::UnexpectedResponse { status: 200 })
}
