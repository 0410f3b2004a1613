//! The settings that a child stack stores for the function, as JSON in its outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clients::gitlab::{Access, ProjectRef};
use crate::gitops_pipeline::spec::{ActionMode, AutoApprove, Drift, Spec};

/// The parts of the report, and its project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(clippy::struct_excessive_bools)] // They are independent parts.
pub struct ReportSettings {
    #[serde(rename = "GitLab")]
    pub access: Access,
    /// The project as the template names it: its number or its full path.
    pub project: String,
    /// The project's number, by which GitLab is called.
    pub project_number: u64,
    pub commit_status: bool,
    pub deployments: bool,
    /// Whether to write notes. `None` if only in a project that is not public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<bool>,
    /// Whether a note of a failed build has the end of its log.
    pub build_log: bool,
    pub environment_name: String,
    /// The output of the deployed stack with the environment's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_url_output: Option<String>,
    pub stack_name: String,
    /// The change set that waits for an approval. `None` if the pipeline creates none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set_name: Option<String>,
    /// The role with which the pipeline deploys. `None` if it is that of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_role_arn: Option<String>,
}

/// The stack that a pipeline deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployedTarget {
    pub stack_name: String,
    /// The change set that waits for an approval. `None` if the pipeline creates none.
    pub change_set_name: Option<String>,
}

impl ReportSettings {
    /// The settings of a pipeline. `None` if it has no `GitLab`, or if the number of its project is
    /// not known: nothing is reported.
    pub fn of(spec: &Spec) -> Option<Self> {
        let target = spec.gitlab.as_ref()?;
        let (names, report) = (&spec.names, &spec.report);
        let creates_change_set = spec.deploy.action_mode == ActionMode::ChangeSet;
        Some(ReportSettings {
            access: target.access.clone(),
            project: target.project.clone(),
            project_number: target.number?,
            commit_status: report.commit_status,
            deployments: report.deployments,
            notes: report.notes,
            build_log: report.build_log,
            environment_name: report
                .environment_name
                .clone()
                .unwrap_or_else(|| names.env_id.clone()),
            environment_url_output: report.environment_url_output.clone(),
            stack_name: spec.deployed_stack(),
            change_set_name: creates_change_set.then(|| names.change_set()),
            deploy_role_arn: spec.own_deploy_role().cloned(),
        })
    }

    pub fn deployed(&self) -> DeployedTarget {
        DeployedTarget {
            stack_name: self.stack_name.clone(),
            change_set_name: self.change_set_name.clone(),
        }
    }

    /// Whether the template names the project by its path.
    pub fn has_path(&self) -> bool {
        self.project.parse::<u64>().is_err()
    }

    pub fn project(&self) -> ProjectRef<'_> {
        ProjectRef::numbered(Some(self.project_number), &self.project)
    }
}

/// The properties from which the child stack was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RenderedProperties {
    /// A hash of them.
    pub key: String,
    /// GitLab's number of their project. `None` if they have none, or if it was not known.
    pub project: Option<u64>,
}

/// The input of change sets of the deployed stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeSetSettings {
    pub stack_name: String,
    pub capabilities: Vec<String>,
    /// Whether the health check looks for its drift.
    pub reports_drift: bool,
    /// How review branches are reviewed. `None` if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewSettings>,
}

/// The input of the change set of a review branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReviewSettings {
    /// The pattern of the branches.
    pub branches: String,
    /// Whether to create a change set of a template with transforms or dynamic references.
    pub allow_transforms: bool,
    pub template_path: String,
    /// The path of the template configuration. `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_configuration: Option<String>,
    /// Parameters of the deployed stack, which override those of the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameter_overrides: BTreeMap<String, String>,
}

impl ChangeSetSettings {
    /// The settings of a pipeline. `None` if the function creates no change sets for it.
    pub fn of(spec: &Spec) -> Option<Self> {
        let deploy = &spec.deploy;
        let reports_drift = spec.drift == Drift::Report;
        let review = spec.review.as_ref().map(|review| ReviewSettings {
            branches: review.branches.clone(),
            allow_transforms: review.allow_transforms,
            template_path: deploy
                .template_path
                .clone()
                .unwrap_or_else(|| spec.names.template_path()),
            template_configuration: deploy.template_configuration.clone(),
            parameter_overrides: deploy.parameter_overrides.clone(),
        });
        let is_needed = reports_drift || review.is_some();
        is_needed.then(|| ChangeSetSettings {
            stack_name: spec.deployed_stack(),
            capabilities: deploy.capabilities.clone(),
            reports_drift,
            review,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApprovalSettings {
    pub stack_name: String,
    /// The change set that waits for an approval.
    pub change_set_name: String,
}

impl ApprovalSettings {
    /// The settings of a pipeline. `None` if only people in AWS approve.
    pub fn of(spec: &Spec) -> Option<Self> {
        let approves = spec.approval.auto_approve == AutoApprove::NoChanges;
        approves.then(|| ApprovalSettings {
            stack_name: spec.deployed_stack(),
            change_set_name: spec.names.change_set(),
        })
    }
}
