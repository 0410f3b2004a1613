//! The settings that a child stack stores for the function, as JSON in one output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clients::gitlab::{Access, ProjectRef};
use crate::gitops_pipeline::paths::Paths;
use crate::gitops_pipeline::spec::{ActionMode, AutoApprove, Drift, Spec};

/// The properties of a pipeline that the function reads after the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredSettings {
    /// `Deploy.StackName`. `None` for the stack of the default name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_name: Option<String>,
    /// Whether a change set waits for an approval.
    pub creates_change_set: bool,
    /// The role with which the pipeline deploys. `None` if it is that of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_role_arn: Option<String>,
    pub capabilities: Vec<String>,
    /// `Source.Paths`. `None` if every push starts the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Paths>,
    /// `None` if the pipeline has no `GitLab`, or if the number of its project is not known:
    /// nothing is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportSettings>,
    /// How review branches are reviewed. `None` if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewSettings>,
    /// Whether the health check looks for drift of the deployed stack.
    pub reports_drift: bool,
    /// Whether the function approves a change set without changes.
    pub approves_no_changes: bool,
}

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<bool>,
    /// Whether a note of a failed build has the end of its log.
    pub build_log: bool,
    pub environment_name: String,
    /// The output of the deployed stack with the environment's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_url_output: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_configuration: Option<String>,
    /// Parameters of the deployed stack, which override those of the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameter_overrides: BTreeMap<String, String>,
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

impl StoredSettings {
    pub fn of(spec: &Spec) -> Self {
        let (deploy, names) = (&spec.deploy, &spec.names);
        StoredSettings {
            stack_name: deploy.stack_name.clone(),
            creates_change_set: deploy.action_mode == ActionMode::ChangeSet,
            deploy_role_arn: spec.own_deploy_role().cloned(),
            capabilities: deploy.capabilities.clone(),
            paths: spec.paths.clone(),
            report: ReportSettings::of(spec),
            review: spec.review.as_ref().map(|review| ReviewSettings {
                branches: review.branches.clone(),
                allow_transforms: review.allow_transforms,
                template_path: deploy
                    .template_path
                    .clone()
                    .unwrap_or_else(|| names.template_path()),
                template_configuration: deploy.template_configuration.clone(),
                parameter_overrides: deploy.parameter_overrides.clone(),
            }),
            reports_drift: spec.drift == Drift::Report,
            approves_no_changes: spec.approval.auto_approve == AutoApprove::NoChanges,
        }
    }
}

impl ReportSettings {
    fn of(spec: &Spec) -> Option<Self> {
        let target = spec.gitlab.as_ref()?;
        let (names, report) = (&spec.names, &spec.report);
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
        })
    }

    /// Whether the template names the project by its path.
    pub fn has_path(&self) -> bool {
        self.project.parse::<u64>().is_err()
    }

    pub fn project(&self) -> ProjectRef<'_> {
        ProjectRef::numbered(Some(self.project_number), &self.project)
    }
}
