//! The events of one hour. At its end everything is deleted again, so that the memory
//! can be compared from hour to hour.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::Environment;
use fake_aws::{FakeAws, Reaction};
use test_support::custom_resource::FUNCTION;
use test_support::{Rotation, RotationStep};

const USER: &str = "user-dev-mirror";
const SECRET: &str = "codecommit-mirror/user-dev-mirror";
const MIRRORED: &str = "codecommit-dev-cfn-infra";
const PROJECT: &str = "platform/infra";
const TOKEN: &str = "gitlab/token";
const BRANCH: &str = "development";

const CREDENTIAL: (&str, &str) = ("Custom::MirrorCredential", SECRET);
const PIPELINE: (&str, &str) = ("Custom::GitOpsPipeline", "gitops-dev-shop");

/// The resources that exist all day.
pub fn prepare(fake: &FakeAws) {
    fake.user(USER);
    fake.repository(MIRRORED);
    fake.gitlab_project(PROJECT, &["main"]);
    fake.gitlab_token(TOKEN);
}

/// One hour's events.
pub async fn pass(fake: &FakeAws, environment: &mut Environment, hour: usize) {
    let (before, after) = (mirror(1), mirror(hour + 1));
    succeeds(environment, "Create", CREDENTIAL, [&before, &before]).await;
    invalid_events(environment).await;
    check_health(environment).await;
    rotate(fake, environment).await;

    a_pipelines_life(fake, environment, hour).await;

    succeeds(environment, "Update", CREDENTIAL, [&after, &before]).await;
    check_health(environment).await;
    refused(environment).await;
    // A resource that is deleted twice does not exist any more.
    for _ in 0..2 {
        succeeds(environment, "Delete", CREDENTIAL, [&after, &after]).await;
    }
}

/// A request with these properties and old ones, which succeeds.
async fn succeeds(
    environment: &mut Environment,
    what: &str,
    resource: (&str, &str),
    [properties, old]: [&Value; 2],
) {
    let request = (what, "SUCCESS");
    environment
        .request(request, resource, properties, old)
        .await;
}

async fn a_pipelines_life(fake: &FakeAws, environment: &mut Environment, hour: usize) {
    let (made, changed) = (pipeline(60), pipeline(30));
    succeeds(environment, "Create", PIPELINE, [&made, &made]).await;
    let commit = format!("commit-{hour}");
    for reaction in fake.push("codecommit-dev-cfn-shop", BRANCH, &commit) {
        if let Reaction::Event { payload, .. } = reaction {
            environment.succeeds(&payload).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    check_health(environment).await;
    succeeds(environment, "Update", PIPELINE, [&changed, &made]).await;
    succeeds(environment, "Delete", PIPELINE, [&changed, &changed]).await;
}

async fn rotate(fake: &FakeAws, environment: &mut Environment) {
    // Only to name the version; the steps go to the one environment.
    let mut rotation = Rotation::of(fake, SECRET, |_, caller| caller.connector());
    rotation.begin().expect("no rotation is in progress");
    let arn = fake.look(|aws| aws.secrets[SECRET].arn.clone());
    for step in RotationStep::ALL {
        let event = json!({
            "Step": step.to_string(), "SecretId": arn, "ClientRequestToken": rotation.version(),
        });
        environment.succeeds(&event).await;
    }
}

async fn check_health(environment: &mut Environment) {
    let event = json!({"HealthCheck": {"EnvID": "dev"}});
    environment.succeeds(&event).await;
}

/// Invalid events, and unreadable ones.
async fn invalid_events(environment: &mut Environment) {
    let deep = "[".repeat(5000);
    let long = format!(r#"{{"RequestType": "{}"}}"#, "x".repeat(100_000));
    for event in [
        "",
        "7",
        "null",
        "{}",
        "{\"Step\": 1}",
        deep.as_str(),
        long.as_str(),
    ] {
        let answered = environment.answer_text(event).await;
        assert!(answered.is_err(), "{answered:?}");
    }
}

/// Requests that are rejected.
async fn refused(environment: &mut Environment) {
    let wrong = json!({"ServiceToken": FUNCTION, "UserName": 7, "Nonsense": "x".repeat(3000)});
    for resource in [CREDENTIAL, PIPELINE, ("Custom::Unknown", "")] {
        let request = ("Create", "FAILED");
        environment.request(request, resource, &wrong, &wrong).await;
    }
}

fn mirror(serial: usize) -> Value {
    json!({
        "ServiceToken": FUNCTION, "UserName": USER, "RotationSerial": serial.to_string(),
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN},
        "Mirrors": [{"GitLabProject": PROJECT, "RepositoryName": MIRRORED}],
    })
}

fn pipeline(minutes: u32) -> Value {
    json!({
        "ServiceToken": FUNCTION, "EnvID": "dev", "ProjectID": "shop",
        "Build": {"TimeoutInMinutes": minutes.to_string()},
    })
}
