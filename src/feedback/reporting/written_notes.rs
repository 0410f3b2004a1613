//! The notes about a commit that were written before, and how they change.

use std::collections::BTreeSet;

use crate::clients::aws::Aws;
use crate::clients::gitlab::{CommitRef, GitLab, GitLabError, Note, NotePlace, NoteTarget};
use crate::feedback::reporting::execution;
use crate::feedback::reporting::execution::{Execution, ExecutionState};
use crate::feedback::reporting::note;
use crate::feedback::reporting::note::{ApprovalEnd, ExecutionEnd, NoteOf, NoteState, Written};
use crate::feedback::reporting::outcome::ReportError;
use crate::gitops_pipeline::executions::APPROVAL;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// CodePipeline's error codes for an ID that is not one of an execution.
const NO_EXECUTION: [&str; 2] = ["PipelineExecutionNotFoundException", "ValidationException"];

/// The notes about a commit, by the places where it belongs.
#[derive(Clone, Debug, Default)]
pub struct WrittenNotes {
    /// Those in each place that gets one, the oldest first. Empty for a place that was not read.
    of_places: Vec<Vec<Note>>,
    /// Those on the commit, which were written before it had a merge request.
    pub on_commit: Vec<Note>,
    /// The addresses of the notes with the same names that another account or region has written.
    pub others: BTreeSet<String>,
    /// The error of a place that could not be read.
    pub unread: Option<ReportError>,
}

impl WrittenNotes {
    pub async fn read(
        gitlab: &GitLab,
        pipeline: &PipelineSettings,
        commit: &CommitRef<'_>,
    ) -> Result<Self, GitLabError> {
        let mut places = gitlab.note_places(commit, NoteTarget::Commit).await?;
        let count = places.len();
        // The note may be older than the merge request.
        let on_commit = NotePlace::Commit(commit.sha.clone());
        if !places.contains(&on_commit) {
            places.push(on_commit);
        }
        let names = &pipeline.names;
        let of_all = note::marker_of_all(names, &commit.sha);
        let own = note::marker(names, &pipeline.location, &commit.sha);
        let mut notes = WrittenNotes::default();
        for read in gitlab.notes(commit.project, &places, &of_all).await? {
            let read = read.unwrap_or_else(|error| {
                notes.unread.get_or_insert(error.into());
                vec![]
            });
            let is_own = |note: &Note| note.body.starts_with(&own);
            let (read, others): (Vec<Note>, Vec<Note>) = read.into_iter().partition(is_own);
            let address = |note: &Note| Written::parse(&note.body).url.to_owned();
            notes.others.extend(others.iter().map(address));
            notes.of_places.push(read);
        }
        notes.on_commit = notes.of_places.split_off(count).concat();
        Ok(notes)
    }

    fn all(&self) -> impl Iterator<Item = &Note> {
        self.of_places.iter().flatten().chain(&self.on_commit)
    }

    /// The first note that shows the failure of this `attempt`.
    pub fn failure_of(&self, attempt: &str) -> Option<Written<'_>> {
        let mut parsed = self.all().map(|note| Written::parse(&note.body));
        parsed.find(|written| written.failed_attempt == Some(attempt))
    }

    /// The notes that show the failure of this `attempt`, with the new text `body`.
    pub fn edited_failures(&self, attempt: &str, body: &str) -> Vec<(Note, String)> {
        let shows = |note: &&Note| Written::parse(&note.body).failed_attempt == Some(attempt);
        let notes = self.all().filter(shows);
        notes.map(|note| (note.clone(), body.to_owned())).collect()
    }

    /// Whether each place shows the failure of this `attempt`.
    pub fn show_failure(&self, attempt: &str) -> bool {
        let shows = |note: &Note| Written::parse(&note.body).failed_attempt == Some(attempt);
        let mut places = self.of_places.iter();
        self.unread.is_none() && places.all(|notes| notes.iter().any(shows))
    }

    /// The first note that lists a change set, or else the first one.
    pub fn most_informative(&self) -> Option<Written<'_>> {
        let mut parsed: Vec<Written<'_>> =
            self.all().map(|note| Written::parse(&note.body)).collect();
        parsed.sort_by_key(|written| !written.has_change_set());
        parsed.into_iter().next()
    }

    /// Whether a note is about another execution of the commit than `execution`, whose change set
    /// still waits: its links decide.
    ///
    /// # Errors
    /// If that execution cannot be read.
    pub async fn one_still_waits(
        &self,
        aws: &Aws,
        pipeline: &str,
        execution: &Execution,
    ) -> Result<bool, ReportError> {
        for note in self.all() {
            let written = Written::parse(&note.body);
            let is_other = written.waits && written.execution_id != execution.id;
            if is_other && ending(aws, pipeline, written.execution_id).await? == Some(None) {
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
        pipeline: &PipelineSettings,
        of: NoteOf<'_>,
        execution: &Execution,
    ) -> (Vec<(Note, String)>, Option<ReportError>) {
        let name = pipeline.names.pipeline();
        let own = NoteState::of(execution);
        let (mut outdated, mut failure) = (vec![], self.unread.clone());
        for note in self.all() {
            let written = Written::parse(&note.body);
            let id = written.execution_id;
            let body = if id == execution.id || own.end == ExecutionEnd::Deployed {
                own.has_ended()
                    .then(|| of.ended(&own, None, Some(&written)))
            } else if written.waits {
                let ended = ending(aws, &name, id).await.unwrap_or_else(|error| {
                    failure.get_or_insert(error);
                    None
                });
                ended.flatten().map(|approval| {
                    let state = NoteState {
                        approval: Some(approval),
                        end: ExecutionEnd::Open,
                    };
                    let url = pipeline.location.reported_execution(&name, id);
                    let of = NoteOf { url: &url, ..of };
                    of.ended(&state, None, Some(&written))
                })
            } else {
                None
            };
            let is_new = |body: &String| body.trim_end() != note.body.trim_end();
            outdated.extend(body.filter(is_new).map(|body| (note.clone(), body)));
        }
        (outdated, failure)
    }
}

/// How the approval of the execution `id` ended. `Some(None)` if it waits, and `None` if there is
/// no such execution: a person may have edited the note.
async fn ending(
    aws: &Aws,
    pipeline: &str,
    id: &str,
) -> Result<Option<Option<ApprovalEnd>>, ReportError> {
    match execution::list_actions(aws, pipeline, id).await {
        Ok(actions) => {
            let mut actions = actions.iter();
            let approval = actions.find(|action| action.name == APPROVAL);
            let ended = ApprovalEnd::of(approval, ExecutionState::Running);
            Ok(approval.map(|_| ended))
        }
        Err(error) if error.has_code(&NO_EXECUTION) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
