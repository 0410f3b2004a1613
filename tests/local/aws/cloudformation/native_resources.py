"""MiniStack's resource types that differ from AWS's: lost properties, and names in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import cloudwatch, cloudwatch_logs, codebuild, eventbridge
from ministack.services.cloudformation import provisioners, stacks

from tests.local.aws.iam import service_roles
from tests.local.aws.settings import settings

_Create = Callable[[str, dict, str], tuple[str, dict]]

# Properties of AWS::CodeBuild::Project that MiniStack's handler ignores, by their names in CodeBuild's API.
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Project.html
_FORGOTTEN = {
    "AutoRetryLimit": "autoRetryLimit", "BuildBatchConfig": "buildBatchConfig", "Cache": "cache",
    "ConcurrentBuildLimit": "concurrentBuildLimit", "Description": "description", "EncryptionKey": "encryptionKey",
    "FileSystemLocations": "fileSystemLocations", "LogsConfig": "logsConfig",
    "QueuedTimeoutInMinutes": "queuedTimeoutInMinutes", "SecondaryArtifacts": "secondaryArtifacts",
    "SecondarySources": "secondarySources", "SecondarySourceVersions": "secondarySourceVersions",
    "SourceVersion": "sourceVersion", "Visibility": "projectVisibility", "VpcConfig": "vpcConfig",
}
_NUMBERS = {"AutoRetryLimit", "ConcurrentBuildLimit", "QueuedTimeoutInMinutes"}


def install() -> None:
    _keep_whole_build_projects()
    _refuse_to_replace_named_policies()
    # "Tags ... all stack-level tags are propagated to resources that CloudFormation supports": rules have tags.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
    provisioners._STACK_TAG_PROPERTY["AWS::Events::Rule"] = ("Tags", "list")
    _reject_names_in_use("AWS::Logs::LogGroup", "LogGroupName", lambda props, name: name in cloudwatch_logs._log_groups)
    _reject_names_in_use("AWS::CloudWatch::Alarm", "AlarmName", lambda props, name: name in cloudwatch._alarms)
    _reject_names_in_use("AWS::CloudWatch::Dashboard", "DashboardName",
                         lambda props, name: name in cloudwatch._dashboards)
    _reject_names_in_use("AWS::Events::Rule", "Name", lambda props, name: eventbridge._rule_key(
        name, provisioners._eb_rule_bus_name(props)) in eventbridge._rules)


def _refuse_to_replace_named_policies() -> None:
    """"You can't perform an update that causes a custom-named resource to be replaced."

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html. The message is that of
    https://repost.aws/knowledge-center/cloudformation-custom-name. MiniStack creates the replacement of a policy first,
    and its name is in use; AWS documents neither for policies.
    """
    kind, ministack_error = "AWS::IAM::ManagedPolicy", provisioners._custom_named_replacement_error

    def error(resource_type: str, old: dict, new: dict, physical_id: str | None = None) -> str | None:
        name = old.get("ManagedPolicyName")
        is_kept = resource_type == kind and name is not None and name == new.get("ManagedPolicyName")
        if is_kept and provisioners._replacing_change(kind, old, new) and not settings.replaced_policies_are_created_first:
            return ("CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {name} and update the stack again.")
        answer: str | None = ministack_error(resource_type, old, new, physical_id)
        return answer

    for module in (provisioners, stacks):
        module._custom_named_replacement_error = error


def _reject_names_in_use(resource_type: str, key: str, taken: Callable[[dict, str], bool]) -> None:
    """A create handler "MUST return AlreadyExists" for an existing resource.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
    """
    table = provisioners._RESOURCE_HANDLERS[resource_type]
    ministack_create: _Create = table["create"]

    def create(logical_id: str, props: dict, stack_name: str) -> tuple[str, dict]:
        name = props.get(key)
        if name and taken(props, name):
            identifier = json.dumps({f"/properties/{key}": name}, separators=(",", ":"))
            raise ValueError(
                f"Resource handler returned message: \"Resource of type '{resource_type}' with identifier "
                f"'{identifier}' already exists.\" (RequestToken: {new_uuid()}, HandlerErrorCode: AlreadyExists)")
        return ministack_create(logical_id, props, stack_name)

    table["create"] = create


def _keep_whole_build_projects() -> None:
    table = provisioners._RESOURCE_HANDLERS["AWS::CodeBuild::Project"]
    ministack_create: _Create = table["create"]
    ministack_update, ministack_shape = table["update"], codebuild._project_shape

    def create(logical_id: str, props: dict, stack_name: str) -> tuple[str, dict]:
        name = props.get("Name")
        if name and name in codebuild._projects:
            raise ValueError(
                f"Project already exists: {codebuild._project_arn(name)} (Service: AWSCodeBuild; Status Code: 400; "
                f"Error Code: ResourceAlreadyExistsException; Request ID: {new_uuid()}; Proxy: null)")
        _check_service_role(props, name or logical_id)
        physical_id, attributes = ministack_create(logical_id, props, stack_name)
        _remember(physical_id, props)
        return physical_id, attributes

    def update(physical_id: str, old: dict, new: dict, stack_name: str) -> tuple[str, dict]:
        if new.get("Name") not in (None, physical_id):  # "Update requires: Replacement"
            return create(physical_id, new, stack_name)
        _check_service_role(new, physical_id)
        answer: tuple[str, dict] = ministack_update(physical_id, old, new, stack_name)
        for key in old.keys() - new.keys() & _FORGOTTEN.keys():
            codebuild._projects[physical_id].pop(_FORGOTTEN[key], None)
        _remember(physical_id, new)
        return answer

    def shape(project: dict) -> dict:
        kept = {name: project[name] for name in _FORGOTTEN.values() if name in project}
        return {**ministack_shape(project), **kept}

    table["create"], table["update"] = create, update
    codebuild._project_shape = shape


def _check_service_role(props: dict[str, Any], name: str) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html, "CodeBuild is not authorized to
    perform: sts:AssumeRole" """
    role_arn = str(props.get("ServiceRole", ""))
    try:
        service_roles.assume(role_arn, "codebuild.amazonaws.com", codebuild._project_arn(name))
    except service_roles.NotAssumable:
        raise ValueError(
            f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn} (Service: AWSCodeBuild; Status Code: "
            f"400; Error Code: InvalidInputException; Request ID: {new_uuid()}; Proxy: null)") from None


def _remember(name: str, props: dict[str, Any]) -> None:
    project = codebuild._projects[name]
    # "The default is 8 hours".
    project.setdefault("queuedTimeoutInMinutes", 480)
    project.setdefault("projectVisibility", "PRIVATE")
    for key, api_name in _FORGOTTEN.items():
        if key in props:
            value = provisioners._codebuild_cfn_to_api(props[key])
            project[api_name] = int(value) if key in _NUMBERS else value
