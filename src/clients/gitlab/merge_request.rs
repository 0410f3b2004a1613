//! The merge requests of a commit, as the places of notes.
//!
//! Source: <https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit>,
//! <https://docs.gitlab.com/api/merge_requests/>.

use serde_json::Value;

use super::commit_status::CommitRef;
use super::error::{ErrorKind, GitLabError};
use super::list::Reading;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// The most merge requests of a commit that get a note.
const MAX_MERGE_REQUESTS: usize = 5;

/// Where notes about a commit belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteTarget<'a> {
    /// The merge requests of the commit. The commit itself if there is none.
    Commit,
    /// The open merge requests of this project whose head is the commit, from its branch into the
    /// branch `into`.
    Branch {
        /// The target branch.
        into: &'a str,
    },
}

/// Where a note is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotePlace {
    /// The merge request with this number within its project.
    MergeRequest(u64),
    /// The commit with this SHA, if no merge request has it.
    Commit(String),
}

/// A merge request of a commit (`lib/api/entities/merge_request_basic.rb`).
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // They are independent facts.
struct MergeRequest {
    iid: u64,
    is_open: bool,
    source_branch: String,
    target_branch: String,
    /// Whether its branch is in another project.
    is_from_fork: bool,
    /// Whether the commit is its head.
    is_of_head: bool,
    /// Whether its merge created the commit, or moved the target branch to it.
    is_merged_as: bool,
}

impl GitLab {
    /// Where notes about a commit belong: in at most five merge requests. GitLab lists each one
    /// that contains the commit. The ones that it comes from are first, then open ones. Requests of
    /// forks are last, unless they were merged: anyone can create them in a public project.
    pub async fn note_places(
        &self,
        commit: &CommitRef,
        target: NoteTarget<'_>,
    ) -> Result<Vec<NotePlace>, GitLabError> {
        let (project, sha, url) = (&commit.project, &commit.sha, &self.url);
        let doing =
            format!("listing the merge requests of commit {sha} in project {project} at {url}");
        let sha_value = query_value(sha);
        let of = format!("/repository/commits/{sha_value}/merge_requests");
        let read = |listed: &Value| MergeRequest::read(listed, sha);
        let listed = self.read_list(project, &of, &doing, Reading::COMMENTS, read);
        let mut merge_requests = listed.await?.all(&doing)?;
        match target {
            NoteTarget::Commit => merge_requests.sort_by_key(MergeRequest::rank),
            NoteTarget::Branch { into } => merge_requests.retain(|one| {
                let is_own = one.is_open && one.is_of_head && !one.is_from_fork;
                is_own && one.source_branch == commit.branch && one.target_branch == into
            }),
        }
        let places = merge_requests.iter().take(MAX_MERGE_REQUESTS);
        let places: Vec<NotePlace> = places.map(|one| NotePlace::MergeRequest(one.iid)).collect();
        if places.is_empty() && target == NoteTarget::Commit {
            return Ok(vec![NotePlace::Commit(sha.clone())]);
        }
        Ok(places)
    }

    /// The number of commits of the target branch that the source branch of the merge request
    /// `place` does not have. `None` if `place` is a commit, or if GitLab does not show the number.
    pub async fn commits_behind(
        &self,
        project: &str,
        place: &NotePlace,
    ) -> Result<Option<u64>, GitLabError> {
        let NotePlace::MergeRequest(iid) = place else {
            return Ok(None);
        };
        let url = &self.url;
        let doing = format!("reading merge request {iid} of project {project} at {url}");
        let of = format!("/merge_requests/{iid}?include_diverged_commits_count=true");
        let request = ApiRequest::get(path(project, &of));
        match self.json(project, &request, &doing).await {
            Ok(shown) => Ok(shown["diverged_commits_count"].as_u64()),
            // Its author can write a description of 1 MB.
            Err(error) if error.kind == ErrorKind::TooLarge => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl MergeRequest {
    fn read(listed: &Value, sha: &str) -> Option<Self> {
        let text = |member: &str| listed[member].as_str().unwrap_or_default();
        let is_of_head = text("sha") == sha;
        let is_created = [text("merge_commit_sha"), text("squash_commit_sha")].contains(&sha);
        Some(MergeRequest {
            iid: listed["iid"].as_u64()?,
            is_open: text("state") == "opened",
            source_branch: text("source_branch").to_owned(),
            target_branch: text("target_branch").to_owned(),
            is_from_fork: listed["source_project_id"] != listed["target_project_id"],
            is_of_head,
            is_merged_as: text("state") == "merged" && (is_created || is_of_head),
        })
    }

    /// Its place in the order of the requests of a commit: the lowest is first.
    fn rank(&self) -> (bool, bool, bool) {
        let is_origin = self.is_merged_as || self.is_of_head;
        let is_foreign = self.is_from_fork && !self.is_merged_as;
        (is_foreign, !is_origin, !self.is_open)
    }
}
