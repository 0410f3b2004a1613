//! Valid and invalid properties.

use expect_test::expect;
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
    parallel_executions_are_rejected: {"ExecutionMode": "PARALLEL"}
        => "ExecutionMode: must be one of QUEUED, SUPERSEDED";
    rollback_of_a_change_set_is_rejected:
        {"Deploy": {"ActionMode": "CHANGE_SET", "OnFailure": "Rollback"}}
        => "Deploy.OnFailure: must be Fail with Deploy.ActionMode";
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
    expect!["Source.Paths: must not be set with RepositoryArn: the function reads no differences in another account; ArtifactKeyArn: is required with Source.RepositoryArn, whose account cannot use this account's default key"].assert_eq(&foreign);
    let unknown = json!([{"Name": "EnvID", "Value": "1", "Type": "SSM"}]);
    let unknown = errors(json!({"Build": {"EnvironmentVariables": unknown}}));
    expect!["Build.EnvironmentVariables[0].Name: must be the name of an environment variable: letters, digits and `_`, and neither EnvID nor AccountId, which are always set, nor a name that begins with CODEBUILD_, which CodeBuild reserves; Build.EnvironmentVariables[0].Type: must be one of PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER"].assert_eq(&unknown);
}

#[test]
fn default_action_mode_is_change_set_if_it_is_possible() {
    let mode = |properties| with(properties).expect("valid").deploy.action_mode;
    for properties in [
        json!({}),
        json!({"ExecutionMode": "SUPERSEDED"}),
        json!({"Approval": {"Required": true}, "Deploy": {"OnFailure": "Fail", "Alarms": ["a"]}}),
        json!({"Approval": {"Required": false}, "Deploy": {"ActionMode": "CHANGE_SET"}}),
    ] {
        assert_eq!(mode(properties), ActionMode::ChangeSet);
    }
    for properties in [
        json!({"Approval": {"Required": "false"}}),
        json!({"Deploy": {"OnFailure": "Rollback"}}),
        json!({"Deploy": {"ActionMode": "CREATE_UPDATE"}}),
    ] {
        assert_eq!(mode(properties), ActionMode::CreateUpdate);
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
    expect!["Deploy.StackName: must begin with cfnstack-dev- with Review: the function creates change sets of no other stack; Deploy.RoleArn: must be role-dev-codedeploy-cfn with Review: the function passes no other role to CloudFormation; Review: needs GitLab; Review: must not be set with ImageSource: the build of a review has no image; Review.Branches: must not match development, the branch of dev in BranchMap"].assert_eq(&found.to_string());
}

#[test]
fn approvals_need_the_environment() {
    let people = json!({});
    let empty = json!({"AutoApprove": "NoChanges"});
    for (approval, allowing, denying) in [
        (people, &["Denied", "NoChanges"][..], &[][..]),
        (empty, &["NoChanges"], &["Denied", "", "nochanges"]),
    ] {
        let spec = with(json!({"GitLab": gitlab(), "Approval": approval})).expect("valid");
        let check = |value: &str| check_allowed(&spec, FunctionApprovals::parse(value));
        for value in allowing {
            assert_eq!(check(value), Ok(()), "{approval} {value}");
        }
        for value in denying {
            let errors = check(value).expect_err("denied").to_string();
            let needed = ": needs the parameter FunctionApprovals";
            assert!(errors.contains(needed), "{errors}");
        }
    }
}
