//! The merge requests of a commit, as the places of notes.
//!
//! Source: <https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit>,
//! <https://docs.gitlab.com/api/merge_requests/>.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::commit_status::CommitRef;
use crate::clients::gitlab::api::call::Call;
use crate::clients::gitlab::api::error::{ErrorKind, Result};
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{lenient, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab, query_value};

/// The most merge requests of a commit that get a note.
const MAX_MERGE_REQUESTS: usize = 5;

/// The most further ones in which an earlier note is looked for. Each takes a call.
const MAX_OTHERS: usize = 15;

/// Where a note about a commit belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotePlace {
    /// The merge request with this number within its project.
    MergeRequest(u64),
    /// The commit with this SHA, if no merge request has it.
    Commit(String),
}

impl fmt::Display for NotePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotePlace::MergeRequest(iid) => write!(formatter, "merge request {iid}"),
            NotePlace::Commit(sha) => write!(formatter, "commit {sha}"),
        }
    }
}

/// A merge request of a commit (`lib/api/entities/merge_request_basic.rb`).
#[derive(Debug, Deserialize)]
pub struct MergeRequest {
    pub iid: u64,
    #[serde(default, deserialize_with = "lenient")]
    pub state: String,
    #[serde(default, deserialize_with = "lenient")]
    pub source_branch: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    target_branch: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    source_project_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    target_project_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub sha: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    merge_commit_sha: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    squash_commit_sha: Option<String>,
}

/// The places of the notes about a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPlaces {
    /// Those that get a note.
    pub noted: Vec<NotePlace>,
    /// Those that may have an earlier one.
    pub others: Vec<NotePlace>,
}

impl GitLab {
    /// Where notes about a commit belong: in at most five merge requests, or on the commit itself.
    /// GitLab lists each request that contains the commit. The ones that were merged as it are
    /// first, because others can open any number with the same head. Then come those whose head it
    /// is, and then open ones. Requests of forks are last, unless they were merged: anyone can
    /// create them in a public project.
    pub async fn commit_places(&self, commit: &CommitRef<'_>) -> Result<CommitPlaces> {
        let sha = &commit.sha;
        let call = self.merge_requests_of(commit.project, sha);
        let mut merge_requests = match call.list(Reading::COMMENTS, typed::<MergeRequest>).await {
            // Then there is none, and the note goes to the commit.
            Err(error) if error.lacks_merge_requests() => vec![],
            listed => listed?,
        };
        merge_requests.sort_by_key(|one| one.rank(sha));
        let places = merge_requests.iter().map(MergeRequest::place).collect();
        Ok(CommitPlaces::new(places, sha))
    }

    /// At most five open merge requests of this project whose head is the commit, from its branch
    /// into the branch `into`.
    pub async fn branch_places(
        &self,
        commit: &CommitRef<'_>,
        into: &str,
    ) -> Result<Vec<NotePlace>> {
        let call = self.merge_requests_of(commit.project, &commit.sha);
        let listed = call.list(Reading::COMMENTS, typed::<MergeRequest>).await?;
        let is_of_branch = |one: &&MergeRequest| {
            let is_own = one.state == "opened" && one.is_at(&commit.sha) && !one.is_from_fork();
            let (source, target) = (one.source_branch.as_deref(), one.target_branch.as_deref());
            is_own && source == Some(&commit.branch) && target == Some(into)
        };
        let found = listed.iter().filter(is_of_branch).take(MAX_MERGE_REQUESTS);
        Ok(found.map(MergeRequest::place).collect())
    }

    /// Lists the merge requests that contain a commit, or created it.
    fn merge_requests_of<'a>(&'a self, project: ProjectRef<'a>, sha: &str) -> Call<'a> {
        let part = format!("/repository/commits/{}/merge_requests", query_value(sha));
        let purpose = format!("listing the merge requests of commit {sha} in project {project}");
        self.get(Area::Report(project), &part, &purpose)
    }

    /// The number of commits of the target branch that the source branch of the merge request
    /// `place` does not have. `None` if `place` is a commit, or if GitLab does not show the number.
    pub async fn commits_behind(
        &self,
        project: ProjectRef<'_>,
        place: &NotePlace,
    ) -> Result<Option<u64>> {
        let NotePlace::MergeRequest(iid) = place else {
            return Ok(None);
        };
        let part = format!("/merge_requests/{iid}");
        let purpose = format!("reading merge request {iid} of project {project}");
        let call = self.get(Area::Report(project), &part, &purpose);
        let call = call.query("include_diverged_commits_count", "true");
        match call.send::<Value>().await {
            Ok(shown) => Ok(shown["diverged_commits_count"].as_u64()),
            // Its author can write a description of 1 MB.
            Err(error) if error.kind == ErrorKind::TooLarge => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl CommitPlaces {
    /// The places of the commit `sha`, of which `requests` are the merge requests.
    fn new(mut requests: Vec<NotePlace>, sha: &str) -> Self {
        let commit = NotePlace::Commit(sha.to_owned());
        if requests.is_empty() {
            return CommitPlaces {
                noted: vec![commit],
                others: vec![],
            };
        }
        let mut others = requests.split_off(requests.len().min(MAX_MERGE_REQUESTS));
        others.truncate(MAX_OTHERS);
        // The note may be older than the merge request.
        others.push(commit);
        CommitPlaces {
            noted: requests,
            others,
        }
    }
}

impl MergeRequest {
    fn place(&self) -> NotePlace {
        NotePlace::MergeRequest(self.iid)
    }

    pub fn is_from_fork(&self) -> bool {
        self.source_project_id != self.target_project_id
    }

    /// Whether the commit `sha` is its head.
    fn is_at(&self, sha: &str) -> bool {
        self.sha.as_deref() == Some(sha)
    }

    /// Whether its merge created the commit `sha`, or moved the target branch to it.
    fn is_merged_as(&self, sha: &str) -> bool {
        let created = [&self.merge_commit_sha, &self.squash_commit_sha, &self.sha];
        let has_created = created.into_iter().flatten().any(|created| created == sha);
        self.state == "merged" && has_created
    }

    /// Its place in the order of the requests of the commit `sha`: the lowest is first.
    fn rank(&self, sha: &str) -> [bool; 4] {
        let is_merged_as = self.is_merged_as(sha);
        let is_foreign = self.is_from_fork() && !is_merged_as;
        [
            is_foreign,
            !is_merged_as,
            !self.is_at(sha),
            self.state != "opened",
        ]
    }
}
