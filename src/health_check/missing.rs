//! Resources that the environment's stacks declare, and that a person or a clean-up script has
//! deleted.
//!
//! The other checks begin with a list of existing things, so they never miss anything. This one
//! begins with the traces of a deleted resource:
//!
//! - The tags of an IAM user name the secret of its login. `ListUsers` returns the users of the
//!   environment without a listed secret.
//! - `ListImports` names the stacks that use the function's `ServiceToken`. One that owns neither a
//!   secret nor a pipeline's stack has lost them.
//! - The health check's event names the first project, whose stack does not import the token.
//!
//! CloudFormation confirms each finding after the absence was seen: `DescribeStackResource` shows
//! the resource complete, under the ID of the missing thing. So a resource that its stack deletes
//! or replaces at this moment is not reported. A stack with a hand-written `ServiceToken` is not
//! known.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::timeout_at;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::stacks::{FoundStacks, Stacks};
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::{importing_stacks, stack_resource};
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::Owner;
use crate::mirror_credential::health::{LostSecret, SecretSummary};

/// The logical IDs of the custom resources in `templates/project.yaml`, as a stack's other ones are
/// not known.
const PIPELINE: &str = "Pipeline";
const CREDENTIAL: &str = "MirrorCredential";

/// The same in `template.yaml`.
const FIRST_PIPELINE: &str = "Project";

/// The environment's secrets by their names.
pub type Secrets = BTreeMap<String, SecretSummary>;

/// The lists of the other checks, and the missing resources.
struct Search<'a> {
    checker: &'a Checker<'a>,
    secrets: &'a Secrets,
    found: &'a FoundStacks,
    stacks: &'a Stacks,
    /// The problem of each missing subject.
    missing: BTreeMap<String, String>,
}

impl Checker<'_> {
    /// Reports resources that are declared and do not exist. `secrets` and `found` are the lists of
    /// the other checks.
    pub async fn check_missing(
        &self,
        secrets: &Secrets,
        found: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let Some(stacks) = &found.listed else {
            return;
        };
        let mut search = Search {
            checker: self,
            secrets,
            found,
            stacks,
            missing: BTreeMap::new(),
        };
        let looks = async {
            let lost = search.look_for_lost_secrets().await;
            let first = search.look_at_first_project().await;
            [lost, first, search.look_at_importing_stacks().await]
        };
        // The other checks may have taken all of their time.
        let until = limits.checks_end.max(limits.half_of_the_rest());
        match timeout_at(until, Box::pin(looks)).await {
            Ok(results) => {
                for error in results.into_iter().filter_map(Result::err) {
                    findings.failed(&error.to_string());
                }
            }
            Err(_) => findings.failed("there was no time to look for missing resources"),
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

    /// Looks for secrets that only their users name.
    async fn look_for_lost_secrets(&mut self) -> Result<(), CallError> {
        let listed = self.secrets.values().map(|it| it.user_name.as_str());
        let listed: BTreeSet<&str> = listed.collect();
        let pattern = NamePattern::new(&self.checker.environment.user_names);
        let credentials = self.checker.mirror_credential;
        for lost in credentials.lost_secrets(&pattern, &listed).await? {
            let LostSecret { owner, name, .. } = &lost;
            let shown = stack_resource(self.aws(), owner).await?;
            if shown.is_some_and(|it| it.is_declared() && it.physical_id == *name) {
                self.missing.insert(secret_subject(name), lost.problem());
            }
        }
        Ok(())
    }

    /// Looks at the resources of the stack that contains the function.
    async fn look_at_first_project(&mut self) -> Result<(), CallError> {
        let Some(first) = &self.checker.environment.first_project else {
            return Ok(());
        };
        if !self.stacks.pipelines.contains_key(&first.pipeline_stack) {
            self.look_at_pipeline(&first.stack_id, FIRST_PIPELINE)
                .await?;
        }
        if !self.secrets.contains_key(&first.secret) {
            self.look_at_credential(&first.stack_id, CREDENTIAL).await?;
        }
        Ok(())
    }

    /// Looks at the stacks that import the function's `ServiceToken`.
    async fn look_at_importing_stacks(&mut self) -> Result<(), CallError> {
        if !self.found.is_complete {
            // The owners of the others are unknown. The check of the stacks has reported them.
            tracing::warn!(
                "not all pipeline stacks were read, so the importing stacks are not compared"
            );
            return Ok(());
        }
        let env_id = &self.checker.environment.id;
        let with_secret = self.secrets.values().filter_map(|it| it.stack_id.as_ref());
        let with_secret: BTreeSet<&String> = with_secret.collect();
        let owning = self.found.owners.iter().chain(with_secret.iter().copied());
        let owning: BTreeSet<&str> = owning.map(|id| stack_name(id)).collect();
        let export = format!("cfn-gitops-{env_id}-ServiceToken");
        for name in importing_stacks(self.aws(), &export).await? {
            let Some(id) = self.stacks.settled(&name) else {
                continue;
            };
            let has_pipeline = self.found.owners.contains(id);
            let is_empty = !has_pipeline && !with_secret.contains(id);
            // A nested stack's name begins with that of its parent, which may import for it.
            let nested = format!("{name}-");
            if is_empty && owning.iter().any(|owner| owner.starts_with(&nested)) {
                continue;
            }
            // Most stacks have only one of both, or the user's tags show that a secret is lost.
            let is_due = !self.checker.may_change || self.checker.schedule.is_daily_look_at(&name);
            if !is_empty && !is_due {
                continue;
            }
            let mut is_explained = false;
            if !has_pipeline {
                is_explained |= self.look_at_pipeline(id, PIPELINE).await?;
            }
            if !with_secret.contains(id) {
                is_explained |= self.look_at_credential(id, CREDENTIAL).await?;
            }
            if is_empty && !is_explained {
                self.missing
                    .insert(format!("stack {name}"), unexplained(env_id));
            }
        }
        Ok(())
    }

    /// Looks whether the stack declares a pipeline under this logical ID, and returns that.
    async fn look_at_pipeline(
        &mut self,
        stack_id: &str,
        logical_id: &str,
    ) -> Result<bool, CallError> {
        let shown = stack_resource(self.aws(), &owner(stack_id, logical_id)).await?;
        let shown = shown.filter(|shown| shown.resource_type == "Custom::GitOpsPipeline");
        let Some(shown) = shown else {
            return Ok(false);
        };
        let name = &shown.physical_id;
        let is_ours = name.starts_with(&format!("gitops-{}-", self.checker.environment.id));
        if shown.is_declared() && is_ours && !self.stacks.pipelines.contains_key(name) {
            let problem = format!(
                "it does not exist, so pushes deploy nothing. Create it again: update resource {logical_id} of stack \
                 {stack_id} with a changed property, such as RenderingSerial or Tags, and push to the branch in GitLab"
            );
            self.missing
                .insert(format!("pipeline stack {name}"), problem);
        }
        Ok(true)
    }

    /// Looks whether the stack declares a credential under this logical ID, and returns that.
    async fn look_at_credential(
        &mut self,
        stack_id: &str,
        logical_id: &str,
    ) -> Result<bool, CallError> {
        let shown = stack_resource(self.aws(), &owner(stack_id, logical_id)).await?;
        let shown = shown.filter(|shown| shown.resource_type == "Custom::MirrorCredential");
        let Some(shown) = shown else {
            return Ok(false);
        };
        let (name, subject) = (&shown.physical_id, secret_subject(&shown.physical_id));
        // The tags of its user have shown more, if the user exists.
        let is_known = self.secrets.contains_key(name) || self.missing.contains_key(&subject);
        if shown.is_declared()
            && !is_known
            && !self.checker.mirror_credential.has_secret(name).await?
        {
            let problem = format!(
                "it does not exist, so rotations and updates fail. Create its IAM user again if that does not exist, \
                 with its policies. Then update resource {logical_id} of stack {stack_id} with a new RotationSerial"
            );
            self.missing.insert(subject, problem);
        }
        Ok(true)
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

/// The name in a stack's ARN.
fn stack_name(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or_default()
}

/// The problem of a stack that owns nothing, and whose resources have other logical IDs than those
/// of the templates.
fn unexplained(env_id: &str) -> String {
    format!(
        "it imports cfn-gitops-{env_id}-ServiceToken, and owns neither a secret nor a pipeline of the environment. \
         If it declares one, create it again: update it with a changed property, such as RotationSerial or \
         RenderingSerial. If it declares none, remove the import"
    )
}
