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

/// One test for each row: the properties, and the paths of their errors.
macro_rules! rejected {
    ($($name:ident: $properties:tt => $paths:expr;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(paths(json!($properties)), $paths);
            }
        )*
    };
}

rejected! {
    role_of_a_third_account_is_rejected: {
            "Source": {
                "RepositoryArn": SOURCE_ARN,
                "RoleArn": "arn:aws:iam::333333333333:role/r",
                "RepositoryName": "x",
            },
            "ArtifactKeyArn": KEY_ARN,
        }
        => ["Source.RepositoryName", "Source.RoleArn"];
    source_of_another_region_is_rejected: {
            "Source": {
                "RepositoryArn": SOURCE_ARN.replace("eu-central-1", "us-east-1"),
                "RoleArn": ROLE_ARN,
            },
            "ArtifactKeyArn": KEY_ARN,
        }
        => ["Source.RepositoryArn"];
    arn_without_a_repositorys_name_is_rejected: {
            "Source": {
                "RepositoryArn": SOURCE_ARN.replace(":infra", ":a/b"),
                "RoleArn": ROLE_ARN,
            },
            "ArtifactKeyArn": KEY_ARN,
        }
        => ["Source.RepositoryArn"];
    source_of_another_partition_is_rejected: {
            "Source": {
                "RepositoryArn": SOURCE_ARN.replace("arn:aws:", "arn:aws-cn:"),
                "RoleArn": ROLE_ARN.replace("arn:aws:", "arn:aws-cn:"),
            },
            "ArtifactKeyArn": KEY_ARN,
        }
        => ["Source.RepositoryArn"];
    role_of_another_partition_is_rejected: {
            "Source": {
                "RepositoryArn": SOURCE_ARN,
                "RoleArn": ROLE_ARN.replace("arn:aws:", "arn:aws-us-gov:"),
            },
            "ArtifactKeyArn": KEY_ARN,
        }
        => ["Source.RoleArn"];
}
