//! Bringing the child stack, and what CloudFormation has no type for, to what is desired.

use std::collections::BTreeMap;

use super::approval_rule;
use super::child_stack::{self, ChildStack};
use super::operations::{self, Begin, Content, MOST_TEMPLATE_BYTES};
use super::patience::Patience;
use super::plan::{self, Step};
use super::properties::Desired;
use super::refusals;
use super::remove::Removing;
use super::request::About;
use super::template;
use super::token::Purpose;
use super::{GitOpsPipeline, deletions};
use crate::aws::CallError;
use crate::cfn::Failure;
use crate::codecommit::{self, Repository};
use crate::records::{self, LOGICAL_ID, STACK_ID};

/// What there is in the end.
#[derive(Clone, Debug)]
pub struct Made {
    /// The child stack's ARN.
    pub stack_id: String,
    /// The repository, whoever made it.
    pub repository: Repository,
}

/// One request's work towards what is desired.
pub struct Making<'a> {
    /// The resource type.
    pub pipeline: &'a GitOpsPipeline,
    /// Which request it is.
    pub about: &'a About,
    /// What is desired.
    pub desired: &'a Desired,
    /// Whether nothing was there before: what fails is then removed again.
    pub creates: bool,
}

/// The child stack's template and what goes with it, as it is sent.
struct Rendered {
    template: String,
    parameters: BTreeMap<&'static str, String>,
    tags: BTreeMap<String, String>,
    /// A hash of all of that.
    key: String,
}

/// Why making it so ended early.
enum Ended {
    /// Nothing was touched.
    Refused(String),
    /// Something may have been made.
    Failed(String),
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Ended::Failed(refusals::explained(error).to_string())
    }
}

impl Making<'_> {
    /// Makes it so, or says why not. What a request that creates has made is then removed.
    pub async fn make_so(&self) -> Result<Made, Failure> {
        let reason = match Box::pin(self.bring()).await {
            Ok(made) => return Ok(made),
            Err(Ended::Failed(reason)) if self.creates => reason,
            Err(Ended::Refused(reason) | Ended::Failed(reason)) => return Err(Failure(reason)),
        };
        self.doing(format!("{reason}; removing what was made"));
        match self.undo().await {
            Ok(()) => Err(Failure(reason)),
            Err(Failure(also)) => Err(Failure(format!("{reason}; then, {also}"))),
        }
    }

    async fn bring(&self) -> Result<Made, Ended> {
        let (aws, desired) = (&self.pipeline.aws, self.desired);
        let name = desired.repository();
        // Everything that would be refused is refused before anything is touched.
        if desired.repository_name.is_some() && codecommit::look_up(aws, &name).await?.is_none() {
            return Err(Ended::Refused(format!(
                "Source.RepositoryName: repository {name} does not exist"
            )));
        }
        let rule = approval_rule::look_up(aws, &desired.names).await?;
        let rule_is_ours = rule
            .as_ref()
            .is_some_and(|rule| rule.description == approval_rule::description(self.owner()));
        if let Some(rule) = rule.as_ref().filter(|_| !rule_is_ours)
            && desired.approval_rule.is_some()
        {
            let name = desired.names.approval_rule_template();
            return Err(Ended::Refused(refusals::rule_is_held(
                &name,
                &rule.description,
            )));
        }

        let mut child = self.bring_stack().await?;
        let mut tip = None;
        if !is_announced(&child) {
            // A push between the first look and the rule's creation was told to nobody.
            tip = codecommit::branch_tip(aws, &name, desired.branch()).await?;
            if tip.is_some() {
                child = self.bring_stack().await?;
            }
        }
        let repository = codecommit::look_up(aws, &name).await?.ok_or_else(|| {
            Ended::Failed(format!("looking up repository {name}: it does not exist"))
        })?;
        let is_pushed = tip.is_some() || is_announced(&child);
        // A repository that somebody gave is not ours to turn to another branch.
        if is_pushed
            && desired.repository_name.is_none()
            && repository.default_branch.as_deref() != Some(desired.branch())
        {
            codecommit::set_default_branch(aws, &name, desired.branch()).await?;
        }
        if let Some(wanted) = &desired.approval_rule {
            let content = approval_rule::content(wanted, desired.branch());
            let names = &desired.names;
            approval_rule::make_so(aws, names, rule.as_ref(), self.owner(), &content, &name)
                .await?;
        } else if rule_is_ours {
            approval_rule::remove(aws, &desired.names).await?;
        }
        // Delete leaves its mark and then looks for these things; they were made before this look
        // for the mark. So one of the two has seen the other.
        if self.is_overtaken().await? {
            self.undo()
                .await
                .map_err(|Failure(reason)| Ended::Failed(reason))?;
            return Err(Ended::Refused(refusals::deleted_since(
                &desired.names.stack(),
            )));
        }
        Ok(Made {
            stack_id: child.id,
            repository,
        })
    }

    /// Brings the child stack to what is desired now.
    async fn bring_stack(&self) -> Result<ChildStack, Ended> {
        let aws = &self.pipeline.aws;
        let me = &self.about.me;
        let name = self.desired.names.stack();
        let mut patience = Patience::default();
        let mut seen: Option<ChildStack> = None;
        let mut begun_here = false;
        loop {
            let child = match child_stack::observe(aws, &name, seen.as_ref()).await {
                Ok(child) => child,
                Err(error) => {
                    patience.bear(error).await?;
                    continue;
                }
            };
            patience.see(child.as_ref());
            let rendered = match &child {
                Some(child) if !is_settled(child) => None,
                child => Some(self.render(child.as_ref()).await?),
            };
            let key = rendered
                .as_ref()
                .map_or("", |rendered| rendered.key.as_str());
            let step = plan::next(child.as_ref(), me, key, begun_here);
            tracing::debug!(stack = name, ?step, "child stack");
            let token = |purpose: &Purpose| me.request.token(purpose);
            let begun = match (step, &child, &rendered) {
                (Step::Done, Some(child), _) => return Ok(child.clone()),
                (Step::Create, _, Some(rendered)) => {
                    if self.is_overtaken().await? {
                        return Err(Ended::Refused(refusals::deleted_since(&name)));
                    }
                    self.doing(format!("creating stack {name}"));
                    let token = token(&Purpose::Make(rendered.key.clone()));
                    operations::create(aws, &self.content(&name, rendered), token).await
                }
                (Step::Update, Some(_), Some(rendered)) => {
                    self.doing(format!("updating stack {name}"));
                    let token = token(&Purpose::Make(rendered.key.clone()));
                    operations::update(aws, &self.content(&name, rendered), token).await
                }
                (Step::CancelUpdate, Some(child), _) => {
                    self.doing(format!("cancelling the earlier update of stack {name}"));
                    operations::cancel_update(aws, child, token(&Purpose::Cancel)).await
                }
                (Step::ContinueRollback, Some(child), _) => {
                    self.doing(format!("continuing the rollback of stack {name}"));
                    let token = token(&Purpose::ContinueRollback);
                    operations::continue_rollback(aws, child, &self.about.role_arn, token).await
                }
                (Step::DeleteLeftover, Some(child), _) => {
                    self.doing(format!("deleting what is left of stack {name}"));
                    let token = token(&Purpose::Delete);
                    operations::delete(aws, child, &self.about.role_arn, token).await
                }
                (Step::Failed, Some(child), _) => return Err(self.why_failed(child).await),
                (Step::Refuse(refusal), Some(child), _) => {
                    let refusal = refusals::of_stack(&name, child, &refusal);
                    return Err(Ended::Refused(refusal));
                }
                (_, child, _) => {
                    let status = child.as_ref().map_or("gone", |child| child.status.as_str());
                    self.doing(format!("waiting for stack {name} ({status})"));
                    seen.clone_from(child);
                    patience.pause().await;
                    continue;
                }
            };
            seen.clone_from(&child);
            match begun {
                Ok(Begin::Begun) => begun_here = true,
                Ok(Begin::NothingToDo) => {
                    if let Some(child) = child {
                        return Ok(child);
                    }
                }
                Ok(Begin::Refused(error)) => patience.bear_refusal(child.as_ref(), error)?,
                Err(error) => patience.bear(error).await?,
            }
            patience.pause().await;
        }
    }

    async fn why_failed(&self, child: &ChildStack) -> Ended {
        let me = &self.about.me;
        let is_this = |token: Option<&str>| {
            token
                .and_then(super::token::read)
                .is_none_or(|(request, purpose)| {
                    request == me.request && purpose != Purpose::Undo && purpose != Purpose::Cancel
                })
        };
        let reason = match child_stack::first_failure(&self.pipeline.aws, child, is_this).await {
            Ok(reason) => reason,
            Err(error) => error.to_string(),
        };
        Ended::Failed(refusals::stack_failed(
            &self.desired.names.stack(),
            child,
            &reason,
        ))
    }

    async fn is_overtaken(&self) -> Result<bool, CallError> {
        let names = &self.desired.names;
        let request = &self.about.me.request;
        deletions::have_overtaken(&self.pipeline.aws, names, self.owner(), request).await
    }

    /// Removes what this request has made.
    async fn undo(&self) -> Result<(), Failure> {
        let removing = Removing {
            pipeline: self.pipeline,
            about: self.about,
            names: &self.desired.names,
            purpose: Purpose::Undo,
        };
        removing.remove().await
    }

    async fn render(&self, child: Option<&ChildStack>) -> Result<Rendered, Ended> {
        let desired = self.desired;
        let repository = self.repository(child).await?;
        // A pipeline that is there stays, whatever becomes of its branch.
        let mut branch_exists = child.is_some_and(is_announced);
        if !branch_exists {
            let name = desired.repository();
            let tip = codecommit::branch_tip(&self.pipeline.aws, &name, desired.branch());
            branch_exists = tip.await?.is_some();
        }
        let rendered = template::render(desired, repository);
        let template = serde_json::to_string_pretty(&rendered)
            .map_err(|error| Ended::Refused(format!("rendering the template: {error}")))?;
        if template.len() > MOST_TEMPLATE_BYTES {
            return Err(Ended::Refused(format!(
                "Properties: the pipeline's template would be {} bytes, of at most {MOST_TEMPLATE_BYTES}; \
                 shorten Build.BuildSpec and Build.EnvironmentVariables",
                template.len()
            )));
        }
        let parameters = template::parameter_values(desired, branch_exists);
        let mut tags = desired.tags.clone();
        tags.insert(STACK_ID.to_owned(), self.owner().stack_id.clone());
        tags.insert(LOGICAL_ID.to_owned(), self.owner().logical_id.clone());
        let key = records::key(&format!("{template}\n{parameters:?}\n{tags:?}"));
        Ok(Rendered {
            template,
            parameters,
            tags,
            key,
        })
    }

    /// Where the repository comes from.
    async fn repository(&self, child: Option<&ChildStack>) -> Result<template::Repository, Ended> {
        if self.desired.repository_name.is_some() {
            return Ok(template::Repository::Given);
        }
        let name = self.desired.names.repository();
        let in_stack = child.and_then(|child| child.outputs.get(template::REPOSITORY_OUTPUT));
        if in_stack.is_some_and(|in_stack| *in_stack == name) {
            let outputs = child.map(|child| &child.outputs);
            let is_kept = outputs
                .is_some_and(|outputs| outputs.contains_key(template::DELETION_POLICY_OUTPUT));
            return Ok(if is_kept {
                template::Repository::TakenUp
            } else {
                template::Repository::Made
            });
        }
        let aws = &self.pipeline.aws;
        let Some(repository) = codecommit::look_up(aws, &name).await? else {
            return Ok(template::Repository::Made);
        };
        // An earlier child stack of this name made it, and left it.
        let tags = codecommit::tags(aws, &repository).await?;
        if tags.get(template::STACK_NAME_TAG) == Some(&self.desired.names.stack()) {
            Ok(template::Repository::TakenUp)
        } else {
            Err(Ended::Refused(refusals::repository_is_held(&name)))
        }
    }

    fn content<'a>(&'a self, stack_name: &'a str, rendered: &'a Rendered) -> Content<'a> {
        Content {
            stack_name,
            template: &rendered.template,
            parameters: &rendered.parameters,
            tags: &rendered.tags,
            role_arn: &self.about.role_arn,
        }
    }

    fn owner(&self) -> &records::Owner {
        &self.about.me.owner
    }

    fn doing(&self, what: String) {
        tracing::info!(what, "pipeline");
        self.about.progress.doing(what);
    }
}

/// Whether the stack knows that its branch has been pushed.
fn is_announced(child: &ChildStack) -> bool {
    let value = child.parameters.get(template::BRANCH_EXISTS);
    value.is_some_and(|value| value == "true")
}

/// Whether the stack could be updated now: what it is and what is desired can be compared.
fn is_settled(child: &ChildStack) -> bool {
    (child.status.ends_with("_COMPLETE") || child.status == "UPDATE_FAILED")
        && child.status != "ROLLBACK_COMPLETE"
}
