//! Follows one child stack: observes it, starts operations on it, and waits in between.

use tokio::time::Instant;

use super::{first_failure, observe};
use crate::clients::aws::{Aws, CallError};
use crate::gitops_pipeline::calls::{OperationStart, StackCall};
use crate::gitops_pipeline::intent_log::{Purpose, RequestKey, request_token};
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::state::{ChildStack, OperationKey};
use crate::reconcile::backoff::Backoff;

pub struct StackTracker<'a> {
    aws: &'a Aws,
    name: String,
    /// The observed stack. `None` if it does not exist, or was not observed yet.
    pub child: Option<ChildStack>,
    previous: Option<ChildStack>,
    backoff: Backoff<OperationKey>,
    is_current: bool,
}

impl<'a> StackTracker<'a> {
    pub fn new(aws: &'a Aws, name: String) -> Self {
        StackTracker {
            aws,
            name,
            child: None,
            previous: None,
            backoff: Backoff::new(),
            is_current: false,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a stack was observed before the current one.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Observes the stack with this name. Returns `false` if it has not changed since.
    pub async fn observe(&mut self) -> Result<bool, CallError> {
        let name = self.name.clone();
        self.observe_stack(&name).await
    }

    /// Observes the stack with the ID that was observed before, or that CloudFormation responded to
    /// its creation. A later stack of the name has another ID.
    pub async fn observe_same(&mut self, created: Option<&str>) -> Result<bool, CallError> {
        let previous = self.previous.as_ref().map(|stack| stack.id.clone());
        let id = previous.or_else(|| created.map(ToOwned::to_owned));
        let id = id.unwrap_or_else(|| self.name.clone());
        self.observe_stack(&id).await
    }

    async fn observe_stack(&mut self, id: &str) -> Result<bool, CallError> {
        if self.is_current {
            return Ok(false);
        }
        loop {
            let began = Instant::now();
            let observed = observe(self.aws, id, self.previous.as_ref()).await;
            self.backoff.polled(began.elapsed());
            match observed {
                Ok(child) => {
                    self.child = child;
                    break;
                }
                Err(error) => self.backoff.retry(error).await?,
            }
        }
        let key = self.child.as_ref().map(ChildStack::operation_key);
        self.backoff.observe(key);
        self.is_current = true;
        Ok(true)
    }

    /// Reads why the latest operation failed. `is_own` returns whether an operation of a request is
    /// the one that failed. An operation without a request's token may always be.
    pub async fn read_failure(&mut self, is_own: impl Fn(&RequestKey, &Purpose) -> bool) {
        let Some(child) = &mut self.child else {
            return;
        };
        let may_be_own = |token: Option<&str>| {
            let read = token.and_then(request_token::read);
            read.is_none_or(|(request, purpose)| is_own(&request, &purpose))
        };
        child.failure = Some(first_failure(self.aws, child, may_be_own).await);
    }

    /// A call that starts an operation of the request on the observed stack.
    pub fn call<'b>(&'b self, context: &'b RequestContext, purpose: &Purpose) -> StackCall<'b> {
        StackCall {
            aws: self.aws,
            name: &self.name,
            id: self.child.as_ref().map_or(&self.name, |child| &child.id),
            role_arn: &context.role_arn,
            token: context.request.token(purpose),
        }
    }

    /// Waits before the stack is observed again.
    pub async fn wait(&mut self) {
        self.previous.clone_from(&self.child);
        self.is_current = false;
        self.backoff.pause().await;
    }

    /// What [`StackTracker::wait`] does.
    pub fn describe_wait(&self) -> String {
        let status = self.child.as_ref().map_or("", |child| child.status.as_str());
        format!("waiting for stack {} ({status})", self.name)
    }

    /// Waits after the start of an operation. It also waits if CloudFormation rejected the start or
    /// did not respond, because the next observation shows whether the operation runs.
    pub async fn started(
        &mut self,
        start: Result<OperationStart, CallError>,
    ) -> Result<(), CallError> {
        match start {
            Ok(OperationStart::Rejected(error)) => self.backoff.retry_rejection(error)?,
            Ok(_) => {}
            Err(error) => self.backoff.retry(error).await?,
        }
        self.wait().await;
        Ok(())
    }
}
