//! Which parts of CloudFormation's reasons are shown in GitLab.

use std::ops::Range;

use percent_encoding::percent_decode_str;

use super::denial::Denial;
use crate::common::ascii;
use crate::gitops_pipeline::names::ResourceNames;

/// The text that is shown instead of a reason from which not every value can be removed.
pub const HIDDEN_REASON: &str =
    "the reason is not shown, because it may contain a value of a parameter";

/// The text that is shown if the change set was executed, or deleted, before: CloudFormation keeps
/// none whose execution has failed (<https://github.com/aws/aws-cdk/issues/21677>).
pub const GONE: &str = "its change set was executed or deleted before. Retry all actions of the stage (in the console: Retry \
    stage), which asks for a new approval";

/// CloudFormation's value of a `NoEcho` parameter. Here also a value that the function may not
/// read.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>
pub const MASKED: &str = "****";

/// The text that replaces a value or an account number.
const REMOVED: &str = "…";

/// A shorter value, such as `1`, is part of many words. It counts only as a word of its own.
const MIN_CHARACTERS: usize = 4;

/// The digits of an account number.
const ACCOUNT_DIGITS: usize = 12;

/// `reason` without account numbers, keys of objects in S3 and the parameters' `values`. For
/// example, `Fn::FindInMap` with an unknown key fails with the key, which may be a parameter's
/// value. [`HIDDEN_REASON`] if a value may be left.
///
/// The IDs of environment and project stay, because the status and the note show them. Most
/// projects pass them as parameters. A denial of the deploy role is shown with its remedy. So is a
/// missing change set: only the failed actions of a stage were retried.
pub fn shown_reason(reason: &str, values: &[String], names: &ResourceNames) -> String {
    // The text: https://github.com/aws/aws-cdk/issues/11995.
    if reason.starts_with("ChangeSet [") && reason.contains("] does not exist") {
        return GONE.to_owned();
    }
    let parts = parts(values, names);
    let shown = |text: &str| {
        let shown = without(text, removed_ranges(text, &parts));
        (!may_contain(&shown, &parts)).then_some(shown)
    };
    let has_unknown = values.iter().any(|value| is_masked(value));
    let shown = match Denial::parse(reason, names) {
        Some(denial) => denial.shown(names, has_unknown, shown),
        // Names in an ARN may be values.
        None if has_unknown && reason.contains("arn:aws") => None,
        None => shown(reason),
    };
    shown.unwrap_or_else(|| HIDDEN_REASON.to_owned())
}

/// Whether CloudFormation masks the value of the parameter.
pub fn is_masked(value: &str) -> bool {
    value.len() >= MASKED.len() && value.chars().all(|c| c == '*')
}

/// The texts to remove. `Ref` of a `CommaDelimitedList` is a list.
fn parts<'a>(values: &'a [String], names: &ResourceNames) -> Vec<&'a str> {
    let parts = values
        .iter()
        .flat_map(|value| value.split(',').chain([value.as_str()]));
    let is_public =
        |value: &str| [&*names.env_id, &*names.project_id, "true", "false"].contains(&value);
    let parts = parts.map(str::trim).filter(|part| !is_public(part));
    // Any text has a hyphen.
    parts
        .filter(|part| part.contains(char::is_alphanumeric))
        .collect()
}

/// The places of values, account numbers and keys of objects. They may overlap.
fn removed_ranges(text: &str, parts: &[&str]) -> Vec<Range<usize>> {
    let is_account = |word: &Range<usize>| word.len() == ACCOUNT_DIGITS;
    let mut ranges: Vec<_> = words(text, |c| c.is_ascii_digit())
        .filter(is_account)
        .collect();
    // The keys of artifacts protect them.
    let keys = text.match_indices(":s3:::").filter_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest.find([' ', '"', '\'', ',', ')']).unwrap_or(rest.len());
        Some(at + rest.get(..end)?.find('/')? + 1..at + end)
    });
    ranges.extend(keys);
    // Some services change the case of names.
    let text = text.to_ascii_lowercase();
    for part in parts {
        let part = part.to_ascii_lowercase();
        let is_word = part.chars().all(char::is_alphanumeric);
        if is_word && part.chars().count() < MIN_CHARACTERS {
            let words = words(&text, char::is_alphanumeric);
            ranges.extend(words.filter(|word| text.get(word.clone()) == Some(&part)));
            continue;
        }
        // As JSON has it, too.
        let quoted = serde_json::Value::from(part.as_str()).to_string();
        let quoted = quoted.trim_matches('"').to_owned();
        for form in [part, quoted] {
            let starts = text.char_indices().map(|(at, _)| at);
            let is_there = |at: &usize| text.get(*at..).is_some_and(|it| it.starts_with(&form));
            ranges.extend(starts.filter(is_there).map(|at| at..at + form.len()));
        }
    }
    ranges
}

/// The longest runs of characters of a kind.
fn words(text: &str, is_of_kind: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + text.get(end..)?.find(&is_of_kind)?;
        let rest = text.get(start..)?;
        end = start + rest.find(|c| !is_of_kind(c)).unwrap_or(rest.len());
        Some(start..end)
    })
}

/// `text` with [`REMOVED`] for each range, and one for those that overlap or touch.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let (mut shown, mut end, mut is_removed) = (String::new(), 0, false);
    for range in ranges {
        if !is_removed || range.start > end {
            shown.push_str(text.get(end..range.start).unwrap_or_default());
            shown.push_str(REMOVED);
        }
        (end, is_removed) = (end.max(range.end), true);
    }
    shown + text.get(end..).unwrap_or_default()
}

/// Whether a value may be left in another form: CloudFormation may have returned the reason, or the
/// values, with `?`, and an address is percent-encoded.
fn may_contain(shown: &str, parts: &[&str]) -> bool {
    let garbled = ascii::comparable(&shown.replace(REMOVED, ""));
    let decoded = percent_decode_str(shown).decode_utf8_lossy();
    parts.iter().any(|part| {
        let comparable = ascii::comparable(part);
        let is_encoded = shown.contains('%') && !removed_ranges(&decoded, &[part]).is_empty();
        is_encoded || comparable.contains('?') && garbled.contains(&comparable)
    })
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
