//! What there is of a child stack.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Stack, StackEvent};
use aws_smithy_types::DateTime;

use super::backoff::Backoff;
use super::early_validation;
use super::request_token;
use super::request_token::{Purpose, RequestKey};
use super::template;
use crate::aws::{Aws, CallError};
use crate::ownership::{LOGICAL_ID, Owner, STACK_ID};

/// Pages of events that are read to find the latest request. A hundred events are some ten
/// operations that somebody else began.
const MAX_PAGES: u32 = 3;

/// A child stack as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildStack {
    /// Its ARN, which is never used again.
    pub id: String,
    /// As CloudFormation writes it, for example `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// What CloudFormation says about the status.
    pub status_reason: Option<String>,
    /// When its latest operation began, in seconds since 1970.
    pub changed: i64,
    /// Whose its tags say that it is.
    pub owner: Option<Owner>,
    /// The parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// The outputs' values; none before it has been complete.
    pub outputs: BTreeMap<String, String>,
    /// The token of the latest operation, when that had one.
    pub latest_token: Option<String>,
    /// The latest operation that a request of this resource's has begun.
    pub latest_request: Option<(RequestKey, Purpose)>,
}

impl ChildStack {
    /// What the latest operation was begun for, when that was for a request.
    pub fn latest_purpose(&self) -> Option<(RequestKey, Purpose)> {
        self.latest_token.as_deref().and_then(request_token::read)
    }

    /// Whether an operation has ended so that another one can begin with what there is.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.status.as_str(),
            "CREATE_COMPLETE"
                | "UPDATE_COMPLETE"
                | "UPDATE_FAILED"
                | "UPDATE_ROLLBACK_COMPLETE"
                | "IMPORT_COMPLETE"
                | "IMPORT_ROLLBACK_COMPLETE"
        )
    }

    /// Whether an operation runs.
    pub fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    /// Whether it knows that its branch has been pushed.
    pub fn has_pipeline(&self) -> bool {
        let value = self.parameters.get(template::BRANCH_EXISTS);
        value.is_some_and(|value| value == "true")
    }
}

/// Looks at the child stack of this name or id; `None` when there is none.
///
/// While the operation runs that was seen `before`, its token stays; that saves reading the events
/// again.
pub async fn observe(
    aws: &Aws,
    name: &str,
    before: Option<&ChildStack>,
) -> Result<Option<ChildStack>, CallError> {
    let mut backoff = Backoff::default();
    loop {
        let Some(stack) = describe(aws, name).await? else {
            return Ok(None);
        };
        let mut child = described(stack, name);
        let still_runs = |before: &&ChildStack| {
            before.id == child.id
                && before.status == child.status
                && before.changed == child.changed
                && child.is_in_progress()
        };
        if let Some(before) = before.filter(still_runs) {
            child.latest_token.clone_from(&before.latest_token);
            child.latest_request.clone_from(&before.latest_request);
            return Ok(Some(child));
        }
        let event_status = read_operations(aws, &mut child).await?;
        if event_status
            .as_ref()
            .is_none_or(|other| *other == child.status)
        {
            return Ok(Some(child));
        }
        // Two calls: either may be late, and an operation can begin in between. What does not fit
        // is not believed, for about a minute.
        let status = &child.status;
        tracing::warn!(
            pipeline_stack = name,
            stack_status = status,
            event_status,
            "its events do not tell its status"
        );
        if !backoff.may_poll() {
            return Ok(Some(child));
        }
        backoff.pause().await;
    }
}

/// Reads who began the latest operations, and which status the latest event of the stack itself
/// tells.
async fn read_operations(aws: &Aws, child: &mut ChildStack) -> Result<Option<String>, CallError> {
    let mut event_status = None;
    let mut next = None;
    for page in 0..MAX_PAGES {
        let (events, token) = events(aws, &child.id, next).await?;
        // The newest comes first. An operation without a token has events without one.
        if page == 0 {
            let of_stack = events.iter().find(|event| is_of(event, child));
            event_status = of_stack.map(|event| status(event).to_owned());
            let newest = of_stack.or(events.first());
            child.latest_token = newest
                .and_then(StackEvent::client_request_token)
                .map(ToOwned::to_owned);
        }
        child.latest_request = events
            .iter()
            .filter_map(StackEvent::client_request_token)
            .find_map(request_token::read);
        next = token;
        if child.latest_request.is_some() || next.is_none() {
            break;
        }
    }
    Ok(event_status)
}

/// The description of the stack `name`, without who began its operations.
pub fn described(stack: Stack, name: &str) -> ChildStack {
    let times = [
        stack.creation_time,
        stack.last_updated_time,
        stack.deletion_time,
    ];
    let parameters = stack.parameters.unwrap_or_default();
    let outputs = stack.outputs.unwrap_or_default();
    ChildStack {
        id: stack.stack_id.unwrap_or_else(|| name.to_owned()),
        status: stack
            .stack_status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        status_reason: stack.stack_status_reason,
        changed: times
            .iter()
            .flatten()
            .map(DateTime::secs)
            .max()
            .unwrap_or(0),
        owner: owner(stack.tags.as_deref().unwrap_or_default()),
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
    }
}

/// The stack of this name or id as CloudFormation describes it. One that was deleted is described
/// by its id alone.
pub async fn describe(aws: &Aws, name: &str) -> Result<Option<Stack>, CallError> {
    let call = aws.cloudformation.describe_stacks().stack_name(name);
    match call.send().await {
        Ok(output) => Ok(output.stacks.unwrap_or_default().into_iter().next()),
        Err(error) => {
            let error = CallError::new(format!("looking up stack {name}"), &error);
            // CloudFormation has no type for this error, only a text.
            if error.is_invalid() && error.cause.contains("does not exist") {
                Ok(None)
            } else {
                Err(error)
            }
        }
    }
}

/// Why an operation on `child` failed: the first resource that did, and its reason. The others
/// were cancelled because of it. If CloudFormation rejected the stack before it began with a
/// resource, the details of that validation. `belongs` says whether an event with this token is of
/// the operation.
pub async fn first_failure(
    aws: &Aws,
    child: &ChildStack,
    belongs: impl Fn(Option<&str>) -> bool,
) -> Result<String, CallError> {
    let mut first = None;
    let mut next = None;
    'pages: loop {
        let (page, token) = events(aws, &child.id, next).await?;
        // The newest comes first.
        for event in page {
            let is_of_stack = is_of(&event, child);
            let status = status(&event);
            let reason = event.resource_status_reason().unwrap_or_default();
            // What was being made at the same time.
            let is_cancelled = reason.starts_with("Resource ") && reason.ends_with(" cancelled");
            let belongs = belongs(event.client_request_token());
            if is_of_stack && is_start(status) && belongs {
                break 'pages;
            }
            let failed = status.ends_with("_FAILED") && !is_cancelled;
            if belongs && failed && !is_of_stack {
                first = Some(describe_event(&event));
            }
        }
        match token {
            Some(token) => next = Some(token),
            None => break,
        }
    }
    let has_failed_resource = first.is_some();
    let reason = first.unwrap_or_else(|| {
        let reason = child.status_reason.as_deref();
        reason.unwrap_or("CloudFormation gave no reason").to_owned()
    });
    if has_failed_resource && !names_validation(&reason) {
        return Ok(reason);
    }
    match early_validation::failures(aws, &child.id, belongs).await {
        Ok(Some(failures)) => Ok(failures),
        Ok(None) => Ok(reason),
        Err(error) => {
            tracing::warn!(%error, "the reason of the failure may lack details");
            Ok(reason)
        }
    }
}

/// Whether a stack's reason only names a validation that failed, such as
/// "The following hook(s)/validation failed: [`AWS::EarlyValidation::ResourceExistenceCheck`]" or
/// "Validation failed with 2 error(s)".
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
fn names_validation(reason: &str) -> bool {
    reason.contains("EarlyValidation") || reason.to_lowercase().contains("validation failed")
}

/// The event with which an operation begins. A rollback belongs to what is rolled back.
fn is_start(status: &str) -> bool {
    matches!(
        status,
        "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS"
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

async fn events(
    aws: &Aws,
    stack_id: &str,
    next: Option<String>,
) -> Result<(Vec<StackEvent>, Option<String>), CallError> {
    let call = aws
        .cloudformation
        .describe_stack_events()
        .stack_name(stack_id)
        .set_next_token(next);
    let output = call.send().await.map_err(|error| {
        CallError::new(format!("reading the events of stack {stack_id}"), &error)
    })?;
    Ok((output.stack_events.unwrap_or_default(), output.next_token))
}

fn owner(tags: &[aws_sdk_cloudformation::types::Tag]) -> Option<Owner> {
    let value = |key: &str| {
        let tag = tags.iter().find(|tag| tag.key() == Some(key))?;
        tag.value().map(ToOwned::to_owned)
    };
    Some(Owner {
        stack_id: value(STACK_ID)?,
        logical_id: value(LOGICAL_ID)?,
    })
}
