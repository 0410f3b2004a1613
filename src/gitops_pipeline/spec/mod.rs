//! What a template asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::approval_rule;
use super::names;
use super::names::{AwsLocation, ResourceNames};
use crate::cfn;
use crate::cfn::{ObjectReader, ValidationErrors};
use crate::tags;

mod cross_account;
mod formats;
mod references;
mod sections;

pub use super::spec::cross_account::IMAGE_VARIABLES;
use super::spec::cross_account::{decode_image, decode_source};
#[cfg(test)]
pub use super::spec::formats::RETENTION_DAYS;
use super::spec::sections::{decode_approval, decode_approval_rule, decode_build, decode_deploy};

/// The properties of one `Custom::GitOpsPipeline`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// `EnvID` and `ProjectID`
    pub names: ResourceNames,
    /// Which branch reaches which environment.
    pub branch_map: BTreeMap<String, String>,
    /// An existing repository; `None`: one that is made here.
    pub source: Option<RepositoryRef>,
    /// An image that Build is handed beside the code.
    pub image: Option<Image>,
    /// `None`: the environment's bucket.
    pub artifact_bucket_name: Option<String>,
    /// A customer-managed key of the artifacts.
    pub artifact_key_arn: Option<String>,
    /// The build project.
    pub build: Build,
    /// The approval before the deployment.
    pub approval: Approval,
    /// The deployment.
    pub deploy: Deploy,
    /// What a new execution does to one that runs.
    pub execution_mode: ExecutionMode,
    /// `None`: the environment's.
    pub pipeline_role_arn: Option<String>,
    /// `None`: the environment's.
    pub event_role_arn: Option<String>,
    /// An approval rule template for the repository.
    pub approval_rule: Option<ApprovalRule>,
    /// Whether a repository that is made here outlives the resource.
    pub repository_deletion_policy: DeletionPolicy,
    /// On everything that is made.
    pub tags: BTreeMap<String, String>,
    /// The function itself, which the first push is told to.
    pub service_token: String,
}

impl Spec {
    /// The repository's name, whoever makes it.
    pub fn repository(&self) -> String {
        let given = self.source.as_ref().map(|source| source.name.clone());
        given.unwrap_or_else(|| self.names.repository())
    }

    /// Where the source is, when it is another account's.
    pub fn cross_account_source(&self) -> Option<&CrossAccount> {
        self.source.as_ref()?.cross_account.as_ref()
    }

    /// The property by which another account writes artifacts.
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

    /// The branch that reaches this environment.
    pub fn branch(&self) -> &str {
        // Decoding has made sure that it is there.
        self.branch_map
            .get(&self.names.env_id)
            .map_or("", String::as_str)
    }
}

/// A repository of code or images that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    /// Its name.
    pub name: String,
    /// `None`: it is this account's.
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
    /// The account that it belongs to; `None` for the pipeline's own.
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
    /// Where images are pushed.
    pub repository: RepositoryRef,
    /// The tag that is followed.
    pub tag: String,
}

/// `Build`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// A build image.
    pub image: String,
    /// `BUILD_GENERAL1_…`
    pub compute_type: String,
    /// Whether builds may run Docker.
    pub privileged_mode: bool,
    /// A path in the repository, or the specification itself; `None`: `buildspec.yml`.
    pub buildspec: Option<String>,
    /// Beside `EnvID` and `AccountId`.
    pub environment_variables: BTreeMap<String, String>,
    /// 5 to 2160.
    pub timeout_in_minutes: u32,
    /// 5 to 480.
    pub queued_timeout_in_minutes: u32,
    /// `None`: the environment's.
    pub service_role_arn: Option<String>,
    /// One of the numbers that CloudWatch Logs takes.
    pub log_retention_in_days: u32,
}

/// `Approval`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Whether a person is asked at all.
    pub required: bool,
    /// A topic that is told that somebody is asked.
    pub notification_topic_arn: Option<String>,
    /// What the person is told.
    pub custom_data: Option<String>,
    /// What the person should look at.
    pub external_entity_link: Option<String>,
}

/// `Deploy`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploy {
    /// How CloudFormation is used.
    pub action_mode: ActionMode,
    /// `None`: `cfnstack-<EnvID>-<ProjectID>`.
    pub stack_name: Option<String>,
    /// In what the build made; `None`: `root-stack-<ProjectID>.yaml`.
    pub template_path: Option<String>,
    /// In what the build made; `None`: there is none.
    pub template_configuration: Option<String>,
    /// What the template may do beside the ordinary.
    pub capabilities: Vec<String>,
    /// `None`: the environment's.
    pub role_arn: Option<String>,
    /// Parameters of the deployed stack.
    pub parameter_overrides: BTreeMap<String, String>,
}

/// `Deploy.ActionMode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionMode {
    /// Create the stack or update it.
    CreateUpdate,
    /// Make a change set, ask, execute it.
    ChangeSet,
    /// As `CreateUpdate`, but a stack that failed is deleted and made again.
    ReplaceOnFailure,
}

/// `ExecutionMode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// One after the other.
    Queued,
    /// A newer one replaces one that waits.
    Superseded,
    /// All at once.
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
    /// It goes with the resource.
    Delete,
    /// It stays, and is taken up again.
    Retain,
}

impl DeletionPolicy {
    /// As the property has it.
    pub fn name(self) -> &'static str {
        match self {
            DeletionPolicy::Delete => "Delete",
            DeletionPolicy::Retain => "Retain",
        }
    }
}

/// `ApprovalRule`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// How many have to approve a pull request.
    pub approvers_needed: u32,
    /// Who counts; empty: everybody.
    pub approval_pool_members: Vec<String>,
}

/// Decodes the properties, or names everything that is wrong with them.
///
/// # Errors
/// Every fault, each with its path.
pub fn decode(properties: &Value) -> Result<Spec, ValidationErrors> {
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(properties, "", &mut faults);
    let service_token = members.string("ServiceToken", &mut faults);
    members.value("ServiceTimeout");
    let names = decode_names(&mut members, &mut faults);
    let branch_map = decode_branch_map(&mut members, names.as_ref(), &mut faults);
    let home = service_token.as_deref().and_then(AwsLocation::from_arn);
    let source = decode_source(&mut members, home.as_ref(), &mut faults);
    let image = decode_image(&mut members, home.as_ref(), &mut faults);
    let artifact_bucket_name =
        members.text("ArtifactBucketName", &formats::BUCKET_NAME, &mut faults);
    let artifact_key_arn = members.text("ArtifactKeyArn", &formats::KEY_ARN, &mut faults);
    if let Some(arn) = &artifact_key_arn {
        cross_account::key_is_here(arn, home.as_ref(), &mut faults);
    } else if members.value("ArtifactKeyArn").is_none() {
        cross_account::needs_a_key(source.as_ref(), image.as_ref(), &mut faults);
    }
    let build = decode_build(&mut members, &mut faults);
    if image.is_some() {
        cross_account::leaves_room_for_the_image(&build, &mut faults);
    }
    let approval = decode_approval(&mut members, &mut faults);
    let deploy = decode_deploy(&mut members, &mut faults);
    let execution_mode = members.one_of(
        "ExecutionMode",
        &[
            ("QUEUED", ExecutionMode::Queued),
            ("SUPERSEDED", ExecutionMode::Superseded),
            ("PARALLEL", ExecutionMode::Parallel),
        ],
        &mut faults,
    );
    let execution_mode = execution_mode.unwrap_or(ExecutionMode::Queued);
    if execution_mode == ExecutionMode::Parallel && deploy.action_mode == ActionMode::ChangeSet {
        faults.note(
            "ExecutionMode",
            "must not be PARALLEL with Deploy.ActionMode CHANGE_SET: a newer execution would \
             replace the change set that an older one has approved",
        );
    }
    let pipeline_role_arn = members.text("PipelineRoleArn", &formats::ROLE_ARN, &mut faults);
    let event_role_arn = members.text("EventRoleArn", &formats::ROLE_ARN, &mut faults);
    let approval_rule = decode_approval_rule(&mut members, &mut faults);
    if approval_rule.is_some() && source.as_ref().is_some_and(|s| s.cross_account.is_some()) {
        faults.note(
            "ApprovalRule",
            "must not be given with Source.RepositoryArn: a template holds in the account that it is made in",
        );
    }
    if let Some(rule) = &approval_rule {
        let branch = names
            .as_ref()
            .and_then(|names| branch_map.get(&names.env_id));
        let content = approval_rule::content(rule, branch.map_or("", String::as_str));
        let (long, most) = (
            content.chars().count(),
            approval_rule::MAX_CONTENT_CHARACTERS,
        );
        if long > most {
            faults.note(
                "ApprovalRule",
                format!(
                    "would be {long} characters, of at most {most}; `*` in a member stands for many"
                ),
            );
        }
    }
    let repository_deletion_policy = members.one_of(
        "RepositoryDeletionPolicy",
        &[
            ("Delete", DeletionPolicy::Delete),
            ("Retain", DeletionPolicy::Retain),
        ],
        &mut faults,
    );
    let tags = tags::decode(&mut members, &mut faults);
    members.finish(&mut faults);
    references::refuse(properties, &mut faults);

    match names {
        Some(names) if faults.0.is_empty() => Ok(Spec {
            names,
            branch_map,
            source,
            image,
            artifact_bucket_name,
            artifact_key_arn,
            build,
            approval,
            deploy,
            execution_mode,
            pipeline_role_arn,
            event_role_arn,
            approval_rule,
            repository_deletion_policy: repository_deletion_policy
                .unwrap_or(DeletionPolicy::Delete),
            tags,
            service_token: service_token.unwrap_or_default(),
        }),
        _ => Err(faults),
    }
}

/// The names in properties of which nothing else needs to be valid.
pub fn peek_names(properties: &Value) -> Option<ResourceNames> {
    let text = |name: &str| cfn::as_text(&properties[name]);
    ResourceNames::new(&text("EnvID")?, &text("ProjectID")?)
}

fn decode_names(
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> Option<ResourceNames> {
    let env_id = members.required_string("EnvID", faults);
    if env_id.as_deref().is_some_and(|id| !names::is_env_id(id)) {
        faults.note(
            "EnvID",
            "must be lower-case letters and digits, a letter first",
        );
    }
    let project_id = members.required_string("ProjectID", faults);
    if project_id
        .as_deref()
        .is_some_and(|id| !names::is_project_id(id))
    {
        faults.note(
            "ProjectID",
            "must be letters, digits and hyphens, no hyphen first",
        );
    }
    let (env_id, project_id) = (env_id?, project_id?);
    let (most, long) = (
        names::MAX_CHARACTERS,
        env_id.chars().count() + project_id.chars().count(),
    );
    if long > most {
        faults.note(
            "ProjectID",
            format!("must be at most {most} characters together with EnvID; they are {long}"),
        );
    }
    ResourceNames::new(&env_id, &project_id)
}

fn decode_branch_map(
    members: &mut ObjectReader<'_>,
    names: Option<&ResourceNames>,
    faults: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let defaults = [("dev", "development"), ("prd", "master")];
    let written = members.value("BranchMap").and_then(Value::as_str);
    let map = match written {
        // A template cannot write a map whose key is a parameter, but it can write this.
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| {
            faults.note(
                "BranchMap",
                "must be an object, or the JSON of one, from EnvID to branch",
            );
            BTreeMap::new()
        }),
        None => members.map("BranchMap", faults).unwrap_or_else(|| {
            defaults
                .map(|(key, branch)| (key.to_owned(), branch.to_owned()))
                .into()
        }),
    };
    for (key, branch) in &map {
        let path = || format!("BranchMap.{}", formats::shown(key));
        if !names::is_env_id(key) {
            faults.note(
                path(),
                "must be an EnvID: lower-case letters and digits, a letter first",
            );
        }
        if !formats::is_branch_name(branch) {
            faults.note(path(), "must be the name of a git branch");
        }
    }
    if let Some(names) = names
        && !map.contains_key(&names.env_id)
    {
        faults.note("EnvID", "must be a key of BranchMap");
    }
    map
}

#[cfg(test)]
mod tests;
