//! The event rules that start the pipeline. They invoke the function while there is no pipeline,
//! and with `Source.Paths`.

use serde_json::{Value, json};

use super::parts::{RepositoryOrigin, event_role, named, never_replayed, push_pattern, sub, tags};
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::spec::{Image, Spec};

/// The rule for pushes of the branch. Another account forwards its events to the default event bus.
pub fn rule(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let branch = json!({"Fn::FindInMap": ["BranchMap", {"Ref": "EnvID"}, "name"]});
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": named(names::EVENT_RULE),
            "Description": sub("A push to the branch of ${EnvID} starts the pipeline of ${ProjectID}"),
            "State": "ENABLED",
            "EventPattern": push_pattern(spec, repository, &branch),
            "Targets": targets(spec),
            "Tags": tags(spec),
        },
    })
}

/// With `Source.Paths` the function decides about each push. Otherwise it handles the first one.
fn targets(spec: &Spec) -> Value {
    let function = json!({"Fn::If": ["HasFunction", [function_target()], {"Ref": "AWS::NoValue"}]});
    if spec.paths.is_some() {
        return function;
    }
    let pipeline = starting(
        "commit",
        "$.detail.commitId",
        r#"{"sourceRevisions":[{"actionName":"Source","revisionType":"COMMIT_ID","revisionValue":<commit>}]}"#,
    );
    json!({"Fn::If": ["HasBranch", [pipeline], function]})
}

/// The rule for pushes of the image's tag. Its name is as long as the other rule's.
pub fn image_rule(spec: &Spec, image: &Image) -> Value {
    let own = || json!({"Ref": "AWS::AccountId"});
    let account = image.repository.account().map_or_else(own, |it| json!(it));
    json!({
        "Type": "AWS::Events::Rule",
        // Without the branch there is no pipeline.
        "Condition": "HasBranch",
        "Properties": {
            "Name": named(names::IMAGE_RULE),
            "Description": sub("A push of the image starts the pipeline of ${ProjectID}"),
            "State": "ENABLED",
            "EventPattern": {
                "source": ["aws.ecr"],
                "detail-type": ["ECR Image Action"],
                // Another account may forward events of a repository with the same name.
                "account": [account],
                "region": [{"Ref": "AWS::Region"}],
                "detail": {
                    "action-type": ["PUSH"],
                    "result": ["SUCCESS"],
                    "repository-name": [image.repository.name],
                    "image-tag": [image.tag],
                },
                "replay-name": never_replayed(),
            },
            "Targets": [starting(
                "digest",
                "$.detail.image-digest",
                r#"{"sourceRevisions":[{"actionName":"Image","revisionType":"IMAGE_DIGEST","revisionValue":<digest>}]}"#,
            )],
            "Tags": tags(spec),
        },
    })
}

/// The pipeline as a target. `template` contains the revision, which is at `path` in the event.
fn starting(revision: &str, path: &str, template: &str) -> Value {
    json!({
        "Id": named(names::PIPELINE),
        "Arn": sub("arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${Pipeline}"),
        "RoleArn": event_role(),
        "InputTransformer": {
            "InputPathsMap": {(revision): path},
            "InputTemplate": template,
        },
    })
}

fn function_target() -> Value {
    json!({
        "Id": "first-push",
        "Arn": {"Ref": "FunctionArn"},
        "InputTransformer": {
            "InputPathsMap": {
                "id": "$.id",
                "source": "$.source",
                "type": "$.detail-type",
                "time": "$.time",
                "resources": "$.resources",
                "detail": "$.detail",
            },
            "InputTemplate": sub(
                r#"{"id":<id>,"source":<source>,"detail-type":<type>,"time":<time>,"resources":<resources>,"detail":<detail>,"StackName":"${AWS::StackName}"}"#,
            ),
        },
    })
}
