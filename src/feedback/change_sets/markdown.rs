//! Changes as Markdown for GitLab, without parameters and property values.

use std::fmt::Write;

use super::change_set::{Change, Effect, Recreation};
use crate::common::one_line::one_line;

/// The most resources in a note.
pub const MAX_RESOURCES: usize = 100;

/// The most properties of a resource in a note, and the most characters of a name. The properties
/// of a custom resource have no limits.
const MAX_PROPERTIES: usize = 10;
const MAX_NAME_CHARACTERS: usize = 100;

/// Appends a table of the sorted `changes` to `note`. `url` shows those that are left out.
pub fn write_table(note: &mut String, changes: &[Change], url: &str) {
    if changes.is_empty() {
        return;
    }
    note.push_str("\n| Resource | Type | Change |\n|---|---|---|\n");
    for change in changes.iter().take(MAX_RESOURCES) {
        let (id, of_type) = (code(&change.logical_id), code(&change.resource_type));
        let _ = writeln!(note, "| {id} | {of_type} | {} |", described(change));
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

impl Change {
    /// The names of the properties that replace the resource, and of the others that change.
    pub fn causes(&self) -> (Vec<&str>, Vec<&str>) {
        let replaces = match self.effect {
            Effect::Replace | Effect::MayReplace | Effect::Undetermined => {
                self.properties.values().min()
            }
            Effect::Remove | Effect::Modify | Effect::Add | Effect::Import => None,
        };
        // Only the properties with the strongest effect are causes.
        let replaces = replaces.filter(|recreation| **recreation != Recreation::Never);
        let names = |are_causes: bool| {
            let properties = self.properties.iter();
            let wanted = properties.filter(|(_, it)| (Some(*it) == replaces) == are_causes);
            wanted.map(|(name, _)| name.as_str()).collect()
        };
        (names(true), names(false))
    }
}

/// The change of a resource, with the names of the properties that change.
fn described(change: &Change) -> String {
    let label = change.effect.label();
    let (causes, others) = change.causes();
    match (causes.is_empty(), others.is_empty()) {
        (true, true) => label.to_owned(),
        (true, false) => format!("{label}: {}", listed(&others)),
        (false, true) => format!("{label} because of {}", listed(&causes)),
        (false, false) => format!(
            "{label} because of {}; also {}",
            listed(&causes),
            listed(&others)
        ),
    }
}

fn listed(names: &[&str]) -> String {
    let (shown, more) = shown_names(names);
    let shown: Vec<String> = shown.map(|name| code(&name)).collect();
    let shown = shown.join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The names of properties that are shown, and how many are left out.
pub fn shown_names<'a>(names: &'a [&str]) -> (impl Iterator<Item = String> + 'a, usize) {
    let shown = names.iter().take(MAX_PROPERTIES);
    let shown = shown.map(|name| name.chars().take(MAX_NAME_CHARACTERS).collect());
    (shown, names.len().saturating_sub(MAX_PROPERTIES))
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

/// The sentence `text`. A full stop behind code would be copied with it.
pub fn sentence(text: &str) -> String {
    let end = if text.ends_with('`') { "" } else { "." };
    format!("{text}{end}")
}

/// `text` as Markdown code, which GitLab does not interpret. It has no line breaks, also none of
/// Unicode: GitLab executes a line of a note that begins with a slash as a quick action of the
/// token's user. <https://docs.gitlab.com/user/project/quick_actions/>
pub fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('|', ""))
}
