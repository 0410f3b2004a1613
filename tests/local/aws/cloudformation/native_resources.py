"""MiniStack's resource types that differ from AWS's: lost properties, replaced policies, invalid
schedules."""

from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import codebuild, eventbridge, iam
from ministack.services.cloudformation import provisioners, stacks

from tests.local.aws.cloudformation import resource_types
from tests.local.aws.iam import service_roles
from tests.local.aws.settings import settings

# Properties of AWS::CodeBuild::Project that MiniStack's handler ignores, by their names in CodeBuild's API.
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Project.html
_FORGOTTEN = {
    name: name[:1].lower() + name[1:]
    for name in (
        "AutoRetryLimit",
        "BuildBatchConfig",
        "Cache",
        "ConcurrentBuildLimit",
        "Description",
        "EncryptionKey",
        "FileSystemLocations",
        "LogsConfig",
        "QueuedTimeoutInMinutes",
        "SecondaryArtifacts",
        "SecondarySources",
        "SecondarySourceVersions",
        "SourceVersion",
        "VpcConfig",
    )
} | {"Visibility": "projectVisibility"}
_NUMBERS = {"AutoRetryLimit", "ConcurrentBuildLimit", "QueuedTimeoutInMinutes"}


def install() -> None:
    _name_log_groups()
    resource_types.also("AWS::IAM::Role", _keep_boundary)
    _keep_whole_build_projects()
    _refuse_to_replace_named_policies()
    resource_types.also("AWS::Events::Rule", lambda _physical_id, _props: None, _check_schedule)
    # "Tags ... all stack-level tags are propagated to resources that CloudFormation supports": rules have
    # tags.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
    provisioners._STACK_TAG_PROPERTY["AWS::Events::Rule"] = ("Tags", "list")


def _keep_boundary(name: str, props: dict[str, Any]) -> None:
    iam._roles[name]["PermissionsBoundary"] = props.get("PermissionsBoundary", "")


def _name_log_groups() -> None:
    """MiniStack's own names begin with `/aws/cloudformation/`.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html"""
    table = provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]
    create, update = table["create"], table["update"]

    def named(props: dict[str, Any], stack_name: str, logical_id: str) -> dict[str, Any]:
        return {"LogGroupName": provisioners._physical_name(stack_name, logical_id), **props}

    table["create"] = lambda logical_id, props, stack_name: create(
        logical_id, named(props, stack_name, logical_id), stack_name
    )
    table["update"] = lambda physical_id, old, new, stack_name, logical_id: update(
        physical_id, old, named(new, stack_name, logical_id), stack_name, logical_id
    )


def _check_schedule(_name: str, props: dict[str, Any]) -> None:
    """MiniStack checks it only in an update. The message:
    https://github.com/aws-cloudformation/cfn-lint/issues/2141"""
    if not eventbridge._validate_schedule_expression(props.get("ScheduleExpression", "")):
        raise ValueError(
            "Parameter ScheduleExpression is not valid. (Service: AmazonCloudWatchEvents; Status Code: 400; "
            f"Error Code: ValidationException; Request ID: {new_uuid()}; Proxy: null)"
        )


def _refuse_to_replace_named_policies() -> None:
    """ "You can't perform an update that causes a custom-named resource to be replaced."

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html. The
    message is that of https://repost.aws/knowledge-center/cloudformation-custom-name. MiniStack creates the
    replacement of a policy first, and its name is in use; AWS documents neither for policies.
    """
    kind, ministack_error = "AWS::IAM::ManagedPolicy", provisioners._custom_named_replacement_error

    def error(resource_type: str, old: dict, new: dict, physical_id: str | None = None) -> str | None:
        name = old.get("ManagedPolicyName")
        is_kept = resource_type == kind and name is not None and name == new.get("ManagedPolicyName")
        if (
            is_kept
            and provisioners._replacing_change(kind, old, new)
            and not settings.replaced_policies_are_created_first
        ):
            return (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {name} and update the stack again."
            )
        answer: str | None = ministack_error(resource_type, old, new, physical_id)
        return answer

    for module in (provisioners, stacks):
        module._custom_named_replacement_error = error


def _keep_whole_build_projects() -> None:
    ministack_shape = codebuild._project_shape

    def shape(project: dict) -> dict:
        kept = {name: project[name] for name in _FORGOTTEN.values() if name in project}
        return {**ministack_shape(project), **kept}

    resource_types.also("AWS::CodeBuild::Project", _remember, _check_service_role)
    codebuild._project_shape = shape


def _check_service_role(name: str, props: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html, "CodeBuild is not
    authorized to perform: sts:AssumeRole" """
    role_arn = str(props.get("ServiceRole", ""))
    try:
        service_roles.assume(role_arn, "codebuild.amazonaws.com", codebuild._project_arn(name))
    except service_roles.NotAssumable:
        raise ValueError(
            f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn} (Service: AWSCodeBuild;"
            f" Status Code: 400; Error Code: InvalidInputException; Request ID: {new_uuid()}; Proxy: null)"
        ) from None


def _remember(name: str, props: dict[str, Any]) -> None:
    project = codebuild._projects[name]
    # "The default is 8 hours".
    project.setdefault("queuedTimeoutInMinutes", 480)
    project.setdefault("projectVisibility", "PRIVATE")
    for key, api_name in _FORGOTTEN.items():
        if key in props:
            value = provisioners._codebuild_cfn_to_api(props[key])
            project[api_name] = int(value) if key in _NUMBERS else value
