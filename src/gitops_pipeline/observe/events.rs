//! The events of a child stack: which request started an operation, and why one failed.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::operation::describe_stack_events::DescribeStackEventsError;
use aws_sdk_cloudformation::types::StackEvent;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::early_validation;
use super::early_validation::Finding;
use crate::clients::aws::{Aws, CallError, required};
use crate::clients::cloudformation::{StackStatus, has_failed};
use crate::clients::failing_calls::within;
use crate::gitops_pipeline::intent_log::request_token;
use crate::gitops_pipeline::state::ChildStack;

/// How long the findings of hooks and validations may take.
const FINDINGS_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads which requests started the latest operations. Returns the status in the latest event of
/// the stack itself.
///
/// Reads up to both, or all events. If operations of other callers or short pages hid the latest
/// request, a late copy of an earlier one would change the stack, or delete it. Without an event of
/// the stack itself, an outdated description of the stack would count as current, and the request
/// would succeed before its operation has ended.
pub async fn read_operations(
    aws: &Aws,
    child: &mut ChildStack,
) -> Result<Option<StackStatus>, CallError> {
    let (mut events, mut event_status) = (events(aws, &child.id), None);
    let mut is_newest = true;
    // The latest event comes first. The events of an operation without a token have none.
    while let Some(event) = events.next().await {
        let event = required(event, || reading(&child.id))?;
        let token = event.client_request_token();
        let is_of_stack = event_status.is_none() && is_of(&event, child);
        if is_of_stack {
            event_status = Some(StackStatus::parse(event.resource_status()));
        }
        if is_of_stack || is_newest {
            child.latest_token = token.map(ToOwned::to_owned);
        }
        is_newest = false;
        if child.latest_request.is_none() {
            child.latest_request = token.and_then(request_token::read);
            // The last event of an operation is the stack's own.
            child.is_request_complete = child.latest_request.is_some()
                && is_of(&event, child)
                && matches!(
                    StackStatus::parse(event.resource_status()),
                    StackStatus::CreateComplete | StackStatus::UpdateComplete
                );
        }
        if event_status.is_some() && child.latest_request.is_some() {
            break;
        }
    }
    Ok(event_status)
}

/// Why an operation on `child` failed: the first failed resource, and its reason. CloudFormation
/// cancels the others. If a hook rejected the resource, also the hook's message. If a validation
/// rejected the operation before CloudFormation changed a resource, its findings. `is_own` returns
/// whether an event with this token belongs to the operation.
pub async fn first_failure(
    aws: &Aws,
    child: &ChildStack,
    is_own: impl Fn(Option<&str>) -> bool,
) -> String {
    let (first, mut findings) = match first_failed_resource(aws, child, &is_own).await {
        Ok(read) => read,
        Err(error) => return error.to_string(),
    };
    // They are only a text, so they delay a rollback no longer.
    let read = early_validation::read(aws, &child.id, None, |event| {
        is_own(event.client_request_token())
    });
    match within(FINDINGS_TIMEOUT, Box::pin(read)).await {
        Ok(Ok(found)) => findings.extend(found),
        Ok(Err(error)) => warn!(error.reason(), "the reason of the failure may lack details"),
        Err(cut) => tracing::warn!(error = %cut, "the reason of the failure may lack details"),
    }
    let reason = match first {
        // Other resources may have failed later, and their findings are not its cause.
        Some(first) => {
            findings.retain(|finding| first.may_have(finding));
            Some(first.described)
        }
        None => child.status_reason.clone(),
    };
    // Both calls return those of hooks.
    let mut causes = BTreeSet::new();
    findings.retain(|finding| causes.insert(finding.cause.clone()));
    early_validation::explain(reason, &findings, ToOwned::to_owned)
        .unwrap_or_else(|| "CloudFormation gave no reason".to_owned())
}

struct FailedResource {
    logical_id: String,
    operation_id: Option<String>,
    described: String,
}

impl FailedResource {
    /// Whether the finding is of this resource, and not of an earlier operation.
    fn may_have(&self, finding: &Finding) -> bool {
        let ids = self.operation_id.as_ref().zip(finding.operation_id.as_ref());
        finding.logical_id == self.logical_id && ids.is_none_or(|(own, other)| own == other)
    }
}

/// The first failed resource of an operation, and what its hooks found.
async fn first_failed_resource(
    aws: &Aws,
    child: &ChildStack,
    is_own: &impl Fn(Option<&str>) -> bool,
) -> Result<(Option<FailedResource>, Vec<Finding>), CallError> {
    let (mut first, mut findings) = (None, vec![]);
    let mut events = events(aws, &child.id);
    // The latest event comes first.
    while let Some(event) = events.next().await {
        let event = required(event, || reading(&child.id))?;
        if !is_own(event.client_request_token()) {
            continue;
        }
        if is_of(&event, child) {
            if is_start(&StackStatus::parse(event.resource_status())) {
                break;
            }
            continue;
        }
        findings.extend(early_validation::parse_hook_event(&event));
        let reason = event.resource_status_reason().unwrap_or_default();
        if has_failed(&event) && !is_cancelled(reason) {
            first = Some(FailedResource {
                logical_id: event.logical_resource_id().unwrap_or("?").to_owned(),
                operation_id: event.operation_id().map(ToOwned::to_owned),
                described: describe_event(&event),
            });
        }
    }
    Ok((first, findings))
}

/// Whether a resource has this reason because CloudFormation cancelled it: another one failed.
pub fn is_cancelled(reason: &str) -> bool {
    reason.starts_with("Resource ") && reason.ends_with(" cancelled")
}

/// Whether CloudFormation began or ended an update of the pipeline in the stack `stack_name` during
/// this time, also in a rollback.
pub async fn has_updated_pipeline(
    aws: &Aws,
    stack_name: &str,
    during: &RangeInclusive<SystemTime>,
) -> Result<bool, CallError> {
    let mut events = events(aws, stack_name);
    // The latest event comes first.
    while let Some(event) = events.next().await {
        let event = required(event, || reading(stack_name))?;
        let time = event.timestamp().copied().map(SystemTime::try_from);
        let Some(Ok(time)) = time else { continue };
        if time < *during.start() {
            break;
        }
        if during.contains(&time) && is_pipeline_update(&event) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_pipeline_update(event: &StackEvent) -> bool {
    event.resource_type() == Some("AWS::CodePipeline::Pipeline")
        && status(event).starts_with("UPDATE_")
}

/// Whether this is the status of an operation's first event. A rollback belongs to its operation.
fn is_start(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateInProgress
            | StackStatus::UpdateInProgress
            | StackStatus::DeleteInProgress
    )
}

/// Whether the event is of the stack itself and not of a resource in it.
fn is_of(event: &StackEvent, child: &ChildStack) -> bool {
    event.physical_resource_id() == Some(child.id.as_str())
}

fn status(event: &StackEvent) -> &str {
    event.resource_status().map_or("", |status| status.as_str())
}

fn describe_event(event: &StackEvent) -> String {
    let status = status(event);
    let name = event.logical_resource_id().unwrap_or("?");
    let kind = event.resource_type().unwrap_or("?");
    let id = event.physical_resource_id().unwrap_or_default();
    let id = if id.is_empty() {
        String::new()
    } else {
        format!(", {id}")
    };
    let reason = event.resource_status_reason().unwrap_or("no reason given");
    format!("{name} ({kind}{id}) {status}: {reason}")
}

/// The events of a stack, the latest first. Pages are read as they are needed.
fn events(
    aws: &Aws,
    stack_id: &str,
) -> PaginationStream<Result<StackEvent, SdkError<DescribeStackEventsError, HttpResponse>>> {
    let call = aws.cloudformation.describe_stack_events();
    call.stack_name(stack_id).into_paginator().items().send()
}

fn reading(stack_id: &str) -> String {
    format!("reading the events of stack {stack_id}")
}
