//! CloudFormation's stacks: their resources, the progress of their operations, and their events.

use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::services::{
    iam::ACCOUNT,
    stacks::{
        change_sets::ChangeSets,
        template::{Desired, Parameters},
    },
    tags::Tags,
};

/// CloudFormation's XML.
mod api;
/// CloudFormation's calls of change sets.
mod change_set_api;
/// The change sets of stacks.
pub mod change_sets;
/// The changes of a change set.
pub(crate) mod comparison;
/// CloudFormation's descriptions of stacks, events and resources.
mod descriptions;
/// The running operation of a stack.
mod operation;
/// The operations of a stack, step by step.
pub mod operations;
/// The resources that CloudFormation creates, by type.
pub mod resources;
/// How stacks roll back.
mod rollbacks;
/// Templates with all functions and references resolved.
mod template;

pub(crate) use api::answer;
pub use change_sets::{ChangeSetBehaviour, ResourceChange};
pub use operation::{Before, OperationKind, OperationStep, StackOperation, Work};

/// Every status that a stack can have (API Reference, `Stack`, `StackStatus`), apart from those
/// of an import, which needs a change set.
pub const STATUSES: [&str; 18] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
];

/// The treatment of a repeated token. Neither is documented; both are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeenTokens {
    /// The answer of the first time, and no second operation.
    #[default]
    SameAnswer,
    /// `TokenAlreadyExistsException`.
    Refused,
}

/// The running change of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceAction {
    Create,
    Update,
    Delete,
    /// Restoring the state before an update.
    RollBack,
}

/// A resource that a test makes fail.
#[derive(Clone, Debug)]
pub struct ResourceFailure {
    pub logical_id: String,
    pub doing: ResourceAction,
    pub reason: String,
    /// How often it still fails.
    pub times: usize,
}

/// The errors of CloudFormation's pre-deployment validation of a template.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
#[derive(Clone, Debug)]
pub struct Finding {
    pub logical_id: String,
    pub kind: String,
    pub reason: String,
    /// Whether it fails the operation; otherwise it is a warning.
    pub fails: bool,
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
    pub change_sets: ChangeSets,
}

impl Stacks {
    /// The stack that has this name now.
    pub fn named(&self, name: &str) -> Option<&Stack> {
        let mut living = self
            .all
            .values()
            .filter(|one| one.status != "DELETE_COMPLETE");
        living.find(|one| one.name == name)
    }

    pub fn named_mut(&mut self, name: &str) -> Option<&mut Stack> {
        let mut living = self
            .all
            .values_mut()
            .filter(|one| one.status != "DELETE_COMPLETE");
        living.find(|one| one.name == name)
    }

    /// By name while it exists, by ID also afterwards.
    pub fn find(&self, name_or_id: &str) -> Option<&Stack> {
        self.named(name_or_id).or_else(|| self.all.get(name_or_id))
    }

    /// Stacks that are not deleted.
    pub fn living(&self) -> impl Iterator<Item = &Stack> {
        self.all
            .values()
            .filter(|one| one.status != "DELETE_COMPLETE")
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

#[derive(Clone, Debug)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub created: Duration,
    pub updated: Option<Duration>,
    pub deleted: Option<Duration>,
    pub role: Option<String>,
    pub tags: Tags,
    pub parameters: Parameters,
    pub template: Arc<Value>,
    pub capabilities: Vec<String>,
    /// The drift status of each resource that differs from its template.
    pub drifts: BTreeMap<String, &'static str>,
    pub outputs: BTreeMap<String, String>,
    pub is_protected: bool,
    pub resources: BTreeMap<String, StackResource>,
    /// In the order in which they happened.
    pub events: Vec<Arc<StackEvent>>,
    pub operation: Option<StackOperation>,
    /// The validation errors, with the operation's token.
    pub found: Vec<(Option<String>, Finding)>,
    /// How it was described since each of its statuses.
    was: Vec<(Duration, Arc<Described>)>,
}

/// The parts of a stack's description that change with its status.
#[derive(Clone, Debug)]
pub struct Described {
    pub status: &'static str,
    pub reason: Option<String>,
    pub updated: Option<Duration>,
    pub deleted: Option<Duration>,
    pub tags: Tags,
    pub parameters: Parameters,
    pub outputs: BTreeMap<String, String>,
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

#[derive(Clone, Debug)]
pub struct StackEvent {
    pub id: String,
    pub at: Duration,
    pub logical_id: String,
    pub physical_id: String,
    pub kind: String,
    pub status: &'static str,
    pub reason: Option<String>,
    /// "All events initiated by a given stack operation are assigned the same client request
    /// token" (API Reference, `StackEvent`).
    pub token: Option<String>,
}

pub(crate) fn stack_arn(name: &str, id: &str) -> String {
    format!("arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{name}/{id}")
}

impl Stack {
    /// An empty stack, for example of another owner.
    pub fn bare(name: &str, id: &str, now: Duration) -> Self {
        Self {
            id: stack_arn(name, id),
            name: name.to_owned(),
            status: "CREATE_COMPLETE",
            reason: None,
            created: now,
            updated: None,
            deleted: None,
            role: None,
            tags: Tags::new(),
            parameters: Parameters::new(),
            template: Arc::new(Value::Null),
            capabilities: vec![],
            drifts: BTreeMap::new(),
            outputs: BTreeMap::new(),
            is_protected: false,
            resources: BTreeMap::new(),
            events: vec![],
            operation: None,
            found: vec![],
            was: vec![],
        }
    }

    fn described(&self) -> Described {
        Described {
            status: self.status,
            reason: self.reason.clone(),
            updated: self.updated,
            deleted: self.deleted,
            tags: self.tags.clone(),
            parameters: self.parameters.clone(),
            outputs: self.outputs.clone(),
        }
    }

    /// The description at `now` if it is so late; `None` before the stack is visible.
    pub fn seen(&self, now: Duration, late: Duration) -> Option<Described> {
        if late.is_zero() || self.was.is_empty() {
            return Some(self.described());
        }
        let visible = self.was.iter().rev().find(|(at, _)| *at + late <= now);
        visible.map(|(_, was)| Described::clone(was))
    }

    /// The stack itself gets a status, which is an event too.
    pub fn reach(&mut self, status: &'static str, reason: Option<String>, now: Duration) {
        self.status = status;
        self.reason.clone_from(&reason);
        let token = self.token();
        self.events.push(Arc::new(StackEvent {
            id: format!("{}-{}", self.events.len(), self.name),
            at: now,
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status,
            reason,
            token,
        }));
        let described = self.described();
        self.was.push((now, Arc::new(described)));
    }

    /// A status that a test sets, reached by an operation with this token, which does nothing
    /// more, or reaches another status at a later time.
    pub fn arrange(
        &mut self,
        status: &'static str,
        token: Option<&str>,
        then: Option<(Duration, &'static str)>,
        now: Duration,
    ) {
        self.operation = Some(StackOperation {
            token: token.map(str::to_owned),
            kind: OperationKind::Update,
            steps: then
                .iter()
                .map(|(_, status)| OperationStep::Finish(status))
                .collect(),
            due: then.map_or(now, |(after, _)| now + after),
            done: vec![],
            failed: vec![],
            before: None,
            outputs: self.outputs.clone(),
            reverts_drift: false,
        });
        self.reach(status, None, now);
        if then.is_none() {
            self.operation = None;
        }
    }

    /// Validation rejects an operation before it begins with a resource: the stack reaches
    /// `status`, and neither its reason nor its events name a resource.
    pub(crate) fn reject(
        &mut self,
        begins: &'static str,
        status: &'static str,
        token: Option<&str>,
        findings: &[Finding],
        now: Duration,
    ) {
        let then = Some((Duration::ZERO, status));
        self.arrange(begins, token, then, now);
        let failures = findings.iter().filter(|finding| finding.fails).count();
        let reason = format!("Validation failed with {failures} error(s)");
        self.reach(status, Some(reason), now);
        self.operation = None;
        let found = findings.iter().cloned();
        let token = token.map(str::to_owned);
        self.found
            .extend(found.map(|finding| (token.clone(), finding)));
    }

    /// A resource gets a status.
    pub fn note(
        &mut self,
        desired: &Desired,
        status: &'static str,
        reason: Option<&str>,
        now: Duration,
    ) {
        let token = self.token();
        self.events.push(Arc::new(StackEvent {
            id: format!("{}-{}", self.events.len(), desired.logical_id),
            at: now,
            logical_id: desired.logical_id.clone(),
            physical_id: desired.physical_id.clone(),
            kind: desired.kind.clone(),
            status,
            reason: reason.map(str::to_owned),
            token,
        }));
    }

    fn token(&self) -> Option<String> {
        self.operation.as_ref().and_then(|one| one.token.clone())
    }

    /// Statuses of the stack itself, oldest first: the operation's course.
    pub fn course(&self) -> Vec<&'static str> {
        let own = self
            .events
            .iter()
            .filter(|event| event.physical_id == self.id);
        own.map(|event| event.status).collect()
    }

    /// The token of the operation that began last.
    pub fn last_token(&self) -> Option<&str> {
        self.events.last().and_then(|event| event.token.as_deref())
    }

    pub fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }
}
