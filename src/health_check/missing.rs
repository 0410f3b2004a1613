//! Resources that the environment's stacks declare, and that a person or a clean-up script has
//! deleted.
//!
//! The other checks begin with a list of existing things, so they never miss anything. This one
//! begins with the traces of a deleted resource:
//!
//! - The tags of an IAM user name the secret of its login. `ListUsers` returns the users of the
//!   environment without a listed secret.
//! - `ListImports` names the stacks that use the function's `ServiceToken`. One that owns neither a
//!   secret nor a pipeline's stack may have lost them: its resources show that. A stack that owns
//!   one may have lost others, so its resources are read once a day.
//! - A mirror leads to a repository whose pipeline's stack does not exist.
//! - A stack of a pipeline's name, or a secret, has no tags of an owner: the stacks that use the
//!   `ServiceToken` show which resource it was.
//! - The health check's event names the first project, whose stack does not import the token.
//!
//! CloudFormation confirms each finding after the absence was seen: `DescribeStackResource` shows
//! the resource complete, under the ID of the missing thing. So a resource that its stack deletes
//! or replaces at this moment is not reported. A stack with a hand-written `ServiceToken` is not
//! known if it has lost everything.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::found_secrets::FoundSecrets;
use super::listed_stacks::Stacks;
use super::problems::CHANGED_PROPERTY;
use super::schedule::DAY;
use super::stacks::FoundStacks;
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::{
    StackResource, importing_stacks, stack_resource, stack_resources,
};
use crate::clients::failing_calls::within;
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::Owner;
use crate::gitops_pipeline::child::FoundChild;
use crate::gitops_pipeline::names;
use crate::mirror_credential::health::{LostSecret, SecretSummary};
use cfn_custom_resource::Reason;

const PIPELINE_TYPE: &str = "Custom::GitOpsPipeline";
const CREDENTIAL_TYPE: &str = "Custom::MirrorCredential";

/// The logical IDs of the custom resources in `template.yaml`.
const FIRST_PIPELINE: &str = "Project";
const FIRST_CREDENTIAL: &str = "MirrorCredential";

/// The lists of the other checks, and the missing resources.
struct Search<'a> {
    checker: &'a Checker<'a>,
    /// `None` if only pipelines are looked for, and no stack that owns another one is looked at.
    credentials: Option<&'a FoundSecrets>,
    found: &'a FoundStacks,
    stacks: &'a Stacks,
    /// By their subjects.
    missing: BTreeMap<String, Missing>,
    /// The failed reads. One of them does not end the search.
    errors: Vec<CallError>,
}

/// A resource that a stack declares and that does not exist, or has lost its tags.
#[derive(Debug)]
pub struct Missing {
    /// `None` if no resource is known that declares a stack without tags.
    pub owner: Option<Owner>,
    /// Its physical ID.
    pub name: String,
    pub problem: Reason,
}

impl Checker<'_> {
    /// Reports resources that are declared and do not exist, and stacks without tags. `credentials`
    /// and `found` are the lists of the other checks.
    pub async fn check_missing(
        &self,
        credentials: Option<&FoundSecrets>,
        found: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        for (subject, missing) in self.find_missing(credentials, found, findings, limits).await {
            match missing.owner {
                Some(_) => findings.missing(subject, missing.problem),
                None => findings.checked(subject, Some(missing.problem)),
            }
        }
    }

    /// Resources that are declared and do not exist, and stacks without tags, by their subjects.
    pub async fn find_missing(
        &self,
        credentials: Option<&FoundSecrets>,
        found: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) -> BTreeMap<String, Missing> {
        let untagged = found.untagged().map(|(name, child)| {
            let missing = Missing {
                owner: None,
                name: name.clone(),
                problem: child.problem(name, None),
            };
            (stack_subject(name), missing)
        });
        let missing = untagged.collect();
        let Some(stacks) = &found.listed else {
            return missing;
        };
        let mut search = Search {
            checker: self,
            credentials,
            found,
            stacks,
            missing,
            errors: vec![],
        };
        let looks = async {
            if let Some(credentials) = credentials {
                search.look_for_lost_secrets(credentials).await;
            }
            search.look_at_first_project().await;
            search.look_at_stacks().await;
        };
        // The other checks may have taken all of their time.
        let until = limits.checks_end.max(limits.half_of_the_rest());
        let time = until.saturating_duration_since(Instant::now());
        if let Err(cut) = within(time, Box::pin(looks)).await {
            findings.cut(&cut, "look for missing resources");
        }
        for error in search.errors {
            findings.failed(error);
        }
        search.missing
    }
}

impl Search<'_> {
    fn aws(&self) -> &Aws {
        &self.checker.clients.aws
    }

    /// The result of a read. `None` if it failed, which is noted.
    fn noted<T>(&mut self, read: Result<T, CallError>) -> Option<T> {
        read.map_err(|error| self.errors.push(error)).ok()
    }

    /// The resource `owner`. `None` if its stack does not declare it, or if the read failed.
    async fn resource(&mut self, owner: &Owner) -> Option<StackResource> {
        let read = stack_resource(self.aws(), owner).await;
        let found = self.noted(read).flatten();
        found.filter(StackResource::is_declared)
    }

    /// Looks for secrets that only their users name.
    async fn look_for_lost_secrets(&mut self, found: &FoundSecrets) {
        let secrets = found.secrets.values();
        let listed: BTreeSet<&str> = secrets.map(|it| it.user_name.as_str()).collect();
        let pattern = NamePattern::new(&self.checker.environment.user_names);
        let credentials = self.checker.mirror_credential;
        let (lost, errors) = credentials.lost_secrets(&pattern, &listed).await;
        self.errors.extend(errors);
        for lost in lost {
            let LostSecret { owner, name, .. } = &lost;
            self.confirm(owner, name, secret_subject(name), lost.problem()).await;
        }
    }

    /// Looks at the resources of the stack that contains the function.
    async fn look_at_first_project(&mut self) {
        let Some(first) = &self.checker.environment.first_project else {
            return;
        };
        let has_pipeline = self.has_pipeline(&first.pipeline_stack);
        let has_secret = self.has_owned_secret(&first.secret);
        for (logical_id, exists) in [
            (FIRST_PIPELINE, has_pipeline),
            (FIRST_CREDENTIAL, has_secret),
        ] {
            let owner = owner(&first.stack_id, logical_id);
            if !exists && let Some(shown) = self.resource(&owner).await {
                self.look_at(&owner, shown).await;
            }
        }
    }

    /// Whether the stack `name` exists with its tags.
    fn has_pipeline(&self, name: &str) -> bool {
        let mut untagged = self.found.untagged();
        self.stacks.pipelines.contains_key(name) && untagged.all(|(it, _)| it != name)
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretSummary> {
        self.credentials.into_iter().flat_map(|found| found.secrets.values())
    }

    /// Whether the secret `name` was listed with its tags, or secrets are not looked for.
    fn has_owned_secret(&self, name: &str) -> bool {
        let owned = |found: &FoundSecrets| found.secrets.get(name)?.stack_id.clone();
        self.credentials.is_none_or(|found| owned(found).is_some())
    }

    /// Looks at the stacks that import the function's `ServiceToken`, and at those that own a
    /// secret or a pipeline's stack.
    async fn look_at_stacks(&mut self) {
        if !self.found.is_complete() {
            // The owners of the others are unknown. The check of the stacks has reported them.
            return tracing::warn!(
                "not all pipeline stacks were read, so importing stacks are not looked at"
            );
        }
        let env_id = &self.checker.environment.id;
        let export = names::SERVICE_TOKEN.prefix(env_id);
        let listed = importing_stacks(self.aws(), &export).await;
        let importing = self.noted(listed).unwrap_or_default();
        let owning = self.secrets().filter_map(|it| it.stack_id.clone());
        let owners = self.found.owned().map(|child| child.owner.stack_id.clone());
        let owning: BTreeSet<String> = owning.chain(owners).collect();
        let stacks = self.stacks;
        let importing: BTreeSet<&String> =
            importing.iter().filter_map(|it| stacks.settled(it)).collect();
        // A parent may import for its nested stacks.
        let roots: BTreeSet<&String> = owning.iter().map(|id| stacks.root(id)).collect();
        for id in importing.difference(&roots) {
            if !owning.contains(id.as_str()) {
                self.look_at_resources(id).await;
            }
        }
        let due: Vec<&String> = owning.iter().filter(|id| self.is_due(id)).collect();
        for id in due {
            self.look_at_resources(id).await;
        }
    }

    /// Whether this check looks at the stack `id`, which owns a secret or a pipeline's stack: once
    /// a day, if a mirror shows that its pipeline is missing, or if something lacks its tags.
    fn is_due(&self, id: &String) -> bool {
        let name = id.split('/').nth(1).unwrap_or_default();
        if self.stacks.settled(name) != Some(id) {
            return false;
        }
        let lacks_pipeline =
            self.secrets().filter(|it| it.stack_id.as_ref() == Some(id)).any(|it| {
                let found = self.credentials.and_then(|found| found.repositories.get(&it.name));
                found.into_iter().flatten().any(|name| self.is_without_pipeline(name))
            });
        // The resource of a stack or secret without an owner's tags may be in any stack.
        let has_untagged = self.found.untagged().next().is_some()
            || self.secrets().any(|it| it.stack_id.is_none());
        let is_daily = self.credentials.is_some() && self.checker.schedule.is_due(name, DAY);
        lacks_pipeline || has_untagged || is_daily
    }

    /// Whether a pipeline of the environment creates this repository, and does not exist.
    fn is_without_pipeline(&self, repository: &str) -> bool {
        let env_id = &self.checker.environment.id;
        let project = repository.strip_prefix(&names::REPOSITORY.prefix(env_id));
        project.is_some_and(|project| {
            let stack = names::STACK.prefix(env_id) + project;
            !self.has_pipeline(&stack)
        })
    }

    /// Looks at every resource of the stack `id`.
    async fn look_at_resources(&mut self, id: &str) {
        match stack_resources(self.aws(), id).await {
            Ok(resources) => {
                for shown in resources.into_iter().filter(StackResource::is_declared) {
                    let owner = owner(id, &shown.logical_id);
                    self.look_at(&owner, shown).await;
                }
            }
            Err(error) => self.errors.push(error),
        }
    }

    /// Looks whether the declared resource `owner` exists, which CloudFormation has `shown`.
    async fn look_at(&mut self, owner: &Owner, shown: StackResource) {
        let Some(name) = shown.physical_id else {
            return;
        };
        let (subject, looked) = match shown.resource_type.as_str() {
            PIPELINE_TYPE => {
                let problem = self.pipeline_problem(owner, &name).await;
                (stack_subject(&name), problem)
            }
            CREDENTIAL_TYPE if self.credentials.is_some() => (
                secret_subject(&name),
                self.secret_problem(owner, &name).await,
            ),
            _ => return,
        };
        if let Some(problem) = self.noted(looked).flatten() {
            self.confirm(owner, &name, subject, problem).await;
        }
    }

    /// Adds the missing `subject`, if CloudFormation still shows `owner` under this `name`.
    async fn confirm(&mut self, owner: &Owner, name: &str, subject: String, problem: Reason) {
        let shown = self.resource(owner).await;
        if shown.is_some_and(|shown| shown.is_declared_as(name)) {
            let missing = Missing {
                owner: Some(owner.clone()),
                name: name.to_owned(),
                problem,
            };
            self.missing.insert(subject, missing);
        }
    }

    /// The problem of the pipeline's stack `name`, which `owner` declares. `None` if it exists.
    async fn pipeline_problem(
        &self,
        owner: &Owner,
        name: &str,
    ) -> Result<Option<Reason>, CallError> {
        let is_ours = name.starts_with(&names::STACK.prefix(&self.checker.environment.id));
        if !is_ours || self.has_pipeline(name) {
            return Ok(None);
        }
        // The list of stacks may be minutes old.
        Ok(match self.checker.gitops_pipeline.find_child(name).await? {
            None => {
                let remedy = format!(
                    "Create it again: update resource {} of stack {} with {CHANGED_PROPERTY}, and push to the \
                     branch again",
                    owner.logical_id, owner.stack_id
                );
                let problem = "it does not exist, so pushes deploy nothing";
                Some(Reason::uncoded(problem, remedy))
            }
            Some(FoundChild::Untagged(child)) => Some(child.problem(name, Some(owner))),
            Some(FoundChild::Owned(_)) => None,
        })
    }

    /// The problem of the secret `name`, which `owner` declares. `None` if it exists, or if it is
    /// reported already.
    async fn secret_problem(&self, owner: &Owner, name: &str) -> Result<Option<Reason>, CallError> {
        // If its user exists, the user's tags have shown the loss.
        if self.has_owned_secret(name) || self.missing.contains_key(&secret_subject(name)) {
            return Ok(None);
        }
        let (credentials, reads_values) =
            (self.checker.mirror_credential, self.checker.may_change());
        match credentials.lost_secret(name, owner, reads_values).await {
            // The function may read the secrets of its environment only.
            Err(error) if error.is_denied() => {
                info!(
                    error.reason(),
                    secret = name,
                    "the secret of another environment is not looked up"
                );
                Ok(None)
            }
            lost => Ok(lost?.map(|lost| lost.problem())),
        }
    }
}

/// The subject of a finding about a pipeline's stack.
pub fn stack_subject(name: &str) -> String {
    format!("pipeline stack {name}")
}

fn secret_subject(name: &str) -> String {
    format!("secret {name}")
}

fn owner(stack_id: &str, logical_id: &str) -> Owner {
    Owner {
        stack_id: stack_id.to_owned(),
        logical_id: logical_id.to_owned(),
    }
}
