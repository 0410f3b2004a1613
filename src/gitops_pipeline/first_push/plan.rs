//! Plans the steps of a first push: a pure function of the push and the observed state.

use super::event::FirstPush;
use crate::gitops_pipeline::state::ChildStack;
use crate::reconcile::Next;

/// One change or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPushStep {
    /// Read why the update that this delivery started failed.
    ReadFailure,
    /// Open the repository that the stack takes its code from.
    OpenSource,
    /// Read whether the branch exists.
    ReadBranch,
    /// Update the stack, so that it creates the pipeline.
    Announce,
    /// Wait for the running operation.
    Wait,
}

/// Whether the pushed branch exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    Exists,
    Missing,
    /// The source account denies the lookup.
    Denied,
}

/// The state of a first push, in addition to the child stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPushState {
    /// The token of the update that this delivery starts.
    pub token: String,
    /// Why that update failed. `None` until it was read.
    pub failure: Option<String>,
    /// Whether the source was opened.
    pub has_source: bool,
    /// `None` until it was read for the observed stack.
    pub branch: Option<Branch>,
}

/// The end of a first push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The stack has a pipeline.
    HasPipeline,
    /// No stack waits for the push, for this reason.
    Ignored(String),
}

/// Why a first push fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstPushStop {
    /// The update failed for this reason.
    Failed(String),
    /// CloudFormation does not update a stack in this status.
    Unchangeable(String),
}

/// Plans the next step until the stack `name` has its pipeline.
pub fn next(
    child: Option<&ChildStack>,
    name: &str,
    push: &FirstPush,
    state: &FirstPushState,
) -> Next<FirstPushStep, End, FirstPushStop> {
    let ignored = |because: String| Next::Done(End::Ignored(because));
    let Some(child) = child.filter(|child| child.owner.is_some()) else {
        return ignored(format!("there is no stack {name} of this function"));
    };
    if child.status.starts_with("DELETE") {
        return ignored(format!("stack {name} is being deleted"));
    }
    if !child.is_settled() {
        return if child.is_in_progress() {
            Next::Apply(FirstPushStep::Wait)
        } else {
            Next::Fail(FirstPushStop::Unchangeable(child.status.clone()))
        };
    }
    if child.latest_token.as_ref() == Some(&state.token) && !child.has_pipeline() {
        return match &state.failure {
            None => Next::Apply(FirstPushStep::ReadFailure),
            Some(reason) => Next::Fail(FirstPushStop::Failed(reason.clone())),
        };
    }
    if !push.is_deployed_by(child) {
        return ignored(format!("stack {name} deploys something else"));
    }
    if !state.has_source {
        return Next::Apply(FirstPushStep::OpenSource);
    }
    if child.has_pipeline() {
        return Next::Done(End::HasPipeline);
    }
    match state.branch {
        None => Next::Apply(FirstPushStep::ReadBranch),
        Some(Branch::Missing) => ignored(format!("branch {} does not exist", push.branch)),
        // Without an event, only the lookup shows that the branch was pushed.
        Some(Branch::Denied) if !push.is_reported => {
            ignored(format!("branch {} cannot be looked up", push.branch))
        }
        Some(Branch::Exists | Branch::Denied) => Next::Apply(FirstPushStep::Announce),
    }
}
