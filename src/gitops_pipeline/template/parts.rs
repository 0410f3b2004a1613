//! The parts that several resources of the child stack's template share, and the names of the
//! outputs, parameters and tags that the function reads.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::NameScheme;
use crate::gitops_pipeline::spec::Spec;

/// The origin of the repository, with its value in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryOrigin {
    /// The child stack contains it.
    Created,
    /// `Source.RepositoryName` names it.
    Existing,
    /// An earlier child stack of this name retained it.
    Adopted,
}

pub const ORIGIN_OUTPUT: &str = "RepositoryOrigin";
pub const DELETION_POLICY_OUTPUT: &str = "RepositoryDeletionPolicy";
pub const REPOSITORY_OUTPUT: &str = "RepositoryName";
/// The output that names the branch, with `\uXXXX` for characters beyond ASCII.
pub const BRANCH_OUTPUT: &str = "BranchName";
/// The output with the [settings](crate::gitops_pipeline::settings::StoredSettings), as JSON.
pub const SETTINGS_OUTPUT: &str = "Settings";
/// The output with the properties from which the stack was rendered, and those before them, as
/// JSON. Missing if none of them has a project in GitLab.
pub const PROPERTIES_OUTPUT: &str = "Properties";
/// The output with the name of the event rule of the image. Missing without the rule.
pub const IMAGE_RULE_OUTPUT: &str = "ImageEventRuleName";
/// The parameter: the clone URL of a repository that this stack does not create. Only with
/// `Review`.
pub const CLONE_URL: &str = "RepositoryCloneUrl";
pub const BRANCH_EXISTS: &str = "BranchExists";
pub const VERSION_OUTPUT: &str = "RenderingVersion";
/// The version of this function's rendering. It counts the releases that changed the template for
/// the same properties, and `template.yaml` repeats it.
pub const RENDERING_VERSION: u32 = 1;
pub const SOURCE_ARN_OUTPUT: &str = "SourceRepositoryArn";
pub const SOURCE_ROLE_OUTPUT: &str = "SourceRoleArn";
/// The tag that lets the next child stack adopt a retained repository.
pub const STACK_NAME_TAG: &str = "cfn-gitops:stack-name";

pub fn repository_name(spec: &Spec, repository: RepositoryOrigin) -> Value {
    match repository {
        RepositoryOrigin::Created => json!({"Fn::GetAtt": ["Repository", "Name"]}),
        RepositoryOrigin::Existing | RepositoryOrigin::Adopted => json!(spec.repository()),
    }
}

/// The tags of a resource: `CreatedBy`, and those of the property.
pub fn tags(spec: &Spec) -> Value {
    let created_by = json!({"Key": "CreatedBy", "Value": {"Ref": "AWS::StackName"}});
    let mut tags = Vec::new();
    if !spec.tags.contains_key("CreatedBy") {
        tags.push(created_by);
    }
    tags.extend(spec.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})));
    Value::Array(tags)
}

/// A role's ARN: `given`, or the environment's role with this name.
pub fn role(given: Option<&String>, NameScheme(name): NameScheme) -> Value {
    match given {
        Some(arn) => json!(arn),
        None => sub(&format!(
            "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}"
        )),
    }
}

/// The role with which EventBridge starts the pipeline and the builds of review branches.
pub fn event_role() -> Value {
    role(None, names::EVENT_ROLE)
}

fn repository_arn(spec: &Spec, repository: RepositoryOrigin) -> Value {
    match (spec.cross_account_source(), repository) {
        (Some(cross_account), _) => json!(cross_account.repository_arn),
        (None, RepositoryOrigin::Created) => json!({"Fn::GetAtt": ["Repository", "Arn"]}),
        (None, RepositoryOrigin::Existing | RepositoryOrigin::Adopted) => {
            let name = spec.repository();
            sub(&format!(
                "arn:${{AWS::Partition}}:codecommit:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
            ))
        }
    }
}

/// The pattern of pushes of the branches that `reference_name` matches.
pub fn push_pattern(spec: &Spec, repository: RepositoryOrigin, reference_name: &Value) -> Value {
    json!({
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [repository_arn(spec, repository)],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": [reference_name],
        },
        "replay-name": never_replayed(),
    })
}

/// A replayed event would start the pipeline with the commit of then. EventBridge adds the name of
/// the replay to the event, and AWS's rules for archives exclude replays in the same way.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html>
pub fn never_replayed() -> Value {
    json!([{"exists": false}])
}

/// The name of a resource of the environment or the project.
pub fn named(NameScheme(name): NameScheme) -> Value {
    sub(name)
}

pub fn sub(text: &str) -> Value {
    json!({"Fn::Sub": text})
}
