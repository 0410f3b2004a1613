//! Which parts of CloudFormation's reasons are shown in GitLab and in the log: the one rule for all
//! statuses, notes and findings. `docs/concepts/reporting.md` describes it for users.

use std::collections::BTreeSet;

use super::denial::Denial;
use super::values::Values;
use super::{form, forms};
use crate::common::one_line::one_line;
use crate::gitops_pipeline::names::ResourceNames;

/// The text that is shown instead of a reason from which not every value can be removed.
pub const HIDDEN_REASON: &str =
    "the reason is not shown, because it may contain a value of a parameter";

/// The text that is shown if the change set was executed, or deleted, before: CloudFormation finds
/// an executed one by its ARN only (<https://github.com/guardian/riff-raff/pull/672>).
pub const GONE: &str = "its change set was executed or deleted before. Retry all actions of the stage (in the console: Retry \
    stage), which asks for a new approval";

/// The remedy after the text that the output of the build lacks the template or its configuration.
const NO_FILE: &str = ". Set DeployTemplatePath (Deploy.TemplatePath, Deploy.TemplateConfiguration) to its path in the build's \
    output, deploy that, and start an execution";

/// The words of a template that no person has approved.
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    /// Its keys and texts, as the author wrote them.
    pub words: &'a BTreeSet<String>,
    /// Whether a transform can compute the names of resources and properties.
    pub has_transform: bool,
}

/// Who wrote the template, and who reads the reason.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// Members of a private project, or the operator, about a template that was merged.
    Members,
    /// The same template, in a project that others than members may see.
    Others,
    /// The template of a review branch.
    Review(Template<'a>),
}

/// The part of `reason` that is shown: never an account number, the key of an object in S3, or one
/// of the `values`. [`HIDDEN_REASON`] if a value may be left.
///
/// The cause is what a developer needs, so a reason is shown as a whole if all values are known.
/// Otherwise only denials and the sentences of [`forms`] are: about a template whose author could
/// encode a value, if a value is unknown, and for a text that a custom resource wrote if others
/// than members read it.
///
/// The IDs of environment and project stay, because the status and the note show them. Most
/// projects pass them as parameters. A denial of the deploy role is shown with its remedy. So is a
/// missing file, and a missing change set: only the failed actions of a stage were retried.
pub fn shown_reason(
    reason: &str,
    values: &Values,
    audience: Audience<'_>,
    names: &ResourceNames,
) -> String {
    // As it is shown: a break, or a character that is left out, may divide a value.
    let reason = &one_line(reason);
    if is_gone(reason) {
        return GONE.to_owned();
    }
    let without_values = values.remover(names);
    let has_only_forms = match audience {
        Audience::Review(_) => true,
        Audience::Others => values.are_incomplete() || forms::is_written_by_users(reason),
        Audience::Members => values.are_incomplete(),
    };
    let denial = Denial::parse(reason, names);
    // One inside of a name, or of another text, may have a value in the place of the action.
    let is_of_iam = |denial: &Denial<'_>| match audience {
        Audience::Review(_) => denial.is_first(),
        Audience::Members | Audience::Others => !has_only_forms || denial.is_of_resource(),
    };
    // CloudFormation accepts only literal names, and a transform can compute them.
    let is_shown = |name: &str| match audience {
        Audience::Review(template) => !template.has_transform || template.words.contains(name),
        Audience::Members | Audience::Others => true,
    };
    // One that is the value of a parameter is removed afterwards, if the value is known.
    let is_computed_shown = |name: &str| match audience {
        Audience::Review(template) => template.words.contains(name),
        Audience::Members | Audience::Others => !values.are_incomplete(),
    };
    let shown = match denial.filter(is_of_iam) {
        Some(denial) => denial.shown(names, has_only_forms, &without_values),
        None if has_only_forms => {
            let form_names = form::Names {
                is_shown: &is_shown,
                is_computed_shown: &is_computed_shown,
            };
            let shown = form::shown(reason, &form_names);
            shown.and_then(|shown| without_values(&shown))
        }
        None => without_values(reason),
    };
    let remedy = if lacks_file(reason) { NO_FILE } else { "" };
    shown.map_or(HIDDEN_REASON.to_owned(), |shown| shown + remedy)
}

/// Whether an action failed because its change set was executed, or deleted, before. The text:
/// <https://github.com/aws/aws-cdk/issues/11995>.
pub fn is_gone(reason: &str) -> bool {
    reason.starts_with("ChangeSet [") && reason.contains("] does not exist")
}

/// Whether an action failed because the output of the build lacks a file.
pub fn lacks_file(reason: &str) -> bool {
    reason.starts_with("File [") && reason.contains("] does not exist in artifact [")
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
