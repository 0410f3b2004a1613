//! The findings of CloudFormation's pre-deployment validation and of hooks.
//!
//! CloudFormation validates each stack operation before it creates anything: the syntax of
//! properties, and whether a resource of the name already exists. The stack's own reason and events
//! name neither the resource nor the finding. Only `DescribeEvents` returns them.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
//!
//! If a hook rejects a resource, the resource's reason has only the hook's name. The hook's message
//! is the `HookStatusReason` of other events (<https://github.com/aws/aws-cdk/issues/21674>). So
//! the findings are read after each failure, with any reason.

use std::fmt;

use aws_sdk_cloudformation::types::{
    EventFilter, EventType, HookFailureMode, OperationEvent, StackEvent,
};

use crate::clients::aws::{Aws, CallError, required};

/// Maximum findings in a reason: CloudFormation accepts responses of up to 4096 bytes.
const MAX_FINDINGS: usize = 3;

/// Maximum findings that are read. A template has up to 500 resources.
const MAX_READ: usize = 100;

/// The error of a validation or of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The ID of the resource in the template.
    pub logical_id: String,
    pub resource_type: String,
    /// The resource with its type, and the path in the template.
    pub place: String,
    pub cause: String,
    pub is_of_hook: bool,
    /// The operation that it belongs to. `None` if CloudFormation does not return it.
    pub operation_id: Option<String>,
}

impl Finding {
    /// The finding with the parts of its texts that `shown` returns.
    #[must_use]
    pub fn shown(&self, shown: impl Fn(&str) -> String) -> Self {
        Finding {
            place: shown(&self.place),
            cause: shown(&self.cause),
            ..self.clone()
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.cause)
    }
}

/// Why CloudFormation's validation, or a hook, rejected a change set of the stack. Empty if
/// CloudFormation returns no finding, or none to the function: its own reason is shown then.
///
/// # Errors
/// If the call may succeed later.
pub async fn read_for_change_set(
    aws: &Aws,
    stack_name: &str,
    name: &str,
) -> Result<Vec<Finding>, CallError> {
    match read(aws, stack_name, Some(name), |_| true).await {
        Err(error) if !error.is_transient() => {
            warn!(
                error.reason(),
                "the reason of a failed change set may lack details"
            );
            Ok(vec![])
        }
        found => found,
    }
}

/// Why CloudFormation rejected the latest operation on `stack` whose events `is_own` accepts. With
/// a `change_set`, only its creation counts.
pub async fn read(
    aws: &Aws,
    stack: &str,
    change_set: Option<&str>,
    is_own: impl Fn(&OperationEvent) -> bool,
) -> Result<Vec<Finding>, CallError> {
    let failed = EventFilter::builder().failed_events(true).build();
    let mut findings: Vec<Finding> = vec![];
    let call = aws.cloudformation.describe_events().stack_name(stack);
    let call = call.set_change_set_name(change_set.map(ToOwned::to_owned));
    let mut pages = call.filters(failed).into_paginator().send();
    // CloudFormation may shorten pages, and keeps events for 90 days.
    while let Some(page) = pages.next().await {
        let doing = || format!("reading the failed operations of stack {stack}");
        let page = required(page, doing)?;
        if !page.operation_events().iter().all(|event| add(&mut findings, event, &is_own)) {
            break;
        }
    }
    Ok(findings)
}

/// Adds the finding of `event` to those of the latest operation that `is_own` accepts. `false` if
/// no later event is needed. The latest operation comes first.
fn add(
    findings: &mut Vec<Finding>,
    event: &OperationEvent,
    is_own: impl Fn(&OperationEvent) -> bool,
) -> bool {
    if !is_failure(event) {
        return true;
    }
    let finding = parse_operation_event(event);
    let first = findings.first();
    if first.is_some_and(|first| first.operation_id != finding.operation_id) {
        return false;
    }
    if is_own(event) && !findings.contains(&finding) {
        findings.push(finding);
    }
    findings.len() < MAX_READ
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

fn parse_operation_event(event: &OperationEvent) -> Finding {
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
        logical_id: name.to_owned(),
        resource_type: kind.to_owned(),
        place: format!("{name} ({kind}){path}"),
        cause: reason.to_owned(),
        is_of_hook: event.event_type() == Some(&EventType::HookInvocationError),
        operation_id: event.operation_id().map(ToOwned::to_owned),
    }
}

/// The finding of a hook in an event of a stack. `None` if no hook failed the resource.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>
pub fn parse_hook_event(event: &StackEvent) -> Option<Finding> {
    let status = event.hook_status()?.as_str();
    let is_warning = event.hook_failure_mode() == Some(&HookFailureMode::Warn);
    if is_warning || !status.ends_with("_FAILED") {
        return None;
    }
    let (name, kind) = (event.logical_resource_id()?, event.resource_type()?);
    Some(Finding {
        logical_id: name.to_owned(),
        resource_type: kind.to_owned(),
        place: format!("{name} ({kind})"),
        cause: event.hook_status_reason()?.to_owned(),
        is_of_hook: true,
        operation_id: event.operation_id().map(ToOwned::to_owned),
    })
}

/// The `reason` of a failure with its findings, of whose texts only the parts that `shown` returns.
/// `None` if there are neither. Those of hooks explain the reason, which names the hook. Those of
/// validations replace it.
pub fn explain(
    reason: Option<String>,
    findings: &[Finding],
    shown: impl Fn(&str) -> String,
) -> Option<String> {
    let first = findings.iter().take(MAX_FINDINGS);
    let first: Vec<String> = first.map(|it| it.shown(&shown).to_string()).collect();
    let mut shown = first.join("; ");
    if findings.len() > MAX_FINDINGS {
        let more = findings.len() - MAX_FINDINGS;
        shown = format!("{shown}; and {more} more");
    }
    match reason {
        reason if findings.is_empty() => reason,
        Some(reason) if findings.iter().any(|finding| finding.is_of_hook) => {
            Some(format!("{reason}: {shown}"))
        }
        _ => Some(format!("validation failed: {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(logical_id: &str, is_of_hook: bool) -> Finding {
        Finding {
            logical_id: logical_id.to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            place: format!("{logical_id} (AWS::SQS::Queue)"),
            cause: "no".to_owned(),
            is_of_hook,
            operation_id: None,
        }
    }

    #[test]
    fn reading_ends_with_the_latest_operation() {
        let event = |operation: &str, name: &str, token: Option<&str>| {
            let event = OperationEvent::builder().event_type(EventType::ValidationError);
            let event = event.operation_id(operation).logical_resource_id(name);
            event.set_client_request_token(token.map(ToOwned::to_owned)).build()
        };
        let mut found = vec![];
        let mut add = |operation: &str, name: &str, token| {
            let event = event(operation, name, token);
            super::add(&mut found, &event, |it| {
                it.client_request_token() == Some("own")
            })
        };
        assert!(add("o3", "Later", None));
        assert!(add("o2", "A", Some("own")));
        assert!(add("o2", "A", Some("own")));
        assert!(add("o2", "B", Some("own")));
        assert!(!add("o1", "Earlier", Some("own")));
        let names: Vec<&str> = found.iter().map(|it| it.logical_id.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
    }

    #[test]
    fn endless_findings_are_cut_off() {
        let mut found = vec![];
        let mut numbers = 0..;
        let read_all = numbers.by_ref().all(|n| {
            let event = OperationEvent::builder().event_type(EventType::ValidationError);
            let event = event.logical_resource_id(n.to_string()).build();
            super::add(&mut found, &event, |_| true)
        });
        assert!(!read_all && found.len() == MAX_READ);
    }

    #[test]
    fn hook_explains_the_reason_and_validation_replaces_it() {
        let explained = |findings: &[Finding]| {
            explain(Some("it failed".to_owned()), findings, ToOwned::to_owned)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(explained(&[]), text("it failed"));
        let hook = explained(&[finding("A", true)]);
        assert_eq!(hook, text("it failed: A (AWS::SQS::Queue): no"));
        let invalid = explained(&[finding("A", false)]);
        assert_eq!(invalid, text("validation failed: A (AWS::SQS::Queue): no"));
        let five = explained(&["A", "B", "C", "D", "E"].map(|name| finding(name, true)));
        assert!(five.is_some_and(|five| five.ends_with("; and 2 more")));
    }
}
