//! What the pipeline's executions report to GitLab: the properties `GitLab` and `Report`.
//!
//! The child stack's template stores them as metadata of its event rule, which exists even while the
//! branch is missing. `DescribeStackResource` returns it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::{Aws, CallError};
use crate::gitlab::Access;
use crate::gitops_pipeline::spec::{ActionMode, Spec};

/// The resource of the child stack with the metadata.
const RESOURCE: &str = "EventRule";

/// The member of the metadata.
const MEMBER: &str = "Reporting";

/// What to report, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReportSettings {
    /// How to reach GitLab.
    #[serde(rename = "GitLab")]
    pub access: Access,
    /// ID or full path of the project in GitLab.
    pub project: String,
    /// Whether to post commit statuses.
    pub commit_status: bool,
    /// Whether to record deployments.
    pub deployments: bool,
    /// Whether to write the change set on the merge request. `None` if only in a project that is
    /// not public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set_comment: Option<bool>,
    /// The environment in GitLab.
    pub environment_name: String,
    /// The output of the deployed stack with the environment's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_url_output: Option<String>,
    /// The stack that the pipeline deploys.
    pub stack_name: String,
    /// The change set that waits for an approval. `None` if the pipeline creates none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set_name: Option<String>,
}

impl ReportSettings {
    /// The settings of a pipeline. `None` if it has no `GitLab`: nothing is reported.
    pub fn of(spec: &Spec) -> Option<Self> {
        let target = spec.gitlab.as_ref()?;
        let (names, report) = (&spec.names, &spec.report);
        let stack_name = spec.deploy.stack_name.clone();
        let creates_change_set = spec.deploy.action_mode == ActionMode::ChangeSet;
        Some(ReportSettings {
            access: target.access.clone(),
            project: target.project.clone(),
            commit_status: report.commit_status,
            deployments: report.deployments,
            change_set_comment: report.change_set_comment,
            environment_name: report
                .environment_name
                .clone()
                .unwrap_or_else(|| names.env_id.clone()),
            environment_url_output: report.environment_url_output.clone(),
            stack_name: stack_name.unwrap_or_else(|| names.deployed_stack()),
            change_set_name: creates_change_set.then(|| names.change_set()),
        })
    }

    /// The metadata of the event rule.
    pub fn metadata(&self) -> Value {
        json!({ MEMBER: self })
    }
}

/// Reads the settings of a child stack. `None` if its template has none.
///
/// # Errors
/// If CloudFormation does not return the metadata.
pub async fn read(aws: &Aws, stack_name: &str) -> Result<Option<ReportSettings>, CallError> {
    let call = aws.cloudformation.describe_stack_resource();
    let call = call.stack_name(stack_name).logical_resource_id(RESOURCE);
    let described = call.send().await.map_err(|error| {
        let doing = format!("reading the reporting settings of stack {stack_name}");
        CallError::new(doing, &error)
    })?;
    let detail = described.stack_resource_detail();
    Ok(detail.and_then(|detail| parse(detail.metadata()?)))
}

fn parse(metadata: &str) -> Option<ReportSettings> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    serde_json::from_value(metadata.get(MEMBER)?.clone()).ok()
}
