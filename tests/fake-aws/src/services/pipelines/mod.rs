//! CodePipeline, as far as the product calls it: the executions of a pipeline with their source
//! revisions, and the start of one. Their actions are in [`action_runs`].

use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    services::{
        codecommit::Repository,
        pages::{CODEPIPELINE, page},
    },
    world::{ApiResponse, ApiResult, AwsError, Call, JsonResult, World, rejected},
};

/// The actions of CodePipeline's executions.
mod action_runs;
/// The pipelines of an account.
pub mod pipeline;

pub use pipeline::{ActionRun, Execution, Pipeline, Pipelines};
use pipeline::{FUNCTION_SESSION, not_found};

/// Ends the action of the due execution. A source action sets the source: the commit that it was
/// started with, or the branch's latest. "The pipeline execution fails when the branch is not
/// there" is the error that CodePipeline's source action shows for a missing branch (User Guide,
/// Troubleshooting). Returns whether the execution failed.
pub(crate) fn end_action(
    pipelines: &mut Pipelines,
    own: &BTreeMap<String, Repository>,
    other: &BTreeMap<String, Repository>,
    now: Duration,
    name: &str,
) -> bool {
    let Some(pipeline) = pipelines.get(name) else {
        return false;
    };
    let tip = pipeline.source().and_then(|(_, repository, branch)| {
        // With a role of another account it is that account's.
        let is_own = pipeline.properties["Stages"][0]["Actions"][0]["RoleArn"].is_null();
        let repository = if is_own {
            own.get(repository)?
        } else {
            other.get(repository)?
        };
        repository.branches.get(branch).cloned()
    });
    let pipeline = pipelines.get_mut(name).expect("just found");
    let due = pipeline.due();
    let execution = pipeline.executions.iter_mut().find(|one| one.due == due);
    let Some(execution) = execution else {
        return false;
    };
    execution.due = None;
    execution.changed = now;
    if execution.is_outdated {
        execution.status = "Cancelled";
    }
    if execution.revision.is_some() {
        return false;
    }
    if let Some(tip) = tip {
        execution.revision = execution.wanted.take().or(Some(tip));
        return false;
    }
    let fails = !execution.is_outdated;
    if fails {
        execution.status = "Failed";
    }
    fails
}

pub fn answer(pipelines: &mut Pipelines, world: &mut World, call: &Call) -> ApiResult {
    let body = match call.operation.as_str() {
        "ListPipelines" => list_pipelines(pipelines, world, call)?,
        "GetPipeline" => declaration(pipelines, call)?,
        "GetPipelineState" => state(pipelines, call)?,
        "ListPipelineExecutions" => list(pipelines, world, call)?,
        "ListActionExecutions" => action_runs::list(pipelines, world, call)?,
        "PutApprovalResult" => action_runs::put_approval_result(pipelines, world, call)?,
        "StartPipelineExecution" => {
            let revisions = call.params.get("sourceRevisions").unwrap_or(&Value::Null);
            let name = call.needed("name").to_owned();
            let token = call.text("clientRequestToken");
            let trigger = "StartPipelineExecution";
            let id = start(pipelines, world, &name, revisions, token, trigger)?;
            let executions = &mut pipelines.get_mut(&name).expect("just found").executions;
            if let Some(started) = executions.iter_mut().find(|one| one.id == id) {
                started.started_by = Some(FUNCTION_SESSION.to_owned());
            }
            json!({"pipelineExecutionId": id})
        }
        unknown => return Err(world.unknown_operation("codepipeline", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

/// "Gets a summary of all of the pipelines associated with your account." Pages are short here.
fn list_pipelines(pipelines: &Pipelines, world: &World, call: &Call) -> JsonResult {
    let names = pipelines.keys();
    let pipelines: Vec<Value> = names.map(|name| json!({"name": name})).collect();
    page(world, call, CODEPIPELINE, "pipelines", &pipelines)
}

/// "Returns the metadata, structure, stages, and actions of a pipeline." The members are those of
/// the resource type of CloudFormation, which begin with a capital letter there.
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipeline.html>
fn declaration(pipelines: &Pipelines, call: &Call) -> JsonResult {
    let name = call.needed("name");
    let pipeline = pipelines.get(name).ok_or_else(|| not_found(name))?;
    let mut declaration = renamed(&pipeline.properties);
    if let Some(members) = declaration.as_object_mut() {
        members.remove("tags");
    }
    declaration["name"] = json!(name);
    Ok(json!({"pipeline": declaration}))
}

/// The properties with the names of the API. An action's configuration has its own in both.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(renamed).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let (first, rest) = name.split_at(1);
                let value = match name.as_str() {
                    "Configuration" => value.clone(),
                    _ => renamed(value),
                };
                (first.to_lowercase() + rest, value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// "Returns information about the state of a pipeline, including the stages and actions."
fn state(pipelines: &Pipelines, call: &Call) -> JsonResult {
    let name = call.needed("name");
    let pipeline = pipelines.get(name).ok_or_else(|| not_found(name))?;
    let since = pipeline.running_since.iter().map(Some).chain(std::iter::repeat(None));
    let running = pipeline.running.iter().zip(since);
    // Of the stage's actions, each runs in the same execution.
    let inside = pipeline.executions.iter().rev().find(|one| {
        let actions = pipeline.running.iter();
        actions.clone().any(|(action, _)| one.running(action).is_some())
    });
    let running = running.map(|((action, token), since)| {
        let mut latest = json!({"status": "InProgress"});
        if let Some(id) = inside.and_then(|execution| execution.running(action)) {
            latest["actionExecutionId"] = id.into();
        }
        // "The last status change of the action", API Reference, `ActionExecution`.
        if let Some(since) = since {
            latest["lastStatusChange"] = World::seconds(*since).into();
        }
        if let Some(token) = token {
            latest["token"] = json!(token);
        }
        json!({"actionName": action, "latestExecution": latest})
    });
    let over = json!({"actionName": "Approval", "latestExecution": {"status": "Succeeded"}});
    let actions: Vec<Value> = running.chain([over, last_deployment(pipeline)]).collect();
    let transition = |stage| transition(pipeline, stage);
    let mut stage = json!({
        "stageName": "Deploy", "inboundTransitionState": transition("Deploy"),
        "actionStates": actions,
    });
    // "Information about the latest execution in the stage, including its ID and status", API
    // Reference, `StageState`: even after it has ended.
    // A superseded execution waited for the stage, so this is not one of its statuses:
    // <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageExecution.html>
    let reached = |one: &&Execution| {
        let mut actions = one.actions.iter();
        one.status != "Superseded"
            && actions.any(|run| ["CreateChangeSet", "Approval", "Deploy"].contains(&run.name))
    };
    let latest = inside.or_else(|| pipeline.executions.iter().rev().find(reached));
    if let Some(execution) = latest {
        let latest = json!({"pipelineExecutionId": execution.id, "status": execution.status});
        stage["latestExecution"] = latest;
    }
    // "The inbound executions for a stage", API Reference, `StageState`.
    let is_built = |one: &&Execution| {
        let mut actions = one.actions.iter();
        let has_built = actions.any(|run| run.name == "Build" && run.status == "Succeeded");
        has_built && one.status == "InProgress" && !reached(one)
    };
    let inbound = pipeline.executions.iter().filter(is_built);
    let inbound = inbound.map(|one| json!({"pipelineExecutionId": one.id, "status": one.status}));
    stage["inboundExecutions"] = inbound.collect();
    let source = json!({"stageName": "Source"});
    let build = json!({"stageName": "Build", "inboundTransitionState": transition("Build")});
    Ok(json!({"pipelineName": name, "stageStates": [source, build, stage]}))
}

/// The transition into a stage. "The user-specified reason why the transition between two stages of
/// a pipeline was disabled."
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_TransitionState.html>
fn transition(pipeline: &Pipeline, stage: &str) -> Value {
    let mut disabled = pipeline.disabled.iter();
    match disabled.find(|(name, _)| *name == stage) {
        None => json!({"enabled": true}),
        Some((_, reason)) => json!({
            "enabled": false,
            "lastChangedBy": "arn:aws:iam::123456789012:user/jane",
            "lastChangedAt": 1_795_816_728,
            "disabledReason": reason,
        }),
    }
}

/// The latest run of the action Deploy, which stays when another execution enters the stage (?).
fn last_deployment(pipeline: &Pipeline) -> Value {
    let runs = pipeline.executions.iter().rev().find_map(|execution| {
        let mut attempts = execution.actions.iter();
        let at = attempts.rposition(|run| run.name == "Deploy")?;
        Some((execution, at))
    });
    let Some((execution, at)) = runs else {
        return json!({"actionName": "Deploy"});
    };
    let id = pipeline::action_execution_id(&execution.id, at);
    let latest = json!({"status": execution.actions[at].status, "actionExecutionId": id});
    json!({"actionName": "Deploy", "latestExecution": latest})
}

/// "Gets a summary of the most recent executions for a pipeline."
fn list(pipelines: &Pipelines, world: &World, call: &Call) -> JsonResult {
    let name = call.needed("pipelineName");
    let pipeline = pipelines.get(name).ok_or_else(|| not_found(name))?;
    let late = world.options.executions_late;
    let is_listed = |execution: &&Execution| execution.started + late <= world.now;
    let newest_first = pipeline.executions.iter().rev().filter(is_listed);
    let action = pipeline.source().map_or("Source", |(action, _, _)| action);
    // An image is read at once; code is uploaded first.
    let second = pipeline.properties["Stages"][0]["Actions"][1]["Name"].as_str();
    let image = second.map(|name| json!({"actionName": name, "revisionId": pipeline.image}));
    let summaries: Vec<Value> = newest_first
        .map(|execution| {
            let code = execution.revision.iter();
            let code = code.map(|commit| {
                let message = format!("Change {commit}\n\nThe reason");
                json!({"actionName": action, "revisionId": commit, "revisionSummary": message})
            });
            let revisions: Vec<Value> = code.chain(image.clone()).collect();
            // The format of .../userguide/stage-rollback-view-listing.html.
            let failed = execution.rolls_back.as_ref();
            let failed = failed.map(|id| json!({"FailedPipelineExecutionId": id}).to_string());
            let kind = failed.as_ref().map_or(execution.trigger, |_| "AutomatedRollback");
            let mut trigger = json!({"triggerType": kind});
            if let Some(detail) = failed.or_else(|| execution.started_by.clone()) {
                trigger["triggerDetail"] = detail.into();
            }
            json!({
                "pipelineExecutionId": execution.id,
                "status": execution.status,
                "startTime": World::seconds(execution.started),
                "lastUpdateTime": World::seconds(execution.changed),
                "sourceRevisions": revisions,
                "trigger": trigger,
            })
        })
        .collect();
    let list = "pipelineExecutionSummaries";
    page(world, call, CODEPIPELINE, list, &summaries)
}

/// Starts an execution. `clientRequestToken` is "the system-generated unique ID used to identify
/// a unique execution request": a repeated token starts no second execution.
pub fn start(
    pipelines: &mut Pipelines,
    world: &mut World,
    name: &str,
    revisions: &Value,
    token: Option<&str>,
    trigger: &'static str,
) -> Result<String, AwsError> {
    let (now, takes) = (world.now, world.options.source_takes);
    let id = world.next_id();
    let pipeline = pipelines.get_mut(name).ok_or_else(|| not_found(name))?;
    let is_same = |one: &&Execution| token.is_some() && one.token.as_deref() == token;
    let seen = pipeline.executions.iter().find(is_same);
    if let Some(seen) = seen {
        return Ok(seen.id.clone());
    }
    let mut wanted = None;
    for revision in revisions.as_array().into_iter().flatten() {
        let is_sound = pipeline.source().is_some_and(|(action, _, _)| {
            revision["actionName"] == action && revision["revisionType"] == "COMMIT_ID"
        });
        if !is_sound {
            let message = "The source revision is not valid for the action";
            return Err(rejected("ValidationException", message));
        }
        wanted = revision["revisionValue"].as_str().map(str::to_owned);
    }
    let mut execution = Execution::new(id.clone(), trigger, now, takes, wanted);
    execution.token = token.map(str::to_owned);
    pipeline.executions.push(execution);
    Ok(id)
}
