//! The notes that show a change set as waiting, although its approval has ended.

use crate::clients::aws::Aws;
use crate::clients::gitlab::{CommitRef, GitLab, GitLabError, Note, NotePlace, NoteTarget};
use crate::feedback::approval::{SUMMARY, person_of};
use crate::feedback::reporting::execution::{self, Action, ActionState, Execution, ExecutionState};
use crate::feedback::reporting::note;
use crate::feedback::reporting::note::Ending;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan::Scope;
use crate::gitops_pipeline::executions::APPROVAL;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;

/// Whether a note may show an approval as waiting, although it has ended. The approval's own event
/// has ended the note before the execution ends, unless the approval was left open.
pub fn may_be_noted(settings: &ReportSettings, scope: Scope, execution: &Execution) -> bool {
    let has_notes =
        settings.change_set_name.is_some() && settings.change_set_comment != Some(false);
    let is_left_open = execution.action(APPROVAL).is_some_and(|action| {
        matches!(action.state, ActionState::Running | ActionState::Abandoned)
    });
    has_notes && (is_left_open || scope != Scope::Execution)
}

/// Reads the notes of `commit` that show a change set as waiting, and the error of a place that
/// could not be read.
pub async fn waiting_notes(
    gitlab: &GitLab,
    names: &ResourceNames,
    commit: &CommitRef,
) -> Result<(Vec<Note>, Option<ReportError>), GitLabError> {
    let mut places = gitlab.note_places(commit, NoteTarget::Commit).await?;
    // The note may be older than the merge request.
    let on_commit = NotePlace::Commit(commit.sha.clone());
    if !places.contains(&on_commit) {
        places.push(on_commit);
    }
    let marker = note::marker(names);
    let (mut waiting, mut failure) = (vec![], None);
    for read in gitlab.notes(&commit.project, &places, &marker).await? {
        match read {
            Ok(notes) => waiting.extend(notes),
            Err(error) => failure = failure.or(Some(error.into())),
        }
    }
    waiting.retain(|note| note::waiting_execution(&note.body).is_some());
    Ok((waiting, failure))
}

/// The new text of each `waiting` note whose approval has ended, and the error of an execution that
/// could not be read. A note may be about another execution than `execution`, the commit's newest
/// one: a newer execution may have ended before its approval.
pub async fn outdated(
    aws: &Aws,
    pipeline: &PipelineSettings,
    environment: &str,
    execution: &Execution,
    waiting: Vec<Note>,
) -> (Vec<(Note, String)>, Option<ReportError>) {
    let pipeline_name = pipeline.names.pipeline();
    let (mut outdated, mut failure) = (vec![], None);
    for note in waiting {
        let Some(id) = note::waiting_execution(&note.body) else {
            continue;
        };
        let ending = if id == execution.id {
            ending(execution.action(APPROVAL), execution.state)
        } else {
            match execution::list_actions(aws, &pipeline_name, id).await {
                Ok(actions) => {
                    let approval = actions.iter().find(|action| action.name == APPROVAL);
                    ending(approval, ExecutionState::Running)
                }
                Err(error) if error.is_transient() => {
                    failure = failure.or(Some(error.into()));
                    None
                }
                // A person may have edited the note.
                Err(_) => None,
            }
        };
        let url = pipeline.location.execution_console(&pipeline_name, id);
        let body = ending.map(|ending| note::end(&note.body, environment, ending, &url));
        outdated.extend(body.map(|body| (note, body)));
    }
    (outdated, failure)
}

/// How an approval ended. `None` if it waits, or was not reached.
fn ending(approval: Option<&Action>, state: ExecutionState) -> Option<Ending> {
    let approval = approval?;
    let person = person_of(&approval.summary).map(ToOwned::to_owned);
    match approval.state {
        ActionState::Succeeded if approval.summary.contains(SUMMARY) => Some(Ending::Unchanged),
        ActionState::Succeeded => Some(Ending::Approved(person)),
        ActionState::Failed => Some(Ending::Rejected(person)),
        ActionState::Running if state == ExecutionState::Running => None,
        ActionState::Running | ActionState::Abandoned => Some(Ending::Unneeded),
    }
}
