//! The newest operation of a stack, as its events show it: the resources that failed.
//!
//! CloudFormation returns the latest event first, and no call returns an operation's resources in
//! the order in which they failed. So the events are read from the end of the operation to its
//! beginning. A rollback belongs to the operation, although it has an operation ID of its own:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html>.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::{Parameter, StackEvent};

use crate::clients::aws::CallError;
use crate::clients::cloudformation::{StackStatus, has_failed};
use crate::common::one_line::one_line;
use crate::common::stop::Stop;
use crate::gitops_pipeline::{early_validation, is_cancelled};

/// The type of a nested stack, and of the stack itself in its own events.
pub const STACK: &str = "AWS::CloudFormation::Stack";

/// Why no resource is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted {
    pub because: &'static str,
    /// Whether a later look may list some, because AWS may show the end of the operation only after
    /// the failure of the action.
    pub is_late: bool,
}

impl Unlisted {
    pub const fn late(because: &'static str) -> Self {
        Unlisted {
            because,
            is_late: true,
        }
    }

    pub const fn finally(because: &'static str) -> Self {
        Unlisted {
            because,
            is_late: false,
        }
    }
}

/// No resource is listed, or a call failed.
pub type Unread = Stop<CallError, Unlisted>;

impl From<Unlisted> for Unread {
    fn from(why: Unlisted) -> Self {
        Stop::Nothing(why)
    }
}

// Why an operation is not the one that failed.
pub const SUCCEEDED: Unlisted = Unlisted::finally("the stack's newest operation has succeeded");
pub const UNEXPECTED: Unlisted = Unlisted::finally(
    "an event of the stack has a status that no deployment has, or an unknown one",
);

/// A shorter reason, such as "Access Denied", may be that of another failure.
const MIN_QUOTE: usize = 20;

/// The text before the ID of a request in a reason. No other operation has the same ID.
const REQUEST_IDS: [&str; 2] = ["RequestToken: ", "Request ID: "];

#[derive(Clone, Debug, PartialEq)]
pub struct ResourceFailure {
    pub logical_id: String,
    pub resource_type: String,
    /// For example `CREATE_FAILED`. Empty if a hook rejected the resource before.
    pub status: String,
    pub reason: String,
    /// The messages of the hooks that rejected it. Its reason has only their names.
    pub hook_messages: Vec<String>,
    pub is_in_rollback: bool,
    pub nested: Option<NestedStack>,
}

/// The nested stack that a resource is.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedStack {
    pub id: String,
    /// The values of the parameters that its parent passes.
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Default)]
pub struct StackOperation {
    pub stack_id: String,
    /// A nested stack may be deleted by the rollback of its parent.
    is_nested: bool,
    /// The last failure comes first.
    pub failures: Vec<ResourceFailure>,
    /// The resources that CloudFormation cancelled because another one failed. A rollback may
    /// cancel them again.
    pub cancelled: BTreeSet<String>,
    /// The messages of hooks whose resource has not failed later.
    hooks: Vec<early_validation::Finding>,
    /// Why the stack itself failed or rolled back, the latest reason first.
    reasons: Vec<String>,
    /// The status of the stack in its latest event. `None` until that was read.
    pub status: Option<StackStatus>,
    /// The ID of the operation, without its rollback. `None` if CloudFormation does not return it.
    pub id: Option<String>,
    /// Whether it created the stack.
    pub is_creation: bool,
}

impl StackOperation {
    pub fn new(stack_id: &str, is_nested: bool) -> Self {
        StackOperation {
            stack_id: stack_id.to_owned(),
            is_nested,
            ..Self::default()
        }
    }

    /// Adds the event before the earlier ones. Returns whether it was the operation's first.
    ///
    /// # Errors
    /// If the stack's newest operation is not a failed creation or update.
    pub fn add(&mut self, event: &StackEvent) -> Result<bool, Unlisted> {
        if event.hook_status().is_some() {
            self.hooks.extend(early_validation::parse_hook_event(event));
            return Ok(false);
        }
        let reason = event.resource_status_reason().unwrap_or_default();
        if event.physical_resource_id() == Some(&self.stack_id) {
            return self.reach(event, reason);
        }
        if !has_failed(event) {
            return Ok(false);
        }
        if is_cancelled(reason) {
            let id = event.logical_resource_id().unwrap_or("?");
            self.cancelled.insert(id.to_owned());
            return Ok(false);
        }
        self.failures.push(ResourceFailure {
            logical_id: event.logical_resource_id().unwrap_or("?").to_owned(),
            resource_type: event.resource_type().unwrap_or("?").to_owned(),
            status: event.resource_status().map_or("", |it| it.as_str()).to_owned(),
            reason: reason.to_owned(),
            hook_messages: vec![],
            is_in_rollback: false,
            nested: nested(event),
        });
        Ok(false)
    }

    /// Adds an event of the stack itself. An unknown status may begin another operation.
    fn reach(&mut self, event: &StackEvent, reason: &str) -> Result<bool, Unlisted> {
        #[allow(clippy::enum_glob_use)] // Each is named.
        use StackStatus::*;
        let status = StackStatus::parse(event.resource_status());
        self.status.get_or_insert_with(|| status.clone());
        match status {
            CreateInProgress | UpdateInProgress => {
                self.id = event.operation_id().map(ToOwned::to_owned);
                self.is_creation = status == CreateInProgress;
                self.attach_hooks();
                return Ok(true);
            }
            RollbackInProgress | UpdateRollbackInProgress => self.begin_rollback(),
            // The rollback of its parent deletes it.
            DeleteInProgress if self.is_nested => self.begin_rollback(),
            CreateFailed
            | RollbackComplete
            | RollbackFailed
            | UpdateFailed
            | UpdateRollbackComplete
            | UpdateRollbackCompleteCleanupInProgress
            | UpdateRollbackFailed => {}
            // Of a nested stack: the parent's rollback may follow.
            CreateComplete | UpdateComplete | UpdateCompleteCleanupInProgress => {
                if !self.is_nested {
                    return Err(SUCCEEDED);
                }
            }
            DeleteInProgress | DeleteComplete | DeleteFailed => {
                if !self.is_nested {
                    return Err(UNEXPECTED);
                }
            }
            ReviewInProgress
            | ImportInProgress
            | ImportComplete
            | ImportRollbackInProgress
            | ImportRollbackComplete
            | ImportRollbackFailed
            | Unknown(_) => return Err(UNEXPECTED),
        }
        if !reason.trim().is_empty() {
            self.reasons.push(reason.to_owned());
        }
        Ok(false)
    }

    /// The failures that were read came after this moment.
    fn begin_rollback(&mut self) {
        for failure in &mut self.failures {
            failure.is_in_rollback = true;
        }
    }

    /// The stack itself, if it failed for a reason of its own: for example, another stack imports
    /// an export that it would delete. <https://github.com/serverless/serverless/pull/3935>
    pub fn own_failure(&self, name: &str) -> Option<ResourceFailure> {
        Some(ResourceFailure {
            logical_id: name.to_owned(),
            resource_type: STACK.to_owned(),
            status: self.status.as_ref()?.to_string(),
            reason: self.reasons.last()?.clone(),
            hook_messages: vec![],
            is_in_rollback: false,
            nested: None,
        })
    }

    /// Adds the hooks' messages to the resources that they rejected. Without such a resource, a
    /// hook rejected the whole stack.
    fn attach_hooks(&mut self) {
        let mut others: BTreeMap<String, ResourceFailure> = BTreeMap::new();
        for hook in std::mem::take(&mut self.hooks).into_iter().rev() {
            // The first failure is the last one here.
            let mut failures = self.failures.iter_mut().rev();
            let rejected = failures.find(|failure| failure.logical_id == hook.logical_id);
            let failure = match rejected {
                Some(failure) => failure,
                None => others.entry(hook.logical_id.clone()).or_insert_with(|| ResourceFailure {
                    logical_id: hook.logical_id.clone(),
                    resource_type: hook.resource_type.clone(),
                    status: String::new(),
                    reason: String::new(),
                    hook_messages: vec![],
                    is_in_rollback: false,
                    nested: None,
                }),
            };
            if !failure.hook_messages.contains(&hook.cause) {
                failure.hook_messages.push(hook.cause);
            }
        }
        self.failures.extend(others.into_values());
    }

    /// Whether `text` repeats the whole reason of the first failure, and identifies it by its
    /// resource or its request: another operation may fail for a similar reason.
    pub fn is_quoted_in(&self, text: &str) -> bool {
        // The first failure is the last one here.
        let Some(first) = self.failures.last() else {
            return false;
        };
        let (text, reason) = (one_line(text), one_line(&first.reason));
        let reason = reason.trim_end_matches('.');
        let Some((before, after)) = text.split_once(reason) else {
            return false;
        };
        let mut words = words(before).chain(words(after));
        let is_identified = REQUEST_IDS.iter().any(|name| reason.contains(name))
            || words.any(|word| word == first.logical_id);
        is_identified && reason.chars().count() >= MIN_QUOTE
    }

    /// Whether `reason` lists its failures: "failed to create: [Queue, Topic]". Those of its
    /// rollback came later.
    pub fn is_listed_in(&self, reason: &str) -> bool {
        let listed = reason.split_once('[').map_or("", |(_, listed)| listed);
        let is_listed = |it: &ResourceFailure| words(listed).any(|word| word == it.logical_id);
        let mut failures = self
            .failures
            .iter()
            .filter(|it| !it.is_in_rollback && !it.status.is_empty())
            .peekable();
        failures.peek().is_some() && failures.all(is_listed)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}

/// The nested stack that the event is about. `None` if it is another resource, or if
/// CloudFormation could not create the stack.
fn nested(event: &StackEvent) -> Option<NestedStack> {
    let id = event.physical_resource_id()?;
    let is_stack = event.resource_type() == Some(STACK) && id.starts_with("arn:");
    is_stack.then(|| NestedStack {
        id: id.to_owned(),
        parameters: passed(event.resource_properties().unwrap_or_default()),
    })
}

/// The parameters in the properties of a nested stack.
fn passed(properties: &str) -> Vec<Parameter> {
    let properties: serde_json::Value = serde_json::from_str(properties).unwrap_or_default();
    let parameters = properties["Parameters"].as_object().into_iter().flatten();
    let parameters = parameters.map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let parameter = Parameter::builder().parameter_key(key);
        parameter.parameter_value(text).build()
    });
    parameters.collect()
}
