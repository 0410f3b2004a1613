//! What the pipeline's executions report to GitLab: the properties `GitLab` and `Report`.
//!
//! The child stack stores them as an output, so that one call reads its owner, its branch and them.

use serde::{Deserialize, Serialize};

use crate::clients::gitlab::Access;
use crate::gitops_pipeline::spec::{ActionMode, Spec};

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
}
