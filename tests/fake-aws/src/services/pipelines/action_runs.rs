//! The attempts of the actions of an execution: `ListActionExecutions`.
//! <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html>

use serde_json::{Value, json};
use std::time::Duration;

use crate::{
    request::Call,
    response::AwsError,
    services::{
        pages::List,
        pipelines::{Execution, FUNCTION_SESSION, not_found},
    },
    state::AwsState,
};

/// One attempt of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRun {
    pub name: &'static str,
    /// `InProgress`, `Succeeded`, `Failed` or `Abandoned`.
    pub status: &'static str,
    /// The summary of an approval, or the error of a failed action.
    pub text: Option<&'static str>,
}

/// The ID of the attempt at this index of an execution.
fn action_execution_id(execution: &str, at: usize) -> String {
    format!("{execution}-attempt-{at}")
}

impl Execution {
    /// The `actionExecutionId` of an action that runs.
    pub(super) fn running(&self, action: &str) -> Option<String> {
        let runs = |run: &ActionRun| run.name == action && run.status == "InProgress";
        let at = self.actions.iter().rposition(runs)?;
        Some(action_execution_id(&self.id, at))
    }

    /// An action begins, for the first time or again.
    pub fn begin(&mut self, action: &'static str, now: Duration) {
        self.changed = now;
        self.actions.push(ActionRun {
            name: action,
            status: "InProgress",
            text: None,
        });
    }

    /// The latest attempt of an action ends.
    pub fn end(
        &mut self,
        action: &str,
        status: &'static str,
        text: Option<&'static str>,
        now: Duration,
    ) {
        self.changed = now;
        let mut attempts = self.actions.iter_mut().rev();
        let attempt = attempts.find(|attempt| attempt.name == action);
        let attempt = attempt.expect("an action that began");
        (attempt.status, attempt.text) = (status, text);
    }
}

/// The attempts of one execution, the newest first.
pub(crate) fn list(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = call.needed("pipelineName");
    let pipeline = aws.pipelines.get(name).ok_or_else(|| not_found(name))?;
    let filter = call.params.get("filter").unwrap_or(&Value::Null);
    let id = filter["pipelineExecutionId"].as_str().unwrap_or_default();
    let execution = pipeline.executions.iter().find(|one| one.id == id);
    let Some(execution) = execution else {
        let message = format!("The pipeline execution {id} does not exist for pipeline {name}");
        return Err(AwsError::new(
            400,
            "PipelineExecutionNotFoundException",
            message,
        ));
    };
    let newest_first = execution.actions.iter().enumerate().rev();
    let shown: Vec<Value> = newest_first.map(|(at, run)| shown(id, at, run)).collect();
    let list = List {
        name: "actionExecutionDetails",
        token: "nextToken",
        invalid_token: "InvalidNextTokenException",
    };
    list.page(aws, call, &shown)
}

/// "Provides the response to a manual approval request to CodePipeline."
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html>
pub(crate) fn put_approval_result(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let (name, action) = (call.needed("pipelineName"), call.needed("actionName"));
    let now = aws.now;
    let pipeline = aws.pipelines.get_mut(name).ok_or_else(|| not_found(name))?;
    let is_asked = |open: &(&str, Option<&str>)| *open == (action, call.text("token"));
    let Some(asked) = pipeline.running.iter().position(is_asked) else {
        let message = "The approval request already received a response or has expired.";
        return Err(AwsError::new(400, "InvalidApprovalTokenException", message));
    };
    pipeline.running.remove(asked);
    let result = &call.params["result"];
    let (status, summary) = (result["status"].as_str(), result["summary"].as_str());
    let status = if status == Some("Approved") {
        "Succeeded"
    } else {
        "Failed"
    };
    // The other texts of actions are those of the tests.
    let summary: &'static str = summary.unwrap_or_default().to_owned().leak();
    let waits = |run: &ActionRun| run.name == action && run.status == "InProgress";
    let mut executions = pipeline.executions.iter_mut();
    if let Some(waiting) = executions.find(|one| one.actions.iter().any(waits)) {
        waiting.end(action, status, Some(summary), now);
    }
    Ok(json!({"approvedAt": AwsState::seconds(now)}))
}

fn shown(id: &str, at: usize, run: &ActionRun) -> Value {
    let ActionRun { name, status, text } = run;
    let mut result = json!({});
    if let Some(text) = text {
        // The error of an action; an approval has its comment in the summary.
        if *status == "Failed" && *name != "Approval" {
            result["errorDetails"] = json!({"code": "JobFailed", "message": text});
        } else {
            result["externalExecutionSummary"] = json!(text);
        }
    }
    // "The ARN of the user who changed the pipeline execution details", API Reference,
    // `ActionExecutionDetail`.
    let by = match text {
        Some(text) if *name == "Approval" && text.starts_with("cfn-gitops: ") => FUNCTION_SESSION,
        _ => "arn:aws:sts::123456789012:assumed-role/Approver/jane",
    };
    json!({
        "updatedBy": by,
        "pipelineExecutionId": id,
        "actionExecutionId": action_execution_id(id, at),
        "actionName": name,
        "stageName": name,
        "status": status,
        "output": {"executionResult": result},
    })
}
