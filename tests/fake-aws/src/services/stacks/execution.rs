//! The execution of change sets.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    services::stacks::{
        Stacks,
        change_sets::ChangeSet,
        operation::{
            self, Before, OperationKind, OperationStep, ResourceAction, SETTLES, StackOperation,
        },
        resource_kinds,
        stack::Stack,
    },
    world::World,
};

/// Executes a change set: "`CloudFormation` deletes all other change sets associated with the stack
/// because they aren't valid for the updated stack" (API Reference, `ExecuteChangeSet`).
pub(crate) fn execute(
    stacks: &mut Stacks,
    world: &mut World,
    key: &(String, String),
    token: Option<String>,
) {
    let (now, takes) = (world.now, world.options.resource_takes);
    let change_sets = &mut stacks.change_sets;
    let Some(change_set) = change_sets.remove(key) else {
        return;
    };
    change_sets.remove_of(&key.0);
    change_sets.executed.push(change_set.clone());
    let Some(stack) = stacks.named_mut(&key.0) else {
        return;
    };
    let steps = reverting_steps(stack, &change_set);
    let before = Before::of(stack);
    let template = change_set.template.as_ref();
    let is_changed = template.is_some_and(|template| *template != stack.template);
    let mut resources = stack.resources.values();
    let has_real_resources = resources.any(|held| resource_kinds::is_known(&held.desired.kind));
    let complaint = format!(
        "the fake executes no change set with a new template for {}",
        key.0
    );
    let complaint = (is_changed && has_real_resources).then_some(complaint);
    if let (Some(template), false) = (&change_set.template, has_real_resources) {
        let parameters = change_set.parameters.clone().unwrap_or_default();
        stack.deploy(template, parameters, now);
    }
    stack.role = change_set.role.or_else(|| stack.role.take());
    stack.updated = Some(now);
    stack.change_set_id = Some(change_set.id);
    let is_empty = steps.len() == 1;
    let outputs = stack.outputs.clone();
    stack.operation = Some(StackOperation {
        due: now + if is_empty { takes } else { SETTLES },
        before: Some(Arc::new(before)),
        reverts_drift: change_set.reverts_drift,
        ..operation::operation(token, OperationKind::Update, steps, now, outputs)
    });
    stack.reach("UPDATE_IN_PROGRESS", Some("User Initiated".to_owned()), now);
    world.complaints.extend(complaint);
}

/// The steps that create deleted resources again and update modified ones, if the fake has their
/// services.
fn reverting_steps(stack: &Stack, change_set: &ChangeSet) -> VecDeque<OperationStep> {
    let mut steps = VecDeque::new();
    let changes = change_set.changes.iter();
    let drifted = changes.filter(|_| change_set.reverts_drift);
    for change in drifted {
        let Some(held) = stack.resources.get(&change.logical_id) else {
            continue;
        };
        let doing = match change.drift {
            Some("DELETED") => ResourceAction::Create,
            Some("MODIFIED") => ResourceAction::Update,
            _ => continue,
        };
        if resource_kinds::is_known(&held.desired.kind) {
            operation::add(&mut steps, doing, held.desired.clone(), false);
        }
    }
    steps.push_back(OperationStep::Finish("UPDATE_COMPLETE"));
    steps
}
