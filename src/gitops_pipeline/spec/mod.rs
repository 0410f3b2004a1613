//! The properties as a template sets them: the desired state.

use std::collections::BTreeMap;

use serde_json::Value;

use self::cross_account::{decode_image, decode_source};
use self::sections::{decode_approval, decode_approval_rule, decode_build, decode_deploy};
use super::approval_rule;
use super::approval_rule::ApprovalRule;
use super::names;
use super::names::{AwsLocation, ResourceNames};
use crate::tags;
use cfn_custom_resource::{Object, ValidationErrors};

mod cross_account;
pub(super) mod formats;
pub mod properties;
mod references;
mod sections;

pub use self::cross_account::IMAGE_VARIABLES;

/// The properties of one `Custom::GitOpsPipeline`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// `EnvID` and `ProjectID`
    pub names: ResourceNames,
    /// The branch that each environment deploys.
    pub branch_map: BTreeMap<String, String>,
    /// An existing repository; `None` if the child stack creates one.
    pub source: Option<RepositoryRef>,
    /// A container image as a second input of Build.
    pub image: Option<Image>,
    /// `None` for the environment's bucket.
    pub artifact_bucket_name: Option<String>,
    /// A customer managed key for the artifacts.
    pub artifact_key_arn: Option<String>,
    /// The build project.
    pub build: Build,
    /// The manual approval before the deployment.
    pub approval: Approval,
    /// The deployment.
    pub deploy: Deploy,
    /// What a new execution does to a running one.
    pub execution_mode: ExecutionMode,
    /// `None` for the environment's role.
    pub pipeline_role_arn: Option<String>,
    /// `None` for the environment's role.
    pub event_role_arn: Option<String>,
    /// An approval rule template for the repository.
    pub approval_rule: Option<ApprovalRule>,
    /// Whether a repository of the child stack outlives the resource.
    pub repository_deletion_policy: DeletionPolicy,
    /// On everything that the child stack creates.
    pub tags: BTreeMap<String, String>,
    /// The function's ARN: the target of the first push's event.
    pub service_token: String,
}

impl Spec {
    /// The repository's name, whether it exists or the child stack creates it.
    pub fn repository(&self) -> String {
        let given = self.source.as_ref().map(|source| source.name.clone());
        given.unwrap_or_else(|| self.names.repository())
    }

    /// The source's place; `None` if it is in this account.
    pub fn cross_account_source(&self) -> Option<&CrossAccount> {
        self.source.as_ref()?.cross_account.as_ref()
    }

    /// The property that makes another account write artifacts; `None` if none does.
    pub fn cross_account_writer(&self) -> Option<&'static str> {
        let image = self
            .image
            .as_ref()
            .and_then(|image| image.repository.cross_account.as_ref());
        if self.cross_account_source().is_some() {
            Some("Source.RepositoryArn")
        } else {
            image.map(|_| "ImageSource.RepositoryArn")
        }
    }

    /// The branch that this environment deploys.
    pub fn branch(&self) -> &str {
        // `decode` rejects a map without this environment.
        self.branch_map
            .get(&self.names.env_id)
            .map_or("", String::as_str)
    }
}

/// An existing repository of code or images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    /// Its name.
    pub name: String,
    /// `None` if it is in this account.
    pub cross_account: Option<CrossAccount>,
}

/// How a pipeline reaches another account's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossAccount {
    /// The repository's ARN.
    pub repository_arn: String,
    /// A role of that account.
    pub role_arn: String,
}

impl RepositoryRef {
    /// The account that owns it; `None` for the pipeline's own.
    pub fn account(&self) -> Option<&str> {
        self.cross_account
            .as_ref()?
            .repository_arn
            .split(':')
            .nth(4)
    }
}

/// `ImageSource`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository of the image.
    pub repository: RepositoryRef,
    /// The tag whose pushes start the pipeline.
    pub tag: String,
}

/// `Build`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// A build image.
    pub image: String,
    /// `BUILD_GENERAL1_…`
    pub compute_type: String,
    /// Whether builds can run Docker.
    pub privileged_mode: bool,
    /// A path in the repository, or the buildspec itself; `None` for `buildspec.yml`.
    pub buildspec: Option<String>,
    /// In addition to `EnvID` and `AccountId`.
    pub environment_variables: BTreeMap<String, String>,
    /// 5 to 2160.
    pub timeout_in_minutes: u32,
    /// 5 to 480.
    pub queued_timeout_in_minutes: u32,
    /// `None` for the environment's role.
    pub service_role_arn: Option<String>,
    /// One of [`formats::RETENTION_DAYS`].
    pub log_retention_in_days: u32,
}

/// `Approval`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Whether the pipeline has a manual approval.
    pub required: bool,
    /// The topic that CodePipeline notifies of a pending approval.
    pub notification_topic_arn: Option<String>,
    /// The text that the approver reads.
    pub custom_data: Option<String>,
    /// The link that the approver opens.
    pub external_entity_link: Option<String>,
}

/// `Deploy`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploy {
    /// The action's mode.
    pub action_mode: ActionMode,
    /// `None` for `cfnstack-<EnvID>-<ProjectID>`.
    pub stack_name: Option<String>,
    /// A path in the build's output; `None` for `root-stack-<ProjectID>.yaml`.
    pub template_path: Option<String>,
    /// A path in the build's output; `None` if the template has no configuration.
    pub template_configuration: Option<String>,
    /// What the template needs to be allowed.
    pub capabilities: Vec<String>,
    /// `None` for the environment's role.
    pub role_arn: Option<String>,
    /// Parameters of the deployed stack.
    pub parameter_overrides: BTreeMap<String, String>,
}

/// `Deploy.ActionMode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionMode {
    /// Create the stack or update it.
    CreateUpdate,
    /// Create a change set, wait for the approval, execute it.
    ChangeSet,
    /// As `CreateUpdate`, but delete a failed stack and create it again.
    ReplaceOnFailure,
}

/// `ExecutionMode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// Executions run one after the other.
    Queued,
    /// A newer execution replaces a waiting one.
    Superseded,
    /// Executions run concurrently.
    Parallel,
}

impl ExecutionMode {
    /// As CodePipeline writes it.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionMode::Queued => "QUEUED",
            ExecutionMode::Superseded => "SUPERSEDED",
            ExecutionMode::Parallel => "PARALLEL",
        }
    }
}

/// `RepositoryDeletionPolicy`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It is deleted with the resource.
    Delete,
    /// It stays. A later resource of the same name adopts it.
    Retain,
}

impl DeletionPolicy {
    /// As the property writes it.
    pub fn name(self) -> &'static str {
        match self {
            DeletionPolicy::Delete => "Delete",
            DeletionPolicy::Retain => "Retain",
        }
    }
}

/// Decodes the properties.
///
/// # Errors
/// Every mistake, each with its path.
pub fn decode(properties: &Value) -> Result<Spec, ValidationErrors> {
    let mut errors = ValidationErrors::default();
    let object = Object::decode(&properties::PROPERTIES, properties, "", &mut errors);
    let names = decode_names(&object, &mut errors);
    let service_token = object.text("ServiceToken").unwrap_or_default();
    let home = AwsLocation::from_arn(&service_token);
    let spec = Spec {
        branch_map: decode_branch_map(&object, &names, &mut errors),
        names,
        source: decode_source(&object, home.as_ref(), &mut errors),
        image: decode_image(&object, home.as_ref(), &mut errors),
        artifact_bucket_name: object.text("ArtifactBucketName"),
        artifact_key_arn: object.text("ArtifactKeyArn"),
        build: decode_build(object.object("Build")),
        approval: decode_approval(object.object("Approval")),
        deploy: decode_deploy(object.object("Deploy"), &mut errors),
        execution_mode: match object.text("ExecutionMode").as_deref() {
            Some("SUPERSEDED") => ExecutionMode::Superseded,
            Some("PARALLEL") => ExecutionMode::Parallel,
            _ => ExecutionMode::Queued,
        },
        pipeline_role_arn: object.text("PipelineRoleArn"),
        event_role_arn: object.text("EventRoleArn"),
        approval_rule: decode_approval_rule(&object),
        repository_deletion_policy: match object.text("RepositoryDeletionPolicy").as_deref() {
            Some("Retain") => DeletionPolicy::Retain,
            _ => DeletionPolicy::Delete,
        },
        tags: tags::from_properties(&object, &mut errors),
        service_token,
    };
    check_execution_mode(&spec, &mut errors);
    check_approval_rule(&spec, &mut errors);
    cross_account::check_key(&spec, &object, home.as_ref(), &mut errors);
    cross_account::check_image_variables(&spec, &mut errors);
    references::reject(properties, &mut errors);
    if errors.0.is_empty() {
        Ok(spec)
    } else {
        Err(errors)
    }
}

/// The names in properties of which nothing else needs to be valid.
pub fn peek_names(properties: &Value) -> Option<ResourceNames> {
    let text = |name: &str| cfn_custom_resource::as_text(&properties[name]);
    ResourceNames::new(&text("EnvID")?, &text("ProjectID")?)
}

fn decode_names(object: &Object, errors: &mut ValidationErrors) -> ResourceNames {
    let names = ResourceNames {
        env_id: object.text("EnvID").unwrap_or_default(),
        project_id: object.text("ProjectID").unwrap_or_default(),
    };
    let max = names::MAX_CHARACTERS;
    let length = names.env_id.len() + names.project_id.len();
    if length > max {
        errors.add(
            "ProjectID",
            format!("must be at most {max} characters together with EnvID; they are {length}"),
        );
    }
    names
}

fn decode_branch_map(
    object: &Object,
    names: &ResourceNames,
    errors: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let map = if object.is_set("BranchMap") {
        object.map("BranchMap")
    } else {
        [("dev", "development"), ("prd", "master")]
            .map(|(env_id, branch)| (env_id.to_owned(), branch.to_owned()))
            .into()
    };
    let has_error = |path: &str| errors.0.iter().any(|error| error.path.starts_with(path));
    let is_missing = !names.env_id.is_empty() && !map.contains_key(&names.env_id);
    if is_missing && !has_error("BranchMap") {
        errors.add("EnvID", "must be a key of BranchMap");
    }
    map
}

fn check_execution_mode(spec: &Spec, errors: &mut ValidationErrors) {
    if spec.execution_mode == ExecutionMode::Parallel
        && spec.deploy.action_mode == ActionMode::ChangeSet
    {
        errors.add(
            "ExecutionMode",
            "must not be PARALLEL with Deploy.ActionMode CHANGE_SET: a newer execution would \
             replace the change set that an older one has approved",
        );
    }
}

fn check_approval_rule(spec: &Spec, errors: &mut ValidationErrors) {
    let Some(rule) = &spec.approval_rule else {
        return;
    };
    if spec.cross_account_source().is_some() {
        errors.add(
            "ApprovalRule",
            "must not be set with Source.RepositoryArn: an approval rule template applies only in \
             its own account",
        );
    }
    let length = approval_rule::content(rule, spec.branch()).chars().count();
    let max = approval_rule::MAX_CONTENT_CHARACTERS;
    if length > max {
        errors.add(
            "ApprovalRule",
            format!(
                "would be {length} characters, of at most {max}; `*` in a member stands for many"
            ),
        );
    }
}

#[cfg(test)]
mod tests;
