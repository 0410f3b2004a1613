//! Reads the branches of a project: those that a push mirror would push, and whether one contains a
//! commit.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::mirror::Settings;
use crate::clients::gitlab::api::call::Call;
use crate::clients::gitlab::api::error::Result;
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{time, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab, query_value};
use crate::common::iam_wildcard::NamePattern;

/// GitLab lists this many protected branches of a project, over all pages (`LIMIT` in its
/// `app/finders/protected_branches_finder.rb`).
const MAX_LISTED: usize = 100;

/// The longest regular expression that is sent. GitLab's nginx accepts 8 kB in the first line of a
/// request, and an escaped character has three bytes:
/// <https://nginx.org/en/docs/http/ngx_http_core_module.html#large_client_header_buffers>.
const MAX_REGEX_BYTES: usize = 2000;

/// GitLab's message if a branch does not exist (`find_branch!` in its `lib/api/branches.rb`).
const NO_BRANCH: &str = "404 Branch Not Found";

/// GitLab's messages if two commits have no common ancestor, or if the project lacks one of them
/// (`lib/api/repositories.rb`).
const NO_ANCESTOR: [&str; 2] = ["404 Merge Base Not Found", "Could not find ref"];

/// The branches that a project protects itself. A push mirror does not count those of its groups
/// (`options_for_update` in GitLab's `app/models/remote_mirror.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedBranches {
    /// Names, and patterns with `*`.
    pub own: Vec<String>,
    /// `false` if GitLab's list was full, so that `own` may lack branches.
    pub is_complete: bool,
}

impl ProtectedBranches {
    /// Whether the project certainly protects no branch itself. A mirror of protected branches then
    /// pushes every branch, because Gitaly takes an empty list of branches for every branch
    /// (`newReferenceMatcher` in its `internal/gitaly/service/remote/update_remote_mirror.go`;
    /// <https://gitlab.com/gitlab-org/gitlab/-/issues/221215>).
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.is_complete
    }

    /// Whether one of them is the branch `name`, or a pattern that matches it.
    pub fn protects(&self, name: &str) -> bool {
        self.own.iter().any(|pattern| ref_matches(pattern, name))
    }

    /// Whether a mirror of protected branches may push the branch `name` of a project with commits,
    /// or some of those that the pattern `name` matches.
    pub fn may_select(&self, name: &str) -> bool {
        let selects = |rule: &String| ref_matches(rule, name) || ref_matches(name, rule);
        !self.is_complete || self.own.is_empty() || self.own.iter().any(selects)
    }
}

/// Whether a protected branch's `pattern` matches `name`. `*` matches slashes, too
/// (`app/models/ref_matcher.rb`). `?` is in no name.
fn ref_matches(pattern: &str, name: &str) -> bool {
    !pattern.contains('?') && NamePattern::new(pattern).matches(name)
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Branch {
    pub name: String,
    #[serde(rename = "commit")]
    pub tip: Tip,
}

/// The latest commit of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tip {
    pub id: String,
    /// GitLab does not show here when the commit was pushed.
    #[serde(rename = "committed_date", default, deserialize_with = "time")]
    pub committed_at: Option<SystemTime>,
}

/// The branches that a mirror pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// The rules that select them, `None` if there are none: every branch. Then the existing ones:
    /// at most a hundred, the default branch and protected ones first. An error if GitLab does not
    /// list them.
    Branches(Option<ProtectedBranches>, Result<Vec<Branch>>),
    /// Every branch, because the project itself protects none, although it has commits.
    Everything,
}

/// Whether a branch in GitLab contains a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// The commit is the branch's tip, or an ancestor of it.
    Contained,
    /// The branch exists and does not contain the commit, or the project has no such commit.
    Missing,
    /// The project has no such branch, so GitLab does not report whether the commit was on it.
    NoBranch,
}

impl GitLab {
    pub async fn protected_branches(&self, project: ProjectRef<'_>) -> Result<ProtectedBranches> {
        // https://docs.gitlab.com/api/protected_branches/: `inherited` is a group's.
        let parse = |branch: &Value| {
            let name = branch["name"].as_str()?.to_owned();
            Some((name, branch["inherited"] != true))
        };
        let purpose = format!("listing the protected branches of project {project}");
        let call = self.get(Area::Project(project), "/protected_branches", &purpose);
        let listed = call.list(Reading::ALL, parse).await?;
        let is_complete = listed.len() < MAX_LISTED;
        let own = listed.into_iter().filter(|(_, is_own)| *is_own);
        Ok(ProtectedBranches {
            own: own.map(|(name, _)| name).collect(),
            is_complete,
        })
    }

    /// The branches that a mirror with `settings` pushes.
    pub async fn mirrored_branches(
        &self,
        project: ProjectRef<'_>,
        settings: &Settings,
    ) -> Result<Mirrored> {
        let mut rules = None;
        if settings.only_protected_branches {
            rules = Some(self.protected_branches(project).await?);
        }
        if rules.as_ref().is_some_and(ProtectedBranches::is_empty) {
            // GitLab protects the default branch with the first push:
            // https://docs.gitlab.com/user/project/repository/branches/default/
            return Ok(if self.project(project).await?.is_empty {
                Mirrored::Branches(rules, Ok(vec![]))
            } else {
                Mirrored::Everything
            });
        }
        let regex = rules.as_ref().map(|rules| regex_of(&rules.own)).unwrap_or_default();
        // Every edition has the parameter:
        // https://docs.gitlab.com/api/branches/#list-all-repository-branches
        let purpose = format!("listing the branches of project {project} that match {regex:?}");
        let call = self.get(Area::Project(project), "/repository/branches", &purpose);
        let parse = |one: &Value| {
            let rank = (one["default"] != true, one["protected"] != true);
            Some((rank, typed::<Branch>(one)))
        };
        let call = call.query("regex", &regex);
        let listed = call.read(Reading::first(MAX_LISTED, MAX_LISTED), parse);
        let listed = listed.await.map(|listed| {
            let mut branches = listed.elements;
            branches.sort_by_key(|(rank, _)| *rank);
            let branches = branches.into_iter().filter_map(|(_, branch)| branch);
            branches.collect()
        });
        Ok(Mirrored::Branches(rules, listed))
    }

    /// Whether `branch` contains `commit`. It takes one request if the commit is the branch's tip,
    /// otherwise two.
    ///
    /// # Errors
    /// If GitLab cannot be reached, the project is missing, or the token may not read the code.
    /// Then it is unknown.
    pub async fn branch_contains(
        &self,
        project: ProjectRef<'_>,
        branch: &str,
        commit: &str,
    ) -> Result<Containment> {
        match self.branch(project, branch).await? {
            Some(found) => self.history_contains(project, &found.tip.id, commit).await,
            None => Ok(Containment::NoBranch),
        }
    }

    /// The branch `name`. `None` if it does not exist.
    pub async fn branch(&self, project: ProjectRef<'_>, name: &str) -> Result<Option<Branch>> {
        // https://docs.gitlab.com/api/branches/
        let part = format!("/repository/branches/{}", query_value(name));
        let purpose = format!("looking up branch {name} of project {project}");
        let call = self.get(Area::Project(project), &part, &purpose);
        call.find(&[NO_BRANCH]).await
    }

    /// Whether `commit` is `tip` or an ancestor of it. `tip` is a commit of the project.
    ///
    /// The request names commits. In the place of a branch's name, git would prefer a tag of that
    /// name, which more users may create.
    pub async fn history_contains(
        &self,
        project: ProjectRef<'_>,
        tip: &str,
        commit: &str,
    ) -> Result<Containment> {
        if tip == commit {
            return Ok(Containment::Contained);
        }
        // If the project lacks one of two commits, GitLab's message names the last one, even if the
        // first one is missing (`lib/gitlab/git/merge_base.rb`).
        let call = self.merge_base(project, tip, commit);
        let found = call.find::<Tip>(&NO_ANCESTOR).await?;
        Ok(match found {
            Some(ancestor) if ancestor.id == commit => Containment::Contained,
            _ => Containment::Missing,
        })
    }

    /// <https://docs.gitlab.com/api/repositories/>
    fn merge_base<'a>(&'a self, project: ProjectRef<'a>, tip: &str, commit: &str) -> Call<'a> {
        let purpose =
            format!("looking up whether commit {tip} contains {commit} in project {project}");
        let call = self.get(Area::Project(project), "/repository/merge_base", &purpose);
        call.query("refs[]", tip).query("refs[]", commit)
    }
}

/// A regular expression that matches the branches of these names and patterns. If they are too long
/// for an address, only some of them.
fn regex_of(patterns: &[String]) -> String {
    let mut regex = String::new();
    for pattern in patterns {
        let mut one = "^".to_owned();
        for character in pattern.chars() {
            match character {
                '*' => one.push_str(".*"),
                '\\' | '.' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => {
                    one.extend(['\\', character]);
                }
                _ => one.push(character),
            }
        }
        if regex.len() + one.len() > MAX_REGEX_BYTES {
            break;
        }
        if !regex.is_empty() {
            regex.push('|');
        }
        regex.push_str(&one);
        regex.push('$');
    }
    regex
}
