//! What there is of a child stack.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Stack, StackEvent};

use super::token::{self, Purpose, RequestKey};
use crate::aws::{Aws, CallError};
use crate::records::{LOGICAL_ID, Owner, STACK_ID};

/// A child stack as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildStack {
    /// Its ARN, which is never used again.
    pub id: String,
    /// When it was created, in seconds since 1970; 0 when CloudFormation does not say.
    pub created: u64,
    /// As CloudFormation writes it, for example `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// What CloudFormation says about the status.
    pub status_reason: Option<String>,
    /// Whose its tags say that it is.
    pub owner: Option<Owner>,
    /// The parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// The outputs' values; none before it has been complete.
    pub outputs: BTreeMap<String, String>,
    /// The token of the latest operation, when that had one.
    pub latest_token: Option<String>,
    /// The latest request of this resource's that has begun an operation.
    pub latest_request: Option<RequestKey>,
}

impl ChildStack {
    /// What the latest operation was begun for, when that was for a request.
    pub fn latest_purpose(&self) -> Option<(RequestKey, Purpose)> {
        self.latest_token.as_deref().and_then(token::read)
    }
}

/// Looks at the child stack of this name or id; `None` when there is none.
///
/// While one operation runs, its token stays: `before`, what was seen last, saves reading the
/// events again.
pub async fn observe(
    aws: &Aws,
    name: &str,
    before: Option<&ChildStack>,
) -> Result<Option<ChildStack>, CallError> {
    let Some(stack) = describe(aws, name).await? else {
        return Ok(None);
    };
    let mut child = ChildStack {
        id: stack.stack_id.unwrap_or_else(|| name.to_owned()),
        created: stack
            .creation_time
            .and_then(|time| u64::try_from(time.secs()).ok())
            .unwrap_or(0),
        status: stack
            .stack_status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        status_reason: stack.stack_status_reason,
        owner: owner(stack.tags.as_deref().unwrap_or_default()),
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        latest_token: None,
        latest_request: None,
    };
    for parameter in stack.parameters.unwrap_or_default() {
        if let (Some(key), Some(value)) = (parameter.parameter_key, parameter.parameter_value) {
            child.parameters.insert(key, value);
        }
    }
    for output in stack.outputs.unwrap_or_default() {
        if let (Some(key), Some(value)) = (output.output_key, output.output_value) {
            child.outputs.insert(key, value);
        }
    }
    let still_runs = |before: &&ChildStack| {
        before.id == child.id
            && before.status == child.status
            && child.status.ends_with("_IN_PROGRESS")
    };
    if let Some(before) = before.filter(still_runs) {
        child.latest_token.clone_from(&before.latest_token);
        child.latest_request.clone_from(&before.latest_request);
        return Ok(Some(child));
    }
    let (events, _) = events(aws, &child.id, None).await?;
    let mut tokens = events
        .iter()
        .filter_map(|event| event.client_request_token());
    // The newest comes first. An operation without a token has events without one.
    child.latest_token = events
        .first()
        .and_then(StackEvent::client_request_token)
        .map(ToOwned::to_owned);
    child.latest_request = tokens.find_map(|token| Some(token::read(token)?.0));
    Ok(Some(child))
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
/// were cancelled because of it. `belongs` says whether an event with this token is of the
/// operation.
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
            let is_of_stack = event.physical_resource_id() == Some(child.id.as_str());
            let status = event.resource_status().map_or("", |status| status.as_str());
            let reason = event.resource_status_reason().unwrap_or_default();
            let belongs = belongs(event.client_request_token());
            if is_of_stack && is_start(status) && belongs {
                break 'pages;
            }
            let failed = status.ends_with("_FAILED") && !reason.contains("cancelled");
            if belongs && failed && !is_of_stack {
                first = Some(told(&event));
            }
        }
        match token {
            Some(token) => next = Some(token),
            None => break,
        }
    }
    Ok(first.unwrap_or_else(|| {
        let reason = child.status_reason.as_deref();
        reason.unwrap_or("CloudFormation gave no reason").to_owned()
    }))
}

/// The event with which an operation begins. A rollback belongs to what is rolled back.
fn is_start(status: &str) -> bool {
    matches!(
        status,
        "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS"
    )
}

fn told(event: &StackEvent) -> String {
    let status = event.resource_status().map_or("", |status| status.as_str());
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
