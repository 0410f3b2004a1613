//! CloudFormation's pre-deployment validation, whose findings only `DescribeEvents` returns.
//!
//! CloudFormation validates each stack operation before it creates anything: the syntax of
//! properties, and whether a resource of the name already exists. The stack's own reason and events
//! name neither the resource nor the finding.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>

use std::fmt;

use aws_sdk_cloudformation::types::{EventFilter, EventType, HookFailureMode, OperationEvent};

use crate::clients::aws::{Aws, CallError, required};

/// Maximum findings in a reason: CloudFormation accepts responses of up to 4096 bytes.
const MAX_FINDINGS: usize = 3;

/// The error of a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The resource with its type, and the path in the template.
    pub place: String,
    pub cause: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.cause)
    }
}

/// Whether a reason of CloudFormation contains only the name of a failed validation, such as
/// "The following hook(s)/validation failed: [`AWS::EarlyValidation::ResourceExistenceCheck`]" or
/// "Validation failed with 2 error(s)".
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
pub fn names_validation(reason: &str) -> bool {
    reason.contains("EarlyValidation") || reason.to_lowercase().contains("validation failed")
}

/// Why CloudFormation's validation rejected a change set of the stack. Empty if it returns no
/// finding.
pub async fn of_change_set(
    aws: &Aws,
    stack_name: &str,
    name: &str,
) -> Result<Vec<Finding>, CallError> {
    findings(aws, stack_name, Some(name), |_| true).await
}

/// Why CloudFormation rejected the operation on stack `stack_id` whose events have a token that
/// `belongs` accepts: each finding with its resource. `None` if it returns no finding.
pub async fn failures(
    aws: &Aws,
    stack_id: &str,
    belongs: impl Fn(Option<&str>) -> bool,
) -> Result<Option<String>, CallError> {
    let findings = findings(aws, stack_id, None, belongs).await?;
    Ok(describe(&findings))
}

async fn findings(
    aws: &Aws,
    stack: &str,
    change_set: Option<&str>,
    belongs: impl Fn(Option<&str>) -> bool,
) -> Result<Vec<Finding>, CallError> {
    let failed = EventFilter::builder().failed_events(true).build();
    let mut findings: Vec<Finding> = vec![];
    let mut operation_id = None;
    let call = aws.cloudformation.describe_events().stack_name(stack);
    let call = call.set_change_set_name(change_set.map(ToOwned::to_owned));
    let mut pages = call.filters(failed).into_paginator().send();
    // CloudFormation may shorten pages, and keeps events for 90 days.
    while let Some(page) = pages.next().await {
        let doing = || format!("reading the failed operations of stack {stack}");
        let page = required(page, doing)?;
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
    }
    Ok(findings)
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

fn finding(event: &OperationEvent) -> Finding {
    let name = event.logical_resource_id().unwrap_or("?");
    let kind = event.resource_type().unwrap_or("?");
    let reason = event
        .validation_status_reason()
        .or(event.hook_status_reason())
        .or(event.resource_status_reason())
        .unwrap_or("no reason given");
    let path = event.validation_path().filter(|path| !path.is_empty());
    let path = path.map(|path| format!(" {path}")).unwrap_or_default();
    Finding {
        place: format!("{name} ({kind}){path}"),
        cause: reason.to_owned(),
    }
}

/// The findings in a reason. `None` if there are none.
pub fn describe(findings: &[Finding]) -> Option<String> {
    let shown: Vec<String> = findings
        .iter()
        .take(MAX_FINDINGS)
        .map(ToString::to_string)
        .collect();
    let shown = shown.join("; ");
    match findings.len() {
        0 => None,
        n if n > MAX_FINDINGS => {
            let more = n - MAX_FINDINGS;
            Some(format!("validation failed: {shown}; and {more} more"))
        }
        _ => Some(format!("validation failed: {shown}")),
    }
}
