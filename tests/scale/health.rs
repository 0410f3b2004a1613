//! The health check of an environment with thousands of projects, each with a mirror and a pipeline,
//! at the rates of AWS and GitLab.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use cfn_custom_resource::Clock;
use cfn_gitops::clients::aws::SdkClients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::health_check;
use cfn_gitops::health_check::{CheckClients, HealthCheck};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde_json::{Value, json};

use crate::lambda::Distant;
use crate::rates::rates;
use crate::stacks::since;
use fake_aws::clients::sdk_config;
use fake_aws::custom_resource::{CustomResource, FUNCTION, ParentStack};
use fake_aws::explore::paused;
use fake_aws::{AwsState, Execution, FakeAws, Options, Pipeline, Rate, Service};

const CREDENTIAL: CustomResource = CustomResource {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: |_, caller| caller.connector(),
};

/// The number of the project that all others are copies of, in every name.
const ORIGINAL: &str = "p00000";
const OWNER: &str = "owner";
const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1";

/// The time of an invocation, without what the function needs to respond.
const INVOCATION_TIME: Duration = Duration::from_secs(897);

const INTERVAL: Duration = Duration::from_mins(15);

/// The rates of the other runs, with the smallest one that GitLab documents (1,200 requests a minute:
/// GitLab Dedicated, "Authenticated user rate limits") and an assumed one of CodePipeline.
fn all_rates() -> Vec<Rate> {
    let mut all = rates(1.0);
    all.push(Rate::of(Service::GitLab, 20.0, 40.0));
    for operation in [&["ListPipelineExecutions"], &["GetPipelineState"]] {
        all.push(Rate::shared_by(
            Service::CodePipeline,
            operation,
            10.0,
            20.0,
        ));
    }
    all
}

/// A project with a mirror, made as users make it, and copies of it; each with a pipeline and its stack.
async fn environment(projects: usize) -> FakeAws {
    let fake = FakeAws::with(Options::default());
    fake.keep_no_journal();
    let user = format!("user-dev-{ORIGINAL}");
    let (project, repository) = (
        format!("a/{ORIGINAL}"),
        format!("codecommit-dev-{ORIGINAL}"),
    );
    fake.user(&user);
    fake.repository(&repository);
    fake.gitlab_project(&project, &["main"]);
    fake.gitlab_token("gitlab/token");
    let properties = json!({
        "UserName": user,
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": "gitlab/token"},
        "Mirrors": [{"GitLabProject": project, "RepositoryName": repository}],
    });
    let created = ParentStack::called(&fake, CREDENTIAL, STACK)
        .create(&properties)
        .await;
    assert!(created.is_success(), "{}", created.reason());
    fake.stack(OWNER, "CREATE_COMPLETE", &[]);
    let owner = fake.look(|aws| aws.stacks.named(OWNER).expect("just made").id.clone());
    let tags = [
        ("cfn-gitops:stack-id", owner.as_str()),
        ("cfn-gitops:logical-id", "Project"),
    ];
    let names: Vec<String> = (1..projects)
        .map(|number| format!("p{number:05}"))
        .collect();
    fake.arrange(|aws| copy_project(aws, &names));
    for name in names.iter().map(String::as_str).chain([ORIGINAL]) {
        fake.stack(&format!("gitops-dev-{name}"), "CREATE_COMPLETE", &tags);
        fake.arrange(|aws| {
            let (now, tags) = (aws.now, BTreeMap::new());
            let mut pipeline =
                Pipeline::new(json!({}), tags, &owner, "0".to_owned(), now, Duration::ZERO);
            pipeline.executions = vec![Execution::with_status("1".to_owned(), "Succeeded", now)];
            let name = format!("codepipeline-dev-cfn-{name}");
            aws.pipelines.insert(name, pipeline);
        });
    }
    fake.options(|options| options.rates = all_rates());
    tokio::time::sleep(Duration::from_hours(1)).await;
    fake
}

/// Copies the user, its credential, the secret, the repository and the project in GitLab with its mirror.
fn copy_project(aws: &mut AwsState, names: &[String]) {
    let now = aws.now;
    let original = aws.gitlab.named(&format!("a/{ORIGINAL}")).clone();
    let secret = aws.secrets[&format!("codecommit-mirror/user-dev-{ORIGINAL}")].clone();
    aws.iam.change(now, |iam| {
        let user = iam.users[&format!("user-dev-{ORIGINAL}")].clone();
        let copies = names
            .iter()
            .map(|name| (format!("user-dev-{name}"), user.clone()));
        iam.users.extend(copies);
    });
    let repository = aws.repositories[&format!("codecommit-dev-{ORIGINAL}")].clone();
    for (index, name) in (1..).zip(names) {
        let renamed = |text: &str| text.replace(ORIGINAL, name);
        let repository_name = format!("codecommit-dev-{name}");
        aws.repositories.insert(repository_name, repository.clone());
        let mut secret = secret.clone();
        secret.name = renamed(&secret.name);
        secret.arn = renamed(&secret.arn);
        for value in secret.tags.values_mut() {
            *value = renamed(value);
        }
        for version in secret.versions.values_mut() {
            version.value.text = renamed(&version.value.text);
        }
        aws.secrets.insert(secret.name.clone(), secret);
        let mut project = original.clone();
        project.id += index;
        project.path = renamed(&project.path);
        for mirror in project.mirrors.values_mut() {
            mirror.url = renamed(&mirror.url);
        }
        aws.gitlab.projects.insert(project.id, project);
    }
}

/// The result of a health check.
struct Looked {
    /// Until the last resource was checked.
    took: Duration,
    /// Until the invocation ended.
    ended: Duration,
    /// How often each metric was written.
    metrics: BTreeMap<String, usize>,
    summary: Value,
    throttled: usize,
    calls: usize,
}

/// A scheduled health check.
async fn look(fake: &FakeAws) -> Looked {
    let clock = Clock::starting_at(fake.now());
    let (began, before) = (fake.now(), fake.calls());
    let metrics = Mutex::new(BTreeMap::<String, (usize, SystemTime)>::new());
    let emit = |line: Value| {
        let mut metrics = metrics.lock().expect("no panic");
        for (name, _) in line.as_object().expect("a line") {
            let (count, at) = metrics.entry(name.clone()).or_insert((0, began));
            *count += 1;
            *at = fake.now();
        }
    };
    let event = json!({"HealthCheck": {"EnvID": "dev"}}).to_string();
    let check = HealthCheck::parse(&event).expect("a health check");
    let environment = check.environment(FUNCTION).expect("an environment");
    let connector = SharedHttpConnector::new(Distant(fake.connector("health check")));
    let http = Http::new(connector.clone());
    let aws = SdkClients::new(&sdk_config(connector), &http);
    let credentials = MirrorCredential::new(aws.clone(), http.clone(), clock.clone());
    let pipelines = GitOpsPipeline::new(aws.clone(), http.clone());
    let clients = CheckClients {
        aws: &aws,
        http: &http,
        clock: &clock,
    };
    let work = health_check::check(
        &environment,
        clients,
        &credentials,
        &pipelines,
        Some(INTERVAL),
        INVOCATION_TIME,
        &emit,
    );
    let summary = Box::pin(work).await;
    let after = fake.calls();
    let metrics = metrics.into_inner().expect("no panic");
    let last = &metrics["OrphanedPipelineStacks"].1;
    Looked {
        took: last.duration_since(began).expect("forwards"),
        ended: since(fake, began),
        metrics: metrics
            .iter()
            .map(|(name, (count, _))| (name.clone(), *count))
            .collect(),
        summary,
        throttled: after.throttled - before.throttled,
        calls: after.calls - before.calls,
    }
}

#[test]
fn two_thousand_projects_are_checked_in_one_invocation() {
    let projects = 2000;
    let looked = paused(async {
        let fake = environment(projects).await;
        look(&fake).await
    });
    fake_aws::figure!(
        "health check of {projects} projects: all checked after {:.0} s, ended after {:.0} s; {} calls, \
         {} throttled",
        looked.took.as_secs_f64(),
        looked.ended.as_secs_f64(),
        looked.calls,
        looked.throttled
    );
    let counts = json!({"mirrors": projects, "credentials": projects, "pipelines": projects});
    assert_eq!(looked.summary["Checked"], counts);
    assert_eq!(looked.summary["NotChecked"], json!([]));
    assert_eq!(looked.summary["Unhealthy"], json!([]));
    for metric in ["MirrorHealthy", "CredentialAge", "PipelineSucceeded"] {
        assert_eq!(looked.metrics[metric], projects, "{metric}");
    }
    for metric in ["OrphanedPipelineStacks", "HealthCheckFailed"] {
        assert_eq!(looked.metrics[metric], 1, "{metric}");
    }
    assert_eq!(
        looked.throttled, 0,
        "other requests would be throttled, too"
    );
    assert!(looked.ended <= INVOCATION_TIME);
}
