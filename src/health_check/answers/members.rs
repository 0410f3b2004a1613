//! The members of an object of an answer.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::PipelineExecutionSummary;
use serde_json::{Map, Value, json};

use crate::common::ownership::write_time;
use crate::gitops_pipeline::executions::{commit_of, title_of};

/// The members of an object. Those without a value are left out.
#[derive(Debug, Default)]
pub struct Members(Map<String, Value>);

impl Members {
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub fn set_if(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Keeps the value of a member that has one.
    pub fn set_first(&mut self, name: &str, value: Value) {
        self.0.entry(name).or_insert(value);
    }

    /// A text. An empty one has no member.
    pub fn set_text(&mut self, name: &str, text: &str) {
        self.set_if(name, Some(text).filter(|text| !text.is_empty()));
    }

    pub fn set_time(&mut self, name: &str, time: Option<SystemTime>) {
        self.set_if(name, time.map(write_time));
    }

    /// The commit of an execution, with the first line of its message.
    pub fn set_commit(&mut self, execution: &PipelineExecutionSummary) {
        self.set_if("Commit", commit_of(execution));
        self.set_if("Title", title_of(execution));
    }

    pub fn value(self) -> Value {
        Value::Object(self.0)
    }
}

/// A stack.
pub fn stack(name: &str, status: &str) -> Value {
    json!({"Name": name, "Status": status})
}
