//! The note about a change set that waits for an approval, or did.

use std::fmt::Write;

use crate::feedback::change_sets::{Change, code, counts, short_commit, write_table};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReportSettings;

/// What the headline says while the approval waits.
const WAIT: &str = "wait for an approval";

/// The marker with which the note begins. It distinguishes the notes of environments and projects.
pub fn marker(names: &ResourceNames) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops change set {env_id}/{project_id} -->")
}

/// How an approval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was given.
    Approved,
    /// The function gave it, because there are no changes.
    Unchanged,
    /// It was rejected, or not given in time.
    Rejected,
    /// The execution ended before.
    Unneeded,
}

/// The first line after the marker. `url` is the execution in the console. `ending` is `None` while the
/// approval waits.
fn headline(environment_name: &str, ending: Option<Ending>, url: &str) -> String {
    let environment = code(environment_name);
    let state = match ending {
        None => WAIT,
        Some(Ending::Approved) => "were approved",
        Some(Ending::Unchanged) => "needed no approval, because there are none",
        Some(Ending::Rejected) => "were rejected",
        Some(Ending::Unneeded) => "no longer need an approval",
    };
    format!("**Changes to {environment} {state}**: [execution]({url})")
}

/// The execution whose change set waits according to the note. `None` if the note says something else.
pub fn waiting_execution(note: &str) -> Option<&str> {
    let headline = note.lines().nth(1)?;
    let (_, url) = headline.split_once(&format!(" {WAIT}**: "))?;
    let (_, rest) = url.split_once("/executions/")?;
    let (id, _) = rest.split_once('/')?;
    Some(id)
}

/// The note with a headline that says how the approval ended.
pub fn end(note: &str, environment_name: &str, ending: Ending, url: &str) -> String {
    let headline = headline(environment_name, Some(ending), url);
    let mut lines: Vec<&str> = note.lines().collect();
    if let Some(line) = lines.get_mut(1) {
        *line = &headline;
    }
    lines.join("\n") + "\n"
}

/// The note about the sorted `changes` of `commit`. `url` is the execution in the console.
pub fn render(
    changes: &[Change],
    names: &ResourceNames,
    settings: &ReportSettings,
    commit: &str,
    url: &str,
) -> String {
    let mut note = marker(names);
    let stack_name = &settings.stack_name;
    let _ = write!(
        note,
        "\n{}\n\nCommit {}, stack {}: {}\n",
        headline(&settings.environment_name, None, url),
        short_commit(commit),
        code(stack_name),
        counts(changes),
    );
    write_table(&mut note, changes, url);
    note
}
