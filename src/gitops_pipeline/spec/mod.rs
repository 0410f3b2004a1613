//! The properties as a template sets them: the desired state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::cross_account::{decode_image, decode_source};
use self::source_paths::decode_paths;
use super::approval_rule;
use super::names;
use super::names::{AwsLocation, ResourceNames};
use crate::clients::gitlab::Access;
use crate::common::tags;
use cfn_custom_resource::{Object, ValidationErrors};

mod cross_account;
pub(super) mod formats;
pub mod properties;
mod references;
mod review;
mod source_paths;
mod types;

pub(crate) use self::cross_account::IMAGE_VARIABLES;
pub use self::types::FunctionApprovals;
pub(crate) use self::types::{
    ActionMode, AutoApprove, Build, CrossAccount, DeletionPolicy, Deploy, Drift,
    EnvironmentVariable, GitLabProject, Image, OnFailure, RepositoryRef, Review, Spec, Window,
};

/// CodePipeline's limit of `ParameterOverrides`, in characters of JSON.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html>
const MAX_OVERRIDES_CHARS: usize = 1000;

/// Decodes the properties. [`Spec`] and its parts read most of them by the names of their fields.
///
/// # Errors
/// Every mistake, each with its path.
pub fn decode(properties: &Value) -> Result<Spec, ValidationErrors> {
    let mut errors = ValidationErrors::default();
    let object = Object::decode(&properties::PROPERTIES, properties, "", &mut errors);
    let names = decode_names(&object, &mut errors);
    let service_token = object.text("ServiceToken").unwrap_or_default();
    let home = AwsLocation::from_arn(&service_token);
    let mut spec = Spec {
        branch_map: decode_branch_map(&object, &names, &mut errors),
        names,
        source: decode_source(&object, home.as_ref(), &mut errors),
        paths: decode_paths(object.object("Source"), &mut errors),
        image: decode_image(&object, home.as_ref(), &mut errors),
        build: decode_build(object.object("Build"), &mut errors),
        deploy: decode_deploy(object.object("Deploy"), &mut errors),
        approval_rule: object.is_set("ApprovalRule").then(|| object.object("ApprovalRule").read()),
        gitlab: decode_gitlab(object.object("GitLab")),
        review: object.is_set("Review").then(|| object.object("Review").read()),
        tags: tags::from_properties(&object, &mut errors),
        ..object.read()
    };
    if !object.object("Deploy").is_set("ActionMode") {
        spec.deploy.action_mode = default_action_mode(&spec);
    }
    check_on_failure(&spec, &mut errors);
    check_function_approvals(&spec, &mut errors);
    check_approval_rule(&spec, &mut errors);
    check_report(&object, &mut errors);
    review::check(&spec, &object, &mut errors);
    cross_account::check_key(&spec, &object, home.as_ref(), &mut errors);
    cross_account::check_image_variables(&spec, &mut errors);
    references::reject(properties, &mut errors);
    if errors.0.is_empty() {
        Ok(spec)
    } else {
        Err(errors)
    }
}

/// The names. The other properties may be invalid.
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

/// `BranchMap` if the template does not set it.
pub const DEFAULT_BRANCHES: [(&str, &str); 2] = [("dev", "development"), ("prd", "master")];

fn decode_branch_map(
    object: &Object,
    names: &ResourceNames,
    errors: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let map = if object.is_set("BranchMap") {
        object.map("BranchMap")
    } else {
        DEFAULT_BRANCHES
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

/// A variable of the map has a plain value.
fn decode_build(object: &Object, errors: &mut ValidationErrors) -> Build {
    const NAME: &str = "EnvironmentVariables";
    let mut build: Build = object.read();
    let variables = &mut build.environment_variables;
    for (name, value) in object.map(NAME) {
        let source = "PLAINTEXT".to_owned();
        variables.push(EnvironmentVariable {
            name,
            value,
            source,
        });
    }
    for entry in object.objects(NAME) {
        let variable: EnvironmentVariable = entry.read();
        // A name that is missing or invalid is an error of its own.
        let is_named = !variable.name.is_empty();
        let mut earlier = variables.iter();
        if is_named && earlier.any(|earlier| earlier.name == variable.name) {
            errors.add(entry.path_of("Name"), "is given twice");
        }
        if variable.value.is_empty() && entry.text("Value").is_some() && is_stored(&variable) {
            let what = "must be the name of a parameter or a secret, which the build reads";
            errors.add(entry.path_of("Value"), what);
        }
        variables.push(variable);
    }
    build
}

fn is_stored(variable: &EnvironmentVariable) -> bool {
    ["PARAMETER_STORE", "SECRETS_MANAGER"].contains(&variable.source.as_str())
}

fn decode_deploy(object: &Object, errors: &mut ValidationErrors) -> Deploy {
    let mut deploy: Deploy = object.read();
    deploy.template_configuration.take_if(|path| path.is_empty());
    if !object.is_set("Capabilities") {
        deploy.capabilities = vec!["CAPABILITY_NAMED_IAM".to_owned()];
    }
    let window = object.is_set("Window").then(|| object.object("Window"));
    deploy.window = window.map(Object::read);
    let mut known = BTreeSet::new();
    let capabilities = &mut deploy.capabilities;
    capabilities.retain(|capability| known.insert(capability.clone()));
    let json = serde_json::to_string(&deploy.parameter_overrides).unwrap_or_default();
    if json.chars().count() > MAX_OVERRIDES_CHARS {
        errors.add(
            object.path_of("ParameterOverrides"),
            format!(
                "must be at most {MAX_OVERRIDES_CHARS} characters as JSON; use \
                 TemplateConfiguration for more"
            ),
        );
    }
    deploy
}

/// `CHANGE_SET` shows the approver the changes. Without an approver it has no reader, and
/// [`check_on_failure`] rejects it with `Rollback`.
fn default_action_mode(spec: &Spec) -> ActionMode {
    if spec.approval.required && spec.deploy.on_failure == OnFailure::Fail {
        ActionMode::ChangeSet
    } else {
        ActionMode::CreateUpdate
    }
}

fn decode_gitlab(gitlab: &Object) -> Option<GitLabProject> {
    let project = gitlab.text("Project")?;
    Some(GitLabProject {
        access: Access::decode(gitlab)?,
        number: project.parse().ok(),
        project,
    })
}

fn check_report(object: &Object, errors: &mut ValidationErrors) {
    if object.is_set("Report") && !object.is_set("GitLab") {
        errors.add("Report", "needs GitLab");
    }
}

/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html>,
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html>
fn check_on_failure(spec: &Spec, errors: &mut ValidationErrors) {
    let deploy = &spec.deploy;
    if deploy.on_failure != OnFailure::Fail && deploy.action_mode == ActionMode::ChangeSet {
        errors.add(
            "Deploy.OnFailure",
            "must be Fail with Deploy.ActionMode CHANGE_SET: the change set that was approved is \
             gone after its execution",
        );
    }
}

fn check_function_approvals(spec: &Spec, errors: &mut ValidationErrors) {
    let approval = &spec.approval;
    let has_change_set = approval.required && spec.deploy.action_mode == ActionMode::ChangeSet;
    if approval.auto_approve != AutoApprove::Never && !has_change_set {
        errors.add(
            "Approval.AutoApprove",
            "needs Approval.Required, and Deploy.ActionMode CHANGE_SET: without a change set, it is not known whether \
             there are changes",
        );
    }
}

/// Rejects approvals that the function's role may not give.
///
/// # Errors
/// The property that needs another value of `FunctionApprovals`.
pub fn check_allowed(spec: &Spec, approvals: FunctionApprovals) -> Result<(), ValidationErrors> {
    let mut errors = ValidationErrors::default();
    let approves = spec.approval.auto_approve == AutoApprove::NoChanges;
    if approves && approvals == FunctionApprovals::Denied {
        errors.add(
            "Approval.AutoApprove",
            "needs the parameter FunctionApprovals of the environment's stack: set it to NoChanges",
        );
    }
    if errors.0.is_empty() {
        Ok(())
    } else {
        Err(errors)
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
    let length = rule.content(spec.branch()).chars().count();
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
