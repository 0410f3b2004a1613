//! The rows of `variants.json`: an event of `events/` or of `event_fuzz/events/`, or a change of
//! one. Each has the events before it, in an account of its own, and the status that CloudFormation
//! receives, or `nothing` if it receives no response.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

/// The stack of the rows `by` another one.
const ANOTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/borrower/1";

#[derive(Deserialize)]
pub struct Row {
    pub event: String,
    of: Option<String>,
    by: Option<String>,
    #[serde(default)]
    pub after: Vec<String>,
    pub result: String,
    /// The difference, as a JSON Merge Patch (RFC 7396).
    #[serde(default)]
    with: Value,
}

pub fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("variants.json")).expect("rows")
}

/// The text of a row's event.
pub fn text(name: &str) -> String {
    let row = rows().into_iter().find(|row| row.event == name).expect(name);
    let Some(of) = row.of else {
        return file(name);
    };
    let mut event: Value = serde_json::from_str(&file(&of)).expect("JSON");
    event["RequestId"] = json!(name);
    if row.by.is_some() {
        event["StackId"] = json!(ANOTHER_STACK);
        event["LogicalResourceId"] = json!("Borrowed");
    }
    merge(&mut event, row.with);
    event.to_string()
}

fn file(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["events", "tests/event_fuzz/events"].into_iter();
    let mut files = folders.map(|folder| root.join(folder).join(format!("{name}.json")));
    let file = files.find(|file| file.exists()).expect(name);
    std::fs::read_to_string(file).expect(name)
}

fn merge(target: &mut Value, patch: Value) {
    let (Value::Object(patch), true) = (&patch, target.is_object()) else {
        if !patch.is_null() {
            *target = patch;
        }
        return;
    };
    for (name, change) in patch {
        if change.is_null() {
            target.as_object_mut().expect("an object").remove(name);
        } else {
            merge(&mut target[name], change.clone());
        }
    }
}
