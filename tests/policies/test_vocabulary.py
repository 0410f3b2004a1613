"""Every action, resource and condition key exists in the list of parliament. cfn-lint compares the actions of trust policies (W3037)."""

import json
import re

import parliament
import pytest

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.vocabulary import YOUNGER_ACTIONS, YOUNGER_WILDCARDS

POLICIES = scene.world().policies

# Findings of parliament that AWS documents otherwise.
DOCUMENTED = {
    # Its transforms belong to the account "aws".
    ("INVALID_ARN", f"arn:aws:cloudformation:{scene.REGION}:aws:transform/*"),
    # A boundary, a role and a rule are compared as text in AWS's own examples.
    ("MISMATCHED_TYPE_BUT_USABLE", None),
}


# Keys that are younger than parliament's list.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
YOUNGER_KEYS = {"iam:servicespecificcredentialservicename"}
NEWER = {
    "people/OwnCredentialsPolicy": {("UNKNOWN_CONDITION_FOR_ACTION", None)},
    "template/CodeDeployCFnRole/policy-dev-codedeploy-cfn-limits": {("UNKNOWN_ACTION", action) for action in YOUNGER_WILDCARDS},
    "template/CodeDeployCFnPolicy": {("UNKNOWN_ACTION", action) for action in YOUNGER_ACTIONS},
    # A boundary grants nothing, and its Deny statements limit the star.
    "template/DeployedRolesBoundary": {("RESOURCE_STAR", None)},
    "template/FunctionRole/policy-dev-cfn-gitops": {("UNKNOWN_ACTION", "cloudformation:DescribeEvents")},
    "template/FunctionChangeSetsPolicy": {("UNKNOWN_ACTION", "cloudformation:DescribeEvents")},
}


def is_documented_for_a_vpc(finding):
    """parliament has neither Lambda's key nor `*/*` for all resource IDs of EC2, which Lambda's guide uses.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    detail = str(finding.detail)
    return (finding.issue == "RESOURCE_MISMATCH" and ":ec2:" in detail) or (
        finding.issue == "UNKNOWN_CONDITION_FOR_ACTION" and "lambda:SourceFunctionArn for action ec2:" in detail)


def findings(document):
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        if not is_documented_for_a_vpc(finding):
            yield finding.issue, finding.location.get("string")


def as_identity_policy(policy):
    """parliament checks identity policies, and a resource policy's actions and resources follow the same rules.

    Statements with all actions are left out, because some of the actions have no such resource.
    """
    allowed = []
    for statement in as_list(policy.document["Statement"]):
        if any(action.endswith(":*") for action in as_list(statement["Action"])):
            continue
        statement = {key: value for key, value in statement.items() if key not in ("Principal", "Condition")}
        resource = policy.resource if statement.get("Resource", "*") == "*" else statement["Resource"]
        allowed.append({**statement, "Resource": resource})
    return {"Version": "2012-10-17", "Statement": allowed}


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.side in ("identity", "boundary")], ids=lambda policy: policy.place)
def test_identity_policy_names_existing_actions_and_keys(policy):
    assert set(findings(policy.document)) <= DOCUMENTED | NEWER.get(policy.place, set())


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.side in ("resource", "control")], ids=lambda policy: policy.place)
def test_resource_policy_names_existing_actions_and_keys(policy):
    document = as_identity_policy(policy) if policy.side == "resource" else policy.document
    assert {issue for issue, _ in findings(document)} & {"UNKNOWN_ACTION", "UNKNOWN_PREFIX", "RESOURCE_MISMATCH", "MALFORMED"} == set()


# The services' condition keys in addition to the global ones below.
GLOBAL = {
    key.lower()
    for key in (
        "aws:PrincipalArn", "aws:SourceAccount", "aws:SourceArn", "aws:SecureTransport", "aws:SourceVpce",
        "aws:MultiFactorAuthPresent", "aws:ResourceAccount", "aws:PrincipalAccount",
        # On every call that a function's code makes:
        # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
        "lambda:SourceFunctionArn",
    )
}


def keys_of(service):
    """The condition keys of a service in the service authorization reference, those of tags and contexts without the name in them."""
    return YOUNGER_KEYS | {
        re.sub(r"\$\{.*", "", re.sub(r"/.*", "/", condition["condition"].lower()))
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for condition in entry["conditions"]
    }


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_condition_key_exists(policy):
    for statement in as_list(policy.document["Statement"]):
        services = {action.split(":")[0] for action in as_list(statement.get("Action", []))}
        known = GLOBAL.union(*(keys_of(service) for service in services))
        for keys in statement.get("Condition", {}).values():
            for key in keys:
                assert any(key.lower() == each or (each.endswith(("/", ":")) and key.lower().startswith(each)) for each in known), key
