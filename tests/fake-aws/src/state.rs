//! AWS's state, and the service that handles a call.

use aws_smithy_types::{DateTime, date_time::Format};
use fastrand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use crate::{
    gitlab::{
        self, GitLab,
        runs::{self, FailedPush},
    },
    options::Options,
    recorded_calls,
    request::{Call, Service},
    response::{ApiResponse, AwsError, Denied},
    schedule::{
        lateness::History,
        rates::{self, Buckets},
    },
    services::{
        codebuild,
        codecommit::{
            self, Repository, RuleTemplate,
            other_account::{self, OtherAccount},
        },
        event_bus,
        functions::{self, Invoked},
        iam::{self, CODECOMMIT, Credential, Iam},
        pipelines::{self, Pipeline},
        response_bucket::{self, SentResponse},
        s3,
        secrets::{self, Secret},
        stacks::{self, Stacks, operations, resources::Made},
    },
};

/// When a fake AWS begins: 2026-11-20T12:00:00Z.
const START: u64 = 1_795_176_000;

/// The calls that the function's role does not allow.
#[derive(Clone, Debug)]
pub struct Denial {
    /// An action, or `*`.
    pub action: String,
    /// A part of the resource's name or ARN.
    pub resource: String,
    pub why: Denied,
    /// When IAM has propagated the permission; None: never.
    pub until: Option<Duration>,
}

impl Denial {
    fn is_of(&self, action: &str, resource: &str, now: Duration) -> bool {
        (self.action == "*" || self.action == action)
            && resource.contains(self.resource.as_str())
            && self.until.is_none_or(|until| now < until)
    }
}

/// The state of one account.
#[derive(Clone, Debug)]
pub struct AwsState {
    /// Virtual time since the fake AWS began, as of the latest call.
    pub now: Duration,
    pub options: Options,
    pub iam: History<Iam>,
    pub secrets: BTreeMap<String, Secret>,
    /// The states that `DescribeSecret` returns late.
    pub(crate) secrets_seen: History<BTreeMap<String, Secret>>,
    pub repositories: BTreeMap<String, Repository>,
    /// Another account, as far as this one sees it.
    pub other_account: OtherAccount,
    /// Repositories that were deleted, in order.
    pub repositories_gone: Vec<String>,
    pub rule_templates: BTreeMap<String, RuleTemplate>,
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Pipelines of which an execution failed at its source.
    pub failed_runs: Vec<String>,
    pub stacks: Stacks,
    pub s3: s3::Buckets,
    pub builds: codebuild::Builds,
    /// Other resources of stacks, by type and name.
    pub made: BTreeMap<(String, String), Made>,
    pub invocations: Vec<Invoked>,
    /// Not AWS's, but a part of this fake AWS.
    pub gitlab: GitLab,
    /// Pushes of GitLab's mirrors that did not arrive, in order.
    pub failed_pushes: Vec<FailedPush>,
    /// Users whose policy does not allow `codecommit:GitPush`.
    pub(crate) without_git_push: BTreeSet<String>,
    pub denied: Vec<Denial>,
    /// CloudFormation can assume the roles that it is given from then on.
    pub(crate) roles_from: Duration,
    pub responses: Vec<SentResponse>,
    pub buckets: Buckets,
    /// Calls that the product must not make: the fake's own complaints.
    pub complaints: Vec<String>,
    pub random: Rng,
    pub secrets_ever: Vec<String>,
    reads: std::cell::Cell<usize>,
    ids: u64,
}

impl AwsState {
    /// Notes the mirrors that `caller` has made and that no secret names. It makes no further call,
    /// because it is killed, or because none of its calls arrives any more.
    pub fn note_cut_off(&mut self, caller: &str) {
        let versions = self
            .secrets
            .values()
            .flat_map(|held| held.versions.values());
        let texts: Vec<&str> = versions.map(|one| one.value.text.as_str()).collect();
        let is_named = |id: u64| {
            let member = [
                format!("\"mirrorId\":{id},"),
                format!("\"mirrorId\":{id}}}"),
            ];
            let mut texts = texts.iter();
            texts.any(|text| member.iter().any(|member| text.contains(member)))
        };
        let projects = self.gitlab.projects.values();
        let mirrors = projects.flat_map(|project| project.mirrors.values());
        let unnamed = mirrors.filter(|mirror| mirror.made_by == caller && !is_named(mirror.id));
        let unnamed: Vec<u64> = unnamed.map(|mirror| mirror.id).collect();
        self.gitlab.unnamed_mirrors.extend(unnamed);
    }

    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            iam: History::new(Iam {
                plain_passwords: options.plain_passwords,
                ..Iam::default()
            }),
            options,
            secrets: BTreeMap::new(),
            secrets_seen: History::new(BTreeMap::new()),
            repositories: BTreeMap::new(),
            other_account: OtherAccount::default(),
            repositories_gone: vec![],
            rule_templates: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            failed_runs: vec![],
            stacks: Stacks::default(),
            s3: s3::Buckets::new(),
            builds: codebuild::Builds::new(),
            made: BTreeMap::new(),
            invocations: vec![],
            gitlab: GitLab::default(),
            failed_pushes: vec![],
            without_git_push: BTreeSet::new(),
            denied: vec![],
            roles_from: Duration::ZERO,
            responses: vec![],
            buckets: Buckets::default(),
            complaints: vec![],
            random: Rng::with_seed(seed),
            secrets_ever: vec![],
            reads: std::cell::Cell::new(0),
            ids: 0,
        }
    }

    /// Carries out one call.
    pub fn execute(&mut self, call: &Call, caller: &str) -> ApiResponse {
        recorded_calls::record(self, call, caller);
        self.watch_for_tokens(call);
        if rates::is_throttled(self, call) {
            return ApiResponse::throttled(call.service);
        }
        let (action, resource) = call.action_and_resource();
        // `*` is every action of IAM policies, which GitLab, git and the response bucket do not
        // have.
        let is_meant = |denial: &&Denial| denial.action != "*" || call.service.has_policies();
        if let Some(denial) = self.find_denial(&action, &resource).filter(is_meant) {
            return ApiResponse::denied_because(call.service, &action, &resource, denial.why);
        }
        secrets::purge(self);
        let answer = match call.service {
            Service::Iam => iam::answer(self, call, caller),
            Service::SecretsManager => {
                let answer = secrets::answer(self, call);
                secrets::remember(self, call);
                answer
            }
            Service::CodeBuild => codebuild::answer(self, call),
            Service::S3 => s3::answer(self, call),
            Service::CodeCommit => other_account::codecommit(self, call),
            Service::Sts => other_account::assume_role(self, call),
            Service::CodePipeline => pipelines::answer(self, call),
            Service::Events => event_bus::answer(self, call),
            Service::CloudFormation => stacks::answer(self, call),
            Service::Lambda => functions::answer(self, call, caller),
            Service::Git => codecommit::probe(self, call),
            Service::ResponseBucket => response_bucket::answer(self, call),
            Service::GitLab => gitlab::answer(self, call, caller),
        };
        answer.unwrap_or_else(|error| ApiResponse::error(call.service, &error))
    }

    fn find_denial(&self, action: &str, resource: &str) -> Option<&Denial> {
        let mut denials = self.denied.iter();
        denials.find(|denial| denial.is_of(action, resource, self.now))
    }

    /// Why the function's role may not do this. `None` if it may.
    pub(crate) fn denial(&self, action: &str, resource: &str) -> Option<Denied> {
        self.find_denial(action, resource).map(|denial| denial.why)
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
        let all = [of_stack, of_source, of_mirror];
        let Some(next) = all
            .into_iter()
            .flatten()
            .min()
            .filter(|next| *next <= until)
        else {
            return false;
        };
        self.now = next;
        match (stack, source) {
            (Some((due, who)), _) if due == next => operations::step(self, &who),
            (_, Some((due, who))) if due == next => pipelines::end_action(self, &who),
            _ => runs::step(self),
        }
        true
    }

    /// An id that nothing else has, and that another run of the same gives too.
    pub fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-4000-8000-{:012}", self.ids)
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
        secret
            .versions
            .get(version)
            .map(|version| version.value.text.as_str())
    }

    /// Issues a credential for a user without the product, like
    /// another person. Errors as IAM's.
    pub fn issue(&mut self, user: &str, issued_by: &str) -> Result<Credential, AwsError> {
        let now = self.now;
        let random = &mut self.random;
        let issued = self.iam.change(now, |iam| {
            iam.issue(user, CODECOMMIT, issued_by, now, random)
        })?;
        self.remember_secret(&issued.password);
        Ok(issued)
    }

    /// A person deletes a credential.
    pub fn withdraw(&mut self, user: &str, id: &str) {
        let withdraw = |iam: &mut Iam| iam.withdraw(user, id);
        self.iam.change(self.now, withdraw).expect("it is there");
    }

    /// A person sets a credential to inactive.
    pub fn deactivate(&mut self, user: &str, id: &str) {
        let set = |iam: &mut Iam| iam.set_active(user, id, "Inactive");
        self.iam.change(self.now, set).expect("it is there");
    }

    pub fn remember_secret(&mut self, secret: &str) {
        self.secrets_ever.push(secret.to_owned());
    }

    /// How late this read is.
    pub(crate) fn lateness(&self, late: Duration) -> Duration {
        self.reads.set(self.reads.get() + 1);
        if self.options.replicas_differ && self.reads.get() % 2 == 1 {
            return Duration::ZERO;
        }
        late
    }

    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START) + self.now
    }

    /// Seconds since 1970, as the JSON services give times.
    pub fn seconds(at: Duration) -> f64 {
        (Duration::from_secs(START) + at).as_secs_f64()
    }

    /// ISO 8601 to the second, as IAM gives times.
    pub fn date(at: Duration) -> String {
        let whole = Duration::from_secs(START).as_secs() + at.as_secs();
        DateTime::from_secs(whole.try_into().expect("before the year 292 billion"))
            .fmt(Format::DateTime)
            .expect("a date that can be written")
    }

    /// The first midnight UTC after `at`.
    pub fn next_midnight(at: Duration) -> Duration {
        let day = 24 * 3600;
        Duration::from_secs(at.as_secs() + day - (START + at.as_secs()) % day)
    }

    /// ISO 8601 to the millisecond, as CloudFormation gives times.
    pub fn instant(at: Duration) -> String {
        let whole = Duration::from_secs(START) + at;
        let whole = i64::try_from(whole.as_millis()).expect("before the year 292 million");
        DateTime::from_millis(whole)
            .fmt(Format::DateTime)
            .expect("a date that can be written")
    }

    /// Answers as AWS does, and remembers that the fake AWS has a hole: a panic
    /// here would only reach the product's own guard.
    pub(crate) fn unknown_operation(&mut self, service: &str, operation: &str) -> AwsError {
        self.complaints
            .push(format!("the fake does not know {service}:{operation}"));
        AwsError::new(400, "InvalidAction", format!("no operation {operation}"))
    }
}
