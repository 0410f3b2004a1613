//! The running operation of a stack.

use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::services::{
    stacks::{
        ResourceAction, Stack, StackResource,
        template::{Desired, Parameters},
    },
    tags::Tags,
};

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

impl Before {
    /// The present state of `stack`.
    pub fn of(stack: &Stack) -> Self {
        Self {
            template: Arc::clone(&stack.template),
            parameters: stack.parameters.clone(),
            tags: stack.tags.clone(),
            outputs: stack.outputs.clone(),
            resources: stack.resources.clone(),
        }
    }
}
