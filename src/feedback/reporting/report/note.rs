//! The notes of a report: which ones are missing or outdated, and their text.

use std::sync::Arc;

use super::facts::{Context, Facts};
use super::note_need::NoteNeed;
use super::round::Round;
use crate::clients::gitlab::{GitLabError, NoteText, RetryTime};
use crate::feedback::change_sets::Change;
use crate::feedback::execution::{ActionState, ExecutionState};
use crate::feedback::failures::cause::{Cause, deployment_remedy, stack_obstacle};
use crate::feedback::reporting::note::{ExecutionEnd, FailureText, NoteOf, NoteState};
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan::Topic;
use crate::feedback::reporting::written_notes::{NotePost, WrittenNotes};
use crate::feedback::reporting::{changes, note};
use crate::feedback::{change_sets, failures, rights};
use crate::gitops_pipeline::executions::APPROVAL;

/// The state that the notes about the commit have to show.
enum Desired {
    /// The change set that waits for an approval, in this text.
    Waiting(String),
    /// How the execution has ended.
    Ended(NoteState),
}

/// Writes and edits the notes about the commit.
pub(super) async fn report(round: &mut Round<'_>) -> Result<(), ReportError> {
    let facts = Arc::clone(&round.facts);
    if !facts.includes(Topic::Note) || !round.is_open(Topic::Note) {
        return Ok(());
    }
    let desired = match waiting(&facts).await? {
        Some(body) => Desired::Waiting(body),
        None => match ended(&facts).await? {
            Some(state) => Desired::Ended(state),
            None => return Ok(()),
        },
    };
    // The error of a note or an execution that could not be read. The others are edited.
    let (mut done, mut unread) = (vec![], None);
    while round.is_open(Topic::Note) {
        let mut posts;
        (posts, unread) = Box::pin(outdated(round, &facts, &desired)).await?;
        posts.retain(|post| !done.contains(post));
        let mut is_repeated = false;
        for post in posts {
            if round.send(Topic::Note, send(facts.context, &post)).await {
                is_repeated = true;
            } else {
                done.push(post);
            }
        }
        if !is_repeated {
            break;
        }
        round.pause().await?;
    }
    unread.map_or(Ok(()), Err)
}

/// The text about the change set that waits for an approval. `None` if none waits.
async fn waiting(facts: &Facts<'_>) -> Result<Option<String>, ReportError> {
    let (context, execution) = (facts.context, &facts.execution);
    let (aws, pipeline) = (context.aws(), context.pipeline());
    let approval = execution.action(APPROVAL);
    let waits = execution.state == ExecutionState::Running
        && approval.is_some_and(|action| action.state == ActionState::Running);
    let Some(name) = pipeline.change_set.as_ref().filter(|_| waits) else {
        return Ok(None);
    };
    if !has_notes(context).await? {
        return Ok(None);
    }
    let Some(change_set) = change_sets::describe(aws, &pipeline.deployed_stack, name).await? else {
        return Ok(None);
    };
    let changes = &change_set.changes;
    let rights = if pipeline.stored.deploy_role_arn.is_some() {
        String::new()
    } else {
        rights::lines(aws, &pipeline.names, changes).await
    };
    let url = facts.url();
    Ok(Some(note_of(context, &url).waiting(changes) + &rights))
}

/// The end that the commit's notes have to show. `None` if nothing has changed since the change set
/// was listed, or if there are no notes.
async fn ended(facts: &Facts<'_>) -> Result<Option<NoteState>, GitLabError> {
    let state = NoteState::of(&facts.execution, facts.context.names());
    let is_noted = if state.is_failure() {
        has_notes(facts.context).await?
    } else {
        state.has_ended() && facts.context.settings().notes != Some(false)
    };
    Ok(is_noted.then_some(state))
}

/// Whether the project gets notes: by default not a public one, where everyone reads them.
async fn has_notes(context: &Context<'_>) -> Result<bool, GitLabError> {
    match context.settings().notes {
        Some(has_notes) => Ok(has_notes),
        None => Ok(!context.project().await?.is_public()),
    }
}

async fn written(context: &Context<'_>) -> Result<WrittenNotes, GitLabError> {
    WrittenNotes::read(context.gitlab(), context.pipeline(), &context.commit).await
}

fn note_of<'a>(context: &'a Context<'_>, url: &'a str) -> NoteOf<'a> {
    NoteOf {
        pipeline: context.pipeline(),
        environment: &context.settings().environment_name,
        commit: &context.commit.sha,
        url,
    }
}

/// The requests for the notes that do not show the desired state, and the error of those that could
/// not be read.
async fn outdated(
    round: &mut Round<'_>,
    facts: &Facts<'_>,
    desired: &Desired,
) -> Result<(Vec<NotePost>, Option<ReportError>), ReportError> {
    let context = facts.context;
    let state = match desired {
        Desired::Ended(state) => state,
        Desired::Waiting(body) => {
            return Ok((vec![NotePost::write(body.clone())], None));
        }
    };
    let notes = written(context).await?;
    round.reported.others.extend(notes.others.clone());
    if state.is_failure() {
        let posts = Box::pin(of_failure(facts, state, &notes)).await?;
        return Ok((posts, notes.unread));
    }
    let url = facts.url();
    let of = note_of(context, &url);
    Ok(notes.outdated(context.aws(), of, &facts.execution).await)
}

/// The requests for the notes that have to show why the execution failed, and do not.
async fn of_failure(
    facts: &Facts<'_>,
    state: &NoteState,
    notes: &WrittenNotes,
) -> Result<Vec<NotePost>, ReportError> {
    let (context, execution) = (facts.context, &facts.execution);
    // A condition of a stage has no attempt of its own.
    let failed = execution.failed_action();
    let attempt = failed.map_or(&execution.id, |action| &action.attempt);
    let attempt = match state.end {
        ExecutionEnd::RolledBack => format!("{attempt} rolled back"),
        _ => attempt.clone(),
    };
    let (shown, is_everywhere) = (notes.failure_of(&attempt), notes.show_failure(&attempt));
    let is_unreported = facts.unreported.get().is_some();
    let need = NoteNeed::of(context.occasion, shown, is_everywhere, is_unreported);
    let names = context.names();
    let is_needed = need != NoteNeed::Nothing && (need != NoteNeed::Edit || !notes.are_empty());
    if !is_needed || notes.one_still_waits(context.aws(), names, execution).await? {
        return Ok(vec![]);
    }
    let body = match need {
        NoteNeed::Copy(shown) if may_copy_log(context).await => note::without_commands(shown),
        _ => {
            let failure = failure(facts, attempt.clone(), need).await?;
            let changes = changes(facts, !notes.are_empty()).await;
            note_of(context, &facts.url()).ended(state, Some(&failure), changes.as_deref())
        }
    };
    match need {
        NoteNeed::SecondLook => return Ok(notes.edited_failures(&attempt, &body)),
        NoteNeed::Edit => return Ok(notes.all_edited(&body)),
        _ => {}
    }
    let edited = notes.edited_others(&body);
    Ok([NotePost::write(body)].into_iter().chain(edited).collect())
}

/// The changes of the commit. `None` if they cannot be read: the cause is worth more.
async fn changes(facts: &Facts<'_>, has_note: bool) -> Option<Vec<Change>> {
    let (context, execution) = (facts.context, &facts.execution);
    let read = changes::of_commit(context.aws(), context.pipeline(), execution, has_note);
    read.await.unwrap_or_else(|error| {
        warn!(error.reason(), "a note lacks the changes of its commit");
        None
    })
}

/// Whether a note may be copied to another place, with the log that it may have.
async fn may_copy_log(context: &Context<'_>) -> bool {
    let read = context.gitlab().project(context.commit.project);
    !context.settings().build_log || read.await.is_ok_and(|project| project.is_private())
}

/// Why the execution failed, for its notes.
async fn failure(
    facts: &Facts<'_>,
    attempt: String,
    need: NoteNeed<'_>,
) -> Result<FailureText, ReportError> {
    let context = facts.context;
    let (aws, names, settings) = (context.aws(), context.names(), context.settings());
    let unknown = Cause::default();
    let (cause, mut is_late) = match facts.cause().await {
        Ok(cause) => (cause, cause.is_late()),
        Err(error) => {
            warn!(error.reason(), "a note lacks the cause of a failure");
            (&unknown, true)
        }
    };
    let failed = facts.summarized().await?.failed_action();
    let summary = failed.map_or("", |action| action.summary.as_str());
    let mut text = cause.text(summary, &facts.url());
    if let Cause::Build(build) = cause
        && settings.build_log
    {
        let (gitlab, project) = (context.gitlab(), context.commit.project);
        let log = failures::text::of_log(aws, gitlab, project, build).await;
        text += &log.text;
        is_late |= log.is_late;
    }
    let stack_name = &context.pipeline().deployed_stack;
    let status = cause.stack_status(aws, stack_name, &facts.execution).await;
    let obstacle = status.and_then(|it| stack_obstacle(&it, stack_name));
    if let Some(remedy) = obstacle.or_else(|| deployment_remedy(&facts.execution, names)) {
        text += &note::paragraph(&remedy);
    }
    Ok(FailureText {
        attempt,
        is_late: is_late && need != NoteNeed::SecondLook,
        text,
    })
}

/// Sends a request. Returns whether it changed a note.
async fn send(context: &Context<'_>, post: &NotePost) -> Result<bool, GitLabError> {
    let (gitlab, commit, pipeline) = (context.gitlab(), &context.commit, context.pipeline());
    let text = NoteText {
        whole: &post.body,
        short: &note::short(&post.body),
    };
    let places = if let Some(note) = &post.note {
        let edited = gitlab.edit_note(commit.project, note, text).await;
        // Only a Maintainer may edit the note of another user.
        let is_denied = |error: &GitLabError| error.retry == RetryTime::Never;
        if note.is_own || !edited.as_ref().is_err_and(is_denied) {
            return edited;
        }
        vec![note.place.clone()]
    } else {
        gitlab.commit_places(commit).await?.noted
    };
    let marker = note::marker(pipeline, &commit.sha);
    let author = context.author.get().copied();
    gitlab.write_note(commit.project, &places, author, &marker, text).await
}
