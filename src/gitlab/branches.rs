//! Reads the branches of a project, to find out what a push mirror would push.

use serde_json::Value;

use super::client::error;
use super::error::{ErrorKind, GitLabError, Rejection};
use super::mirror::Settings;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// GitLab lists this many protected branches of a project, over all pages (`LIMIT` in its
/// `app/finders/protected_branches_finder.rb`).
const MAX_LISTED: usize = 100;

/// The branches that a project protects itself. A push mirror does not count those of its groups
/// (`options_for_update` in GitLab's `app/models/remote_mirror.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedBranches {
    /// Names, and patterns with `*`.
    pub own: Vec<String>,
    /// `false` if GitLab's list was full, so that `own` may lack branches.
    pub is_complete: bool,
}

/// Why GitLab would push every branch of a project, although a mirror's settings select some.
///
/// Gitaly takes an empty list of branches for every branch (`newReferenceMatcher` in its
/// `internal/gitaly/service/remote/update_remote_mirror.go`;
/// <https://gitlab.com/gitlab-org/gitlab/-/issues/221215>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushesEverything {
    /// `only_protected_branches` is set, and the project itself protects none.
    NothingProtected,
    /// No existing branch matches `mirror_branch_regex`.
    NothingMatches,
}

impl ProtectedBranches {
    /// Whether the project certainly protects no branch itself.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.is_complete
    }
}

impl GitLab {
    /// The branches that the project protects itself.
    pub async fn protected_branches(
        &self,
        project: &str,
    ) -> Result<ProtectedBranches, GitLabError> {
        let url = &self.url;
        let doing = format!("listing the protected branches of project {project} at {url}");
        let listed = self.list(project, "/protected_branches", &doing).await;
        let listed = listed.map_err(about_branches)?;
        // https://docs.gitlab.com/api/protected_branches/: `inherited` is a group's.
        let own = listed.iter().filter(|branch| branch["inherited"] != true);
        let names = own.filter_map(|branch| branch["name"].as_str());
        Ok(ProtectedBranches {
            own: names.map(ToOwned::to_owned).collect(),
            is_complete: listed.len() < MAX_LISTED,
        })
    }

    /// Whether the name of an existing branch matches `regex`, in RE2's syntax, which is also that
    /// of `mirror_branch_regex`. Every edition has this parameter.
    /// <https://docs.gitlab.com/api/branches/#list-all-repository-branches>
    pub async fn has_branch_like(&self, project: &str, regex: &str) -> Result<bool, GitLabError> {
        let url = &self.url;
        let doing = format!(
            "listing the branches of project {project} at {url} that match BranchRegex {regex:?}"
        );
        let query = query_value(regex);
        let part = format!("/repository/branches?per_page=1&regex={query}");
        let request = ApiRequest::get(path(project, &part));
        let listed = self.json(project, &request, &doing).await;
        match listed.map_err(about_branches)? {
            Value::Array(branches) => Ok(!branches.is_empty()),
            _ => Err(error(&doing, ErrorKind::UnexpectedResponse { status: 200 })),
        }
    }

    /// Why a mirror with `settings` would push every branch. `None` if it pushes what the settings
    /// select, or if the project has no commit.
    pub async fn pushes_everything(
        &self,
        project: &str,
        settings: &Settings,
    ) -> Result<Option<PushesEverything>, GitLabError> {
        let reason = if settings.only_protected_branches {
            let protected = self.protected_branches(project).await?;
            protected
                .is_empty()
                .then_some(PushesEverything::NothingProtected)
        } else if let Some(regex) = &settings.branch_regex {
            let has_match = self.has_branch_like(project, regex).await?;
            (!has_match).then_some(PushesEverything::NothingMatches)
        } else {
            None
        };
        if reason.is_some() && self.project(project).await?.is_empty {
            // GitLab protects the default branch with the first push:
            // https://docs.gitlab.com/user/project/repository/branches/default/
            return Ok(None);
        }
        Ok(reason)
    }
}

/// The error without the advice on mirrors: reading branches needs other rights than mirroring.
fn about_branches(mut error: GitLabError) -> GitLabError {
    if let ErrorKind::Rejected { cause, .. } = &mut error.kind
        && *cause == Rejection::MirrorsDisabled
    {
        *cause = Rejection::Denied;
    }
    error
}
