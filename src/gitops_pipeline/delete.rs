//! Removing the child stack and what CloudFormation has no type for. Never what the pipeline
//! deployed.

use super::approval_rule;
use super::backoff::Backoff;
use super::calls;
use super::calls::OperationStart;
use super::messages;
use super::names::ResourceNames;
use super::observe;
use super::observe::ChildStack;
use super::plan;
use super::plan::Removal;
use super::request_context::RequestContext;
use super::request_token;
use super::request_token::Purpose;
use super::{GitOpsPipeline, template};
use crate::aws::CallError;
use crate::codecommit;
use crate::reason_codes::Code;
use cfn_custom_resource::{Failure, Progress};

/// One request's work towards there being nothing.
pub struct StackDeleter<'a> {
    /// The resource type.
    pub pipeline: &'a GitOpsPipeline,
    /// Which request it is.
    pub context: &'a RequestContext,
    /// What is to go.
    pub names: &'a ResourceNames,
    /// Logs the current step.
    pub progress: &'a Progress,
    /// Why: a Delete, or to undo what this request made.
    pub purpose: Purpose,
    /// What a denied look-up leads to.
    pub on_denial: OnDenial,
}

/// What a denied look-up leads to, before anything was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDenial {
    /// The request fails: a stack may exist.
    Fail,
    /// The denial is logged, and what cannot be looked up counts as gone.
    Ignore,
}

impl StackDeleter<'_> {
    /// Removes what is this resource's, and waits until it is gone.
    pub async fn delete(&self) -> Result<(), Failure> {
        let removed = Box::pin(self.delete_stack()).await;
        removed.map_err(|error| Failure(messages::explained(error).reason()))
    }

    async fn delete_stack(&self) -> Result<(), CallError> {
        let (aws, me) = (&self.pipeline.aws, self.context);
        let name = self.names.stack();
        let mut backoff = Backoff::default();
        let mut seen: Option<ChildStack> = None;
        let mut is_cleared = false;
        loop {
            // A stack that was once seen is followed by its id: another one of its name is not it.
            let id = seen.as_ref().map_or(name.as_str(), |seen| seen.id.as_str());
            let child = match observe::observe(aws, id, seen.as_ref()).await {
                Ok(child) => child,
                Err(error) if self.ignores(&error) && seen.is_none() => {
                    tracing::error!(
                        %error,
                        pipeline_stack = name,
                        "stack not looked up: if it exists, delete it"
                    );
                    return Ok(());
                }
                Err(error) => {
                    backoff.retry(error).await?;
                    continue;
                }
            };
            backoff.observe(child.as_ref());
            let removal = plan::next_removal(child.as_ref(), me, &self.purpose);
            let by_later = child
                .as_ref()
                .is_some_and(|child| plan::is_made_by_later(child, me));
            if !is_cleared && !by_later {
                // First what hangs on the stack: a Delete that is repeated knows of it by the stack.
                self.remove_rule().await?;
                self.remove_kept_repository(child.as_ref()).await?;
                is_cleared = true;
            }
            if removal == Removal::Done && seen.is_some() && !by_later {
                // A request that is being overtaken may have made it meanwhile.
                self.remove_rule().await?;
            }
            let Some(child) = child else {
                return Ok(());
            };
            let begun = match removal {
                Removal::Done => return Ok(()),
                Removal::Failed => return Err(self.why_failed(&child).await),
                Removal::Wait => {
                    let what = format!("waiting for stack {name} ({})", child.status);
                    self.progress.doing(what);
                    Ok(OperationStart::Started)
                }
                Removal::CancelUpdate => {
                    let token = me.request.token(&Purpose::Cancel);
                    calls::cancel_update(aws, &child, token).await
                }
                Removal::Delete => {
                    self.progress.doing(format!("deleting stack {name}"));
                    let token = me.request.token(&self.purpose);
                    calls::delete(aws, &child, &self.context.role_arn, token).await
                }
            };
            match begun {
                Ok(
                    OperationStart::Started
                    | OperationStart::Creating(_)
                    | OperationStart::NoChange,
                ) => {}
                Ok(OperationStart::Rejected(error)) => {
                    backoff.retry_refusal(Some(&child), error)?
                }
                Err(error) => backoff.retry(error).await?,
            }
            seen = Some(child);
            backoff.pause().await;
        }
    }

    fn ignores(&self, error: &CallError) -> bool {
        self.on_denial == OnDenial::Ignore && error.is_denied()
    }

    async fn remove_rule(&self) -> Result<(), CallError> {
        // A request that failed to create its stack has not come to the rule.
        if self.purpose == Purpose::Undo {
            return Ok(());
        }
        let aws = &self.pipeline.aws;
        let rule = match approval_rule::look_up(aws, self.names).await {
            Err(error) if self.ignores(&error) => {
                tracing::error!(%error, "approval rule template not looked up");
                return Ok(());
            }
            rule => rule?,
        };
        let ours = approval_rule::description(&self.context.owner);
        if rule.is_some_and(|rule| rule.description == ours) {
            approval_rule::remove(aws, self.names).await?;
        }
        Ok(())
    }

    /// A repository that this stack took up is none of its resources. It goes only with a stack
    /// that was complete: one whose creation failed has no outputs, and took nothing up.
    async fn remove_kept_repository(&self, child: Option<&ChildStack>) -> Result<(), CallError> {
        let me = self.context;
        let to_go = child.filter(|child| plan::is_to_go(child, me, &self.purpose));
        let policy = to_go.and_then(|child| child.outputs.get(template::DELETION_POLICY_OUTPUT));
        if self.purpose == Purpose::Delete && policy.is_some_and(|policy| policy == "Delete") {
            codecommit::delete(&self.pipeline.aws.codecommit, &self.names.repository()).await?;
        }
        Ok(())
    }

    async fn why_failed(&self, child: &ChildStack) -> CallError {
        let me = self.context;
        let is_this = |token: Option<&str>| {
            token
                .and_then(request_token::read)
                .is_none_or(|(request, purpose)| {
                    request == me.request && matches!(purpose, Purpose::Delete | Purpose::Undo)
                })
        };
        match observe::first_failure(&self.pipeline.aws, child, is_this).await {
            Ok(reason) => CallError::local(
                Code::StackNotDeleted,
                format!("deleting stack {}", self.names.stack()),
                format!("{reason}; mend that and delete again"),
            ),
            Err(error) => error,
        }
    }
}
