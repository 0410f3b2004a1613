//! The decoded properties.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clients::gitlab::Access;
use crate::gitops_pipeline::approval_rule::ApprovalRule;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::paths::Paths;

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Spec {
    #[serde(skip)]
    pub names: ResourceNames,
    #[serde(skip)]
    pub branch_map: BTreeMap<String, String>,
    /// An existing repository. `None` if the child stack creates one.
    #[serde(skip)]
    pub source: Option<RepositoryRef>,
    /// The files whose changes start the pipeline. `None` if every push does.
    #[serde(skip)]
    pub paths: Option<Paths>,
    /// A container image as a second input of Build.
    #[serde(skip)]
    pub image: Option<Image>,
    /// `None` for the environment's bucket.
    pub artifact_bucket_name: Option<String>,
    pub artifact_key_arn: Option<String>,
    pub build: Build,
    pub approval: Approval,
    pub deploy: Deploy,
    /// `QUEUED` or `SUPERSEDED`.
    pub execution_mode: String,
    /// `None` for the environment's role.
    pub pipeline_role_arn: Option<String>,
    #[serde(skip)]
    pub approval_rule: Option<ApprovalRule>,
    /// Where executions are reported. `None` if nowhere.
    #[serde(skip)]
    pub gitlab: Option<GitLabProject>,
    pub report: Report,
    /// The branches that are reviewed before they are merged. `None` if none are.
    #[serde(skip)]
    pub review: Option<Review>,
    /// Whether the health check looks for drift of the deployed stack.
    pub drift: Drift,
    /// Whether a repository of the child stack outlives the resource.
    pub repository_deletion_policy: DeletionPolicy,
    /// The tags of every resource in the child stack.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
    /// The function's ARN: the target of the first push's event.
    pub service_token: String,
}

impl Spec {
    /// The repository's name, for an existing repository and for one that the child stack creates.
    pub fn repository(&self) -> String {
        let given = self.source.as_ref().map(|source| source.name.clone());
        given.unwrap_or_else(|| self.names.repository())
    }

    /// The role with which the pipeline deploys. `None` if it is that of the environment.
    pub fn own_deploy_role(&self) -> Option<&String> {
        let role = format!(":role/{}", self.names.deploy_role());
        let given = self.deploy.role_arn.as_ref();
        given.filter(|arn| !arn.ends_with(&role))
    }

    /// The account and role of the source. `None` if it is in this account.
    pub fn cross_account_source(&self) -> Option<&CrossAccount> {
        self.source.as_ref()?.cross_account.as_ref()
    }

    /// The property that makes another account write artifacts. `None` if no property does.
    pub fn cross_account_writer(&self) -> Option<&'static str> {
        let image = self.image.as_ref().and_then(|image| image.repository.cross_account.as_ref());
        if self.cross_account_source().is_some() {
            Some("Source.RepositoryArn")
        } else {
            image.map(|_| "ImageSource.RepositoryArn")
        }
    }

    pub fn branch(&self) -> &str {
        // `decode` rejects a map without this environment.
        self.branch_map.get(&self.names.env_id).map_or("", String::as_str)
    }
}

/// An existing repository of code or images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    pub name: String,
    /// `None` if it is in this account.
    pub cross_account: Option<CrossAccount>,
}

/// How a pipeline reaches another account's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossAccount {
    pub repository_arn: String,
    pub role_arn: String,
}

impl RepositoryRef {
    /// The account that owns it. `None` if it is in the pipeline's account.
    pub fn account(&self) -> Option<&str> {
        self.cross_account.as_ref()?.repository_arn.split(':').nth(4)
    }
}

/// `ImageSource`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub repository: RepositoryRef,
    /// The tag whose pushes start the pipeline.
    pub tag: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(clippy::struct_field_names)] // Named as the properties.
pub struct Build {
    pub image: String,
    /// `BUILD_GENERAL1_…`
    pub compute_type: String,
    /// Whether builds can run Docker.
    pub privileged_mode: bool,
    /// A path in the repository, or the buildspec itself. `None` for `buildspec.yml`.
    pub build_spec: Option<String>,
    /// In addition to `EnvID` and `AccountId`.
    #[serde(skip)]
    pub environment_variables: Vec<EnvironmentVariable>,
    /// 5 to 2160.
    pub timeout_in_minutes: u32,
    /// 5 to 480.
    pub queued_timeout_in_minutes: u32,
    /// `None` for the environment's role.
    pub service_role_arn: Option<String>,
    /// One of [`formats::RETENTION_DAYS`].
    pub log_retention_in_days: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EnvironmentVariable {
    pub name: String,
    /// Its value, or where CodeBuild reads it.
    pub value: String,
    /// `PLAINTEXT`, `PARAMETER_STORE` or `SECRETS_MANAGER`.
    #[serde(rename = "Type")]
    pub source: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Approval {
    pub required: bool,
    pub notification_topic_arn: Option<String>,
    /// The text that the approver reads.
    pub custom_data: Option<String>,
    /// The link that the approver opens.
    pub external_entity_link: Option<String>,
    pub auto_approve: AutoApprove,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum AutoApprove {
    /// Nothing.
    #[default]
    Never,
    /// A change set without changes.
    NoChanges,
}

/// The parameter `FunctionApprovals` of `template.yaml`: the approvals of the function's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FunctionApprovals {
    /// Nothing.
    #[default]
    Denied,
    /// A change set without changes.
    NoChanges,
}

impl FunctionApprovals {
    /// The value of the parameter, which the function gets as an environment variable. Any other
    /// value is [`FunctionApprovals::Denied`].
    pub fn parse(value: &str) -> Self {
        match value {
            "NoChanges" => FunctionApprovals::NoChanges,
            _ => FunctionApprovals::Denied,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Deploy {
    pub action_mode: ActionMode,
    /// `None` for `cfnstack-<EnvID>-<ProjectID>`.
    pub stack_name: Option<String>,
    /// A path in the build's output. `None` for `root-stack-<ProjectID>.yaml`.
    pub template_path: Option<String>,
    /// A path in the build's output. `None` if the template has no configuration.
    pub template_configuration: Option<String>,
    pub capabilities: Vec<String>,
    /// `None` for the environment's role.
    pub role_arn: Option<String>,
    pub parameter_overrides: BTreeMap<String, String>,
    pub on_failure: OnFailure,
    /// Alarms that fail the stage after the deployment.
    pub alarms: Vec<String>,
    /// How long they are watched, in minutes.
    pub alarm_minutes: u32,
    /// When the stage may start. `None` for always.
    #[serde(skip)]
    pub window: Option<Window>,
}

/// `GitLab`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLabProject {
    pub access: Access,
    /// Its number or its full path.
    pub project: String,
    /// Its number. `None` for a path until GitLab has shown the project.
    pub number: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(clippy::struct_excessive_bools)] // They are independent parts.
pub struct Report {
    pub commit_status: bool,
    pub deployments: bool,
    /// Whether to write notes. `None` if the property is not set.
    pub notes: Option<bool>,
    /// Whether a note of a failed build has the end of its log.
    pub build_log: bool,
    /// `None` for `EnvID`.
    pub environment_name: Option<String>,
    /// The output of the deployed stack with the environment's address.
    pub environment_url_output: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Review {
    /// The pattern of the branches, in which `*` matches any characters.
    pub branches: String,
    /// Whether to create a change set of a template with transforms or dynamic references.
    pub allow_transforms: bool,
    /// The role of the builds. `None` for the environment's role.
    pub build_role_arn: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Drift {
    /// The deployed stack is not compared.
    #[default]
    Disabled,
    /// Once a day the health check compares the deployed stack with its template.
    Report,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum OnFailure {
    /// The execution fails.
    #[default]
    Fail,
    /// The stage runs again with the revisions of its latest success.
    Rollback,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Window {
    /// A cron expression with seconds.
    pub cron: String,
    pub time_zone: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionMode {
    /// Create the stack or update it.
    #[default]
    CreateUpdate,
    /// Create a change set, wait for the approval, execute it.
    ChangeSet,
    /// As `CreateUpdate`, but delete a failed stack and create it again.
    ReplaceOnFailure,
}

/// `RepositoryDeletionPolicy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum DeletionPolicy {
    /// It is deleted with the resource.
    #[default]
    Delete,
    /// It is retained. A later resource of the same name adopts it.
    Retain,
}
