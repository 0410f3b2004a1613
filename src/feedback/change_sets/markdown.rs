//! Changes as Markdown for GitLab, without parameters and property values.

use std::fmt::Write;

use super::change_set::Change;

/// The most resources in a note.
pub(super) const MAX_RESOURCES: usize = 100;

/// Appends a table of the sorted `changes` to `note`. `url` shows those that are left out.
pub fn write_table(note: &mut String, changes: &[Change], url: &str) {
    if changes.is_empty() {
        return;
    }
    note.push_str("\n| Resource | Type | Change |\n|---|---|---|\n");
    for change in changes.iter().take(MAX_RESOURCES) {
        let (id, of_type) = (code(&change.logical_id), code(&change.resource_type));
        let _ = writeln!(note, "| {id} | {of_type} | {} |", change.effect.label());
    }
    if changes.len() > MAX_RESOURCES {
        let more = changes.len() - MAX_RESOURCES;
        let _ = writeln!(note, "\n{more} more are in the [console]({url}).");
    }
    if changes
        .iter()
        .any(|change| change.resource_type == "AWS::CloudFormation::Stack")
    {
        note.push_str("\nChanges inside nested stacks are not listed.\n");
    }
}

/// The number of changes of each kind: "1 **replaced**, 2 added".
pub fn counts(changes: &[Change]) -> String {
    let groups = changes.chunk_by(|one, next| one.effect == next.effect);
    let counts = groups.filter_map(|group| {
        let effect = group.first()?.effect;
        Some(format!("{} {}", group.len(), effect.label()))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() {
        return "no resource changes".to_owned();
    }
    counts.join(", ")
}

/// The beginning of a commit's SHA, as Markdown code.
pub fn short_commit(sha: &str) -> String {
    code(sha.get(..8).unwrap_or(sha))
}

/// `text` as Markdown code, which GitLab does not interpret. It has no line breaks, also none of
/// Unicode: GitLab executes a line of a note that begins with a slash as a quick action of the token's
/// user.
/// <https://docs.gitlab.com/user/project/quick_actions/>
pub fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '`' | '|' | '\u{2028}' | '\u{2029}') && !c.is_control())
        .collect();
    format!("`{plain}`")
}
