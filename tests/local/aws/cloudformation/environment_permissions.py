"""The rows of `stack_permissions` for the further resource types of template.yaml and templates/project.yaml,
for queues and for topics.

From the types' schemas as there. `AWS::IAM::Policy` and custom resources: the calls of IAM and of Lambda.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from tests.local.aws.cloudformation import stack_permissions
from tests.local.aws.cloudformation.stack_permissions import Change, Need, arn_of, tags_of

_PROPERTIES_OF_A_BUCKET = {
    "BucketEncryption": "PutEncryptionConfiguration",
    "LifecycleConfiguration": "PutLifecycleConfiguration",
    "NotificationConfiguration": "PutBucketNotification",
    "OwnershipControls": "PutBucketOwnershipControls",
    "PublicAccessBlockConfiguration": "PutBucketPublicAccessBlock",
    "VersioningConfiguration": "PutBucketVersioning",
}


def _each(actions: str, resource: str, keys: dict[str, Any] | None = None) -> list[Need]:
    return [Need(action, resource, keys or {}) for action in actions.split()]


def _of_steps(
    arn: Callable[[Change], str], create: str, update: str, delete: str
) -> Callable[[Change], list[Need]]:
    """A type whose calls do not depend on its properties."""

    def row(change: Change) -> list[Need]:
        return _each(create if change.old is None else delete if change.new is None else update, arn(change))

    return row


def _identity(kind: str, name: str) -> str:
    return f"arn:aws:iam::{get_account_id()}:{kind}/{name}"


def _managed_policy(change: Change) -> list[Need]:
    arn = (
        change.physical_id
        if change.old is not None
        else _identity("policy", change.name("ManagedPolicyName"))
    )
    if change.old is None:
        return _each("iam:CreatePolicy", arn)
    if change.new is None:
        return _each(
            "iam:GetPolicy iam:ListPolicyVersions iam:ListEntitiesForPolicy iam:DeletePolicyVersion"
            " iam:DeletePolicy",
            arn,
        )
    return _each("iam:GetPolicy iam:ListPolicyVersions iam:CreatePolicyVersion iam:DeletePolicyVersion", arn)


def _boundary(properties: dict[str, Any]) -> dict[str, Any]:
    boundary = properties.get("PermissionsBoundary")
    return {"iam:PermissionsBoundary": boundary} if boundary else {}


def _user(change: Change) -> list[Need]:
    arn, keys = _identity("user", change.name("UserName")), _boundary(change.properties)
    if change.new is None:
        return _each(
            "iam:GetUser iam:GetLoginProfile iam:ListAccessKeys iam:ListAttachedUserPolicies"
            " iam:ListGroupsForUser iam:ListUserPolicies iam:DeleteUser",
            arn,
        )
    wanted = [*_each("iam:GetUser", arn), *tags_of(change, arn, "iam:TagUser", "iam:UntagUser")]
    if change.old is None:
        return [*_each("iam:CreateUser", arn, keys), *wanted]
    if change.differs("PermissionsBoundary"):
        wanted += _each(
            "iam:PutUserPermissionsBoundary" if keys else "iam:DeleteUserPermissionsBoundary", arn, keys
        )
    return wanted


def _inline_policy(change: Change) -> list[Need]:
    """`AWS::IAM::Policy`, of users and roles. The boundary is that of the stored user or role."""
    wanted = []
    for kind, store in (("User", iam._users), ("Role", iam._roles)):
        for name in change.properties.get(f"{kind}s") or []:
            arn, keys = _identity(kind.lower(), name), _boundary(store.get(name) or {})
            wanted += (
                _each(f"iam:Delete{kind}Policy", arn)
                if change.new is None
                else _each(f"iam:Get{kind}Policy iam:Put{kind}Policy", arn, keys)
            )
    return wanted


def _bucket(change: Change) -> list[Need]:
    arn = f"arn:aws:s3:::{change.name('BucketName')}"
    if change.new is None:
        return _each("s3:ListBucket s3:DeleteBucket", arn)
    puts = [f"s3:{action}" for name, action in _PROPERTIES_OF_A_BUCKET.items() if change.differs(name)]
    return [
        *([] if change.old is not None else _each("s3:CreateBucket", arn)),
        *_each(f"s3:ListBucket {' '.join(puts)}", arn),
        *tags_of(change, arn, "s3:PutBucketTagging", "s3:PutBucketTagging"),
    ]


def _alarm(change: Change) -> list[Need]:
    arn = arn_of("cloudwatch", f"alarm:{change.name('AlarmName')}")
    if change.new is None:
        return _each("cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms", arn)
    return [
        *_each("cloudwatch:DescribeAlarms cloudwatch:PutMetricAlarm", arn),
        *tags_of(change, arn, "cloudwatch:TagResource", "cloudwatch:UntagResource"),
    ]


def _queue(change: Change) -> list[Need]:
    arn = arn_of("sqs", change.name("QueueName").rsplit("/", 1)[-1])
    if change.new is None:
        return _each("sqs:GetQueueAttributes sqs:DeleteQueue", arn)
    create = "sqs:CreateQueue sqs:GetQueueUrl" if change.old is None else "sqs:SetQueueAttributes"
    return [
        *_each(f"{create} sqs:GetQueueAttributes sqs:ListQueueTags", arn),
        *tags_of(change, arn, "sqs:TagQueue", "sqs:UntagQueue"),
    ]


def _topic(change: Change) -> list[Need]:
    arn = arn_of("sns", change.name("TopicName").rsplit(":", 1)[-1])
    if change.new is None:
        return _each("sns:GetTopicAttributes sns:DeleteTopic", arn)
    wanted = _each("sns:CreateTopic" if change.old is None else "sns:SetTopicAttributes", arn)
    if change.differs("Subscription"):
        wanted += _each(
            (
                "sns:Subscribe"
                if change.old is None
                else "sns:ListSubscriptionsByTopic sns:Subscribe sns:Unsubscribe"
            ),
            arn,
        )
    return [
        *wanted,
        *_each("sns:GetTopicAttributes", arn),
        *tags_of(change, arn, "sns:TagResource", "sns:UntagResource"),
    ]


def _dashboard(change: Change) -> str:
    return f"arn:aws:cloudwatch::{get_account_id()}:dashboard/{change.name('DashboardName')}"


def _function(change: Change) -> str:
    return arn_of("lambda", f"function:{str(change.properties.get('FunctionName', '')).split(':')[-1]}")


def _rotation(change: Change) -> list[Need]:
    """A secret's ARN ends in six random characters, which a policy cannot name."""
    secret = str(change.properties.get("SecretId", ""))
    secret = secret if secret.startswith("arn:") else arn_of("secretsmanager", f"secret:{secret}-AbC123")
    if change.new is None:
        return _each("secretsmanager:DescribeSecret secretsmanager:CancelRotateSecret", secret)
    return [
        *_each("secretsmanager:DescribeSecret secretsmanager:RotateSecret", secret),
        *_each("lambda:InvokeFunction", str(change.new.get("RotationLambdaARN", ""))),
    ]


def _custom_resource(change: Change) -> list[Need]:
    """CloudFormation invokes the function with the stack's role, or as the caller."""
    return _each("lambda:InvokeFunction", str(change.properties.get("ServiceToken", "")))


def _queue_policy(change: Change) -> list[Need]:
    return [
        Need("sqs:SetQueueAttributes", arn_of("sqs", url.rsplit("/", 1)[-1]))
        for url in change.properties.get("Queues", [])
    ]


_ROWS: dict[str, Callable[[Change], list[Need]]] = {
    "AWS::CloudFormation::CustomResource": _custom_resource,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _of_steps(
        _dashboard,
        "cloudwatch:PutDashboard cloudwatch:GetDashboard",
        "cloudwatch:PutDashboard",
        "cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
    ),
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Policy": _inline_policy,
    "AWS::IAM::User": _user,
    "AWS::Lambda::EventInvokeConfig": _of_steps(
        _function,
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:UpdateFunctionEventInvokeConfig",
        "lambda:DeleteFunctionEventInvokeConfig",
    ),
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _of_steps(
        lambda change: f"arn:aws:s3:::{change.properties.get('Bucket', '')}",
        "s3:GetBucketPolicy s3:PutBucketPolicy",
        "s3:GetBucketPolicy s3:PutBucketPolicy",
        "s3:GetBucketPolicy s3:DeleteBucketPolicy",
    ),
    "AWS::SecretsManager::RotationSchedule": _rotation,
    "AWS::SNS::Subscription": _of_steps(
        lambda change: str(change.properties.get("TopicArn", "")),
        "sns:Subscribe",
        "sns:SetSubscriptionAttributes",
        "sns:GetSubscriptionAttributes sns:Unsubscribe",
    ),
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
}


def needs(resource_type: str, change: Change) -> list[Need] | None:
    """`None` for a type that neither this module nor `stack_permissions` lists."""
    row = _custom_resource if resource_type.startswith("Custom::") else _ROWS.get(resource_type)
    return row(change) if row else stack_permissions.needs(resource_type, change)
