//! The template at its default and away from it, compared with what is checked in. Change the
//! files with `CFN_GITOPS_WRITE_RENDERINGS=1 cargo test renderings`, and read the difference.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{RepositoryOrigin, render};
use crate::gitops_pipeline::spec::decode;

const KEY_ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd";

fn cross_account_source() -> Value {
    json!({
        "RepositoryArn": "arn:aws:codecommit:eu-central-1:210987654321:infra",
        "RoleArn": "arn:aws:iam::210987654321:role/role-dev-codecommit-source",
    })
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates/rendered")
}

/// Each rendering: its name, the properties that differ from the default, the repository.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn renderings() -> Vec<(&'static str, Value, RepositoryOrigin)> {
    let account = "arn:aws:iam::123456789012:role";
    vec![
        ("default", json!({}), RepositoryOrigin::Created),
        (
            "third-environment",
            json!({"EnvID": "stg", "BranchMap": {"dev": "development", "stg": "release/next", "prd": "master"}}),
            RepositoryOrigin::Created,
        ),
        (
            "given-repository",
            json!({"Source": {"RepositoryName": "shared"}}),
            RepositoryOrigin::Given,
        ),
        (
            "source-elsewhere",
            json!({"Source": cross_account_source(), "ArtifactKeyArn": KEY_ARN}),
            RepositoryOrigin::Given,
        ),
        (
            "image",
            json!({"ImageSource": {"RepositoryName": "team/base"}}),
            RepositoryOrigin::Created,
        ),
        (
            "source-and-image-elsewhere",
            json!({
                "Source": cross_account_source(),
                "ImageSource": {
                    "RepositoryArn": "arn:aws:ecr:eu-central-1:333333333333:repository/ecr-dev-base",
                    "RoleArn": "arn:aws:iam::333333333333:role/role-dev-ecr-source",
                    "ImageTag": "stable",
                },
                "ArtifactBucketName": "a-bucket",
                "ArtifactKeyArn": KEY_ARN,
            }),
            RepositoryOrigin::Given,
        ),
        (
            "taken-up-repository",
            json!({"RepositoryDeletionPolicy": "Retain"}),
            RepositoryOrigin::Adopted,
        ),
        (
            "retained-repository",
            json!({"RepositoryDeletionPolicy": "Retain"}),
            RepositoryOrigin::Created,
        ),
        (
            "artifacts",
            json!({
                "ArtifactBucketName": "a-bucket",
                "ArtifactKeyArn": KEY_ARN,
            }),
            RepositoryOrigin::Created,
        ),
        (
            "build",
            json!({"Build": {
                "Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/builder-arm64:1",
                "ComputeType": "BUILD_GENERAL1_LARGE",
                "PrivilegedMode": "true",
                "BuildSpec": "ci/buildspec.yml",
                "EnvironmentVariables": {"STAGE": "one", "DEBUG": false, "LEVEL": 3},
                "TimeoutInMinutes": "5",
                "QueuedTimeoutInMinutes": 30,
                "ServiceRoleArn": format!("{account}/role-dev-codebuild-special"),
                "LogRetentionInDays": 7,
            }}),
            RepositoryOrigin::Created,
        ),
        (
            "approval",
            json!({"Approval": {
                "NotificationTopicArn": "arn:aws:sns:eu-central-1:123456789012:sns-dev-approvals",
                "CustomData": "Commit #{SourceVariables.CommitId}",
                "ExternalEntityLink": "https://gitlab.example.com/infra",
            }}),
            RepositoryOrigin::Created,
        ),
        (
            "no-approval",
            json!({"Approval": {"Required": "false"}}),
            RepositoryOrigin::Created,
        ),
        (
            "deploy",
            json!({"Deploy": {
                "StackName": "cfnstack-dev-other",
                "TemplatePath": "out/stack.yaml",
                "TemplateConfiguration": "",
                "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                "RoleArn": format!("{account}/role-dev-codedeploy-special"),
                "ParameterOverrides": {"Size": 3, "Commit": "#{SourceVariables.CommitId}"},
            }}),
            RepositoryOrigin::Created,
        ),
        (
            "no-capabilities",
            json!({"Deploy": {"Capabilities": []}}),
            RepositoryOrigin::Created,
        ),
        (
            "change-set",
            json!({"Deploy": {"ActionMode": "CHANGE_SET"}, "ExecutionMode": "SUPERSEDED"}),
            RepositoryOrigin::Created,
        ),
        (
            "change-set-without-approval",
            json!({"Deploy": {"ActionMode": "CHANGE_SET"}, "Approval": {"Required": false}}),
            RepositoryOrigin::Created,
        ),
        (
            "replace-on-failure",
            json!({"Deploy": {"ActionMode": "REPLACE_ON_FAILURE"}, "ExecutionMode": "PARALLEL"}),
            RepositoryOrigin::Created,
        ),
        (
            "roles",
            json!({
                "PipelineRoleArn": format!("{account}/role-dev-codepipeline-special"),
                "EventRoleArn": format!("{account}/role-dev-eventbridge-special"),
            }),
            RepositoryOrigin::Created,
        ),
        (
            "tags",
            json!({"Tags": [{"Key": "CostCenter", "Value": "42"}, {"Key": "CreatedBy", "Value": "us"}]}),
            RepositoryOrigin::Created,
        ),
    ]
}

fn rendered(properties: &Value, repository: RepositoryOrigin) -> Value {
    let mut all = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"});
    for (name, value) in properties.as_object().expect("an object") {
        all[name] = value.clone();
    }
    render(&decode(&all).expect("valid properties"), repository)
}

#[test]
fn renderings_are_as_checked_in() {
    let writes = std::env::var_os("CFN_GITOPS_WRITE_RENDERINGS").is_some();
    let mut expected_files = Vec::new();
    for (name, properties, repository) in renderings() {
        let file = directory().join(format!("{name}.json"));
        let template = rendered(&properties, repository);
        let text = serde_json::to_string_pretty(&template).expect("JSON") + "\n";
        if writes {
            std::fs::write(&file, &text).expect("a file that can be written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(text == expected, "{name} is not as in {}", file.display());
        expected_files.push(file);
    }
    for entry in std::fs::read_dir(directory()).expect("the directory") {
        let file = entry.expect("an entry").path();
        assert!(
            expected_files.contains(&file),
            "{} is rendered by nothing",
            file.display()
        );
    }
}

#[test]
fn every_property_away_from_its_default_changes_the_rendering_or_is_not_the_templates() {
    let default = rendered(&json!({}), RepositoryOrigin::Created);
    for (name, properties, repository) in renderings() {
        if name == "default" {
            continue;
        }
        assert_ne!(
            rendered(&properties, repository),
            default,
            "{name} changes nothing"
        );
    }
}

#[test]
fn two_projects_have_the_same_template() {
    let one = rendered(&json!({"ProjectID": "a"}), RepositoryOrigin::Created);
    let other = rendered(
        &json!({"ProjectID": "b", "EnvID": "prd"}),
        RepositoryOrigin::Created,
    );
    assert_eq!(one, other);
}
