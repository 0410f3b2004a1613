//! Executes the steps of a comparison.

use std::time::SystemTime;

use aws_sdk_cloudformation::types::{Stack, StackStatus};

use super::Subject;
use super::plan;
use super::plan::{DriftState, DriftStep, Found, StackState};
use crate::clients::aws::{Aws, CallError};
use crate::feedback::change_sets;
use crate::feedback::change_sets::{Base, ComparisonResult, NewChangeSet};
use crate::gitops_pipeline::describe_stack;
use crate::gitops_pipeline::executions;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::Progress;

/// The name of the change set. A check deletes the one that an earlier check left behind.
const CHANGE_SET: &str = "drift-cfn-gitops";

/// Compares a stack with its template.
pub async fn check(aws: &Aws, subject: &Subject) -> Result<Found, CallError> {
    let mut comparer = Comparer {
        aws,
        subject,
        state: DriftState {
            stack: None,
            may_exist: true,
            comparison: None,
            is_deploying: None,
            is_repaired: false,
        },
    };
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    let found = Box::pin(reconcile(&mut comparer, &progress)).await;
    let is_read = matches!(comparer.state.comparison, Some(ComparisonResult::Read(_)));
    if found.is_err() && is_read && comparer.state.may_exist {
        change_sets::abandon(aws, &subject.stack_name, CHANGE_SET).await;
    }
    found
}

/// A running comparison.
struct Comparer<'a> {
    aws: &'a Aws,
    subject: &'a Subject,
    state: DriftState,
}

impl Comparer<'_> {
    async fn compare(&mut self) -> Result<(), CallError> {
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
        self.state.comparison = Some(change_sets::compare(self.aws, &new).await?);
        self.state.may_exist = true;
        Ok(())
    }
}

impl Reconcile for Comparer<'_> {
    type Step = DriftStep;
    type Done = Found;
    type Error = CallError;

    fn plan(&self) -> Next<DriftStep, Found, CallError> {
        plan::next(&self.state, self.subject.repairs.is_some())
    }

    fn describe(&self, step: &DriftStep) -> String {
        let stack = &self.subject.stack_name;
        match step {
            DriftStep::ReadStack => format!("looking up stack {stack}"),
            DriftStep::DeleteChangeSet => format!("deleting the change set of stack {stack}"),
            DriftStep::Compare => format!("comparing stack {stack} with its template"),
            DriftStep::ReadExecutions => {
                format!("looking for an execution in progress of stack {stack}")
            }
            DriftStep::ExecuteChangeSet => format!("repairing stack {stack}"),
        }
    }

    async fn apply(&mut self, step: DriftStep) -> Result<(), CallError> {
        let stack_name = &self.subject.stack_name;
        match step {
            DriftStep::ReadStack => {
                let stack = describe_stack(self.aws, stack_name).await?;
                self.state.stack = Some(stack.map_or(StackState::Missing, stack_state));
            }
            DriftStep::DeleteChangeSet => {
                change_sets::delete(self.aws, stack_name, CHANGE_SET).await?;
                self.state.may_exist = false;
            }
            DriftStep::Compare => self.compare().await?,
            DriftStep::ReadExecutions => {
                let pipeline = self.subject.repairs.as_deref().unwrap_or_default();
                let is_deploying = executions::is_one_in_progress(self.aws, pipeline).await?;
                self.state.is_deploying = Some(is_deploying);
            }
            // By the name: the plan has compared the ID. IAM's `cloudformation:ChangeSetName`,
            // which limits this call, "filters access by change set name". That it matches the name
            // in an ARN is not documented, and an ARN that it does not match would deny each
            // repair.
            // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
            DriftStep::ExecuteChangeSet => {
                change_sets::execute(self.aws, stack_name, CHANGE_SET).await?;
                self.state.is_repaired = true;
                self.state.may_exist = false;
            }
        }
        Ok(())
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
