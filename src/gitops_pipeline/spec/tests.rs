//! Valid and invalid properties.

use serde_json::json;

use crate::gitops_pipeline::spec::*;

#[test]
fn environment_and_project_are_enough() {
    let spec = decode(&json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"}))
        .expect("valid");
    assert_eq!(spec.branch(), "development");
    assert_eq!(spec.repository(), "codecommit-dev-cfn-shop");
    assert_eq!(spec.deploy.capabilities, ["CAPABILITY_NAMED_IAM"]);
    assert_eq!(
        spec.deploy.template_configuration.as_deref(),
        Some("parameter.json")
    );
    assert!(spec.approval.required && !spec.build.privileged_mode);
}

#[test]
#[allow(clippy::too_many_lines)] // A list of errors.
fn every_error_is_reported_at_once() {
    let errors = decode(&json!({
        "EnvID": "Dev",
        "ProjectID": "-x",
        "BranchMap": {"dev": "a..b", "Stg": "staging"},
        "Source": {"RepositoryName": "a b", "RoleArn": "arn", "Branch": "x"},
        "ImageSource": {"RepositoryName": "R", "ImageTag": "-"},
        "ArtifactBucketName": "Upper_Case",
        "ArtifactKeyArn": "alias/k",
        "Build": {
            "Image": "", "ComputeType": "LARGE", "PrivilegedMode": "perhaps",
            "EnvironmentVariables": {"EnvID": "x", "a b": "y", "c": []},
            "TimeoutInMinutes": "4", "QueuedTimeoutInMinutes": 481, "ServiceRoleArn": "role",
            "LogRetentionInDays": 2, "Imag": "typo",
        },
        "Approval": {"Required": 7, "NotificationTopicArn": "topic", "ExternalEntityLink": "ftp://x"},
        "Deploy": {
            "ActionMode": "DELETE_ONLY", "StackName": "a_b", "TemplatePath": "BuildArtifact::x",
            "TemplateConfiguration": "/etc", "Capabilities": ["CAPABILITY_ALL"], "RoleArn": 7,
            "ParameterOverrides": {"a-b": "c"},
        },
        "ExecutionMode": "SERIAL",
        "PipelineRoleArn": "r", "EventRoleArn": "r",
        "ApprovalRule": {"ApproversNeeded": "0", "ApprovalPoolMembers": ["", 7]},
        "RepositoryDeletionPolicy": "Snapshot",
        "Tags": [{"Key": "aws:x", "Value": "v"}],
        "ProjectId": "typo",
    }))
    .expect_err("errors");
    let mut paths: Vec<_> = errors.0.iter().map(|error| error.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "Approval.ExternalEntityLink",
            "Approval.NotificationTopicArn",
            "Approval.Required",
            "ApprovalRule.ApprovalPoolMembers[0]",
            "ApprovalRule.ApproversNeeded",
            "ArtifactBucketName",
            "ArtifactKeyArn",
            "BranchMap.Stg",
            "BranchMap.dev",
            "Build.ComputeType",
            "Build.EnvironmentVariables.EnvID",
            "Build.EnvironmentVariables.a b",
            "Build.EnvironmentVariables.c",
            "Build.Imag",
            "Build.Image",
            "Build.LogRetentionInDays",
            "Build.PrivilegedMode",
            "Build.QueuedTimeoutInMinutes",
            "Build.ServiceRoleArn",
            "Build.TimeoutInMinutes",
            "Deploy.ActionMode",
            "Deploy.Capabilities[0]",
            "Deploy.ParameterOverrides.a-b",
            "Deploy.RoleArn",
            "Deploy.StackName",
            "Deploy.TemplateConfiguration",
            "Deploy.TemplatePath",
            "EnvID",
            "EventRoleArn",
            "ExecutionMode",
            "ImageSource.ImageTag",
            "ImageSource.RepositoryName",
            "PipelineRoleArn",
            "ProjectID",
            "ProjectId",
            "RepositoryDeletionPolicy",
            "Source.Branch",
            "Source.RepositoryArn",
            "Source.RepositoryName",
            "Source.RoleArn",
            "Tags[0].Key",
        ]
    );
}

#[test]
fn invalid_combination_is_named() {
    let errors = |extra: Value| {
        let mut properties = json!({"EnvID": "dev", "ProjectID": "p"});
        for (key, value) in extra.as_object().expect("an object") {
            properties[key] = value.clone();
        }
        decode(&properties).expect_err("an error").to_string()
    };
    let parallel = json!({"ExecutionMode": "PARALLEL", "Deploy": {"ActionMode": "CHANGE_SET"}});
    assert!(errors(parallel).starts_with("ExecutionMode: must not be PARALLEL"));
    let rolled_back = json!({"Deploy": {"ActionMode": "CHANGE_SET", "OnFailure": "Rollback"}});
    assert!(
        errors(rolled_back).starts_with("Deploy.OnFailure: must be Fail with Deploy.ActionMode")
    );
    let parallel = json!({"ExecutionMode": "PARALLEL", "Deploy": {"OnFailure": "Rollback"}});
    assert!(errors(parallel).starts_with("Deploy.OnFailure: must not be Rollback with"));
    let empty = json!({"Source": {"Paths": {"Includes": [""]}}});
    assert!(errors(empty).starts_with("Source.Paths.Includes[0]: must be a glob"));
    let list = json!({"Source": {"Paths": ["a"]}});
    assert_eq!(errors(list), "Source.Paths: must be an object");
    let many = json!({"Source": {"Paths": {"Excludes": vec!["a"; 51]}}});
    assert!(errors(many).starts_with("Source.Paths.Excludes: must be at most 50"));
    let long = json!({"Source": {"Paths": {"Includes": vec!["a".repeat(255); 20]}}});
    assert!(errors(long).starts_with("Source.Paths: must be at most 4096 bytes as JSON"));
    let arn = "arn:aws:codecommit:eu-central-1:210987654321:shop";
    let foreign = json!({"Source": {
        "RepositoryArn": arn, "RoleArn": "arn:aws:iam::210987654321:role/r", "Paths": {"Includes": ["a"]},
    }});
    assert!(errors(foreign).contains("Source.Paths: must not be set with RepositoryArn"));
    let windowless = json!({"Deploy": {"Window": {"TimeZone": "UTC"}}});
    assert_eq!(errors(windowless), "Deploy.Window.Cron: is required");
    let twice = json!([{"Name": "A", "Value": "1"}, {"Name": "A", "Value": "2"}]);
    let twice = json!({"Build": {"EnvironmentVariables": twice}});
    assert_eq!(
        errors(twice),
        "Build.EnvironmentVariables[1].Name: is given twice"
    );
    let unknown = json!([{"Name": "EnvID", "Value": "1", "Type": "SSM"}]);
    let unknown = errors(json!({"Build": {"EnvironmentVariables": unknown}}));
    assert!(
        unknown.contains("Build.EnvironmentVariables[0].Name: must be the name"),
        "{unknown}"
    );
    assert!(
        unknown.contains("Build.EnvironmentVariables[0].Type: must be one of"),
        "{unknown}"
    );
    let unmapped = json!({"EnvID": "stg"});
    assert_eq!(errors(unmapped), "EnvID: must be a key of BranchMap");
    let long = errors(json!({"EnvID": "e".repeat(40)}));
    assert!(long.contains("EnvID: must be at most 29"), "{long}");
    let long = json!({"ProjectID": "p".repeat(28)});
    assert!(errors(long).contains("together with EnvID; they are 31"));
    let empty = json!({"Source": {}});
    assert_eq!(
        errors(empty),
        "Source.RepositoryName: is required, or RepositoryArn and RoleArn for another account's"
    );
}

#[test]
fn default_action_mode_is_change_set_if_it_is_possible() {
    let mode = |extra: Value| {
        let mut properties = json!({"EnvID": "dev", "ProjectID": "p"});
        for (key, value) in extra.as_object().expect("an object") {
            properties[key] = value.clone();
        }
        decode(&properties).expect("valid").deploy.action_mode
    };
    let with_change_set = [
        json!({}),
        json!({"ExecutionMode": "SUPERSEDED"}),
        json!({"Approval": {"Required": true}, "Deploy": {"OnFailure": "Fail", "Alarms": ["a"]}}),
        json!({"Approval": {"Required": false}, "Deploy": {"ActionMode": "CHANGE_SET"}}),
    ];
    for properties in with_change_set {
        assert_eq!(
            mode(properties.clone()),
            ActionMode::ChangeSet,
            "{properties}"
        );
    }
    let without = [
        json!({"Approval": {"Required": "false"}}),
        json!({"ExecutionMode": "PARALLEL"}),
        json!({"Deploy": {"OnFailure": "Rollback"}}),
        json!({"Deploy": {"ActionMode": "CREATE_UPDATE"}}),
    ];
    for properties in without {
        assert_eq!(
            mode(properties.clone()),
            ActionMode::CreateUpdate,
            "{properties}"
        );
    }
}

#[test]
fn paths_apply_to_either_repository() {
    let spec = |source: Value| {
        let properties = json!({"EnvID": "dev", "ProjectID": "p", "Source": source});
        decode(&properties).expect("valid")
    };
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
        let spec = decode(&json!({"EnvID": "stg", "ProjectID": "p", "BranchMap": map}));
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
        let build = json!({"EnvironmentVariables": variables});
        let spec = decode(&json!({"EnvID": "dev", "ProjectID": "p", "Build": build}));
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
    for (text, path) in [
        ("STAGE=one", "Build.EnvironmentVariables"),
        ("", "Build.EnvironmentVariables"),
        (r#"{"EnvID": "x"}"#, "Build.EnvironmentVariables.EnvID"),
        (r#"[{"Name": "A"}]"#, "Build.EnvironmentVariables[0].Value"),
    ] {
        let errors = build(json!(text)).expect_err("errors");
        assert_eq!(errors.0[0].path, path);
    }
}

#[test]
fn empty_template_configuration_is_none() {
    let properties = json!({
        "EnvID": "dev", "ProjectID": "p", "Deploy": {"TemplateConfiguration": "", "Capabilities": []},
    });
    let spec = decode(&properties).expect("valid");
    assert_eq!(spec.deploy.template_configuration, None);
    assert!(spec.deploy.capabilities.is_empty());
}

/// The errors of these properties, as text.
fn errors(properties: &serde_json::Value) -> Vec<String> {
    let mut all = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"});
    for (name, value) in properties.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let errors = decode(&all).expect_err("errors").0;
    let texts = errors
        .iter()
        .map(|error| format!("{}: {}", error.path, error.what));
    texts.collect()
}

#[test]
fn review_is_rejected_with_what_it_cannot_do() {
    let found = errors(&json!({
        "Review": {"Branches": "*elopment"},
        "ImageSource": {"RepositoryName": "team/base"},
    }));
    assert!(
        found[0].starts_with("Review.Branches: must be a pattern"),
        "{found:?}"
    );
    let found = errors(&json!({
        "Review": {"Branches": "dev*"},
        "ImageSource": {"RepositoryName": "team/base"},
        "Deploy": {
            "StackName": "cfnstack-prd-shop",
            "RoleArn": "arn:aws:iam::123456789012:role/role-dev-other",
        },
    }));
    for part in [
        "Review: needs GitLab",
        "Review: must not be set with ImageSource",
        "Review.Branches: must not match development",
        "Deploy.StackName: must begin with cfnstack-dev-",
        "Deploy.RoleArn: must be role-dev-codedeploy-cfn",
    ] {
        assert!(
            found.iter().any(|error| error.starts_with(part)),
            "{found:?}"
        );
    }
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn drift_limits_the_deployed_stack_like_a_review() {
    let found = errors(&json!({"Drift": "Report", "Deploy": {"StackName": "shop"}}));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("with Drift"), "{found:?}");
}

#[test]
fn auto_approve_needs_a_change_set_and_the_environment() {
    let spec = |more: Value| {
        let mut properties = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"});
        properties["Approval"] = json!({"AutoApprove": "NoChanges", "Required": more["Required"]});
        properties["Deploy"] = json!({"ActionMode": more["ActionMode"]});
        decode(&properties)
    };
    for impossible in [
        json!({"Required": "false", "ActionMode": "CHANGE_SET"}),
        json!({"Required": "true", "ActionMode": "CREATE_UPDATE"}),
    ] {
        let errors = spec(impossible)
            .expect_err("no change set waits")
            .to_string();
        assert!(
            errors.starts_with("Approval.AutoApprove: needs"),
            "{errors}"
        );
    }
    let spec = spec(json!({"Required": "true", "ActionMode": "CHANGE_SET"})).expect("valid");
    let allowed = |value| check_allowed(&spec, FunctionApprovals::parse(value));
    assert_eq!(allowed("NoChanges"), Ok(()));
    for other in ["Denied", "", "nochanges"] {
        let errors = allowed(other).expect_err("denied").to_string();
        assert!(errors.contains("FunctionApprovals"), "{errors}");
    }
    let people = decode(&json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop"}));
    assert_eq!(
        check_allowed(&people.expect("valid"), FunctionApprovals::Denied),
        Ok(())
    );
}

#[test]
fn tags_approve_only_what_gitlab_and_the_environment_allow() {
    let spec = |approval: Value, more: Value| {
        let mut properties = json!({"ServiceToken": "arn", "EnvID": "dev", "ProjectID": "shop", "Approval": approval});
        properties["GitLab"] =
            json!({"TokenSecretId": "gitlab/infra", "Project": "platform/infra"});
        for (name, value) in more.as_object().expect("properties") {
            properties[name] = value.clone();
        }
        decode(&properties)
    };
    let from_gitlab = json!({"FromGitLab": "true", "AllowAuthor": "true"});
    let impossible = [
        spec(from_gitlab.clone(), json!({"GitLab": null})),
        spec(
            from_gitlab.clone(),
            json!({"Deploy": {"ActionMode": "CREATE_UPDATE"}}),
        ),
        spec(
            json!({"FromGitLab": "true", "Required": "false"}),
            json!({}),
        ),
        spec(json!({"AllowAuthor": "true"}), json!({})),
    ];
    for errors in impossible {
        let errors = errors
            .expect_err("a tag approves one change set")
            .to_string();
        assert!(errors.contains(": needs "), "{errors}");
    }
    let spec = spec(from_gitlab, json!({})).expect("valid");
    let allowed = |value| check_allowed(&spec, FunctionApprovals::parse(value));
    assert_eq!(allowed("GitLab"), Ok(()));
    for other in ["Denied", "NoChanges"] {
        let errors = allowed(other).expect_err("denied").to_string();
        assert!(
            errors.starts_with("Approval.FromGitLab: needs the parameter"),
            "{errors}"
        );
    }
}
