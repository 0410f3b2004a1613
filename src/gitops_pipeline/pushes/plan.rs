//! Plans the steps of a first push: a pure function of the push and the observed state.

use super::event::BranchPush;
use crate::gitops_pipeline::messages;
use crate::gitops_pipeline::state::ChildStack;
use crate::reconcile::Next;
use cfn_custom_resource::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPushStep {
    ReadBranch,
    /// Update the stack, so that it creates the pipeline.
    AddPipeline,
    /// Read why the update that this delivery started failed.
    ReadFailure,
    Wait,
}

/// The state of a first push, in addition to the child stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPushState {
    /// The token of the update that this delivery starts.
    pub token: String,
    /// `None` until it was read for the observed stack.
    pub branch: Option<FirstBranch>,
}

/// The branch of a stack without a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBranch {
    Absent,
    Pushed,
    /// It was pushed, and a person has disabled the event rule.
    Held,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    HasPipeline(Box<ChildStack>),
    /// The event rule is disabled.
    Held,
    /// No stack waits for the push, for this reason.
    Ignored(String),
}

/// Plans the next step until the stack `name` has its pipeline.
pub fn next(
    child: Option<&ChildStack>,
    name: &str,
    push: &BranchPush,
    state: &FirstPushState,
) -> Next<FirstPushStep, End, Reason> {
    let ignored = |because: String| Next::Done(End::Ignored(because));
    let Some(child) = child.filter(|child| child.owner.is_some()) else {
        return ignored(format!("there is no stack {name} of this function"));
    };
    if child.status.is_deletion() {
        return ignored(format!("stack {name} is being deleted"));
    }
    if child.status.is_in_progress() {
        return Next::Apply(FirstPushStep::Wait);
    }
    if !child.is_runnable() {
        return Next::Fail(messages::unknown_status(name, &child.status));
    }
    if !push.is_deployed_by(child) {
        return ignored(format!("stack {name} deploys something else"));
    }
    if child.has_pipeline() {
        return Next::Done(End::HasPipeline(Box::new(child.clone())));
    }
    if child.latest_token.as_ref() == Some(&state.token) {
        return match &child.failure {
            None => Next::Apply(FirstPushStep::ReadFailure),
            Some(failure) => Next::Fail(messages::stack_failed(name, Some(&child.status), failure)),
        };
    }
    match state.branch {
        None => Next::Apply(FirstPushStep::ReadBranch),
        Some(FirstBranch::Pushed) => Next::Apply(FirstPushStep::AddPipeline),
        Some(FirstBranch::Held) => Next::Done(End::Held),
        Some(FirstBranch::Absent) => {
            ignored(format!("no push of branch {} was found", push.branch))
        }
    }
}
