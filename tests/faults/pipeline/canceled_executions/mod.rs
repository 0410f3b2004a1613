//! An update of a pipeline cancels its executions. The canceled commit is started again, once.

mod conditions;
mod schedules;

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::watch;
use crate::fixture::{PIPELINE, REPOSITORY, fake, properties, push, pushed, stack, with};
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, RequestOutcome, deliver_once};

/// How long the action still runs that is running at the update.
const LONG_ACTION: Duration = Duration::from_mins(10);

/// A change of the pipeline.
fn approving() -> Value {
    with(properties(), "Approval", json!({"CustomData": "Look"}))
}

/// The project with an execution of `commit-1`, which waits for its approval.
async fn waiting(options: Options) -> (FakeAws, ParentStack) {
    let fake = fake(options);
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    stack.create(&properties()).await.assert_success();
    push(&fake, REPOSITORY, "commit-1", "first").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_executions(&fake, &[("commit-1", "InProgress")]);
    (fake, stack)
}

/// The commits and the statuses of the executions, the oldest first.
#[track_caller]
fn assert_executions(fake: &FakeAws, expected: &[(&str, &str)]) {
    let found = executions(fake);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(commit, status)| (&**commit, *status))
        .collect();
    assert_eq!(found, expected);
}

fn executions(fake: &FakeAws) -> Vec<(String, &'static str)> {
    fake.look(|aws| {
        let executions = aws.pipelines[PIPELINE].executions.iter();
        executions
            .map(|one| (one.revision.clone().unwrap_or_default(), one.status))
            .collect()
    })
}

/// One start of the canceled commit.
const AGAIN: &[(&str, &str)] = &[("commit-1", "Cancelled"), ("commit-1", "InProgress")];

/// No start.
const CANCELED: &[(&str, &str)] = &[("commit-1", "Cancelled")];

async fn update(stack: &mut ParentStack, wanted: &Value) -> RequestOutcome {
    let answer = stack.update(wanted, None).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    answer
}

async fn check_health(fake: &FakeAws, name: &str) {
    let check = pushed(fake, name, json!({"HealthCheck": {"EnvID": "dev"}}));
    deliver_once(fake, name, &check).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
}
