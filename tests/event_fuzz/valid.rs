//! Valid events, with which mutations start, each with an address of its own.

use serde_json::{Value, json};

use crate::variants::text;
use fake_aws::FakeAws;

/// Occurs in a value for the build project, and in no output.
pub const SENTINEL: &str = "SentinelForTheBuild";

/// When a continuation was received, until an event has a time of its own.
pub const RECEIVED: u64 = 1_795_176_000;

/// For a credential: first the Create, then a stack's other requests.
pub fn credentials(fake: &FakeAws) -> Vec<Value> {
    let files = [
        "create",
        "create-every-property",
        "create-unknown-type",
        "update-nothing",
        "update",
        "update-secret-name",
        "delete",
        "delete-invented-id",
        "unknown-request-type",
    ];
    let mut events: Vec<Value> = files.iter().map(|file| event(fake, file)).collect();
    let mut another = events[0].clone();
    another["ResourceType"] = json!("Custom::GitOpsPipeline");
    events.push(another);
    events
}

/// For a pipeline: first the Create, then a stack's other requests, two continuations, and a first
/// push.
pub fn pipelines(fake: &FakeAws) -> Vec<Value> {
    let files = [
        "pipeline-create",
        "pipeline-create-every-property",
        "pipeline-update",
        "pipeline-update-project",
        "pipeline-delete",
        "pipeline-delete-invented-id",
        "continuation",
        "first-push",
    ];
    let mut events: Vec<Value> = files.iter().map(|file| event(fake, file)).collect();
    let mut update = events[2].clone();
    update["ResourceProperties"] = events[1]["ResourceProperties"].clone();
    let position = json!({"Hop": 1, "Received": RECEIVED});
    events.push(json!({"Continuation": position, "Event": update.clone()}));
    events.push(update);
    events
}

pub fn event(fake: &FakeAws, file: &str) -> Value {
    let mut text = text(file);
    if !text.contains("Custom::MirrorCredential") {
        // The repository of the credentials exists before every pipeline.
        text = text.replace("infra", "orders");
    }
    let mut event: Value = serde_json::from_str(&text).expect("JSON");
    for address in ["/ResponseURL", "/Event/ResponseURL"] {
        if let Some(address) = event.pointer_mut(address) {
            *address = json!(fake.response_url(file));
        }
    }
    let variables = "/ResourceProperties/Build/EnvironmentVariables";
    if let Some(variables) = event.pointer_mut(variables) {
        variables["Password"] = json!(SENTINEL);
    }
    event
}
