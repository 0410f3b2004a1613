//! Compares the rendered templates with files: the default one with `templates/pipeline.yaml`, each
//! other one with its differences from the default or from a rendering that it names, in
//! `tests/templates/rendered`. To change the latter, run
//! `CFN_GITOPS_WRITE_RENDERINGS=1 cargo test --lib rendering`, and review the difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{IMAGE_RULE_OUTPUT, RENDERING_VERSION, RepositoryOrigin, render};
use crate::common::ownership::key;
use crate::gitops_pipeline::names::EventRule;
use crate::gitops_pipeline::spec::decode;

const KEY_ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates/rendered")
}

/// The file of a rendering.
fn file_of(name: &str) -> PathBuf {
    directory().join(format!("differences/{name}.json"))
}

/// Generates a test of each rendering from the name of its file, the origin of the repository, and
/// the properties that differ from the default. The file has the differences from the default, or
/// from the rendering after `from`.
macro_rules! renderings {
    ($($name:ident: $file:literal $(from $base:literal)?, $origin:expr, $properties:expr;)*) => {
        mod rendering {
            use super::*;

            $(
                #[test]
                fn $name() {
                    let bases: &[&str] = &[$($base,)? "default"];
                    check_rendering($file, bases[0]);
                }
            )*
        }

        const FILES: &[&str] = &[$($file),*];

        fn template_of(file: &str) -> Value {
            match file {
                "default" => rendered(&json!({}), RepositoryOrigin::Created),
                $($file => rendered(&$properties, $origin),)*
                unknown => panic!("no rendering has the name {unknown}"),
            }
        }
    };
}

renderings! {
    third_environment: "third-environment", RepositoryOrigin::Created, json!({"EnvID": "stg", "BranchMap": {"dev": "development", "stg": "release/next", "prd": "master"}});
    image: "image", RepositoryOrigin::Created, json!({"ImageSource": {"RepositoryName": "team/base"}});
    cross_account_source_and_image: "source-and-image-of-another-account" from "image", RepositoryOrigin::Existing, json!({
        "Source": {
            "RepositoryArn": "arn:aws:codecommit:eu-central-1:210987654321:infra",
            "RoleArn": "arn:aws:iam::210987654321:role/role-dev-codecommit-source",
        },
        "ImageSource": {
            "RepositoryArn": "arn:aws:ecr:eu-central-1:333333333333:repository/ecr-dev-base",
            "RoleArn": "arn:aws:iam::333333333333:role/role-dev-ecr-source",
            "ImageTag": "stable",
        },
        "ArtifactBucketName": "a-bucket",
        "ArtifactKeyArn": KEY_ARN,
    });
    adopted_repository: "adopted-repository", RepositoryOrigin::Adopted, json!({"RepositoryDeletionPolicy": "Retain"});
    retained_repository: "retained-repository", RepositoryOrigin::Created, json!({"RepositoryDeletionPolicy": "Retain"});
    paths: "paths", RepositoryOrigin::Created, json!({"Source": {"Paths": {"Includes": ["services/shop/**"], "Excludes": ["**/*.md"]}}});
    build: "build", RepositoryOrigin::Created, json!({"Build": {
        "Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/builder-arm64:1",
        "ComputeType": "BUILD_GENERAL1_LARGE",
        "PrivilegedMode": "true",
        "BuildSpec": "ci/buildspec.yml",
        "EnvironmentVariables": {"STAGE": "one", "DEBUG": false, "LEVEL": 3},
        "TimeoutInMinutes": "5",
        "QueuedTimeoutInMinutes": 30,
        "ServiceRoleArn": "arn:aws:iam::123456789012:role/role-dev-codebuild-special",
        "LogRetentionInDays": 7,
    }});
    build_variables: "build-variables", RepositoryOrigin::Created, json!({"Build": {"EnvironmentVariables": [
        {"Name": "STAGE", "Value": 1},
        {"Name": "LICENCE", "Type": "PARAMETER_STORE", "Value": "/build/dev/licence"},
        {"Name": "TOKEN", "Type": "SECRETS_MANAGER", "Value": "build/dev/registry:token"},
    ]}});
    approval: "approval", RepositoryOrigin::Created, json!({"Approval": {
        "NotificationTopicArn": "arn:aws:sns:eu-central-1:123456789012:sns-dev-approvals",
        "CustomData": "Commit #{SourceVariables.CommitId}",
        "ExternalEntityLink": "https://gitlab.example.com/infra",
    }});
    auto_approve: "auto-approve", RepositoryOrigin::Created, json!({"Approval": {"AutoApprove": "NoChanges"}, "Deploy": {"StackName": "cfnstack-dev-other"}});
    no_approval: "no-approval", RepositoryOrigin::Created, json!({"Approval": {"Required": "false"}});
    deploy: "deploy", RepositoryOrigin::Created, json!({"Deploy": {
        "StackName": "cfnstack-dev-other",
        "TemplatePath": "out/stack.yaml",
        "TemplateConfiguration": "",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "RoleArn": "arn:aws:iam::123456789012:role/role-dev-codedeploy-special",
        "ParameterOverrides": {"Size": 3, "Commit": "#{SourceVariables.CommitId}"},
    }});
    no_capabilities: "no-capabilities", RepositoryOrigin::Created, json!({"Deploy": {"Capabilities": []}});
    create_update: "create-update", RepositoryOrigin::Created, json!({"Deploy": {"ActionMode": "CREATE_UPDATE"}});
    change_set: "change-set", RepositoryOrigin::Created, json!({"Deploy": {"ActionMode": "CHANGE_SET"}, "ExecutionMode": "SUPERSEDED"});
    change_set_without_approval: "change-set-without-approval", RepositoryOrigin::Created, json!({"Deploy": {"ActionMode": "CHANGE_SET"}, "Approval": {"Required": false}});
    replace_on_failure: "replace-on-failure" from "create-update", RepositoryOrigin::Created, json!({"Deploy": {"ActionMode": "REPLACE_ON_FAILURE"}});
    rollback_on_alarm: "rollback-on-alarm" from "create-update", RepositoryOrigin::Created, json!({"Deploy": {"OnFailure": "Rollback", "Alarms": ["shop 5xx", "shop-latency"], "AlarmMinutes": "15"}});
    window_and_alarm: "window-and-alarm", RepositoryOrigin::Created, json!({"Deploy": {
        "Alarms": ["shop 5xx"],
        "Window": {"Cron": "* * 9-17 ? * MON-FRI", "TimeZone": "Europe/Berlin"},
    }});
    reporting: "reporting", RepositoryOrigin::Created, json!({
        "Deploy": {"ActionMode": "CHANGE_SET"},
        "GitLab": {"TokenSecretId": "gitlab/infra", "Project": "platform/infra"},
        "Report": {"BuildLog": "true", "EnvironmentUrlOutput": "WebsiteUrl"},
    });
    reporting_of_adopted_repository: "reporting-of-adopted-repository" from "adopted-repository", RepositoryOrigin::Adopted, json!({
        "RepositoryDeletionPolicy": "Retain",
        "Deploy": {"StackName": "cfnstack-dev-other"},
        "GitLab": {"Url": "https://gitlab.example.com/", "TokenSecretId": "gitlab/infra", "TokenSecretKey": "api", "Project": "7"},
        "Report": {"CommitStatus": false, "Deployments": "false", "Notes": false, "EnvironmentName": "staging/blue"},
    });
    review: "review", RepositoryOrigin::Created, json!({
        "GitLab": {"TokenSecretId": "gitlab/infra", "Project": "platform/infra"},
        "Review": {"Branches": "review/*"},
        "Build": {"EnvironmentVariables": [
            {"Name": "STAGE", "Value": 1},
            {"Name": "TOKEN", "Type": "SECRETS_MANAGER", "Value": "build/dev/registry:token"},
        ]},
    });
    beyond_ascii: "beyond-ascii" from "drift", RepositoryOrigin::Created, json!({
        "BranchMap": {"dev": "機能/ログイン", "prd": "dev{1}"},
        "Deploy": {"TemplatePath": "ひな形.yaml", "Alarms": ["応答時間"]},
        "Drift": "Report",

    });
    review_and_drift: "review-and-drift" from "review", RepositoryOrigin::Existing, json!({
        "Source": {"RepositoryName": "shared"},
        "Build": {"BuildSpec": "ci/buildspec.yml"},
        "Deploy": {
            "StackName": "cfnstack-dev-other",
            "TemplatePath": "out/stack.yaml",
            "TemplateConfiguration": "",
            "RoleArn": "arn:aws:iam::123456789012:role/role-dev-codedeploy-cfn",
            "ParameterOverrides": {"Size": 3},
        },
        "GitLab": {"TokenSecretId": "gitlab/infra", "Project": "platform/infra"},
        "Report": {"Notes": "false"},
        "Review": {
            "Branches": "review/*/infra",
            "AllowTransforms": true,
            "BuildRoleArn": "arn:aws:iam::123456789012:role/role-dev-review-special",
        },
        "Drift": "Report",
    });
    drift: "drift", RepositoryOrigin::Created, json!({"Drift": "Report"});
    roles: "roles", RepositoryOrigin::Created, json!({
        "PipelineRoleArn": "arn:aws:iam::123456789012:role/role-dev-codepipeline-special",
    });
    tags: "tags", RepositoryOrigin::Created, json!({"Tags": [{"Key": "CostCenter", "Value": "42"}, {"Key": "CreatedBy", "Value": "us"}]});
}

fn rendered(properties: &Value, repository: RepositoryOrigin) -> Value {
    let mut all = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"});
    for (name, value) in properties.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let mut spec = decode(&all).expect("valid properties");
    if let Some(target) = &mut spec.gitlab {
        target.number.get_or_insert(42);
    }
    render(&spec, repository)
}

/// The suppressed findings of linters, which only the readable template has.
fn without_suppressions(mut template: Value) -> Value {
    let resources = template["Resources"].as_object_mut();
    for resource in resources.expect("resources").values_mut() {
        let resource = resource.as_object_mut().expect("a resource");
        let metadata = resource.get_mut("Metadata").and_then(Value::as_object_mut);
        if metadata.is_some_and(|it| it.remove("checkov").is_some() && it.is_empty()) {
            resource.remove("Metadata");
        }
    }
    template
}

#[test]
fn default_rendering_is_the_template_that_people_read() {
    let readable = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pipeline.yaml");
    let readable = std::fs::read_to_string(readable).expect("the template");
    let readable = without_suppressions(fake_aws::yaml::read(&readable));
    let differences = differences(&readable, &template_of("default"));
    assert!(differences.is_empty(), "{differences:#?}");
}

fn check_rendering(name: &str, base: &str) {
    let mut found = differences(&template_of(base), &template_of(name));
    assert!(!found.is_empty(), "{name} changes nothing");
    if base != "default" {
        found.insert("from".to_owned(), json!(base));
    }
    let (file, text) = (file_of(name), pretty(&Value::Object(found)));
    if std::env::var_os("CFN_GITOPS_WRITE_RENDERINGS").is_some() {
        std::fs::write(&file, &text).expect("a file that can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{name} differs from {}", file.display());
}

fn pretty(content: &Value) -> String {
    serde_json::to_string_pretty(content).expect("JSON") + "\n"
}

#[test]
fn event_rules_are_all_rules_of_each_rendering() {
    for file in FILES {
        let template = template_of(file);
        let resources = template["Resources"].as_object().expect("resources");
        let rules = resources.values().filter(|it| it["Type"] == "AWS::Events::Rule");
        let names: Vec<&Value> = rules.map(|it| &it["Properties"]["Name"]["Fn::Sub"]).collect();
        let known = EventRule::ALL.map(|it| it.scheme().0);
        assert!(names.iter().all(|name| known.iter().any(|it| it == *name)));
        let image = names.iter().any(|name| **name == EventRule::Image.scheme().0);
        assert_eq!(
            template["Outputs"].get(IMAGE_RULE_OUTPUT).is_some(),
            image,
            "{file}"
        );
    }
}

/// `versions.json` has a hash of all renderings for each version. So a changed rendering is
/// noticed.
#[test]
fn changed_rendering_needs_a_new_version() {
    let all = ["default"].iter().chain(FILES);
    let hash = key(&all.map(|name| pretty(&template_of(name))).collect::<String>());
    let file = directory().join("versions.json");
    let mut versions: BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    if std::env::var_os("CFN_GITOPS_WRITE_RENDERINGS").is_some() {
        versions.insert(RENDERING_VERSION.to_string(), hash.clone());
        let text = pretty(&json!(versions));
        std::fs::write(&file, text).expect("a file that can be written");
    }
    let known = versions.get(&RENDERING_VERSION.to_string());
    assert!(
        known == Some(&hash),
        "the renderings differ from those of version {RENDERING_VERSION}. If a release has that version, increment \
         RENDERING_VERSION, here and in template.yaml. Then write versions.json"
    );
}

/// The values of `other` that differ from `default`, by JSON pointer (RFC 6901). Null if `other`
/// does not have the value, which no template contains. `tests/templates/renderings.py` reads them.
fn differences(default: &Value, other: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    find_differences(Some(default), Some(other), "", &mut found);
    found
}

fn find_differences(
    default: Option<&Value>,
    other: Option<&Value>,
    pointer: &str,
    found: &mut Map<String, Value>,
) {
    match (default, other) {
        (default, other) if default == other => {}
        // Without a common member, such as two intrinsic functions, the whole value is clearer.
        (Some(Value::Object(default)), Some(Value::Object(other)))
            if default.keys().any(|key| other.contains_key(key)) =>
        {
            let added = other.keys().filter(|key| !default.contains_key(*key));
            for key in default.keys().chain(added) {
                let below = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                find_differences(default.get(key), other.get(key), &below, found);
            }
        }
        (Some(Value::Array(default)), Some(Value::Array(other))) => {
            for index in 0..default.len().max(other.len()) {
                let (before, after) = (default.get(index), other.get(index));
                let below = format!("{pointer}/{index}");
                if default.len() == other.len() {
                    find_differences(before, after, &below, found);
                } else if before != after {
                    // The elements may have moved, so whole ones are clearer.
                    found.insert(below, after.cloned().unwrap_or_default());
                }
            }
        }
        (_, other) => {
            found.insert(pointer.to_owned(), other.cloned().unwrap_or_default());
        }
    }
}

#[test]
fn every_checked_in_rendering_has_a_test() {
    for entry in std::fs::read_dir(directory().join("differences")).expect("the directory") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().and_then(|name| name.to_str());
        let is_rendered = name.is_some_and(|name| FILES.contains(&name));
        assert!(is_rendered, "no test renders {}", file.display());
    }
}

#[test]
fn template_is_the_same_for_every_project() {
    let one = rendered(&json!({"ProjectID": "a"}), RepositoryOrigin::Created);
    let other = rendered(
        &json!({"ProjectID": "b", "EnvID": "prd"}),
        RepositoryOrigin::Created,
    );
    assert_eq!(one, other);
}

#[test]
fn changed_setting_changes_a_resource() {
    let paths = |glob: &str| json!({"Source": {"Paths": {"Includes": [glob]}}});
    let settings = |of: Value| rendered(&of, RepositoryOrigin::Created);
    let (before, after) = (settings(paths("shop/**")), settings(paths("blog/**")));
    assert_ne!(before["Outputs"], after["Outputs"]);
    // CloudFormation performs no update if only an output differs.
    assert_ne!(before["Resources"], after["Resources"]);
}
