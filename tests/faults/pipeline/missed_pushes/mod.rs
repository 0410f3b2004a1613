//! Pushes whose events are lost, doubled, late or reversed, or whose executions an update canceled:
//! the health check deploys the branch's tip.

mod canceled;
mod conditions;
mod schedules;
mod undone;

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{
    BRANCH, PIPELINE, REPOSITORY, change_pipeline, created, deliver_events, properties, pushed,
};
use fake_aws::FakeAws;
use test_support::custom_resource::{ParentStack, StackRequest, deliver_once};

/// How often the health check runs.
const INTERVAL: Duration = Duration::from_mins(15);

/// The project of `properties`, whose pipeline has deployed `commit-1`.
async fn deployed_with(properties: &Value) -> (FakeAws, ParentStack) {
    let (fake, stack) = created(properties).await;
    let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-1", &[("shop/a", "1")]);
    deliver_events(&fake, &reactions, "first").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    end_executions(&fake, "Succeeded");
    assert_commits(&fake, &["commit-1"]);
    (fake, stack)
}

async fn deployed() -> (FakeAws, ParentStack) {
    deployed_with(&properties()).await
}

/// Ends all executions that run.
fn end_executions(fake: &FakeAws, status: &'static str) {
    change_pipeline(fake, |pipeline, _| {
        let executions = pipeline.executions.iter_mut();
        for one in executions.filter(|one| one.status == "InProgress") {
            one.status = status;
        }
    });
}

/// The commits and the statuses of the executions, the oldest first.
fn executions(fake: &FakeAws) -> Vec<(String, &'static str)> {
    fake.look(|aws| {
        let executions = aws.pipelines[PIPELINE].executions.iter();
        executions
            .map(|one| (one.revision.clone().unwrap_or_default(), one.status))
            .collect()
    })
}

#[track_caller]
fn assert_executions(fake: &FakeAws, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(commit, status)| ((*commit).to_owned(), *status));
    assert_eq!(executions(fake), expected.collect::<Vec<_>>());
}

/// The commits of the executions, the oldest first.
fn commits(fake: &FakeAws) -> Vec<String> {
    let executions = executions(fake).into_iter();
    executions.map(|(commit, _)| commit).collect()
}

#[track_caller]
fn assert_commits(fake: &FakeAws, expected: &[&str]) {
    assert_eq!(commits(fake), expected);
}

/// How many executions the function has started since the pipeline exists.
fn started_by_function(fake: &FakeAws) -> usize {
    fake.look(|aws| {
        let executions = aws.pipelines[PIPELINE].executions.iter();
        let is_own = |arn: &String| arn.contains("/role-dev-cfn-gitops/");
        executions.filter(|one| one.started_by.as_ref().is_some_and(is_own)).count()
    })
}

/// The event of a health check.
fn health_check(fake: &FakeAws, name: &str) -> StackRequest {
    pushed(fake, name, json!({"HealthCheck": {"EnvID": "dev"}}))
}

async fn check_health(fake: &FakeAws, name: &str) {
    deliver_once(fake, name, &health_check(fake, name)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
}

/// Another push, whose event is lost.
fn lose_push(fake: &FakeAws, commit: &str) -> Value {
    fake.push_without_event(REPOSITORY, BRANCH, commit)
}
