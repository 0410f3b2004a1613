//! The build of review branches: a project of its own, which stores its output under `review/`.

use serde_json::{Value, json};

use super::build;
use super::parts::{CLONE_URL, RepositoryOrigin, event_role, named, push_pattern, role, sub, tags};
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::spec::{Review, Spec};

/// Adds the project, its log and the rule that starts it to `resources`.
pub fn add(spec: &Spec, review: &Review, repository: RepositoryOrigin, resources: &mut Value) {
    resources["ReviewLogGroup"] = build::log_group(spec, names::REVIEW_PROJECT);
    resources["ReviewProject"] = project(spec, review, repository);
    resources["ReviewRule"] = rule(spec, review, repository);
}

/// The code of a review branch is not reviewed yet, so the build gets no secret, no cache and no
/// artifact of another build, and its role deploys nothing.
fn project(spec: &Spec, review: &Review, repository: RepositoryOrigin) -> Value {
    let clone_url = match repository {
        RepositoryOrigin::Created => json!({"Fn::GetAtt": ["Repository", "CloneUrlHttp"]}),
        RepositoryOrigin::Existing | RepositoryOrigin::Adopted => json!({"Ref": CLONE_URL}),
    };
    let mut source = json!({"Type": "CODECOMMIT", "Location": clone_url});
    if let Some(build_spec) = &spec.build.build_spec {
        source["BuildSpec"] = json!(build_spec);
    }
    let environment = build::environment(spec, |variable| variable.source == "PLAINTEXT");
    json!({
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": named(names::REVIEW_PROJECT),
            "Description": sub("Builds review branches of ${ProjectID} for ${EnvID}"),
            "ServiceRole": role(review.build_role_arn.as_ref(), names::REVIEW_BUILD_ROLE),
            "Source": source,
            // The key of a file is review/<ProjectID>/<UUID of the build>/<path>.
            "Artifacts": {
                "Type": "S3",
                "Location": named(names::ARTIFACT_BUCKET),
                "Path": named(names::REVIEW_FOLDER),
                "NamespaceType": "BUILD_ID",
                "Name": "/",
                "Packaging": "NONE",
                // The bucket encrypts them itself. With CodeBuild's own encryption, the role would
                // need permissions for a key.
                "EncryptionDisabled": true,
            },
            "Environment": environment,
            // A loop of pushes must not use the concurrent builds that the account's pipelines
            // need. CodeBuild accepts no limit above the account's own, which is 1 in a new
            // account: https://github.com/hashicorp/terraform-provider-aws/pull/37748
            // https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
            "ConcurrentBuildLimit": 1,
            "TimeoutInMinutes": spec.build.timeout_in_minutes,
            "QueuedTimeoutInMinutes": spec.build.queued_timeout_in_minutes,
            "LogsConfig": {
                "CloudWatchLogs": {"Status": "ENABLED", "GroupName": {"Ref": "ReviewLogGroup"}},
            },
            "Visibility": "PRIVATE",
            "Tags": tags(spec),
        },
    })
}

/// EventBridge starts the build with the source version alone: the branch and its commit.
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html>
fn rule(spec: &Spec, review: &Review, repository: RepositoryOrigin) -> Value {
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": named(names::REVIEW_RULE),
            "Description": sub("A push to a review branch of ${ProjectID} starts its build for ${EnvID}"),
            "State": "ENABLED",
            "EventPattern": push_pattern(spec, repository, &json!({"wildcard": review.branches})),
            "Targets": [{
                "Id": named(names::REVIEW_PROJECT),
                "Arn": {"Fn::GetAtt": ["ReviewProject", "Arn"]},
                "RoleArn": event_role(),
                "InputTransformer": {
                    "InputPathsMap": {
                        "branch": "$.detail.referenceName",
                        "commit": "$.detail.commitId",
                    },
                    "InputTemplate": r#"{"sourceVersion":"refs/heads/<branch>^{<commit>}"}"#,
                },
            }],
            "Tags": tags(spec),
        },
    })
}
