//! The rule that starts the pipeline, or tells the function while there is none.

use serde_json::{Value, json};

use super::super::properties::Desired;
use super::{Repository, role, sub, tags};

pub fn rule(desired: &Desired, repository: Repository) -> Value {
    let repository_arn = match repository {
        Repository::Made => json!({"Fn::GetAtt": ["Repository", "Arn"]}),
        Repository::Given | Repository::TakenUp => {
            let name = desired.repository();
            sub(&format!(
                "arn:${{AWS::Partition}}:codecommit:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
            ))
        }
    };
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": sub("event-rule-${EnvID}-codepipeline-exec-cfn-${ProjectID}"),
            "Description": sub("A push to the branch of ${EnvID} starts the pipeline of ${ProjectID}"),
            "State": "ENABLED",
            "EventPattern": {
                "source": ["aws.codecommit"],
                "detail-type": ["CodeCommit Repository State Change"],
                "resources": [repository_arn],
                "detail": {
                    "event": ["referenceCreated", "referenceUpdated"],
                    "referenceType": ["branch"],
                    "referenceName": [{"Fn::FindInMap": ["BranchMap", {"Ref": "EnvID"}, "name"]}],
                },
            },
            "Targets": {"Fn::If": [
                "BranchIsThere",
                [pipeline_target(desired)],
                {"Fn::If": ["FunctionIsTold", [function_target()], {"Ref": "AWS::NoValue"}]},
            ]},
            "Tags": tags(desired),
        },
    })
}

fn pipeline_target(desired: &Desired) -> Value {
    json!({
        "Id": sub("codepipeline-${EnvID}-cfn-${ProjectID}"),
        "Arn": sub("arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${Pipeline}"),
        "RoleArn": role(
            desired.event_role_arn.as_ref(),
            "role-${EnvID}-eventbridge-codepipeline-exec",
        ),
        "InputTransformer": {
            "InputPathsMap": {"commit": "$.detail.commitId"},
            "InputTemplate": r#"{"sourceRevisions":[{"actionName":"Source","revisionType":"COMMIT_ID","revisionValue":<commit>}]}"#,
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
