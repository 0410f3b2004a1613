//! The running operation of a stack.

use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    services::stacks::template::{Desired, Parameters},
    world::tags::Tags,
};

/// The stack's own steps, between those of its resources.
pub const SETTLES: Duration = Duration::from_secs(1);

/// The running change of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceAction {
    Create,
    Update,
    Delete,
    /// Restoring the state before an update.
    RollBack,
}

#[derive(Clone, Debug)]
pub struct StackResource {
    pub desired: Desired,
    /// Whether it was really created.
    pub exists: bool,
    pub status: &'static str,
    pub reason: Option<String>,
    pub updated: Duration,
}

/// The running operation of a stack.
#[derive(Clone, Debug)]
pub struct StackOperation {
    pub token: Option<String>,
    pub kind: OperationKind,
    pub steps: VecDeque<OperationStep>,
    /// When the next step is taken.
    pub due: Duration,
    /// The completed changes, in order.
    pub done: Vec<Work>,
    /// Resources that failed.
    pub failed: Vec<String>,
    /// To go back to.
    pub before: Option<Arc<Before>>,
    /// The outputs after the operation.
    pub outputs: BTreeMap<String, String>,
    /// Whether its success ends the drift of the stack's resources.
    pub reverts_drift: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Create,
    RollBackCreate,
    Update,
    RollBackUpdate,
    Delete,
}

#[derive(Clone, Debug)]
pub enum OperationStep {
    Begin(Work),
    End(Work),
    /// The stack reaches a status on its way.
    Reach(&'static str),
    Finish(&'static str),
}

/// One resource's part in an operation.
#[derive(Clone, Debug)]
pub struct Work {
    pub doing: ResourceAction,
    /// The desired state, or the deletion.
    pub desired: Desired,
    /// It is deleted because a newer one has taken its place.
    pub is_replaced: bool,
}

/// A stack as it was before an update.
#[derive(Clone, Debug)]
pub struct Before {
    pub template: Arc<Value>,
    pub parameters: Parameters,
    pub tags: Tags,
    pub outputs: BTreeMap<String, String>,
    pub resources: BTreeMap<String, StackResource>,
}

/// An operation that begins now.
pub fn operation(
    token: Option<String>,
    kind: OperationKind,
    steps: VecDeque<OperationStep>,
    now: Duration,
    outputs: BTreeMap<String, String>,
) -> StackOperation {
    StackOperation {
        token,
        kind,
        steps,
        due: now + SETTLES,
        done: vec![],
        failed: vec![],
        before: None,
        outputs,
        reverts_drift: false,
    }
}

/// Adds the two steps of a resource.
pub fn add(
    steps: &mut VecDeque<OperationStep>,
    doing: ResourceAction,
    desired: Desired,
    is_replaced: bool,
) {
    let work = Work {
        doing,
        desired,
        is_replaced,
    };
    steps.push_back(OperationStep::Begin(work.clone()));
    steps.push_back(OperationStep::End(work));
}
