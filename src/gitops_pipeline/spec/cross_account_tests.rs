use serde_json::{Value, json};

use crate::gitops_pipeline::spec::{Spec, decode};

const SOURCE_ARN: &str = "arn:aws:codecommit:eu-central-1:210987654321:infra";
const IMAGE_ARN: &str = "arn:aws:ecr:eu-central-1:210987654321:repository/team/base";
const ROLE_ARN: &str = "arn:aws:iam::210987654321:role/role-dev-codecommit-source";
const KEY_ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1";

fn decoded(more: Value) -> Result<Spec, cfn_custom_resource::ValidationErrors> {
    let mut properties = json!({
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev",
        "EnvID": "dev",
        "ProjectID": "shop",
    });
    if let (Some(map), Value::Object(more)) = (properties.as_object_mut(), more) {
        map.extend(more);
    }
    decode(&properties)
}

fn paths(more: Value) -> Vec<String> {
    let errors = decoded(more).expect_err("errors");
    errors.0.into_iter().map(|error| error.path).collect()
}

#[test]
fn another_accounts_repositories_are_named_by_their_arns() {
    let spec = decoded(json!({
        "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN},
        "ImageSource": {
            "RepositoryArn": IMAGE_ARN, "RoleArn": ROLE_ARN, "RepositoryName": "team/base",
        },
        "ArtifactKeyArn": KEY_ARN,
    }))
    .expect("valid");
    assert_eq!(spec.repository(), "infra");
    let source = spec.source.expect("a source");
    assert_eq!(source.account(), Some("210987654321"));
    let image = spec.image.expect("an image");
    assert_eq!(image.repository.name, "team/base");
    assert_eq!(image.tag, "latest");
}

#[test]
fn image_of_this_account_needs_only_its_name() {
    let spec = decoded(json!({"ImageSource": {"RepositoryName": "base", "ImageTag": "1.2"}}));
    let image = spec.expect("valid").image.expect("an image");
    assert_eq!(
        (image.repository.cross_account, image.tag.as_str()),
        (None, "1.2")
    );
}

#[test]
fn role_and_repository_arn_require_each_other() {
    assert_eq!(
        paths(
            json!({"Source": {"RepositoryArn": SOURCE_ARN}, "ImageSource": {"RoleArn": ROLE_ARN}})
        ),
        [
            "Source.RoleArn",
            "ImageSource.RepositoryName",
            "ImageSource.RepositoryArn",
        ]
    );
    assert_eq!(paths(json!({"Source": {}})), ["Source.RepositoryName"]);
    let of_a_third = "arn:aws:iam::333333333333:role/r";
    assert_eq!(
        paths(json!({
            "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": of_a_third, "RepositoryName": "x"},
            "ArtifactKeyArn": KEY_ARN,
        })),
        ["Source.RepositoryName", "Source.RoleArn"]
    );
}

#[test]
fn source_of_another_region_is_rejected() {
    let far = SOURCE_ARN.replace("eu-central-1", "us-east-1");
    assert_eq!(
        paths(json!({
            "Source": {"RepositoryArn": far, "RoleArn": ROLE_ARN}, "ArtifactKeyArn": KEY_ARN,
        })),
        ["Source.RepositoryArn"]
    );
}

#[test]
fn another_account_makes_a_key_of_this_region_necessary() {
    let source = json!({"Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN}});
    assert_eq!(paths(source), ["ArtifactKeyArn"]);
    let far = KEY_ARN.replace("eu-central-1", "us-east-1");
    assert_eq!(paths(json!({"ArtifactKeyArn": far})), ["ArtifactKeyArn"]);
}

#[test]
fn arn_of_this_accounts_repository_is_rejected() {
    let own = SOURCE_ARN.replace("210987654321", "123456789012");
    let role = ROLE_ARN.replace("210987654321", "123456789012");
    let source = json!({"RepositoryArn": own, "RoleArn": role});
    assert_eq!(
        paths(json!({"Source": source, "ArtifactKeyArn": KEY_ARN})),
        ["Source.RepositoryArn"]
    );
}

#[test]
fn arn_without_name_or_of_another_partition_is_rejected() {
    for (from, to) in [(":infra", ":a/b"), ("arn:aws:", "arn:aws-cn:")] {
        let role = ROLE_ARN.replace("arn:aws:", if from == ":infra" { "arn:aws:" } else { to });
        let source = json!({"RepositoryArn": SOURCE_ARN.replace(from, to), "RoleArn": role});
        assert_eq!(
            paths(json!({"Source": source, "ArtifactKeyArn": KEY_ARN})),
            ["Source.RepositoryArn"],
            "{to}"
        );
    }
    let role = ROLE_ARN.replace("arn:aws:", "arn:aws-us-gov:");
    let source = json!({"RepositoryArn": SOURCE_ARN, "RoleArn": role});
    assert_eq!(
        paths(json!({"Source": source, "ArtifactKeyArn": KEY_ARN})),
        ["Source.RoleArn"]
    );
}

#[test]
fn image_variables_cannot_be_set_with_image_source() {
    assert_eq!(
        paths(json!({
            "ImageSource": {"RepositoryName": "base"},
            "Build": {"EnvironmentVariables": {"ImageURI": "x"}},
        })),
        ["Build.EnvironmentVariables.ImageURI"]
    );
    let without_image = json!({"Build": {"EnvironmentVariables": {"ImageURI": "x"}}});
    assert!(decoded(without_image).is_ok());
}

#[test]
fn approval_rules_hold_in_their_own_account() {
    assert_eq!(
        paths(json!({
            "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN},
            "ArtifactKeyArn": KEY_ARN,
            "ApprovalRule": {"ApproversNeeded": 1},
        })),
        ["ApprovalRule"]
    );
}
