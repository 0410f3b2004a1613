//! The note about a change set that waits for an approval: which resources would change, without
//! parameters and property values.

use std::fmt::Write;

use aws_sdk_cloudformation::types::{ChangeAction, Replacement, ResourceChange};

use crate::aws::{Aws, CallError, optional};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::report_settings::ReportSettings;

/// The most resources in a note.
const MAX_RESOURCES: usize = 100;

/// What a change set does to a resource. The order is that of the note: what deletes data is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Deletes it, and creates another one.
    Replace,
    /// Deletes it.
    Remove,
    /// Replaces it in some cases, which CloudFormation finds out only when it executes the change.
    MayReplace,
    /// Changes it.
    Modify,
    /// Creates it.
    Add,
    /// Takes over an existing one.
    Import,
}

/// A resource that a change set changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What happens to it.
    pub effect: Effect,
    /// Its logical ID.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
}

impl Effect {
    fn label(self) -> &'static str {
        match self {
            Effect::Replace => "**replaced**",
            Effect::Remove => "**removed**",
            Effect::MayReplace => "**possibly replaced**",
            Effect::Modify => "modified",
            Effect::Add => "added",
            Effect::Import => "imported",
        }
    }
}

/// The marker with which the note begins. It distinguishes the notes of environments and projects.
pub fn marker(names: &ResourceNames) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops change set {env_id}/{project_id} -->")
}

/// Reads the change set's changes. `None` if it does not exist.
///
/// # Errors
/// If CloudFormation does not return all of them.
pub async fn read(
    aws: &Aws,
    stack_name: &str,
    name: &str,
) -> Result<Option<Vec<Change>>, CallError> {
    let mut changes = vec![];
    let mut token = None;
    loop {
        let call = aws.cloudformation.describe_change_set();
        let call = call.stack_name(stack_name).change_set_name(name);
        let call = call.set_next_token(token);
        let doing = || format!("reading change set {name} of stack {stack_name}");
        let absent = ["ChangeSetNotFound", "ChangeSetNotFoundException"];
        let Some(page) = optional(call.send().await, &absent, doing)? else {
            return Ok(None);
        };
        let resources = page
            .changes()
            .iter()
            .filter_map(|change| change.resource_change());
        changes.extend(resources.filter_map(change));
        token = page.next_token;
        if token.is_none() {
            changes.sort();
            return Ok(Some(changes));
        }
    }
}

fn change(resource: &ResourceChange) -> Option<Change> {
    let effect = match (resource.action()?, resource.replacement()) {
        (ChangeAction::Add, _) => Effect::Add,
        (ChangeAction::Remove, _) => Effect::Remove,
        (ChangeAction::Import, _) => Effect::Import,
        (_, Some(Replacement::True)) => Effect::Replace,
        (_, Some(Replacement::Conditional)) => Effect::MayReplace,
        _ => Effect::Modify,
    };
    Some(Change {
        effect,
        logical_id: resource.logical_resource_id()?.to_owned(),
        resource_type: resource.resource_type()?.to_owned(),
    })
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
    if changes.is_empty() {
        return note;
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
    note
}

/// The number of changes of each kind: "1 **replaced**, 2 added".
fn counts(changes: &[Change]) -> String {
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

/// `text` as Markdown code, which GitLab does not interpret.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '`' | '|' | '\n' | '\r'))
        .collect();
    format!("`{plain}`")
}

#[cfg(test)]
mod tests;
