//! CloudFormation's stacks: their resources, the progress of their operations, and their events.

use std::{collections::BTreeMap, time::Duration};

use crate::world::History;
use change_sets::ChangeSets;

/// CloudFormation's XML.
mod api;
/// CloudFormation's calls of change sets.
mod change_set_api;
/// The change sets of stacks.
pub mod change_sets;
/// The changes of a change set.
pub(crate) mod comparison;
/// CloudFormation's descriptions of stacks, events and resources.
pub mod descriptions;
/// The execution of change sets.
pub(crate) mod execution;
/// The running operation of a stack.
mod operation;
/// The operations of a stack, step by step.
pub mod operations;
/// The parts that several calls have.
mod requests;
/// The types of resources.
pub(crate) mod resource_kinds;
/// The resources that CloudFormation creates, by type.
pub mod resources;
/// How stacks roll back.
mod rollbacks;
/// A stack.
mod stack;
/// Templates with all functions and references resolved.
pub(crate) mod template;

pub use crate::world::options::{ChangeSetBehaviour, SeenTokens};
pub(crate) use api::answer;
pub use change_sets::ResourceChange;
pub use operation::{ResourceAction, StackOperation};
pub use stack::{ACCEPTED, Finding, ResourceEvent, STATUSES, Stack};

/// A resource that a test makes fail.
#[derive(Clone, Debug)]
pub struct ResourceFailure {
    pub logical_id: String,
    pub doing: ResourceAction,
    pub reason: String,
    /// How often it still fails.
    pub times: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// All that ever were, by id: "deleted stacks […] for 90 days" (API Reference,
    /// `DescribeStacks`).
    pub all: BTreeMap<String, Stack>,
    /// Which operation each token began, and of which stack.
    pub tokens: BTreeMap<String, (String, String)>,
    pub failing: Vec<ResourceFailure>,
    /// The validation errors of each template from now on.
    pub findings: Vec<Finding>,
    /// The findings of users' hooks from now on.
    pub hooks: Vec<Finding>,
    pub change_sets: ChangeSets,
    /// The custom resources of parent stacks, by the stack's ARN and the logical ID.
    pub declared: BTreeMap<(String, String), CustomResource>,
    /// The stacks with the custom resources themselves, by their ARNs. `None` before they exist.
    pub parents: BTreeMap<String, History<Option<Parent>>>,
    /// "For nested stacks […] the stack ID of the top-level stack" (`StackSummary`), by their own.
    pub roots: BTreeMap<String, String>,
    /// The names of the stacks that import each export.
    pub imports: BTreeMap<String, Vec<String>>,
}

/// A stack with a custom resource, as CloudFormation shows both.
#[derive(Clone, Debug)]
pub struct Parent {
    pub status: &'static str,
    pub logical_id: &'static str,
    pub resource: CustomResource,
}

/// A custom resource, as the record of its stack shows it.
#[derive(Clone, Debug)]
pub struct CustomResource {
    pub kind: &'static str,
    /// Empty until the resource is created.
    pub physical_id: String,
    pub status: &'static str,
}

impl Stacks {
    /// The stack that has this name now.
    pub fn named(&self, name: &str) -> Option<&Stack> {
        self.living().find(|one| one.name == name)
    }

    pub fn named_mut(&mut self, name: &str) -> Option<&mut Stack> {
        let mut all = self.all.values_mut();
        all.find(|one| one.status != "DELETE_COMPLETE" && one.name == name)
    }

    /// By name while it exists, by ID also afterwards.
    pub fn find(&self, name_or_id: &str) -> Option<&Stack> {
        self.named(name_or_id).or_else(|| self.all.get(name_or_id))
    }

    /// Stacks that are not deleted.
    pub fn living(&self) -> impl Iterator<Item = &Stack> {
        self.all.values().filter(|one| one.status != "DELETE_COMPLETE")
    }

    /// The stack with the next step, and the step's time.
    pub fn next(&self) -> Option<(Duration, String)> {
        let due = self.all.values().filter_map(|stack| {
            let operation = stack.operation.as_ref()?;
            Some((operation.due, &stack.id))
        });
        due.min().map(|(due, id)| (due, id.clone()))
    }

    /// The reason why this step of a resource fails now, if a test sets one.
    pub fn failure(&mut self, logical_id: &str, doing: ResourceAction) -> Option<String> {
        let mut failing = self.failing.iter_mut();
        let found = failing
            .find(|one| one.logical_id == logical_id && one.doing == doing && one.times > 0)?;
        found.times = found.times.saturating_sub(1);
        Some(found.reason.clone())
    }
}
