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
const CHILD: &str = "gitops-dev-shop";
const BRANCH: &str = "development";

const CREDENTIAL: &str = "Custom::MirrorCredential";
const PIPELINE: &str = "Custom::GitOpsPipeline";

/// The resources that exist all day.
pub fn prepare(fake: &FakeAws) {
    fake.user(USER);
    fake.repository(MIRRORED);
    fake.gitlab_project(PROJECT, &["main"]);
    fake.gitlab_token(TOKEN);
}

/// One hour's events.
pub async fn pass(fake: &FakeAws, environment: &mut Environment, hour: usize) {
    let before = mirror(1);
    let created = environment
        .request("Create", CREDENTIAL, SECRET, &before, None)
        .await;
    succeeded(&created);
    invalid_events(environment).await;
    check_health(environment).await;
    rotate(fake, environment).await;

    a_pipelines_life(fake, environment, hour).await;

    let after = mirror(hour + 1);
    let updated = environment
        .request("Update", CREDENTIAL, SECRET, &after, Some(&before))
        .await;
    succeeded(&updated);
    check_health(environment).await;
    refused(environment).await;
    let deleted = environment
        .request("Delete", CREDENTIAL, SECRET, &after, None)
        .await;
    succeeded(&deleted);
    // A resource that is deleted twice does not exist any more.
    let again = environment
        .request("Delete", CREDENTIAL, SECRET, &after, None)
        .await;
    succeeded(&again);
}

async fn a_pipelines_life(fake: &FakeAws, environment: &mut Environment, hour: usize) {
    let made = pipeline(60);
    let created = environment
        .request("Create", PIPELINE, CHILD, &made, None)
        .await;
    succeeded(&created);
    let commit = format!("commit-{hour}");
    for reaction in fake.push("codecommit-dev-cfn-shop", BRANCH, &commit) {
        if let Reaction::Event { payload, .. } = reaction {
            let told = environment.answer(&payload).await;
            assert!(told.is_ok(), "{told:?}");
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    check_health(environment).await;
    let changed = pipeline(30);
    let updated = environment
        .request("Update", PIPELINE, CHILD, &changed, Some(&made))
        .await;
    succeeded(&updated);
    let deleted = environment
        .request("Delete", PIPELINE, CHILD, &changed, None)
        .await;
    succeeded(&deleted);
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
        let done = environment.answer(&event).await;
        assert!(done.is_ok(), "{step}: {done:?}");
    }
}

async fn check_health(environment: &mut Environment) {
    let checked = environment
        .answer(&json!({"HealthCheck": {"EnvID": "dev"}}))
        .await;
    assert!(checked.is_ok(), "{checked:?}");
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
    for kind in [CREDENTIAL, PIPELINE, "Custom::Unknown"] {
        let answer = environment.request("Create", kind, "", &wrong, None).await;
        assert_eq!(answer["Status"], "FAILED", "{answer}");
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

fn succeeded(answer: &Value) {
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
}
