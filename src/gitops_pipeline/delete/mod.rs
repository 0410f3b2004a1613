//! Deletes the child stack and its dependents. The stacks that the pipeline deployed stay.

pub mod plan;

use self::plan::{DeleteState, DeleteStep, DeleteStop};
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::common::reason_codes::Code;
use crate::gitops_pipeline::calls::StackCall;
use crate::gitops_pipeline::calls::approval_rule;
use crate::gitops_pipeline::calls::approval_rule::FoundRule;
use crate::gitops_pipeline::intent_log::{Purpose, RequestKey, tombstone};
use crate::gitops_pipeline::messages;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::tracker::StackTracker;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Failure, Progress};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The effect of a denied lookup before a stack was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDenial {
    /// The request fails: a stack may exist.
    Fail,
    /// The function logs the denial, and treats a resource that it cannot look up as deleted.
    Ignore,
}

/// The creation of a stack that no read shows. `DescribeStacks` may lag behind it, so the absence
/// of the stack alone proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackCreation {
    /// No creation may have been sent just before.
    Settled,
    /// One may have been sent just before.
    MayBeSent,
    /// CloudFormation has responded with the ID of the stack, and describes it by that even after
    /// its deletion.
    Sent(String),
}

/// How long a stack may stay unseen whose creation may have been sent. AWS states no limit.
const UNSEEN_TIME: Duration = Duration::from_secs(15);

/// A deletion of the child stack and its dependents for one request.
pub struct Deletion<'a> {
    pub aws: &'a Aws,
    pub context: &'a RequestContext,
    pub names: &'a ResourceNames,
    /// The purpose: [`Purpose::Delete`], or [`Purpose::RollBack`] after a failed creation.
    pub purpose: Purpose,
    pub on_denial: OnDenial,
    /// The Create that was rejected, if this is its Delete.
    pub rejected_create: Option<RequestKey>,
    pub creation: StackCreation,
}

impl Deletion<'_> {
    /// Deletes the resource's stack and its dependents, and waits until CloudFormation has deleted
    /// it.
    pub async fn run(&self, progress: &Progress) -> Result<(), Failure> {
        self.start().await?.run(progress).await
    }

    /// Writes the tombstone, which has these `tags`, and then does the same.
    pub async fn run_with_tombstone(
        &self,
        tags: &BTreeMap<String, String>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Deletion { aws, names, .. } = *self;
        let (owner, request) = (&self.context.owner, &self.context.request);
        // The tombstone of a rejected Create must not stop a later one.
        let request = self.rejected_create.as_ref().unwrap_or(request);
        tolerate_denial(tombstone::write(aws, names, owner, request, tags).await)?;
        // The tombstone exists, and everything that it has to precede is read after it.
        let scheduled = tombstone::schedule(aws, names, owner);
        let (deleter, scheduled) = tokio::join!(self.start(), scheduled);
        tolerate_denial(scheduled)?;
        Box::pin(deleter?.run(progress)).await
    }

    /// Reads the stack and its dependents concurrently.
    async fn start(&self) -> Result<StackDeleter<'_>, Failure> {
        let mut deleter = StackDeleter {
            deletion: self,
            tracker: StackTracker::new(self.aws, self.names.stack()),
            state: DeleteState::default(),
            rule: None,
            began: Instant::now(),
        };
        if self.purpose == Purpose::Delete {
            let rule = approval_rule::look_up(self.aws, self.names);
            let (observed, rule) = tokio::join!(Box::pin(deleter.observe()), rule);
            observed.map_err(failure)?;
            deleter.rule = Some(rule);
        }
        Ok(deleter)
    }

    fn is_ignored(&self, error: &CallError) -> bool {
        self.on_denial == OnDenial::Ignore && error.is_denied()
    }
}

/// The tombstone stops a late Create. Without the permission to write it, the function still has to
/// delete the stack.
fn tolerate_denial(written: Result<(), CallError>) -> Result<(), Failure> {
    match written {
        Err(error) if error.is_transient() => Err(Failure(error.reason())),
        Err(error) => {
            error!(error.reason(), "the tombstone is not written");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn failure(error: CallError) -> Failure {
    Failure(messages::with_remedy(error).reason())
}

struct StackDeleter<'a> {
    deletion: &'a Deletion<'a>,
    tracker: StackTracker<'a>,
    state: DeleteState,
    /// The approval rule template, if it was read together with the stack.
    rule: Option<Result<Option<FoundRule>, CallError>>,
    began: Instant,
}

impl StackDeleter<'_> {
    async fn run(&mut self, progress: &Progress) -> Result<(), Failure> {
        Box::pin(reconcile(self, progress)).await.map_err(failure)
    }

    async fn delete_rule(&mut self) -> Result<(), CallError> {
        let Deletion { aws, names, .. } = *self.deletion;
        let rule = match self.rule.take() {
            Some(rule) => rule,
            None => approval_rule::look_up(aws, names).await,
        };
        let rule = match rule {
            Err(error) if self.deletion.is_ignored(&error) => {
                error!(
                    error.reason(),
                    "the approval rule template is not looked up"
                );
                return Ok(());
            }
            rule => rule?,
        };
        if rule.is_some_and(|rule| rule.is_of(&self.deletion.context.owner)) {
            approval_rule::delete(aws, names).await?;
        }
        Ok(())
    }

    async fn read_failure(&mut self) {
        let own = &self.deletion.context.request;
        let is_deletion = |request: &RequestKey, purpose: &Purpose| {
            request == own && matches!(purpose, Purpose::Delete | Purpose::RollBack)
        };
        self.tracker.read_failure(is_deletion).await;
    }

    fn error(&self, stop: DeleteStop) -> CallError {
        let name = self.tracker.name();
        let owner = &self.deletion.context.owner;
        let (code, cause, remedy) = match (stop, &self.tracker.child) {
            (DeleteStop::Untagged, Some(child)) => {
                let (cause, remedy) = messages::untagged_stack_is_left(owner, name, child);
                (Code::StackHeld, cause, remedy)
            }
            (DeleteStop::Failed(failure), _) => {
                let remedy = "Correct this cause, and delete again".into();
                (Code::StackNotDeleted, failure, remedy)
            }
            (DeleteStop::Untagged | DeleteStop::Overtaken, _) => {
                let cause = "a later request has changed it, so it is left".to_owned();
                let remedy = "If the parent stack is in DELETE_FAILED, delete it again. If it no longer has \
                    the resource, delete this stack";
                (Code::OvertakenByRequest, cause, remedy.into())
            }
        };
        CallError::local(code, format!("deleting stack {name}"), cause).with_remedy(remedy)
    }

    fn call(&self, purpose: &Purpose) -> StackCall<'_> {
        self.tracker.call(self.deletion.context, purpose)
    }
}

impl Reconcile for StackDeleter<'_> {
    type Step = DeleteStep;
    type Done = ();
    type Error = CallError;

    async fn observe(&mut self) -> Result<(), CallError> {
        if self.state.is_unreadable {
            return Ok(());
        }
        let created = match &self.deletion.creation {
            StackCreation::Sent(id) => Some(id.as_str()),
            StackCreation::Settled | StackCreation::MayBeSent => None,
        };
        let is_new = match self.tracker.observe_same(created).await {
            Ok(is_new) => is_new,
            Err(error) if self.deletion.is_ignored(&error) && !self.tracker.has_previous() => {
                error!(
                    error.reason(),
                    pipeline_stack = self.tracker.name(),
                    "a stack is not looked up: if it exists, delete it"
                );
                self.state.is_unreadable = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.state.may_appear = match self.deletion.creation {
            StackCreation::Settled => false,
            StackCreation::MayBeSent => self.began.elapsed() < UNSEEN_TIME,
            StackCreation::Sent(_) => true,
        };
        if is_new {
            self.state.has_previous = self.tracker.has_previous();
            self.state.has_deleted_rule_again = false;
        }
        Ok(())
    }

    fn plan(&self) -> Next<DeleteStep, (), CallError> {
        let child = self.tracker.child.as_ref();
        let deletion = self.deletion;
        let create = deletion.rejected_create.as_ref();
        let rejected = create.zip(child);
        if rejected.is_some_and(|(create, child)| child.is_changed_since(create, deletion.context))
        {
            // CloudFormation has the ID of the other request's response, too.
            return Next::Done(());
        }
        let next = plan::next(child, &self.state, deletion.context, &deletion.purpose);
        next.map_error(|stop| self.error(stop))
    }

    fn describe(&self, step: &DeleteStep) -> String {
        let name = self.tracker.name();
        match step {
            DeleteStep::DeleteDependents { .. } | DeleteStep::DeleteRuleAgain => {
                format!("deleting what depends on stack {name}")
            }
            DeleteStep::Delete => format!("deleting stack {name}"),
            DeleteStep::CancelUpdate => format!("cancelling the earlier update of stack {name}"),
            DeleteStep::Wait => self.tracker.describe_wait(),
            DeleteStep::ReadFailure => format!("reading why stack {name} was not deleted"),
        }
    }

    async fn apply(&mut self, step: DeleteStep) -> Result<(), CallError> {
        let Deletion { aws, names, .. } = self.deletion;
        match step {
            DeleteStep::DeleteDependents { repository } => {
                self.delete_rule().await?;
                if repository {
                    codecommit::delete(&aws.codecommit, &names.repository()).await?;
                }
                self.state.has_deleted_dependents = true;
            }
            DeleteStep::DeleteRuleAgain => {
                self.delete_rule().await?;
                self.state.has_deleted_rule_again = true;
            }
            DeleteStep::ReadFailure => self.read_failure().await,
            DeleteStep::Delete => {
                let start = self.call(&self.deletion.purpose).delete().await;
                self.tracker.started(start).await?;
            }
            DeleteStep::CancelUpdate => {
                let start = self.call(&Purpose::Cancel).cancel_update().await;
                self.tracker.started(start).await?;
            }
            DeleteStep::Wait => self.tracker.wait().await,
        }
        Ok(())
    }
}
