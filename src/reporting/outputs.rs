//! The outputs of the deployed stack.

use crate::aws::{Aws, CallError};
use crate::gitlab::MAX_CHARACTERS;

/// The output `name` of a stack, if it is an address that GitLab accepts for an environment.
///
/// # Errors
/// If CloudFormation does not describe the stack.
pub async fn address(aws: &Aws, stack_name: &str, name: &str) -> Result<Option<String>, CallError> {
    let call = aws.cloudformation.describe_stacks().stack_name(stack_name);
    let described = call.send().await.map_err(|error| {
        CallError::new(format!("reading the outputs of stack {stack_name}"), &error)
    })?;
    let outputs = described.stacks().iter().flat_map(|stack| stack.outputs());
    let mut named = outputs.filter(|output| output.output_key() == Some(name));
    let value = named.next().and_then(|output| output.output_value());
    let address = value.filter(|value| is_address(value));
    if address.is_none() {
        tracing::warn!(
            stack_name,
            output = name,
            "the output is not an http or https address of at most 255 characters"
        );
    }
    Ok(address.map(ToOwned::to_owned))
}

fn is_address(value: &str) -> bool {
    let parsed = reqwest::Url::parse(value);
    let is_http = parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    is_http && value.chars().count() <= MAX_CHARACTERS
}
