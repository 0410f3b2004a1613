//! Plans the comparison of a stack: a pure function of the observed state.

use crate::clients::aws::CallError;
use crate::feedback::change_sets::{
    Change, ChangeSet, ComparisonResult, Creation, DriftStatus, Effect,
};
use crate::reconcile::Next;

/// One change or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftStep {
    ReadStack,
    /// Delete the change set: an earlier one, or this one after it was read.
    DeleteChangeSet,
    /// Create the change set, and read it.
    Compare,
    /// Read whether an execution of the pipeline is in progress. An update of the pipeline would
    /// cancel it: <https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html>.
    ReadExecutions,
    ExecuteChangeSet,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was not compared, for this reason. The next health check of another day compares it.
    Nothing(String),
    /// It was compared.
    Compared(Drifted),
}

/// What differs from the template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifted {
    /// The resources that differ, sorted.
    pub resources: Vec<Change>,
    /// How many of the listed resources CloudFormation did not compare. Most often, it does not
    /// support their types.
    pub not_compared: usize,
    /// Whether there are such resources, listed or not.
    pub is_partial: bool,
    /// What became of the repair.
    pub repair: Repair,
    /// The names of the stack's parameters.
    pub parameters: Vec<String>,
    /// The capabilities of the stack's template.
    pub capabilities: Vec<String>,
}

/// What became of a repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// There was none: nothing differs, or drift is only reported.
    #[default]
    None,
    /// It was started.
    Started,
    /// It was not started, because the change set replaces or removes a resource.
    Destructive,
    /// It was not started, because an execution of the pipeline is in progress.
    Deploying,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackState {
    /// It does not exist, or has no resources yet.
    Missing,
    /// It is in this status, in which CloudFormation accepts no change set.
    Unready(String),
    /// A change set can be created.
    Ready {
        /// The names of its parameters.
        parameters: Vec<String>,
        /// The capabilities of its template.
        capabilities: Vec<String>,
    },
}

/// What is known of a comparison.
#[derive(Clone, Debug)]
pub struct DriftState {
    /// The stack. `None` until it was read.
    pub stack: Option<StackState>,
    /// Whether a change set of the function may exist: one from an earlier check, or the one that
    /// was read.
    pub may_exist: bool,
    /// The result of the comparison. `None` until it has ended.
    pub comparison: Option<ComparisonResult>,
    /// Whether an execution of the pipeline is in progress. `None` until it was read.
    pub is_deploying: Option<bool>,
    /// Whether the change set was executed.
    pub is_repaired: bool,
}

/// Plans the next step until the stack was compared. `repairs` says whether drift is repaired.
pub fn next(state: &DriftState, repairs: bool) -> Next<DriftStep, Found, CallError> {
    let nothing = |why: String| Next::Done(Found::Nothing(why));
    let (parameters, capabilities) = match &state.stack {
        None => return Next::Apply(DriftStep::ReadStack),
        Some(StackState::Missing) => return nothing("it does not exist yet".to_owned()),
        Some(StackState::Unready(status)) => return nothing(format!("it is {status}")),
        Some(StackState::Ready {
            parameters,
            capabilities,
        }) => (parameters, capabilities),
    };
    let read = match &state.comparison {
        None if state.may_exist => return Next::Apply(DriftStep::DeleteChangeSet),
        None => return Next::Apply(DriftStep::Compare),
        Some(ComparisonResult::Impossible(why)) => return nothing((*why).to_owned()),
        Some(ComparisonResult::Rejected(error)) => return Next::Fail(error.clone()),
        Some(ComparisonResult::Read(read)) => read,
    };
    if state.may_exist {
        let is_drifted = read.changes.iter().any(has_drifted) && !is_destructive(read);
        let is_to_execute = repairs && read.creation == Creation::Complete && is_drifted;
        return Next::Apply(match state.is_deploying {
            None if is_to_execute => DriftStep::ReadExecutions,
            Some(false) if is_to_execute => DriftStep::ExecuteChangeSet,
            _ => DriftStep::DeleteChangeSet,
        });
    }
    if let Creation::Failed(reason) = &read.creation {
        return nothing(reason.clone());
    }
    let mut drifted = compared(read);
    drifted.repair = match state.is_deploying {
        _ if state.is_repaired => Repair::Started,
        _ if repairs && is_destructive(read) => Repair::Destructive,
        Some(true) => Repair::Deploying,
        _ => Repair::None,
    };
    drifted.parameters.clone_from(parameters);
    drifted.capabilities.clone_from(capabilities);
    Next::Done(Found::Compared(drifted))
}

/// A change of a resource that is as in the template is not drift. CloudFormation shows such
/// changes, for example for a reference to an `AWS::ApiGateway::Resource`:
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505>.
fn has_drifted(change: &Change) -> bool {
    let drift = change.drift;
    matches!(drift, Some(DriftStatus::Modified | DriftStatus::Deleted))
}

/// Whether the change set would delete a resource that exists.
fn is_destructive(read: &ChangeSet) -> bool {
    use Effect::{MayReplace, Remove, Replace};
    read.changes.iter().any(|change| {
        let is_gone = change.drift == Some(DriftStatus::Deleted);
        !is_gone && matches!(change.effect, Replace | MayReplace | Remove)
    })
}

fn compared(read: &ChangeSet) -> Drifted {
    let drifted = read.changes.iter().filter(|change| has_drifted(change));
    let skipped = |change: &&Change| change.drift == Some(DriftStatus::NotCompared);
    let not_compared = read.changes.iter().filter(skipped).count();
    Drifted {
        resources: drifted.cloned().collect(),
        not_compared,
        is_partial: read.is_partial || not_compared > 0,
        ..Drifted::default()
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
