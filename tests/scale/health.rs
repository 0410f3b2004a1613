//! The health check of an environment with thousands of projects, each with a mirror and a
//! pipeline, at the rates of AWS and GitLab.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use cfn_custom_resource::Clock;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::health_check::{Checker, HealthCheck, Mode, Schedule};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde_json::{Value, json};

use crate::ROUND_TRIP;
use crate::projects::environment;
use crate::rates::rates;
use fake_aws::FakeAws;
use fake_aws::clients::sdk_config;
use fake_aws::explore::paused;
use test_support::custom_resource::FUNCTION;

const PROJECTS: usize = 2000;

/// The time of an invocation, without what the function needs to respond.
const INVOCATION_TIME: Duration = Duration::from_secs(897);

const INTERVAL: Duration = Duration::from_mins(15);

/// A scheduled health check: its summary, and how often it wrote each metric.
async fn look(fake: &FakeAws) -> (Value, BTreeMap<String, usize>) {
    let clock = Clock::starting_at(fake.now());
    let metrics = Mutex::new(BTreeMap::<String, usize>::new());
    let emit = |line: Value| {
        let mut metrics = metrics.lock().expect("no panic");
        for (name, _) in line.as_object().expect("a line") {
            *metrics.entry(name.clone()).or_default() += 1;
        }
    };
    let event = json!({"HealthCheck": {"EnvID": "dev"}});
    let check = HealthCheck::parse(&event, FUNCTION).expect("a health check");
    let connector = fake.connector("health check");
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
            began: fake.now(),
            interval: Some(INTERVAL),
        },
    };
    let summary = checker.check(INVOCATION_TIME).await;
    (summary, metrics.into_inner().expect("no panic"))
}

#[test]
fn two_thousand_projects_are_checked_in_one_invocation() {
    let (took, calls, throttled, (summary, metrics)) = paused(async {
        let fake = environment(PROJECTS).await;
        fake.options(|options| {
            options.rates = rates();
            options.latency = ROUND_TRIP;
        });
        tokio::time::sleep(Duration::from_hours(1)).await;
        let (began, before) = (fake.now(), fake.calls());
        let looked = look(&fake).await;
        let took = fake.now().duration_since(began).expect("forwards");
        let after = fake.calls();
        let throttled = after.throttled - before.throttled;
        (took, after.calls - before.calls, throttled, looked)
    });
    fake_aws::figure!(
        "health check of {PROJECTS} projects: {:.0} s; {calls} calls, {throttled} throttled",
        took.as_secs_f64()
    );
    let counts = json!({"mirrors": PROJECTS, "credentials": PROJECTS, "pipelines": PROJECTS});
    assert_eq!(summary["Checked"], counts);
    // The first one: a fault of each project would be a thousand lines.
    assert_eq!(summary["NotChecked"].get(0), None);
    assert_eq!(summary["Unhealthy"].get(0), None);
    for metric in ["MirrorHealthy", "CredentialAge", "PipelineSucceeded"] {
        assert_eq!(metrics[metric], PROJECTS, "{metric}");
    }
    for metric in ["OrphanedPipelineStacks", "HealthCheckFailed"] {
        assert_eq!(metrics[metric], 1, "{metric}");
    }
    assert_eq!(throttled, 0, "other requests would be throttled, too");
    assert!(took <= INVOCATION_TIME);
}
