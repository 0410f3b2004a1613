use serde_json::json;

use crate::gitops_pipeline::spec::decode;

const SOURCE_ARN: &str = "arn:aws:codecommit:eu-central-1:210987654321:infra";
const ROLE_ARN: &str = "arn:aws:iam::210987654321:role/role-dev-codecommit-source";

/// One test for each row: the repository's ARN and the role's, with a part replaced, and the property
/// that has an error.
macro_rules! rejected {
    ($($name:ident: $repository:expr, $role:expr => $property:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let errors = decode(&json!({
                    "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev",
                    "EnvID": "dev",
                    "ProjectID": "shop",
                    "Source": {
                        "RepositoryArn": SOURCE_ARN.replace($repository.0, $repository.1),
                        "RoleArn": ROLE_ARN.replace($role.0, $role.1),
                        "RepositoryName": "infra",
                    },
                    "ArtifactKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1",
                }));
                let errors = errors.expect_err("errors").0;
                let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
                assert_eq!(paths, [concat!("Source.", $property)]);
            }
        )*
    };
}

const SAME: (&str, &str) = ("", "");

rejected! {
    source_with_another_name_is_rejected: (":infra", ":shop"), SAME => "RepositoryName";
    role_of_a_third_account_is_rejected: SAME, ("210987654321", "333333333333") => "RoleArn";
    source_of_another_region_is_rejected: ("eu-central-1", "us-east-1"), SAME => "RepositoryArn";
    arn_without_a_repositorys_name_is_rejected: (":infra", ":a/b"), SAME => "RepositoryArn";
    source_of_another_partition_is_rejected:
        ("arn:aws:", "arn:aws-cn:"), ("arn:aws:", "arn:aws-cn:") => "RepositoryArn";
    role_of_another_partition_is_rejected: SAME, ("arn:aws:", "arn:aws-us-gov:") => "RoleArn";
}
