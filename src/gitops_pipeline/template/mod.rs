//! The child stack's template, as a pure function of the properties.
//!
//! `templates/pipeline.yaml` is the rendering with every property at its default, with comments.
//! CloudFormation inserts account, region and partition, so that you can compare templates and
//! deploy them by hand.

mod build;
mod events;
mod parts;
mod pipeline;
mod review;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::parts::{
    BRANCH_EXISTS, BRANCH_OUTPUT, CLONE_URL, DELETION_POLICY_OUTPUT, IMAGE_RULE_OUTPUT,
    ORIGIN_OUTPUT, PROPERTIES_OUTPUT, RENDERING_VERSION, REPOSITORY_OUTPUT, RepositoryOrigin,
    SETTINGS_OUTPUT, SOURCE_ARN_OUTPUT, SOURCE_ROLE_OUTPUT, STACK_NAME_TAG, VERSION_OUTPUT,
};
use self::parts::{named, repository_name, tags};
use super::names;
use super::settings::StoredSettings;
use super::spec::{DeletionPolicy, Spec};
use crate::common::ascii;
use cfn_custom_resource::Format;

pub fn render(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let mut resources = json!({
        "BuildLogGroup": build::log_group(spec, names::BUILD_PROJECT),
        "BuildProject": build::project(spec),
        "Pipeline": pipeline::pipeline(spec, repository),
        "EventRule": events::rule(spec, repository),
    });
    if let Some(image) = &spec.image {
        resources["ImageEventRule"] = events::image_rule(spec, image);
    }
    if repository == RepositoryOrigin::Created {
        resources["Repository"] = made_repository(spec);
    }
    if let Some(review) = &spec.review {
        review::add(spec, review, repository, &mut resources);
    }
    let mut outputs = outputs(spec, repository);
    for (name, description, value) in settings(spec, repository) {
        // "You can update outputs only when you include changes that add, modify, or delete
        // resources": the metadata makes a changed setting such a change.
        // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/outputs-section-structure.html
        resources["EventRule"]["Metadata"][name] = value.clone();
        outputs[name] = json!({"Description": description, "Value": value});
    }
    let branches: BTreeMap<&String, Value> = spec
        .branch_map
        .iter()
        .map(|(env_id, branch)| {
            let escaped = ascii::escape(branch);
            let names = json!({"name": branch, (branch_output_key(spec)): escaped});
            (env_id, names)
        })
        .collect();
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "cfn-gitops: one project's pipeline in one environment. A push to the environment's \
            branch is built, approved by a person, and deployed by CloudFormation.",
        "Parameters": parameters(spec, repository),
        "Mappings": {"BranchMap": branches},
        "Conditions": {
            "HasBranch": {"Fn::Equals": [{"Ref": BRANCH_EXISTS}, "true"]},
            "HasFunction": {"Fn::Not": [{"Fn::Equals": [{"Ref": "FunctionArn"}, ""]}]},
        },
        "Resources": resources,
        "Outputs": outputs,
    })
}

/// The parameters' values, in the order of their names. `clone_url` is given if the template
/// [needs](needs_clone_url) it.
pub fn parameter_values(
    spec: &Spec,
    branch_exists: bool,
    clone_url: Option<String>,
) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::from([
        (BRANCH_EXISTS, branch_exists.to_string()),
        ("EnvID", spec.names.env_id.clone()),
        ("FunctionArn", spec.service_token.clone()),
        ("ProjectID", spec.names.project_id.clone()),
    ]);
    values.extend(clone_url.map(|url| (CLONE_URL, url)));
    values
}

/// Without the anchors: CloudFormation compares the whole value.
fn allowed_pattern(format: &Format) -> &'static str {
    format.pattern.matches.trim_matches(['^', '$'])
}

fn parameters(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let mut parameters = json!({
        "EnvID": {
            "Type": "String",
            "AllowedPattern": allowed_pattern(&names::ENV_ID),
            "Description": "The environment, a key of BranchMap below",
        },
        "ProjectID": {
            "Type": "String",
            "AllowedPattern": allowed_pattern(&names::PROJECT_ID),
            "Description": "The project. With EnvID at most 30 characters, or the event rule's name passes 64",
        },
        (BRANCH_EXISTS): {
            "Type": "String",
            "Default": "true",
            "AllowedValues": ["true", "false"],
            "Description": "Whether the branch has been pushed. Until then there is no pipeline",
        },
        "FunctionArn": {
            "Type": "String",
            "Default": "",
            "Description": "The function that EventBridge invokes on the branch's first push. It then \
                sets BranchExists to true. Empty for none",
        },
    });
    if needs_clone_url(spec, repository) {
        parameters[CLONE_URL] = json!({
            "Type": "String",
            "Description": "The clone URL of the repository, as GetRepository returns it",
        });
    }
    parameters
}

/// Whether the builds of review branches clone a repository that another template creates.
pub fn needs_clone_url(spec: &Spec, repository: RepositoryOrigin) -> bool {
    spec.review.is_some() && repository != RepositoryOrigin::Created
}

/// The member of each branch in the mapping that the output shows. The name of a branch has no
/// backslash, so [`ascii::unescape`] reads it.
fn branch_output_key(spec: &Spec) -> &'static str {
    let is_ascii = spec.branch_map.values().all(|branch| branch.is_ascii());
    if is_ascii { "name" } else { "escaped" }
}

fn outputs(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let mut outputs = json!({
        (REPOSITORY_OUTPUT): {
            "Description": "The repository that GitLab pushes to",
            "Value": repository_name(spec, repository),
        },
        (ORIGIN_OUTPUT): {
            "Description": "Whether this stack created the repository, uses an existing one, or adopted one that it had retained",
            "Value": repository,
        },
        (BRANCH_OUTPUT): {
            "Description": "The branch that is deployed",
            "Value": {"Fn::FindInMap": ["BranchMap", {"Ref": "EnvID"}, branch_output_key(spec)]},
        },
        "PipelineName": {
            "Description": "The pipeline. It is created with the first push of the branch",
            "Value": named(names::PIPELINE),
        },
        (VERSION_OUTPUT): {
            "Description": "The version of this template. A newer function counts the stacks with an older one",
            "Value": RENDERING_VERSION.to_string(),
        },
    });
    if spec.image.is_some() {
        outputs[IMAGE_RULE_OUTPUT] = json!({
            "Condition": "HasBranch",
            "Description": "The event rule by which a push of the image starts the pipeline",
            "Value": named(names::IMAGE_RULE),
        });
    }
    if let Some(cross_account) = spec.cross_account_source() {
        outputs[SOURCE_ARN_OUTPUT] = json!({
            "Description": "The ARN of the repository in another account",
            "Value": cross_account.repository_arn,
        });
        outputs[SOURCE_ROLE_OUTPUT] = json!({
            "Description": "The role of that account with which the pipeline reads it",
            "Value": cross_account.role_arn,
        });
    }
    outputs
}

/// The outputs that only the function reads: name, description and value.
fn settings(spec: &Spec, repository: RepositoryOrigin) -> Vec<(&'static str, &'static str, Value)> {
    let stored = serde_json::to_string(&StoredSettings::of(spec)).unwrap_or_default();
    let mut settings = vec![(
        SETTINGS_OUTPUT,
        "What the function reads for each event of the pipeline",
        json!(ascii::escape(&stored)),
    )];
    if repository == RepositoryOrigin::Adopted {
        settings.push((
            DELETION_POLICY_OUTPUT,
            "What becomes of the repository, which an earlier stack of this name left behind",
            json!(spec.repository_deletion_policy),
        ));
    }
    settings
}

fn made_repository(spec: &Spec) -> Value {
    let policy = spec.repository_deletion_policy;
    let (deletion, replacement) = match policy {
        DeletionPolicy::Delete => ("Delete", "Delete"),
        // With `Retain`, a failed creation would leave an empty repository.
        DeletionPolicy::Retain => ("RetainExceptOnCreate", "Retain"),
    };
    let mut tags = tags(spec);
    if let Some(tags) = tags.as_array_mut() {
        tags.push(json!({"Key": STACK_NAME_TAG, "Value": {"Ref": "AWS::StackName"}}));
    }
    json!({
        "Type": "AWS::CodeCommit::Repository",
        "DeletionPolicy": deletion,
        "UpdateReplacePolicy": replacement,
        // CloudFormation ignores an update that changes only this policy. The metadata makes it a
        // change.
        "Metadata": {"RepositoryDeletionPolicy": policy},
        "Properties": {
            "RepositoryName": named(names::REPOSITORY),
            "RepositoryDescription": "Mirrored from GitLab; what is pushed here by hand is overwritten",
            "Tags": tags,
        },
    })
}

#[cfg(test)]
mod tests;
