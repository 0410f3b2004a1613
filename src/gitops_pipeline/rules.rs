//! The names and limits of pipelines that the operator's command reads, as data.
//!
//! `cli/rules.json` has them: `tests/schemas` compares the file with this module.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::StackStatus as SdkStatus;
use aws_sdk_codepipeline::types::{PipelineExecutionStatus, PipelineExecutionSummary};
use serde_json::{Value, json};

use super::executions::status_of;
use super::names::{self, EventRule};
use super::template::STACK_NAME_TAG;
use crate::clients::cloudformation::StackStatus;
use crate::common::ownership;

/// The rules that the operator's command reads.
pub fn rules() -> Value {
    json!({
        "names": {
            "stack": names::STACK.0,
            "repository": names::REPOSITORY.0,
            "pipeline": names::PIPELINE.0,
            "deployed_stack": names::DEPLOYED_STACK.0,
            "deploy_role": names::DEPLOY_ROLE.0,
            "provisioning_role": names::PROVISIONING_ROLE.0,
            "artifact_bucket": names::ARTIFACT_BUCKET.0,
            "service_token": names::SERVICE_TOKEN.0,
        },
        "event_rules": {
            "push": EventRule::Push.scheme().0,
            "image": EventRule::Image.scheme().0,
            "review": EventRule::Review.scheme().0,
        },
        "frozen_stages": names::FROZEN_STAGES,
        "tags": {
            "stack_id": ownership::STACK_ID,
            "logical_id": ownership::LOGICAL_ID,
            "stack_name": STACK_NAME_TAG,
        },
        "ended": ended(),
        "stack_statuses": stack_statuses(),
    })
}

/// The conditions that each status of a stack meets.
fn stack_statuses() -> BTreeMap<&'static str, Vec<&'static str>> {
    let all = SdkStatus::values().iter();
    all.map(|text| (*text, StackStatus::parse(Some(text)).meanings())).collect()
}

/// The statuses in which an execution has ended for certain.
fn ended() -> Vec<&'static str> {
    let all = PipelineExecutionStatus::values().iter().copied();
    let is_end = |status: &&str| {
        let execution = PipelineExecutionSummary::builder();
        let execution = execution.status(PipelineExecutionStatus::from(*status));
        status_of(&execution.build()).is_end()
    };
    all.filter(is_end).collect()
}
