"""Whether the caller may create the template's resources, as far as SimulatePrincipalPolicy shows it.

creates.json has the actions and the form of the resource for each type. CloudFormation calls them with the caller's
permissions, or with those of the role that samconfig.toml names.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.checks.rows import Reader, Row, pages
from cli.checks.template import NAME, Template
from cli.environment.account import outputs
from cli.environment.pending import Pending
from cli.shell.output import Finding, Found, NotChecked, Sound

_CREATES = Path(__file__).with_name("creates.json")
_SESSION = re.compile(r"arn:[a-z-]+:sts::[0-9]{12}:assumed-role/([^/]+)/.+")
# The calls of `sam deploy` on the stack.
_DEPLOYS = ["CreateChangeSet", "DescribeChangeSet", "DescribeStackEvents", "DescribeStacks", "ExecuteChangeSet"]
_SAM_STACK = "aws-sam-cli-managed-default"
# IAM throttles the simulations of an account.
_AT_ONCE = 4
# The types that SAM renders or that the function implements.
_FUNCTION, _CUSTOM = "AWS::Serverless::Function", "Custom::"


@dataclass
class Request:
    """Actions on resources. Each action is evaluated with each resource."""

    actions: list[str]
    arns: list[str]
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class Verdict:
    action: str
    arn: str
    decision: str
    missing: list[str]
    # `None` if no organization or no boundary has a part in it.
    by_organization: bool | None
    by_boundary: bool | None


def right_rows(reader: Reader, template: Template, stacks: dict[str, dict[str, Any]], role_arn: str,
               s3_bucket: str) -> list[Row]:
    """`stacks` are all of the account, by name. `role_arn` and `s3_bucket` are those of samconfig.toml, or empty."""
    reader.client("iam")
    caller, called, created = reader.account.arn, deploys(reader, stacks, s3_bucket), creates(reader, template)
    if not role_arn:
        return [Row("rights", f"rights of {caller}", lambda: _checks(reader, caller, [*called, *created]))]
    passes = Request(["iam:PassRole"], [role_arn], {"iam:PassedToService": "cloudformation.amazonaws.com"})
    return [Row("rights", f"rights of {caller}", lambda: _checks(reader, caller, [*called, passes])),
            Row("rights", f"rights of {role_arn}", lambda: _checks(reader, role_arn, created))]


def read_creates() -> dict[str, dict[str, Any]]:
    """The member with the name, the form of the ARN and the actions of each type."""
    types: dict[str, dict[str, Any]] = json.loads(_CREATES.read_text("utf-8"))["types"]
    return types


def creates(reader: Reader, template: Template) -> list[Request]:
    """The calls with which CloudFormation creates the template's resources."""
    types, requests = read_creates(), []
    where = {"partition": _partition(reader), "region": reader.account.region, "account": reader.account.id}
    names: dict[str, list[str]] = {}
    for each in template.resources():
        kind = "AWS::Lambda::Function" if each.type == _FUNCTION else each.type
        if kind in types:
            names.setdefault(kind, []).extend(template.names(each, types[kind]["name"]))
    boundary = template.values.get("PermissionsBoundaryArn")
    for kind, found in names.items():
        arns = [types[kind]["arn"].format(name=name, **where) for name in sorted(set(found))]
        has_boundary = boundary and kind in ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Policy")
        requests.append(Request(types[kind]["actions"], arns, {"iam:PermissionsBoundary": boundary} if has_boundary else {}))
        if also := types[kind].get("also"):
            requests.append(Request(also["actions"], [also["arn"].format(name=name, **where) for name in sorted(set(found))]))
    invoked = {name for each in template.resources() if each.type.startswith(_CUSTOM) for name in template.referred(each, "ServiceToken")}
    requests.append(Request(["lambda:InvokeFunction"],
                            [types["AWS::Lambda::Function"]["arn"].format(name=name, **where) for name in sorted(invoked)]))
    roles = [role for each in template.resources() if each.type == _FUNCTION for role in template.referred(each, "Role")]
    requests.append(Request(["iam:PassRole"], [types["AWS::IAM::Role"]["arn"].format(name=role, **where) for role in roles],
                            {"iam:PassedToService": "lambda.amazonaws.com"}))
    return [each for each in requests if each.arns]


def type_checks(template: Template) -> list[Finding]:
    """The types of resources that creates.json does not have."""
    known = {*read_creates(), _FUNCTION}
    others = sorted({each.type for each in template.resources() if each.type not in known and not each.type.startswith(_CUSTOM)})
    return [NotChecked(f"{NAME}: resources of other types", "this version has no data about the rights and the names of "
                       f"{', '.join(others)}", "Compare them yourself")] if others else []


def deploys(reader: Reader, stacks: dict[str, dict[str, Any]], bucket: str) -> list[Request]:
    """The calls of sam."""
    where = f"arn:{_partition(reader)}:cloudformation:{reader.account.region}"
    stack = f"{where}:{reader.account.id}:stack/{reader.environment.settings.stack_name}/*"
    requests = [Request([f"cloudformation:{action}" for action in _DEPLOYS], [stack]),
                Request(["cloudformation:CreateChangeSet"], [f"{where}:aws:transform/Serverless-2016-10-31"]),
                Request(["cloudformation:GetTemplateSummary"], ["*"])]
    if not bucket:
        # sam creates it with its first deployment.
        bucket = outputs(stacks.get(_SAM_STACK, {})).get("SourceBucket", "")
    if bucket:
        code = f"arn:{_partition(reader)}:s3:::{bucket}/cfn-gitops/object"
        requests.append(Request(["s3:GetObject", "s3:PutObject"], [code]))
    return requests


def _partition(reader: Reader) -> str:
    return str(reader.account.arn.split(":")[1])


def _checks(reader: Reader, principal: str, requests: list[Request]) -> list[Finding]:
    iam, subject = reader.client("iam"), f"rights of {principal}"
    if principal.endswith(":root"):
        return [NotChecked(subject, "IAM does not simulate the root user",
                           "Deploy as a role, for example of IAM Identity Center")]
    source = principal
    if session := _SESSION.fullmatch(principal):
        source = iam.get_role(RoleName=session[1])["Role"]["Arn"]
    elif ":federated-user/" in principal:
        return [NotChecked(subject, "IAM does not simulate a federated user", "Deploy as a role")]
    limit, region = threading.Semaphore(_AT_ONCE), reader.account.region
    simulations = [Pending(lambda each=each: simulated(iam, source, each, region), limit) for each in requests]  # type: ignore[misc]
    verdicts = [verdict for pending in simulations for verdict in pending.result()]
    answered = {(each.action, each.arn) for each in verdicts}
    left = sorted({action for each in requests for action in each.actions for arn in each.arns
                   if (action, arn) not in answered})
    missing = [NotChecked(subject, f"IAM did not simulate {', '.join(left)}", "Run this again")] if left else []
    return [*judged(subject, verdicts), *missing]


def simulated(iam: Any, source: str, request: Request, region: str) -> list[Verdict]:
    """A verdict for each action with each resource."""
    # IAM itself is in one region.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
    keys = request.keys if request.actions[0].startswith("iam:") else {"aws:RequestedRegion": region, **request.keys}
    entries = [{"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}]
    entries += [{"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in keys.items()]
    results = pages(iam, "simulate_principal_policy", "EvaluationResults", PolicySourceArn=source,
                    ActionNames=request.actions, ResourceArns=request.arns, ContextEntries=entries)
    return list(_verdicts(results))


def _verdicts(results: Iterable[dict[str, Any]]) -> Iterable[Verdict]:
    for result in results:
        organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations")
        boundary = result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary")
        action = result["EvalActionName"]
        # "If you include a list of resources, then any missing context values are instead included under the
        # ResourceSpecificResults section."
        specific = result.get("ResourceSpecificResults", [])
        for each in specific:
            own = each.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", boundary)
            yield Verdict(action, each["EvalResourceName"], each["EvalResourceDecision"], each.get("MissingContextValues", []),
                          organization, own)
        if not specific:
            yield Verdict(action, result.get("EvalResourceName", "*"), result["EvalDecision"],
                          result.get("MissingContextValues", []), organization, boundary)


def judged(subject: str, verdicts: list[Verdict]) -> list[Finding]:
    """A finding for each service with a denied action. A decision that depends on another condition is not checked."""
    denied = [each for each in verdicts if each.decision != "allowed" and not each.missing]
    services: dict[str, list[Verdict]] = {}
    for each in denied:
        if each.by_organization is not False:
            services.setdefault(each.action.partition(":")[0], []).append(each)
    found = [_denied(subject, service, each) for service, each in services.items()]
    if by_organization := sorted({each.action for each in denied if each.by_organization is False}):
        found.append(NotChecked(subject, f"IAM simulates a denial of {', '.join(by_organization)}. But a service control policy "
                                "decides, and the simulation may differ from the call", "Compare the policies yourself", "CFG-202"))
    # The key may be that of an allowing or of a denying statement.
    if unclear := [each for each in verdicts if each.missing]:
        keys = sorted({key for each in unclear for key in each.missing})
        actions = sorted({each.action for each in unclear})
        found.append(NotChecked(subject, f"the policies have conditions on {', '.join(keys)}, whose values IAM's simulation of "
                                f"{', '.join(actions)} does not have", "Compare them yourself"))
    return found or [Sound(f"{subject}: {len({each.action for each in verdicts})} actions, as IAM simulates them")]


def _denied(subject: str, service: str, verdicts: list[Verdict]) -> Finding:
    actions = sorted({each.action for each in verdicts})
    arns = sorted({each.arn for each in verdicts})
    more = f" and {len(arns) - 1} more" if len(arns) > 1 else ""
    if any(each.by_boundary is False for each in verdicts):
        why, remedy = "the permissions boundary does not allow", "Allow them in the boundary"
    elif any(each.decision == "explicitDeny" for each in verdicts):
        why, remedy = "a policy denies", "Remove the Deny"
    else:
        why, remedy = "no policy allows", "Add them to a policy"
    return Found(f"{subject}: {service}", f"{why} {', '.join(actions)} on {arns[0]}{more}",
                 f"{remedy}, or deploy with another --profile")

