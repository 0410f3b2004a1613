//! The change sets of stacks: their states, their contents, and their execution.

use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::services::{
    iam::ACCOUNT,
    stacks::{
        stack::{Finding, Stack},
        template::Parameters,
    },
};

/// A change in a change set (API Reference, `ResourceChange`).
#[derive(Clone, Debug)]
pub struct ResourceChange {
    pub action: &'static str,
    pub logical_id: &'static str,
    pub resource_type: &'static str,
    pub replacement: Option<&'static str>,
    /// A property value after the change.
    pub value: &'static str,
}

/// The action of a change set on a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub action: &'static str,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    /// `True` or `False` of a `Modify`.
    pub replacement: Option<&'static str>,
    /// `ResourceDriftStatus`. `None` in a change set that does not revert drift.
    pub drift: Option<&'static str>,
    /// The properties that a `Modify` changes, with `RequiresRecreation` of each.
    pub details: Vec<(String, &'static str)>,
    /// The properties after the change.
    pub properties: Value,
}

#[derive(Clone, Debug, Default)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack_name: String,
    pub created: Duration,
    pub description: Option<String>,
    pub role: Option<String>,
    pub capabilities: Vec<String>,
    /// `None` if a test inserted it: those of the stack.
    pub parameters: Option<Parameters>,
    /// `None` if a test inserted it.
    pub template: Option<Arc<Value>>,
    pub reverts_drift: bool,
    pub changes: Vec<Change>,
    /// The reason of the status `FAILED`.
    pub failure: Option<String>,
    /// When it leaves `CREATE_PENDING`, and when its creation ends.
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
    /// The last update of its stack. `None` if a test inserted it.
    pub(crate) stack_updated: Option<Duration>,
}

impl ChangeSet {
    /// A change set without changes whose creation has ended.
    pub fn new(stack_name: &str, name: &str, id: &str, now: Duration) -> Self {
        Self {
            id: format!("arn:aws:cloudformation:eu-central-1:{ACCOUNT}:changeSet/{name}/{id}"),
            name: name.to_owned(),
            stack_name: stack_name.to_owned(),
            created: now,
            begins: now,
            ends: now,
            ..Self::default()
        }
    }

    pub fn status(&self, now: Duration) -> &'static str {
        match () {
            () if now < self.begins => "CREATE_PENDING",
            () if now < self.ends => "CREATE_IN_PROGRESS",
            () if self.failure.is_some() => "FAILED",
            () => "CREATE_COMPLETE",
        }
    }

    /// Whether `CloudFormation` still creates it.
    pub(crate) fn is_in_progress(&self, now: Duration) -> bool {
        now < self.ends
    }

    /// "If the change set execution status is AVAILABLE, you can execute the change set" (API
    /// Reference, `DescribeChangeSet`). An update of its stack makes it OBSOLETE.
    pub(crate) fn execution_status(&self, stack: Option<&Stack>, now: Duration) -> &'static str {
        let is_obsolete = stack.is_some_and(|stack| {
            self.stack_updated.is_some_and(|updated| updated != stack.last_update())
        });
        match self.status(now) {
            "CREATE_COMPLETE" if is_obsolete => "OBSOLETE",
            "CREATE_COMPLETE" => "AVAILABLE",
            _ => "UNAVAILABLE",
        }
    }
}

/// All change sets of the account.
#[derive(Clone, Debug, Default)]
pub struct ChangeSets {
    /// By the names of the stack and of the change set.
    all: BTreeMap<(String, String), ChangeSet>,
    /// Those that were executed. `CloudFormation` finds them by their ARN only:
    /// <https://github.com/guardian/riff-raff/pull/672>.
    pub executed: Vec<ChangeSet>,
    /// Stacks of which the next change set fails, and the reason.
    pub failing: Vec<(String, String)>,
    /// The errors of each change set whose failure names a validation.
    pub invalid: Vec<Finding>,
    /// The macros that `CloudFormation` ran to create change sets, also those of `Fn::Transform`.
    pub macros_run: Vec<String>,
    /// The number of change sets of pipelines.
    inserted: usize,
}

impl ChangeSets {
    /// A change set of the pipeline, by the names of the stack and of the change set.
    pub fn insert(&mut self, key: (String, String), changes: Vec<ResourceChange>, now: Duration) {
        let changes = changes.into_iter().map(|change| Change {
            action: change.action,
            logical_id: change.logical_id.to_owned(),
            physical_id: None,
            resource_type: change.resource_type.to_owned(),
            replacement: change.replacement,
            drift: None,
            details: match change.replacement {
                Some(_) => vec![("TableName".to_owned(), "Always")],
                None => vec![],
            },
            properties: serde_json::json!({"Value": change.value}),
        });
        let id = format!("00000000-0000-4000-8000-{:012}", self.inserted);
        self.inserted += 1;
        let mut change_set = ChangeSet::new(&key.0, &key.1, &id, now);
        change_set.changes = changes.collect();
        self.all.insert(key, change_set);
    }

    /// A pipeline executes its change set.
    pub fn execute(&mut self, key: &(String, String)) -> Option<String> {
        let executed = self.all.remove(key)?;
        let id = executed.id.clone();
        self.executed.push(executed);
        Some(id)
    }

    /// The creation of a change set fails for `reason`. Changes that it has contradict a reason
    /// such as "no changes".
    pub fn fail(&mut self, key: &(String, String), reason: &str) {
        let change_set = self.all.get_mut(key).expect("a change set");
        change_set.failure = Some(reason.to_owned());
    }

    pub(crate) fn add(&mut self, change_set: ChangeSet) {
        let key = (change_set.stack_name.clone(), change_set.name.clone());
        self.all.insert(key, change_set);
    }

    pub fn remove(&mut self, key: &(String, String)) -> Option<ChangeSet> {
        self.all.remove(key)
    }

    pub fn get(&self, key: &(String, String)) -> Option<&ChangeSet> {
        self.all.get(key)
    }

    /// The change sets of a stack, by name, without those that were executed.
    pub fn of<'a>(&'a self, stack_name: &'a str) -> impl Iterator<Item = &'a ChangeSet> {
        self.iter().filter(move |change_set| change_set.stack_name == stack_name)
    }

    /// Those of all stacks.
    pub fn iter(&self) -> impl Iterator<Item = &ChangeSet> {
        self.all.values()
    }

    /// Deletes all change sets of a stack.
    pub(crate) fn remove_of(&mut self, stack_name: &str) {
        self.all.retain(|(stack, _), _| stack != stack_name);
    }

    /// The reason why the creation of this stack's next change set fails, if a test sets one.
    pub(crate) fn failure(&mut self, stack_name: &str) -> Option<String> {
        let found = self.failing.iter().position(|(stack, _)| stack == stack_name)?;
        Some(self.failing.remove(found).1)
    }
}
