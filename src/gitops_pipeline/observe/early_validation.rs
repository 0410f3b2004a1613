//! CloudFormation's pre-deployment validation, whose findings only `DescribeEvents` returns.
//!
//! CloudFormation validates each stack operation before it creates anything: the syntax of
//! properties, and whether a resource of the name already exists. The stack's own reason and events
//! name neither the resource nor the finding.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>

use aws_sdk_cloudformation::types::{EventFilter, EventType, HookFailureMode, OperationEvent};

use crate::aws::{Aws, CallError};

/// Maximum pages of events to read: the failed events of a stack's few latest operations.
const MAX_PAGES: u32 = 3;

/// Maximum findings in a reason: CloudFormation accepts responses of up to 4096 bytes.
const MAX_FINDINGS: usize = 3;

/// Why CloudFormation rejected the operation on stack `stack_id` whose events have a token that
/// `belongs` accepts: each finding with its resource. `None` if it returns no finding.
pub async fn failures(
    aws: &Aws,
    stack_id: &str,
    belongs: impl Fn(Option<&str>) -> bool,
) -> Result<Option<String>, CallError> {
    let failed = EventFilter::builder().failed_events(true).build();
    let mut findings: Vec<String> = vec![];
    let mut operation_id = None;
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let call = aws.cloudformation.describe_events().stack_name(stack_id);
        let call = call.filters(failed.clone()).set_next_token(next);
        let page = call.send().await.map_err(|error| {
            let doing = format!("reading the failed operations of stack {stack_id}");
            CallError::new(doing, &error)
        })?;
        for event in page.operation_events() {
            if !is_failure(event) || !belongs(event.client_request_token()) {
                continue;
            }
            // The latest operation comes first, and not every event has a token.
            let of = event.operation_id().map(ToOwned::to_owned);
            let finding = finding(event);
            if *operation_id.get_or_insert_with(|| of.clone()) == of && !findings.contains(&finding)
            {
                findings.push(finding);
            }
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(join(&findings))
}

/// Whether the event shows why an operation failed: a validation or hook that fails it instead of
/// only warning.
fn is_failure(event: &OperationEvent) -> bool {
    let mode = match event.event_type() {
        Some(EventType::ValidationError) => event.validation_failure_mode(),
        Some(EventType::HookInvocationError) => event.hook_failure_mode(),
        _ => return false,
    };
    mode != Some(&HookFailureMode::Warn)
}

fn finding(event: &OperationEvent) -> String {
    let name = event.logical_resource_id().unwrap_or("?");
    let kind = event.resource_type().unwrap_or("?");
    let reason = event
        .validation_status_reason()
        .or(event.hook_status_reason())
        .or(event.resource_status_reason())
        .unwrap_or("no reason given");
    match event.validation_path().filter(|path| !path.is_empty()) {
        Some(path) => format!("{name} ({kind}) {path}: {reason}"),
        None => format!("{name} ({kind}): {reason}"),
    }
}

fn join(findings: &[String]) -> Option<String> {
    let shown = findings.get(..MAX_FINDINGS).unwrap_or(findings).join("; ");
    match findings.len() {
        0 => None,
        n if n > MAX_FINDINGS => {
            let more = n - MAX_FINDINGS;
            Some(format!("validation failed: {shown}; and {more} more"))
        }
        _ => Some(format!("validation failed: {shown}")),
    }
}
