//! Notes on the merge requests of a commit, and on the commit itself.
//!
//! Source: <https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit>,
//! <https://docs.gitlab.com/api/notes/>, <https://docs.gitlab.com/api/discussions/#commits>.

use serde_json::{Value, json};

use super::commit_status::CommitRef;
use super::error::GitLabError;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// The most merge requests of a commit that get a note.
const MAX_MERGE_REQUESTS: usize = 5;

/// Where a note is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NotePlace {
    /// The merge request with this number within its project.
    MergeRequest(u64),
    /// The commit with this SHA, if no merge request has it.
    Commit(String),
}

/// A note of the token's user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    /// GitLab's path of the note, below the project.
    path: String,
    /// Its text.
    body: String,
}

impl GitLab {
    /// Where a note about a commit belongs: its merge requests, the open ones first, or the commit.
    async fn note_places(&self, commit: &CommitRef) -> Result<Vec<NotePlace>, GitLabError> {
        let CommitRef { project, sha, .. } = commit;
        let url = &self.url;
        let doing =
            format!("listing the merge requests of commit {sha} in project {project} at {url}");
        let of = format!(
            "/repository/commits/{}/merge_requests?per_page=100",
            query_value(sha)
        );
        let request = ApiRequest::get(path(project, &of));
        let listed = self.json(project, &request, &doing).await?;
        let listed = listed.as_array().into_iter().flatten();
        let mut merge_requests: Vec<&Value> = listed.collect();
        merge_requests.sort_by_key(|one| one["state"] != "opened");
        let ids = merge_requests.iter().filter_map(|one| one["iid"].as_u64());
        let places: Vec<NotePlace> = ids
            .map(NotePlace::MergeRequest)
            .take(MAX_MERGE_REQUESTS)
            .collect();
        if places.is_empty() {
            return Ok(vec![NotePlace::Commit(sha.clone())]);
        }
        Ok(places)
    }

    /// Writes a note about a commit, which begins with `marker`, on its merge requests or on the commit.
    /// Edits the note that the token's user has written there before. `author` is that user's number,
    /// if it is known. Returns whether it changed a note.
    pub async fn write_note(
        &self,
        commit: &CommitRef,
        author: Option<u64>,
        marker: &str,
        body: &str,
    ) -> Result<bool, GitLabError> {
        let project = &commit.project;
        let author = match author {
            Some(author) => author,
            None => self.own_user_id().await?,
        };
        let mut has_changed = false;
        for place in self.note_places(commit).await? {
            match self.note(project, &place, author, marker).await? {
                Some(note) if note.body.trim_end() == body.trim_end() => continue,
                Some(note) => self.edit_note(project, &note, body).await?,
                None => self.create_note(project, &place, body).await?,
            }
            has_changed = true;
        }
        Ok(has_changed)
    }

    /// The note of the user `author` in `place` that begins with `marker`. `None` if there is none.
    async fn note(
        &self,
        project: &str,
        place: &NotePlace,
        author: u64,
        marker: &str,
    ) -> Result<Option<Note>, GitLabError> {
        let doing = self.doing_note("listing the notes on", project, place);
        // A merge request lists its notes, a commit the discussions that hold them.
        let listed = self.list(project, &place.list_path(), &doing).await?;
        let is_own = |note: &Value| {
            let body = note["body"].as_str().unwrap_or_default();
            note["author"]["id"].as_u64() == Some(author) && body.starts_with(marker)
        };
        let found = listed.iter().find_map(|one| match place {
            NotePlace::MergeRequest(_) => is_own(one).then(|| (place.note_path(one), one)),
            NotePlace::Commit(_) => {
                let note = one["notes"].as_array()?.iter().find(|note| is_own(note))?;
                Some((place.discussion_path(one, note), note))
            }
        });
        Ok(found.and_then(|(path, note)| {
            let body = note["body"].as_str()?.to_owned();
            Some(Note { path: path?, body })
        }))
    }

    async fn create_note(
        &self,
        project: &str,
        place: &NotePlace,
        body: &str,
    ) -> Result<(), GitLabError> {
        let doing = self.doing_note("writing a note on", project, place);
        let body = json!({"body": body});
        let mut request = ApiRequest::new("POST", path(project, &place.list_path()), Some(body));
        // A second request would create a second note.
        request.is_idempotent = false;
        self.json(project, &request, &doing).await?;
        Ok(())
    }

    async fn edit_note(&self, project: &str, note: &Note, body: &str) -> Result<(), GitLabError> {
        let (url, at) = (&self.url, &note.path);
        let doing = format!("editing {at} of project {project} at {url}");
        let request = ApiRequest::put(path(project, at), json!({"body": body}));
        self.json(project, &request, &doing).await?;
        Ok(())
    }

    fn doing_note(&self, gerund: &str, project: &str, place: &NotePlace) -> String {
        let url = &self.url;
        match place {
            NotePlace::MergeRequest(iid) => {
                format!("{gerund} merge request {iid} of project {project} at {url}")
            }
            NotePlace::Commit(sha) => {
                format!("{gerund} commit {sha} of project {project} at {url}")
            }
        }
    }
}

impl NotePlace {
    /// The path of its notes below the project.
    fn list_path(&self) -> String {
        match self {
            NotePlace::MergeRequest(iid) => format!("/merge_requests/{iid}/notes"),
            NotePlace::Commit(sha) => {
                format!("/repository/commits/{}/discussions", query_value(sha))
            }
        }
    }

    fn note_path(&self, note: &Value) -> Option<String> {
        Some(format!("{}/{}", self.list_path(), note["id"].as_u64()?))
    }

    fn discussion_path(&self, discussion: &Value, note: &Value) -> Option<String> {
        let discussion = query_value(discussion["id"].as_str()?);
        Some(format!(
            "{}/{discussion}/notes/{}",
            self.list_path(),
            note["id"].as_u64()?
        ))
    }
}
