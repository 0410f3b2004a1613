//! A stack's rollback after a failed resource or a cancellation. User Guide:
//! Stack failure options; Cancel a stack update; `DeletionPolicy`.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    services::stacks::{
        Stacks,
        operation::{OperationKind, OperationStep, ResourceAction, SETTLES, add, operation},
        stack::{Stack, mark},
    },
    world::World,
};

/// CloudFormation works on resources side by side, and cancels the others when one fails.
pub fn cancel_sibling(stack: &mut Stack, now: Duration) {
    let operation = stack.operation.as_ref().expect("its own step");
    let next = operation.steps.iter().find_map(|step| match step {
        OperationStep::Begin(work) if work.doing != ResourceAction::Delete => Some(work.clone()),
        _ => None,
    });
    if let Some(work) = next {
        let (status, reason) = match work.doing {
            ResourceAction::Create => ("CREATE_FAILED", "Resource creation cancelled"),
            _ => ("UPDATE_FAILED", "Resource update cancelled"),
        };
        stack.note(&work.desired, status, Some(reason), now);
    }
}

/// The resource that is being worked on is not finished.
pub fn cancel_running(stack: &mut Stack, now: Duration) {
    let operation = stack.operation.as_ref();
    let running = operation.and_then(|one| one.steps.front().cloned());
    if let Some(OperationStep::End(work)) = running {
        let (status, reason) = match work.doing {
            ResourceAction::Create => ("CREATE_FAILED", "Resource creation cancelled"),
            ResourceAction::Update => ("UPDATE_FAILED", "Resource update cancelled"),
            ResourceAction::Delete | ResourceAction::RollBack => return,
        };
        stack.note(&work.desired, status, Some(reason), now);
        mark(stack, &work, status, Some(reason), now);
    }
}

pub fn roll_create_back(stack: &mut Stack, reason: &str, now: Duration) {
    let operation = stack.operation.as_mut().expect("its own step");
    operation.kind = OperationKind::RollBackCreate;
    operation.steps.clear();
    operation.outputs.clear();
    for work in std::mem::take(&mut operation.done).into_iter().rev() {
        let (steps, desired) = (&mut operation.steps, work.desired);
        add(steps, ResourceAction::Delete, desired, false);
    }
    operation.steps.push_back(OperationStep::Finish("ROLLBACK_COMPLETE"));
    operation.due = now + SETTLES;
    let reason = format!("{reason}Rollback requested by user.");
    stack.reach("ROLLBACK_IN_PROGRESS", Some(reason), now);
}

pub fn roll_update_back(stack: &mut Stack, reason: Option<String>, now: Duration) {
    let operation = stack.operation.as_mut().expect("an update");
    operation.kind = OperationKind::RollBackUpdate;
    operation.steps.clear();
    operation.due = now + SETTLES;
    let before = operation.before.clone().expect("an update knows what was");
    let mut cleanup = VecDeque::new();
    for work in std::mem::take(&mut operation.done).into_iter().rev() {
        let held = before.resources.get(&work.desired.logical_id);
        match (work.doing, held.filter(|held| held.exists)) {
            (ResourceAction::Create, Some(held)) => {
                // A replacement: the former one is still there.
                let logical_id = work.desired.logical_id.clone();
                stack.resources.insert(logical_id, held.clone());
                add(&mut cleanup, ResourceAction::Delete, work.desired, true);
            }
            (ResourceAction::Create, None) => {
                add(&mut cleanup, ResourceAction::Delete, work.desired, false);
            }
            (_, Some(held)) => {
                let back = held.desired.clone();
                add(&mut operation.steps, ResourceAction::RollBack, back, false);
            }
            (_, None) => {}
        }
    }
    let reached = OperationStep::Reach("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS");
    operation.steps.push_back(reached);
    operation.steps.append(&mut cleanup);
    operation.steps.push_back(OperationStep::Finish("UPDATE_ROLLBACK_COMPLETE"));
    operation.outputs.clone_from(&before.outputs);
    stack.template = Arc::clone(&before.template);
    stack.parameters.clone_from(&before.parameters);
    stack.tags.clone_from(&before.tags);
    for (logical_id, held) in &before.resources {
        if let Some(now_held) = stack.resources.get_mut(logical_id) {
            now_held.desired.deletion = held.desired.deletion;
            now_held.desired.replacement = held.desired.replacement;
        }
    }
    stack.reach("UPDATE_ROLLBACK_IN_PROGRESS", reason, now);
}

/// Rolls a running update back.
pub fn cancel(stacks: &mut Stacks, world: &mut World, id: &str, token: Option<String>) {
    let now = world.now;
    let renames = world.options.cancellation_has_its_own_token;
    let Some(stack) = stacks.all.get_mut(id) else {
        return;
    };
    cancel_running(stack, now);
    if let Some(operation) = stack.operation.as_mut().filter(|_| renames) {
        operation.token = token;
    }
    roll_update_back(stack, Some("User Initiated".to_owned()), now);
}

/// Continues a failed rollback.
pub fn continue_rollback(stacks: &mut Stacks, world: &mut World, id: &str, token: Option<String>) {
    let now = world.now;
    let Some(stack) = stacks.all.get_mut(id) else {
        return;
    };
    let Some(operation) = stack.operation.as_mut() else {
        // A test has set the status: nothing is left to do.
        let steps = [
            OperationStep::Reach("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
            OperationStep::Finish("UPDATE_ROLLBACK_COMPLETE"),
        ];
        let outputs = stack.outputs.clone();
        let kind = OperationKind::RollBackUpdate;
        stack.operation = Some(operation(token, kind, steps.into(), now, outputs));
        stack.reach("UPDATE_ROLLBACK_IN_PROGRESS", None, now);
        return;
    };
    operation.token = token;
    operation.due = now + SETTLES;
    operation.failed.clear();
    stack.reach("UPDATE_ROLLBACK_IN_PROGRESS", None, now);
}
