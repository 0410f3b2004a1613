//! The attempts of the actions of an execution: `ListActionExecutions`.
//! <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html>

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    services::{
        pages::{CODEPIPELINE, page},
        pipelines::pipeline::{
            ActionRun, Execution, FUNCTION_SESSION, Pipelines, action_execution_id, not_found,
        },
    },
    world::{Call, JsonResult, World, rejected},
};

/// The attempts of one execution, or of all of them without a filter, the newest first.
pub(crate) fn list(pipelines: &Pipelines, world: &World, call: &Call) -> JsonResult {
    let name = call.needed("pipelineName");
    let pipeline = pipelines.get(name).ok_or_else(|| not_found(name))?;
    let filter = call.params.get("filter").unwrap_or(&Value::Null);
    let Some(id) = filter["pipelineExecutionId"].as_str() else {
        let all = pipeline.executions.iter().map(with_deployment);
        let mut all: Vec<_> = all.flat_map(|one| attempts_of(&one)).collect();
        all.reverse();
        all.sort_by_key(|(begun, _)| Reverse(*begun));
        let shown: Vec<Value> = all.into_iter().map(|(_, shown)| shown).collect();
        return page(world, call, CODEPIPELINE, "actionExecutionDetails", &shown);
    };
    let execution = pipeline.executions.iter().find(|one| one.id == id);
    let Some(execution) = execution else {
        let message = format!("The pipeline execution {id} does not exist for pipeline {name}");
        return Err(rejected("PipelineExecutionNotFoundException", message));
    };
    let newest_first = attempts_of(execution).into_iter().rev();
    let shown: Vec<Value> = newest_first.map(|(_, shown)| shown).collect();
    page(world, call, CODEPIPELINE, "actionExecutionDetails", &shown)
}

/// A test may give an execution no actions. If it has succeeded, it has deployed.
fn with_deployment(execution: &Execution) -> Execution {
    let mut execution = execution.clone();
    let ended = execution.changed;
    let has_deployed = execution.actions.iter().any(|run| run.name == "Deploy");
    if execution.status == "Succeeded" && !has_deployed {
        execution.begin("Deploy", ended);
        execution.end("Deploy", "Succeeded", None, ended);
    }
    execution
}

/// When each attempt began, and the attempt.
fn attempts_of(execution: &Execution) -> Vec<(Duration, Value)> {
    let runs = execution.actions.iter().enumerate();
    let shown = runs.map(|(at, run)| (run.started, shown(&execution.id, at, run)));
    shown.collect()
}

/// "Provides the response to a manual approval request to CodePipeline."
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html>
pub(crate) fn put_approval_result(
    pipelines: &mut Pipelines,
    world: &mut World,
    call: &Call,
) -> JsonResult {
    let (name, action) = (call.needed("pipelineName"), call.needed("actionName"));
    let now = world.now;
    let pipeline = pipelines.get_mut(name).ok_or_else(|| not_found(name))?;
    let is_asked = |open: &(&str, Option<&str>)| *open == (action, call.text("token"));
    let Some(asked) = pipeline.running.iter().position(is_asked) else {
        let message = "The approval request already received a response or has expired.";
        return Err(rejected("InvalidApprovalTokenException", message));
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
    Ok(json!({"approvedAt": World::seconds(now)}))
}

fn shown(id: &str, at: usize, run: &ActionRun) -> Value {
    let ActionRun {
        name,
        status,
        text,
        started,
        changed,
        ..
    } = run;
    let mut result = json!({});
    if let Some(id) = &run.external_id {
        result["externalExecutionId"] = json!(id);
    }
    if let Some(text) = text {
        // The error of an action; an approval has its comment in the summary.
        if *status == "Failed" && *name != "Approval" {
            result["errorDetails"] = json!({"code": "JobFailed", "message": text});
        } else {
            result["externalExecutionSummary"] = json!(text);
        }
    }
    // "The ARN of the user who changed the pipeline execution details", API Reference,
    // `ActionExecutionDetail`. A request that CodePipeline ends itself, after seven days, has none.
    let by = match text {
        Some(text) if *name == "Approval" && text.starts_with("cfn-gitops: ") => {
            Some(FUNCTION_SESSION)
        }
        None if *name == "Approval" && *status == "Failed" => None,
        _ => Some("arn:aws:sts::123456789012:assumed-role/Approver/jane"),
    };
    let mut detail = json!({
        "pipelineExecutionId": id,
        "actionExecutionId": action_execution_id(id, at),
        "actionName": name,
        "stageName": name,
        "status": status,
        "startTime": World::seconds(*started),
        "lastUpdateTime": World::seconds(*changed),
        "output": {"executionResult": result},
    });
    if let Some(by) = by {
        detail["updatedBy"] = by.into();
    }
    detail
}
