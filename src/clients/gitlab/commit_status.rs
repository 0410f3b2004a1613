//! Commit statuses: what GitLab shows at a commit and in its merge requests.
//!
//! Source: <https://docs.gitlab.com/api/commits/#commit-status>, GitLab's
//! `lib/api/commit_statuses.rb` and `app/services/ci/create_commit_status_service.rb`.

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

/// A status that GitLab shows at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownStatus {
    /// The number of the pipeline that holds it. `None` if GitLab does not show it.
    pub pipeline_id: Option<u64>,
    /// The status.
    pub status: CommitStatus,
}

/// What GitLab responds to a status that was posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostedStatus {
    /// The number of the pipeline that holds it, if the response shows it.
    pub pipeline_id: Option<u64>,
    /// The number of the token's user, if the response shows it.
    pub author: Option<u64>,
}

impl GitLab {
    /// The statuses `name` of a commit, the latest one last. There is one in each pipeline of the
    /// commit in which one was posted: GitLab does not list the ones that it replaced.
    pub async fn commit_statuses(
        &self,
        commit: &CommitRef,
        name: &str,
    ) -> Result<Vec<ShownStatus>, GitLabError> {
        let doing = self.doing_status("reading", commit, name);
        let of = format!(
            "/repository/commits/{}/statuses?ref={}&name={}",
            query_value(&commit.sha),
            query_value(&commit.branch),
            query_value(name),
        );
        let parse = |status: &Value| Some((status["id"].as_u64()?, ShownStatus::parse(status)));
        let mut listed = self.list(&commit.project, &of, &doing, parse).await?;
        listed.sort_by_key(|(id, _)| *id);
        let shown = listed.into_iter().filter_map(|(_, status)| status);
        Ok(shown.collect())
    }

    /// Posts a status to the pipeline `pipeline_id`, or to the newest one of the commit and branch
    /// if it is `None`. GitLab changes the user's open status of this name in the pipeline, or
    /// creates one.
    ///
    /// If the pipeline was deleted or archived, or has no place for another job, the status goes to
    /// the newest pipeline as well.
    ///
    /// The request is not retried if its response was lost: a final state that is posted twice
    /// creates two statuses.
    pub async fn post_commit_status(
        &self,
        commit: &CommitRef,
        status: &CommitStatus,
        pipeline_id: Option<u64>,
    ) -> Result<PostedStatus, GitLabError> {
        match self.send_status(commit, status, pipeline_id).await {
            Err(error) if pipeline_id.is_some() && lacks_pipeline(&error) => {
                self.send_status(commit, status, None).await
            }
            posted => posted,
        }
    }

    /// Posts `status`, unless it is the latest one that GitLab shows.
    pub async fn show_commit_status(
        &self,
        commit: &CommitRef,
        status: &CommitStatus,
    ) -> Result<(), GitLabError> {
        let shown = self.commit_statuses(commit, &status.name).await?;
        let latest = shown.last();
        if latest.map(|shown| &shown.status) == Some(status) {
            return Ok(());
        }
        let pipeline_id = latest.and_then(|shown| shown.pipeline_id);
        let posted = self.post_commit_status(commit, status, pipeline_id);
        posted.await.map(drop)
    }

    /// Ends a status that is open in the pipeline `pipeline_id`. Returns whether GitLab accepted
    /// it: it changes nothing in a pipeline that was archived.
    pub async fn end_commit_status(
        &self,
        commit: &CommitRef,
        status: &CommitStatus,
        pipeline_id: u64,
    ) -> Result<bool, GitLabError> {
        match self.send_status(commit, status, Some(pipeline_id)).await {
            Err(error) if lacks_pipeline(&error) => Ok(false),
            ended => ended.map(|_| true),
        }
    }

    async fn send_status(
        &self,
        commit: &CommitRef,
        status: &CommitStatus,
        pipeline_id: Option<u64>,
    ) -> Result<PostedStatus, GitLabError> {
        let doing = self.doing_status("posting", commit, &status.name);
        let project = &commit.project;
        let mut body = json!({
            "state": status.state.name(),
            "ref": commit.branch,
            "name": status.name,
            "description": status.description,
            "target_url": status.target_url,
        });
        if let Some(id) = pipeline_id {
            body["pipeline_id"] = id.into();
        }
        let of = format!("/statuses/{}", query_value(&commit.sha));
        let mut request = ApiRequest::new("POST", path(project, &of), Some(body));
        request.is_idempotent = false;
        let posted = self.json(project, &request, &doing).await?;
        Ok(PostedStatus {
            pipeline_id: posted["pipeline_id"].as_u64(),
            author: posted["author"]["id"].as_u64(),
        })
    }

    fn doing_status(&self, gerund: &str, commit: &CommitRef, name: &str) -> String {
        let (project, sha, url) = (&commit.project, &commit.sha, &self.url);
        format!("{gerund} status {name} of commit {sha} in project {project} at {url}")
    }
}

impl ShownStatus {
    fn parse(status: &Value) -> Option<Self> {
        let text = |member: &str| status[member].as_str().unwrap_or_default().to_owned();
        Some(ShownStatus {
            pipeline_id: status["pipeline_id"].as_u64(),
            status: CommitStatus {
                name: text("name"),
                state: StatusState::parse(status["status"].as_str()?)?,
                description: text("description"),
                target_url: text("target_url"),
            },
        })
    }
}

/// Whether GitLab adds no job to the pipeline: 404 if it was deleted or archived, 422 if it has as
/// many jobs as a pipeline may have (`validate` in
/// `app/services/ci/create_commit_status_service.rb`).
fn lacks_pipeline(error: &GitLabError) -> bool {
    matches!(error.kind.rejected_status(), Some(404 | 422))
}
