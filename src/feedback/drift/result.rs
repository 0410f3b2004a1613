//! The result of a comparison: pure functions of the change set that was read.

use crate::feedback::change_sets::{Change, ChangeSet, Creation, DriftStatus, Effect};
use crate::gitops_pipeline::holds::Hold;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was not compared, for this reason. The next health check of another day compares it.
    Nothing(String),
    Compared(Drifted),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifted {
    /// The resources that differ, sorted.
    pub resources: Vec<Change>,
    /// How many of the listed resources CloudFormation did not compare. Most often, it does not
    /// support their types.
    pub not_compared: usize,
    /// Whether there are such resources, listed or not.
    pub is_partial: bool,
    pub repair: Repair,
    /// The names of the stack's parameters.
    pub parameters: Vec<String>,
    pub capabilities: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// There was none: nothing differs, or drift is only reported.
    #[default]
    None,
    Started,
    /// It was not started, because the change set replaces or removes a resource, or may do so.
    Destructive,
    /// It was not started, because an execution of the pipeline is in progress.
    Deploying,
    /// It was not started, because it would end a freeze.
    Held(Vec<Hold>),
    /// CloudFormation did not start it, for this reason.
    Failed(String),
}

impl Repair {
    /// The repair by the change set `read`, if no execution of the pipeline is in progress.
    pub fn of(read: &ChangeSet) -> Self {
        if read.changes.iter().any(is_destructive) {
            Repair::Destructive
        } else if read.creation == Creation::Complete && read.changes.iter().any(has_drifted) {
            Repair::Started
        } else {
            Repair::None
        }
    }
}

impl Drifted {
    pub fn of(read: &ChangeSet) -> Self {
        let drifted = read.changes.iter().filter(|change| has_drifted(change));
        let is_skipped = |change: &&Change| change.drift == Some(DriftStatus::NotCompared);
        let not_compared = read.changes.iter().filter(is_skipped).count();
        Drifted {
            resources: drifted.cloned().collect(),
            not_compared,
            is_partial: read.is_partial || not_compared > 0,
            ..Drifted::default()
        }
    }
}

/// A change of a resource that is as in the template is not drift. CloudFormation shows such
/// changes, for example for a reference to an `AWS::ApiGateway::Resource`:
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505>.
fn has_drifted(change: &Change) -> bool {
    let drift = change.drift;
    matches!(drift, Some(DriftStatus::Modified | DriftStatus::Deleted))
}

/// Whether the change deletes a resource that exists, or may do so.
fn is_destructive(change: &Change) -> bool {
    let is_gone = change.drift == Some(DriftStatus::Deleted);
    match change.effect {
        Effect::Replace | Effect::MayReplace | Effect::Remove => !is_gone,
        Effect::Undetermined => true,
        Effect::Modify | Effect::Add | Effect::Import => false,
    }
}

#[cfg(test)]
#[path = "result_tests.rs"]
mod tests;
