//! Valid events, with which mutations start: all that a stack, EventBridge and the
//! function itself send.

use serde_json::{Value, json};

use fake_aws::FakeAws;

/// Occurs in a value for the build project, and in no output.
pub const SENTINEL: &str = "SentinelForTheBuild";

const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1";

/// When a continuation was received, until an event has a time of its own.
pub const RECEIVED: u64 = 1_795_176_000;

/// The function itself, which gets the event of a first push.
const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev";

/// The child stack of the pipelines here.
pub const CHILD: &str = "gitops-dev-shop";

fn request(fake: &FakeAws, kind: &str, id: Option<&str>, of: (&str, &str, &Value)) -> Value {
    let (resource_type, logical_id, properties) = of;
    let mut request = json!({
        "RequestType": kind,
        "ResponseURL": fake.response_url(kind),
        "StackId": STACK,
        "RequestId": format!("request-{kind}"),
        "LogicalResourceId": logical_id,
        "ResourceType": resource_type,
        "ResourceProperties": properties,
    });
    if let Some(id) = id {
        request["PhysicalResourceId"] = json!(id);
    }
    request
}

fn with(mut request: Value, name: &str, value: Value) -> Value {
    request[name] = value;
    request
}

/// For a credential: first the Create, then a stack's other requests.
pub fn credentials(fake: &FakeAws) -> Vec<Value> {
    let plain = json!({"ServiceToken": "arn", "UserName": "mirror"});
    let whole = json!({
        "ServiceToken": "arn", "ServiceTimeout": "600", "UserName": "mirror",
        "KmsKeyId": "alias/mirror", "RepositoryNames": ["infra"],
        "ForeignCredentials": "Refuse", "RotationSerial": "1",
        "Tags": [{"Key": "Team", "Value": "基盤"}, {"Key": "Stage", "Value": ""}],
    });
    let elsewhere =
        json!({"ServiceToken": "arn", "UserName": "mirror", "SecretName": "codecommit-mirror/x"});
    let of = |kind: &str, id: Option<&str>, properties: &Value| {
        let of = ("Custom::MirrorCredential", "Credential", properties);
        request(fake, kind, id, of)
    };
    let id = Some("codecommit-mirror/mirror");
    let update = |properties: &Value| {
        let request = of("Update", id, properties);
        with(request, "OldResourceProperties", plain.clone())
    };
    vec![
        of("Create", None, &plain),
        of("Create", None, &whole),
        update(&plain),
        update(&whole),
        update(&elsewhere),
        of("Delete", id, &plain),
        of("Delete", Some("invented-by-CloudFormation"), &whole),
        with(
            of("Create", None, &plain),
            "ResourceType",
            json!("Custom::GitOpsPipeline"),
        ),
        of("Dance", None, &plain),
    ]
}

/// For a pipeline: first the Create, then a stack's other requests, a continuation, and a first
/// push.
pub fn pipelines(fake: &FakeAws) -> Vec<Value> {
    let plain = json!({"ServiceToken": FUNCTION, "EnvID": "dev", "ProjectID": "shop"});
    let whole = json!({
        "ServiceToken": FUNCTION, "ServiceTimeout": "900", "EnvID": "dev", "ProjectID": "shop",
        "BranchMap": {"dev": "development", "prd": "master"},
        "Source": {"RepositoryName": "given"},
        "ArtifactBucketName": "s3-dev-artifacts",
        "ArtifactKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0f1e2d3c-4b5a-4697-8877-665544332211",
        "Build": {
            "Image": "aws/codebuild/standard:8.0", "ComputeType": "BUILD_GENERAL1_MEDIUM",
            "PrivilegedMode": "true", "BuildSpec": "ci/buildspec.yaml",
            "EnvironmentVariables": {"Password": SENTINEL, "Team": "基盤"},
            "TimeoutInMinutes": "30", "QueuedTimeoutInMinutes": "60",
            "ServiceRoleArn": "arn:aws:iam::123456789012:role/role-dev-codebuild-cfn",
            "LogRetentionInDays": "30",
        },
        "Approval": {
            "Required": "true", "CustomData": "Look at it first",
            "NotificationTopicArn": "arn:aws:sns:eu-central-1:123456789012:approvals",
            "ExternalEntityLink": "https://gitlab.example.com/infra/website",
        },
        "Deploy": {
            "ActionMode": "CHANGE_SET", "StackName": "cfnstack-dev-website",
            "TemplatePath": "stacks/website.yaml", "TemplateConfiguration": "stacks/dev.json",
            "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "RoleArn": "arn:aws:iam::123456789012:role/role-dev-codedeploy-cfn",
            "ParameterOverrides": {"Size": "small"},
        },
        "ExecutionMode": "SUPERSEDED",
        "PipelineRoleArn": "arn:aws:iam::123456789012:role/role-dev-codepipeline-cfn",
        "EventRoleArn": "arn:aws:iam::123456789012:role/role-dev-eventbridge",
        "ApprovalRule": {
            "ApproversNeeded": "2",
            "ApprovalPoolMembers": ["CodeCommitApprovers:123456789012:reviewer"],
        },
        "RepositoryDeletionPolicy": "Retain",
        "Tags": [{"Key": "CreatedBy", "Value": "s"}, {"Key": "Team", "Value": "基盤"}],
    });
    let renamed = with(plain.clone(), "ProjectID", json!("renamed"));
    let of = |kind: &str, id: Option<&str>, properties: &Value| {
        let of = ("Custom::GitOpsPipeline", "Project", properties);
        request(fake, kind, id, of)
    };
    let update = |properties: &Value| {
        let request = of("Update", Some(CHILD), properties);
        with(request, "OldResourceProperties", plain.clone())
    };
    let continued = |event: Value| json!({"Continuation": {"Hop": 1}, "Event": event});
    let received = |mut continuation: Value| {
        continuation["Continuation"]["Received"] = json!(RECEIVED);
        continuation
    };
    vec![
        of("Create", None, &plain),
        of("Create", None, &whole),
        update(&plain),
        update(&whole),
        update(&renamed),
        of("Delete", Some(CHILD), &plain),
        of("Delete", Some("s-Project-1A2B3C4D5E6F"), &whole),
        continued(of("Create", None, &plain)),
        received(continued(update(&whole))),
        first_push(),
    ]
}

/// As the rule of a stack without a pipeline sends it.
pub fn first_push() -> Value {
    json!({
        "id": "8d2f6c1e-5a0b-4f37-9c46-1b7e3d9a2f50",
        "source": "aws.codecommit",
        "detail-type": "CodeCommit Repository State Change",
        "time": "2026-11-20T12:00:00Z",
        "resources": ["arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-shop"],
        "detail": {
            "commitId": "4c925148f6b1d2a3e4f5061728394a5b6c7d8e9f",
            "event": "referenceCreated",
            "referenceFullName": "refs/heads/development",
            "referenceName": "development",
            "referenceType": "branch",
            "repositoryName": "codecommit-dev-cfn-shop",
        },
        "StackName": CHILD,
    })
}
