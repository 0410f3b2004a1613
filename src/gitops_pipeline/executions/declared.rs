//! A pipeline as it is now, as far as it decides about an execution that a person starts.

use aws_sdk_codepipeline::types::{
    ActionCategory, ActionDeclaration, ExecutionMode, PipelineDeclaration, StageDeclaration,
};

use super::SOURCE;
use crate::clients::aws::{Aws, CallError, optional};

/// The stages and actions of a pipeline. A person may have changed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPipeline {
    pub mode: PipelineMode,
    pub sources: Vec<SourceAction>,
    pub has_approval: bool,
    pub windows: Vec<StageWindow>,
}

/// How a pipeline treats several executions at once.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineMode {
    Superseded,
    Queued,
    /// In another one, CodePipeline may deploy another commit than the one that is named.
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAction {
    pub name: String,
    /// The service, as CodePipeline names it.
    pub provider: String,
    /// The branch that it reads. `None` if it reads none.
    pub branch: Option<String>,
    /// Whether it reads with a role of its own, from another account.
    pub has_role: bool,
}

/// A window outside of which executions wait for a stage.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageWindow {
    pub stage: String,
    pub cron: String,
    pub time_zone: String,
}

impl PipelineMode {
    /// The text of AWS.
    pub fn as_str(&self) -> &str {
        match self {
            PipelineMode::Superseded => "SUPERSEDED",
            PipelineMode::Queued => "QUEUED",
            PipelineMode::Other(text) => text,
        }
    }
}

impl DeclaredPipeline {
    /// The action that reads the code.
    pub fn code(&self) -> Option<&SourceAction> {
        self.sources.iter().find(|source| source.name == SOURCE)
    }
}

/// Reads a pipeline. `None` if it does not exist.
pub async fn read(aws: &Aws, name: &str) -> Result<Option<DeclaredPipeline>, CallError> {
    let call = aws.codepipeline.get_pipeline().name(name);
    let found = optional(call.send().await, &["PipelineNotFoundException"], || {
        format!("looking up pipeline {name}")
    })?;
    Ok(found.and_then(|output| output.pipeline).map(|it| declared(&it)))
}

fn declared(pipeline: &PipelineDeclaration) -> DeclaredPipeline {
    let actions = || pipeline.stages().iter().flat_map(|stage| stage.actions());
    let is_of = |action: &ActionDeclaration, category: &ActionCategory| {
        action.action_type_id().is_some_and(|it| it.category() == category)
    };
    let sources = actions().filter(|action| is_of(action, &ActionCategory::Source));
    DeclaredPipeline {
        mode: match pipeline.execution_mode() {
            None | Some(ExecutionMode::Superseded) => PipelineMode::Superseded,
            Some(ExecutionMode::Queued) => PipelineMode::Queued,
            Some(other) => PipelineMode::Other(other.as_str().to_owned()),
        },
        sources: sources.map(source).collect(),
        has_approval: actions().any(|action| is_of(action, &ActionCategory::Approval)),
        windows: pipeline.stages().iter().filter_map(window).collect(),
    }
}

fn source(action: &ActionDeclaration) -> SourceAction {
    let kind = action.action_type_id();
    SourceAction {
        name: action.name().to_owned(),
        provider: kind.map_or("", |kind| kind.provider()).to_owned(),
        branch: action.configuration().and_then(|it| it.get("BranchName")).cloned(),
        has_role: action.role_arn().is_some(),
    }
}

fn window(stage: &StageDeclaration) -> Option<StageWindow> {
    let mut rules = stage.before_entry()?.conditions().iter().flat_map(|it| it.rules());
    let rule = rules
        .find(|rule| rule.rule_type_id().is_some_and(|it| it.provider() == "DeploymentWindow"))?;
    let set = |name: &str| rule.configuration().and_then(|it| it.get(name)).cloned();
    Some(StageWindow {
        stage: stage.name().to_owned(),
        cron: set("Cron").unwrap_or_else(|| "?".to_owned()),
        time_zone: set("TimeZone").unwrap_or_else(|| "UTC".to_owned()),
    })
}
