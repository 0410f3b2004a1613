"""CloudFormation's pre-deployment validation of names in use and of properties, and DescribeEvents, which
returns its results.

"Pre-deployment validation runs automatically on Create Stack, Update Stack, and Create Change Set
operations", unless `DisableValidation` is set. "Property syntax validation and resource name conflict
detection run on all supported operations."
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html

Nothing is created if it fails, and no resource has an event:

- A change set becomes FAILED with `_REASON`, recorded in github.com/serverless/serverless issue 13248,
  aws/aws-sam-cli issue 9154 and aws/aws-cdk-cli issue 1000.
- A stack gets an event of its own, CREATE_FAILED or UPDATE_FAILED with the DetailedStatus VALIDATION_FAILED,
  and rolls back. MiniStack has these events and their texts, observed on AWS on 2026-10-16, for the names of
  buckets.

DescribeEvents names the resource: "Resource: TestBucket1 (AWS::S3::Bucket), Validation:
NAME_CONFLICT_VALIDATION, Reason: Resource of type 'AWS::S3::Bucket' with identifier '...' already exists.",
github.com/aws-cloudformation/rain pull request 744.

Of properties, only their names are validated here: "Required property [PolicyDocument] not found", at
/Resources/BadPolicy/Properties, github.com/aws/aws-cdk-cli pull request 1463. "Unsupported property [...]"
has the same form; its path is a guess. (?)

Which types are validated for names in use is uncertain. The page lists types that are not, such as
AWS::IAM::Role and AWS::Logs::LogGroup, but github.com/aws-samples/sample-notiops
(infra/lib/constructs/im-core.ts) reports NAME_CONFLICT_VALIDATION for a log group. Here: those whose handlers
can read a resource by a name in the template, according to the type's schema in the registry
(`primaryIdentifier`). AWS::CodeBuild::Project and AWS::CodeCommit::Repository have no handlers, so their
creation itself fails.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import (
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    ecr,
    iam,
    lambda_svc,
)
from ministack.services.cloudformation import changesets, engine, handlers, stacks

from tests.local.aws.cloudformation import change_set_names, resource_schemas
from tests.local.aws.codepipeline import pipelines

_Handler = Callable[[dict], tuple]
_Errors = list[tuple[str, str, str, str, str]]  # logical id, type, validation, path, reason

_CHECKS = {
    "NAME_CONFLICT_VALIDATION": "AWS::EarlyValidation::ResourceExistenceCheck",
    "PROPERTY_VALIDATION": "AWS::EarlyValidation::PropertyValidation",
}
_REASON = (
    "The following hook(s)/validation failed: [{checks}]. To troubleshoot Early Validation errors, use the "
    "DescribeEvents API for detailed failure information."
)
# The existing resources, by type. MiniStack checks buckets itself.
_STORES: dict[str, Any] = {
    "AWS::CloudWatch::Alarm": cloudwatch._alarms,
    "AWS::CloudWatch::Dashboard": cloudwatch._dashboards,
    "AWS::CodePipeline::Pipeline": pipelines._pipelines,
    "AWS::ECR::Repository": ecr._repositories,
    "AWS::IAM::Role": iam._roles,
    "AWS::IAM::User": iam._users,
    "AWS::Lambda::Function": lambda_svc._functions,
    "AWS::Logs::LogGroup": cloudwatch_logs._log_groups,
}

_ministack_errors = stacks._validation_errors


def install() -> None:
    stacks._validation_errors = _errors
    table = handlers._ACTION_HANDLERS
    table["CreateChangeSet"] = partial(_validated, table["CreateChangeSet"])
    table["DescribeEvents"] = partial(_describing, table["DescribeEvents"])


def _errors(
    definitions: dict,
    ordered: list[str],
    parameters: dict,
    conditions: dict,
    mappings: dict,
    stack_name: str,
    stack_id: str,
    owned_buckets: frozenset[str] = frozenset(),
) -> _Errors:
    found: _Errors = _ministack_errors(
        definitions, ordered, parameters, conditions, mappings, stack_name, stack_id, owned_buckets
    )
    held = (cloudformation._stacks.get(stack_name) or {}).get("_resources") or {}
    own = {(each["ResourceType"], each["PhysicalResourceId"]) for each in held.values()}
    for logical_id in ordered:
        definition = definitions[logical_id]
        kind = definition.get("Type", "")
        if conditions.get(definition.get("Condition"), True):
            found.extend(_wrong_properties(logical_id, kind, definition.get("Properties") or {}))
        if kind not in _STORES or not conditions.get(definition.get("Condition"), True):
            continue
        given = (definition.get("Properties") or {}).get(_name_property(kind))
        # None if it depends on a resource that does not exist yet.
        name = given and stacks._static_property(
            given, definitions, parameters, conditions, mappings, stack_name, stack_id
        )
        if isinstance(name, str) and name in _STORES[kind] and (kind, name) not in own:
            found.append(
                (
                    logical_id,
                    kind,
                    "NAME_CONFLICT_VALIDATION",
                    f"/Resources/{logical_id}",
                    f"Resource of type '{kind}' with identifier '{name}' already exists.",
                )
            )
    return found


def _wrong_properties(logical_id: str, kind: str, properties: dict[str, Any]) -> _Errors:
    """An intrinsic function may stand for all properties."""
    schema = resource_schemas._schema(kind) if kind in resource_schemas._names() else {}
    if "handlers" not in schema or any(name.startswith("Fn::") for name in properties):
        return []
    path = f"/Resources/{logical_id}/Properties"
    missing = [
        (path, f"Required property [{name}] not found")
        for name in schema.get("required", [])
        if name not in properties
    ]
    unknown = [
        (f"{path}/{name}", f"Unsupported property [{name}]")
        for name in properties
        if name not in schema["properties"]
    ]
    return [(logical_id, kind, "PROPERTY_VALIDATION", where, reason) for where, reason in missing + unknown]


def _name_property(kind: str) -> str:
    [identifier] = resource_schemas._schema(kind)["primaryIdentifier"]
    return str(identifier).rsplit("/", 1)[-1]


def _validated(create_change_set: _Handler, params: dict) -> tuple:
    answer = create_change_set(params)
    change_set = change_set_names.created(answer)
    if (
        change_set
        and change_set["Status"] == "CREATE_COMPLETE"
        and not change_set["_disable_validation"]
        and (change_set["ChangeSetType"] != "IMPORT")
    ):
        _validate(change_set)
    return answer


def _validate(change_set: dict) -> None:
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    stack = cloudformation._stacks[change_set["StackName"]]
    definitions, conditions = template.get("Resources", {}), engine._evaluate_conditions(template, parameters)
    buckets = frozenset(
        each["PhysicalResourceId"]
        for each in stack["_resources"].values()
        if each["ResourceType"] == "AWS::S3::Bucket"
    )
    # An imported resource has to exist.
    ordered = [
        each
        for each in stacks._topological_sort(definitions, conditions)
        if each not in change_set["_import_existing"]
    ]
    errors = _errors(
        definitions,
        ordered,
        parameters,
        conditions,
        template.get("Mappings", {}),
        stack["StackName"],
        stack["StackId"],
        buckets,
    )
    if not errors:
        return
    checks = sorted({_CHECKS[validation] for _, _, validation, _, _ in errors})
    change_set.update(
        Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=_REASON.format(checks=", ".join(checks))
    )
    operation = new_uuid()
    change_set["_operation_events"] = [
        stacks._operation_event(
            stack["StackId"],
            operation,
            "VALIDATION_ERROR",
            "CREATE_CHANGESET",
            LogicalResourceId=logical_id,
            ResourceType=kind,
            ValidationFailureMode="FAIL",
            ValidationName=validation,
            ValidationStatus="FAILED",
            ValidationStatusReason=reason,
            ValidationPath=path,
        )
        for logical_id, kind, validation, path, reason in errors
    ]


def _describing(describe: _Handler, params: dict) -> tuple:
    """MiniStack keeps the events of a stack's last failed validation, and none of change sets."""
    named, stack_name = handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName")
    if not named:
        return describe(params)
    _, change_set = changesets._find_change_set(named, "" if named.startswith("arn:") else stack_name)
    assert change_set is not None
    # Under the change set's own stack, so that MiniStack filters and pages them.
    stack = handlers._resolve_stack(change_set["StackName"])
    kept = stack.get("_operation_events")
    stack["_operation_events"] = change_set.get("_operation_events", [])
    try:
        return describe({**params, "StackName": [change_set["StackName"]]})
    finally:
        stack["_operation_events"] = kept
