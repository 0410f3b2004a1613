//! Reads a child stack.

pub mod early_validation;
mod events;
pub mod pipeline_settings;
pub mod tracker;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Stack;
use aws_smithy_types::DateTime;
use serde_json::Value;

use self::events::first_failure;
pub use self::events::{has_updated_pipeline, is_cancelled};
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::{StackStatus, stack_resource};
use crate::common::ownership::Owner;
use crate::gitops_pipeline::state::ChildStack;
use crate::reconcile::backoff::Backoff;

/// Reads the child stack with this name or ID. `None` if it does not exist.
///
/// While the operation runs that was observed `before`, its token is kept, and no events are read.
pub async fn observe(
    aws: &Aws,
    name: &str,
    before: Option<&ChildStack>,
) -> Result<Option<ChildStack>, CallError> {
    let mut backoff = Backoff::<()>::new();
    loop {
        let Some(stack) = describe(aws, name).await? else {
            return Ok(None);
        };
        let mut child = described(stack, name);
        let is_still_running = |before: &&ChildStack| {
            before.id == child.id
                && before.status == child.status
                && before.changed == child.changed
                && child.status.is_in_progress()
        };
        if let Some(before) = before.filter(is_still_running) {
            child.latest_token.clone_from(&before.latest_token);
            child.latest_request.clone_from(&before.latest_request);
            child.is_request_complete = before.is_request_complete;
            return Ok(Some(child));
        }
        let event_status = events::read_operations(aws, &mut child).await?;
        if event_status.as_ref().is_none_or(|other| *other == child.status) {
            return Ok(Some(child));
        }
        // The status and the events come from two calls. Either may be out of date, and an
        // operation may start in between. If they differ, both are read again, for about a minute.
        tracing::warn!(
            pipeline_stack = name,
            stack_status = child.status.as_str(),
            event_status = event_status.as_ref().map(StackStatus::as_str),
            "the stack's events do not match its status"
        );
        if !backoff.may_poll() {
            return Ok(Some(child));
        }
        backoff.pause().await;
    }
}

/// The resource of the child stack whose metadata records the latest request.
pub const RECORDING_RESOURCE: &str = "BuildLogGroup";

/// In this metadata: the key of the properties that the stack was rendered for.
pub const PROPERTIES: &str = "Properties";

/// The key of the properties that the child stack `id` was rendered for. `None` if its template
/// does not record it.
pub async fn properties_key(aws: &Aws, id: &str) -> Result<Option<String>, CallError> {
    let recording = Owner {
        stack_id: id.to_owned(),
        logical_id: RECORDING_RESOURCE.to_owned(),
    };
    let shown = stack_resource(aws, &recording).await?;
    let metadata = shown.and_then(|shown| shown.metadata);
    let metadata = metadata.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let key = metadata.and_then(|metadata| Some(metadata[PROPERTIES].as_str()?.to_owned()));
    Ok(key)
}

/// Converts the description of the stack `name`. It does not show which requests started the
/// operations.
pub fn described(stack: Stack, name: &str) -> ChildStack {
    let times = [
        stack.creation_time,
        stack.last_updated_time,
        stack.deletion_time,
    ];
    let parameters = stack.parameters.unwrap_or_default();
    let outputs = stack.outputs.unwrap_or_default();
    let tags = stack.tags.unwrap_or_default().into_iter();
    let tags: BTreeMap<String, String> =
        tags.filter_map(|tag| Some((tag.key?, tag.value?))).collect();
    ChildStack {
        id: stack.stack_id.unwrap_or_else(|| name.to_owned()),
        status: StackStatus::parse(stack.stack_status),
        status_reason: stack.stack_status_reason,
        changed: times.iter().flatten().map(DateTime::secs).max().unwrap_or(0),
        owner: Owner::from_tags(|key| tags.get(key).map(String::as_str)),
        tags,
        parameters: parameters
            .into_iter()
            .filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?)))
            .collect(),
        outputs: outputs
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect(),
        latest_token: None,
        latest_request: None,
        is_request_complete: false,
        failure: None,
    }
}

/// CloudFormation's description of the stack with this name or ID. `None` if it does not exist.
/// CloudFormation describes a deleted stack only by its ID.
pub async fn describe(aws: &Aws, name: &str) -> Result<Option<Stack>, CallError> {
    let call = aws.cloudformation.describe_stacks().stack_name(name);
    match call.send().await {
        Ok(output) => Ok(output.stacks.unwrap_or_default().into_iter().next()),
        Err(error) => {
            let error = CallError::new(format!("looking up stack {name}"), &error);
            // CloudFormation has no error code for this, only a message.
            if error.is_invalid() && error.cause.contains("does not exist") {
                Ok(None)
            } else {
                Err(error)
            }
        }
    }
}
