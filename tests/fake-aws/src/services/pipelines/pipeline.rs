//! The pipelines of an account, their executions, and the attempts of their actions.

use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

use crate::world::{AwsError, Tags, rejected};

/// The ARN of the function's session.
pub const FUNCTION_SESSION: &str =
    "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";

/// All pipelines of the account, by name.
pub type Pipelines = BTreeMap<String, Pipeline>;

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
    /// The digest of the image that its executions have read.
    pub image: String,
    /// The disabled transitions: the stages, each with the reason.
    pub disabled: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub(super) due: Option<Duration>,
    /// Whether the pipeline was updated since it began.
    pub(super) is_outdated: bool,
    /// The commit of the request that started it.
    pub(super) wanted: Option<String>,
    pub(super) token: Option<String>,
}

/// One attempt of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRun {
    pub name: &'static str,
    /// `InProgress`, `Succeeded`, `Failed` or `Abandoned`.
    pub status: &'static str,
    /// The summary of an approval, or the error of a failed action.
    pub text: Option<&'static str>,
    /// The ID in the service that runs it: "The external ID of the action execution".
    /// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecutionResult.html>
    pub external_id: Option<String>,
    /// When it began, and when it last changed.
    pub started: Duration,
    pub changed: Duration,
}

/// The ID of the attempt at this index of an execution.
pub fn action_execution_id(execution: &str, at: usize) -> String {
    format!("{execution}-attempt-{at}")
}

impl Execution {
    pub(super) fn new(
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
            started: now,
            changed: now,
            due: Some(now + takes),
            wanted,
            ..Self::default()
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

    /// Makes it one that a principal started by `StartPipelineExecution`.
    pub fn start_by(&mut self, arn: &str) {
        self.trigger = "StartPipelineExecution";
        self.started_by = Some(arn.to_owned());
    }

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
            external_id: None,
            started: now,
            changed: now,
        });
    }

    /// The latest attempt of an action is the job with this ID in another service.
    pub fn run_as(&mut self, action: &str, external_id: &str) {
        let attempt = self.actions.iter_mut().rev().find(|attempt| attempt.name == action);
        attempt.expect("an action that began").external_id = Some(external_id.to_owned());
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
        let attempt = self.actions.iter_mut().rev().find(|attempt| attempt.name == action);
        let attempt = attempt.expect("an action that began");
        (attempt.status, attempt.text, attempt.changed) = (status, text, now);
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
        let first = Execution::new(first_run, "CreatePipeline", now, takes, None);
        Self {
            properties,
            tags,
            stack_id: stack_id.to_owned(),
            executions: vec![first],
            running: vec![],
            running_since: vec![],
            image: format!("sha256:{}", "0a1b2c3d".repeat(8)),
            disabled: vec![],
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

pub(crate) fn not_found(name: &str) -> AwsError {
    let message = format!("Account '123456789012' does not have a pipeline with name '{name}'");
    rejected("PipelineNotFoundException", message)
}
