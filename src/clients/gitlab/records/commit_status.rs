//! Commit statuses, which GitLab shows at a commit and in its merge requests.
//!
//! Source: <https://docs.gitlab.com/api/commits/#commit-status>, GitLab's
//! `lib/api/commit_statuses.rb` and `app/services/ci/create_commit_status_service.rb`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clients::gitlab::api::error::{ErrorKind, GitLabError, Result};
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{Identified, id, lenient, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab, query_value};

/// The most characters of a status's description and address (`app/models/commit_status.rb`,
/// `app/models/generic_commit_status.rb`).
pub const MAX_CHARACTERS: usize = 255;

/// The description if a firewall rejects the whole one.
const SHORT: &str = "See the execution in AWS";

/// A state. Others than these are never posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    Pending,
    Running,
    Success,
    Failed,
    /// It ended without a result.
    Canceled,
}

impl StatusState {
    /// GitLab's name of it.
    pub fn text(self) -> &'static str {
        match self {
            StatusState::Pending => "pending",
            StatusState::Running => "running",
            StatusState::Success => "success",
            StatusState::Failed => "failed",
            StatusState::Canceled => "canceled",
        }
    }

    /// Whether GitLab changes a status in this state. Otherwise it creates another one.
    pub fn is_open(self) -> bool {
        match self {
            StatusState::Pending | StatusState::Running => true,
            StatusState::Success | StatusState::Failed | StatusState::Canceled => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// It distinguishes the statuses of a commit.
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(rename(deserialize = "status"))]
    pub state: StatusState,
    #[serde(default, deserialize_with = "lenient")]
    pub description: String,
    #[serde(default, deserialize_with = "lenient")]
    pub target_url: String,
}

/// A commit in a branch of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRef<'a> {
    pub project: ProjectRef<'a>,
    pub sha: String,
    pub branch: String,
}

/// A status that GitLab shows at a commit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShownStatus {
    /// The pipeline that holds it. `None` if GitLab does not show it.
    #[serde(default, deserialize_with = "lenient")]
    pub pipeline_id: Option<u64>,
    /// The branch of that pipeline. `None` if GitLab does not show it.
    #[serde(default, rename = "ref", deserialize_with = "lenient")]
    pub branch: Option<String>,
    /// The number of the user who posted it. `None` if GitLab does not show it.
    #[serde(default, deserialize_with = "id")]
    pub author: Option<u64>,
    #[serde(flatten)]
    pub status: CommitStatus,
}

/// The response to a status that was posted. GitLab may show neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PostedStatus {
    #[serde(default, deserialize_with = "lenient")]
    pub pipeline_id: Option<u64>,
    /// The number of the token's user.
    #[serde(default, deserialize_with = "id")]
    pub author: Option<u64>,
}

impl GitLab {
    /// The statuses `name` of a commit, the latest one last. There is one in each pipeline of the
    /// commit in which one was posted.
    pub async fn commit_statuses(
        &self,
        commit: &CommitRef<'_>,
        name: &str,
    ) -> Result<Vec<ShownStatus>> {
        self.list_statuses(commit, name, &[("ref", &commit.branch)]).await
    }

    /// The same, with the statuses that others have replaced, which GitLab marks as retried.
    pub async fn all_commit_statuses(
        &self,
        commit: &CommitRef<'_>,
        name: &str,
    ) -> Result<Vec<ShownStatus>> {
        self.list_statuses(commit, name, &[("ref", &commit.branch), ("all", "true")])
            .await
    }

    /// The statuses `name` of a commit in the pipelines of each branch.
    pub async fn statuses_of_each_branch(
        &self,
        commit: &CommitRef<'_>,
        name: &str,
    ) -> Result<Vec<ShownStatus>> {
        self.list_statuses(commit, name, &[]).await
    }

    async fn list_statuses(
        &self,
        commit: &CommitRef<'_>,
        name: &str,
        of: &[(&str, &str)],
    ) -> Result<Vec<ShownStatus>> {
        let CommitRef { project, sha, .. } = commit;
        let part = format!("/repository/commits/{}/statuses", query_value(sha));
        let purpose = format!("reading status {name} of commit {sha} in project {project}");
        let call = self.get(Area::Report(*project), &part, &purpose);
        let of = of.iter();
        let call = of.fold(call, |call, (name, value)| call.query(name, value)).query("name", name);
        let parse = |one: &Value| Some((one["id"].as_u64()?, typed::<ShownStatus>(one)));
        let mut listed = call.list(Reading::ALL, parse).await?;
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
        commit: &CommitRef<'_>,
        status: &CommitStatus,
        pipeline_id: Option<u64>,
    ) -> Result<PostedStatus> {
        match self.send_status(commit, status, pipeline_id).await {
            Err(error) if pipeline_id.is_some() && lacks_pipeline(&error) => {
                self.send_status(commit, status, None).await
            }
            posted => posted,
        }
    }

    /// Ends a status that is open in the pipeline `pipeline_id`. Returns whether GitLab accepted
    /// it: it changes nothing in a pipeline that was archived.
    pub async fn end_commit_status(
        &self,
        commit: &CommitRef<'_>,
        status: &CommitStatus,
        pipeline_id: u64,
    ) -> Result<bool> {
        match self.send_status(commit, status, Some(pipeline_id)).await {
            Err(error) if lacks_pipeline(&error) => Ok(false),
            ended => ended.map(|_| true),
        }
    }

    async fn send_status(
        &self,
        commit: &CommitRef<'_>,
        status: &CommitStatus,
        pipeline_id: Option<u64>,
    ) -> Result<PostedStatus> {
        let sent = self.send_whole_status(commit, status, pipeline_id).await;
        match sent {
            Err(error) if error.is_blocked() => {
                let description = SHORT.to_owned();
                let short = CommitStatus {
                    description,
                    ..status.clone()
                };
                self.send_whole_status(commit, &short, pipeline_id).await
            }
            sent => sent,
        }
    }

    async fn send_whole_status(
        &self,
        commit: &CommitRef<'_>,
        status: &CommitStatus,
        pipeline_id: Option<u64>,
    ) -> Result<PostedStatus> {
        let mut body = json!(status);
        body["ref"] = commit.branch.as_str().into();
        if let Some(id) = pipeline_id {
            body["pipeline_id"] = id.into();
        }
        let (CommitRef { project, sha, .. }, name) = (commit, &status.name);
        let part = format!("/statuses/{}", query_value(sha));
        let purpose = format!("posting status {name} of commit {sha} in project {project}");
        let call = self.call("POST", Area::Report(*project), &part, &purpose).body(body);
        let posted = call.success().await?;
        call.decode(&posted, typed::<Identified>)?;
        call.decode(&posted, |posted| Some(typed(posted).unwrap_or_default()))
    }
}

/// GitLab's message if a pipeline was deleted or archived, a constant of
/// `app/services/ci/create_commit_status_service.rb`.
const NO_PIPELINE: &str = "404 Pipeline for pipeline_id, sha and ref Not Found";

/// Whether GitLab adds no job to the pipeline: 404 if it was deleted or archived, 422 if it has as
/// many jobs as a pipeline may have (`validate` in
/// `app/services/ci/create_commit_status_service.rb`).
fn lacks_pipeline(error: &GitLabError) -> bool {
    match &error.kind {
        ErrorKind::Rejected { status: 422, .. } => true,
        ErrorKind::Rejected { message, .. } => message == NO_PIPELINE,
        _ => false,
    }
}
