//! Deployed stacks, their change sets and their drift.

use serde_json::Value;
use std::{sync::Arc, time::Duration};

use crate::{
    handle::{FakeAws, owned},
    services::stacks::{
        Finding, ResourceEvent, Stack, change_sets::ChangeSet, comparison, execution,
        resource_kinds,
    },
};

/// Setup, and calls of others meanwhile.
impl FakeAws {
    /// A stack that a pipeline has deployed from this template, with the capability that the
    /// template needs. Its resources have no services here.
    pub fn deployed_stack(&self, name: &str, template: &Value, parameters: &[(&str, &str)]) {
        self.arrange(|aws| {
            let id = aws.next_id();
            let mut stack = Stack::bare(name, &id, aws.now);
            stack.deploy(&Arc::new(template.clone()), owned(parameters), aws.now);
            let needed = comparison::needed_capability(template);
            stack.capabilities = needed.iter().map(|&needed| needed.to_owned()).collect();
            stack.arrange("CREATE_COMPLETE", None, None, aws.now);
            aws.stacks.all.insert(stack.id.clone(), stack);
        });
    }

    /// A resource of a stack drifts to this `ResourceDriftStatus`. With `DELETED` it is deleted,
    /// if the fake has its service. With `IN_SYNC` or `UNSUPPORTED` a drift-aware change set lists
    /// it without drift, as
    /// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505> reports.
    pub fn drift(&self, stack: &str, logical_id: &str, status: &'static str) {
        self.change(|aws| {
            let found = aws.stacks.named_mut(stack).expect("a stack that drifts");
            let held = found.resources.get(logical_id);
            let held = held.expect("a resource that drifts").desired.clone();
            found.drifts.insert(logical_id.to_owned(), status);
            if status == "DELETED" && resource_kinds::is_known(&held.kind) {
                aws.delete_resource(&held);
            }
        });
    }

    /// Another principal updates the stack for this time. Its change sets remain.
    pub fn keep_stack_busy(&self, stack: &str, takes: Duration) {
        self.change(|aws| {
            let now = aws.now;
            let found = aws.stacks.named_mut(stack).expect("a stack to update");
            let then = (takes, "UPDATE_COMPLETE");
            found.arrange("UPDATE_IN_PROGRESS", None, Some(then), now);
        });
    }

    /// The pipeline creates its own change set with this template and executes it at once: the
    /// stack is updated for this time, and its other change sets are deleted.
    pub fn deploy(&self, stack: &str, template: &Value, takes: Duration) {
        self.change(|aws| {
            let now = aws.now;
            aws.stacks.change_sets.remove_of(stack);
            let found = aws.stacks.named_mut(stack).expect("a stack to deploy");
            let parameters = found.parameters.clone();
            found.deploy(&Arc::new(template.clone()), parameters, now);
            found.updated = Some(now);
            let then = (takes, "UPDATE_COMPLETE");
            found.arrange("UPDATE_IN_PROGRESS", None, Some(then), now);
        });
    }

    /// The running update of the stack fails after these events, and is rolled back.
    pub fn fail_deployment(&self, stack: &str, events: &[ResourceEvent]) {
        self.change(|aws| {
            let now = aws.now;
            let found = aws.stacks.named_mut(stack).expect("a stack to deploy");
            found.fail("UPDATE_IN_PROGRESS", events, now);
        });
    }

    /// A person updates the stack without a change set, which fails after these events. By the
    /// assumption `direct-update-drops-the-change-set`.
    pub fn fail_direct_update(&self, stack: &str, events: &[ResourceEvent]) {
        self.fail_deployment(stack, events);
        self.change(|aws| {
            let found = aws.stacks.named_mut(stack).expect("a stack to update");
            found.change_set_id = None;
        });
    }

    /// A nested stack, whose creation fails after these events. Returns its ID.
    pub fn failed_nested_stack(
        &self,
        parent: &str,
        name: &str,
        events: &[ResourceEvent],
    ) -> String {
        self.change(|aws| {
            let (id, now) = (aws.next_id(), aws.now);
            let parent = aws.stacks.named(parent).map(|parent| parent.id.clone());
            let mut stack = Stack::bare(name, &id, now);
            stack.parent = parent;
            stack.fail("CREATE_IN_PROGRESS", events, now);
            let id = stack.id.clone();
            aws.stacks.all.insert(id.clone(), stack);
            id
        })
    }

    /// Another principal creates a change set, without changes.
    pub fn change_set(&self, stack: &str, name: &str) {
        self.change(|aws| {
            let (id, now) = (aws.next_id(), aws.now);
            let change_set = ChangeSet::new(stack, name, &id, now);
            aws.stacks.change_sets.add(change_set);
        });
    }

    /// Another principal deletes a change set.
    pub fn delete_change_set(&self, stack: &str, name: &str) {
        self.change(|aws| {
            let key = (stack.to_owned(), name.to_owned());
            aws.stacks.change_sets.remove(&key);
        });
    }

    /// Another principal executes a change set.
    pub fn execute_change_set(&self, stack: &str, name: &str) {
        self.change(|aws| {
            let key = (stack.to_owned(), name.to_owned());
            execution::execute(&mut aws.stacks, &mut aws.world, &key, None);
        });
    }

    /// The validation of each change set of this stack finds this error. The text of the change
    /// set: <https://github.com/serverless/serverless/issues/13248>. Only `DescribeEvents` has the
    /// finding: <https://github.com/aws/aws-cdk-cli/pull/970>.
    pub fn invalidate_change_sets(&self, stack: &str, finding: Finding) {
        let reason = "The following hook(s)/validation failed: \
                      [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early Validation \
                      errors, use the DescribeEvents API for detailed failure information.";
        let failing = (stack.to_owned(), reason.to_owned());
        self.change(|aws| {
            aws.stacks.change_sets.failing.extend(vec![failing; 9]);
            aws.stacks.change_sets.invalid.push(finding);
        });
    }

    /// The next change set of this stack is `FAILED` with this reason.
    pub fn fail_next_change_set(&self, stack: &str, reason: &str) {
        let failing = (stack.to_owned(), reason.to_owned());
        self.change(|aws| aws.stacks.change_sets.failing.push(failing));
    }
}

/// Looking.
impl FakeAws {
    /// The names of the stack's change sets, sorted. Those that were executed are not among them.
    pub fn change_sets(&self, stack: &str) -> Vec<String> {
        self.look(|aws| {
            let change_sets = aws.stacks.change_sets.of(stack);
            change_sets.map(|one| one.name.clone()).collect()
        })
    }

    /// The stack and the name of each change set of the account.
    pub fn all_change_sets(&self) -> Vec<(String, String)> {
        self.look(|aws| {
            let change_sets = aws.stacks.change_sets.iter();
            let names = change_sets.map(|one| (one.stack_name.clone(), one.name.clone()));
            names.collect()
        })
    }
}
