//! The state of an account.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use serde_json::Value;

use crate::{
    gitlab::{GitLab, runs::FailedPush},
    services::{
        codebuild::Builds,
        codecommit::{CodeCommit, other_account::OtherAccount},
        event_bus::{self, Reaction},
        functions::{Invoked, ProviderFunction},
        iam::{ACCOUNT, CODECOMMIT, Credential, Iam},
        logs,
        pipelines::Pipelines,
        response_bucket::SentResponse,
        s3,
        secrets::{self, Secret, Secrets},
        stacks::{Stacks, resources, template::Desired},
    },
    world::{AwsError, History, Options, World},
};

/// The state of one account: of each service, and what they all use.
#[derive(Clone, Debug)]
pub struct AwsState {
    pub(crate) world: World,
    pub iam: History<Iam>,
    pub secrets: Secrets,
    /// The states that `DescribeSecret` returns late.
    pub(crate) secrets_seen: History<Secrets>,
    pub codecommit: CodeCommit,
    /// Another account, as far as this one sees it.
    pub other_account: OtherAccount,
    pub pipelines: Pipelines,
    /// Pipelines of which an execution failed at its source.
    pub failed_runs: Vec<String>,
    pub stacks: Stacks,
    pub s3: s3::Buckets,
    pub builds: Builds,
    pub logs: logs::Streams,
    pub invocations: Vec<Invoked>,
    /// The function that handles events.
    pub function: ProviderFunction,
    /// Not AWS's, but a part of this fake AWS.
    pub gitlab: GitLab,
    /// Pushes of GitLab's mirrors that did not arrive, in order.
    pub failed_pushes: Vec<FailedPush>,
    pub responses: Vec<SentResponse>,
}

impl Deref for AwsState {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for AwsState {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl AwsState {
    /// Notes the mirrors that `caller` has made and that no secret names. It makes no further call,
    /// because it is killed, or because none of its calls arrives any more.
    pub fn note_cut_off(&mut self, caller: &str) {
        let secrets = self.secrets.values();
        let versions = secrets.flat_map(|held| held.versions.values());
        let texts: Vec<&str> = versions.map(|one| one.value.text.as_str()).collect();
        let is_named = |id: u64| {
            let member = [
                format!("\"mirrorId\":{id},"),
                format!("\"mirrorId\":{id}}}"),
            ];
            texts.iter().any(|text| member.iter().any(|member| text.contains(member)))
        };
        let projects = self.gitlab.projects.values();
        let mirrors = projects.flat_map(|project| project.mirrors.values());
        let unnamed = mirrors.filter(|mirror| mirror.made_by == caller && !is_named(mirror.id));
        let unnamed: Vec<u64> = unnamed.map(|mirror| mirror.id).collect();
        self.gitlab.unnamed_mirrors.extend(unnamed);
    }

    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            iam: History::new(Iam {
                plain_passwords: options.plain_passwords,
                ..Iam::default()
            }),
            world: World::new(options, seed),
            secrets: Secrets::new(),
            secrets_seen: History::new(Secrets::new()),
            codecommit: CodeCommit::default(),
            other_account: OtherAccount::default(),
            pipelines: Pipelines::new(),
            failed_runs: vec![],
            stacks: Stacks::default(),
            s3: s3::Buckets::new(),
            builds: Builds::new(),
            logs: logs::Streams::new(),
            invocations: vec![],
            function: ProviderFunction::default(),
            gitlab: GitLab::default(),
            failed_pushes: vec![],
            responses: vec![],
        }
    }

    /// The user's `CodeCommit` credentials, as they really are.
    pub fn credentials(&self, user: &str) -> Vec<Credential> {
        let found = self.iam.latest().credentials(user, Some(CODECOMMIT));
        found.map_or_else(|_| vec![], |found| found.into_iter().cloned().collect())
    }

    /// Whether `CodeCommit` would accept this login after all changes have propagated.
    pub fn login_works(&self, service_user_name: &str, password: &str) -> bool {
        let login = self.iam.latest().login(service_user_name, password);
        login.is_some()
    }

    /// The secret's value at AWSCURRENT.
    pub fn current(&self, secret: &str) -> Option<&str> {
        let secret = self.secrets.get(secret)?;
        let version = secret.at_stage(secrets::CURRENT)?;
        Some(&secret.versions.get(version)?.value.text)
    }

    /// Issues a credential for a user without the product, like
    /// another person. Errors as IAM's.
    pub fn issue(&mut self, user: &str, issued_by: &str) -> Result<Credential, AwsError> {
        let now = self.now;
        let random = &mut self.world.random;
        let issued = self.iam.change(now, |iam| {
            iam.issue(user, CODECOMMIT, issued_by, now, random)
        })?;
        self.remember_secret(&issued.password);
        Ok(issued)
    }

    /// A person resets a credential.
    pub fn reset(&mut self, user: &str, id: &str) -> Credential {
        let random = &mut self.world.random;
        let reset = self.iam.change(self.world.now, |iam| iam.reset(user, id, random));
        let reset = reset.expect("it is there");
        self.remember_secret(&reset.password);
        reset
    }

    /// A person deletes a credential.
    pub fn withdraw(&mut self, user: &str, id: &str) {
        let withdraw = |iam: &mut Iam| iam.withdraw(user, id);
        self.iam.change(self.world.now, withdraw).expect("it is there");
    }

    /// A person sets a credential to inactive.
    pub fn deactivate(&mut self, user: &str, id: &str) {
        let set = |iam: &mut Iam| iam.set_active(user, id, "Inactive");
        self.iam.change(self.world.now, set).expect("it is there");
    }

    /// Pushes a commit to a branch, in this `account` or the other one. Returns CodeCommit's event.
    pub(crate) fn push(&mut self, account: &str, name: &str, branch: &str, commit: &str) -> Value {
        let repositories = match account {
            ACCOUNT => &mut self.codecommit.repositories,
            _ => &mut self.other_account.repositories,
        };
        let held = repositories.get_mut(name).expect("a repository to push to");
        let old = held.push(branch, commit);
        event_bus::push_event(&mut self.world, &held.arn, branch, commit, old)
    }

    /// Delivers an event to the rules that match it.
    pub(crate) fn send_event(&mut self, event: &Value) -> Vec<Reaction> {
        let (pipelines, builds) = (&mut self.pipelines, &mut self.builds);
        event_bus::send(pipelines, builds, &mut self.world, event)
    }

    /// Reads or changes a secret as Secrets Manager itself.
    pub fn change_secret<R>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Secret, Duration) -> R,
    ) -> Result<R, String> {
        let (secrets, seen) = (&mut self.secrets, &mut self.secrets_seen);
        secrets::change_as_service(secrets, seen, &self.world, name, change)
    }

    /// Late reads see the present secrets from now on.
    pub(crate) fn show_secrets_late(&mut self) {
        if !self.world.options.secrets_late.is_zero() {
            let present = self.secrets.clone();
            self.secrets_seen.change(self.world.now, |seen| *seen = present);
        }
    }

    /// Deletes a resource as its service would.
    pub fn delete_resource(&mut self, resource: &Desired) {
        let (codecommit, pipelines) = (&mut self.codecommit, &mut self.pipelines);
        resources::delete(codecommit, pipelines, &mut self.world, resource);
    }
}
