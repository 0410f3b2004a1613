//! A stack: its description, its events, and its status.

use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    services::{
        iam::ACCOUNT,
        stacks::{
            operation::{
                Before, OperationKind, OperationStep, ResourceAction, StackOperation,
                StackResource, Work, operation,
            },
            template::{Desired, Parameters, Policy},
        },
    },
    world::tags::Tags,
};

/// Every status that a stack can have (API Reference, `Stack`, `StackStatus`), apart from those
/// of an import, which needs a change set. With the calls that CloudFormation accepts in it, if they
/// do not disable the rollback. `tests/rules` compares them with those of `tests/local` and of the
/// product. The User Guide has them in Stack status codes, Stack failure options and Continue rolling
/// back an update, the API Reference in `RollbackStack` and `DeleteStack`.
///
/// - `ExecuteChangeSet` in `UPDATE_FAILED`: <https://github.com/aws/aws-cdk/issues/30546>
/// - `UpdateStack` in `CREATE_FAILED`:
///   <https://github.com/ansible-collections/amazon.aws/issues/1655>
/// - `CreateChangeSet` in `ROLLBACK_COMPLETE`: <https://github.com/bitovi/bitops/issues/128>
/// - `REVIEW_IN_PROGRESS`: <https://github.com/aws/aws-cdk/pull/7731>
#[rustfmt::skip]
pub const ACCEPTED: [(&str, &str); 18] = [
    ("CREATE_IN_PROGRESS", "DeleteStack"),
    ("CREATE_FAILED", "CreateChangeSet DeleteStack RollbackStack"),
    ("CREATE_COMPLETE", "CreateChangeSet DeleteStack ExecuteChangeSet UpdateStack"),
    ("ROLLBACK_IN_PROGRESS", ""),
    ("ROLLBACK_FAILED", "DeleteStack"),
    ("ROLLBACK_COMPLETE", "DeleteStack"),
    ("DELETE_IN_PROGRESS", "DeleteStack"),
    ("DELETE_FAILED", "DeleteStack"),
    ("DELETE_COMPLETE", "DeleteStack"),
    ("UPDATE_IN_PROGRESS", ""),
    ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
    ("UPDATE_COMPLETE", "CreateChangeSet DeleteStack ExecuteChangeSet UpdateStack"),
    ("UPDATE_FAILED", "CreateChangeSet DeleteStack RollbackStack"),
    ("UPDATE_ROLLBACK_IN_PROGRESS", ""),
    ("UPDATE_ROLLBACK_FAILED", "ContinueUpdateRollback DeleteStack"),
    ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""),
    ("UPDATE_ROLLBACK_COMPLETE", "CreateChangeSet DeleteStack ExecuteChangeSet UpdateStack"),
    ("REVIEW_IN_PROGRESS", "CreateChangeSet DeleteStack ExecuteChangeSet"),
];

pub const STATUSES: [&str; ACCEPTED.len()] = {
    let mut all = [""; ACCEPTED.len()];
    let mut row = 0;
    while row < all.len() {
        all[row] = ACCEPTED[row].0;
        row += 1;
    }
    all
};

/// The errors of CloudFormation's pre-deployment validation of a template, or of hooks.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
#[derive(Clone, Debug)]
pub struct Finding {
    pub logical_id: String,
    pub kind: String,
    pub reason: String,
    /// Whether it fails the operation; otherwise it is a warning.
    pub fails: bool,
    /// The type of the hook that found it. `None` if a validation did.
    pub hook: Option<&'static str>,
}

impl Finding {
    pub(crate) fn mode(&self) -> &'static str {
        if self.fails { "FAIL" } else { "WARN" }
    }
}

/// A finding in an operation.
#[derive(Clone, Debug)]
pub struct Found {
    pub finding: Finding,
    pub token: Option<String>,
    pub operation: Option<String>,
}

/// The event of a resource that a test sets.
#[derive(Clone, Debug)]
pub struct ResourceEvent {
    pub logical_id: &'static str,
    pub kind: &'static str,
    pub status: &'static str,
    pub reason: &'static str,
    /// The ID of a nested stack. Empty for another resource.
    pub physical_id: String,
}

#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub created: Duration,
    pub updated: Option<Duration>,
    pub deleted: Option<Duration>,
    pub role: Option<String>,
    /// The change set that was executed last.
    pub change_set_id: Option<String>,
    pub tags: Tags,
    pub parameters: Parameters,
    pub template: Arc<Value>,
    pub capabilities: Vec<String>,
    /// The drift status of each resource that differs from its template.
    pub drifts: BTreeMap<String, &'static str>,
    pub outputs: BTreeMap<String, String>,
    pub resources: BTreeMap<String, StackResource>,
    /// In the order in which they happened.
    pub events: Vec<Arc<StackEvent>>,
    pub operation: Option<StackOperation>,
    /// The type and ID of each operation, the newest one last.
    pub operations: Vec<(&'static str, String)>,
    /// The ID of the stack that contains it.
    pub parent: Option<String>,
    /// The errors of validations and hooks.
    pub found: Vec<Found>,
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
    /// "The unique identifier of the operation that generated this stack event" (API Reference,
    /// `StackEvent`).
    pub operation: Option<String>,
    /// The finding, if the event is of a hook.
    pub hook: Option<Finding>,
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
            created: now,
            ..Self::default()
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
        self.begin_operation(status);
        let token = self.token();
        let operation = self.operation_id();
        self.events.push(Arc::new(StackEvent {
            id: format!("{}-{}", self.events.len(), self.name),
            at: now,
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status,
            reason,
            token,
            operation,
            hook: None,
        }));
        let described = self.described();
        self.was.push((now, Arc::new(described)));
    }

    /// Each operation has an ID, and so has the automatic rollback of one:
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html>.
    fn begin_operation(&mut self, status: &str) {
        let kind = match status {
            "CREATE_IN_PROGRESS" => "CREATE_STACK",
            "UPDATE_IN_PROGRESS" => "UPDATE_STACK",
            "DELETE_IN_PROGRESS" => "DELETE_STACK",
            "ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_IN_PROGRESS" => "ROLLBACK",
            _ => return,
        };
        let id = format!("{}-operation-{}", self.name, self.operations.len());
        self.operations.push((kind, id));
    }

    fn operation_id(&self) -> Option<String> {
        self.operations.last().map(|(_, id)| id.clone())
    }

    /// An operation fails after these events of its resources, and is rolled back.
    pub fn fail(&mut self, begins: &'static str, events: &[ResourceEvent], now: Duration) {
        let is_creation = begins == "CREATE_IN_PROGRESS";
        self.reach(begins, Some("User Initiated".to_owned()), now);
        let operation = self.operation_id();
        for event in events {
            self.events.push(Arc::new(StackEvent {
                id: format!("{}-{}", self.events.len(), event.logical_id),
                at: now,
                logical_id: event.logical_id.to_owned(),
                physical_id: event.physical_id.clone(),
                kind: event.kind.to_owned(),
                status: event.status,
                reason: Some(event.reason.to_owned()),
                token: None,
                operation: operation.clone(),
                hook: None,
            }));
        }
        let failed: Vec<&str> = events.iter().map(|event| event.logical_id).collect();
        let failed = failed.join(", ");
        let reason = format!("The following resource(s) failed to create: [{failed}]. ");
        let [rolls_back, ended] = if is_creation {
            ["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
        } else {
            ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
        };
        self.reach(rolls_back, Some(reason), now);
        self.reach(ended, None, now);
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
        let steps = then.iter().map(|(_, status)| OperationStep::Finish(status));
        let (token, outputs) = (token.map(str::to_owned), self.outputs.clone());
        self.operation = Some(StackOperation {
            due: then.map_or(now, |(after, _)| now + after),
            ..operation(token, OperationKind::Update, steps.collect(), now, outputs)
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
        let (token, operation) = (token.map(str::to_owned), self.operation_id());
        self.found.extend(found.map(|finding| Found {
            finding,
            token: token.clone(),
            operation: operation.clone(),
        }));
    }

    /// A resource gets a status.
    pub fn note(
        &mut self,
        desired: &Desired,
        status: &'static str,
        reason: Option<&str>,
        now: Duration,
    ) {
        let (token, operation) = (self.token(), self.operation_id());
        self.events.push(Arc::new(StackEvent {
            id: format!("{}-{}", self.events.len(), desired.logical_id),
            at: now,
            logical_id: desired.logical_id.clone(),
            physical_id: desired.physical_id.clone(),
            kind: desired.kind.clone(),
            status,
            reason: reason.map(str::to_owned),
            token,
            operation,
            hook: None,
        }));
    }

    /// A hook of a user rejects a resource, or warns. Its message is in an event of its own, and in
    /// those of `DescribeEvents` (API Reference, `StackEvent` and `OperationEvent`). A listing of such
    /// an event: <https://github.com/Sceptre/sceptre/issues/1343>.
    pub fn note_hook(
        &mut self,
        desired: &Desired,
        status: &'static str,
        hook: &Finding,
        now: Duration,
    ) {
        self.note(desired, status, None, now);
        if let Some(event) = self.events.last_mut() {
            Arc::make_mut(event).hook = Some(hook.clone());
        }
        self.found.push(Found {
            finding: hook.clone(),
            token: self.token(),
            operation: self.operation_id(),
        });
    }

    fn token(&self) -> Option<String> {
        self.operation.as_ref().and_then(|one| one.token.clone())
    }

    /// Statuses of the stack itself, oldest first: the operation's course.
    pub fn course(&self) -> Vec<&'static str> {
        let events = self.events.iter();
        let own = events.filter(|event| event.physical_id == self.id);
        own.map(|event| event.status).collect()
    }

    /// The token of the operation that began last.
    pub fn last_token(&self) -> Option<&str> {
        self.events.last().and_then(|event| event.token.as_deref())
    }

    pub fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// When its last update began, or its creation.
    pub(crate) fn last_update(&self) -> Duration {
        self.updated.unwrap_or(self.created)
    }

    /// Whether CloudFormation accepts the call now. Of a status that the table lacks, none.
    pub fn accepts(&self, call: &str) -> bool {
        let row = ACCEPTED.iter().find(|(status, _)| *status == self.status);
        row.is_some_and(|(_, calls)| calls.split(' ').any(|accepted| accepted == call))
    }

    /// Deploys a template whose resources the fake does not have: each is in the stack with a
    /// physical ID, and in no service.
    pub(crate) fn deploy(&mut self, template: &Arc<Value>, parameters: Parameters, now: Duration) {
        let declared = template["Resources"].as_object().into_iter().flatten();
        let resources = declared.map(|(logical_id, resource)| {
            let desired = Desired {
                logical_id: logical_id.clone(),
                kind: resource["Type"].as_str().unwrap_or_default().to_owned(),
                physical_id: format!("{}-{logical_id}-1A2B3C4D5E6F", self.name),
                properties: resource["Properties"].clone(),
                metadata: resource["Metadata"].clone(),
                deletion: Policy::default(),
                replacement: Policy::default(),
            };
            let held = StackResource {
                desired,
                exists: true,
                status: "CREATE_COMPLETE",
                reason: None,
                updated: now,
            };
            (logical_id.clone(), held)
        });
        self.resources = resources.collect();
        self.template = Arc::clone(template);
        self.parameters = parameters;
    }
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

/// Records a resource's new state.
pub fn mark(
    stack: &mut Stack,
    work: &Work,
    status: &'static str,
    reason: Option<&str>,
    now: Duration,
) {
    if work.is_replaced {
        return;
    }
    let failed = status.ends_with("_FAILED");
    let held = stack.resources.get_mut(&work.desired.logical_id);
    let Some(held) = held else { return };
    held.status = status;
    held.reason = reason.map(str::to_owned);
    held.updated = now;
    match work.doing {
        _ if failed => {}
        ResourceAction::Create | ResourceAction::Update | ResourceAction::RollBack => {
            held.exists = true;
            held.desired = work.desired.clone();
        }
        ResourceAction::Delete => held.exists = false,
    }
}
