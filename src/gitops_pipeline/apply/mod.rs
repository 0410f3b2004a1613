//! Bringing the child stack, and what CloudFormation has no type for, to what is desired.

mod render;

use super::approval_rule;
use super::backoff::Backoff;
use super::calls;
use super::calls::OperationStart;
use super::delete::{OnDenial, StackDeleter};
use super::latest_commit::{IfUnlisted, LatestCommit};
use super::observe;
use super::observe::ChildStack;
use super::plan;
use super::plan::{Refusal, Step};
use super::request_context::RequestContext;
use super::request_token;
use super::request_token::Purpose;
use super::source::{Lookup, Retry, Source};
use super::spec::Spec;
use super::{GitOpsPipeline, messages, tombstone, warnings};
use crate::aws::{CallError, is_role_not_assumable};
use crate::codecommit;
use crate::ownership;
use crate::reason_codes::Code;
use cfn_custom_resource::{Failure, Progress, Reason};

/// What there is in the end.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The child stack's ARN.
    pub stack_id: String,
    /// The repository's ARN, whoever made it.
    pub repository_arn: String,
    /// Where the repository is cloned from; empty when its account does not say.
    pub clone_url: String,
    /// What a person should know although all is well.
    pub note: Option<Reason>,
}

/// One request's work towards what is desired.
pub struct StackApplier<'a> {
    /// The resource type.
    pub pipeline: &'a GitOpsPipeline,
    /// Which request it is.
    pub context: &'a RequestContext,
    /// What is desired.
    pub spec: &'a Spec,
    /// Logs the current step.
    pub progress: &'a Progress,
    /// Whether the request asks for a resource that was not there before.
    pub creates: bool,
}

/// Why making it so ended early.
enum ApplyError {
    /// What is asked for cannot be, or is not this request's to do.
    Refused(Reason),
    /// The operation on the stack failed. One that could not be created goes, for its name to be
    /// free; one that was complete is what it was.
    StackFailed(Reason),
    /// A call failed. What was made until then stays: another delivery may have told of it.
    CallFailed(Reason),
    /// A Delete came after this request. Whatever it made goes.
    Deleted,
}

impl From<CallError> for ApplyError {
    fn from(error: CallError) -> Self {
        ApplyError::CallFailed(messages::explained(error).reason())
    }
}

/// A child stack that is as desired.
struct ReadyStack {
    child: ChildStack,
    /// Whether it had a pipeline when this request found it.
    had_pipeline: bool,
}

impl StackApplier<'_> {
    /// Makes it so, or says why not.
    pub async fn apply(&self) -> Result<Applied, Failure> {
        let (reason, purpose) = match Box::pin(self.apply_all()).await {
            Ok(made) => return Ok(made),
            Err(ApplyError::StackFailed(reason)) => (reason, Purpose::Undo),
            Err(ApplyError::Deleted) => {
                let reason = messages::deleted_since(&self.spec.names.stack());
                (reason, Purpose::Delete)
            }
            Err(ApplyError::Refused(reason) | ApplyError::CallFailed(reason)) => {
                return Err(Failure(reason));
            }
        };
        self.doing(format!("{}; removing what was made", reason.text));
        let deleter = StackDeleter {
            pipeline: self.pipeline,
            context: self.context,
            names: &self.spec.names,
            progress: self.progress,
            purpose,
            on_denial: OnDenial::Fail,
        };
        match deleter.delete().await {
            Ok(()) => Err(Failure(reason)),
            Err(Failure(also)) => {
                let text = format!("{}; then, {}", reason.text, also.text);
                Err(Failure::new(reason.code, text))
            }
        }
    }

    async fn apply_all(&self) -> Result<Applied, ApplyError> {
        let (aws, spec) = (&self.pipeline.aws, self.spec);
        let name = spec.repository();
        // Everything that would be refused is refused before anything is touched.
        self.fits()?;
        let retry = if self.creates { Retry::Yes } else { Retry::No };
        let source = Source::open(aws, &spec.names, spec.source.as_ref(), retry).await?;
        let given = match &spec.source {
            Some(_) => Some(source.look_up().await?),
            None => None,
        };
        if given == Some(Lookup::Found(None)) {
            return Err(ApplyError::Refused(messages::no_such_repository(
                &name,
                spec.cross_account_source(),
            )));
        }
        let rule = approval_rule::look_up(aws, &spec.names).await?;
        let ours = approval_rule::description(self.owner());
        let rule_is_ours = rule.as_ref().is_some_and(|rule| rule.description == ours);
        if let Some(rule) = rule.filter(|_| !rule_is_ours && spec.approval_rule.is_some()) {
            let name = spec.names.approval_rule_template();
            return Err(approval_rule::held(&name, &rule).into());
        }

        let ReadyStack {
            child,
            had_pipeline,
        } = Box::pin(self.apply_stack(&source)).await?;
        // One that was given is no different now.
        let repository = match given {
            Some(seen) => seen,
            None => source.look_up().await?,
        };
        let found = match repository {
            Lookup::Found(Some(repository)) => Ok(repository),
            Lookup::Found(None) => {
                let reason = format!("looking up repository {name}: it does not exist");
                return Err(ApplyError::CallFailed(Reason::new(
                    Code::RepositoryMissing,
                    reason,
                )));
            }
            Lookup::Denied(why) => Err(why),
        };
        // A repository that somebody gave is not ours to turn to another branch.
        if let Ok(repository) = &found
            && child.has_pipeline()
            && spec.source.is_none()
            && repository.default_branch.as_deref() != Some(spec.branch())
        {
            codecommit::set_default_branch(&aws.codecommit, &name, spec.branch()).await?;
        }
        if let Some(wanted) = &spec.approval_rule {
            self.is_latest(&child).await?;
            let content = approval_rule::content(wanted, spec.branch());
            approval_rule::make_so(aws, &spec.names, self.owner(), &content, &name).await?;
        } else if rule_is_ours {
            self.is_latest(&child).await?;
            approval_rule::remove(aws, &spec.names).await?;
        }
        // Delete leaves its mark and then looks for these things; they were made before this look
        // for the mark. So one of the two has seen the other.
        if self.is_deleted().await? {
            return Err(ApplyError::Deleted);
        }
        let is_new = self.creates || !had_pipeline;
        if child.has_pipeline() && is_new {
            // A push between the pipeline's first execution and the rule was told to nobody.
            let newest = LatestCommit::new(&spec.names, &source, spec.branch());
            if let Err(error) = newest.ensure_executed(aws, IfUnlisted::Skip).await {
                tracing::warn!(%error, "the pipeline may not have the newest commit");
            }
        }
        let cross_account = spec.cross_account_source();
        let branch_is_hidden = match cross_account {
            Some(_) if is_new => source.branch_tip(spec.branch()).await?.denied(),
            _ => None,
        };
        let repository_arn = match (&found, cross_account) {
            (Ok(repository), _) => repository.arn.clone(),
            (Err(_), Some(cross_account)) => cross_account.repository_arn.clone(),
            (Err(why), None) => return Err(why.clone().into()),
        };
        Ok(Applied {
            stack_id: child.id,
            repository_arn,
            note: warnings::of(
                spec,
                &source,
                found.as_ref().err(),
                branch_is_hidden.as_ref(),
            ),
            clone_url: found.map_or_else(|_| String::new(), |repository| repository.clone_url),
        })
    }

    /// Brings the child stack to what is desired now.
    #[allow(clippy::too_many_lines)] // One arm for each step of the plan.
    async fn apply_stack(&self, source: &Source) -> Result<ReadyStack, ApplyError> {
        let (aws, me) = (&self.pipeline.aws, self.context);
        let name = self.spec.names.stack();
        let mut backoff = Backoff::default();
        let mut seen: Option<ChildStack> = None;
        let mut had_pipeline = None;
        let mut begun_here: Option<String> = None;
        let mut created_id = None;
        // A service could not assume a role, so the stack is created once more.
        let mut is_again = false;
        loop {
            let child = match observe::observe(aws, &name, seen.as_ref()).await {
                Ok(child) => child,
                Err(error) => {
                    backoff.retry(error).await?;
                    continue;
                }
            };
            if let Some(id) = created_id.as_deref().filter(|_| child.is_none())
                && self.is_to_be_created_again(id).await?
            {
                is_again = true;
                created_id = None;
            }
            backoff.observe(child.as_ref());
            // What belongs to somebody else is not compared with anything.
            let settled = child
                .as_ref()
                .filter(|child| child.is_settled() && child.owner.as_ref() == Some(self.owner()));
            let rendered = match &child {
                Some(_) if settled.is_none() => None,
                _ => Some(self.render(settled, source).await?),
            };
            if child
                .as_ref()
                .is_some_and(|child| child.owner.as_ref() == Some(self.owner()))
            {
                self.progress.changing();
            }
            if let Some(child) = settled {
                had_pipeline.get_or_insert(child.has_pipeline());
            }
            let brought = |child: &ChildStack| ReadyStack {
                child: child.clone(),
                had_pipeline: had_pipeline.unwrap_or(false),
            };
            let key = rendered.as_ref().map_or("", |rendered| &rendered.key);
            let step = plan::next(child.as_ref(), me, key, begun_here.as_deref());
            let token = |purpose: &Purpose| me.request.token(purpose);
            let begun = match (step, &child, &rendered) {
                (Step::Done, Some(child), _) => return Ok(brought(child)),
                (Step::Create, _, Some(rendered)) => {
                    if self.is_deleted().await? {
                        return Err(ApplyError::Deleted);
                    }
                    self.doing(format!("creating stack {name}"));
                    self.progress.changing();
                    begun_here = Some(rendered.key.clone());
                    let token = token(&if is_again {
                        Purpose::MakeAgain(rendered.key.clone())
                    } else {
                        Purpose::Make(rendered.key.clone())
                    });
                    calls::create(aws, &self.content(&name, rendered), token).await
                }
                (Step::Update, Some(_), Some(rendered)) => {
                    self.doing(format!("updating stack {name}"));
                    begun_here = Some(rendered.key.clone());
                    let token = token(&Purpose::Make(rendered.key.clone()));
                    calls::update(aws, &self.content(&name, rendered), token).await
                }
                (Step::CancelUpdate, Some(child), _) => {
                    self.doing(format!("cancelling the earlier update of stack {name}"));
                    calls::cancel_update(aws, child, token(&Purpose::Cancel)).await
                }
                (Step::ContinueRollback, Some(child), _) => {
                    self.doing(format!("continuing the rollback of stack {name}"));
                    let token = token(&Purpose::ContinueRollback);
                    calls::continue_rollback(aws, child, &self.context.role_arn, token).await
                }
                (Step::DeleteLeftover, Some(child), _) => {
                    self.doing(format!("deleting what is left of stack {name}"));
                    let token = token(&Purpose::Delete);
                    calls::delete(aws, child, &self.context.role_arn, token).await
                }
                (Step::Failed, Some(child), rendered) => {
                    let reason = self.first_failure(child).await;
                    if !may_succeed_again(child, &reason) {
                        return Err(self.stack_failed(child, &reason));
                    }
                    tracing::warn!(reason, "a service could not assume a role: once more");
                    if let Some(rendered) = rendered {
                        self.doing(format!("updating stack {name} once more"));
                        let token = token(&Purpose::MakeAgain(rendered.key.clone()));
                        calls::update(aws, &self.content(&name, rendered), token).await
                    } else {
                        self.doing(format!("deleting stack {name} to create it once more"));
                        is_again = true;
                        created_id = None;
                        let token = token(&Purpose::Delete);
                        calls::delete(aws, child, &self.context.role_arn, token).await
                    }
                }
                (Step::Refuse(refusal), Some(child), _) => {
                    return Err(self.refused(child, &refusal).await?);
                }
                (_, child, _) => {
                    let status = child.as_ref().map_or("gone", |child| child.status.as_str());
                    self.doing(format!("waiting for stack {name} ({status})"));
                    seen.clone_from(child);
                    backoff.pause().await;
                    continue;
                }
            };
            match begun {
                Ok(OperationStart::Started) => {}
                Ok(OperationStart::Creating(id)) => created_id = Some(id),
                Ok(OperationStart::NoChange) => {
                    if let Some(child) = &child {
                        return Ok(brought(child));
                    }
                }
                Ok(OperationStart::Rejected(error)) => {
                    backoff.retry_refusal(child.as_ref(), error)?
                }
                Err(error) => backoff.retry(error).await?,
            }
            seen = child;
            backoff.pause().await;
        }
    }

    /// CloudFormation may answer the creation of a stack that this request had created before, and
    /// that is deleted, with that one's id. Then the request has failed, unless it deleted the stack
    /// in order to create it once more.
    async fn is_to_be_created_again(&self, id: &str) -> Result<bool, ApplyError> {
        let created = observe::observe(&self.pipeline.aws, id, None).await?;
        let Some(child) = created.filter(|child| child.status == "DELETE_COMPLETE") else {
            return Ok(false);
        };
        if self.is_deleted().await? {
            return Err(ApplyError::Deleted);
        }
        // What a failed request removes, it removes with another purpose.
        let latest = child.latest_purpose();
        if latest == Some((self.context.request.clone(), Purpose::Delete)) {
            return Ok(true);
        }
        let reason = self.first_failure(&child).await;
        Err(self.stack_failed(&child, &reason))
    }

    async fn first_failure(&self, child: &ChildStack) -> String {
        let me = self.context;
        let is_this = |token: Option<&str>| {
            token
                .and_then(request_token::read)
                .is_none_or(|(request, purpose)| {
                    request == me.request && !matches!(purpose, Purpose::Undo | Purpose::Cancel)
                })
        };
        match observe::first_failure(&self.pipeline.aws, child, is_this).await {
            Ok(reason) => reason,
            Err(error) => error.to_string(),
        }
    }

    fn stack_failed(&self, child: &ChildStack, reason: &str) -> ApplyError {
        let name = self.spec.names.stack();
        ApplyError::StackFailed(messages::stack_failed(&name, child, reason))
    }

    async fn refused(
        &self,
        child: &ChildStack,
        refusal: &Refusal,
    ) -> Result<ApplyError, ApplyError> {
        if *refusal == Refusal::Overtaken && self.is_deleted().await? {
            return Ok(ApplyError::Deleted);
        }
        let name = self.spec.names.stack();
        let refusal = messages::of_stack(&name, self.owner(), child, refusal);
        Ok(ApplyError::Refused(refusal))
    }

    /// Makes sure that no later request has been here since `child` was seen: what is not in the
    /// stack would be changed back.
    async fn is_latest(&self, child: &ChildStack) -> Result<(), ApplyError> {
        let now = observe::observe(&self.pipeline.aws, &child.id, None).await?;
        match now {
            Some(now) if plan::is_overtaken(&now, self.context) => {
                Err(self.refused(&now, &Refusal::Overtaken).await?)
            }
            _ => Ok(()),
        }
    }

    /// Whether a Delete has been here that came after this request.
    async fn is_deleted(&self) -> Result<bool, CallError> {
        let names = &self.spec.names;
        let request = &self.context.request;
        let mut backoff = Backoff::default();
        loop {
            let aws = &self.pipeline.aws;
            match tombstone::supersedes(aws, names, self.owner(), request).await {
                Ok(have) => return Ok(have),
                // To fail here would leave what is made to a Delete that may have been here.
                Err(error) => backoff.retry_until_answered(error).await?,
            }
        }
    }

    fn owner(&self) -> &ownership::Owner {
        &self.context.owner
    }

    fn doing(&self, what: String) {
        self.progress.doing(what);
    }
}

/// Whether the operation that failed on `child` because of `reason` may succeed the second time: a
/// service could not assume a role, which IAM may not have propagated yet.
fn may_succeed_again(child: &ChildStack, reason: &str) -> bool {
    let is_first = matches!(child.latest_purpose(), Some((_, Purpose::Make(_))));
    let is_rolled_back = matches!(
        child.status.as_str(),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
    );
    is_first && is_rolled_back && is_role_not_assumable(reason)
}
