//! Plans a Create or an Update of the child stack.

use super::operation::StartedBy;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::request_token::Purpose;
use crate::gitops_pipeline::state::ChildStack;
use crate::ownership::Owner;
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
    /// Render the template for the observed state.
    Render,
    /// Create the stack.
    Create {
        /// Whether this request created it before, and deleted it for a second attempt.
        again: bool,
    },
    /// Update the stack.
    Update {
        /// Whether this request updated it before, and the update was rolled back.
        again: bool,
    },
    /// Cancel the update of an earlier request, whose content is superseded.
    CancelUpdate,
    /// Continue a rollback that failed.
    ContinueRollback,
    /// Delete a stack that failed, because it occupies the name.
    Delete {
        /// Whether this request created it, and creates it again afterwards.
        to_create_again: bool,
    },
    /// Wait for the running operation.
    Wait,
}

/// Why a request ends without a stack that matches its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyStop {
    /// The stack belongs to another resource, or to none.
    Foreign(Option<Owner>),
    /// A later request has changed the stack.
    Superseded,
    /// CloudFormation does not change a stack in this status.
    UnknownStatus,
    /// A later Delete left a tombstone.
    Deleted,
    /// This request's operation on the stack failed for this reason.
    Failed(Box<ChildStack>, String),
}

/// Why an operation on the stack failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFailure {
    /// CloudFormation's reason.
    pub reason: String,
    /// Whether a service could not assume a role, which IAM may not have propagated yet.
    pub is_role_not_assumable: bool,
}

/// The state of a request, in addition to the child stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyState {
    /// Hash of the rendered content. `None` until it was rendered for the observed stack.
    pub content: Option<String>,
    /// The content that this invocation started to apply.
    pub started_content: Option<String>,
    /// The ID of the stack that this invocation created.
    pub created_id: Option<String>,
    /// Whether [`ApplyStep::ReadCreated`] was executed since the stack was observed.
    pub has_read_created: bool,
    /// The created stack, if it was deleted.
    pub deleted_stack: Option<ChildStack>,
    /// Whether a later Delete left a tombstone. `None` until it was read.
    pub has_tombstone: Option<bool>,
    /// Why this request's operation failed. `None` until it was read.
    pub failure: Option<StackFailure>,
    /// Whether this request creates the stack for the second time.
    pub creates_again: bool,
    /// Whether CloudFormation reported that an update changes nothing.
    pub has_no_changes: bool,
}

type Plan = Next<ApplyStep, (), ApplyStop>;

/// Plans the next step towards a stack with the rendered content.
pub fn next(child: Option<&ChildStack>, state: &ApplyState, context: &RequestContext) -> Plan {
    let Some(child) = child.filter(|child| child.status != "DELETE_COMPLETE") else {
        return without_stack(state, context);
    };
    if state.has_no_changes {
        return Next::Done(());
    }
    if !child.is_owned_by(context) {
        return Next::Fail(ApplyStop::Foreign(child.owner.clone()));
    }
    if child.is_settled() && state.content.is_none() {
        return Next::Apply(ApplyStep::Render);
    }
    if child.is_superseding(context) {
        return unless_deleted(state, Next::Fail(ApplyStop::Superseded));
    }
    let started_by = StartedBy::of(child, context, state.started_content.as_deref());
    with_stack(child, &started_by, state)
}

fn with_stack(child: &ChildStack, started_by: &StartedBy, state: &ApplyState) -> Plan {
    let is_own_change =
        matches!(started_by, StartedBy::This(purpose) if purpose.content().is_some());
    let leftover = ApplyStep::Delete {
        to_create_again: false,
    };
    let step = match child.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            match started_by {
                StartedBy::This(purpose) if purpose.content() == state.content.as_deref() => {
                    return Next::Done(());
                }
                _ => ApplyStep::Update { again: false },
            }
        }
        "UPDATE_ROLLBACK_COMPLETE"
        | "UPDATE_ROLLBACK_FAILED"
        | "UPDATE_FAILED"
        | "ROLLBACK_COMPLETE"
        | "ROLLBACK_FAILED"
        | "CREATE_FAILED"
            if is_own_change =>
        {
            return after_failure(child, state);
        }
        // The stack has its former content.
        "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => ApplyStep::Update { again: false },
        // CloudFormation cannot update a stack that was never complete. A change set that was never
        // executed has no resources.
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "REVIEW_IN_PROGRESS" => {
            leftover
        }
        "DELETE_FAILED" => match started_by {
            StartedBy::This(Purpose::Delete | Purpose::RollBack) => {
                return after_failure(child, state);
            }
            _ => leftover,
        },
        // This request failed, and its invocation ended while it rolled back.
        "DELETE_IN_PROGRESS" if *started_by == StartedBy::This(Purpose::RollBack) => {
            return after_failure(child, state);
        }
        "UPDATE_ROLLBACK_FAILED" => match started_by {
            StartedBy::This(Purpose::ContinueRollback) => return after_failure(child, state),
            _ => ApplyStep::ContinueRollback,
        },
        "UPDATE_IN_PROGRESS" if started_by.is_earlier_change() => ApplyStep::CancelUpdate,
        _ if child.is_in_progress() => ApplyStep::Wait,
        _ => return Next::Fail(ApplyStop::UnknownStatus),
    };
    Next::Apply(step)
}

/// CloudFormation may return the ID of a deleted stack from `CreateStack`, if this request created
/// that stack. Then the request has failed, unless it deleted the stack to create it again.
fn without_stack(state: &ApplyState, context: &RequestContext) -> Plan {
    if state.created_id.is_some() && !state.has_read_created {
        return Next::Apply(ApplyStep::ReadCreated);
    }
    let mut again = state.creates_again;
    if let Some(deleted) = &state.deleted_stack {
        if state.content.is_none() && state.has_tombstone != Some(false) {
            return unless_deleted(state, Next::Apply(ApplyStep::ReadTombstone));
        }
        // The rollback of a failed request deletes with another purpose.
        if deleted.latest_purpose() != Some((context.request.clone(), Purpose::Delete)) {
            return match &state.failure {
                None => Next::Apply(ApplyStep::ReadFailure),
                Some(failure) => Next::Fail(ApplyStop::Failed(
                    Box::new(deleted.clone()),
                    failure.reason.clone(),
                )),
            };
        }
        again = true;
    }
    if state.content.is_none() {
        return Next::Apply(ApplyStep::Render);
    }
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
fn after_failure(child: &ChildStack, state: &ApplyState) -> Plan {
    let Some(failure) = &state.failure else {
        return Next::Apply(ApplyStep::ReadFailure);
    };
    let is_first = matches!(child.latest_purpose(), Some((_, Purpose::Apply(_))));
    let is_rolled_back = matches!(
        child.status.as_str(),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
    );
    if !(is_first && is_rolled_back && failure.is_role_not_assumable) {
        return Next::Fail(ApplyStop::Failed(
            Box::new(child.clone()),
            failure.reason.clone(),
        ));
    }
    Next::Apply(if child.is_settled() {
        ApplyStep::Update { again: true }
    } else {
        ApplyStep::Delete {
            to_create_again: true,
        }
    })
}
