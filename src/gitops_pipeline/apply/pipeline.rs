//! Applies the whole spec: checks the request, applies the child stack, then its dependents.

use std::sync::OnceLock;

use super::error::ApplyError;
use super::render::Renderer;
use super::stack::StackApplier;
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::clients::codecommit::Repository;
use crate::gitops_pipeline::calls::approval_rule;
use crate::gitops_pipeline::delete::{Deletion, OnDenial, StackCreation};
use crate::gitops_pipeline::intent_log::Purpose;
use crate::gitops_pipeline::messages::warnings;
use crate::gitops_pipeline::pushes::latest_commit;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::source::{Lookup, Retry, Source};
use crate::gitops_pipeline::spec::Spec;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::{messages, observe};
use crate::reconcile::{reconcile, sender};
use cfn_custom_resource::{Failure, Progress, Reason};

/// The result of a successful Create or Update.
#[derive(Clone, Debug)]
pub struct AppliedPipeline {
    pub stack_id: String,
    /// The repository's ARN, even if the child stack did not create the repository.
    pub repository_arn: String,
    /// The repository's URL for git. Empty if the source account denies the lookup.
    pub clone_url: String,
    pub warning: Option<Reason>,
}

pub struct PipelineApplier<'a> {
    pub aws: &'a Aws,
    pub context: &'a RequestContext,
    pub spec: &'a Spec,
    pub progress: &'a Progress,
    pub creates: bool,
    pub is_update: bool,
    /// Whether its repository, or the role that reads it, may have been created just before.
    pub is_source_new: bool,
}

/// The observations before the child stack is changed.
struct Checked {
    /// `None` if the child stack contains the repository.
    given: Option<Lookup<Repository>>,
    /// Whether an approval rule template of this resource exists.
    rule_is_ours: bool,
}

impl PipelineApplier<'_> {
    /// Applies the spec. Deletes the resources that this request created if its operation on the
    /// stack fails, or if a later Delete arrived.
    pub async fn apply(&self) -> Result<AppliedPipeline, Failure> {
        let name = self.spec.names.stack();
        let mut creation = StackCreation::Settled;
        let (reason, purpose) = match Box::pin(self.run(&mut creation)).await {
            Ok(applied) => return Ok(applied),
            Err(ApplyError::StackFailed(reason)) => (reason, Purpose::RollBack),
            Err(ApplyError::Deleted) => (messages::deleted_since(&name), Purpose::Delete),
            Err(ApplyError::Failed(reason)) => return Err(Failure(reason)),
        };
        let doing = format!("{}; deleting what the request created", reason.problem);
        self.progress.doing(doing);
        let deletion = Deletion {
            aws: self.aws,
            context: self.context,
            names: &self.spec.names,
            purpose,
            on_denial: OnDenial::Fail,
            rejected_create: None,
            creation,
        };
        match deletion.run(self.progress).await {
            Ok(()) => Err(Failure(reason)),
            Err(Failure(also)) => {
                let also = Reason {
                    problem: format!("then, {}", also.problem),
                    ..also
                };
                Err(Failure(reason.and(&also)))
            }
        }
    }

    /// Sets `creation` if the stack is not ready.
    async fn run(&self, creation: &mut StackCreation) -> Result<AppliedPipeline, ApplyError> {
        let renderer = Renderer {
            aws: self.aws,
            context: self.context,
            spec: self.spec,
            is_update: self.is_update,
            missing: OnceLock::new(),
        };
        renderer.check_size()?;
        let is_new = self.creates || self.is_source_new;
        let retry = if is_new { Retry::Yes } else { Retry::No };
        let given = self.spec.source.as_ref();
        let source = &Source::open(self.aws, &self.spec.names, given, retry).await?;
        let mut stack = StackApplier::new(&renderer, source, self.progress);
        // An Update may also delete the stack that its old properties name.
        let (checked, (), ()) = tokio::try_join!(
            self.check(&renderer, source),
            stack.start(self.creates),
            self.check_sender_if(self.is_update)
        )?;
        self.check_sender_if(!self.is_update && stack.has_found_own()).await?;
        let ready = Box::pin(reconcile(&mut stack, self.progress)).await;
        if ready.is_err() {
            *creation = stack.creation();
        }
        let child = ready?;
        let has_rule = self.spec.approval_rule.is_some() || checked.rule_is_ours;
        let repository = async {
            match checked.given {
                // It has not changed since it was looked up.
                Some(lookup) => Ok(lookup),
                None => renderer.look_up(source).await,
            }
        };
        if child.owner.is_none() {
            return self.unchanged(child, source, repository.await?);
        }
        // A Delete writes its tombstone first, and then looks up the stack and the rule. This
        // request created both before it looks up the tombstone. So one of the two requests finds
        // the other.
        let deleted_before = async { Ok(!has_rule && renderer.is_deleted().await) };
        let (repository, is_deleted) = tokio::try_join!(repository, deleted_before)?;
        if is_deleted {
            return Err(ApplyError::Deleted);
        }
        self.set_default_branch(&child, &repository).await?;
        // No rule can be associated with a repository that does not exist.
        if has_rule && renderer.missing.get().is_none() {
            let applied = self.apply_rule(&renderer, &child).await;
            // The Delete may have deleted the repository before the rule was associated with it.
            if renderer.is_deleted().await {
                return Err(ApplyError::Deleted);
            }
            applied?;
        }
        Box::pin(self.finish(child, stack.had_pipeline(), source, repository)).await
    }

    /// Rejects a request that CloudFormation contradicts, if that `is_needed`.
    async fn check_sender_if(&self, is_needed: bool) -> Result<(), ApplyError> {
        if !is_needed {
            return Ok(());
        }
        let RequestContext {
            owner, is_local, ..
        } = self.context;
        if !is_local && sender::is_contradicted(self.aws, owner, None).await {
            return Err(sender::contradicted(owner).into());
        }
        Ok(())
    }

    /// Rejects a request that cannot succeed, before anything is changed.
    async fn check(&self, renderer: &Renderer<'_>, source: &Source) -> Result<Checked, ApplyError> {
        let spec = self.spec;
        let given = async {
            match &spec.source {
                Some(_) => renderer.look_up(source).await.map(Some),
                None => Ok(None),
            }
        };
        let rule = async { Ok(approval_rule::look_up(self.aws, &spec.names).await?) };
        let (given, rule) = tokio::try_join!(given, rule)?;
        let owner = &self.context.owner;
        let rule_is_ours = rule.as_ref().is_some_and(|rule| rule.is_of(owner));
        if let Some(rule) = rule.filter(|_| !rule_is_ours && spec.approval_rule.is_some()) {
            let name = spec.names.approval_rule_template();
            return Err(approval_rule::held(&name, &rule, owner).into());
        }
        Ok(Checked {
            given,
            rule_is_ours,
        })
    }

    /// Sets the default branch of the pipeline's own repository. A given one is not changed.
    async fn set_default_branch(
        &self,
        child: &ChildStack,
        repository: &Lookup<Repository>,
    ) -> Result<(), ApplyError> {
        let branch = self.spec.branch();
        if let Lookup::Found(repository) = repository
            && child.has_pipeline()
            && self.spec.source.is_none()
            && repository.default_branch.as_deref() != Some(branch)
        {
            let name = self.spec.repository();
            codecommit::set_default_branch(&self.aws.codecommit, &name, branch).await?;
        }
        Ok(())
    }

    /// Applies the approval rule, or deletes the one that this resource has left.
    async fn apply_rule(
        &self,
        renderer: &Renderer<'_>,
        child: &ChildStack,
    ) -> Result<(), ApplyError> {
        let (spec, owner) = (self.spec, &self.context.owner);
        self.check_latest(renderer, child).await?;
        if let Some(rule) = &spec.approval_rule {
            let content = rule.content(spec.branch());
            let repository = spec.repository();
            approval_rule::apply(self.aws, &spec.names, owner, &content, &repository).await?;
        } else {
            approval_rule::delete(self.aws, &spec.names).await?;
        }
        Ok(())
    }

    async fn finish(
        &self,
        child: ChildStack,
        had_pipeline: bool,
        source: &Source,
        repository: Lookup<Repository>,
    ) -> Result<AppliedPipeline, ApplyError> {
        let spec = self.spec;
        let is_new = self.creates || !had_pipeline;
        if child.has_pipeline() && is_new {
            // A push between the pipeline's first execution and the event rule starts no execution.
            let (names, branch) = (&spec.names, spec.branch());
            let executed = latest_commit::ensure_executed(self.aws, names, source, branch, None);
            if let Err(error) = executed.await {
                warn!(error.reason(), "the pipeline may lack the latest commit");
            }
        }
        let cross_account = spec.cross_account_source();
        let branch_denial = match cross_account {
            Some(_) if is_new => source.tip(spec.branch()).await?.denied(),
            _ => None,
        };
        self.applied(child, source, repository, branch_denial.as_ref())
    }

    /// The result of a request that changes nothing of `child`, which has lost its tags.
    fn unchanged(
        &self,
        child: ChildStack,
        source: &Source,
        repository: Lookup<Repository>,
    ) -> Result<AppliedPipeline, ApplyError> {
        let (name, owner) = (self.spec.names.stack(), &self.context.owner);
        let missing = messages::stack_is_untagged(&name, owner, &child);
        let applied = self.applied(child, source, repository, None)?;
        let warning = Reason::join([missing].into_iter().chain(applied.warning));
        Ok(AppliedPipeline { warning, ..applied })
    }

    /// The result of a request that left `child`.
    fn applied(
        &self,
        child: ChildStack,
        source: &Source,
        repository: Lookup<Repository>,
        branch_denial: Option<&CallError>,
    ) -> Result<AppliedPipeline, ApplyError> {
        let spec = self.spec;
        let (repository_arn, clone_url, denial) = match (repository, spec.cross_account_source()) {
            (Lookup::Found(repository), _) => (repository.arn, repository.clone_url, None),
            (Lookup::Denied(why), Some(there)) => {
                (there.repository_arn.clone(), String::new(), Some(why))
            }
            // In its own account, the function may read the repository.
            (Lookup::Denied(why), None) => return Err(why.into()),
        };
        Ok(AppliedPipeline {
            stack_id: child.id,
            repository_arn,
            clone_url,
            warning: warnings::all(spec, source, denial.as_ref(), branch_denial),
        })
    }

    /// Fails if a later request has changed the stack since `child` was observed. The approval rule
    /// is not in the stack, so this request would overwrite the later one.
    async fn check_latest(
        &self,
        renderer: &Renderer<'_>,
        child: &ChildStack,
    ) -> Result<(), ApplyError> {
        let now = observe::observe(self.aws, &child.id, None).await?;
        if !now.is_some_and(|now| now.is_superseding(self.context)) {
            return Ok(());
        }
        if renderer.is_deleted().await {
            return Err(ApplyError::Deleted);
        }
        let reason = messages::superseded(&self.spec.names.stack());
        Err(ApplyError::Failed(reason))
    }
}
