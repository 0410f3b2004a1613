//! The types of resources that the fake has services for. Properties and return values of `Ref`
//! and `Fn::GetAtt`: AWS's resource schemas and the Template Reference's page of each type.

use serde_json::Value;

use crate::services::{codecommit, iam::ACCOUNT};

pub const REPOSITORY: &str = "AWS::CodeCommit::Repository";

pub(crate) const BUILD_PROJECT: &str = "AWS::CodeBuild::Project";

pub(crate) const LOG_GROUP: &str = "AWS::Logs::LogGroup";

pub const PIPELINE: &str = "AWS::CodePipeline::Pipeline";

pub const RULE: &str = "AWS::Events::Rule";

struct ResourceKind {
    kind: &'static str,
    /// The property that names it.
    name: &'static str,
    /// The names of the others.
    properties: &'static str,
    required: &'static [&'static str],
}

const KINDS: [ResourceKind; 5] = [
    ResourceKind {
        kind: REPOSITORY,
        name: "RepositoryName",
        properties: "RepositoryDescription Tags Code KmsKeyId Triggers",
        required: &[],
    },
    ResourceKind {
        kind: BUILD_PROJECT,
        name: "Name",
        properties: "Artifacts AutoRetryLimit BadgeEnabled Cache ConcurrentBuildLimit Description \
                     EncryptionKey Environment LogsConfig QueuedTimeoutInMinutes ServiceRole \
                     Source Tags TimeoutInMinutes Visibility VpcConfig",
        required: &["Artifacts", "ServiceRole", "Environment", "Source"],
    },
    ResourceKind {
        kind: LOG_GROUP,
        name: "LogGroupName",
        properties: "KmsKeyId LogGroupClass RetentionInDays Tags",
        required: &[],
    },
    ResourceKind {
        kind: PIPELINE,
        name: "Name",
        properties: "ArtifactStore ExecutionMode PipelineType RestartExecutionOnUpdate RoleArn \
                     Stages Tags Triggers Variables",
        required: &["Stages", "RoleArn"],
    },
    ResourceKind {
        kind: RULE,
        name: "Name",
        properties: "Description EventBusName EventPattern RoleArn ScheduleExpression State Tags \
                     Targets",
        required: &[],
    },
];

/// Whether the fake has this type's service.
pub(crate) fn is_known(kind: &str) -> bool {
    KINDS.iter().any(|known| known.kind == kind)
}

/// `Ref`'s value: for these types, the name.
pub fn physical_id(kind: &str, properties: &Value) -> Result<String, String> {
    let Some(known) = KINDS.iter().find(|known| known.kind == kind) else {
        return Err(format!(
            "Template format error: Unrecognized resource types: [{kind}]"
        ));
    };
    let members = properties.as_object().into_iter().flatten();
    for (property, _) in members {
        let is_known = known.properties.split(' ').any(|name| name == property);
        if property != known.name && !is_known {
            return Err(format!(
                "Properties validation failed: extraneous key [{property}] is not permitted"
            ));
        }
    }
    for required in known.required {
        if properties[required].is_null() {
            return Err(format!(
                "Properties validation failed: required key [{required}] not found"
            ));
        }
    }
    let name = properties[known.name].as_str();
    let name = name.ok_or_else(|| format!("the fake invents no name for a {kind}"))?;
    Ok(name.to_owned())
}

/// `Fn::GetAtt`'s value.
pub(crate) fn attribute(kind: &str, physical_id: &str, attribute: &str) -> Option<String> {
    let arn = |service: &str, rest: &str| {
        Some(format!(
            "arn:aws:{service}:eu-central-1:{ACCOUNT}:{rest}{physical_id}"
        ))
    };
    match (kind, attribute) {
        (REPOSITORY, "Name") => Some(physical_id.to_owned()),
        (REPOSITORY, "Arn") => arn("codecommit", ""),
        (REPOSITORY, "CloneUrlHttp") => Some(codecommit::clone_url(physical_id)),
        (BUILD_PROJECT, "Arn") => arn("codebuild", "project/"),
        (LOG_GROUP, "Arn") => arn("logs", "log-group:").map(|arn| arn + ":*"),
        (RULE, "Arn") => arn("events", "rule/"),
        (PIPELINE, "Version") => Some("1".to_owned()),
        _ => None,
    }
}
