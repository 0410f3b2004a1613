//! The failed resources of a deployment, or of a change set that could not be created.
//!
//! CodePipeline shows the first failed resource at most, of a nested stack not even that, and no
//! finding of a validation or hook. So the events of the stack's newest operation are read, if the
//! failed action has begun it for certain. No times are compared: CodePipeline and CloudFormation
//! have clocks of their own.

use std::fmt::Write;
use std::sync::Arc;

use aws_sdk_cloudformation::types::{OperationEntry, OperationEvent, OperationType, Stack};
use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{ActionExecutionStatus, StageExecutionStatus};
use tokio::task::yield_now;

use super::stack_operation::{ResourceFailure, STACK, StackOperation};
pub use super::stack_operation::{Unlisted, Unread};
use super::values;
use crate::clients::aws::{Aws, CallError, required};
use crate::clients::cloudformation::StackStatus;
use crate::common::one_line::shortened;
use crate::common::stop::Stop;
use crate::feedback::change_sets;
use crate::feedback::change_sets::{
    Audience, ChangeSet, Denial, HIDDEN_REASON, Values, code, is_gone, shown_reason,
};
use crate::feedback::rights;
use crate::gitops_pipeline::early_validation::Finding;
use crate::gitops_pipeline::executions::actions::Action;
use crate::gitops_pipeline::executions::{CREATE_CHANGE_SET, DEPLOY};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::{describe_stack, early_validation, executions};

/// The most resources in a note.
const MAX_RESOURCES: usize = 20;

/// The most levels of nested stacks that are read.
const MAX_LEVELS: usize = 3;

/// The most characters of a reason in a note.
const MAX_REASON_CHARACTERS: usize = 600;

// Why no resource is listed.
const NOT_LATEST: Unlisted = Unlisted::finally(
    "CodePipeline shows another execution or attempt as the latest one of the stage",
);
const NOT_ENDED: Unlisted = Unlisted::late("CodePipeline does not show the end of this attempt");
const BUSY: Unlisted = Unlisted::late("an operation on the stack is in progress");
const NO_STACK: Unlisted = Unlisted::late("CloudFormation does not find the stack");
const CHANGED: Unlisted = Unlisted::late("the stack has changed while its events were read");
const DIFFERS: Unlisted =
    Unlisted::late("the stack and its events do not show the same newest operation");
const UNPROVEN: Unlisted =
    Unlisted::finally("nothing proves that this execution began the stack's newest operation");
const NOT_EXECUTED: Unlisted =
    Unlisted::finally("the change set of this execution may not have been executed");
const OTHER_CHANGE_SET: Unlisted =
    Unlisted::finally("nothing proves that the change set is the one of this execution");
const DENIED: Unlisted = Unlisted::finally("the function may not read the events of this stack");
const UNREADABLE: Unlisted = Unlisted::finally("the events of the stack cannot be read");
const UNNAMED: Unlisted = Unlisted::finally("CloudFormation names none");

/// The failed resources of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedDeployment {
    /// The first cause first. There is at least one.
    pub resources: Vec<ListedFailure>,
    /// How many resources CloudFormation cancelled because another one failed.
    pub cancelled: usize,
    /// How many failed resources are left out.
    pub more: usize,
    /// The stack's status after the operation. `None` if a change set failed, which changes
    /// nothing.
    pub status: Option<StackStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFailure {
    /// Its logical ID, after those of the nested stacks that contain it: `Parent/Child`.
    pub path: String,
    pub resource_type: String,
    /// The shown part of CloudFormation's reason, or the remedy.
    pub reason: String,
    /// All that the first resource of a denied type needs, unless the remedy names a policy.
    pub statement: Option<String>,
}

impl ListedFailure {
    /// The reason with the statement.
    pub fn details(&self) -> String {
        const WITH: &str =
            ". All that the type needs, with the names of your resources in place of ARN: ";
        let statement = self.statement.as_ref().map_or(String::new(), |it| format!("{WITH}{it}"));
        self.reason.clone() + &statement
    }
}

/// The action that failed: [`CREATE_CHANGE_SET`] or [`DEPLOY`].
#[derive(Clone, Copy, Debug)]
pub struct FailedAction<'a> {
    pub pipeline: &'a PipelineSettings,
    pub execution_id: &'a str,
    /// Whether no later execution has begun.
    pub is_newest: bool,
    pub action: &'a Action,
    /// Who reads the reasons.
    pub audience: Audience<'a>,
}

/// Reads which resources failed.
///
/// # Errors
/// Why none is listed, or if the calls may succeed later.
pub async fn read(aws: &Aws, of: &FailedAction<'_>) -> Result<FailedDeployment, Unread> {
    let reader = DeploymentReader { aws, of };
    let read = if of.action.name == CREATE_CHANGE_SET {
        reader.change_set().await
    } else {
        reader.deployment().await
    };
    match read {
        Ok(read) if read.resources.is_empty() => Err(UNNAMED.into()),
        Err(Stop::Failed(error)) if !error.is_transient() => {
            let why = if error.is_denied() {
                DENIED
            } else {
                UNREADABLE
            };
            warn!(error.reason(), "failed resources are not listed");
            Err(why.into())
        }
        read => read,
    }
}

/// The status of a stack now. `None` if it does not exist, or cannot be read.
pub async fn stack_status(aws: &Aws, name: &str) -> Option<StackStatus> {
    match describe_stack(aws, name).await {
        Ok(stack) => Some(StackStatus::parse(stack?.stack_status())),
        Err(error) => {
            warn!(error.reason(), "a note may lack a remedy");
            None
        }
    }
}

/// The list in the note, which fits a narrow screen. `url` shows the resources that are left out.
pub fn render(read: &FailedDeployment, url: &str) -> String {
    let mut list = String::new();
    for failed in &read.resources {
        let (path, of_type) = (code(&failed.path), code(&failed.resource_type));
        let _ = writeln!(list, "- {path} ({of_type}): {}", code(&failed.details()));
    }
    if read.more > 0 {
        let _ = writeln!(list, "\n{} more are in the [console]({url}).", read.more);
    }
    match read.cancelled {
        0 => {}
        1 => list.push_str("\n1 other was cancelled, because one failed.\n"),
        cancelled => {
            let _ = writeln!(
                list,
                "\n{cancelled} others were cancelled, because one failed."
            );
        }
    }
    match &read.status {
        Some(
            StackStatus::UpdateRollbackComplete
            | StackStatus::UpdateRollbackCompleteCleanupInProgress,
        ) => {
            list.push_str("\nCloudFormation has restored the former version.\n");
        }
        Some(status @ StackStatus::UpdateRollbackFailed) => {
            let _ = writeln!(
                list,
                "\nCloudFormation could not restore the former version: the stack is in {}.",
                code(status.as_str())
            );
        }
        Some(status) if status.was_never_complete() => {
            let _ = writeln!(
                list,
                "\nThe stack was never deployed completely: it is in {}.",
                code(status.as_str())
            );
        }
        _ => {}
    }
    list
}

struct DeploymentReader<'a> {
    aws: &'a Aws,
    of: &'a FailedAction<'a>,
}

/// The state of the stack. It is read before and after the events: if it is the same, no operation
/// has begun in between.
#[derive(PartialEq)]
struct StackState {
    id: String,
    status: StackStatus,
    change_set_id: Option<String>,
    operations: Vec<OperationEntry>,
}

/// A failed resource, with the stack that contains it.
struct Listed {
    failure: ResourceFailure,
    path: String,
    /// How many nested stacks contain it.
    level: usize,
    stack_id: Arc<str>,
    values: Arc<Values>,
}

impl DeploymentReader<'_> {
    async fn deployment(&self) -> Result<FailedDeployment, Unread> {
        let before = self.state().await?;
        let values = self.values().await?;
        let mut operation = self.operation(&before.id, Some(&before.status)).await?;
        self.prove(&before, &operation).await?;
        let mut read = FailedDeployment::default();
        if operation.failures.is_empty() {
            read = self.findings(&operation, &values).await?;
            if read.resources.is_empty() {
                let own = operation.own_failure(&self.of.pipeline.deployed_stack);
                operation.failures.extend(own);
            }
        }
        read.cancelled = operation.cancelled.len();
        let mut listed = list(operation, "", 0, &values);
        // The first cause is the last one here.
        while let Some(one) = listed.pop() {
            if read.resources.len() == MAX_RESOURCES {
                read.more += 1;
                continue;
            }
            if let Some((nested, values)) = self.nested(&one).await? {
                read.cancelled += nested.cancelled.len();
                listed.extend(list(nested, &one.path, one.level + 1, &values));
                continue;
            }
            let mut shown = self.shown(&one);
            if read.resources.iter().all(|it| it.resource_type != shown.resource_type) {
                shown.statement = self.statement(&one).await;
            }
            read.resources.push(shown);
            // The reports of other projects go on meanwhile, and a time limit can end this one.
            yield_now().await;
        }
        if self.state().await? != before {
            return Err(CHANGED.into());
        }
        read.status = Some(before.status);
        Ok(read)
    }

    /// The findings about a change set that could not be created. Another execution creates its own
    /// one by the same name, and CloudFormation's text about a validation is always the same. So
    /// the attempt has to be the latest one, before and after.
    async fn change_set(&self) -> Result<FailedDeployment, Unread> {
        self.check_attempt().await?;
        let (stack_name, action) = (&self.of.pipeline.deployed_stack, self.of.action);
        let name = &self.of.pipeline.change_set;
        let name = name.as_ref().ok_or(OTHER_CHANGE_SET)?;
        let is_of_action = |found: &ChangeSet| values::is_of(action, &found.creation);
        let before = change_sets::describe(self.aws, stack_name, name).await?;
        let before = before.filter(is_of_action).ok_or(OTHER_CHANGE_SET)?;
        let values = self.values().await?;
        let found = early_validation::read_for_change_set(self.aws, stack_name, name).await?;
        let after = change_sets::describe(self.aws, stack_name, name).await?;
        self.check_attempt().await?;
        if after.is_none_or(|after| after.id != before.id) {
            return Err(OTHER_CHANGE_SET.into());
        }
        Ok(self.found(&found, &values).await)
    }

    /// Checks that the failed attempt is the latest one of its pipeline.
    async fn check_attempt(&self) -> Result<(), Unread> {
        let shown = executions::state(self.aws, &self.of.pipeline.names.pipeline())
            .await?
            .ok_or(UNPROVEN)?;
        Ok(check_latest(&shown, self.of)?)
    }

    /// The stack, while the failed attempt is the latest one of its pipeline. In a cleanup, the
    /// operation has failed already.
    async fn state(&self) -> Result<StackState, Unread> {
        self.check_attempt().await?;
        let stack = describe_stack(self.aws, &self.of.pipeline.deployed_stack)
            .await?
            .ok_or(NO_STACK)?;
        let status = StackStatus::parse(stack.stack_status());
        if status.is_in_progress() && !status.is_cleaning_up() {
            return Err(BUSY.into());
        }
        // Others create change sets at any time, which change nothing.
        let operations = stack.last_operations().iter().filter(|entry| {
            let kind = entry.operation_type();
            kind != Some(&OperationType::CreateChangeset)
        });
        Ok(StackState {
            id: stack.stack_id().unwrap_or_default().to_owned(),
            status,
            change_set_id: stack.change_set_id().map(ToOwned::to_owned),
            operations: operations.cloned().collect(),
        })
    }

    async fn values(&self) -> Result<Arc<Values>, CallError> {
        let of = self.of;
        let values = values::of_operation(self.aws, of.pipeline, of.action, of.is_newest);
        values.await.map(Arc::new)
    }

    /// Reads the newest operation of a stack, which has this `status`. `None` if it is nested.
    async fn operation(
        &self,
        stack_id: &str,
        status: Option<&StackStatus>,
    ) -> Result<StackOperation, Unread> {
        let call = self.aws.cloudformation.describe_stack_events();
        let mut events = call.stack_name(stack_id).into_paginator().items().send();
        let mut operation = StackOperation::new(stack_id, status.is_none());
        while let Some(event) = events.next().await {
            let event = required(event, || format!("reading the events of stack {stack_id}"))?;
            match operation.add(&event) {
                Ok(true) => return Ok(operation),
                Ok(false) => {}
                // The latest events may still be missing.
                Err(_) if status.is_some() && status != operation.status.as_ref() => {
                    return Err(DIFFERS.into());
                }
                Err(why) => return Err(why.into()),
            }
        }
        Err(UNPROVEN.into())
    }

    /// Checks that the failed attempt began the operation: it may also have failed before that,
    /// for example because the stack was not updatable. Then the newest operation is an earlier
    /// one.
    ///
    /// CodePipeline's error repeats the reason of the first resource that failed. If it does not,
    /// the change set of the attempt shows that it was executed: the attempt's execution has
    /// created it, and CloudFormation does not find it by its name any more. A later operation of
    /// another principal has another change set or none, and one without change sets has none.
    /// Assumptions `deploy-error-repeats-a-reason`, `executed-change-set-is-readable` and
    /// `direct-update-drops-the-change-set`.
    async fn prove(&self, before: &StackState, operation: &StackOperation) -> Result<(), Unread> {
        if operation.status.as_ref() != Some(&before.status)
            || !has_same_operation(before, operation)
        {
            return Err(DIFFERS.into());
        }
        let (pipeline, summary) = (self.of.pipeline, &self.of.action.summary);
        let is_quoted = operation.is_quoted_in(summary);
        let executed = before.change_set_id.as_ref();
        let Some(name) = &pipeline.change_set else {
            let is_proven = is_quoted && executed.is_none();
            return if is_proven {
                Ok(())
            } else {
                Err(UNPROVEN.into())
            };
        };
        let of_name = format!(":changeSet/{name}/");
        if !executed.is_some_and(|id| id.contains(&of_name)) {
            return Err(UNPROVEN.into());
        }
        if is_quoted {
            return Ok(());
        }
        let described = change_sets::describe(self.aws, &pipeline.deployed_stack, name);
        if is_gone(summary) || described.await?.is_some() {
            return Err(NOT_EXECUTED.into());
        }
        Ok(())
    }

    /// The findings of CloudFormation's validation, if it rejected the operation before it began
    /// with a resource.
    async fn findings(
        &self,
        operation: &StackOperation,
        values: &Values,
    ) -> Result<FailedDeployment, CallError> {
        let Some(id) = operation.id.as_deref() else {
            return Ok(FailedDeployment::default());
        };
        // The creation of another change set, such as a review's, may have failed since.
        let is_own = |event: &OperationEvent| event.operation_id() == Some(id);
        let found = early_validation::read(self.aws, &operation.stack_id, None, is_own).await?;
        Ok(self.found(&found, values).await)
    }

    /// The operation of the nested stack that failed, with its values. `None` if the resource is
    /// not a nested stack, or if nothing proves that the stack's newest operation belongs to this
    /// one. In a rollback, a nested stack may fail once more: its resources are listed already.
    async fn nested(
        &self,
        one: &Listed,
    ) -> Result<Option<(StackOperation, Arc<Values>)>, CallError> {
        let Some(nested) = one.failure.nested.as_ref() else {
            return Ok(None);
        };
        if one.level == MAX_LEVELS || one.failure.is_in_rollback {
            return Ok(None);
        }
        let read = async {
            let stack = describe_stack(self.aws, &nested.id).await?;
            let operation = self.operation(&nested.id, None).await?;
            Ok::<_, Unread>((stack, operation))
        };
        let (stack, operation) = match read.await {
            Ok((Some(stack), operation)) => (stack, operation),
            Ok((None, _)) | Err(Stop::Nothing(_)) => return Ok(None),
            Err(Stop::Failed(error)) if error.is_transient() => return Err(error),
            Err(Stop::Failed(error)) => {
                warn!(
                    error.reason(),
                    "the failed resources of a nested stack are not listed"
                );
                return Ok(None);
            }
        };
        let is_child = stack.parent_id() == Some(&one.stack_id);
        if !is_child || !operation.is_listed_in(&one.failure.reason) {
            return Ok(None);
        }
        let values = nested_values(&stack, one, operation.is_creation);
        Ok(Some((operation, Arc::new(values))))
    }

    async fn statement(&self, one: &Listed) -> Option<String> {
        let (names, failure) = (&self.of.pipeline.names, &one.failure);
        let action = Denial::parse(&failure.reason, names)?.needs_own_policy()?;
        rights::statement(self.aws, &failure.resource_type, action).await
    }

    fn shown(&self, one: &Listed) -> ListedFailure {
        let FailedAction {
            pipeline, audience, ..
        } = self.of;
        let failure = &one.failure;
        let shown = |text: &str| shown_reason(text, &one.values, *audience, &pipeline.names);
        let mut reasons = vec![];
        if !failure.status.is_empty() {
            // The type decides how much of the reason is shown. Of a stack, it is always AWS's.
            let frame = if failure.resource_type == STACK {
                String::new()
            } else {
                let (id, of_type) = (&failure.logical_id, &failure.resource_type);
                format!("{id} ({of_type}) {}: ", failure.status)
            };
            let reason = match failure.reason.trim() {
                "" => "CloudFormation gave no reason".to_owned(),
                reason => shown(&format!("{frame}{reason}")),
            };
            let reason = reason.strip_prefix(&frame).unwrap_or(&reason);
            let is_hidden = !reason.contains(char::is_alphanumeric);
            let reason = if is_hidden { HIDDEN_REASON } else { reason };
            reasons.push(reason.trim_end_matches('.').to_owned());
        }
        let messages = failure.hook_messages.iter().map(|text| shown(&of_hook(text)));
        reasons.extend(messages.filter(|message| message != HIDDEN_REASON));
        let rollback = if failure.is_in_rollback {
            "In the rollback: "
        } else {
            ""
        };
        ListedFailure {
            path: one.path.clone(),
            resource_type: failure.resource_type.clone(),
            reason: shortened(
                &format!("{rollback}{}", reasons.join(". ")),
                MAX_REASON_CHARACTERS,
            ),
            statement: None,
        }
    }

    /// The shown parts of the findings of validations and hooks.
    async fn found(&self, found: &[Finding], values: &Values) -> FailedDeployment {
        let FailedAction {
            pipeline, audience, ..
        } = self.of;
        let shown = |text: &str| shown_reason(text, values, *audience, &pipeline.names);
        let mut read = FailedDeployment {
            more: found.len().saturating_sub(MAX_RESOURCES),
            ..FailedDeployment::default()
        };
        for one in found.iter().take(MAX_RESOURCES) {
            let cause = if one.is_of_hook {
                of_hook(&one.cause)
            } else {
                one.cause.clone()
            };
            let frame = format!("{} ({})", one.logical_id, one.resource_type);
            let place = shown(&one.place);
            let reason = match place.strip_prefix(&frame).map(str::trim) {
                Some(path) if !path.is_empty() => format!("{path}: {}", shown(&cause)),
                _ => shown(&cause),
            };
            read.resources.push(ListedFailure {
                path: one.logical_id.clone(),
                resource_type: one.resource_type.clone(),
                reason: shortened(&reason, MAX_REASON_CHARACTERS),
                statement: None,
            });
            yield_now().await;
        }
        read
    }
}

/// Checks that the failed attempt is the latest run of its action, and its execution the latest one
/// in the stage. Another execution may wait for its approval without changing the stack: then the
/// change set identifies the operation.
fn check_latest(shown: &GetPipelineStateOutput, of: &FailedAction<'_>) -> Result<(), Unlisted> {
    let attempt = &of.action.attempt;
    if attempt.is_empty() {
        return Err(UNPROVEN);
    }
    let stage = shown.stage_states().iter().find(|stage| stage.stage_name() == Some(DEPLOY));
    let stage = stage.ok_or(NOT_ENDED)?;
    let mut actions = stage.action_states().iter();
    let action = actions.find(|action| action.action_name() == Some(&of.action.name));
    let run = action.and_then(|action| action.latest_execution());
    let latest = stage.latest_execution();
    let has_change_set = of.pipeline.change_set.is_some();
    let is_own = latest.is_some_and(|latest| latest.pipeline_execution_id() == of.execution_id);
    let is_attempt = run.is_some_and(|run| run.action_execution_id() == Some(attempt));
    if !is_attempt || !(is_own || has_change_set) {
        // Without a later execution, the shown one may be an earlier one.
        let is_late = is_own || of.is_newest;
        return Err(Unlisted {
            is_late,
            ..NOT_LATEST
        });
    }
    let has_failed = run.is_some_and(|run| run.status() == Some(&ActionExecutionStatus::Failed))
        && (has_change_set
            || latest.is_some_and(|latest| *latest.status() == StageExecutionStatus::Failed));
    if has_failed { Ok(()) } else { Err(NOT_ENDED) }
}

/// Whether the description of the stack has the same newest operation as its events. `true` if
/// CloudFormation does not return operations: `LastOperations` has the newest one first, and a
/// rollback is one of its own.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html>
fn has_same_operation(state: &StackState, operation: &StackOperation) -> bool {
    use OperationType::{ContinueRollback, CreateStack, Rollback, UpdateStack};
    let mut operations = state
        .operations
        .iter()
        .filter(|entry| !matches!(entry.operation_type(), Some(Rollback | ContinueRollback)));
    let Some(newest) = operations.next() else {
        return true;
    };
    let is_deployment = matches!(newest.operation_type(), Some(CreateStack | UpdateStack));
    let ids = newest.operation_id().zip(operation.id.as_deref());
    is_deployment && ids.is_none_or(|(described, of_event)| described == of_event)
}

/// The failures of an operation, the last one first.
fn list(
    operation: StackOperation,
    parent: &str,
    level: usize,
    values: &Arc<Values>,
) -> Vec<Listed> {
    let stack_id: Arc<str> = operation.stack_id.into();
    let listed = operation.failures.into_iter().map(|failure| Listed {
        path: if parent.is_empty() {
            failure.logical_id.clone()
        } else {
            format!("{parent}/{}", failure.logical_id)
        },
        failure,
        level,
        stack_id: Arc::clone(&stack_id),
        values: Arc::clone(values),
    });
    listed.collect()
}

/// The values of a nested stack, and of those that contain it. After the rollback of an update,
/// CloudFormation describes the stack with its former ones, and the parent need not pass those with
/// a default.
fn nested_values(stack: &Stack, one: &Listed, is_creation: bool) -> Values {
    let passed = one.failure.nested.iter().flat_map(|it| &it.parameters);
    let values = Values::of(stack.parameters().iter().chain(passed)).and(&one.values);
    if is_creation {
        values
    } else {
        values.with_others()
    }
}

/// The message of a hook as CloudFormation shows it elsewhere, so that it counts as a text that
/// code of a user wrote.
fn of_hook(message: &str) -> String {
    const FRAME: &str = "Hook failed with message";
    if message.starts_with(FRAME) {
        message.to_owned()
    } else {
        format!("{FRAME}: {message}")
    }
}

#[cfg(test)]
#[path = "deployment_tests.rs"]
mod tests;
