//! Plans a deletion: of the resource, or of the stack that a failed request created.

use crate::clients::cloudformation::StackStatus;
use crate::gitops_pipeline::intent_log::Purpose;
use crate::gitops_pipeline::plan::operation::StartedBy;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;
use crate::reconcile::Next;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteStep {
    /// Delete the approval rule template, and the adopted repository if `repository`.
    DeleteDependents {
        /// Whether the stack adopted the repository and has to delete it.
        repository: bool,
    },
    /// Delete the approval rule template again. A superseded request may have created it meanwhile.
    DeleteRuleAgain,
    Delete,
    /// Cancel the update of an earlier request.
    CancelUpdate,
    Wait,
    /// Read why CloudFormation could not delete the stack.
    ReadFailure,
}

/// The state of a deletion, in addition to the child stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Independent facts, each named.
pub struct DeleteState {
    /// Whether the stack had been observed before.
    pub has_previous: bool,
    /// Whether the stack could not be looked up, and the deletion ignores that.
    pub is_unreadable: bool,
    /// Whether the stack may exist although no read shows it.
    pub may_appear: bool,
    pub has_deleted_dependents: bool,
    /// Whether [`DeleteStep::DeleteRuleAgain`] was executed since the stack was observed.
    pub has_deleted_rule_again: bool,
}

/// Why a deletion leaves the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteStop {
    /// The physical ID names the stack, and no tags name its owner.
    Untagged,
    /// A later request has changed the stack.
    Overtaken,
    /// CloudFormation could not delete it, for this reason.
    Failed(String),
}

/// Plans the next step of a deletion for `purpose`.
pub fn next(
    child: Option<&ChildStack>,
    state: &DeleteState,
    context: &RequestContext,
    purpose: &Purpose,
) -> Next<DeleteStep, (), DeleteStop> {
    if state.is_unreadable {
        return Next::Done(());
    }
    if child.is_none() && state.may_appear {
        // Its outputs show whether the repository is deleted with it.
        return Next::Apply(DeleteStep::Wait);
    }
    if let Some(child) = child.filter(|child| child.is_untagged(context)) {
        return if child.status.is_in_progress() {
            Next::Apply(DeleteStep::Wait)
        } else {
            Next::Fail(DeleteStop::Untagged)
        };
    }
    if *purpose == Purpose::Delete && child.is_some_and(|child| is_left(child, context)) {
        // This Delete is a late copy, to which CloudFormation no longer listens, or a forged
        // request came between.
        return Next::Fail(DeleteStop::Overtaken);
    }
    let to_delete = child.filter(|child| is_to_delete(child, context, purpose));
    let is_of_later_request = child.is_some_and(|child| child.is_of_later_request(context));
    // A request that failed to create its stack has not created the rule, and adopted no
    // repository.
    let may_have_dependents = *purpose != Purpose::RollBack && !is_of_later_request;
    if may_have_dependents && !state.has_deleted_dependents {
        // The dependents are deleted first, because a repeated Delete finds them through the stack.
        // A stack whose creation failed has no outputs, and has adopted no repository.
        let policy =
            to_delete.and_then(|stack| stack.outputs.get(template::DELETION_POLICY_OUTPUT));
        let repository = policy.is_some_and(|policy| policy == "Delete");
        return Next::Apply(DeleteStep::DeleteDependents { repository });
    }
    let to_delete = to_delete.filter(|stack| stack.status != StackStatus::DeleteComplete);
    let Some(stack) = to_delete else {
        return if may_have_dependents && state.has_previous && !state.has_deleted_rule_again {
            Next::Apply(DeleteStep::DeleteRuleAgain)
        } else {
            Next::Done(())
        };
    };
    match (stack_step(stack, context), &stack.failure) {
        (DeleteStep::ReadFailure, Some(failure)) => Next::Fail(DeleteStop::Failed(failure.clone())),
        (step, _) => Next::Apply(step),
    }
}

fn stack_step(stack: &ChildStack, context: &RequestContext) -> DeleteStep {
    let started_by = StartedBy::of(stack, context);
    match (&stack.status, &started_by) {
        (StackStatus::DeleteFailed, StartedBy::This(Purpose::Delete | Purpose::RollBack)) => {
            DeleteStep::ReadFailure
        }
        // CloudFormation deletes a stack that it is still creating.
        (StackStatus::CreateInProgress | StackStatus::ReviewInProgress, _) => DeleteStep::Delete,
        (StackStatus::UpdateInProgress, _) if started_by.is_earlier_change() => {
            DeleteStep::CancelUpdate
        }
        (status, _) if status.is_in_progress() => DeleteStep::Wait,
        _ => DeleteStep::Delete,
    }
}

/// Whether a deletion leaves `child`, because a later request of the resource has changed it.
fn is_left(child: &ChildStack, context: &RequestContext) -> bool {
    let is_own = child.is_owned_by(context) && child.status != StackStatus::DeleteComplete;
    is_own && child.is_superseding(context)
}

fn is_to_delete(child: &ChildStack, context: &RequestContext, purpose: &Purpose) -> bool {
    // Another delivery may have reported a complete stack as created.
    let may_be_complete = !child.status.was_never_complete() && !child.status.is_deletion();
    let is_included = *purpose != Purpose::RollBack || !may_be_complete;
    child.is_owned_by(context) && is_included && !child.is_superseding(context)
}
