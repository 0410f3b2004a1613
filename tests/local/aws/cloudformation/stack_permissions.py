"""The IAM actions that CloudFormation's handler of a resource type needs, and on which resources.

CloudFormation creates a stack's resources with the stack's role, or with the caller's permissions if it has
none. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html

The actions are those that the type's schema in the CloudFormation registry lists under `handlers` (as
DescribeType returns it), without those for unused properties. CodeBuild's and CodeCommit's types have no
handlers in their schemas, so they need the API's own operations. A stack with a role fails for a type that is
not listed. Resources and condition keys: the services' pages below
https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ministack.core.responses import get_account_id, get_region

from tests.local.aws.codecommit import repositories
from tests.local.aws.events import buses

# Path-style and virtual-hosted-style:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
# `bucket.s3.region.amazonaws.com`. A bucket's name may contain dots.
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[a-z0-9.-]+)\.s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?")


@dataclass(frozen=True)
class Need:
    action: str
    resource: str
    keys: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A change of one resource: `old` is None at its creation, `new` at its deletion."""

    physical_id: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None

    @property
    def properties(self) -> dict[str, Any]:
        return (self.new if self.new is not None else self.old) or {}

    def name(self, key: str) -> str:
        return str(self.properties.get(key) or self.physical_id)

    def differs(self, *keys: str) -> bool:
        return any((self.old or {}).get(key) != (self.new or {}).get(key) for key in keys)


def needs(resource_type: str, change: Change) -> list[Need] | None:
    """`None` for a type that is not listed."""
    row = _ROWS.get(resource_type)
    return row(change) if row else None


def arn_of(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def tags_of(change: Change, resource: str, add: str, remove: str, prop: str = "Tags") -> list[Need]:
    def keys_of(properties: dict[str, Any] | None) -> dict[str, str]:
        tags = (properties or {}).get(prop) or {}
        return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag.get("Value", "") for tag in tags}

    if change.new is None:
        return []
    before, after = keys_of(change.old), keys_of(change.new)
    wanted = []
    if changed := {key: value for key, value in after.items() if before.get(key) != value}:
        wanted.append(Need(add, resource, _request_tags(changed)))
    if removed := before.keys() - after.keys():
        wanted.append(Need(remove, resource, {"aws:TagKeys": sorted(removed)}))
    return wanted


def _request_tags(tags: dict[str, str]) -> dict[str, Any]:
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": sorted(tags)}


def _pass(role_arn: Any, service: str) -> list[Need]:
    return [Need("iam:PassRole", str(role_arn), {"iam:PassedToService": service})] if role_arn else []


def _repository(change: Change) -> list[Need]:
    held = repositories.find_by_id(change.physical_id)
    arn = arn_of(
        "codecommit", held.name if held and change.old is not None else change.name("RepositoryName")
    )
    if change.new is None:
        return [Need("codecommit:DeleteRepository", arn)]
    tags = tags_of(change, arn, "codecommit:TagResource", "codecommit:UntagResource")
    if change.old is None:
        triggers = [Need("codecommit:PutRepositoryTriggers", arn)] if change.new.get("Triggers") else []
        keys = next((need.keys for need in tags), {})
        return [
            Need("codecommit:CreateRepository", arn, keys),
            *tags,
            Need("codecommit:GetRepository", arn),
            *triggers,
        ]
    updates = {
        "RepositoryName": "UpdateRepositoryName",
        "RepositoryDescription": "UpdateRepositoryDescription",
        "KmsKeyId": "UpdateRepositoryEncryptionKey",
        "Triggers": "PutRepositoryTriggers",
    }
    return [
        Need("codecommit:GetRepository", arn),
        *tags,
        *(Need(f"codecommit:{action}", arn) for key, action in updates.items() if change.differs(key)),
    ]


def _build_project(change: Change) -> list[Need]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodebuild.html

    Tags are part of CreateProject and UpdateProject. The visibility has an operation of its own.
    """
    arn = arn_of("codebuild", f"project/{change.name('Name')}")
    if change.new is None:
        return [Need("codebuild:DeleteProject", arn)]
    keys = next((need.keys for need in tags_of(change, arn, "", "")), {})
    action = "codebuild:CreateProject" if change.old is None else "codebuild:UpdateProject"
    wanted = [Need(action, arn, keys), *_pass(change.new.get("ServiceRole"), "codebuild.amazonaws.com")]
    if change.new.get("Visibility") and change.differs("Visibility"):
        wanted.append(Need("codebuild:UpdateProjectVisibility", arn))
    return wanted


def _pipeline(change: Change) -> list[Need]:
    arn = arn_of("codepipeline", change.name("Name"))
    if change.new is None:
        return [Need("codepipeline:GetPipeline", arn), Need("codepipeline:DeletePipeline", arn)]
    role = change.new.get("RoleArn")
    tags = tags_of(change, arn, "codepipeline:TagResource", "codepipeline:UntagResource")
    action = "codepipeline:CreatePipeline" if change.old is None else "codepipeline:UpdatePipeline"
    # "Indicates whether to rerun the CodePipeline pipeline after you update it."
    reruns = change.old is not None and str(change.new.get("RestartExecutionOnUpdate", "")).lower() == "true"
    return [
        Need("iam:GetRole", str(role)),
        *_pass(role, "codepipeline.amazonaws.com"),
        Need("codepipeline:GetPipeline", arn),
        Need(action, arn, next((need.keys for need in tags), {}) if change.old is None else {}),
        Need("codepipeline:GetPipelineState", arn),
        *tags,
        *([Need("codepipeline:StartPipelineExecution", arn)] if reruns else []),
    ]


def _event_rule(change: Change) -> list[Need]:
    bus = str(change.properties.get("EventBusName") or "default").rsplit("/", 1)[-1]
    arn = arn_of("events", f"rule/{'' if bus == 'default' else f'{bus}/'}{change.name('Name')}")
    before = {target["Id"]: target for target in (change.old or {}).get("Targets") or []}
    after = {target["Id"]: target for target in (change.new or {}).get("Targets") or []}
    wanted = [Need("events:DescribeRule", arn)]
    if before.keys() - after.keys():
        wanted.append(Need("events:RemoveTargets", arn))
    if change.new is None:
        return [*wanted, Need("events:ListTargetsByRule", arn), Need("events:DeleteRule", arn)]
    wanted.append(Need("events:PutRule", arn, buses.keys_of_rule(change.new.get("EventPattern"))))
    for target in after.values():
        wanted.extend(_pass(target.get("RoleArn"), "events.amazonaws.com"))
    if after:
        wanted.append(
            Need("events:PutTargets", arn, {"events:TargetArn": sorted(t["Arn"] for t in after.values())})
        )
    return [
        *wanted,
        *_pass(change.new.get("RoleArn"), "events.amazonaws.com"),
        *tags_of(change, arn, "events:TagResource", "events:UntagResource"),
    ]


def _log_group(change: Change) -> list[Need]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html

    Actions on a group have an ARN with an empty stream at its end. The tag operations have the bare ARN.
    """
    bare = arn_of("logs", f"log-group:{change.name('LogGroupName')}")
    arn = f"{bare}:log-stream:"
    wanted = [Need("logs:DescribeLogGroups", arn_of("logs", "log-group::log-stream:"))]
    if change.new is None:
        return [*wanted, Need("logs:DeleteLogGroup", arn)]
    tags = tags_of(change, bare, "logs:TagResource", "logs:UntagResource")
    if change.old is None:
        # https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-logs,
        # translateToCreateRequest
        wanted.append(Need("logs:CreateLogGroup", arn, next((need.keys for need in tags), {})))
    if change.differs("RetentionInDays"):
        removed = change.new.get("RetentionInDays") is None
        wanted.append(Need("logs:DeleteRetentionPolicy" if removed else "logs:PutRetentionPolicy", arn))
    if change.old is not None and change.differs("KmsKeyId"):
        removed = change.new.get("KmsKeyId") is None
        wanted.append(Need("logs:DisassociateKmsKey" if removed else "logs:AssociateKmsKey", arn))
    return [*wanted, *tags]


def _table(change: Change) -> list[Need]:
    arn = arn_of("dynamodb", f"table/{change.name('TableName')}")
    if change.new is None:
        return [Need("dynamodb:DeleteTable", arn), Need("dynamodb:DescribeTable", arn)]
    tags = tags_of(change, arn, "dynamodb:TagResource", "dynamodb:UntagResource")
    action = "dynamodb:CreateTable" if change.old is None else "dynamodb:UpdateTable"
    return [
        Need(action, arn),
        *tags,
        *(
            Need(f"dynamodb:{read}", arn)
            for read in (
                "DescribeTable",
                "DescribeContinuousBackups",
                "DescribeContributorInsights",
                "DescribeTimeToLive",
                "DescribeKinesisStreamingDestination",
                "GetResourcePolicy",
                "ListTagsOfResource",
            )
        ),
    ]


def _parameter(change: Change) -> list[Need]:
    arn = arn_of("ssm", f"parameter/{change.name('Name').lstrip('/')}")
    if change.new is None:
        return [Need("ssm:DeleteParameter", arn)]
    return [
        Need("ssm:PutParameter", arn),
        Need("ssm:GetParameters", arn),
        *tags_of(change, arn, "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"),
    ]


def _role(change: Change) -> list[Need]:
    properties = change.properties
    path = str(properties.get("Path") or "/")
    arn = f"arn:aws:iam::{get_account_id()}:role{path}{change.name('RoleName')}"
    boundary = properties.get("PermissionsBoundary")
    keys = {"iam:PermissionsBoundary": boundary} if boundary else {}
    before, after = change.old or {}, change.new or {}
    attached = set(after.get("ManagedPolicyArns") or []) - set(before.get("ManagedPolicyArns") or [])
    detached = set(before.get("ManagedPolicyArns") or []) - set(after.get("ManagedPolicyArns") or [])
    inline = {policy["PolicyName"]: policy for policy in after.get("Policies") or []}
    inline_before = {policy["PolicyName"]: policy for policy in before.get("Policies") or []}
    wanted = [Need("iam:GetRole", arn)]
    if change.old is None:
        wanted.append(Need("iam:CreateRole", arn, keys))
    elif change.new is not None:
        if change.differs("AssumeRolePolicyDocument"):
            wanted.append(Need("iam:UpdateAssumeRolePolicy", arn, keys))
        if change.differs("Description", "MaxSessionDuration"):
            wanted.append(Need("iam:UpdateRole", arn, keys))
        if change.differs("PermissionsBoundary"):
            action = "iam:PutRolePermissionsBoundary" if boundary else "iam:DeleteRolePermissionsBoundary"
            wanted.append(Need(action, arn, keys))
    wanted += [
        Need("iam:AttachRolePolicy", arn, {**keys, "iam:PolicyARN": policy}) for policy in sorted(attached)
    ]
    wanted += [
        Need("iam:DetachRolePolicy", arn, {**keys, "iam:PolicyARN": policy}) for policy in sorted(detached)
    ]
    if any(inline_before.get(name) != policy for name, policy in inline.items()):
        wanted.append(Need("iam:PutRolePolicy", arn, keys))
    if inline_before.keys() - inline.keys():
        wanted.append(Need("iam:DeleteRolePolicy", arn, keys))
    if change.new is None:
        return [
            *wanted,
            Need("iam:ListAttachedRolePolicies", arn),
            Need("iam:ListRolePolicies", arn),
            Need("iam:DeleteRole", arn),
        ]
    return [*wanted, *tags_of(change, arn, "iam:TagRole", "iam:UntagRole")]


def _function(change: Change) -> list[Need]:
    arn = arn_of("lambda", f"function:{change.name('FunctionName')}")
    wanted = [Need("lambda:GetFunction", arn)]
    if change.new is None:
        return [*wanted, Need("lambda:DeleteFunction", arn)]
    code = change.new.get("Code") or {}
    if change.differs("Code") and code.get("S3Bucket"):
        wanted.append(Need("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code.get('S3Key', '')}"))
    if change.old is None:
        wanted += [Need("lambda:CreateFunction", arn), *_pass(change.new.get("Role"), "lambda.amazonaws.com")]
    else:
        if change.differs("Code"):
            wanted.append(Need("lambda:UpdateFunctionCode", arn))
        if any(change.differs(key) for key in (change.old.keys() | change.new.keys()) - {"Code", "Tags"}):
            wanted += [
                Need("lambda:UpdateFunctionConfiguration", arn),
                *_pass(change.new.get("Role"), "lambda.amazonaws.com"),
            ]
    return [*wanted, *tags_of(change, arn, "lambda:TagResource", "lambda:UntagResource")]


def parts_of_template_url(url: str) -> tuple[str, str, str]:
    """Bucket, key and version of a template's address. An empty version is the latest one."""
    address = urlsplit(url)
    path, hosted = unquote(address.path).lstrip("/"), _VIRTUAL_HOST.fullmatch(address.hostname or "")
    bucket, key = (hosted["bucket"], path) if hosted else (path.partition("/")[0], path.partition("/")[2])
    return bucket, key, parse_qs(address.query).get("versionId", [""])[0]


def _nested_stack(change: Change) -> list[Need]:
    """The actions of AWS's example policy for nested stacks, and the read of the template.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html
    """
    made = change.old is not None
    arn = change.physical_id if made else arn_of("cloudformation", f"stack/{change.physical_id}/*")
    wanted = [Need("cloudformation:DescribeStacks", arn)]
    if change.new is None:
        return [*wanted, Need("cloudformation:DeleteStack", arn)]
    bucket, key, version = parts_of_template_url(str(change.new.get("TemplateURL", "")))
    return [
        *wanted,
        Need("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"),
        Need("cloudformation:UpdateStack" if made else "cloudformation:CreateStack", arn),
        *tags_of(change, arn, "cloudformation:TagResource", "cloudformation:UntagResource"),
    ]


def _function_arn(change: Change) -> str:
    """The name, if the template sets it, or the ARN without the last part of a version or alias."""
    given = str(change.properties.get("FunctionName", ""))
    name = given.split(":")[6] if given.startswith("arn:") else given
    return arn_of("lambda", f"function:{name}")


def _permission(change: Change) -> list[Need]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html

    A change of any property replaces the statement, so there is no update.
    """
    arn = _function_arn(change)
    if change.new is None:
        return [Need("lambda:RemovePermission", arn)]
    return [Need("lambda:AddPermission", arn, {"lambda:Principal": str(change.new.get("Principal", ""))})]


def _version(change: Change) -> list[Need]:
    """Without provisioned concurrency and runtime management. A version does not change.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """
    arn, read = _function_arn(change), "lambda:GetFunctionConfiguration"
    actions = (
        [read, "lambda:DeleteFunction"]
        if change.new is None
        else ["lambda:PublishVersion", read, "lambda:ListVersionsByFunction"]
    )
    return [Need(action, arn) for action in actions]


def _alias(change: Change) -> list[Need]:
    """Without provisioned concurrency and CodeDeploy. See `_version`."""
    if change.new is None:
        actions = ["lambda:DeleteAlias", "lambda:GetAlias"]
    else:
        actions = ["lambda:CreateAlias"] if change.old is None else ["lambda:UpdateAlias", "lambda:GetAlias"]
    return [Need(action, _function_arn(change)) for action in actions]


def _nothing(_change: Change) -> list[Need]:
    """CloudFormation's own resources: no service is called."""
    return []


_ROWS: dict[str, Callable[[Change], list[Need]]] = {
    "AWS::CloudFormation::Stack": _nested_stack,
    "AWS::CloudFormation::WaitConditionHandle": _nothing,
    "AWS::CodeBuild::Project": _build_project,
    "AWS::CodeCommit::Repository": _repository,
    "AWS::CodePipeline::Pipeline": _pipeline,
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::Rule": _event_rule,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SSM::Parameter": _parameter,
}
