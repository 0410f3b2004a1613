//! The notes about a commit that were written before, and how they change.

use std::collections::BTreeSet;

use crate::clients::aws::Aws;
use crate::clients::gitlab::{CommitPlaces, CommitRef, GitLab, GitLabError, Note, NotePlace};
use crate::feedback::approval::ApprovalEnd;
use crate::feedback::execution;
use crate::feedback::execution::{Execution, ExecutionState};
use crate::feedback::reporting::changes;
use crate::feedback::reporting::note;
use crate::feedback::reporting::note::{ExecutionEnd, NoteOf, NoteState, Written};
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::statuses::OtherReporter;
use crate::gitops_pipeline::executions::APPROVAL;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// CodePipeline's error codes for an ID that is not one of an execution.
const NO_EXECUTION: [&str; 2] = ["PipelineExecutionNotFoundException", "ValidationException"];

/// A request that changes a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotePost {
    /// The note to edit. `None` if each place gets one, and the one that is there is edited.
    pub note: Option<Note>,
    pub body: String,
}

impl NotePost {
    pub fn write(body: String) -> Self {
        NotePost { note: None, body }
    }

    fn edit(note: &Note, body: String) -> Self {
        let note = Some(note.clone());
        NotePost { note, body }
    }
}

/// The notes about a commit, by the places where it belongs.
#[derive(Clone, Debug, Default)]
pub struct WrittenNotes {
    /// Those in each place that gets one, the oldest first. Empty for a place that was not read.
    of_places: Vec<Vec<Note>>,
    /// Those in the other places of the commit, which may have got one before.
    elsewhere: Vec<Note>,
    /// Those of other users that show a change set as waiting: a former user of the token may have
    /// written them. They are left out above.
    of_other_users: Vec<Note>,
    /// Those of the notes with the same names that another account or region has written.
    pub others: BTreeSet<OtherReporter>,
    /// The error of a place that could not be read.
    pub unread: Option<ReportError>,
}

impl WrittenNotes {
    pub async fn read(
        gitlab: &GitLab,
        pipeline: &PipelineSettings,
        commit: &CommitRef<'_>,
    ) -> Result<Self, GitLabError> {
        let CommitPlaces { noted, others } = gitlab.commit_places(commit).await?;
        let (count, places) = (noted.len(), [noted, others].concat());
        let of_all = note::marker_of_all(&pipeline.names, &commit.sha);
        let own = note::marker(pipeline, &commit.sha);
        let mut notes = WrittenNotes::default();
        for read in gitlab.notes(commit.project, &places, &of_all).await? {
            let read = read.unwrap_or_else(|error| {
                notes.unread.get_or_insert(error.into());
                vec![]
            });
            let is_own = |note: &Note| note.body.starts_with(&own);
            let (read, others): (Vec<Note>, Vec<Note>) = read.into_iter().partition(is_own);
            let address =
                |note: &Note| OtherReporter::Address(Written::parse(&note.body).url.to_owned());
            let others = others.iter().filter(|note| note.is_own);
            notes.others.extend(others.map(address));
            let (read, others): (Vec<Note>, Vec<Note>) = read.into_iter().partition(|it| it.is_own);
            let waits = |note: &Note| Written::parse(&note.body).waits;
            notes.of_other_users.extend(others.into_iter().filter(waits));
            notes.of_places.push(read);
        }
        notes.elsewhere = notes.of_places.split_off(count).concat();
        Ok(notes)
    }

    fn all(&self) -> impl Iterator<Item = &Note> {
        self.of_places.iter().flatten().chain(&self.elsewhere)
    }

    /// The first note that shows the failure of this `attempt`.
    pub fn failure_of(&self, attempt: &str) -> Option<Written<'_>> {
        let mut parsed = self.all().map(|note| Written::parse(&note.body));
        parsed.find(|written| written.failed_attempt == Some(attempt))
    }

    /// The notes that show the failure of this `attempt`, with the new text `body`.
    pub fn edited_failures(&self, attempt: &str, body: &str) -> Vec<NotePost> {
        let shows = |note: &&Note| Written::parse(&note.body).failed_attempt == Some(attempt);
        edited(self.all().filter(shows), body)
    }

    /// Whether each place shows the failure of this `attempt`.
    pub fn show_failure(&self, attempt: &str) -> bool {
        let shows = |note: &Note| Written::parse(&note.body).failed_attempt == Some(attempt);
        let mut places = self.of_places.iter();
        self.unread.is_none() && places.all(|notes| notes.iter().any(shows))
    }

    pub fn are_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// All notes, with the new text `body` unless they have it.
    pub fn all_edited(&self, body: &str) -> Vec<NotePost> {
        edited(self.all().chain(&self.of_other_users), body)
    }

    /// The notes that are not written with those of the places, with the new text `body` unless
    /// they have it.
    pub fn edited_others(&self, body: &str) -> Vec<NotePost> {
        edited(self.elsewhere.iter().chain(&self.of_other_users), body)
    }

    /// Whether a note is about another execution of the commit than `execution`, whose change set
    /// still waits: its approvers read it.
    ///
    /// # Errors
    /// If that execution cannot be read.
    pub async fn one_still_waits(
        &self,
        aws: &Aws,
        names: &ResourceNames,
        execution: &Execution,
    ) -> Result<bool, ReportError> {
        for note in self.all() {
            let written = Written::parse(&note.body);
            let is_other = written.waits && written.execution_id != execution.id;
            if is_other && ending(aws, names, written.execution_id).await? == Some(None) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The new text of each note that does not show the state of `execution`, the commit's newest
    /// one. A note about another execution that waits shows how that one's approval ended: a newer
    /// execution may have ended before.
    ///
    /// Returns the error of an execution that could not be read, too.
    pub async fn outdated(
        &self,
        aws: &Aws,
        of: NoteOf<'_>,
        execution: &Execution,
    ) -> (Vec<NotePost>, Option<ReportError>) {
        let NoteOf { pipeline, .. } = of;
        let names = &pipeline.names;
        let own = NoteState::of(execution, names);
        let (mut outdated, mut failure, mut changes) = (vec![], self.unread.clone(), None);
        for note in self.all().chain(self.left_by_others(of, &own)) {
            let written = Written::parse(&note.body);
            let id = written.execution_id;
            let is_about_own = id == execution.id || id.is_empty() || !note.is_own;
            let (state, url) = if is_about_own || own.end == ExecutionEnd::Deployed {
                (own.clone(), of.url.to_owned())
            } else if written.waits {
                let state = match ending(aws, names, id).await {
                    Ok(ended) => NoteState::ended(ended.flatten()),
                    Err(error) => {
                        failure.get_or_insert(error);
                        continue;
                    }
                };
                let url = pipeline.location.reported_execution(&names.pipeline(), id);
                (state, url)
            } else {
                continue;
            };
            let of = NoteOf { url: &url, ..of };
            if !state.has_ended() || of.is_shown(&state, &note.body) {
                continue;
            }
            if changes.is_none() {
                let read = changes::of_commit(aws, pipeline, execution, true).await;
                changes = Some(read);
            }
            match &changes {
                Some(Err(error)) => drop(failure.get_or_insert(error.clone().into())),
                read => {
                    let listed = read.iter().flatten().flatten().next();
                    let body = of.ended(&state, None, listed.map(Vec::as_slice));
                    outdated.push(NotePost::edit(note, body));
                }
            }
        }
        (outdated, failure)
    }

    /// The notes of other users that show a change set as waiting, in places without a note that
    /// shows the state `own`.
    fn left_by_others(&self, of: NoteOf<'_>, own: &NoteState) -> impl Iterator<Item = &Note> {
        let shows_own = |note: &&Note| of.is_shown(own, &note.body);
        let shown: Vec<&NotePlace> = self.all().filter(shows_own).map(|it| &it.place).collect();
        let others = self.of_other_users.iter();
        others.filter(move |note| !shown.contains(&&note.place))
    }
}

/// The `notes` with the new text `body`, unless they have it.
fn edited<'a>(notes: impl Iterator<Item = &'a Note>, body: &str) -> Vec<NotePost> {
    let outdated = notes.filter(|note| note.body.trim_end() != body.trim_end());
    outdated.map(|note| NotePost::edit(note, body.to_owned())).collect()
}

/// How the approval of the execution `id` ended. `Some(None)` if it waits, and `None` if there is
/// no such execution: a person may have edited the note.
async fn ending(
    aws: &Aws,
    names: &ResourceNames,
    id: &str,
) -> Result<Option<Option<ApprovalEnd>>, ReportError> {
    match execution::list_actions(aws, &names.pipeline(), id).await {
        Ok(actions) => {
            let approval = actions.iter().find(|action| action.name == APPROVAL);
            Ok(approval.map(|it| ApprovalEnd::of(it, names, ExecutionState::Running)))
        }
        Err(error) if error.has_code(&NO_EXECUTION) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
