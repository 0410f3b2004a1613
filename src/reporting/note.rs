//! The note about the change set that waits for an approval.

use std::fmt::Write;

use crate::change_sets::{Change, code, counts, write_table};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::report_settings::ReportSettings;

/// The marker with which the note begins. It distinguishes the notes of environments and projects.
pub fn marker(names: &ResourceNames) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops change set {env_id}/{project_id} -->")
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
    let environment = code(&settings.environment_name);
    let short = commit.get(..8).unwrap_or(commit);
    let _ = write!(
        note,
        "\n**Changes to {environment} wait for an approval**: [execution]({url})\n\n\
         Commit {}, stack {}: {}\n",
        code(short),
        code(stack_name),
        counts(changes),
    );
    write_table(&mut note, changes, url);
    note
}
