//! Commit statuses: what GitLab shows at a commit and in its merge requests.
//!
//! Source: <https://docs.gitlab.com/api/commits/#commit-status>, GitLab's `lib/api/commit_statuses.rb`
//! and `app/services/ci/create_commit_status_service.rb`.

use serde_json::{Value, json};

use super::error::GitLabError;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// The most characters of a status's description and address (`app/models/commit_status.rb`,
/// `app/models/generic_commit_status.rb`).
pub const MAX_CHARACTERS: usize = 255;

/// The state of a commit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It ended well.
    Success,
    /// It ended with a failure.
    Failed,
    /// It ended without a result.
    Canceled,
}

impl StatusState {
    const ALL: [StatusState; 5] = [
        StatusState::Pending,
        StatusState::Running,
        StatusState::Success,
        StatusState::Failed,
        StatusState::Canceled,
    ];

    /// GitLab's name.
    pub fn name(self) -> &'static str {
        match self {
            StatusState::Pending => "pending",
            StatusState::Running => "running",
            StatusState::Success => "success",
            StatusState::Failed => "failed",
            StatusState::Canceled => "canceled",
        }
    }

    /// Parses GitLab's name. `None` for another state, which cfn-gitops never posts.
    pub fn parse(name: &str) -> Option<Self> {
        StatusState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether GitLab changes a status in this state. Otherwise it creates another one.
    pub fn is_open(self) -> bool {
        matches!(self, StatusState::Pending | StatusState::Running)
    }
}

/// A commit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// Its name, which distinguishes the statuses of a commit.
    pub name: String,
    /// Its state.
    pub state: StatusState,
    /// A text for a developer.
    pub description: String,
    /// The address behind the status.
    pub target_url: String,
}

/// A commit in a branch of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRef {
    /// ID or full path of the project.
    pub project: String,
    /// The SHA of the commit.
    pub sha: String,
    /// The branch.
    pub branch: String,
}

impl GitLab {
    /// The latest status `name` of a commit. `None` if it has none.
    pub async fn commit_status(
        &self,
        commit: &CommitRef,
        name: &str,
    ) -> Result<Option<CommitStatus>, GitLabError> {
        let doing = self.doing_status("reading", commit, name);
        let CommitRef {
            project,
            sha,
            branch,
        } = commit;
        let of = format!(
            "/repository/commits/{}/statuses?ref={}&name={}&per_page=100",
            query_value(sha),
            query_value(branch),
            query_value(name),
        );
        let request = ApiRequest::get(path(project, &of));
        let listed = self.json(project, &request, &doing).await?;
        let listed = listed.as_array().into_iter().flatten();
        // Statuses that GitLab replaced are not listed. Each user has one of its own.
        let latest = listed.max_by_key(|status| status["id"].as_u64());
        Ok(latest.and_then(CommitStatus::parse))
    }

    /// Posts a status. GitLab changes the user's open status of this name, or creates one. Returns the
    /// number of the token's user, if the response shows it.
    ///
    /// The request is not retried if its response was lost: a final state that is posted twice
    /// creates two statuses.
    pub async fn post_commit_status(
        &self,
        commit: &CommitRef,
        status: &CommitStatus,
    ) -> Result<Option<u64>, GitLabError> {
        let doing = self.doing_status("posting", commit, &status.name);
        let CommitRef {
            project,
            sha,
            branch,
        } = commit;
        let body = json!({
            "state": status.state.name(),
            "ref": branch,
            "name": status.name,
            "description": status.description,
            "target_url": status.target_url,
        });
        let of = format!("/statuses/{}", query_value(sha));
        let mut request = ApiRequest::new("POST", path(project, &of), Some(body));
        request.is_idempotent = false;
        let posted = self.json(project, &request, &doing).await?;
        Ok(posted["author"]["id"].as_u64())
    }

    fn doing_status(&self, gerund: &str, commit: &CommitRef, name: &str) -> String {
        let CommitRef { project, sha, .. } = commit;
        let url = &self.url;
        format!("{gerund} status {name} of commit {sha} in project {project} at {url}")
    }
}

impl CommitStatus {
    fn parse(status: &Value) -> Option<Self> {
        let text = |member: &str| status[member].as_str().unwrap_or_default().to_owned();
        Some(CommitStatus {
            name: text("name"),
            state: StatusState::parse(status["status"].as_str()?)?,
            description: text("description"),
            target_url: text("target_url"),
        })
    }
}
