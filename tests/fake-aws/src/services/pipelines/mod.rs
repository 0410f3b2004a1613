//! CodePipeline, as far as the product calls it: the executions of a pipeline with their source
//! revisions, and the start of one. Their actions are in [`action_runs`].

use serde_json::{Value, json};
use std::time::Duration;

use crate::{
    request::Call,
    response::{ApiResponse, AwsError},
    services::{pages::List, tags::Tags},
    state::AwsState,
};

/// The actions of CodePipeline's executions.
mod action_runs;

pub use action_runs::ActionRun;

/// The ARN of the function's session.
const FUNCTION_SESSION: &str =
    "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";

#[derive(Clone, Debug)]
pub struct Pipeline {
    pub properties: Value,
    pub tags: Tags,
    /// The stack that created it.
    pub stack_id: String,
    /// In the order in which they began.
    pub executions: Vec<Execution>,
    /// The actions of its stage that run now, with the token of an open approval.
    pub running: Vec<(&'static str, Option<&'static str>)>,
    /// Since when they run, in the same order; of those that are left out CodePipeline reports
    /// nothing.
    pub running_since: Vec<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub id: String,
    pub status: &'static str,
    /// `CreatePipeline`, `StartPipelineExecution` or `CloudWatchEvent`.
    pub(crate) trigger: &'static str,
    /// "The user ARN for a user-initiated start-pipeline-execution" (API Reference,
    /// `ExecutionTrigger`).
    pub started_by: Option<String>,
    /// The execution that this one rolls back by itself.
    pub rolls_back: Option<String>,
    pub started: Duration,
    /// When it last changed.
    pub changed: Duration,
    /// The attempts of its actions, in the order in which they began.
    pub actions: Vec<ActionRun>,
    /// The commit, once the source stage has taken it.
    pub revision: Option<String>,
    /// When the source stage reads the branch, or the last action of an outdated execution ends.
    due: Option<Duration>,
    /// Whether the pipeline was updated since it began.
    is_outdated: bool,
    /// The commit of the request that started it.
    wanted: Option<String>,
    token: Option<String>,
}

impl Execution {
    fn new(
        id: String,
        trigger: &'static str,
        now: Duration,
        takes: Duration,
        wanted: Option<String>,
    ) -> Self {
        Self {
            id,
            status: "InProgress",
            trigger,
            started_by: None,
            rolls_back: None,
            started: now,
            changed: now,
            actions: vec![],
            revision: None,
            due: Some(now + takes),
            is_outdated: false,
            wanted,
            token: None,
        }
    }

    /// One that has long taken its source.
    pub fn with_status(id: String, status: &'static str, now: Duration) -> Self {
        Self {
            status,
            due: None,
            ..Self::new(id, "CloudWatchEvent", now, Duration::ZERO, None)
        }
    }
}

impl Execution {
    /// Makes it one that a principal started by `StartPipelineExecution`.
    pub fn start_by(&mut self, arn: &str) {
        self.trigger = "StartPipelineExecution";
        self.started_by = Some(arn.to_owned());
    }
}

impl Pipeline {
    /// A new pipeline, which begins to run at once: "After you create your pipeline, it begins
    /// to run automatically" (User Guide, Create a pipeline).
    pub fn new(
        properties: Value,
        tags: Tags,
        stack_id: &str,
        first_run: String,
        now: Duration,
        takes: Duration,
    ) -> Self {
        Self {
            properties,
            tags,
            stack_id: stack_id.to_owned(),
            executions: vec![Execution::new(
                first_run,
                "CreatePipeline",
                now,
                takes,
                None,
            )],
            running: vec![],
            running_since: vec![],
        }
    }

    /// The CodeCommit source's action, repository and branch.
    pub fn source(&self) -> Option<(&str, &str, &str)> {
        let action = &self.properties["Stages"][0]["Actions"][0];
        let configuration = &action["Configuration"];
        Some((
            action["Name"].as_str()?,
            configuration["RepositoryName"].as_str()?,
            configuration["BranchName"].as_str()?,
        ))
    }

    /// When the next execution gets its source, or ends because the pipeline was updated.
    pub fn due(&self) -> Option<Duration> {
        self.executions.iter().filter_map(|one| one.due).min()
    }

    /// Changes the pipeline. The actions that run complete, and then their executions are
    /// `Cancelled`: "The pipeline's definition was updated before the pipeline execution could be
    /// completed" (API Reference, `PipelineExecution`). None is started: "editing a pipeline does
    /// not rerun the most recent revision through the pipeline" (User Guide, Edit a pipeline).
    pub fn update(&mut self, properties: &Value, ends: Duration) {
        let declaration = |properties: &Value| {
            let mut declaration = properties.clone();
            declaration["Tags"] = Value::Null;
            declaration
        };
        let is_changed = declaration(&self.properties) != declaration(properties);
        self.properties = properties.clone();
        let running = self.executions.iter_mut();
        for one in running.filter(|one| is_changed && one.status == "InProgress") {
            one.is_outdated = true;
            one.due.get_or_insert(ends);
        }
    }
}

/// Ends the action of the due execution. A source action sets the source: the commit that it was
/// started with, or the branch's latest. "The pipeline execution fails when the branch is not
/// there" is the error that CodePipeline's source action shows for a missing branch (User Guide,
/// Troubleshooting).
pub(crate) fn end_action(aws: &mut AwsState, name: &str) {
    let Some(pipeline) = aws.pipelines.get(name) else {
        return;
    };
    let tip = pipeline.source().and_then(|(_, repository, branch)| {
        // With a role of another account it is that account's.
        let is_own = pipeline.properties["Stages"][0]["Actions"][0]["RoleArn"].is_null();
        let repository = if is_own {
            aws.repositories.get(repository)?
        } else {
            aws.other_account.repositories.get(repository)?
        };
        repository.branches.get(branch).cloned()
    });
    let now = aws.now;
    let pipeline = aws.pipelines.get_mut(name).expect("just found");
    let due = pipeline.due();
    let execution = pipeline.executions.iter_mut().find(|one| one.due == due);
    let Some(execution) = execution else { return };
    execution.due = None;
    execution.changed = now;
    if execution.is_outdated {
        execution.status = "Cancelled";
    }
    if execution.revision.is_some() {
        return;
    }
    if let Some(tip) = tip {
        execution.revision = execution.wanted.take().or(Some(tip));
    } else if !execution.is_outdated {
        execution.status = "Failed";
        aws.failed_runs.push(name.to_owned());
    }
}

pub fn answer(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    let body = match call.operation.as_str() {
        "ListPipelines" => list_pipelines(aws, call)?,
        "GetPipelineState" => state(aws, call)?,
        "ListPipelineExecutions" => list(aws, call)?,
        "ListActionExecutions" => action_runs::list(aws, call)?,
        "PutApprovalResult" => action_runs::put_approval_result(aws, call)?,
        "StartPipelineExecution" => {
            let revisions = call.params.get("sourceRevisions").unwrap_or(&Value::Null);
            let name = call.needed("name").to_owned();
            let token = call.text("clientRequestToken");
            let id = start(aws, &name, revisions, token, "StartPipelineExecution")?;
            let executions = &mut aws.pipelines.get_mut(&name).expect("just found").executions;
            if let Some(started) = executions.iter_mut().find(|one| one.id == id) {
                started.started_by = Some(FUNCTION_SESSION.to_owned());
            }
            json!({"pipelineExecutionId": id})
        }
        unknown => return Err(aws.unknown_operation("codepipeline", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

/// "Gets a summary of all of the pipelines associated with your account." Pages are short here.
fn list_pipelines(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let names = aws.pipelines.keys();
    let pipelines: Vec<Value> = names.map(|name| json!({"name": name})).collect();
    let list = List {
        name: "pipelines",
        token: "nextToken",
        invalid_token: "InvalidNextTokenException",
    };
    list.page(aws, call, &pipelines)
}

/// "Returns information about the state of a pipeline, including the stages and actions."
fn state(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = call.needed("name");
    let pipeline = aws.pipelines.get(name).ok_or_else(|| not_found(name))?;
    let since = pipeline.running_since.iter().map(Some);
    let since = since.chain(std::iter::repeat(None));
    let running = pipeline.running.iter().zip(since);
    // Of the stage's actions, each runs in the same execution.
    let inside = pipeline.executions.iter().rev().find(|one| {
        let actions = pipeline.running.iter();
        actions
            .clone()
            .any(|(action, _)| one.running(action).is_some())
    });
    let running = running.map(|((action, token), since)| {
        let mut latest = json!({"status": "InProgress"});
        if let Some(id) = inside.and_then(|execution| execution.running(action)) {
            latest["actionExecutionId"] = id.into();
        }
        // "The last status change of the action", API Reference, `ActionExecution`.
        if let Some(since) = since {
            latest["lastStatusChange"] = AwsState::seconds(*since).into();
        }
        if let Some(token) = token {
            latest["token"] = json!(token);
        }
        json!({"actionName": action, "latestExecution": latest})
    });
    let over = json!({"actionName": "Approval", "latestExecution": {"status": "Succeeded"}});
    let actions: Vec<Value> = running
        .chain([over, json!({"actionName": "Deploy"})])
        .collect();
    let mut stage = json!({"stageName": "Deploy", "actionStates": actions});
    if let Some(execution) = inside {
        let latest = json!({"pipelineExecutionId": execution.id, "status": execution.status});
        stage["latestExecution"] = latest;
    }
    Ok(json!({"pipelineName": name, "stageStates": [{"stageName": "Source"}, stage]}))
}

/// "Gets a summary of the most recent executions for a pipeline."
fn list(aws: &AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = call.needed("pipelineName");
    let pipeline = aws.pipelines.get(name).ok_or_else(|| not_found(name))?;
    let late = aws.options.executions_late;
    let is_listed = |execution: &&Execution| execution.started + late <= aws.now;
    let newest_first = pipeline.executions.iter().rev().filter(is_listed);
    let action = pipeline.source().map_or("Source", |(action, _, _)| action);
    // An image is read at once; code is uploaded first.
    let second = pipeline.properties["Stages"][0]["Actions"][1]["Name"].as_str();
    let image = second.map(|name| json!({"actionName": name, "revisionId": "sha256:0a1b2c"}));
    let summaries: Vec<Value> = newest_first
        .map(|execution| {
            let revisions: Vec<Value> = execution
                .revision
                .iter()
                .map(|commit| json!({"actionName": action, "revisionId": commit}))
                .chain(image.clone())
                .collect();
            // The format of .../userguide/stage-rollback-view-listing.html.
            let trigger = execution.rolls_back.as_ref().map_or_else(
                || json!({"triggerType": execution.trigger, "triggerDetail": execution.started_by}),
                |failed| {
                    let detail = json!({"FailedPipelineExecutionId": failed}).to_string();
                    json!({"triggerType": "AutomatedRollback", "triggerDetail": detail})
                },
            );
            json!({
                "pipelineExecutionId": execution.id,
                "status": execution.status,
                "startTime": AwsState::seconds(execution.started),
                "lastUpdateTime": AwsState::seconds(execution.changed),
                "sourceRevisions": revisions,
                "trigger": trigger,
            })
        })
        .collect();
    let list = List {
        name: "pipelineExecutionSummaries",
        token: "nextToken",
        invalid_token: "InvalidNextTokenException",
    };
    list.page(aws, call, &summaries)
}

/// Starts an execution. `clientRequestToken` is "the system-generated unique ID used to identify
/// a unique execution request": a repeated token starts no second execution.
pub fn start(
    aws: &mut AwsState,
    name: &str,
    revisions: &Value,
    token: Option<&str>,
    trigger: &'static str,
) -> Result<String, AwsError> {
    let (now, takes) = (aws.now, aws.options.source_takes);
    let id = aws.next_id();
    let pipeline = aws.pipelines.get_mut(name).ok_or_else(|| not_found(name))?;
    let seen = pipeline
        .executions
        .iter()
        .find(|one| token.is_some() && one.token.as_deref() == token);
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
            return Err(AwsError::new(400, "ValidationException", message));
        }
        wanted = revision["revisionValue"].as_str().map(str::to_owned);
    }
    let mut execution = Execution::new(id.clone(), trigger, now, takes, wanted);
    execution.token = token.map(str::to_owned);
    pipeline.executions.push(execution);
    Ok(id)
}

pub(crate) fn not_found(name: &str) -> AwsError {
    let message = format!("Account '123456789012' does not have a pipeline with name '{name}'");
    AwsError::new(400, "PipelineNotFoundException", message)
}
