//! Plans a Create or an Update of the child stack.

use super::operation::StartedBy;
use crate::clients::cloudformation::StackStatus;
use crate::common::ownership::Owner;
use crate::gitops_pipeline::intent_log::Purpose;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::state::ChildStack;
use crate::reconcile::Next;

/// One change or read. The stack is observed again after a change, and after [`ApplyStep::Wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyStep {
    /// Read the stack that this invocation created, because no stack has its name now.
    ReadCreated,
    /// Read whether a later Delete left a tombstone.
    ReadTombstone,
    /// Read why this request's operation failed.
    ReadFailure,
    /// Read whether the stack was rendered for the request's properties.
    ReadProperties,
    /// Render the template for the observed state.
    Render,
    Create {
        /// Whether this request created it before, and deleted it for a second attempt.
        again: bool,
    },
    Update {
        /// Whether this request updated it before, and the update was rolled back.
        again: bool,
    },
    /// Cancel the update of an earlier request, whose content is superseded.
    CancelUpdate,
    ContinueRollback,
    /// Delete a stack that failed, because it occupies the name.
    Delete,
    Wait,
}

/// Why a request ends without a stack that matches its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyStop {
    /// The stack belongs to another resource, or to none.
    Foreign(Option<Owner>),
    /// The physical ID names the stack, and no tags name its owner.
    Untagged,
    /// A later request has changed the stack.
    Superseded,
    /// CloudFormation does not change a stack in this status.
    UnknownStatus,
    /// A later Delete left a tombstone.
    Deleted,
    /// This request's operation on the stack failed for this reason.
    Failed(String),
}

/// The state of a request, in addition to the child stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyState {
    /// Hash of the rendered content. `None` until it was rendered for the observed stack.
    pub content: Option<String>,
    pub created_id: Option<String>,
    /// Whether [`ApplyStep::ReadCreated`] was executed since the stack was observed. If it was, and
    /// the created stack was deleted, then that is the observed stack.
    pub has_read_created: bool,
    /// Whether a later Delete left a tombstone. `None` until it was read.
    pub has_tombstone: Option<bool>,
    /// Whether this request creates the stack for the second time.
    pub creates_again: bool,
    /// Whether the stack was rendered for the request's properties. `None` until it was read.
    pub has_properties: Option<bool>,
    /// Whether CloudFormation reported that an update changes nothing.
    pub has_no_changes: bool,
}

type Plan = Next<ApplyStep, ChildStack, ApplyStop>;

/// Plans the next step towards a stack with the rendered content.
pub fn next(child: Option<&ChildStack>, state: &ApplyState, context: &RequestContext) -> Plan {
    let Some(child) = child.filter(|child| child.status != StackStatus::DeleteComplete) else {
        let deleted = child.filter(|_| state.has_read_created);
        return without_stack(deleted, state, context);
    };
    if state.has_no_changes {
        return Next::Done(child.clone());
    }
    if child.is_untagged(context) {
        return without_tags(child, state);
    }
    if !child.is_owned_by(context) {
        return Next::Fail(ApplyStop::Foreign(child.owner.clone()));
    }
    if child.status.is_complete() && state.content.is_none() {
        return Next::Apply(ApplyStep::Render);
    }
    if child.is_superseding(context) {
        return unless_deleted(state, Next::Fail(ApplyStop::Superseded));
    }
    with_stack(child, state, context)
}

/// Nothing changes a stack without its tags.
fn without_tags(child: &ChildStack, state: &ApplyState) -> Plan {
    if child.status.is_in_progress() {
        return Next::Apply(ApplyStep::Wait);
    }
    unless_unchanged(child, state, Next::Fail(ApplyStop::Untagged))
}

/// `failed`, but the rollback of an Update that changed nothing succeeds, or the parent stack could
/// not be rolled back.
fn unless_unchanged(child: &ChildStack, state: &ApplyState, failed: Plan) -> Plan {
    match state.has_properties {
        None => Next::Apply(ApplyStep::ReadProperties),
        Some(true) => Next::Done(child.clone()),
        Some(false) => failed,
    }
}

fn with_stack(child: &ChildStack, state: &ApplyState, context: &RequestContext) -> Plan {
    let started_by = StartedBy::of(child, context);
    let own = match &started_by {
        StartedBy::This(purpose) => Some(purpose),
        StartedBy::Earlier(_) | StartedBy::Other => None,
    };
    // Another caller may have started an operation since. If the request's own one was complete
    // by then, the request is done. Its token would start no second operation.
    let sent = child.latest_request.as_ref().filter(|(request, _)| *request == context.request);
    let is_sent = |purpose: &Purpose| {
        purpose.content().is_some() && purpose.content() == state.content.as_deref()
    };
    if let Some((_, sent)) = sent.filter(|(_, purpose)| is_sent(purpose))
        && own.is_none()
        && child.status.is_complete()
    {
        return after_others(child, sent);
    }
    if own.is_some_and(|purpose| has_failed(purpose, &child.status)) {
        return match own {
            // The update before was another's.
            Some(Purpose::ContinueRollback) => unless_unchanged(child, state, after_failure(child)),
            _ => after_failure(child),
        };
    }
    let step = match &child.status {
        status if status.is_complete() && own.is_some_and(is_sent) => {
            return Next::Done(child.clone());
        }
        // The stack has its former content.
        status if status.is_complete() => ApplyStep::Update { again: false },
        // A change set that was never executed has no resources.
        status if status.is_only_deletable() => ApplyStep::Delete,
        StackStatus::UpdateRollbackFailed => ApplyStep::ContinueRollback,
        StackStatus::UpdateInProgress if started_by.is_earlier_change() => ApplyStep::CancelUpdate,
        status if status.is_in_progress() => ApplyStep::Wait,
        // Only a person gets it out of `UpdateFailed`: some of its resources are new, others old.
        _ if own.is_none() => {
            return unless_unchanged(child, state, Next::Fail(ApplyStop::UnknownStatus));
        }
        _ => return Next::Fail(ApplyStop::UnknownStatus),
    };
    Next::Apply(step)
}

/// Whether the stack's `status` shows that an operation of this request for the purpose `own` has
/// failed.
fn has_failed(own: &Purpose, status: &StackStatus) -> bool {
    let is_change = own.content().is_some();
    match status {
        StackStatus::UpdateFailed | StackStatus::UpdateRollbackComplete => is_change,
        StackStatus::UpdateRollbackFailed => is_change || *own == Purpose::ContinueRollback,
        // The request failed, and its invocation ended while it rolled back.
        StackStatus::DeleteInProgress => *own == Purpose::RollBack,
        StackStatus::DeleteFailed => matches!(own, Purpose::Delete | Purpose::RollBack),
        status => is_change && status.was_never_complete(),
    }
}

/// Another caller has operated on the stack since this request `sent` its content.
fn after_others(child: &ChildStack, sent: &Purpose) -> Plan {
    if child.is_request_complete {
        return Next::Done(child.clone());
    }
    // The operation of others has succeeded since.
    let is_complete = child.status != StackStatus::UpdateRollbackComplete;
    if is_complete && matches!(sent, Purpose::Apply(_)) {
        return Next::Apply(ApplyStep::Update { again: true });
    }
    after_failure(child)
}

/// CloudFormation may return the ID of a deleted stack from `CreateStack`, if this request created
/// that stack. Then the request has failed, unless it deleted the stack to create it again.
fn without_stack(
    deleted: Option<&ChildStack>,
    state: &ApplyState,
    context: &RequestContext,
) -> Plan {
    if state.created_id.is_some() && !state.has_read_created {
        return Next::Apply(ApplyStep::ReadCreated);
    }
    if let Some(deleted) = deleted {
        if state.content.is_none() && state.has_tombstone != Some(false) {
            return unless_deleted(state, Next::Apply(ApplyStep::ReadTombstone));
        }
        // The rollback of a failed request deletes with another purpose.
        if deleted.latest_purpose() != Some((context.request.clone(), Purpose::Delete)) {
            return match &deleted.failure {
                None => Next::Apply(ApplyStep::ReadFailure),
                Some(failure) => Next::Fail(ApplyStop::Failed(failure.clone())),
            };
        }
    }
    if state.content.is_none() {
        return Next::Apply(ApplyStep::Render);
    }
    let again = state.creates_again || deleted.is_some();
    unless_deleted(state, Next::Apply(ApplyStep::Create { again }))
}

/// `plan`, if no later Delete left a tombstone.
fn unless_deleted(state: &ApplyState, plan: Plan) -> Plan {
    match state.has_tombstone {
        None => Next::Apply(ApplyStep::ReadTombstone),
        Some(true) => Next::Fail(ApplyStop::Deleted),
        Some(false) => plan,
    }
}

/// Retries the operation once if a service could not assume a role, which IAM may propagate late.
fn after_failure(child: &ChildStack) -> Plan {
    let Some(failure) = &child.failure else {
        return Next::Apply(ApplyStep::ReadFailure);
    };
    let is_first = matches!(child.latest_purpose(), Some((_, Purpose::Apply(_))));
    let step = match child.status {
        StackStatus::UpdateRollbackComplete => Some(ApplyStep::Update { again: true }),
        // The request creates it again afterwards.
        StackStatus::CreateFailed | StackStatus::RollbackComplete => Some(ApplyStep::Delete),
        _ => None,
    };
    match step.filter(|_| is_first && child.has_unusable_role()) {
        Some(step) => Next::Apply(step),
        None => Next::Fail(ApplyStop::Failed(failure.clone())),
    }
}
