//! The build project and its log.

use serde_json::{Value, json};

use super::parts::{named, role, sub, tags};
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::NameScheme;
use crate::gitops_pipeline::spec::{EnvironmentVariable, Spec};

pub fn log_group(spec: &Spec, NameScheme(project): NameScheme) -> Value {
    json!({
        "Type": "AWS::Logs::LogGroup",
        "Properties": {
            "LogGroupName": sub(&format!("/aws/codebuild/{project}")),
            "RetentionInDays": spec.build.log_retention_in_days,
            "Tags": tags(spec),
        },
    })
}

pub fn project(spec: &Spec) -> Value {
    let build = &spec.build;
    let key = match &spec.artifact_key_arn {
        Some(arn) => json!(arn),
        None => sub("arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:alias/aws/s3"),
    };
    let mut source = json!({"Type": "CODEPIPELINE"});
    if let Some(build_spec) = &build.build_spec {
        source["BuildSpec"] = json!(build_spec);
    }
    json!({
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": named(names::BUILD_PROJECT),
            "Description": sub("Builds ${ProjectID} for ${EnvID}"),
            "ServiceRole": role(build.service_role_arn.as_ref(), names::BUILD_ROLE),
            "EncryptionKey": key,
            "Source": source,
            "Artifacts": {"Type": "CODEPIPELINE"},
            "Environment": environment(spec, |_| true),
            "TimeoutInMinutes": build.timeout_in_minutes,
            "QueuedTimeoutInMinutes": build.queued_timeout_in_minutes,
            "LogsConfig": {
                "CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "BuildLogGroup"}},
            },
            "Visibility": "PRIVATE",
            "Tags": tags(spec),
        },
    })
}

/// The environment of the builds, with the variables that `is_included` selects.
pub fn environment(spec: &Spec, is_included: impl Fn(&EnvironmentVariable) -> bool) -> Value {
    let build = &spec.build;
    let mut variables = vec![
        json!({"Name": "EnvID", "Type": "PLAINTEXT", "Value": {"Ref": "EnvID"}}),
        json!({"Name": "AccountId", "Type": "PLAINTEXT", "Value": {"Ref": "AWS::AccountId"}}),
    ];
    let given = build.environment_variables.iter();
    variables
        .extend(given.filter(|variable| is_included(variable)).map(|variable| json!(variable)));
    json!({
        "Type": container_type(&build.image),
        "Image": build.image,
        "ImagePullCredentialsType": image_pull_credentials(&build.image),
        "ComputeType": build.compute_type,
        "PrivilegedMode": build.privileged_mode,
        "EnvironmentVariables": variables,
    })
}

/// CodeBuild requires the processor's type. The names of its images for Arm contain it.
fn container_type(image: &str) -> &'static str {
    if image.contains("aarch64") || image.contains("arm64") {
        "ARM_CONTAINER"
    } else {
        "LINUX_CONTAINER"
    }
}

/// CodeBuild pulls its own images with its own credentials, and others with the build's role.
fn image_pull_credentials(image: &str) -> &'static str {
    if image.starts_with("aws/codebuild/") {
        "CODEBUILD"
    } else {
        "SERVICE_ROLE"
    }
}
