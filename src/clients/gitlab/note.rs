//! Notes on merge requests and on commits.
//!
//! Source: <https://docs.gitlab.com/api/notes/>,
//! <https://docs.gitlab.com/api/discussions/#commits>.

use serde_json::{Value, json};

use super::client::error;
use super::error::GitLabError;
use super::list::Reading;
use super::merge_request::NotePlace;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// A note of the token's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// GitLab's number, which grows.
    id: u64,
    /// GitLab's path of the note, below the project.
    path: String,
    /// Its text.
    pub body: String,
}

impl GitLab {
    /// The notes of the token's user in each place that begin with `marker`. More than one is left
    /// if a delivery was killed after it created a note beside another delivery:
    /// [`write_note`](Self::write_note) deletes the others.
    pub async fn notes(
        &self,
        project: &str,
        places: &[NotePlace],
        marker: &str,
    ) -> Result<Vec<Result<Vec<Note>, GitLabError>>, GitLabError> {
        if places.is_empty() {
            return Ok(vec![]);
        }
        let author = self.own_user_id().await?;
        let mut notes = vec![];
        for place in places {
            notes.push(self.own_notes(project, place, author, marker).await);
        }
        Ok(notes)
    }

    /// Writes a note, which begins with `marker`, in each place. Edits the note that the token's
    /// user has written there before. `author` is that user's number, if it is known. Returns
    /// whether it changed a note. A place that GitLab rejects does not prevent the others.
    pub async fn write_note(
        &self,
        project: &str,
        places: &[NotePlace],
        author: Option<u64>,
        note: (&str, &str),
    ) -> Result<bool, GitLabError> {
        let author = match author {
            Some(author) => author,
            None => self.own_user_id().await?,
        };
        let (mut has_changed, mut failure) = (false, None);
        for place in places {
            match self.write_note_in(project, place, author, note).await {
                Ok(changed) => has_changed |= changed,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(has_changed), Err)
    }

    async fn write_note_in(
        &self,
        project: &str,
        place: &NotePlace,
        author: u64,
        (marker, body): (&str, &str),
    ) -> Result<bool, GitLabError> {
        let mut has_changed = false;
        let mut notes = self.own_notes(project, place, author, marker).await?;
        if notes.is_empty() {
            self.create_note(project, place, body).await?;
            has_changed = true;
            // Another delivery may have created one at the same time.
            notes = self.own_notes(project, place, author, marker).await?;
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
        let is_own = |note: &&Value| {
            let body = note["body"].as_str().unwrap_or_default();
            note["author"]["id"].as_u64() == Some(author) && body.starts_with(marker)
        };
        // A merge request lists its notes, a commit the discussions that hold them. A discussion
        // that is too large because others have replied is skipped: the next note begins another
        // one.
        let of = match place {
            NotePlace::MergeRequest(_) => {
                let path = place.notes_path();
                format!("{path}?activity_filter=only_comments&sort=asc")
            }
            NotePlace::Commit(_) => place.notes_path(),
        };
        let own_of = |one: &Value| match place {
            NotePlace::MergeRequest(_) => {
                let own = Some(one).filter(is_own);
                let note = own.and_then(|note| Note::read(note, place.note_path(note)));
                Some(note.into_iter().collect::<Vec<Note>>())
            }
            NotePlace::Commit(_) => {
                let own = one["notes"].as_array().into_iter().flatten().filter(is_own);
                let read = own.filter_map(|it| Note::read(it, place.discussion_path(one, it)));
                Some(read.collect())
            }
        };
        let listed = self.read_list(project, &of, &doing, Reading::COMMENTS, own_of);
        let mut notes: Vec<Note> = listed.await?.all(&doing)?.into_iter().flatten().collect();
        notes.sort_by_key(|note| note.id);
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
        let mut request = ApiRequest::new("POST", path(project, &place.notes_path()), Some(body));
        // A second request would create a second note.
        request.is_idempotent = false;
        self.json(project, &request, &doing).await?;
        Ok(())
    }

    /// Replaces the text of a note.
    pub async fn edit_note(
        &self,
        project: &str,
        note: &Note,
        body: &str,
    ) -> Result<(), GitLabError> {
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
        if response.status == 404 {
            return Ok(());
        }
        let deleted = self.check(project, response).await;
        deleted.map(drop).map_err(|kind| error(&doing, kind))
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
    fn notes_path(&self) -> String {
        match self {
            NotePlace::MergeRequest(iid) => format!("/merge_requests/{iid}/notes"),
            NotePlace::Commit(sha) => {
                format!("/repository/commits/{}/discussions", query_value(sha))
            }
        }
    }

    fn note_path(&self, note: &Value) -> Option<String> {
        Some(format!("{}/{}", self.notes_path(), note["id"].as_u64()?))
    }

    fn discussion_path(&self, discussion: &Value, note: &Value) -> Option<String> {
        let discussion = query_value(discussion["id"].as_str()?);
        Some(format!(
            "{}/{discussion}/notes/{}",
            self.notes_path(),
            note["id"].as_u64()?
        ))
    }
}
