//! Which parts of CloudFormation's reasons are shown in GitLab.

use super::denial::Denial;
use crate::common::ascii;
use crate::gitops_pipeline::names::ResourceNames;

/// The text that is shown instead of a reason from which not every value can be removed.
pub const HIDDEN_REASON: &str =
    "the reason is not shown, because it may contain a value of a parameter";

/// The text that is shown if the change set was executed, or deleted, before: CloudFormation keeps none whose execution
/// has failed (<https://github.com/aws/aws-cdk/issues/21677>).
pub const GONE: &str = "its change set was executed or deleted before. Retry all actions of the stage (in the console: Retry \
    stage), which asks for a new approval";

/// What replaces a value and an account number.
const REMOVED: &str = "…";

/// A shorter value, such as `1`, is part of many words. It counts only as a word of its own.
const MIN_CHARACTERS: usize = 4;

/// The digits of an account number.
const ACCOUNT_DIGITS: usize = 12;

/// `reason` without account numbers and without the parameters' `values`. For example, `Fn::FindInMap` with an unknown
/// key fails with the key, which may be a parameter's value. [`HIDDEN_REASON`] if a value may be left.
///
/// The IDs of environment and project stay, because the status and the note show them. Most projects pass them as
/// parameters. A denial of the deploy role is shown with its remedy. So is a missing change set: only the failed
/// actions of a stage were retried.
pub fn shown_reason(reason: &str, values: &[String], names: &ResourceNames) -> String {
    // The text: https://github.com/aws/aws-cdk/issues/11995.
    if reason.starts_with("ChangeSet [") && reason.contains("] does not exist") {
        return GONE.to_owned();
    }
    if values.iter().any(|value| is_masked(value)) {
        return HIDDEN_REASON.to_owned();
    }
    let is_public =
        |value: &str| [&*names.env_id, &*names.project_id, "true", "false"].contains(&value);
    // `Ref` of a `CommaDelimitedList` is a list.
    let parts = values
        .iter()
        .flat_map(|value| value.split(',').chain([value.as_str()]));
    let parts = parts.map(str::trim);
    let mut parts: Vec<&str> = parts
        .filter(|part| !part.is_empty() && !is_public(part))
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let without_values = |text: &str| {
        let mut text = without_account_numbers(text);
        for part in &parts {
            text = replaced(&text, part);
        }
        text
    };
    let shown = Denial::parse(reason, names).map_or_else(
        || without_values(reason),
        |denial| denial.shown(names, without_values),
    );
    // CloudFormation may have returned the reason, or the values, with `?`.
    let comparable = ascii::comparable(&shown.replace(REMOVED, ""));
    let is_left = |part: &&str| {
        let garbled = ascii::comparable(part);
        garbled.contains('?') && comparable.contains(&garbled)
    };
    if parts.iter().any(is_left) {
        return HIDDEN_REASON.to_owned();
    }
    shown
}

/// Whether CloudFormation masks the value of a `NoEcho` parameter. Each reason may contain it.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>
fn is_masked(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c == '*')
}

/// `text` with [`REMOVED`] for each account number, which ARNs contain.
fn without_account_numbers(text: &str) -> String {
    replaced_words(
        text,
        |c| c.is_ascii_digit(),
        |word| word.len() == ACCOUNT_DIGITS,
    )
}

/// `text` with [`REMOVED`] for the value.
fn replaced(text: &str, value: &str) -> String {
    let is_word = value.chars().all(char::is_alphanumeric);
    if is_word && value.chars().count() < MIN_CHARACTERS {
        return replaced_words(text, char::is_alphanumeric, |word| word == value);
    }
    text.replace(value, REMOVED)
}

/// `text` with [`REMOVED`] for each longest run of characters of a kind that `is_removed`.
fn replaced_words(
    text: &str,
    is_of_kind: impl Fn(char) -> bool,
    is_removed: impl Fn(&str) -> bool,
) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(&is_of_kind) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_of_kind(c)).unwrap_or(from.len()));
        shown.push_str(before);
        shown.push_str(if is_removed(word) { REMOVED } else { word });
        rest = after;
    }
    shown + rest
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
