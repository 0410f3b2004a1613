//! The steps of a stack's operations, each at its time. User Guide: Stack
//! status codes; Update behaviors of stack resources; Stack failure options; `DeletionPolicy`.

use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    services::{
        stacks::{
            Before, OperationKind, OperationStep, ResourceAction, Stack, StackOperation,
            StackResource, Work,
            resources::{self, Owner},
            rollbacks::{cancel_running, cancel_sibling, roll_create_back, roll_update_back},
            template::{Desired, Policy, Resolved},
        },
        tags::Tags,
    },
    state::AwsState,
};

/// The stack's own steps, between those of its resources.
pub(crate) const SETTLES: Duration = Duration::from_secs(1);

/// Begins to create.
pub fn create(aws: &mut AwsState, mut stack: Stack, resolved: Resolved, token: Option<String>) {
    let now = aws.now;
    let findings = &aws.stacks.findings;
    if findings.iter().any(|finding| finding.fails) {
        let (begins, status) = ("CREATE_IN_PROGRESS", "CREATE_FAILED");
        stack.reject(begins, status, token.as_deref(), findings, now);
        aws.stacks.all.insert(stack.id.clone(), stack);
        return;
    }
    let mut steps = VecDeque::new();
    for desired in resolved.resources {
        add(&mut steps, ResourceAction::Create, desired, false);
    }
    steps.push_back(OperationStep::Finish("CREATE_COMPLETE"));
    stack.parameters = resolved.parameters;
    stack.operation = Some(operation(
        token,
        OperationKind::Create,
        steps,
        now,
        resolved.outputs,
    ));
    stack.reach("CREATE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    aws.stacks.all.insert(stack.id.clone(), stack);
}

/// Begins to update, unless nothing would change.
pub fn update(
    aws: &mut AwsState,
    id: &str,
    template: Arc<Value>,
    resolved: Resolved,
    tags: Tags,
    token: Option<String>,
) -> Result<(), String> {
    let now = aws.now;
    let is_lenient = aws.options.parameters_alone_are_updates;
    let findings = aws.stacks.findings.clone();
    let stack = aws.stacks.all.get_mut(id).expect("a stack that was found");
    let retagged = stack.tags != tags;
    let mut steps = VecDeque::new();
    let mut cleanup = VecDeque::new();
    for desired in &resolved.resources {
        let held = stack.resources.get(&desired.logical_id);
        match held.filter(|held| held.exists).map(|held| &held.desired) {
            None => add(&mut steps, ResourceAction::Create, desired.clone(), false),
            Some(held) if held.physical_id != desired.physical_id => {
                add(&mut steps, ResourceAction::Create, desired.clone(), false);
                let mut old = held.clone();
                old.deletion = desired.replacement;
                add(&mut cleanup, ResourceAction::Delete, old, true);
            }
            Some(held)
                if retagged
                    || held.properties != desired.properties
                    || held.metadata != desired.metadata =>
            {
                add(&mut steps, ResourceAction::Update, desired.clone(), false);
            }
            Some(_) => {}
        }
    }
    let is_wanted = |id: &String| resolved.resources.iter().any(|one| one.logical_id == *id);
    let removed = stack.resources.iter().rev();
    for (logical_id, held) in removed {
        if held.exists && !is_wanted(logical_id) {
            add(
                &mut cleanup,
                ResourceAction::Delete,
                held.desired.clone(),
                false,
            );
        }
    }
    // "You can't update […] by themselves": of the parts that are not resources, only tags (User
    // Guide. The pages of Parameters, Conditions and Outputs do not state it; an output alone was
    // rejected).
    let reworded = is_lenient && stack.parameters != resolved.parameters;
    if steps.is_empty() && cleanup.is_empty() && !retagged && !reworded {
        return Err("No updates are to be performed.".to_owned());
    }
    if findings.iter().any(|finding| finding.fails) {
        let (begins, status) = ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE");
        stack.reject(begins, status, token.as_deref(), &findings, now);
        return Ok(());
    }
    steps.push_back(OperationStep::Reach("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    steps.append(&mut cleanup);
    steps.push_back(OperationStep::Finish("UPDATE_COMPLETE"));
    let before = Before::of(stack);
    let mut operation = operation(token, OperationKind::Update, steps, now, resolved.outputs);
    operation.before = Some(Arc::new(before));
    // The policies apply from now on, even if nothing else changes.
    for desired in &resolved.resources {
        if let Some(held) = stack.resources.get_mut(&desired.logical_id) {
            held.desired.deletion = desired.deletion;
            held.desired.replacement = desired.replacement;
        }
    }
    stack.template = template;
    stack.parameters = resolved.parameters;
    stack.tags = tags;
    stack.updated = Some(now);
    stack.operation = Some(operation);
    stack.reach("UPDATE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    Ok(())
}

/// Starts the deletion during any other operation.
pub fn delete(aws: &mut AwsState, id: &str, token: Option<String>) {
    let now = aws.now;
    let Some(mut stack) = aws.stacks.all.remove(id) else {
        return;
    };
    cancel_running(&mut stack, now);
    let mut steps = VecDeque::new();
    for held in stack.resources.values().rev().filter(|held| held.exists) {
        let desired = held.desired.clone();
        add(&mut steps, ResourceAction::Delete, desired, false);
    }
    in_order_of_dependence(&mut steps);
    steps.push_back(OperationStep::Finish("DELETE_COMPLETE"));
    stack.operation = Some(operation(
        token,
        OperationKind::Delete,
        steps,
        now,
        BTreeMap::new(),
    ));
    stack.reach("DELETE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    aws.stacks.all.insert(stack.id.clone(), stack);
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

/// The rule and the pipeline refer to the repository, the pipeline to the build project, and
/// that to its log group: dependents are deleted first.
fn in_order_of_dependence(steps: &mut VecDeque<OperationStep>) {
    let rank = |step: &OperationStep| match step {
        OperationStep::Begin(work) | OperationStep::End(work) => match work.desired.kind.as_str() {
            resources::RULE => 0,
            resources::PIPELINE => 1,
            resources::BUILD_PROJECT => 2,
            _ => 3,
        },
        _ => 4,
    };
    steps.make_contiguous().sort_by_key(rank);
}

/// Takes the next step of the due stack.
pub fn step(aws: &mut AwsState, id: &str) {
    let now = aws.now;
    let Some(mut stack) = aws.stacks.all.remove(id) else {
        return;
    };
    let next = stack
        .operation
        .as_mut()
        .and_then(|one| one.steps.pop_front());
    match next {
        None => stack.operation = None,
        Some(OperationStep::Begin(work)) => {
            let takes = aws.options.resource_takes;
            begin(&mut stack, &work, takes, now);
        }
        Some(OperationStep::End(work)) => end(aws, &mut stack, work, now),
        Some(OperationStep::Reach(status)) => {
            if let Some(operation) = &mut stack.operation {
                operation.due = now + SETTLES;
                stack.outputs.clone_from(&operation.outputs);
            }
            stack.reach(status, None, now);
        }
        Some(OperationStep::Finish(status)) => {
            finish(&mut stack, status, now);
            if stack.status == "DELETE_COMPLETE" {
                aws.stacks.change_sets.remove_of(&stack.name);
            }
        }
    }
    aws.stacks.all.insert(stack.id.clone(), stack);
}

fn begin(stack: &mut Stack, work: &Work, takes: Duration, now: Duration) {
    if is_retained(stack, work) {
        stack.note(&work.desired, "DELETE_SKIPPED", None, now);
        mark(stack, work, "DELETE_SKIPPED", None, now);
        let operation = stack.operation.as_mut().expect("its own step");
        operation.steps.pop_front();
        operation.due = now;
        return;
    }
    let status = match work.doing {
        ResourceAction::Create => "CREATE_IN_PROGRESS",
        ResourceAction::Update | ResourceAction::RollBack => "UPDATE_IN_PROGRESS",
        ResourceAction::Delete => "DELETE_IN_PROGRESS",
    };
    stack.note(&work.desired, status, None, now);
    if !work.is_replaced {
        let exists = work.doing != ResourceAction::Create;
        let held = stack.resources.entry(work.desired.logical_id.clone());
        let held = held.or_insert_with(|| StackResource {
            desired: work.desired.clone(),
            exists,
            status,
            reason: None,
            updated: now,
        });
        held.status = status;
        held.updated = now;
    }
    let operation = stack.operation.as_mut().expect("its own step");
    operation.due = now + takes;
}

/// `Retain` holds always; `RetainExceptOnCreate` "behaves like Retain except for the stack
/// operation that initially creates the resource": rolled back, it deletes.
fn is_retained(stack: &Stack, work: &Work) -> bool {
    let kind = stack.operation.as_ref().map(|one| one.kind);
    let rolls_back = matches!(
        kind,
        Some(OperationKind::RollBackCreate | OperationKind::RollBackUpdate)
    );
    work.doing == ResourceAction::Delete
        && match work.desired.deletion {
            Policy::Delete => false,
            Policy::Retain => true,
            Policy::RetainExceptOnCreate => !rolls_back,
        }
}

fn end(aws: &mut AwsState, stack: &mut Stack, work: Work, now: Duration) {
    let owner = Owner {
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        tags: stack.tags.clone(),
        logical_id: work.desired.logical_id.clone(),
    };
    let Desired {
        kind,
        physical_id: name,
        properties,
        ..
    } = &work.desired;
    let result = match aws.stacks.failure(&work.desired.logical_id, work.doing) {
        Some(reason) => Err(reason),
        None => match work.doing {
            ResourceAction::Create => resources::create(aws, &owner, kind, name, properties),
            ResourceAction::Update | ResourceAction::RollBack => {
                resources::update(aws, &owner, kind, name, properties)
            }
            ResourceAction::Delete => {
                resources::delete(aws, kind, name);
                Ok(())
            }
        },
    };
    if let Err(reason) = result {
        fail(stack, work, &reason, now);
        return;
    }
    let status = match work.doing {
        ResourceAction::Create => "CREATE_COMPLETE",
        ResourceAction::Update | ResourceAction::RollBack => "UPDATE_COMPLETE",
        ResourceAction::Delete => "DELETE_COMPLETE",
    };
    stack.note(&work.desired, status, None, now);
    mark(stack, &work, status, None, now);
    let operation = stack.operation.as_mut().expect("its own step");
    operation.done.push(work);
    operation.due = now;
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

fn fail(stack: &mut Stack, work: Work, reason: &str, now: Duration) {
    let kind = stack.operation.as_ref().expect("its own step").kind;
    let status = match work.doing {
        ResourceAction::Create => "CREATE_FAILED",
        ResourceAction::Update | ResourceAction::RollBack => "UPDATE_FAILED",
        ResourceAction::Delete => "DELETE_FAILED",
    };
    stack.note(&work.desired, status, Some(reason), now);
    mark(stack, &work, status, Some(reason), now);
    let logical_id = work.desired.logical_id.clone();
    let operation = stack.operation.as_mut().expect("its own step");
    operation.due = now;
    match (kind, work.doing) {
        (OperationKind::Create, _) => {
            cancel_sibling(stack, now);
            let reason = format!("The following resource(s) failed to create: [{logical_id}]. ");
            roll_create_back(stack, &reason, now);
        }
        (OperationKind::Update, ResourceAction::Create | ResourceAction::Update) => {
            let verb = if work.doing == ResourceAction::Create {
                "create"
            } else {
                "update"
            };
            let reason = format!("The following resource(s) failed to {verb}: [{logical_id}]. ");
            if work.doing == ResourceAction::Update {
                // Resources that failed on the way are restored too.
                let operation = stack.operation.as_mut().expect("its own step");
                operation.done.push(work);
            }
            cancel_sibling(stack, now);
            roll_update_back(stack, Some(reason), now);
        }
        (OperationKind::RollBackUpdate, ResourceAction::RollBack) => {
            // It waits for ContinueUpdateRollback, which starts with the failed resources.
            operation.steps.push_front(OperationStep::End(work.clone()));
            operation.steps.push_front(OperationStep::Begin(work));
            operation.due = Duration::MAX;
            let reason = format!("The following resource(s) failed to update: [{logical_id}]. ");
            stack.reach("UPDATE_ROLLBACK_FAILED", Some(reason), now);
        }
        // A failed deletion does not stop the others. In the cleanup after an update the resource
        // remains, and the update succeeds.
        (OperationKind::Delete | OperationKind::RollBackCreate, _) => {
            operation.failed.push(logical_id);
        }
        (OperationKind::Update | OperationKind::RollBackUpdate, _) => {}
    }
}

fn finish(stack: &mut Stack, status: &'static str, now: Duration) {
    let operation = stack.operation.as_ref().expect("its own step");
    let failed = operation.failed.join(", ");
    let reason = (!failed.is_empty())
        .then(|| format!("The following resource(s) failed to delete: [{failed}]. "));
    let status = match (operation.kind, failed.is_empty()) {
        (OperationKind::RollBackCreate, false) => "ROLLBACK_FAILED",
        (OperationKind::Delete, false) => "DELETE_FAILED",
        _ => status,
    };
    stack.outputs.clone_from(&operation.outputs);
    if status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE" {
        stack.resources.retain(|_, held| held.exists);
    }
    if status == "DELETE_COMPLETE" {
        stack.deleted = Some(now);
    }
    if status == "UPDATE_COMPLETE" && operation.reverts_drift {
        stack.drifts.clear();
    }
    stack.reach(status, reason, now);
    stack.operation = None;
}
