//! The service that answers a call, and the steps that happen without one.

use std::time::Duration;

use aws_smithy_types::{DateTime, date_time::Format};

use crate::{
    account::{mirror_runs, recorded_calls, state::AwsState},
    gitlab::{
        self, Mirror,
        runs::{self, FailedPush},
    },
    request::{Call, Service},
    services::{
        codebuild,
        codecommit::{self, other_account},
        event_bus, functions, iam, logs, pipelines, response_bucket, s3, secrets,
        stacks::{self, operations},
    },
    world::{ApiResponse, AwsError, Denial},
};

/// Longer than any run of a mirror is put off.
const ALL_HAVE_RUN: Duration = Duration::from_mins(12);

impl AwsState {
    /// Carries out one call.
    pub fn execute(&mut self, call: &Call, caller: &str) -> ApiResponse {
        recorded_calls::record(self, call, caller);
        self.watch_for_tokens(call);
        let world = &mut self.world;
        if world.buckets.is_throttled(&world.options.rates, world.now, call) {
            return ApiResponse::throttled(call.service);
        }
        let (action, resource) = call.action_and_resource();
        // `*` is every action of IAM policies, which GitLab, git and the response bucket do not
        // have.
        let is_meant = |denial: &&Denial| denial.action != "*" || call.service.has_policies();
        if let Some(denial) = self.find_denial(&action, &resource).filter(is_meant) {
            return ApiResponse::denied_because(call.service, &action, &resource, denial.why);
        }
        let world = &mut self.world;
        secrets::purge(&mut self.secrets, world);
        if let Some((created, error)) = self.named_by(call)
            && call.reads()
            && created + self.world.options.new_things_late > self.world.now
        {
            return ApiResponse::error(call.service, &error);
        }
        let world = &mut self.world;
        let answer = match call.service {
            Service::Iam => iam::answer(&mut self.iam, world, call, caller),
            Service::SecretsManager => {
                let answer = secrets::answer(&mut self.secrets, &self.secrets_seen, world, call);
                secrets::remember(&self.secrets, &mut self.secrets_seen, world, call);
                answer
            }
            Service::CodeBuild => codebuild::answer(&mut self.builds, world, call),
            Service::CloudWatchLogs => logs::answer(&self.logs, world, call),
            Service::S3 => s3::answer(&self.s3, world, call),
            Service::CodeCommit => other_account::codecommit(
                &mut self.codecommit,
                &mut self.other_account,
                world,
                call,
            ),
            Service::Sts => other_account::assume_role(&mut self.other_account, world, call),
            Service::CodePipeline => pipelines::answer(&mut self.pipelines, world, call),
            Service::Events => event_bus::answer(world, call),
            Service::CloudFormation => stacks::answer(&mut self.stacks, &self.s3, world, call),
            Service::Lambda => match call.operation.as_str() {
                "GetFunctionConcurrency" => self.function.concurrency(),
                _ => functions::answer(&mut self.invocations, world, call, caller),
            },
            Service::Git => {
                self.codecommit.probe(self.iam.seen(world.now, world.options.login_late), call)
            }
            Service::ResponseBucket => response_bucket::answer(&mut self.responses, world, call),
            Service::GitLab => gitlab::answer(&mut self.gitlab, world, call, caller),
        };
        let mut answer = answer.unwrap_or_else(|error| ApiResponse::error(call.service, &error));
        if call.service == Service::GitLab {
            let date = DateTime::from(self.by_gitlabs_clock()).fmt(Format::HttpDate);
            answer.headers.push(("date", date.expect("after 1970")));
        }
        answer
    }

    /// When the user, repository or secret that a call names was created, and the error of a service
    /// that does not find it. `None` if the call names none that exists.
    pub(crate) fn named_by(&self, call: &Call) -> Option<(Duration, AwsError)> {
        match call.service {
            Service::Iam => {
                let name = call.needed("UserName");
                let user = self.iam.latest().users.get(name)?;
                Some((user.created, iam::no_such_user(name)))
            }
            Service::CodeCommit => {
                let name = call.needed("repositoryName");
                let repository = self.codecommit.repositories.get(name)?;
                Some((repository.created, codecommit::no_repository(name)))
            }
            Service::SecretsManager => {
                let secret = secrets::find(&self.secrets, call).ok()?;
                Some((secret.created, secrets::no_such_secret()))
            }
            _ => None,
        }
    }

    /// The answer as if the thing that the call names did not exist.
    pub(crate) fn not_found(&self, call: &Call) -> AwsError {
        match call.operation.as_str() {
            "DescribeStackResource" => stacks::descriptions::no_such_resource(call),
            "DescribeRule" => event_bus::no_rule(call.needed("Name")),
            "ListPipelineExecutions" => pipelines::pipeline::not_found(call.needed("pipelineName")),
            _ => self.named_by(call).expect("it names a thing").1,
        }
    }

    /// Complains of a GitLab token that is sent to any server but a GitLab.
    fn watch_for_tokens(&mut self, call: &Call) {
        if self.gitlab.tokens.is_empty() {
            return;
        }
        let body = String::from_utf8_lossy(&call.body);
        let holds = |text: &str| self.gitlab.tokens.keys().any(|token| text.contains(token));
        let mut headers = call.headers.iter();
        let is_sent = holds(&body) || holds(&call.url) || headers.any(|(_, header)| holds(header));
        if call.service != Service::GitLab && is_sent {
            let (service, operation) = (call.service, &call.operation);
            let complaint = format!("GitLab's token was sent to {service} with {operation}");
            self.complaints.push(complaint);
        }
    }

    /// Takes the next background step, if it is due by
    /// `until`: a stack's operation, a pipeline's source stage, or the run of a
    /// push mirror.
    pub fn step(&mut self, until: Duration) -> bool {
        let stack = self.stacks.next();
        let sources = self.pipelines.iter();
        let source = sources
            .filter_map(|(name, pipeline)| Some((pipeline.due()?, name.clone())))
            .min();
        let due = |found: &Option<(Duration, String)>| found.as_ref().map(|found| found.0);
        let (of_stack, of_source, of_mirror) = (due(&stack), due(&source), self.gitlab.due());
        let all = [of_stack, of_source, of_mirror].into_iter().flatten();
        let Some(next) = all.min().filter(|next| *next <= until) else {
            return false;
        };
        self.world.now = next;
        match (stack, source) {
            (Some((due, who)), _) if due == next => operations::step(
                &mut self.stacks,
                &mut self.codecommit,
                &mut self.pipelines,
                &mut self.world,
                &who,
            ),
            (_, Some((due, who))) if due == next => self.end_action(&who),
            _ => mirror_runs::step(self),
        }
        true
    }

    fn end_action(&mut self, pipeline: &str) {
        let (own, other) = (
            &self.codecommit.repositories,
            &self.other_account.repositories,
        );
        if pipelines::end_action(&mut self.pipelines, own, other, self.world.now, pipeline) {
            self.failed_runs.push(pipeline.to_owned());
        }
    }

    /// Whether a push to GitLab would reach the repository now, through a mirror that the product
    /// created, and whether no such mirror would fail. Tried on a copy: nothing changes.
    pub fn mirrors_work(&self, project: &str, repository: &str) -> Result<(), String> {
        let mut copy = self.clone();
        let (before, began) = (copy.failed_pushes.len(), copy.now);
        let branch = copy.gitlab.named(project).default_branch.clone();
        let commit = format!("probe-at-{}", began.as_micros());
        runs::push(&mut copy.gitlab, &copy.world, project, &branch, &commit);
        let id = copy.gitlab.named(project).id;
        while copy.step(began + ALL_HAVE_RUN) {}
        let mut failed = copy.failed_pushes[before..].iter();
        let is_ours = |push: &&FailedPush| {
            let leads_there = push.repository.as_deref() == Some(repository);
            let is_ours = push.made_by != gitlab::ANOTHER_PERSON;
            push.project == id && leads_there && is_ours && push.counts
        };
        if let Some(push) = failed.find(is_ours) {
            return Err(format!(
                "mirror {} of {project} fails: {}",
                push.mirror, push.why
            ));
        }
        let arrived = copy.codecommit.repositories.get(repository);
        let arrived = arrived.and_then(|held| held.branches.get(&branch));
        if arrived != Some(&commit) {
            return Err(format!(
                "a push to {project} does not reach {repository}: {:?}",
                copy.gitlab.named(project).mirrors
            ));
        }
        let carries = |mirror: &Mirror| {
            mirror.is_ours()
                && mirror.repository() == Some(repository)
                && mirror.succeeded > Some(began)
        };
        if !copy.gitlab.named(project).mirrors.values().any(carries) {
            return Err(format!(
                "a push to {project} reaches {repository} only through a foreign mirror"
            ));
        }
        Ok(())
    }
}
