//! The note about a change set that waits for an approval, or has waited for one.

use std::fmt::Write;

use crate::feedback::approval::Doubt;
use crate::feedback::change_sets::{Change, code, counts, short_commit, write_table};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReportSettings;

/// The text of the headline while the approval waits.
const WAIT: &str = "wait for an approval";

/// The marker with which the note begins. It distinguishes the notes of environments and projects.
pub fn marker(names: &ResourceNames) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops change set {env_id}/{project_id} -->")
}

/// How an approval ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was given, by this person and tag if that was in GitLab.
    Approved(Option<String>),
    /// The function gave it, because there are no changes.
    Unchanged,
    /// It was rejected, or not given in time.
    Rejected(Option<String>),
    /// The execution ended before.
    Unneeded,
}

/// The first line after the marker. `url` is the execution in the console. `ending` is `None` while
/// the approval waits.
fn headline(environment_name: &str, ending: Option<Ending>, url: &str) -> String {
    let environment = code(environment_name);
    let by = |person: Option<String>| {
        person.map_or(String::new(), |person| {
            format!(" in GitLab by {}", code(&person))
        })
    };
    let state = match ending {
        None => WAIT.to_owned(),
        Some(Ending::Approved(person)) => format!("were approved{}", by(person)),
        Some(Ending::Unchanged) => "needed no approval, because there are none".to_owned(),
        Some(Ending::Rejected(person)) => format!("were rejected{}", by(person)),
        Some(Ending::Unneeded) => "no longer need an approval".to_owned(),
    };
    format!("**Changes to {environment} {state}**: [execution]({url})")
}

/// The execution whose change set waits according to the note. `None` if it shows none as waiting.
pub fn waiting_execution(note: &str) -> Option<&str> {
    let headline = note.lines().nth(1)?;
    let (_, url) = headline.split_once(&format!(" {WAIT}**: "))?;
    let (_, rest) = url.split_once("/executions/")?;
    let (id, _) = rest.split_once('/')?;
    Some(id)
}

/// The note with a headline that reports how the approval ended.
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

/// The part of the note about the tags that decide. `url` is that of the project, and `doubts` are
/// the tags that decide nothing.
pub fn tags(
    url: &str,
    commit: &str,
    [reject, deploy]: [String; 2],
    doubts: &[(String, Doubt)],
) -> String {
    let link = |tag: &str| {
        let escaped = tag.replace('/', "%2F");
        format!(
            "[{}]({url}/-/tags/new?tag_name={escaped}&ref={commit})",
            code(tag)
        )
    };
    let (deploys, rejects) = (link(&deploy), link(&reject));
    let mut text = format!(
        "\nA Maintainer decides by a tag on this commit: {deploys} deploys these changes, {rejects} rejects them.\n"
    );
    for (tag, doubt) in doubts {
        let (tag, remedy) = (code(tag), doubt.remedy());
        let problem = doubt.to_string().replace('`', "");
        let _ = writeln!(text, "\n{tag} decides nothing: {problem}.\n\n{remedy}.");
    }
    text
}
