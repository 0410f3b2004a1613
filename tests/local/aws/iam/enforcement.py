"""IAM enforcement by MiniStack's evaluator, with a log of the decisions and corrected resources."""

from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, iam, tagging

from tests.local.aws.cloudformation import change_set_names
from tests.local.aws.iam import (
    decision_log,
    json_requests,
    resource_policies,
)
from tests.local.aws.iam import (
    propagation as iam_propagation,
)
from tests.local.aws.iam.json_requests import Also
from tests.local.aws.json_api import members, operation_of
from tests.local.aws.s3 import permissions as bucket_permissions
from tests.local.aws.secretsmanager import permissions as secret_permissions

_JSON_SERVICES = {"secretsmanager", "codecommit", "codepipeline", "ecr"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-sts
_ASSUMPTION_KEYS = ("sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity")
_RULES = {**json_requests.RULES, "secretsmanager": secret_permissions.needed}
_NAME_THE_RESOURCE = {"iam", "cloudformation", "lambda", "events", "kms", *_JSON_SERVICES}


@dataclass
class _Request:
    """The requirements in addition to the action and resource that MiniStack derives from a request."""

    also: Also = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)  # condition keys
    denied: tuple[str, str] | None = None  # the action and resource that the response has to name
    by_resource: bool = False  # the caller's own policies allow it, the resource's policy does not
    session_policy: str = ""  # of AssumeRole


_request: ContextVar[_Request | None] = ContextVar("local_aws_request", default=None)
_principal: ContextVar[str] = ContextVar("local_aws_principal", default="")
_caller: ContextVar[iam_evaluator.PrincipalInfo | None] = ContextVar("local_aws_caller", default=None)


def _current() -> _Request:
    """The client's request, or one for the calls that a service makes for itself."""
    if (request := _request.get()) is None:
        _request.set(request := _Request())
    return request


_ministack_resource_arn = iam_actions.extract_resource_arn
_ministack_enforce = iam_evaluator.enforce
_ministack_lambda_action = iam_actions._lambda_action
_ministack_resolve_principal = iam_evaluator.resolve_principal
_ministack_denied = iam_actions.access_denied_response


def install() -> None:
    iam_actions.extract_resource_arn = _resource_arn
    iam_actions.access_denied_response = _denied_response
    iam_actions._lambda_action = _lambda_action
    iam_evaluator.enforce = _enforce
    iam_evaluator.resolve_principal = _resolve_principal
    # Requests here use loopback without TLS. On AWS they use TLS, so a bucket policy that requires TLS must
    # not deny them.
    ministack_pin = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: ministack_pin(address, True)


def _lambda_action(method: str, path: str) -> str | None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html"""
    action = _ministack_lambda_action(method, path)
    of_method = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
    return f"{of_method[method]}FunctionConcurrency" if action == "PutFunctionConcurrency" else action


def _resource_arn(
    service: str,
    method: str,
    path: str,
    headers: dict,
    body: bytes,
    query_params: dict,
    region: str,
    account_id: str,
) -> str:
    request = _Request()
    _request.set(request)
    arn = _ministack_resource_arn(service, method, path, headers, body, query_params, region, account_id)
    if service in _RULES and "x-amz-target" in headers:
        arn, request.keys, request.also = _RULES[service](
            operation_of(headers), arn, members(body), region, account_id
        )
    if service == "iam":
        return _iam_resource(arn, account_id, query_params, request)
    if service == "cloudformation":
        return _stack_resource(arn, query_params, request)
    if service == "s3":
        request.keys, request.also = bucket_permissions.needed(
            method, path, headers, query_params, arn, account_id
        )
    if service == "sts":
        found = {
            key: iam_actions._query_param(query_params, key.removeprefix("sts:")) for key in _ASSUMPTION_KEYS
        }
        request.keys = {key: value for key, value in found.items() if value}
        request.session_policy = iam_actions._query_param(query_params, "Policy")
    return arn


def _iam_resource(arn: str, account_id: str, query_params: dict, request: _Request) -> str:
    """The stored ARN: a user's or role's path is part of it, and a request contains only the name."""
    if iam_actions._query_param(query_params, "Action") == "CreateServiceSpecificCredential":
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
        service = iam_actions._query_param(query_params, "ServiceName")
        request.keys["iam:ServiceSpecificCredentialServiceName"] = service
    for kind, store in (("user", iam._users), ("role", iam._roles)):
        prefix = f"arn:aws:iam::{account_id}:{kind}/"
        if arn.startswith(prefix):
            stored = store.get(arn.removeprefix(prefix))
            return stored["Arn"] if stored else arn
    return arn


def _stack_resource(arn: str, query_params: dict, request: _Request) -> str:
    """The stack's own ARN, and the permission to pass a role if the call names one.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    """
    role_arn = iam_actions._query_param(query_params, "RoleARN")
    if role_arn:
        request.keys["cloudformation:RoleArn"] = role_arn
        request.also.append(
            ("iam", "iam:PassRole", role_arn, {"iam:PassedToService": "cloudformation.amazonaws.com"})
        )
    template_url = iam_actions._query_param(query_params, "TemplateURL")
    if template_url:
        request.keys["cloudformation:TemplateUrl"] = template_url
    change_set = iam_actions._query_param(query_params, "ChangeSetName")
    if name := change_set_names.condition_key(iam_actions._query_param(query_params, "Action"), change_set):
        request.keys["cloudformation:ChangeSetName"] = name
    stack = cloudformation._stacks.get(iam_actions._query_param(query_params, "StackName")) or {}
    if arn.endswith("/*") and stack.get("StackStatus", "DELETE_COMPLETE") != "DELETE_COMPLETE":
        arn = str(stack["StackId"])
    _need_to_tag(arn, query_params, stack, request)
    return arn


def _need_to_tag(arn: str, query_params: dict, stack: dict, request: _Request) -> None:
    """TagResource and UntagResource are "permission only": no call has their name, but other calls need them.
    Which ones is not documented. Here: those whose tags become a stack's."""
    keys, number = set(), 1
    while key := iam_actions._query_param(query_params, f"Tags.member.{number}.Key"):
        keys.add(key)
        request.keys[f"aws:RequestTag/{key}"] = iam_actions._query_param(
            query_params, f"Tags.member.{number}.Value"
        )
        number += 1
    if keys:
        request.keys["aws:TagKeys"] = sorted(keys)
        request.also.append(("cloudformation", "cloudformation:TagResource", arn, {}))
    if ("Tags" in query_params or keys) and {tag["Key"] for tag in stack.get("Tags") or []} - keys:
        request.also.append(("cloudformation", "cloudformation:UntagResource", arn, {}))


def _resolve_principal(*args: Any, **kwargs: Any) -> Any:
    principal = _ministack_resolve_principal(*args, **kwargs)
    _principal.set(getattr(principal, "arn", ""))
    _caller.set(principal if isinstance(principal, iam_evaluator.PrincipalInfo) else None)
    return principal


def principal() -> iam_evaluator.PrincipalInfo | None:
    return _caller.get()


def _enforce(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    request = _current()
    request.denied, request.by_resource = None, False
    keys, request.keys = {**request.keys, **_resource_tag_keys(service, resource_arn)}, {}
    outcome = _decide(
        access_key_id, iam_action, service, region, resource_arn, {**(service_context or {}), **keys}
    )
    if outcome is not None:
        request.denied = (iam_action, resource_arn)
        return outcome
    also, request.also = request.also, []
    for other_service, action, resource, keys in also:
        outcome = _decide(access_key_id, action, other_service, region, resource, keys)
        if outcome is not None and action not in secret_permissions.OPTIONAL:
            request.denied = (action, resource)
            return outcome
    return None


def _resource_tag_keys(service: str, resource_arn: str) -> dict[str, str]:
    """The services' own names for `aws:ResourceTag`, which MiniStack's evaluator lacks."""
    if service not in {"iam", "secretsmanager"}:
        return {}
    tags = tagging.resource_tags(resource_arn) or {}
    return {f"{service}:ResourceTag/{key}": value for key, value in tags.items()}


def _decide(
    access_key_id: str, action: str, service: str, region: str, resource: str, context: dict[str, Any] | None
) -> Any:
    evaluated = (access_key_id, action, service, region, resource, context)
    outcome = _evaluate(*evaluated)
    late = outcome is not None and iam_propagation.is_on() and _is_allowed_later(evaluated)
    decision_log.record(_principal.get(), action, resource, outcome is None, late, _current().session_policy)
    if outcome is None and service == "s3":
        bucket_permissions.admit(resource)
    return outcome


def _is_allowed_later(evaluated: tuple[Any, ...]) -> bool:
    """Whether changes that IAM has not put into effect yet would allow this. The response names the first
    evaluation's caller and reason, so this one does not change them."""
    request = _current()
    by_resource = request.by_resource
    with iam_propagation.ignored():
        allowed = copy_context().run(_evaluate, *evaluated) is None
    request.by_resource = by_resource
    return allowed


def _evaluate(
    access_key_id: str, action: str, service: str, region: str, resource: str, context: dict[str, Any] | None
) -> Any:
    _principal.set("")
    outcome = _ministack_enforce(access_key_id, action, service, region, resource, context)
    caller = principal() if access_key_id and _principal.get() else None
    if caller is not None:
        outcome = _by_resource(caller, action, service, region, resource, context or {}, outcome)
    return outcome


def _by_resource(
    caller: iam_evaluator.PrincipalInfo,
    action: str,
    service: str,
    region: str,
    resource: str,
    keys: dict[str, Any],
    outcome: Any,
) -> Any:
    """The resource policy's decision for the root user, whom MiniStack does not evaluate, and whether that
    policy denied a call that the caller's own policies allow."""
    context = iam_evaluator.EvalContext(
        principal_arn=caller.arn,
        principal_type=caller.type,
        principal_account=caller.account,
        action=action,
        resource_arn=resource,
        region=region,
        principal_keys=caller.keys,
        service_context={key.lower(): value for key, value in keys.items()},
    )
    if caller.policies is None:
        decision = "" if outcome is not None else resource_policies.denies_root(service, resource, context)
        if decision or (action == "sts:AssumeRole" and outcome is None):
            _current().by_resource = True
            return iam_evaluator.EvalResult(
                decision or "ImplicitDeny",
                caller.arn,
                resource_policy_arn=resource if decision == "Deny" else "",
            )
    elif isinstance(outcome, iam_evaluator.EvalResult):
        own = iam_evaluator.evaluate(context, caller.policies, *caller.limits)
        _current().by_resource = own.decision == "Allow"
    elif (
        outcome is None
        and action == "sts:AssumeRole"
        and (resource_policies.of("sts", resource) in (None, ("", resource_policies.owner(resource))))
    ):
        # The role does not exist. The words are the same, so that a caller cannot find that out.
        return iam_evaluator.EvalResult("ImplicitDeny", caller.arn)
    return outcome


def _denied_response(service: str, action: str, principal_arn: str, request_id: str, **how: Any) -> tuple:
    """AWS names the resource, and its JSON services return 400. MiniStack omits the resource and returns
    403."""
    denied = _current().denied
    if denied and not how.get("error_code") and not how.get("message"):
        how["message"] = _words(service, *denied, principal_arn, how)
        if service == "ssm":  # MiniStack builds this message from the action and the resource
            action, how["resource_arn"] = denied
    status, headers, body = _ministack_denied(service, action, principal_arn, request_id, **how)
    if service in _JSON_SERVICES and status == 403:
        status, headers = 400, {**headers, "Content-Type": "application/x-amz-json-1.1"}
    return status, headers, body


def _words(service: str, action: str, resource: str, principal_arn: str, how: dict[str, Any]) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html; empty for MiniStack's
    own."""
    if action == "sts:AssumeRole":
        return (
            "Roles may not be assumed by root accounts."
            if principal_arn.endswith(":root")
            else f"User: {principal_arn} is not authorized to perform: sts:AssumeRole on resource: {resource}"
        )
    # "For cross-account requests, Amazon S3 returns a generic Access Denied".
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
    caller = principal()
    if (
        action.startswith("s3:")
        and caller
        and resource_policies.owner(resource) not in (None, caller.account)
    ):
        return "Access Denied"
    if service not in _NAME_THE_RESOURCE and not action.startswith("kms:"):
        return ""
    if _current().by_resource:
        start = f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource}"
        return (
            f"{start} with an explicit deny in a resource-based policy"
            if how.get("resource_policy_arn")
            else f"{start} because no resource-based policy allows the {action} action"
        )
    return str(
        iam_actions.identity_denial_message(action, principal_arn, resource, bool(how.get("explicit_deny")))
    )


def user_may(
    user_name: str, action: str, resource_arn: str, request_keys: dict[str, Any] | None = None
) -> bool:
    """Whether a user's own, attached and groups' policies, inside the boundary, allow the action of a git
    login."""
    user = iam._users.get(user_name)
    if not user:
        return False
    return _may(
        "User",
        user["Arn"],
        action,
        resource_arn,
        iam_evaluator._gather_user_policies(user_name, get_account_id()),
        iam_evaluator._permissions_boundary(iam._users, user_name, get_account_id()),
        {"aws:username": user_name, "aws:userid": user["UserId"]},
        request_keys,
    )


def principal_may(
    found: iam_evaluator.PrincipalInfo,
    action: str,
    resource_arn: str,
    request_keys: dict[str, Any] | None = None,
) -> bool:
    """The same for the owner of an access key, limited by the policies of its session."""
    if found.policies is None:  # the account's root
        decision_log.record(found.arn, action, resource_arn, True)
        return True
    return _may(
        found.type, found.arn, action, resource_arn, found.policies, found.limits, found.keys, request_keys
    )


def role_may(role_name: str, session: str, action: str, resource_arn: str) -> bool:
    """The same for a role, for Lambda's calls with it that are not requests: writing the log.

    A late grant does not lose Lambda's lines here: tests would miss them, and whether Lambda sends
    them again is not documented.
    """
    arn = f"arn:aws:sts::{get_account_id()}:assumed-role/{role_name}/{session}"
    with iam_propagation.ignored():
        return _may(
            "AssumedRole",
            arn,
            action,
            resource_arn,
            iam_evaluator._gather_role_policies(role_name, get_account_id()),
            iam_evaluator._permissions_boundary(iam._roles, role_name, get_account_id()),
            {},
        )


def _may(
    kind: str,
    arn: str,
    action: str,
    resource_arn: str,
    policies: list,
    limits: list,
    keys: dict[str, Any],
    request_keys: dict[str, Any] | None = None,
) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn=arn,
        principal_type=kind,
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        principal_keys=keys,
        secure_transport=True,
        service_context={key.lower(): value for key, value in (request_keys or {}).items()},
    )
    allowed = iam_evaluator.evaluate(context, policies, *limits).decision == "Allow"
    decision_log.record(arn, action, resource_arn, allowed)
    return allowed
