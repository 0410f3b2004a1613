//! The result of a comparison: pure functions of the change set that was read.

use crate::feedback::change_sets::{Change, ChangeSet, DriftStatus};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifted {
    /// The resources that differ, sorted.
    pub resources: Vec<Change>,
    /// How many of the listed resources CloudFormation did not compare. Most often, it does not
    /// support their types.
    pub not_compared: usize,
    /// Whether there are such resources, listed or not.
    pub is_partial: bool,
    /// The names of the stack's parameters.
    pub parameters: Vec<String>,
    pub capabilities: Vec<String>,
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

#[cfg(test)]
#[path = "result_tests.rs"]
mod tests;
