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
        codecommit::CodeCommit,
        pipelines::Pipelines,
        stacks::{
            Stacks,
            operation::{
                Before, OperationKind, OperationStep, ResourceAction, SETTLES, StackResource, Work,
                add, operation,
            },
            resource_kinds::{BUILD_PROJECT, PIPELINE, RULE},
            resources::{self, Owner},
            rollbacks::{cancel_running, cancel_sibling, roll_create_back, roll_update_back},
            stack::{Finding, Stack, mark},
            template::{Policy, Resolved},
        },
    },
    world::{Tags, World},
};

/// Begins to create.
pub fn create(
    stacks: &mut Stacks,
    world: &mut World,
    mut stack: Stack,
    resolved: Resolved,
    token: Option<String>,
) {
    let now = world.now;
    let findings = &stacks.findings;
    if findings.iter().any(|finding| finding.fails) {
        let (begins, status) = ("CREATE_IN_PROGRESS", "CREATE_FAILED");
        stack.reject(begins, status, token.as_deref(), findings, now);
        stacks.all.insert(stack.id.clone(), stack);
        return;
    }
    let mut steps = VecDeque::new();
    for desired in resolved.resources {
        add(&mut steps, ResourceAction::Create, desired, false);
    }
    steps.push_back(OperationStep::Finish("CREATE_COMPLETE"));
    stack.parameters = resolved.parameters;
    let (kind, outputs) = (OperationKind::Create, resolved.outputs);
    stack.operation = Some(operation(token, kind, steps, now, outputs));
    stack.reach("CREATE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    stacks.all.insert(stack.id.clone(), stack);
}

/// Begins to update, unless nothing would change.
pub fn update(
    stacks: &mut Stacks,
    world: &mut World,
    id: &str,
    template: Arc<Value>,
    resolved: Resolved,
    tags: Tags,
    token: Option<String>,
) -> Result<(), String> {
    let now = world.now;
    let is_lenient = world.options.parameters_alone_are_updates;
    let findings = stacks.findings.clone();
    let stack = stacks.all.get_mut(id).expect("a stack that was found");
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
            let desired = held.desired.clone();
            add(&mut cleanup, ResourceAction::Delete, desired, false);
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
pub fn delete(stacks: &mut Stacks, now: Duration, id: &str, token: Option<String>) {
    let Some(mut stack) = stacks.all.remove(id) else {
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
    let (kind, outputs) = (OperationKind::Delete, BTreeMap::new());
    stack.operation = Some(operation(token, kind, steps, now, outputs));
    stack.reach("DELETE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    stacks.all.insert(stack.id.clone(), stack);
}

/// The rule and the pipeline refer to the repository, the pipeline to the build project, and
/// that to its log group: dependents are deleted first.
fn in_order_of_dependence(steps: &mut VecDeque<OperationStep>) {
    let rank = |step: &OperationStep| match step {
        OperationStep::Begin(work) | OperationStep::End(work) => match work.desired.kind.as_str() {
            RULE => 0,
            PIPELINE => 1,
            BUILD_PROJECT => 2,
            _ => 3,
        },
        _ => 4,
    };
    steps.make_contiguous().sort_by_key(rank);
}

/// Takes the next step of the due stack.
pub fn step(
    stacks: &mut Stacks,
    codecommit: &mut CodeCommit,
    pipelines: &mut Pipelines,
    world: &mut World,
    id: &str,
) {
    let now = world.now;
    let Some(mut stack) = stacks.all.remove(id) else {
        return;
    };
    let operation = stack.operation.as_mut();
    match operation.and_then(|one| one.steps.pop_front()) {
        None => stack.operation = None,
        Some(OperationStep::Begin(work)) => {
            let takes = world.options.resource_takes;
            begin(&mut stack, &work, takes, now);
        }
        Some(OperationStep::End(work)) => {
            let failing = stacks.failure(&work.desired.logical_id, work.doing);
            let result = match failing.or_else(|| hooked(&stacks.hooks, &mut stack, &work, now)) {
                Some(reason) => Err(reason),
                None => take_effect(codecommit, pipelines, world, &stack, &work),
            };
            end(&mut stack, work, result, now);
        }
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
                stacks.change_sets.remove_of(&stack.name);
            }
        }
    }
    stacks.all.insert(stack.id.clone(), stack);
}

/// The statuses of a resource during a change, after it, and if it fails.
fn statuses(doing: ResourceAction) -> [&'static str; 3] {
    match doing {
        ResourceAction::Create => ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED"],
        ResourceAction::Delete => ["DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED"],
        _ => ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED"],
    }
}

/// The reason of a resource that a hook rejects: it has only the hook's name.
/// <https://github.com/aws/aws-cdk/issues/21674>
fn hooked(hooks: &[Finding], stack: &mut Stack, work: &Work, now: Duration) -> Option<String> {
    if !matches!(work.doing, ResourceAction::Create | ResourceAction::Update) {
        return None;
    }
    let [status, ..] = statuses(work.doing);
    let own = hooks.iter().filter(|hook| hook.logical_id == work.desired.logical_id);
    let mut reason = None;
    for hook in own {
        stack.note_hook(&work.desired, status, hook, now);
        let name = hook.hook.unwrap_or_default();
        let failed = format!("The following hook(s) failed: [{name}]");
        reason = reason.or(hook.fails.then_some(failed));
    }
    reason
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
    let [status, ..] = statuses(work.doing);
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

/// The change of the resource itself.
fn take_effect(
    codecommit: &mut CodeCommit,
    pipelines: &mut Pipelines,
    world: &mut World,
    stack: &Stack,
    work: &Work,
) -> Result<(), String> {
    let owner = Owner {
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        tags: stack.tags.clone(),
        logical_id: work.desired.logical_id.clone(),
    };
    match work.doing {
        ResourceAction::Create => {
            resources::create(codecommit, pipelines, world, &owner, &work.desired)
        }
        ResourceAction::Update | ResourceAction::RollBack => {
            resources::update(codecommit, pipelines, world, &owner, &work.desired)
        }
        ResourceAction::Delete => {
            resources::delete(codecommit, pipelines, world, &work.desired);
            Ok(())
        }
    }
}

fn end(stack: &mut Stack, work: Work, result: Result<(), String>, now: Duration) {
    if let Err(reason) = result {
        fail(stack, work, &reason, now);
        return;
    }
    let [_, status, _] = statuses(work.doing);
    stack.note(&work.desired, status, None, now);
    mark(stack, &work, status, None, now);
    let operation = stack.operation.as_mut().expect("its own step");
    operation.done.push(work);
    operation.due = now;
}

fn fail(stack: &mut Stack, work: Work, reason: &str, now: Duration) {
    let kind = stack.operation.as_ref().expect("its own step").kind;
    let [.., status] = statuses(work.doing);
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
