//! Resources that the environment's stacks declare, and that a person or a clean-up script has
//! deleted.
//!
//! The other checks begin with a list of existing things, so they never miss anything. This one
//! begins with the traces of a deleted resource:
//!
//! - The tags of an IAM user name the secret of its login. `ListUsers` returns the users of the
//!   environment without a listed secret.
//! - `ListImports` names the stacks that use the function's `ServiceToken`. One that owns neither a
//!   secret nor a pipeline's stack may have lost them: its resources show that.
//! - A mirror leads to a repository whose pipeline's stack does not exist.
//! - The health check's event names the first project, whose stack does not import the token.
//!
//! CloudFormation confirms each finding after the absence was seen: `DescribeStackResource` shows
//! the resource complete, under the ID of the missing thing. So a resource that its stack deletes
//! or replaces at this moment is not reported. A stack with a hand-written `ServiceToken` is not
//! known.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::doctor::CHANGED_PROPERTY;
use super::findings::Findings;
use super::schedule::DAY;
use super::stacks::{FoundStacks, Stacks};
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::{
    StackResource, importing_stacks, stack_resource, stack_resources,
};
use crate::clients::failing_calls::within;
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::Owner;
use crate::gitops_pipeline::names;
use crate::mirror_credential::health::{LostSecret, SecretSummary};
use cfn_custom_resource::Reason;

const PIPELINE_TYPE: &str = "Custom::GitOpsPipeline";
const CREDENTIAL_TYPE: &str = "Custom::MirrorCredential";

/// The logical IDs of the custom resources in `templates/project.yaml`, as a stack's other ones are
/// unknown.
const PIPELINE: &str = "Pipeline";
const CREDENTIAL: &str = "MirrorCredential";

/// The same in `template.yaml`.
const FIRST_PIPELINE: &str = "Project";

/// The environment's secrets by their names.
pub type Secrets = BTreeMap<String, SecretSummary>;

/// The result of the check of the credentials, as far as this check uses it.
#[derive(Debug)]
pub struct FoundSecrets {
    pub secrets: Secrets,
    /// The repositories of the mirrors of each secret.
    pub repositories: BTreeMap<String, Vec<String>>,
}

/// The lists of the other checks, and the missing resources.
struct Search<'a> {
    checker: &'a Checker<'a>,
    credentials: &'a FoundSecrets,
    found: &'a FoundStacks,
    stacks: &'a Stacks,
    /// The problem of each missing subject.
    missing: BTreeMap<String, Reason>,
    /// The failed reads. One of them does not end the search.
    errors: Vec<CallError>,
}

impl Checker<'_> {
    /// Reports resources that are declared and do not exist. `credentials` and `found` are the
    /// lists of the other checks.
    pub async fn check_missing(
        &self,
        credentials: &FoundSecrets,
        found: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let Some(stacks) = &found.listed else {
            return;
        };
        let mut search = Search {
            checker: self,
            credentials,
            found,
            stacks,
            missing: BTreeMap::new(),
            errors: vec![],
        };
        let looks = async {
            search.look_for_lost_secrets().await;
            search.look_at_first_project().await;
            search.look_at_importing_stacks().await;
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
        for (subject, problem) in search.missing {
            findings.missing(subject, problem);
        }
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
    async fn look_for_lost_secrets(&mut self) {
        let secrets = &self.credentials.secrets;
        let listed: BTreeSet<&str> = secrets.values().map(|it| it.user_name.as_str()).collect();
        let pattern = NamePattern::new(&self.checker.environment.user_names);
        let credentials = self.checker.mirror_credential;
        let (lost, errors) = credentials.lost_secrets(&pattern, &listed).await;
        self.errors.extend(errors);
        for lost in lost {
            let LostSecret { owner, name, .. } = &lost;
            let shown = self.resource(owner).await;
            if shown.is_some_and(|shown| shown.is_declared_as(name)) {
                self.missing.insert(secret_subject(name), lost.problem());
            }
        }
    }

    /// Looks at the resources of the stack that contains the function.
    async fn look_at_first_project(&mut self) {
        let Some(first) = &self.checker.environment.first_project else {
            return;
        };
        if !self.stacks.pipelines.contains_key(&first.pipeline_stack) {
            self.look_at_pipeline(&owner(&first.stack_id, FIRST_PIPELINE))
                .await;
        }
        if !self.credentials.secrets.contains_key(&first.secret) {
            self.look_at_credential(&owner(&first.stack_id, CREDENTIAL))
                .await;
        }
    }

    /// Looks at the stacks that import the function's `ServiceToken`.
    async fn look_at_importing_stacks(&mut self) {
        if !self.found.is_complete {
            // The owners of the others are unknown. The check of the stacks has reported them.
            return tracing::warn!(
                "not all pipeline stacks were read, so importing stacks are not looked at"
            );
        }
        let env_id = &self.checker.environment.id;
        let export = names::SERVICE_TOKEN.prefix(env_id);
        let listed = importing_stacks(self.aws(), &export).await;
        for name in self.noted(listed).unwrap_or_default() {
            if let Some(id) = self.stacks.settled(&name) {
                self.look_at_importing(&name, id).await;
            }
        }
    }

    /// Looks at the importing stack `name`. Most stacks have only one of both resources, so one
    /// with the other is looked at once a day, unless a mirror shows that its pipeline is missing.
    async fn look_at_importing(&mut self, name: &str, id: &String) {
        let secrets = self.credentials.secrets.values();
        let with_secret = secrets
            .clone()
            .filter(|it| it.stack_id.as_ref() == Some(id));
        let mut repositories = with_secret.clone().flat_map(|it| {
            let repositories = self.credentials.repositories.get(&it.name);
            repositories.into_iter().flatten()
        });
        let lacks_pipeline = repositories.any(|name| self.is_without_pipeline(name));
        let (has_secret, has_pipeline) = (with_secret.count() > 0, self.found.owners.contains(id));
        if !has_secret && !has_pipeline {
            let owning = secrets.filter_map(|it| it.stack_id.as_ref());
            let mut owning = owning.chain(&self.found.owners);
            // A parent may import for its nested stacks.
            if !owning.any(|owner| self.stacks.root(owner) == id) {
                self.look_at_all_resources(name, id).await;
            }
            return;
        }
        let is_due = self.checker.schedule.is_due(name, DAY);
        if !has_pipeline && (lacks_pipeline || is_due) {
            self.look_at_pipeline(&owner(id, PIPELINE)).await;
        }
        if !has_secret && is_due {
            self.look_at_credential(&owner(id, CREDENTIAL)).await;
        }
    }

    /// Whether a pipeline of the environment creates this repository, and does not exist.
    fn is_without_pipeline(&self, repository: &str) -> bool {
        let env_id = &self.checker.environment.id;
        let project = repository.strip_prefix(&names::REPOSITORY.prefix(env_id));
        project.is_some_and(|project| {
            let stack = names::STACK.prefix(env_id) + project;
            !self.stacks.pipelines.contains_key(&stack)
        })
    }

    /// Looks at every resource of a stack that owns nothing of the environment.
    async fn look_at_all_resources(&mut self, name: &str, id: &str) {
        match stack_resources(self.aws(), id).await {
            Ok(resources) => {
                for resource in resources {
                    let owner = owner(id, &resource.logical_id);
                    match resource.resource_type.as_str() {
                        PIPELINE_TYPE => self.look_at_pipeline(&owner).await,
                        CREDENTIAL_TYPE => self.look_at_credential(&owner).await,
                        _ => {}
                    }
                }
            }
            Err(error) => {
                self.errors.push(error);
                let problem = format!(
                    "it imports {}, owns neither a secret nor a pipeline of the environment, and its resources could \
                     not be listed",
                    names::SERVICE_TOKEN.prefix(&self.checker.environment.id)
                );
                let remedy = format!(
                    "If it declares one, update it with {CHANGED_PROPERTY}, or with a new RotationSerial"
                );
                let problem = Reason::uncoded(problem, remedy);
                self.missing.insert(format!("stack {name}"), problem);
            }
        }
    }

    /// Looks whether the pipeline that a stack declares exists.
    async fn look_at_pipeline(&mut self, owner: &Owner) {
        let shown = self.resource(owner).await;
        let shown = shown.filter(|shown| shown.resource_type == PIPELINE_TYPE);
        let Some(name) = shown.and_then(|shown| shown.physical_id) else {
            return;
        };
        let is_ours = name.starts_with(&names::STACK.prefix(&self.checker.environment.id));
        if !is_ours || self.stacks.pipelines.contains_key(&name) {
            return;
        }
        // The list of stacks may be minutes old.
        let child = self.checker.gitops_pipeline.look_up_child(&name).await;
        let is_absent = self.noted(child).is_some_and(|child| child.is_none());
        let shown = self.resource(owner).await;
        if is_absent && shown.is_some_and(|shown| shown.is_declared_as(&name)) {
            let remedy = format!(
                "Create it again: update resource {} of stack {} with {CHANGED_PROPERTY}, and push to the \
                 branch again",
                owner.logical_id, owner.stack_id
            );
            let problem = "it does not exist, so pushes deploy nothing";
            let problem = Reason::uncoded(problem, remedy);
            self.missing
                .insert(format!("pipeline stack {name}"), problem);
        }
    }

    /// Looks whether the secret of the credential that a stack declares exists.
    async fn look_at_credential(&mut self, owner: &Owner) {
        let shown = self.resource(owner).await;
        let shown = shown.filter(|shown| shown.resource_type == CREDENTIAL_TYPE);
        let Some(name) = shown.and_then(|shown| shown.physical_id) else {
            return;
        };
        let subject = secret_subject(&name);
        // If its user exists, the user's tags have shown the loss.
        let secrets = &self.credentials.secrets;
        if secrets.contains_key(&name) || self.missing.contains_key(&subject) {
            return;
        }
        let exists = self.checker.mirror_credential.has_secret(&name).await;
        let is_absent = self.noted(exists) == Some(false);
        let shown = self.resource(owner).await;
        if is_absent && shown.is_some_and(|shown| shown.is_declared_as(&name)) {
            let remedy = format!(
                "Create its IAM user again if that does not exist, with its policies. Then update resource {} of \
                 stack {} with a new RotationSerial, and remove the former mirror in the project's Settings, \
                 Repository, Mirroring repositories",
                owner.logical_id, owner.stack_id
            );
            let problem = "it does not exist, so rotations and updates fail";
            let problem = Reason::uncoded(problem, remedy);
            self.missing.insert(subject, problem);
        }
    }
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
