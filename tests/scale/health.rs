//! The health check of an environment with thousands of projects, each with a mirror and a
//! pipeline, at the rates of AWS and GitLab.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use cfn_custom_resource::Clock;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::health_check::{Checker, HealthCheck, Mode, Schedule};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde_json::{Value, json};

use crate::lambda::Distant;
use crate::projects::environment;
use crate::rates::rates;
use crate::stacks::since;
use fake_aws::clients::sdk_config;
use fake_aws::explore::paused;
use fake_aws::{FakeAws, Rate, Service};
use test_support::custom_resource::FUNCTION;

/// The time of an invocation, without what the function needs to respond.
const INVOCATION_TIME: Duration = Duration::from_secs(897);

const INTERVAL: Duration = Duration::from_mins(15);

/// The rates of the other runs, with the smallest one that GitLab documents (1,200 requests a
/// minute: GitLab Dedicated, "Authenticated user rate limits") and an assumed one of CodePipeline.
pub fn all_rates() -> Vec<Rate> {
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
    let event = json!({"HealthCheck": {"EnvID": "dev"}});
    let check = HealthCheck::parse(&event, FUNCTION).expect("a health check");
    let connector = SharedHttpConnector::new(Distant(fake.connector("health check")));
    let http = Http::new(connector.clone());
    let clients = &Clients::new(&sdk_config(connector), http, clock);
    let credentials = MirrorCredential::new(clients.clone());
    let pipelines = GitOpsPipeline::new(clients.clone(), FunctionApprovals::Denied);
    let checker = Checker {
        environment: &check.environment,
        clients,
        mirror_credential: &credentials,
        gitops_pipeline: &pipelines,
        mode: Mode::Check(&emit),
        schedule: Schedule {
            began,
            interval: Some(INTERVAL),
        },
    };
    let summary = checker.check(INVOCATION_TIME).await;
    let after = fake.calls();
    let metrics = metrics.into_inner().expect("no panic");
    let last = &metrics["OrphanedPipelineStacks"].1;
    Looked {
        took: last.duration_since(began).expect("forwards"),
        ended: since(fake, began),
        metrics: metrics.iter().map(|(name, (count, _))| (name.clone(), *count)).collect(),
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
        fake.options(|options| options.rates = all_rates());
        tokio::time::sleep(Duration::from_hours(1)).await;
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
    // The first one: a fault of each project would be a thousand lines.
    assert_eq!(looked.summary["NotChecked"].get(0), None);
    assert_eq!(looked.summary["Unhealthy"].get(0), None);
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
