//! Bringing the child stack, and what CloudFormation has no type for, to what is desired.

mod render;

use super::approval_rule;
use super::backoff::Patience;
use super::calls;
use super::calls::Begin;
use super::delete::{OnDenial, Removing};
use super::latest_commit::{Newest, Unlisted};
use super::observe;
use super::observe::ChildStack;
use super::plan;
use super::plan::{Refusal, Step};
use super::request_context::About;
use super::request_token;
use super::request_token::Purpose;
use super::source::{Asking, Seen, Source};
use super::spec::Spec;
use super::{GitOpsPipeline, messages, tombstone, warnings};
use crate::aws::{CallError, is_role_not_assumable};
use crate::cfn::{Failure, Reason};
use crate::codecommit;
use crate::ownership;
use crate::reason_codes::Code;

/// What there is in the end.
#[derive(Clone, Debug)]
pub struct Made {
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
pub struct Making<'a> {
    /// The resource type.
    pub pipeline: &'a GitOpsPipeline,
    /// Which request it is.
    pub about: &'a About,
    /// What is desired.
    pub desired: &'a Spec,
    /// Whether the request asks for a resource that was not there before.
    pub creates: bool,
}

/// Why making it so ended early.
enum Ended {
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

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Ended::CallFailed(messages::explained(error).reason())
    }
}

/// A child stack that is as desired.
struct Brought {
    child: ChildStack,
    /// Whether it had a pipeline when this request found it.
    had_pipeline: bool,
}

impl Making<'_> {
    /// Makes it so, or says why not.
    pub async fn make_so(&self) -> Result<Made, Failure> {
        let (reason, purpose) = match Box::pin(self.bring()).await {
            Ok(made) => return Ok(made),
            Err(Ended::StackFailed(reason)) => (reason, Purpose::Undo),
            Err(Ended::Deleted) => {
                let reason = messages::deleted_since(&self.desired.names.stack());
                (reason, Purpose::Delete)
            }
            Err(Ended::Refused(reason) | Ended::CallFailed(reason)) => return Err(Failure(reason)),
        };
        self.doing(format!("{}; removing what was made", reason.text));
        let removing = Removing {
            pipeline: self.pipeline,
            about: self.about,
            names: &self.desired.names,
            purpose,
            on_denial: OnDenial::Fail,
        };
        match removing.remove().await {
            Ok(()) => Err(Failure(reason)),
            Err(Failure(also)) => {
                let text = format!("{}; then, {}", reason.text, also.text);
                Err(Failure::new(reason.code, text))
            }
        }
    }

    async fn bring(&self) -> Result<Made, Ended> {
        let (aws, desired) = (&self.pipeline.aws, self.desired);
        let name = desired.repository();
        // Everything that would be refused is refused before anything is touched.
        self.fits()?;
        let asking = if self.creates {
            Asking::Patiently
        } else {
            Asking::Once
        };
        let source = Source::open(aws, &desired.names, desired.source.as_ref(), asking).await?;
        let given = match &desired.source {
            Some(_) => Some(source.look_up().await?),
            None => None,
        };
        if given == Some(Seen::Shown(None)) {
            return Err(Ended::Refused(messages::no_such_repository(
                &name,
                desired.source_elsewhere(),
            )));
        }
        let rule = approval_rule::look_up(aws, &desired.names).await?;
        let ours = approval_rule::description(self.owner());
        let rule_is_ours = rule.as_ref().is_some_and(|rule| rule.description == ours);
        if let Some(rule) = rule.filter(|_| !rule_is_ours && desired.approval_rule.is_some()) {
            let name = desired.names.approval_rule_template();
            return Err(approval_rule::held(&name, &rule).into());
        }

        let Brought {
            child,
            had_pipeline,
        } = Box::pin(self.bring_stack(&source)).await?;
        // One that was given is no different now.
        let repository = match given {
            Some(seen) => seen,
            None => source.look_up().await?,
        };
        let found = match repository {
            Seen::Shown(Some(repository)) => Ok(repository),
            Seen::Shown(None) => {
                let reason = format!("looking up repository {name}: it does not exist");
                return Err(Ended::CallFailed(Reason::new(
                    Code::RepositoryMissing,
                    reason,
                )));
            }
            Seen::Hidden(why) => Err(why),
        };
        // A repository that somebody gave is not ours to turn to another branch.
        if let Ok(repository) = &found
            && child.has_pipeline()
            && desired.source.is_none()
            && repository.default_branch.as_deref() != Some(desired.branch())
        {
            codecommit::set_default_branch(&aws.codecommit, &name, desired.branch()).await?;
        }
        if let Some(wanted) = &desired.approval_rule {
            self.is_latest(&child).await?;
            let content = approval_rule::content(wanted, desired.branch());
            approval_rule::make_so(aws, &desired.names, self.owner(), &content, &name).await?;
        } else if rule_is_ours {
            self.is_latest(&child).await?;
            approval_rule::remove(aws, &desired.names).await?;
        }
        // Delete leaves its mark and then looks for these things; they were made before this look
        // for the mark. So one of the two has seen the other.
        if self.is_deleted().await? {
            return Err(Ended::Deleted);
        }
        let is_new = self.creates || !had_pipeline;
        if child.has_pipeline() && is_new {
            // A push between the pipeline's first execution and the rule was told to nobody.
            let newest = Newest::of(&desired.names, &source, desired.branch());
            if let Err(error) = newest.see_to(aws, Unlisted::IsLeft).await {
                tracing::warn!(%error, "the pipeline may not have the newest commit");
            }
        }
        let elsewhere = desired.source_elsewhere();
        let branch_is_hidden = match elsewhere {
            Some(_) if is_new => source.branch_tip(desired.branch()).await?.hidden(),
            _ => None,
        };
        let repository_arn = match (&found, elsewhere) {
            (Ok(repository), _) => repository.arn.clone(),
            (Err(_), Some(elsewhere)) => elsewhere.repository_arn.clone(),
            (Err(why), None) => return Err(why.clone().into()),
        };
        Ok(Made {
            stack_id: child.id,
            repository_arn,
            note: warnings::of(
                desired,
                &source,
                found.as_ref().err(),
                branch_is_hidden.as_ref(),
            ),
            clone_url: found.map_or_else(|_| String::new(), |repository| repository.clone_url),
        })
    }

    /// Brings the child stack to what is desired now.
    #[allow(clippy::too_many_lines)] // One arm for each step of the plan.
    async fn bring_stack(&self, source: &Source) -> Result<Brought, Ended> {
        let (aws, me) = (&self.pipeline.aws, &self.about.me);
        let name = self.desired.names.stack();
        let mut patience = Patience::default();
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
                    patience.bear(error).await?;
                    continue;
                }
            };
            if let Some(id) = created_id.as_deref().filter(|_| child.is_none())
                && self.is_to_be_created_again(id).await?
            {
                is_again = true;
                created_id = None;
            }
            patience.see(child.as_ref());
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
                self.about.progress.changing();
            }
            if let Some(child) = settled {
                had_pipeline.get_or_insert(child.has_pipeline());
            }
            let brought = |child: &ChildStack| Brought {
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
                        return Err(Ended::Deleted);
                    }
                    self.doing(format!("creating stack {name}"));
                    self.about.progress.changing();
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
                    calls::continue_rollback(aws, child, &self.about.role_arn, token).await
                }
                (Step::DeleteLeftover, Some(child), _) => {
                    self.doing(format!("deleting what is left of stack {name}"));
                    let token = token(&Purpose::Delete);
                    calls::delete(aws, child, &self.about.role_arn, token).await
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
                        calls::delete(aws, child, &self.about.role_arn, token).await
                    }
                }
                (Step::Refuse(refusal), Some(child), _) => {
                    return Err(self.refused(child, &refusal).await?);
                }
                (_, child, _) => {
                    let status = child.as_ref().map_or("gone", |child| child.status.as_str());
                    self.doing(format!("waiting for stack {name} ({status})"));
                    seen.clone_from(child);
                    patience.pause().await;
                    continue;
                }
            };
            match begun {
                Ok(Begin::Begun) => {}
                Ok(Begin::Created(id)) => created_id = Some(id),
                Ok(Begin::NothingToDo) => {
                    if let Some(child) = &child {
                        return Ok(brought(child));
                    }
                }
                Ok(Begin::Refused(error)) => patience.bear_refusal(child.as_ref(), error)?,
                Err(error) => patience.bear(error).await?,
            }
            seen = child;
            patience.pause().await;
        }
    }

    /// CloudFormation may answer the creation of a stack that this request had created before, and
    /// that is deleted, with that one's id. Then the request has failed, unless it deleted the stack
    /// in order to create it once more.
    async fn is_to_be_created_again(&self, id: &str) -> Result<bool, Ended> {
        let created = observe::observe(&self.pipeline.aws, id, None).await?;
        let Some(child) = created.filter(|child| child.status == "DELETE_COMPLETE") else {
            return Ok(false);
        };
        if self.is_deleted().await? {
            return Err(Ended::Deleted);
        }
        // What a failed request removes, it removes with another purpose.
        let latest = child.latest_purpose();
        if latest == Some((self.about.me.request.clone(), Purpose::Delete)) {
            return Ok(true);
        }
        let reason = self.first_failure(&child).await;
        Err(self.stack_failed(&child, &reason))
    }

    async fn first_failure(&self, child: &ChildStack) -> String {
        let me = &self.about.me;
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

    fn stack_failed(&self, child: &ChildStack, reason: &str) -> Ended {
        let name = self.desired.names.stack();
        Ended::StackFailed(messages::stack_failed(&name, child, reason))
    }

    async fn refused(&self, child: &ChildStack, refusal: &Refusal) -> Result<Ended, Ended> {
        if *refusal == Refusal::Overtaken && self.is_deleted().await? {
            return Ok(Ended::Deleted);
        }
        let name = self.desired.names.stack();
        let refusal = messages::of_stack(&name, self.owner(), child, refusal);
        Ok(Ended::Refused(refusal))
    }

    /// Makes sure that no later request has been here since `child` was seen: what is not in the
    /// stack would be changed back.
    async fn is_latest(&self, child: &ChildStack) -> Result<(), Ended> {
        let now = observe::observe(&self.pipeline.aws, &child.id, None).await?;
        match now {
            Some(now) if plan::is_overtaken(&now, &self.about.me) => {
                Err(self.refused(&now, &Refusal::Overtaken).await?)
            }
            _ => Ok(()),
        }
    }

    /// Whether a Delete has been here that came after this request.
    async fn is_deleted(&self) -> Result<bool, CallError> {
        let names = &self.desired.names;
        let request = &self.about.me.request;
        let mut patience = Patience::default();
        loop {
            let aws = &self.pipeline.aws;
            match tombstone::have_overtaken(aws, names, self.owner(), request).await {
                Ok(have) => return Ok(have),
                // To fail here would leave what is made to a Delete that may have been here.
                Err(error) => patience.insist(error).await?,
            }
        }
    }

    fn owner(&self) -> &ownership::Owner {
        &self.about.me.owner
    }

    fn doing(&self, what: String) {
        self.about.progress.doing(what);
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
