"""A role that was passed to an AWS service: the service assumes it, and has only its permissions.

    session = service_roles.assume(role_arn, "codepipeline.amazonaws.com", source_arn=pipeline_arn)
    session.require("codebuild:StartBuild", project_arn)

IAM cannot evaluate a service's calls within this process, so each names its action on AWS. Every decision is
logged, like those about requests, so that a test can check which of a role's permissions were used.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_actions import identity_denial_message
from ministack.core.responses import get_region, request_scope
from ministack.services import iam, sts, tagging

from tests.local.aws.iam import (
    decision_log,
    resource_policies,
    service_principals,
)
from tests.local.aws.iam import (
    propagation as iam_propagation,
)

_SESSION_SECONDS = 3600


class Denied(Exception):
    """A role lacks a permission. The text is AWS's message."""

    def __init__(self, message: str, action: str, resource: str) -> None:
        super().__init__(message)
        self.message, self.action, self.resource = message, action, resource


class NotAssumable(Denied):
    """The role does not exist, or its trust policy does not allow the service."""


def assume(role_arn: str, service: str, source_arn: str | None = None, session_name: str = "") -> Session:
    """`service` is a service principal such as `codepipeline.amazonaws.com`.

    `source_arn` is the resource that the service acts for. The request has its ARN, and its account or else
    the request's, only if AWS documents that for the service: see `policies.source_keys`.
    """
    account, name = role_arn.split(":")[4] if role_arn.count(":") == 5 else "", role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name) or {}
    exists = role.get("Arn") == role_arn
    admitted = exists and _admits(role, service, source_arn)
    with iam_propagation.ignored():
        late = exists and not admitted and _admits(role, service, source_arn)
    decision_log.record(service, "sts:AssumeRole", role_arn, admitted, late)
    if not admitted:
        raise NotAssumable(
            f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            "sts:AssumeRole",
            role_arn,
        )
    return Session(role_arn, account, name, session_name or service.split(".")[0])


def _admits(role: dict[str, Any], service: str, source_arn: str | None) -> bool:
    """MiniStack's own evaluation of trust policies accepts root for any service."""
    return service_principals.allows(
        iam_propagation.trust_of(role), service, "sts:AssumeRole", role["Arn"], source_arn
    )


@dataclass(frozen=True)
class Session:
    role_arn: str
    account: str
    role_name: str
    session_name: str
    _credentials: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.session_name}"

    def require(self, action: str, resource: str, keys: dict[str, Any] | None = None) -> None:
        """Raises `Denied` unless the role's policies, its boundary, and the resource's own policy allow this.
        `keys` are the request's condition keys, with a list for a key with several values."""
        policies, boundary = self._policies()
        context = self._context(action, resource, keys or {})
        result = self._evaluate(context, policies, boundary)
        allowed = result.decision == "Allow"
        with iam_propagation.ignored():
            late = not allowed and self._evaluate(context, *self._policies()).decision == "Allow"
        decision_log.record(self.arn, action, resource, allowed, late)
        if not allowed:
            raise Denied(self._words(action, resource, result, context, policies, boundary), action, resource)

    @staticmethod
    def _evaluate(context: iam_evaluator.EvalContext, policies: list[Any], boundary: list[Any]) -> Any:
        result = iam_evaluator.evaluate(context, policies, *boundary)
        own = iam_evaluator._resource_policy(context.action.split(":")[0], context.resource_arn)
        if own is not None:
            result = iam_evaluator.combine_resource_policy(
                result, context, *own, required=context.action.startswith("kms:"), limits=boundary
            )
        return result

    def _policies(self) -> tuple[list[Any], list[Any]]:
        """The permissions in effect now, not those at the session's start."""
        return (
            iam_evaluator._gather_role_policies(self.role_name, self.account),
            iam_evaluator._permissions_boundary(iam._roles, self.role_name, self.account),
        )

    def credentials(self) -> dict[str, str]:
        """An access key for programs outside of this process that use the role, in the form of IAM's
        CreateAccessKey, with a `SessionToken`."""
        if not self._credentials:
            letters = string.ascii_uppercase + string.digits
            made = {
                "AccessKeyId": "ASIA" + "".join(secrets.choice(letters) for _ in range(16)),
                "SecretAccessKey": secrets.token_urlsafe(30),
                "SessionToken": secrets.token_urlsafe(60),
            }
            role = iam._roles.get_scoped(self.account, None, self.role_name) or {}
            sts.register_session(
                made["AccessKeyId"],
                {
                    "Arn": self.arn,
                    "UserId": f"{role.get('RoleId', '')}:{self.session_name}",
                    "SecretAccessKey": made["SecretAccessKey"],
                    "SessionToken": made["SessionToken"],
                    "Expiration": time.time() + _SESSION_SECONDS,
                    "AccountId": self.account,
                    "PrincipalType": "AssumedRole",
                    "SourceAccessKeyId": "",
                    "SourcePrincipalArn": "",
                    "SessionTags": [],
                    "SessionPolicies": None,
                },
            )
            self._credentials.update(made)
        return dict(self._credentials)

    def _context(self, action: str, resource: str, keys: dict[str, Any]) -> iam_evaluator.EvalContext:
        found: dict[str, Any] = {key.lower(): value for key, value in keys.items()}
        found.setdefault("aws:tagkeys", None)
        service = action.split(":")[0]
        with request_scope(resource_policies.owner(resource) or self.account, get_region()):
            tags = tagging.resource_tags(resource) or {}
        for key, value in tags.items():
            found.setdefault(f"aws:resourcetag/{key}".lower(), value)
            found.setdefault(f"{service}:resourcetag/{key}".lower(), value)
        role = iam._roles.get_scoped(self.account, None, self.role_name) or {}
        principal = {f"aws:principaltag/{tag['Key']}".lower(): tag["Value"] for tag in role.get("Tags") or []}
        principal["aws:userid"] = f"{role.get('RoleId', '')}:{self.session_name}"
        return iam_evaluator.EvalContext(
            principal_arn=self.arn,
            principal_type="AssumedRole",
            principal_account=self.account,
            action=action,
            resource_arn=resource,
            region=get_region(),
            service_context=found,
            principal_keys=principal,
            secure_transport=True,
        )

    def _words(
        self,
        action: str,
        resource: str,
        result: iam_evaluator.EvalResult,
        context: iam_evaluator.EvalContext,
        policies: list[Any],
        boundary: list[Any],
    ) -> str:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
        start = f"User: {self.arn} is not authorized to perform: {action} on resource: {resource}"
        if result.resource_policy_arn:
            return f"{start} with an explicit deny in a resource-based policy"
        if result.decision != "Deny" and iam_evaluator.evaluate(context, policies).decision == "Allow":
            within = iam_evaluator.evaluate(context, policies, *boundary).decision == "Allow"
            by = "resource-based policy" if within else "permissions boundary"
            return f"{start} because no {by} allows the {action} action"
        return identity_denial_message(action, self.arn, resource, result.decision == "Deny")
