//! Plans the comparison of a stack: a pure function of the observed state.

use crate::feedback::change_sets::{Change, ChangeSet, DriftStatus, Effect, Progress};
use crate::reconcile::Next;

/// How often a change set that disappeared is created again: another health check has deleted it, or
/// the pipeline has executed its own, which deletes all others.
const MAX_CREATIONS: u32 = 3;

/// One change or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftStep {
    /// Read the stack.
    ReadStack,
    /// Delete the change set: an earlier one, or this one after it was read.
    DeleteChangeSet,
    /// Create the change set.
    CreateChangeSet,
    /// Read the change set, after a pause if it is being created.
    ReadChangeSet,
    /// Execute the change set.
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
    /// How many of the listed resources CloudFormation did not compare. Most often, it does not support
    /// their types.
    pub not_compared: usize,
    /// Whether there are such resources, listed or not.
    pub is_partial: bool,
    /// Whether the change set replaces or removes a resource. Then it is not executed.
    pub is_destructive: bool,
    /// Whether the repair was started.
    pub is_repaired: bool,
    /// The names of the stack's parameters.
    pub parameters: Vec<String>,
    /// The capabilities of the stack's template.
    pub capabilities: Vec<String>,
}

/// The stack.
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

/// The change set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSetState {
    /// It may exist from an earlier check.
    Unknown,
    /// It does not exist.
    Absent,
    /// CloudFormation accepted it, and it was not read since.
    Created,
    /// CloudFormation described it.
    Read(ChangeSet),
    /// It was deleted or executed. CloudFormation described it before.
    Gone(ChangeSet),
    /// Another principal created one of this name.
    OfAnotherPrincipal,
    /// An operation on the stack began.
    StackIsBusy,
}

/// What is known of a comparison.
#[derive(Clone, Debug)]
pub struct DriftState {
    /// The stack. `None` until it was read.
    pub stack: Option<StackState>,
    /// The change set.
    pub change_set: ChangeSetState,
    /// The ID of the latest one that this check created. `None` if it created none.
    pub created_id: Option<String>,
    /// How often it was created.
    pub creations: u32,
    /// Whether it was executed.
    pub is_repaired: bool,
}

impl DriftState {
    /// Whether a change set that this check created, or may have created, may exist.
    pub fn may_own_change_set(&self) -> bool {
        use ChangeSetState::{Absent, Created, Read};
        match &self.change_set {
            Absent | Created => self.creations > 0,
            Read(read) => self.is_own(read),
            _ => false,
        }
    }

    /// Whether this check created the change set. Another one may have its name: it is not trusted. Only one
    /// from before the comparison is deleted, because no person chooses this name.
    fn is_own(&self, read: &ChangeSet) -> bool {
        self.created_id.as_ref() == Some(&read.id)
    }
}

/// Plans the next step until the stack was compared. `repairs` says whether drift is repaired.
pub fn next<E>(state: &DriftState, repairs: bool) -> Next<DriftStep, Found, E> {
    let nothing = |why: String| Next::Done(Found::Nothing(why));
    let anothers = || nothing("another change set has the name of the comparison's".to_owned());
    let (parameters, capabilities) = match &state.stack {
        None => return Next::Apply(DriftStep::ReadStack),
        Some(StackState::Missing) => return nothing("it does not exist yet".to_owned()),
        Some(StackState::Unready(status)) => return nothing(format!("it is {status}")),
        Some(StackState::Ready {
            parameters,
            capabilities,
        }) => (parameters, capabilities),
    };
    match &state.change_set {
        ChangeSetState::Unknown => Next::Apply(DriftStep::DeleteChangeSet),
        ChangeSetState::Absent if state.creations >= MAX_CREATIONS => {
            nothing("its change set was deleted each time before it was read".to_owned())
        }
        ChangeSetState::Absent => Next::Apply(DriftStep::CreateChangeSet),
        ChangeSetState::Created => Next::Apply(DriftStep::ReadChangeSet),
        ChangeSetState::StackIsBusy => nothing("an operation on it runs".to_owned()),
        ChangeSetState::OfAnotherPrincipal => anothers(),
        ChangeSetState::Read(read) if !state.is_own(read) => anothers(),
        ChangeSetState::Read(read) => match read.progress {
            Progress::Running => Next::Apply(DriftStep::ReadChangeSet),
            Progress::Complete
                if repairs && read.changes.iter().any(has_drifted) && !is_destructive(read) =>
            {
                Next::Apply(DriftStep::ExecuteChangeSet)
            }
            _ => Next::Apply(DriftStep::DeleteChangeSet),
        },
        ChangeSetState::Gone(read) => {
            if let Progress::Failed(reason) = &read.progress {
                return nothing(reason.clone());
            }
            let mut drifted = compared(read);
            drifted.is_repaired = state.is_repaired;
            drifted.parameters.clone_from(parameters);
            drifted.capabilities.clone_from(capabilities);
            Next::Done(Found::Compared(drifted))
        }
    }
}

/// A change of a resource that is as in the template is not drift. CloudFormation shows such changes,
/// for example for a reference to an `AWS::ApiGateway::Resource`:
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
        is_destructive: is_destructive(read),
        ..Drifted::default()
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
