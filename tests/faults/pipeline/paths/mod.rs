//! `Source.Paths`: pushes that start the pipeline, and pushes that do not.

mod deliveries;
mod projects;
mod starts;

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::assert_runs;
use crate::fixture::{BRANCH, REPOSITORY, created, event, properties, pushed, with};
use fake_aws::FakeAws;
use test_support::custom_resource::{ParentStack, deliver_all};

/// A commit's files.
type Files = [(&'static str, &'static str)];

const FIRST: &Files = &[("services/shop/a", "1"), ("docs/a", "1"), ("a.md", "1")];
const MATCHING: &Files = &[("services/shop/a", "2"), ("docs/a", "1"), ("a.md", "1")];
const OTHER: &Files = &[("services/shop/a", "1"), ("docs/a", "2"), ("a.md", "1")];

fn wanted() -> Value {
    let paths = json!({"Includes": ["services/shop/**"], "Excludes": ["**/*.md"]});
    with(properties(), "Source", json!({"Paths": paths}))
}

/// The project after its branch's first push.
async fn running() -> (FakeAws, ParentStack) {
    let (fake, stack) = created(&wanted()).await;
    push(&fake, "commit-1", FIRST, "first").await;
    assert_runs(&fake, &[("commit-1", 1)]);
    tokio::time::sleep(Duration::from_mins(2)).await;
    (fake, stack)
}

/// Pushes a commit without delivering the event.
fn event_of(fake: &FakeAws, commit: &str, files: &Files) -> Value {
    event(&fake.push_files(REPOSITORY, BRANCH, commit, files))
}

async fn deliver(fake: &FakeAws, event: &Value, name: &str) {
    deliver_all(fake, &pushed(fake, name, event.clone()), false).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
}

async fn push(fake: &FakeAws, commit: &str, files: &Files, name: &str) {
    deliver(fake, &event_of(fake, commit, files), name).await;
}
