//! Which reasons of CloudFormation are shown in GitLab.

use std::borrow::Cow;

use crate::common::ascii;
use crate::gitops_pipeline::names::ResourceNames;

/// The text that is shown instead of a reason with a value.
pub const HIDDEN_REASON: &str =
    "the reason is not shown, because it has a value of a parameter or an ARN";

/// The text that is shown if the change set was executed, or deleted, before: CloudFormation keeps none whose execution
/// has failed (<https://github.com/aws/aws-cdk/issues/21677>).
pub const GONE: &str = "its change set was executed or deleted before. Retry all actions of the stage (in the console: Retry \
    stage), which asks for a new approval";

/// A shorter value, such as `1`, is part of many words. It counts only as a word of its own.
const MIN_CHARACTERS: usize = 4;

/// `reason`, or [`HIDDEN_REASON`] if it contains an ARN or one of the parameters' `values`. For example,
/// `Fn::FindInMap` with an unknown key fails with the key, which may be a parameter's value.
///
/// The IDs of environment and project do not count, because the status and the note show them. Most
/// projects pass them as parameters. A denial that the deploy role's policies cause is shown with its remedy. So is a
/// missing change set: only the failed actions of a stage were retried.
pub fn shown_reason<'a>(reason: &'a str, values: &[String], names: &ResourceNames) -> Cow<'a, str> {
    // The text: https://github.com/aws/aws-cdk/issues/11995.
    if reason.starts_with("ChangeSet [") && reason.contains("] does not exist") {
        return GONE.into();
    }
    let is_public =
        |value: &str| [&*names.env_id, &*names.project_id, "true", "false"].contains(&value);
    // CloudFormation may have returned the reason, or the values, with `?`.
    let is_hidden = |text: &str| {
        let mut values = values.iter().filter(|value| !is_public(value));
        let text = ascii::comparable(text);
        text.contains("arn:aws") || values.any(|value| has(&text, &ascii::comparable(value)))
    };
    if !is_hidden(reason) {
        return reason.into();
    }
    let denied = denied_action(reason, names).filter(|action| !is_hidden(action));
    denied.map_or(HIDDEN_REASON.into(), |action| {
        format!(
            "no policy allows pipelines to call {action}. Add one to DeployPolicyArns of the environment's stack"
        )
        .into()
    })
}

/// The action that no policy of the deploy role allows, in IAM's message.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn denied_action<'a>(reason: &'a str, names: &ResourceNames) -> Option<&'a str> {
    let session = format!("/role-{}-codedeploy-cfn/", names.env_id);
    let (_, denial) = reason.split_once(&session)?;
    let (_, action) = denial.split_once("is not authorized to perform: ")?;
    let action = action.split_whitespace().next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
    let by_identity = denial.contains("no identity-based policy allows");
    (by_identity && action.chars().all(is_name)).then_some(action)
}

/// Whether `reason` has the value, or an element of it: `Ref` of a `CommaDelimitedList` is a list.
fn has(reason: &str, value: &str) -> bool {
    is_masked(value)
        || contains(reason, value.trim())
        || value.split(',').any(|one| contains(reason, one.trim()))
}

/// Whether CloudFormation masks the value of a `NoEcho` parameter. Each reason may contain it.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>
fn is_masked(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c == '*')
}

fn contains(reason: &str, text: &str) -> bool {
    let is_word = text.chars().all(char::is_alphanumeric);
    if is_word && text.chars().count() < MIN_CHARACTERS {
        let mut words = reason.split(|c: char| !c.is_alphanumeric());
        return !text.is_empty() && words.any(|word| word == text);
    }
    reason.contains(text)
}
