//! CodePipeline's events.

use serde_json::Value;

use crate::feedback::reporting::plan::Scope;
use crate::gitops_pipeline::names::ResourceNames;

/// A change of an execution of a pipeline of cfn-gitops. The event's state is not read, because a
/// later event may have been delivered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineEvent {
    pub names: ResourceNames,
    pub execution_id: String,
    pub scope: Scope,
}

impl PipelineEvent {
    pub fn is_about_approval(&self) -> bool {
        self.scope == Scope::Approval
    }

    /// Parses the event's `detail`. `None` if the pipeline's name is not one that cfn-gitops gives.
    /// <https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html>
    pub fn parse(detail: &Value) -> Option<Self> {
        Some(PipelineEvent {
            names: ResourceNames::from_pipeline_name(detail["pipeline"].as_str()?)?,
            execution_id: detail["execution-id"].as_str()?.to_owned(),
            // The event of an execution names no action.
            scope: detail["action"].as_str().map_or(Scope::Execution, Scope::of_action),
        })
    }
}
