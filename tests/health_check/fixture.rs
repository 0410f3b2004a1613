//! An account with a credential, its mirror and a pipeline; and a health check of it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use cfn_custom_resource::Clock;
use cfn_custom_resource::Remedy;
use cfn_gitops::answers::AskedAbout;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::health_check::{Checker, Emit, Environment, FirstProject, Mode, Schedule};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde::Deserialize;
use serde_json::{Value, json};

use fake_aws::clients::sdk_config;
use fake_aws::{Execution, Pipeline, redacted};
use fake_aws::{FakeAws, Made, Options};
use test_support::custom_resource::{CustomResource, ParentStack};

pub const PROJECT: &str = "platform/infra";
pub const USER: &str = "user-dev-mirror";
pub const SECRET: &str = "codecommit-mirror/user-dev-mirror";
pub const TOKEN: &str = "gitlab/token";
pub const REPOSITORY: &str = "codecommit-dev-cfn-infra";
const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1";

pub const CREDENTIAL: CustomResource = CustomResource {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: |_, caller| caller.connector(),
};

pub const PIPELINE: CustomResource = CustomResource {
    resource_type: "Custom::GitOpsPipeline",
    logical_id: "Project",
    wire: |_, caller| caller.connector(),
};

/// Pages of two, so that there are several.
pub fn empty_world() -> FakeAws {
    FakeAws::with(Options {
        page_length: Some(2),
        ..Options::default()
    })
}

/// A fake AWS with one credential and its mirror, which has pushed.
pub async fn fake() -> (FakeAws, ParentStack) {
    let fake = empty_world();
    let stack = mirrored(&fake, USER, PROJECT, REPOSITORY).await;
    (fake, stack)
}

/// A credential of `user` and a mirror with it.
pub async fn mirrored(fake: &FakeAws, user: &str, project: &str, repository: &str) -> ParentStack {
    fake.gitlab_project(project, &["main"]);
    mirrored_from(fake, user, project, repository).await
}

/// The same of a project that exists.
pub async fn mirrored_from(
    fake: &FakeAws,
    user: &str,
    project: &str,
    repository: &str,
) -> ParentStack {
    fake.user(user);
    fake.repository(repository);
    fake.gitlab_token(TOKEN);
    let properties = properties(user, project, repository);
    create_in(fake, &format!("{STACK}-{user}"), CREDENTIAL, &properties).await
}

/// A resource of the stack with this ARN.
pub async fn create_in(
    fake: &FakeAws,
    arn: &str,
    kind: CustomResource,
    properties: &Value,
) -> ParentStack {
    let mut stack = ParentStack::called(fake, kind, arn);
    let created = stack.create(properties).await;
    assert!(created.is_success(), "{}", created.reason());
    declare(&stack);
    stack
}

/// A pipeline, and the mirror to its repository, in one stack. With the mirror's resource.
pub async fn project_world() -> (FakeAws, ParentStack) {
    project_world_with(json!({}), &["main"]).await
}

/// The same, with `more` properties of the pipeline, of a project that protects these branches.
pub async fn project_world_with(more: Value, protected: &[&str]) -> (FakeAws, ParentStack) {
    let fake = empty_world();
    fake.gitlab_project(PROJECT, &["main"]);
    fake.protect(PROJECT, protected);
    fake.gitlab_token(TOKEN);
    let mut pipeline = json!({
        "EnvID": "dev", "ProjectID": "infra", "BranchMap": {"dev": "main"},
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": PROJECT},
    });
    let properties_of = pipeline.as_object_mut().expect("an object");
    properties_of.extend(more.as_object().expect("an object").clone());
    let pipeline = create_pipeline(&fake, &pipeline).await;
    fake.user(USER);
    let properties = properties(USER, PROJECT, REPOSITORY);
    let stack = create_in(&fake, &pipeline.arn, CREDENTIAL, &properties).await;
    fake.push_to_gitlab(PROJECT, "main", "c1");
    tokio::time::sleep(Duration::from_mins(5)).await;
    look(&fake).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    (fake, stack)
}

/// CloudFormation's record of the resource of a stack.
pub fn declare(stack: &ParentStack) {
    let (id, _) = stack.resource.as_ref().expect("a resource");
    let CustomResource {
        logical_id,
        resource_type,
        ..
    } = stack.kind;
    stack.fake.declare(&stack.arn, logical_id, resource_type, id);
}

pub fn properties(user: &str, project: &str, repository: &str) -> Value {
    json!({
        "UserName": user,
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN},
        "Mirrors": [{"GitLabProject": project, "RepositoryName": repository}],
    })
}

/// A pipeline with runs that ended so, the oldest first.
pub fn pipeline(fake: &FakeAws, name: &str, statuses: &[&'static str]) {
    fake.arrange(|aws| {
        let now = aws.now;
        let (settings, id) = (json!({}), "0".to_owned());
        let mut pipeline = Pipeline::new(settings, [].into(), STACK, id, now, Duration::ZERO);
        let numbered = statuses.iter().enumerate();
        let executions = numbered
            .map(|(number, status)| Execution::with_status(number.to_string(), status, now));
        pipeline.executions = executions.collect();
        aws.pipelines.insert(name.to_owned(), pipeline);
    });
}

/// A stack of this name, with a resource that may have any ID, because it is updated. Returns its
/// ARN.
pub fn owner(fake: &FakeAws, name: &str) -> String {
    fake.stack(name, "CREATE_COMPLETE", &[]);
    let id = fake.look(|aws| aws.stacks.named(name).expect("just made").id.clone());
    fake.declare(&id, "Project", "Custom::GitOpsPipeline", "");
    let key = (id.clone(), "Project".to_owned());
    fake.change(|aws| aws.stacks.declared.get_mut(&key).expect("it").status = "UPDATE_IN_PROGRESS");
    id
}

/// CloudFormation shows all resources of this type in this status.
pub fn show_declared(fake: &FakeAws, kind: &str, status: &'static str) {
    fake.change(|aws| {
        let declared = aws.stacks.declared.values_mut().filter(|one| one.kind == kind);
        declared.for_each(|one| one.status = status);
    });
}

/// A pipeline's stack in this status, with its outputs and its event rule.
pub fn child(fake: &FakeAws, name: &str, status: &'static str, owner: &str) {
    fake.stack(name, status, &tags(owner));
    let project_id = name.strip_prefix("gitops-dev-").expect("a project's");
    rule(
        fake,
        &format!("event-rule-dev-codepipeline-exec-cfn-{project_id}"),
        "ENABLED",
    );
    let settings = json!({
        "CreatesChangeSet": true,
        "Capabilities": [],
        "ReportsDrift": false,
        "ApprovesNoChanges": false,
    });
    fake.change(|aws| {
        let child = aws.stacks.named_mut(name).expect("just made");
        for output in ["BranchName", "RepositoryName"] {
            child.outputs.insert(output.to_owned(), "main".to_owned());
        }
        child.outputs.insert("RenderingVersion".to_owned(), "1".to_owned());
        child.outputs.insert("Settings".to_owned(), settings.to_string());
    });
}

/// An event rule in this state.
pub fn rule(fake: &FakeAws, name: &str, state: &str) {
    fake.arrange(|aws| {
        let key = ("AWS::Events::Rule".to_owned(), name.to_owned());
        let rule = Made {
            properties: json!({"State": state}),
            tags: [].into(),
            stack_id: None,
        };
        aws.made.insert(key, rule);
    });
}

/// The tags of a pipeline's stack, whose owner has this ARN.
pub fn tags(owner: &str) -> [(&str, &str); 2] {
    [
        ("cfn-gitops:stack-id", owner),
        ("cfn-gitops:logical-id", "Project"),
    ]
}

/// Creates the resource of a pipeline, in a stack with the name of its project.
pub async fn create_pipeline(fake: &FakeAws, properties: &Value) -> ParentStack {
    let name = properties["ProjectID"].as_str().expect("a name");
    create_in(fake, &owner(fake, name), PIPELINE, properties).await
}

/// The result of a health check.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub lines: Vec<Value>,
    pub summary: Value,
}

impl Looked {
    /// The values of a metric, for the one that `of` is the name of.
    pub fn values(&self, metric: &str, of: &str) -> Vec<f64> {
        let dimensions = ["GitLabProject", "TokenSecretId", "UserName", "PipelineName"];
        let about = |line: &&Value| {
            let mut named = dimensions.iter().filter(|name| line.get(**name).is_some());
            named.all(|name| line[*name] == of)
        };
        let lines = self.lines.iter().filter(about);
        lines.filter_map(|line| line[metric].as_f64()).collect()
    }

    /// The one value of a metric.
    pub fn value(&self, metric: &str, of: &str) -> f64 {
        let values = self.values(metric, of);
        assert_eq!(values.len(), 1, "{metric} of {of}: {:?}", self.lines);
        values[0]
    }

    /// The subjects with metrics of their own, in order.
    pub fn subjects(&self) -> Vec<&str> {
        let own = self.lines.iter().filter_map(|line| {
            let dimension = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][1][1];
            line[dimension.as_str()?].as_str()
        });
        own.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub fn has_failed(&self) -> bool {
        let failed = self.value("HealthCheckFailed", "") > 0.0;
        let texts = self.texts("NotChecked");
        assert_eq!(failed, !texts.is_empty(), "{}", self.summary);
        failed
    }

    pub fn is_healthy(&self, project: &str) -> bool {
        self.value("MirrorHealthy", project) > 0.5
    }

    /// The unhealthy resources. Fails unless everything was checked.
    pub fn unhealthy(&self) -> String {
        assert!(!self.has_failed(), "{}", self.summary);
        redacted(&self.texts("Unhealthy").join("\n"))
    }

    /// Everything was checked, and is healthy.
    pub fn assert_healthy(&self) {
        assert_eq!(self.unhealthy(), "");
    }

    pub fn texts(&self, of: &str) -> Vec<String> {
        let texts = self.summary[of].as_array().expect("a list");
        texts.iter().map(text).collect()
    }
}

/// A health check of `dev`, whose users are `user_names`, as `caller`.
pub async fn look_at(fake: &FakeAws, user_names: &str, caller: &str, time: Duration) -> Looked {
    let dev = dev(user_names);
    look_with(fake, dev, fake.connector(caller), None, time).await
}

/// A health check that runs at every `interval`.
pub async fn look_by_schedule(fake: &FakeAws, interval: Duration, time: Duration) -> Looked {
    let connector = fake.connector("health check");
    let dev = dev("user-dev-*");
    look_with(fake, dev, connector, Some(interval), time).await
}

/// A health check of an environment with this first project.
pub async fn look_with_first_project(fake: &FakeAws, first: &FirstProject) -> Looked {
    let mut dev = dev("user-dev-*");
    dev.first_project = Some(first.clone());
    let time = Duration::from_secs(300);
    look_with(fake, dev, fake.connector("health check"), None, time).await
}

pub fn dev(user_names: &str) -> Environment {
    Environment {
        id: "dev".to_owned(),
        user_names: user_names.to_owned(),
        credential_age_days: Some(10),
        first_project: None,
        stack_id: None,
    }
}

type Resources = (Clients, MirrorCredential, GitOpsPipeline);

fn checker<'a>(
    environment: &'a Environment,
    (clients, mirror_credential, gitops_pipeline): &'a Resources,
    interval: Option<Duration>,
    emit: Emit<'a>,
) -> Checker<'a> {
    Checker {
        environment,
        clients,
        mirror_credential,
        gitops_pipeline,
        mode: Mode::Check(emit),
        schedule: Schedule {
            began: clients.clock.now(),
            interval,
        },
    }
}

fn resources(fake: &FakeAws, connector: SharedHttpConnector) -> Resources {
    let http = Http::new(connector.clone());
    let clients = Clients::new(&sdk_config(connector), http, Clock::starting_at(fake.now()));
    let credentials = MirrorCredential::new(clients.clone());
    let pipelines = GitOpsPipeline::new(clients.clone(), FunctionApprovals::Denied);
    (clients, credentials, pipelines)
}

async fn look_with(
    fake: &FakeAws,
    dev: Environment,
    connector: SharedHttpConnector,
    interval: Option<Duration>,
    time: Duration,
) -> Looked {
    let resources = resources(fake, connector);
    let lines = Mutex::new(vec![]);
    let emit = |line| lines.lock().expect("no panic").push(line);
    let summary = checker(&dev, &resources, interval, &emit).check(time).await;
    let lines = lines.into_inner().expect("no panic");
    for shown in lines.iter().chain([&summary]) {
        assert_eq!(fake.secret_in(&shown.to_string()), None, "{shown}");
    }
    assert_eq!(fake.secret_in(&fake.transcript()), None);
    Looked { lines, summary }
}

/// A diagnosis of `dev` in this time.
pub async fn diagnose(fake: &FakeAws, time: Duration) -> Value {
    answer(fake, &AskedAbout::Doctor, time).await
}

/// The answer to a question about `dev` in this time.
pub async fn answer(fake: &FakeAws, topic: &AskedAbout, time: Duration) -> Value {
    answer_about(fake, dev("user-dev-*"), topic, time).await
}

/// The answer to a question about this environment. In any world it only reads, has no secret, and
/// reads no value of a mirror's secret.
pub async fn answer_about(
    fake: &FakeAws,
    dev: Environment,
    topic: &AskedAbout,
    time: Duration,
) -> Value {
    let resources = resources(fake, fake.connector("reader"));
    let before = fake.journal().len();
    let checker = Checker {
        mode: Mode::Diagnosis,
        ..checker(&dev, &resources, None, &|_| ())
    };
    let answer = checker.answer(topic, time).await;
    assert_eq!(fake.secret_in(&answer.to_string()), None, "{answer}");
    for call in &fake.journal()[before..] {
        let value_of = call.params.get("SecretId").filter(|_| call.operation == "GetSecretValue");
        let is_mirrors = value_of.is_some_and(|id| id.to_string().contains("codecommit-mirror"));
        assert!(call.reads() && !is_mirrors, "{call}");
    }
    answer
}

/// A name, or a finding in one line.
pub fn text(shown: &Value) -> String {
    let Some(problem) = problem(shown) else {
        return shown.as_str().expect("a text").to_owned();
    };
    match shown["Subject"].as_str() {
        Some(subject) => format!("{subject}: {problem}"),
        None => problem,
    }
}

/// The text of a finding's remedy.
pub fn remedy_of(shown: &Value) -> String {
    let remedy = Remedy::deserialize(&shown["Remedy"]);
    remedy.expect("a remedy").to_string()
}

/// The problem of a finding with its remedy. `None` if it has none.
fn problem(shown: &Value) -> Option<String> {
    let problem = shown["Problem"].as_str()?;
    Some(format!("{problem}. {}", remedy_of(shown)))
}

/// A complete diagnosis: each subject with its problem, except those that are not looked at.
pub async fn diagnosed(fake: &FakeAws) -> Vec<(String, Option<String>)> {
    let found = diagnose(fake, Duration::from_secs(300)).await;
    assert_eq!(found["NotChecked"], json!([]), "{found}");
    let checks = found["Checks"].as_array().expect("a list").iter();
    let checks = checks.filter(|check| check.get("NotLookedAt").is_none());
    checks.map(|check| (text(&check["Subject"]), problem(check))).collect()
}

/// The problem of the only check whose subject contains `subject`, empty if it is healthy.
pub async fn problem_of(fake: &FakeAws, subject: &str) -> String {
    let checks = diagnosed(fake).await;
    let about = checks.iter().filter(|(of, _)| of.contains(subject));
    let [(_, problem)] = about.collect::<Vec<_>>()[..] else {
        panic!("{subject}: {checks:?}");
    };
    redacted(problem.as_deref().unwrap_or_default())
}

pub async fn look_as(fake: &FakeAws, caller: &str, time: Duration) -> Looked {
    look_at(fake, "user-dev-*", caller, time).await
}

pub async fn look(fake: &FakeAws) -> Looked {
    look_as(fake, "health check", Duration::from_secs(300)).await
}
