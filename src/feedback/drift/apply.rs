//! Executes the steps of a comparison.

use std::time::SystemTime;

use aws_sdk_cloudformation::types::{Stack, StackStatus};

use super::Subject;
use super::plan;
use super::plan::{ChangeSetState, DriftState, DriftStep, Found, StackState};
use crate::clients::aws::{Aws, CallError};
use crate::feedback::change_sets;
use crate::feedback::change_sets::{Base, Created, NewChangeSet};
use crate::gitops_pipeline::describe_stack;
use crate::reconcile::backoff::Backoff;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::Progress;

/// The name of the change set. A check deletes the one that an earlier check left behind.
const CHANGE_SET: &str = "drift-cfn-gitops";

/// Why a stack was not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriftError {
    /// CloudFormation rejected a call, or did not respond.
    #[error(transparent)]
    Aws(#[from] CallError),
    /// The plan does not end.
    #[error("comparing a stack with its template: internal error")]
    TooManySteps,
}

/// Compares a stack with its template.
///
/// # Errors
/// If CloudFormation rejects a call, or does not respond.
pub async fn check(aws: &Aws, subject: &Subject) -> Result<Found, DriftError> {
    let mut checker = Checker {
        aws,
        subject,
        state: DriftState {
            stack: None,
            change_set: ChangeSetState::Unknown,
            created_id: None,
            creations: 0,
            is_repaired: false,
        },
        backoff: Backoff::new(),
    };
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    let found = Box::pin(reconcile(&mut checker, &progress)).await;
    if found.is_err() && checker.state.may_own_change_set() {
        change_sets::abandon(aws, &subject.stack_name, CHANGE_SET).await;
    }
    found
}

/// A running comparison.
struct Checker<'a> {
    aws: &'a Aws,
    subject: &'a Subject,
    state: DriftState,
    backoff: Backoff<()>,
}

impl Checker<'_> {
    async fn create(&mut self) -> Result<(), CallError> {
        let Some(StackState::Ready {
            parameters,
            capabilities,
        }) = &self.state.stack
        else {
            return Ok(());
        };
        let new = NewChangeSet {
            stack_name: self.subject.stack_name.clone(),
            name: CHANGE_SET.to_owned(),
            // The SDK repeats a creation whose response was lost.
            token: Some(format!("{CHANGE_SET}-{:016x}", fastrand::u64(..))),
            role_arn: self.subject.role_arn.clone(),
            capabilities: capabilities.clone(),
            parameters: parameters.iter().map(|name| (name.clone(), None)).collect(),
            base: Base::Resources,
        };
        self.state.creations += 1;
        self.state.change_set = match change_sets::create(self.aws, &new).await? {
            Created::Yes(id) => {
                self.state.created_id = Some(id);
                ChangeSetState::Created
            }
            Created::Exists => ChangeSetState::OfAnotherPrincipal,
            Created::StackIsBusy => ChangeSetState::StackIsBusy,
        };
        Ok(())
    }

    async fn read(&mut self) -> Result<(), CallError> {
        if let ChangeSetState::Read(_) = self.state.change_set {
            self.backoff.pause().await;
        }
        let stack_name = &self.subject.stack_name;
        let read = change_sets::describe(self.aws, stack_name, CHANGE_SET).await?;
        self.state.change_set = read.map_or(ChangeSetState::Absent, ChangeSetState::Read);
        Ok(())
    }

    /// After the deletion or the execution of the change set.
    fn end_change_set(&mut self) {
        let ended = std::mem::replace(&mut self.state.change_set, ChangeSetState::Absent);
        if let ChangeSetState::Read(read) = ended {
            self.state.change_set = ChangeSetState::Gone(read);
        }
    }
}

impl Reconcile for Checker<'_> {
    type Step = DriftStep;
    type Done = Found;
    type Error = DriftError;

    /// The steps read what the plan depends on.
    async fn observe(&mut self) -> Result<(), DriftError> {
        Ok(())
    }

    fn plan(&self) -> Next<DriftStep, Found, DriftError> {
        plan::next(&self.state, self.subject.repairs)
    }

    fn describe(&self, step: &DriftStep) -> String {
        let stack = &self.subject.stack_name;
        match step {
            DriftStep::ReadStack => format!("looking up stack {stack}"),
            DriftStep::DeleteChangeSet => format!("deleting the change set of stack {stack}"),
            DriftStep::CreateChangeSet => format!("comparing stack {stack} with its template"),
            DriftStep::ReadChangeSet => format!("reading the change set of stack {stack}"),
            DriftStep::ExecuteChangeSet => format!("repairing stack {stack}"),
        }
    }

    async fn apply(&mut self, step: DriftStep) -> Result<(), DriftError> {
        let stack_name = &self.subject.stack_name;
        match step {
            DriftStep::ReadStack => {
                let stack = describe_stack(self.aws, stack_name).await?;
                self.state.stack = Some(stack.map_or(StackState::Missing, stack_state));
            }
            DriftStep::DeleteChangeSet => {
                change_sets::delete(self.aws, stack_name, CHANGE_SET).await?;
                self.end_change_set();
            }
            DriftStep::CreateChangeSet => self.create().await?,
            DriftStep::ReadChangeSet => self.read().await?,
            DriftStep::ExecuteChangeSet => {
                change_sets::execute(self.aws, stack_name, CHANGE_SET).await?;
                self.state.is_repaired = true;
                self.end_change_set();
            }
        }
        Ok(())
    }

    fn too_many_steps(&self) -> DriftError {
        DriftError::TooManySteps
    }
}

fn stack_state(stack: Stack) -> StackState {
    match stack.stack_status {
        Some(StackStatus::ReviewInProgress) => return StackState::Missing,
        Some(
            StackStatus::CreateComplete
            | StackStatus::UpdateComplete
            | StackStatus::UpdateRollbackComplete
            | StackStatus::ImportComplete
            | StackStatus::ImportRollbackComplete,
        ) => {}
        status => {
            let status = status.map(|status| status.as_str().to_owned());
            return StackState::Unready(status.unwrap_or_default());
        }
    }
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let capabilities = stack.capabilities.unwrap_or_default();
    StackState::Ready {
        parameters: parameters.filter_map(|one| one.parameter_key).collect(),
        capabilities: capabilities
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect(),
    }
}
