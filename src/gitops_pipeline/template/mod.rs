//! The child stack's template, as a pure function of the properties.
//!
//! `templates/pipeline.yaml` is what comes out with every property at its default, and says why
//! things are as they are. Account, region and partition stay CloudFormation's to fill in, so
//! that a template can be compared with another and deployed by hand.

mod build;
mod events;
mod pipeline;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::spec::{DeletionPolicy, Spec};

/// Where the repository comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryOrigin {
    /// The child stack makes it.
    Created,
    /// `Source.RepositoryName` names it.
    Given,
    /// An earlier child stack of this name made it and left it behind.
    Adopted,
}

impl RepositoryOrigin {
    /// As the output has it.
    pub fn name(self) -> &'static str {
        match self {
            RepositoryOrigin::Created => "made",
            RepositoryOrigin::Given => "given",
            RepositoryOrigin::Adopted => "taken up",
        }
    }

    /// Reads what the output has.
    pub fn read(name: &str) -> Option<Self> {
        let all = [
            RepositoryOrigin::Created,
            RepositoryOrigin::Given,
            RepositoryOrigin::Adopted,
        ];
        all.into_iter().find(|origin| origin.name() == name)
    }
}

/// The output that says where the repository comes from.
pub const ORIGIN_OUTPUT: &str = "RepositoryOrigin";
/// The output that says what becomes of a repository that was taken up.
pub const DELETION_POLICY_OUTPUT: &str = "RepositoryDeletionPolicy";
/// The output that names the repository.
pub const REPOSITORY_OUTPUT: &str = "RepositoryName";
/// The output that names the branch.
pub const BRANCH_OUTPUT: &str = "BranchName";
/// The parameter that says whether the branch has been pushed.
pub const BRANCH_EXISTS: &str = "BranchExists";
/// The outputs that say how another account's repository is reached.
pub const SOURCE_ARN_OUTPUT: &str = "SourceRepositoryArn";
/// See [`SOURCE_ARN_OUTPUT`].
pub const SOURCE_ROLE_OUTPUT: &str = "SourceRoleArn";
/// The tag by which a repository that outlived its stack is taken up by the next one.
pub const STACK_NAME_TAG: &str = "cfn-gitops:stack-name";

/// Renders the template.
pub fn render(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let mut resources = json!({
        "BuildLogGroup": build::log_group(spec),
        "BuildProject": build::project(spec),
        "Pipeline": pipeline::pipeline(spec, repository),
        "EventRule": events::rule(spec, repository),
    });
    let mut outputs = json!({
        (REPOSITORY_OUTPUT): {
            "Description": "Where GitLab pushes to",
            "Value": repository_name(spec, repository),
        },
        (ORIGIN_OUTPUT): {
            "Description": "Whether this stack made the repository, was given it, or took it up again",
            "Value": repository.name(),
        },
        (BRANCH_OUTPUT): {
            "Description": "The branch that is deployed",
            "Value": {"Fn::FindInMap": ["BranchMap", {"Ref": "EnvID"}, "name"]},
        },
        "PipelineName": {
            "Description": "The pipeline, which is there once the branch has been pushed",
            "Value": sub("codepipeline-${EnvID}-cfn-${ProjectID}"),
        },
    });
    if let Some(image) = &spec.image {
        resources["ImageEventRule"] = events::image_rule(spec, image);
    }
    if let Some(cross_account) = spec.cross_account_source() {
        outputs[SOURCE_ARN_OUTPUT] = json!({
            "Description": "The repository, which belongs to another account",
            "Value": cross_account.repository_arn,
        });
        outputs[SOURCE_ROLE_OUTPUT] = json!({
            "Description": "The role of that account through which it is read",
            "Value": cross_account.role_arn,
        });
    }
    match repository {
        RepositoryOrigin::Created => resources["Repository"] = made_repository(spec),
        RepositoryOrigin::Given => {}
        RepositoryOrigin::Adopted => {
            // An output that changes alone is no change to CloudFormation; this changes with it.
            resources["EventRule"]["Metadata"] =
                json!({"RepositoryDeletionPolicy": spec.repository_deletion_policy.name()});
            outputs[DELETION_POLICY_OUTPUT] = json!({
                "Description": "What becomes of the repository, which an earlier stack of this name left behind",
                "Value": spec.repository_deletion_policy.name(),
            });
        }
    }
    let branches: BTreeMap<&String, Value> = spec
        .branch_map
        .iter()
        .map(|(env_id, branch)| (env_id, json!({"name": branch})))
        .collect();
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "cfn-gitops: one project's pipeline in one environment. A push to the environment's \
            branch is built, approved by a person, and deployed by CloudFormation.",
        "Parameters": parameters(),
        "Mappings": {"BranchMap": branches},
        "Conditions": {
            "BranchIsThere": {"Fn::Equals": [{"Ref": BRANCH_EXISTS}, "true"]},
            "FunctionIsTold": {"Fn::Not": [{"Fn::Equals": [{"Ref": "FunctionArn"}, ""]}]},
        },
        "Resources": resources,
        "Outputs": outputs,
    })
}

/// The parameters' values, in the order of their names.
pub fn parameter_values(spec: &Spec, branch_exists: bool) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (BRANCH_EXISTS, branch_exists.to_string()),
        ("EnvID", spec.names.env_id.clone()),
        ("FunctionArn", spec.service_token.clone()),
        ("ProjectID", spec.names.project_id.clone()),
    ])
}

fn parameters() -> Value {
    json!({
        "EnvID": {
            "Type": "String",
            "AllowedPattern": "[a-z][a-z0-9]*",
            "Description": "The environment, a key of BranchMap below",
        },
        "ProjectID": {
            "Type": "String",
            "AllowedPattern": "[A-Za-z0-9][A-Za-z0-9-]*",
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
            "Description": "The function that the branch's first push is told to, and that then makes \
                BranchExists true. Empty for nobody",
        },
    })
}

fn made_repository(spec: &Spec) -> Value {
    let policy = spec.repository_deletion_policy;
    let (deletion, replacement) = match policy {
        DeletionPolicy::Delete => ("Delete", "Delete"),
        // What a creation that failed has made is not worth keeping.
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
        // A policy that changes alone is no change to CloudFormation; this changes with it.
        "Metadata": {"RepositoryDeletionPolicy": policy.name()},
        "Properties": {
            "RepositoryName": sub("codecommit-${EnvID}-cfn-${ProjectID}"),
            "RepositoryDescription": "Mirrored from GitLab; what is pushed here by hand is overwritten",
            "Tags": tags,
        },
    })
}

fn repository_name(spec: &Spec, repository: RepositoryOrigin) -> Value {
    match repository {
        RepositoryOrigin::Created => json!({"Fn::GetAtt": ["Repository", "Name"]}),
        RepositoryOrigin::Given | RepositoryOrigin::Adopted => json!(spec.repository()),
    }
}

/// `CreatedBy`, and what the properties add to it.
fn tags(spec: &Spec) -> Value {
    let created_by = json!({"Key": "CreatedBy", "Value": {"Ref": "AWS::StackName"}});
    let mut tags = Vec::new();
    if !spec.tags.contains_key("CreatedBy") {
        tags.push(created_by);
    }
    tags.extend(
        spec.tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value})),
    );
    Value::Array(tags)
}

/// A role's ARN: as given, or the environment's by its name.
fn role(given: Option<&String>, name: &str) -> Value {
    match given {
        Some(arn) => json!(arn),
        None => sub(&format!(
            "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}"
        )),
    }
}

fn sub(text: &str) -> Value {
    json!({"Fn::Sub": text})
}

#[cfg(test)]
pub mod tests;
