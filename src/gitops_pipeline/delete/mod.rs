//! Deletes the child stack and its dependents. The stacks that the pipeline deployed stay.

use crate::aws::{Aws, CallError};
use crate::codecommit;
use crate::gitops_pipeline::calls::approval_rule;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::plan::delete::{DeleteState, DeleteStep};
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::request_token::Purpose;
use crate::gitops_pipeline::tracker::StackTracker;
use crate::gitops_pipeline::{calls, messages, observe, plan, request_token};
use crate::reason_codes::Code;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Failure, Progress};

/// The effect of a denied lookup before a stack was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDenial {
    /// The request fails: a stack may exist.
    Fail,
    /// The function logs the denial, and treats a resource that it cannot look up as deleted.
    Ignore,
}

/// Deletes the child stack for one request.
pub struct StackDeleter<'a> {
    aws: &'a Aws,
    context: &'a RequestContext,
    names: &'a ResourceNames,
    purpose: Purpose,
    on_denial: OnDenial,
    tracker: StackTracker<'a>,
    state: DeleteState,
}

impl<'a> StackDeleter<'a> {
    /// A deletion for a Delete. It fails if a lookup is denied.
    pub fn new(aws: &'a Aws, context: &'a RequestContext, names: &'a ResourceNames) -> Self {
        StackDeleter {
            aws,
            context,
            names,
            purpose: Purpose::Delete,
            on_denial: OnDenial::Fail,
            tracker: StackTracker::new(aws, names.stack()),
            state: DeleteState::default(),
        }
    }

    /// Deletes for `purpose`.
    pub fn with_purpose(self, purpose: Purpose, on_denial: OnDenial) -> Self {
        StackDeleter {
            purpose,
            on_denial,
            ..self
        }
    }

    /// Deletes the resource's stack and its dependents, and waits until CloudFormation has deleted
    /// it.
    pub async fn delete(mut self, progress: &Progress) -> Result<(), Failure> {
        let deleted = Box::pin(reconcile(&mut self, progress)).await;
        deleted.map_err(|error| Failure(messages::with_remedy(error).reason()))
    }

    fn ignores(&self, error: &CallError) -> bool {
        self.on_denial == OnDenial::Ignore && error.is_denied()
    }

    async fn delete_rule(&self) -> Result<(), CallError> {
        let rule = match approval_rule::look_up(self.aws, self.names).await {
            Err(error) if self.ignores(&error) => {
                tracing::error!(%error, "approval rule template not looked up");
                return Ok(());
            }
            rule => rule?,
        };
        let ours = approval_rule::description(&self.context.owner);
        if rule.is_some_and(|rule| rule.description == ours) {
            approval_rule::delete(self.aws, self.names).await?;
        }
        Ok(())
    }

    async fn read_failure(&mut self) -> Result<(), CallError> {
        let Some(child) = &self.tracker.child else {
            return Ok(());
        };
        let request = &self.context.request;
        let is_this = |token: Option<&str>| {
            token
                .and_then(request_token::read)
                .is_none_or(|(other, purpose)| {
                    other == *request && matches!(purpose, Purpose::Delete | Purpose::RollBack)
                })
        };
        let reason = observe::first_failure(self.aws, child, is_this).await?;
        self.state.failure = Some(reason);
        Ok(())
    }

    fn error(&self, code: Code, cause: String) -> CallError {
        CallError::local(
            code,
            format!("deleting stack {}", self.names.stack()),
            cause,
        )
    }
}

impl Reconcile for StackDeleter<'_> {
    type Step = DeleteStep;
    type Done = ();
    type Error = CallError;

    async fn observe(&mut self) -> Result<(), CallError> {
        let is_new = match self.tracker.observe_same().await {
            Ok(is_new) => is_new,
            Err(error) if self.ignores(&error) && !self.tracker.was_seen() => {
                tracing::error!(
                    %error,
                    pipeline_stack = self.tracker.name(),
                    "stack not looked up: if it exists, delete it"
                );
                self.state.is_unreadable = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if is_new {
            self.state.was_seen = self.tracker.was_seen();
            self.state.has_deleted_rule_again = false;
            self.state.failure = None;
        }
        Ok(())
    }

    fn plan(&self) -> Next<DeleteStep, (), CallError> {
        let child = self.tracker.child.as_ref();
        match plan::delete::next(child, &self.state, self.context, &self.purpose) {
            Next::Apply(step) => Next::Apply(step),
            Next::Done(()) => Next::Done(()),
            Next::Fail(reason) => {
                let cause = format!("{reason}; resolve that and delete again");
                Next::Fail(self.error(Code::StackNotDeleted, cause))
            }
        }
    }

    fn describe(&self, step: &DeleteStep) -> String {
        let name = self.tracker.name();
        match step {
            DeleteStep::DeleteDependents { .. } | DeleteStep::DeleteRuleAgain => {
                format!("deleting what depends on stack {name}")
            }
            DeleteStep::Delete => format!("deleting stack {name}"),
            DeleteStep::CancelUpdate => format!("cancelling the earlier update of stack {name}"),
            DeleteStep::Wait => {
                let child = self.tracker.child.as_ref();
                let status = child.map_or("", |child| &child.status);
                format!("waiting for stack {name} ({status})")
            }
            DeleteStep::ReadFailure => format!("reading why stack {name} was not deleted"),
        }
    }

    async fn apply(&mut self, step: DeleteStep) -> Result<(), CallError> {
        let (aws, context) = (self.aws, self.context);
        match (step, &self.tracker.child) {
            (DeleteStep::DeleteDependents { repository }, _) => {
                self.delete_rule().await?;
                if repository {
                    codecommit::delete(&aws.codecommit, &self.names.repository()).await?;
                }
                self.state.has_deleted_dependents = true;
            }
            (DeleteStep::DeleteRuleAgain, _) => {
                self.delete_rule().await?;
                self.state.has_deleted_rule_again = true;
            }
            (DeleteStep::ReadFailure, _) => self.read_failure().await?,
            (DeleteStep::Delete, Some(child)) => {
                let token = context.request.token(&self.purpose);
                let start = calls::delete(aws, child, &context.role_arn, token).await;
                self.tracker.started(start).await?;
            }
            (DeleteStep::CancelUpdate, Some(child)) => {
                let token = context.request.token(&Purpose::Cancel);
                let start = calls::cancel_update(aws, child, token).await;
                self.tracker.started(start).await?;
            }
            (DeleteStep::Wait | DeleteStep::Delete | DeleteStep::CancelUpdate, _) => {
                self.tracker.wait().await;
            }
        }
        Ok(())
    }

    fn too_many_steps(&self) -> CallError {
        self.error(
            Code::InternalError,
            "it did not end; delete again".to_owned(),
        )
    }
}
