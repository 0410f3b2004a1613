//! Notes on merge requests and on commits.
//!
//! Source: <https://docs.gitlab.com/api/notes/>,
//! <https://docs.gitlab.com/api/discussions/#commits>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::merge_request::NotePlace;
use crate::clients::gitlab::api::call::Call;
use crate::clients::gitlab::api::error::Result;
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{Identified, id, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab, query_value};

/// GitLab's messages if a note does not exist (`lib/api/api.rb`, `lib/api/discussions.rb`).
const NO_NOTE: [&str; 3] = [
    "404 Not found",
    "404 Note Not Found",
    "404 Discussion Not Found",
];

/// A note that the function has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// GitLab's number, which grows.
    id: u64,
    /// GitLab's path of the note, below the project.
    path: String,
    pub place: NotePlace,
    pub body: String,
    /// Whether the token's user has written it. Otherwise, a former one may have.
    pub is_own: bool,
}

/// The text of a note, and a short form in case a firewall rejects it.
#[derive(Clone, Copy, Debug)]
pub struct NoteText<'a> {
    pub whole: &'a str,
    pub short: &'a str,
}

#[derive(Deserialize)]
struct ShownNote {
    id: u64,
    #[serde(default, deserialize_with = "id")]
    author: Option<u64>,
    body: String,
}

impl Note {
    #[cfg(test)]
    pub fn of(iid: u64, id: u64) -> Self {
        let place = NotePlace::MergeRequest(iid);
        Note {
            id,
            path: format!("{}/{id}", place.notes_path()),
            place,
            body: String::new(),
            is_own: true,
        }
    }
}

impl GitLab {
    /// The notes in each place that begin with `marker`. More than one of the token's user is left
    /// if a delivery was killed after it created a note beside another delivery:
    /// [`write_note`](Self::write_note) deletes the others.
    pub async fn notes(
        &self,
        project: ProjectRef<'_>,
        places: &[NotePlace],
        marker: &str,
    ) -> Result<Vec<Result<Vec<Note>>>> {
        if places.is_empty() {
            return Ok(vec![]);
        }
        let author = self.own_user_id().await?;
        let mut notes = vec![];
        for place in places {
            let read = self.notes_in(project, place, author, marker);
            notes.push(read.await);
        }
        Ok(notes)
    }

    /// Writes `text`, which begins with `marker`, in each place. Edits the note that the token's
    /// user has written there before. `author` is that user's number, if it is known. Returns
    /// whether it changed a note. A place that GitLab rejects does not prevent the others.
    pub async fn write_note(
        &self,
        project: ProjectRef<'_>,
        places: &[NotePlace],
        author: Option<u64>,
        marker: &str,
        text: NoteText<'_>,
    ) -> Result<bool> {
        let author = match author {
            Some(author) => author,
            None => self.own_user_id().await?,
        };
        let (mut has_changed, mut failure) = (false, None);
        for place in places {
            let written = self.write_note_in(project, place, author, marker, text);
            match written.await {
                Ok(changed) => has_changed |= changed,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(has_changed), Err)
    }

    async fn write_note_in(
        &self,
        project: ProjectRef<'_>,
        place: &NotePlace,
        author: u64,
        marker: &str,
        text: NoteText<'_>,
    ) -> Result<bool> {
        let mut has_changed = false;
        let mut notes = self.own_notes(project, place, author, marker).await?;
        if notes.is_empty() {
            self.create_note(project, place, text).await?;
            has_changed = true;
            // Another delivery may have created one at the same time.
            notes = self.own_notes(project, place, author, marker).await?;
        }
        let mut notes = notes.into_iter();
        if let Some(note) = notes.next() {
            has_changed |= self.edit_note(project, &note, text).await?;
        }
        for duplicate in notes {
            self.delete_note(project, &duplicate).await?;
        }
        Ok(has_changed)
    }

    /// The notes of the user `author` in `place` that begin with `marker`, the oldest first.
    async fn own_notes(
        &self,
        project: ProjectRef<'_>,
        place: &NotePlace,
        author: u64,
        marker: &str,
    ) -> Result<Vec<Note>> {
        let read = self.notes_in(project, place, author, marker);
        let mut notes = read.await?;
        notes.retain(|note| note.is_own);
        Ok(notes)
    }

    /// The notes in `place` that begin with `marker`, the oldest first. Those of the user `own` are
    /// own ones.
    async fn notes_in(
        &self,
        project: ProjectRef<'_>,
        place: &NotePlace,
        own: u64,
        marker: &str,
    ) -> Result<Vec<Note>> {
        let read = |path: &str, shown: &Value| {
            let note: ShownNote = typed(shown)?;
            note.body.starts_with(marker).then(|| Note {
                id: note.id,
                path: format!("{path}/{}", note.id),
                place: place.clone(),
                is_own: note.author == Some(own),
                body: note.body,
            })
        };
        // A merge request lists its notes, a commit the discussions that hold them. A discussion
        // that is too large because others have replied is skipped: the next note begins another
        // one.
        let notes_path = place.notes_path();
        let parse = |one: &Value| match place {
            NotePlace::MergeRequest(_) => Some(Vec::from_iter(read(&notes_path, one))),
            NotePlace::Commit(_) => {
                let Some(id) = one["id"].as_str() else {
                    return Some(vec![]);
                };
                let path = format!("{notes_path}/{}/notes", query_value(id));
                let notes = one["notes"].as_array().into_iter().flatten();
                Some(notes.filter_map(|note| read(&path, note)).collect())
            }
        };
        let gerund = "listing the notes on";
        let mut call = self.note_call("GET", gerund, project, place, &notes_path);
        if let NotePlace::MergeRequest(_) = place {
            call = call.query("activity_filter", "only_comments");
            call = call.query("sort", "asc");
        }
        let listed = call.list(Reading::COMMENTS, parse).await?;
        let mut notes: Vec<Note> = listed.into_iter().flatten().collect();
        notes.sort_by_key(|note| note.id);
        Ok(notes)
    }

    async fn create_note(
        &self,
        project: ProjectRef<'_>,
        place: &NotePlace,
        text: NoteText<'_>,
    ) -> Result<()> {
        let path = place.notes_path();
        let call = self.note_call("POST", "writing a note on", project, place, &path);
        send_text(call, text, "").await.map(drop)
    }

    /// Returns whether it changed the note.
    pub async fn edit_note(
        &self,
        project: ProjectRef<'_>,
        note: &Note,
        text: NoteText<'_>,
    ) -> Result<bool> {
        let gerund = format!("editing note {} on", note.id);
        let call = self.note_call("PUT", &gerund, project, &note.place, &note.path);
        send_text(call, text, &note.body).await
    }

    /// Deletes a note. One that does not exist counts as deleted.
    async fn delete_note(&self, project: ProjectRef<'_>, note: &Note) -> Result<()> {
        let gerund = format!("deleting note {} on", note.id);
        let call = self.note_call("DELETE", &gerund, project, &note.place, &note.path);
        let deleted = call.unless(|response| {
            let message = response.member("message").unwrap_or_default();
            response.status == 404 && NO_NOTE.contains(&message)
        });
        deleted.await.map(drop)
    }

    fn note_call<'a>(
        &'a self,
        method: &'static str,
        gerund: &str,
        project: ProjectRef<'a>,
        place: &NotePlace,
        path: &str,
    ) -> Call<'a> {
        let purpose = format!("{gerund} {place} of project {project}");
        self.call(method, Area::Report(project), path, &purpose)
    }
}

/// Sends a text, in its short form if a firewall rejects it, unless it is the `former` one. Returns
/// whether it was sent.
async fn send_text(call: Call<'_>, text: NoteText<'_>, former: &str) -> Result<bool> {
    let send = async |text: &str| {
        // GitLab may remove the line break at the end.
        if text.trim_end() == former.trim_end() {
            return Ok(false);
        }
        let call = call.clone().body(json!({"body": text}));
        call.send::<Identified>().await.map(|_| true)
    };
    match send(text.whole).await {
        Err(error) if error.is_blocked() => send(text.short).await,
        result => result,
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
}
