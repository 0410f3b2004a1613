//! Valid and invalid properties.

use serde_json::json;

use crate::gitops_pipeline::spec::*;

/// Decodes the properties of a pipeline with these `members`, of which those that are null are
/// missing.
fn with(members: Value) -> Result<Spec, ValidationErrors> {
    let mut all = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"});
    if let (Some(all), Value::Object(members)) = (all.as_object_mut(), members) {
        all.extend(members);
    }
    decode(&all)
}

/// The errors of these properties, as text.
fn errors(members: Value) -> String {
    with(members).expect_err("errors").to_string()
}

#[test]
fn environment_and_project_are_enough() {
    let spec = with(json!({})).expect("valid");
    assert_eq!(spec.branch(), "development");
    assert_eq!(spec.repository(), "codecommit-dev-cfn-shop");
    assert_eq!(spec.deploy.capabilities, ["CAPABILITY_NAMED_IAM"]);
    assert_eq!(
        spec.deploy.template_configuration.as_deref(),
        Some("parameter.json")
    );
    assert!(spec.approval.required && !spec.build.privileged_mode);
}

/// One test for each row: the properties, and how their errors begin.
macro_rules! rejected {
    ($($name:ident: $properties:tt => $text:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let errors = errors(json!($properties));
                assert!(errors.starts_with($text), "{errors}");
            }
        )*
    };
}

rejected! {
    parallel_change_set_is_rejected:
        {"ExecutionMode": "PARALLEL", "Deploy": {"ActionMode": "CHANGE_SET"}}
        => "ExecutionMode: must not be PARALLEL";
    rollback_of_a_change_set_is_rejected:
        {"Deploy": {"ActionMode": "CHANGE_SET", "OnFailure": "Rollback"}}
        => "Deploy.OnFailure: must be Fail with Deploy.ActionMode";
    parallel_rollback_is_rejected:
        {"ExecutionMode": "PARALLEL", "Deploy": {"OnFailure": "Rollback"}}
        => "Deploy.OnFailure: must not be Rollback with";
    empty_glob_is_rejected: {"Source": {"Paths": {"Includes": [""]}}}
        => "Source.Paths.Includes[0]: must be a glob";
    paths_are_an_object: {"Source": {"Paths": ["a"]}} => "Source.Paths: must be an object";
    globs_are_at_most_50: {"Source": {"Paths": {"Excludes": vec!["a"; 51]}}}
        => "Source.Paths.Excludes: must be at most 50";
    globs_have_at_most_4096_bytes: {"Source": {"Paths": {"Includes": vec!["a".repeat(255); 20]}}}
        => "Source.Paths: must be at most 4096 bytes as JSON";
    window_needs_a_cron: {"Deploy": {"Window": {"TimeZone": "UTC"}}}
        => "Deploy.Window.Cron: is required";
    variable_is_named_once: {"Build": {"EnvironmentVariables": [
            {"Name": "A", "Value": "1"}, {"Name": "A", "Value": "2"},
        ]}}
        => "Build.EnvironmentVariables[1].Name: is given twice";
    variable_of_codebuild_is_rejected:
        {"Build": {"EnvironmentVariables": {"CODEBUILD_GIT_BRANCH": "main"}}}
        => "Build.EnvironmentVariables.CODEBUILD_GIT_BRANCH: must be the name of an environment variable";
    listed_variable_of_codebuild_is_rejected:
        {"Build": {"EnvironmentVariables": [{"Name": "CODEBUILD_X", "Value": "1"}]}}
        => "Build.EnvironmentVariables[0].Name: must be the name of an environment variable";
    variable_of_codebuild_in_json_is_rejected:
        {"Build": {"EnvironmentVariables": "{\"CODEBUILD_\": 1}"}}
        => "Build.EnvironmentVariables.CODEBUILD_: must be the name of an environment variable";
    variable_of_a_secret_names_it:
        {"Build": {"EnvironmentVariables": [{"Name": "A", "Value": "", "Type": "SECRETS_MANAGER"}]}}
        => "Build.EnvironmentVariables[0].Value: must be the name of a parameter or a secret";
    environment_is_a_key_of_the_branch_map: {"EnvID": "stg"} => "EnvID: must be a key of BranchMap";
    environment_has_at_most_29_characters: {"EnvID": "e".repeat(40)} => "EnvID: must be at most 29";
    names_have_at_most_30_characters: {"ProjectID": "p".repeat(28)}
        => "ProjectID: must be at most 30 characters together with EnvID; they are 31";
    source_names_a_repository: {"Source": {}}
        => "Source.RepositoryName: is required, or RepositoryArn and RoleArn for another account's";
    drift_limits_the_deployed_stack: {"Drift": "Report", "Deploy": {"StackName": "shop"}}
        => "Deploy.StackName: must begin with cfnstack-dev- with Drift";
    pattern_of_review_branches_has_a_beginning: {"Review": {"Branches": "*elopment"}}
        => "Review.Branches: must be a pattern";
    auto_approve_needs_an_approval: {
            "Approval": {"AutoApprove": "NoChanges", "Required": "false"},
            "Deploy": {"ActionMode": "CHANGE_SET"},
        }
        => "Approval.AutoApprove: needs";
    auto_approve_needs_a_change_set: {
            "Approval": {"AutoApprove": "NoChanges"},
            "Deploy": {"ActionMode": "CREATE_UPDATE"},
        }
        => "Approval.AutoApprove: needs";
    tags_need_gitlab: {"Approval": {"FromGitLab": "true"}} => "Approval.FromGitLab: needs GitLab";
    tags_need_a_change_set: {
            "GitLab": gitlab(),
            "Approval": {"FromGitLab": "true"},
            "Deploy": {"ActionMode": "CREATE_UPDATE"},
        }
        => "Approval.FromGitLab: needs";
    tags_need_an_approval:
        {"GitLab": gitlab(), "Approval": {"FromGitLab": "true", "Required": "false"}}
        => "Approval.FromGitLab: needs";
    authors_need_tags: {"GitLab": gitlab(), "Approval": {"AllowAuthor": "true"}}
        => "Approval.AllowAuthor: needs";
}

fn gitlab() -> Value {
    json!({"TokenSecretId": "gitlab/infra", "Project": "platform/infra"})
}

/// Each has an error of another property, too.
#[test]
fn error_among_others_is_named() {
    let arn = "arn:aws:codecommit:eu-central-1:210987654321:shop";
    let foreign = errors(json!({"Source": {
        "RepositoryArn": arn, "RoleArn": "arn:aws:iam::210987654321:role/r", "Paths": {"Includes": ["a"]},
    }}));
    assert!(foreign.contains("Source.Paths: must not be set with RepositoryArn"));
    let unknown = json!([{"Name": "EnvID", "Value": "1", "Type": "SSM"}]);
    let unknown = errors(json!({"Build": {"EnvironmentVariables": unknown}}));
    for error in ["Name: must be the name", "Type: must be one of"] {
        let error = format!("Build.EnvironmentVariables[0].{error}");
        assert!(unknown.contains(&error), "{unknown}");
    }
}

#[test]
fn default_action_mode_is_change_set_if_it_is_possible() {
    for (properties, expected) in [
        (json!({}), ActionMode::ChangeSet),
        (
            json!({"ExecutionMode": "SUPERSEDED"}),
            ActionMode::ChangeSet,
        ),
        (
            json!({"Approval": {"Required": true}, "Deploy": {"OnFailure": "Fail", "Alarms": ["a"]}}),
            ActionMode::ChangeSet,
        ),
        (
            json!({"Approval": {"Required": false}, "Deploy": {"ActionMode": "CHANGE_SET"}}),
            ActionMode::ChangeSet,
        ),
        (
            json!({"Approval": {"Required": "false"}}),
            ActionMode::CreateUpdate,
        ),
        (
            json!({"ExecutionMode": "PARALLEL"}),
            ActionMode::CreateUpdate,
        ),
        (
            json!({"Deploy": {"OnFailure": "Rollback"}}),
            ActionMode::CreateUpdate,
        ),
        (
            json!({"Deploy": {"ActionMode": "CREATE_UPDATE"}}),
            ActionMode::CreateUpdate,
        ),
    ] {
        let spec = with(properties.clone()).expect("valid");
        assert_eq!(spec.deploy.action_mode, expected, "{properties}");
    }
}

#[test]
fn paths_apply_to_either_repository() {
    let spec = |source: Value| with(json!({"Source": source})).expect("valid");
    let own = spec(json!({"Paths": {"Includes": ["a/**"]}}));
    assert_eq!(own.source, None);
    assert_eq!(own.paths.expect("paths").includes, ["a/**"]);
    let given = spec(json!({"RepositoryName": "shared", "Paths": {"Excludes": ["docs/**"]}}));
    assert_eq!(given.repository(), "shared");
    assert_eq!(given.paths.expect("paths").excludes, ["docs/**"]);
    for nothing in [json!({}), json!({"Includes": [], "Excludes": []})] {
        assert_eq!(spec(json!({"Paths": nothing})).paths, None);
    }
}

#[test]
fn branch_map_can_be_json_text() {
    let map = |map: Value| {
        let spec = with(json!({"EnvID": "stg", "BranchMap": map}));
        spec.map(|spec| spec.branch().to_owned())
    };
    let expected = Ok("release/next".to_owned());
    assert_eq!(map(json!({"stg": "release/next"})), expected);
    assert_eq!(map(json!(r#"{"stg":"release/next"}"#)), expected);
    for bad in [json!("stg"), json!(r#"{"stg":{}}"#), json!(7), json!("{}")] {
        assert!(map(bad).is_err());
    }
}

#[test]
fn build_variables_can_be_json_text() {
    let build = |variables: Value| {
        let spec = with(json!({"Build": {"EnvironmentVariables": variables}}));
        spec.map(|spec| spec.build)
    };
    let list = json!([{"Name": "TOKEN", "Value": "/build/token", "Type": "PARAMETER_STORE"}]);
    for variables in [
        json!({"STAGE": "one", "DEBUG": false, "LEVEL": 3}),
        list,
        json!({}),
    ] {
        let expected = build(variables.clone()).expect("valid");
        assert_eq!(
            build(json!(variables.to_string())).expect("valid"),
            expected
        );
    }
}

#[test]
fn empty_template_configuration_is_none() {
    let deploy = json!({"TemplateConfiguration": "", "Capabilities": []});
    let spec = with(json!({"Deploy": deploy})).expect("valid");
    assert_eq!(spec.deploy.template_configuration, None);
    assert!(spec.deploy.capabilities.is_empty());
}

#[test]
fn review_is_rejected_with_what_it_cannot_do() {
    let found = with(json!({
        "Review": {"Branches": "dev*"},
        "ImageSource": {"RepositoryName": "team/base"},
        "Deploy": {
            "StackName": "cfnstack-prd-shop",
            "RoleArn": "arn:aws:iam::123456789012:role/role-dev-other",
        },
    }))
    .expect_err("errors");
    let text = found.to_string();
    for part in [
        "Review: needs GitLab",
        "Review: must not be set with ImageSource",
        "Review.Branches: must not match development",
        "Deploy.StackName: must begin with cfnstack-dev-",
        "Deploy.RoleArn: must be role-dev-codedeploy-cfn",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(found.0.len(), 5, "{text}");
}

#[test]
fn approvals_need_the_environment() {
    let people = json!({});
    let empty = json!({"AutoApprove": "NoChanges"});
    let tags = json!({"FromGitLab": "true", "AllowAuthor": "true"});
    for (approval, allowing, denying) in [
        (people, &["Denied", "NoChanges", "GitLab"][..], &[][..]),
        (
            empty,
            &["NoChanges", "GitLab"],
            &["Denied", "", "nochanges"],
        ),
        (tags, &["GitLab"], &["Denied", "NoChanges"]),
    ] {
        let spec = with(json!({"GitLab": gitlab(), "Approval": approval})).expect("valid");
        let check = |value: &str| check_allowed(&spec, FunctionApprovals::parse(value));
        for value in allowing {
            assert_eq!(check(value), Ok(()), "{approval} {value}");
        }
        for value in denying {
            let errors = check(value).expect_err("denied").to_string();
            assert!(
                errors.contains(": needs the parameter FunctionApprovals"),
                "{errors}"
            );
        }
    }
}
