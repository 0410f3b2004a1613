//! CodePipeline's events.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};

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

/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html>
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ExecutionDetail {
    pipeline: String,
    execution_id: String,
    /// Missing in the event of an execution.
    action: Option<String>,
}

impl PipelineEvent {
    /// Whether it is about the approval.
    pub fn is_about_approval(&self) -> bool {
        self.scope == Scope::Approval
    }

    /// Reads the event. `None` if it is another event, or if the pipeline's name is not one that
    /// cfn-gitops gives.
    pub fn parse(event: &str) -> Option<Self> {
        let event: EventBridgeEvent<ExecutionDetail> = serde_json::from_str(event).ok()?;
        let is_change = event.source == "aws.codepipeline"
            && matches!(
                event.detail_type.as_str(),
                "CodePipeline Pipeline Execution State Change"
                    | "CodePipeline Action Execution State Change"
            );
        let names = ResourceNames::from_pipeline_name(&event.detail.pipeline)?;
        let action = event.detail.action.as_deref();
        is_change.then_some(PipelineEvent {
            names,
            execution_id: event.detail.execution_id,
            scope: action.map_or(Scope::Execution, Scope::of_action),
        })
    }
}
