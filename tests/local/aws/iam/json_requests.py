"""The resource, the condition keys and the further permissions with which IAM evaluates a call of a JSON
service.

The pages are those of https://docs.aws.amazon.com/service-authorization/latest/reference/.
`secretsmanager.permissions` has the rules of Secrets Manager.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import kms, ssm

from tests.local.aws.events import buses as event_buses

Also = list[tuple[str, str, str, dict[str, Any]]]  # service, action, resource, keys
Needed = tuple[str, dict[str, Any], Also]
# Action, the ARN that MiniStack derives from the request, its members, region and account.
Rule = Callable[[str, str, dict[str, Any], str, str], Needed]

_DEFAULT_PARAMETER_KEY = "alias/aws/ssm"  # every principal of the account may use it through Parameter Store


def _batch(service: str, action: str, arns: list[str]) -> Needed:
    """A call for several resources is evaluated for each."""
    first, *others = arns
    return first, {}, [(service, f"{service}:{action}", other, {}) for other in others]


def _of_codebuild(action: str, arn: str, body: dict[str, Any], region: str, account: str) -> Needed:
    """list_awscodebuild.html: the calls for builds have the resource type `project`, not `build`."""
    given = body.get({"BatchGetBuilds": "ids", "BatchGetProjects": "names"}.get(action, ""))
    if not isinstance(given, list) or not given:
        return arn, {}, []
    # Of `project:UUID`, of a project's name, or of the ARN of either.
    names = dict.fromkeys(str(each).rpartition("/")[2].partition(":")[0] for each in given)
    return _batch(
        "codebuild", action, [f"arn:aws:codebuild:{region}:{account}:project/{name}" for name in names]
    )


def _of_codecommit(action: str, _arn: str, body: dict[str, Any], region: str, account: str) -> Needed:
    """list_awscodecommit.html. git_over_http evaluates a push."""
    if "resourceArn" in body:
        return str(body["resourceArn"]), {}, []
    repositories = f"arn:aws:codecommit:{region}:{account}:"
    if action.startswith("Batch"):
        return _batch("codecommit", action, [f"{repositories}{name}" for name in body["repositoryNames"]])
    name = body.get("repositoryName") or body.get("oldName")
    if not name:
        return "*", {}, []  # ListRepositories, and calls for templates
    arn = f"{repositories}{name}"
    # The calls with one branch for which the page has this key.
    names_branch = action in ("CreateBranch", "DeleteBranch")
    keys = {"codecommit:References": f"refs/heads/{body['branchName']}"} if names_branch else {}
    tags: Also = (
        [("codecommit", "codecommit:TagResource", arn, {})]
        if (action == "CreateRepository" and body.get("tags"))
        else []
    )
    return arn, keys, tags


def _of_codepipeline(action: str, _arn: str, body: dict[str, Any], region: str, account: str) -> Needed:
    """list_awscodepipeline.html: the pipeline, or the stage or action in it."""
    if "resourceArn" in body:
        return str(body["resourceArn"]), {}, []
    declaration = body.get("pipeline") or {}
    name = body.get("pipelineName") or body.get("name") or declaration.get("name")
    if not name:
        return "*", {}, []  # ListPipelines
    passed: Also = (
        [
            (
                "iam",
                "iam:PassRole",
                declaration["roleArn"],
                {"iam:PassedToService": "codepipeline.amazonaws.com"},
            )
        ]
        if declaration.get("roleArn")
        else []
    )
    of_stage = {"RetryStageExecution", "RollbackStage", "DisableStageTransition", "EnableStageTransition"}
    within = (
        ("stageName", "actionName")
        if action == "PutApprovalResult"
        else ("stageName",)
        if action in of_stage
        else ()
    )
    resource = "/".join([str(name), *(str(body.get(member, "")) for member in within)])
    return f"arn:aws:codepipeline:{region}:{account}:{resource}", {}, passed


def _of_ecr(action: str, _arn: str, body: dict[str, Any], region: str, account: str) -> Needed:
    """list_amazonelasticcontainerregistry.html"""
    # "you must specify all resources ("*")".
    if action in {"GetAuthorizationToken", "DescribeRegistry"}:
        return "*", {}, []
    tags = {tag["Key"]: tag.get("Value", "") for tag in body.get("tags") or []}
    keys: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    keys |= {"aws:TagKeys": sorted(tags)} if tags else {}
    if "resourceArn" in body:
        return str(body["resourceArn"]), keys, []
    # "If you do not specify a registry, the default registry is assumed": the caller's own.
    registry = f"arn:aws:ecr:{region}:{body.get('registryId') or account}:repository/"
    names = body.get("repositoryNames") or [body.get("repositoryName") or "*"]
    arn, _, also = _batch("ecr", action, [f"{registry}{each}" for each in names])
    if action == "CreateRepository" and tags:
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-supported-iam-actions-tagging.html
        also.append(("ecr", "ecr:TagResource", arn, keys))
    return arn, keys, also


def _of_events(action: str, arn: str, body: dict[str, Any], _region: str, _account: str) -> Needed:
    """list_amazoneventbridge.html, "rule-on-default-event-bus": arn:…:rule/${RuleName}, without the bus's
    name."""
    keys = event_buses.keys_of_rule(body.get("EventPattern")) if action == "PutRule" else {}
    return arn.replace(":rule/default/", ":rule/", 1), keys, []


def _of_ssm(action: str, arn: str, body: dict[str, Any], region: str, account: str) -> Needed:
    """list_awssystemsmanager.html: a call that names several parameters."""
    names = body.get("Names")
    if arn != "*" or not isinstance(names, list) or not names:
        return arn, {}, []
    # A version or label after the name is not part of the resource.
    arns = [
        ":".join(name.split(":")[:6])
        if name.startswith("arn:")
        else f"arn:aws:ssm:{region}:{account}:parameter/{name.split(':')[0].lstrip('/')}"
        for name in names
    ]
    first, keys, also = _batch("ssm", action, arns)
    for name, each in zip(names, arns, strict=True):
        also += _use_of_parameter_key(name, each, region) if body.get("WithDecryption") else []
    return first, keys, also


def _use_of_parameter_key(name: str, parameter_arn: str, region: str) -> Also:
    """https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html"""
    stored, _ = ssm._select_parameter(name)
    key = (stored or {}).get("KeyId", "")
    if not key or key == _DEFAULT_PARAMETER_KEY or (stored or {}).get("Type") != "SecureString":
        return []
    record = kms._resolve_key(key) or {}
    return [
        (
            "kms",
            "kms:Decrypt",
            str(record.get("Arn", key)),
            {
                "kms:ViaService": f"ssm.{region}.amazonaws.com",
                "kms:EncryptionContext:PARAMETER_ARN": parameter_arn,
            },
        )
    ]


RULES: dict[str, Rule] = {
    "codebuild": _of_codebuild,
    "codecommit": _of_codecommit,
    "codepipeline": _of_codepipeline,
    "ecr": _of_ecr,
    "events": _of_events,
    "ssm": _of_ssm,
}
