//! The outputs of the deployed stack, and the reasons of failures without its parameters.

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::MAX_CHARACTERS;
use crate::feedback::change_sets::{Audience, shown_reason};
use crate::feedback::execution::{Action, ActionState, Execution};
use crate::feedback::failures::values;
use crate::gitops_pipeline::describe_stack;
use crate::gitops_pipeline::executions::APPROVAL;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// The output `name` of a stack, if it is an address that GitLab accepts for an environment.
pub async fn address(aws: &Aws, stack_name: &str, name: &str) -> Result<Option<String>, CallError> {
    let stack = describe_stack(aws, stack_name).await?;
    let outputs = stack.iter().flat_map(|stack| stack.outputs());
    let mut named = outputs.filter(|output| output.output_key() == Some(name));
    let value = named.next().and_then(|output| output.output_value());
    let address = value.filter(|value| is_address(value));
    if address.is_none() {
        tracing::warn!(
            stack_name,
            output = name,
            "the output is not an http or https address of at most 255 characters in ASCII"
        );
    }
    Ok(address.map(ToOwned::to_owned))
}

/// The execution, with the part of each reason that `audience` may read.
pub async fn without_values(
    aws: &Aws,
    pipeline: &PipelineSettings,
    audience: Audience<'_>,
    execution: &Execution,
) -> Result<Execution, CallError> {
    let mut execution = execution.clone();
    let is_newest = execution.is_newest;
    for action in execution.actions.iter_mut().filter(|it| has_reason(it)) {
        let values = values::of_operation(aws, pipeline, action, is_newest).await?;
        action.summary = shown_reason(&action.summary, &values, audience, &pipeline.names);
    }
    Ok(execution)
}

/// The execution without a reason that would take too long to read.
pub fn without_reasons(execution: &Execution) -> Execution {
    let mut execution = execution.clone();
    for action in execution.actions.iter_mut().filter(|it| has_reason(it)) {
        "the reason is in AWS".clone_into(&mut action.summary);
    }
    execution
}

/// Whether an action failed for a reason that no person wrote: a person writes the summary of an
/// approval.
fn has_reason(action: &Action) -> bool {
    action.state == ActionState::Failed && action.name != APPROVAL
}

fn is_address(value: &str) -> bool {
    let parsed = reqwest::Url::parse(value);
    let is_http = parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    is_http && value.chars().count() <= MAX_CHARACTERS && !may_lack_characters(value)
}

/// Whether a `?` may stand for a character beyond ASCII, as CloudFormation returns it. One begins a
/// query such as `?env=dev`.
fn may_lack_characters(value: &str) -> bool {
    let query = value.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.contains('?') || !query.contains('='))
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn address_with_lost_characters_is_none() {
        for address in [
            "https://shop.example.com/",
            "https://shop.example.com/?env=dev&a",
            "https://xn--fsq.example.com/caf%C3%A9",
        ] {
            assert!(is_address(address), "{address}");
        }
        for lossy in [
            "https://??.example.com/",
            "https://m?nchen.example.com",
            "https://shop.example.com/gr??e",
            "https://shop.example.com/caf?",
            "https://shop.example.com/?q=???",
        ] {
            assert!(!is_address(lossy), "{lossy}");
        }
    }
}
