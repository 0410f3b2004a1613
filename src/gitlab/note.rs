//! Notes on the merge requests of a commit, and on the commit itself.
//!
//! Source: <https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit>,
//! <https://docs.gitlab.com/api/notes/>, <https://docs.gitlab.com/api/discussions/#commits>.

use serde_json::{Value, json};

use super::client::error;
use super::commit_status::CommitRef;
use super::error::GitLabError;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// The most merge requests of a commit that get a note.
const MAX_MERGE_REQUESTS: usize = 5;

/// Where notes about a commit belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteTarget {
    /// The merge requests of the commit, the open ones first. The commit itself if there is none.
    Commit,
    /// The open merge requests of the commit's branch.
    Branch,
}

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
    /// GitLab's number, which grows.
    id: u64,
    /// GitLab's path of the note, below the project.
    path: String,
    /// Its text.
    body: String,
}

impl GitLab {
    /// Where notes about a commit belong.
    async fn note_places(
        &self,
        commit: &CommitRef,
        target: NoteTarget,
    ) -> Result<Vec<NotePlace>, GitLabError> {
        let CommitRef {
            project,
            sha,
            branch,
        } = commit;
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
        if target == NoteTarget::Branch {
            merge_requests
                .retain(|one| one["state"] == "opened" && one["source_branch"] == **branch);
        }
        let ids = merge_requests.iter().filter_map(|one| one["iid"].as_u64());
        let places: Vec<NotePlace> = ids
            .map(NotePlace::MergeRequest)
            .take(MAX_MERGE_REQUESTS)
            .collect();
        if places.is_empty() && target == NoteTarget::Commit {
            return Ok(vec![NotePlace::Commit(sha.clone())]);
        }
        Ok(places)
    }

    /// The text of the note that begins with `marker` in each place. `None` where there is none, or
    /// more than one: [`write_note`](Self::write_note) deletes duplicates, which a delivery leaves if it
    /// was killed after it created a note beside another delivery.
    pub async fn notes(
        &self,
        commit: &CommitRef,
        target: NoteTarget,
        marker: &str,
    ) -> Result<Vec<Option<String>>, GitLabError> {
        let places = self.note_places(commit, target).await?;
        if places.is_empty() {
            return Ok(vec![]);
        }
        let author = self.own_user_id().await?;
        let mut bodies = vec![];
        for place in places {
            let notes = self.own_notes(&commit.project, &place, author, marker);
            let mut notes = notes.await?;
            let only = notes.pop().filter(|_| notes.is_empty());
            bodies.push(only.map(|note| note.body));
        }
        Ok(bodies)
    }

    /// Writes a note about a commit, which begins with `marker`, where `target` says. Edits the note
    /// that the token's user has written there before. `author` is that user's number, if it is
    /// known. Returns whether it changed a note.
    pub async fn write_note(
        &self,
        commit: &CommitRef,
        author: Option<u64>,
        target: NoteTarget,
        (marker, body): (&str, &str),
    ) -> Result<bool, GitLabError> {
        let project = &commit.project;
        let author = match author {
            Some(author) => author,
            None => self.own_user_id().await?,
        };
        let mut has_changed = false;
        for place in self.note_places(commit, target).await? {
            let mut notes = self.own_notes(project, &place, author, marker).await?;
            if notes.is_empty() {
                self.create_note(project, &place, body).await?;
                has_changed = true;
                // Another delivery may have created one at the same time.
                notes = self.own_notes(project, &place, author, marker).await?;
            }
            let mut notes = notes.into_iter();
            if let Some(note) = notes.next()
                && note.body.trim_end() != body.trim_end()
            {
                self.edit_note(project, &note, body).await?;
                has_changed = true;
            }
            for duplicate in notes {
                self.delete_note(project, &duplicate).await?;
            }
        }
        Ok(has_changed)
    }

    /// The notes of the user `author` in `place` that begin with `marker`, the oldest first.
    async fn own_notes(
        &self,
        project: &str,
        place: &NotePlace,
        author: u64,
        marker: &str,
    ) -> Result<Vec<Note>, GitLabError> {
        let doing = self.doing_note("listing the notes on", project, place);
        // A merge request lists its notes, a commit the discussions that hold them.
        let listed = self.list(project, &place.list_path(), &doing).await?;
        let is_own = |note: &&Value| {
            let body = note["body"].as_str().unwrap_or_default();
            note["author"]["id"].as_u64() == Some(author) && body.starts_with(marker)
        };
        let mut notes = vec![];
        for one in &listed {
            match place {
                NotePlace::MergeRequest(_) => {
                    let own = Some(one).filter(is_own);
                    notes.extend(own.and_then(|note| Note::read(note, place.note_path(note))));
                }
                NotePlace::Commit(_) => {
                    let own = one["notes"].as_array().into_iter().flatten().filter(is_own);
                    notes.extend(
                        own.filter_map(|note| Note::read(note, place.discussion_path(one, note))),
                    );
                }
            }
        }
        notes.sort_by_key(|note: &Note| note.id);
        Ok(notes)
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

    /// Deletes a note. One that does not exist counts as deleted.
    async fn delete_note(&self, project: &str, note: &Note) -> Result<(), GitLabError> {
        let (url, at) = (&self.url, &note.path);
        let doing = format!("deleting {at} of project {project} at {url}");
        let request = ApiRequest::new("DELETE", path(project, at), None);
        let response = self.send(&request, &doing).await?;
        if response.status != 404 {
            response.into_result().map_err(|kind| error(&doing, kind))?;
        }
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

impl Note {
    fn read(note: &Value, path: Option<String>) -> Option<Self> {
        Some(Note {
            id: note["id"].as_u64()?,
            path: path?,
            body: note["body"].as_str()?.to_owned(),
        })
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
