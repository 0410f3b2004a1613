//! The notes of a report: which ones are missing or outdated, and their text.

use std::collections::BTreeSet;

use super::Reporter;
use crate::clients::gitlab::{GitLabError, Note};
use crate::common::stop::Stop;
use crate::feedback::approval::{ApprovalRequest, Doubt};
use crate::feedback::change_sets::Change;
use crate::feedback::reporting::cause::Cause;
use crate::feedback::reporting::changes;
use crate::feedback::reporting::execution::{ActionState, Execution, ExecutionState};
use crate::feedback::reporting::note;
use crate::feedback::reporting::note::{ExecutionEnd, FailureText, NoteOf, NoteState};
use crate::feedback::reporting::open::AskedRequest;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan::Scope;
use crate::feedback::reporting::written_notes::WrittenNotes;
use crate::feedback::{change_sets, failures, rights};
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};

/// The notes that do not show the state of an execution.
#[derive(Default)]
pub(super) struct OutdatedNotes {
    /// Those that exist, and their new text.
    pub outdated: Vec<(Note, String)>,
    /// The one that a place does not have.
    pub missing: Option<String>,
    pub unread: Option<ReportError>,
    /// The addresses of the notes of another account or region.
    pub others: BTreeSet<String>,
}

impl Reporter<'_> {
    /// The note about the change set that waits for an approval. `url` is the execution in the
    /// console.
    pub(super) async fn note(&mut self, url: &str) -> Result<Option<String>, ReportError> {
        let (pipeline, settings) = (self.context.pipeline, self.context.settings);
        let approval = self.execution.action(APPROVAL);
        let waits = self.execution.state == ExecutionState::Running
            && approval.is_some_and(|action| action.state == ActionState::Running);
        let Some(name) = settings.change_set_name.as_ref().filter(|_| waits) else {
            return Ok(None);
        };
        if !self.has_notes().await? {
            return Ok(None);
        }
        let (changes, tags) = if pipeline.gitlab_approvals().is_some() {
            match self.asked().await? {
                Some((request, tags)) => (Some(request.change_set), tags),
                None => return Ok(None),
            }
        } else {
            let aws = self.context.aws;
            let described = change_sets::describe(aws, &settings.stack_name, name).await?;
            (described, String::new())
        };
        let Some(change_set) = changes else {
            return Ok(None);
        };
        let names = &pipeline.names;
        let rights = if settings.deploy_role_arn.is_some() {
            String::new()
        } else {
            rights::missing(self.context.aws, names, &change_set.changes).await
        };
        let note = self.note_of(url).waiting(&change_set.changes) + &rights + &tags;
        // A tag decides by the note that was there before it. The rights may be unknown at times.
        let is_kept =
            pipeline.gitlab_approvals().is_some() && self.written().await?.show(&note, &tags);
        Ok((!is_kept).then_some(note))
    }

    /// The notes that do not have the text `body`, in places that do not get it otherwise.
    pub(super) async fn edited_elsewhere(
        &self,
        body: &str,
    ) -> Result<Vec<(Note, String)>, GitLabError> {
        Ok(self.written().await?.edited_elsewhere(body))
    }

    async fn written(&self) -> Result<WrittenNotes, GitLabError> {
        let context = self.context;
        WrittenNotes::read(context.gitlab, context.pipeline, &context.commit, None).await
    }

    /// Whether the project gets notes: by default not a public one, where everyone reads them.
    async fn has_notes(&mut self) -> Result<bool, GitLabError> {
        match self.context.settings.notes {
            Some(has_notes) => Ok(has_notes),
            None => Ok(!self.context.project().await?.is_public()),
        }
    }

    /// The state that the commit's notes have to show. `None` if nothing has changed since the
    /// change set was listed, or if there are no notes.
    pub(super) async fn note_state(&mut self) -> Result<Option<NoteState>, GitLabError> {
        let state = NoteState::of(&self.execution);
        let is_noted = if state.is_failure() {
            self.has_notes().await?
        } else {
            state.has_ended() && self.context.settings.notes != Some(false)
        };
        Ok(is_noted.then_some(state))
    }

    fn note_of<'a>(&'a self, url: &'a str) -> NoteOf<'a> {
        NoteOf {
            names: &self.context.pipeline.names,
            location: &self.context.pipeline.location,
            settings: self.context.settings,
            commit: &self.context.commit.sha,
            url,
        }
    }

    /// The notes that do not show `state`, with their new text, and the one that is missing. Also
    /// the error of a note or an execution that could not be read.
    pub(super) async fn outdated_notes(
        &mut self,
        state: &NoteState,
    ) -> Result<OutdatedNotes, ReportError> {
        let (aws, pipeline) = (self.context.aws, self.context.pipeline);
        let url = self.url();
        let notes = self.written().await?;
        let execution = &self.execution;
        if !state.is_failure() {
            let edited = notes.outdated(aws, pipeline, self.note_of(&url), execution);
            let (outdated, unread) = edited.await;
            return Ok(OutdatedNotes {
                outdated,
                missing: None,
                unread,
                others: notes.others,
            });
        }
        Box::pin(self.missing_failure(state, &notes, &url)).await
    }

    /// The notes that have to show why the execution failed, and do not.
    async fn missing_failure(
        &mut self,
        state: &NoteState,
        notes: &WrittenNotes,
        url: &str,
    ) -> Result<OutdatedNotes, ReportError> {
        let (aws, execution) = (self.context.aws, &self.execution);
        let pipeline_name = self.context.pipeline.names.pipeline();
        let mut result = OutdatedNotes {
            unread: notes.unread.clone(),
            others: notes.others.clone(),
            ..OutdatedNotes::default()
        };
        let failed = execution.failed_action();
        // A condition of a stage has no attempt of its own.
        let attempt = failed.map_or(&execution.id, |action| &action.attempt);
        let attempt = match state.end {
            ExecutionEnd::RolledBack => format!("{attempt} rolled back"),
            _ => attempt.clone(),
        };
        let shown = notes.failure_of(&attempt);
        let is_health_check = self.context.scope == Scope::All;
        let is_second_look = is_health_check && shown.is_some_and(|it| it.is_late);
        // A person may have deleted the note in one place.
        let is_shown = notes.show_failure(&attempt) || is_health_check && shown.is_some();
        if is_shown && !is_second_look
            || notes.one_still_waits(aws, &pipeline_name, execution).await?
        {
            return Ok(result);
        }
        let body = match shown {
            // A later look could find less: another execution may have begun.
            Some(shown) if !is_second_look && self.may_copy_log().await => {
                note::without_commands(shown.note)
            }
            _ => {
                let failure = self.failure(state, attempt.clone(), is_second_look).await;
                let changes = self.changes(!notes.are_empty()).await;
                let of = self.note_of(url);
                of.ended(state, Some(&failure), changes.as_deref())
            }
        };
        if is_second_look {
            result.outdated = notes.edited_failures(&attempt, &body);
        } else {
            result.outdated = notes.edited_others(&body);
            result.missing = Some(body);
        }
        Ok(result)
    }

    /// The changes of the commit. `None` if they cannot be read: the cause is worth more.
    async fn changes(&self, has_note: bool) -> Option<Vec<Change>> {
        let (aws, settings) = (self.context.aws, self.context.settings);
        let names = &self.context.pipeline.names;
        let read = changes::of_commit(aws, names, settings, &self.execution, has_note);
        read.await.unwrap_or_else(|error| {
            warn!(error.reason(), "a note lacks the changes of its commit");
            None
        })
    }

    /// Whether a note may be copied to another place, with the log that it may have.
    async fn may_copy_log(&self) -> bool {
        let project = self.context.commit.project;
        !self.context.settings.build_log
            || self
                .context
                .gitlab
                .project(project)
                .await
                .is_ok_and(|project| project.is_private())
    }

    /// Why the execution failed, for its notes. A second look is the last one.
    async fn failure(
        &mut self,
        state: &NoteState,
        attempt: String,
        is_second_look: bool,
    ) -> FailureText {
        let (cause, mut is_late) = match self.cause().await {
            Ok(cause) => {
                let is_late = cause.is_late();
                (cause, is_late)
            }
            Err(error) => {
                warn!(error.reason(), "a note lacks the cause of a failure");
                (Cause::default(), true)
            }
        };
        if self.summarized.is_none() {
            self.summarized = self.summarized().await.ok();
        }
        let failed = self.summarized.as_ref().and_then(Execution::failed_action);
        let summary = failed.map_or("", |action| action.summary.as_str());
        let mut text = cause.text(summary, &self.url());
        if let Cause::Build(build) = &cause
            && self.context.settings.build_log
        {
            let is_first = self.context.scope != Scope::All || self.is_unreported;
            let log = if is_first || is_second_look {
                let (gitlab, project) = (self.context.gitlab, self.context.commit.project);
                let names = &self.context.pipeline.names;
                failures::text::of_log(self.context.aws, gitlab, project, build, names).await
            } else {
                failures::text::of_missing_note()
            };
            text += &log.text;
            is_late |= log.is_late;
        }
        let stack_name = &self.context.settings.stack_name;
        if let Some(obstacle) = cause.obstacle(stack_name) {
            text += &obstacle;
        } else if self.execution.action(DEPLOY).is_some() && state.end != ExecutionEnd::RolledBack {
            let condition = "If the former release has to be deployed again";
            text += &note::way_back(condition, &self.context.pipeline.names);
        }
        FailureText {
            attempt,
            is_late: is_late && !is_second_look,
            text,
        }
    }

    /// The request of the execution, if it waits for a decision in GitLab, and the part of the note
    /// about its tags. `None` if the notes stay as they are.
    async fn asked(&mut self) -> Result<Option<(ApprovalRequest, String)>, ReportError> {
        let opened = self.context.opened;
        let asked = self.context.asked.get_or_init(|| opened.asked()).await;
        let unknown = match asked {
            Err(Stop::Failed(_)) => Some(opened.request().await.map(AskedRequest::unknown)),
            _ => None,
        };
        let AskedRequest { request, decided } = match unknown.as_ref().unwrap_or(asked) {
            Ok(asked) if asked.request.execution_id == self.execution.id => asked,
            Err(Stop::Failed(error)) => return Err(error.clone()),
            _ => return Ok(None),
        };
        // A person may have decided by the note that is there.
        if decided.is_open && self.is_noted().await? {
            return Ok(None);
        }
        let obstacle = decided.obstacle.as_ref();
        let mut text = obstacle.map_or(String::new(), note::obstacle);
        if !matches!(obstacle, Some(Doubt::InAws(_))) {
            let (url, project) = (self.url(), self.context.project().await?);
            let tags = request.tags(&self.context.pipeline.names, decided.number);
            text = self.note_of(&url).tags(project, &tags) + &text;
        }
        text += &note::doubts(&decided.doubts);
        Ok(Some((request.clone(), text)))
    }

    /// Whether a note may show that the execution waits.
    async fn is_noted(&self) -> Result<bool, GitLabError> {
        let notes = self.written().await?;
        Ok(notes.unread.is_some() || notes.wait_for(&self.execution.id))
    }
}
