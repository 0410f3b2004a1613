"""Every action, resource and condition key exists. cfn-lint compares the actions of trust policies
(W3037)."""

import fnmatch
import json
import re

import parliament
import pytest

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.vocabulary import (
    DOCUMENTED_ACTIONS,
    OTHER_NAMES,
    OTHER_READS,
    actions,
    of_parliament,
    operations,
)

POLICIES = scene.world().policies

# Findings of parliament that AWS documents otherwise.
DOCUMENTED = {
    # Its transforms belong to the account "aws".
    *(
        ("INVALID_ARN", f"arn:aws:cloudformation:{scene.REGION}:aws:transform/{name}")
        for name in ("*", "Serverless-2016-10-31")
    ),
    # A boundary, a role and a rule are compared as text in AWS's own examples.
    ("MISMATCHED_TYPE_BUT_USABLE", None),
}


# Keys that are younger than parliament's list.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
YOUNGER_KEYS = {"iam:servicespecificcredentialservicename"}
NEWER = {
    "people/OwnCredentialsPolicy": {("UNKNOWN_CONDITION_FOR_ACTION", None)},
    # The condition limits changes of mappings, and composite alarms need the star.
    **{f"deployed-services/{name}": {("RESOURCE_STAR", None)} for name in ("Functions", "Observation")},
    # With NotAction, parliament expects the key in every service. Only a request for a key has it.
    "template/CodeDeployCFnRole/policy-dev-codedeploy-cfn-limits": {("UNKNOWN_CONDITION_FOR_ACTION", None)},
    # A boundary grants nothing, and its Deny statements limit the star.
    "template/DeployedRolesBoundary": {("RESOURCE_STAR", None), ("UNKNOWN_CONDITION_FOR_ACTION", None)},
}


def is_documented_for_a_vpc(finding):
    """parliament has neither Lambda's key nor `*/*` for all resource IDs of EC2, which Lambda's guide uses.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    detail = str(finding.detail)
    return (finding.issue == "RESOURCE_MISMATCH" and ":ec2:" in detail) or (
        finding.issue == "UNKNOWN_CONDITION_FOR_ACTION"
        and "lambda:SourceFunctionArn for action ec2:" in detail
    )


def exists(pattern):
    return any(
        fnmatch.fnmatchcase(action.lower(), pattern.lower()) for action in actions(pattern.split(":")[0])
    )


def findings(document):
    """Those of parliament. Its actions are of 2025, so test_every_action_exists looks for them instead."""
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        if finding.issue != "UNKNOWN_ACTION" and not is_documented_for_a_vpc(finding):
            yield finding.issue, finding.location.get("string")


def as_identity_policy(policy):
    """parliament checks identity policies, and a resource policy's actions and resources follow the same
    rules.

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


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_action_exists(policy):
    patterns = [
        action
        for statement in as_list(policy.document["Statement"])
        for key in ("Action", "NotAction")
        for action in as_list(statement.get(key, []))
    ]
    assert patterns
    assert [pattern for pattern in patterns if not exists(pattern)] == []


def test_an_unknown_action_does_not_exist():
    assert exists("lambda:putresourcepolicy") and exists("iam:*")
    assert not exists("lambda:PutResourcePolicies") and not exists("iam:B*")


def test_exceptions_of_the_vocabulary_are_needed():
    """Each other name is that of an operation, and its action exists. Each other read is a read by AWS's
    list."""
    for operation, action in OTHER_NAMES.items():
        assert operation in operations(operation.split(":")[0]) and operation not in of_parliament(
            operation.split(":")[0]
        ), operation
        assert action is None or action in actions(action.split(":")[0]), operation
    assert {of_parliament(action.split(":")[0])[action] for action in OTHER_READS} == {"Read"}
    for action in DOCUMENTED_ACTIONS:
        assert action not in of_parliament(action.split(":")[0]).keys() | operations(action.split(":")[0]), (
            action
        )


@pytest.mark.parametrize(
    "policy",
    [p for p in POLICIES if p.side in ("identity", "added", "boundary")],
    ids=lambda policy: policy.place,
)
def test_identity_policy_names_existing_actions_and_keys(policy):
    assert set(findings(policy.document)) <= DOCUMENTED | NEWER.get(policy.place, set())


@pytest.mark.parametrize(
    "policy", [p for p in POLICIES if p.side in ("resource", "control")], ids=lambda policy: policy.place
)
def test_resource_policy_names_existing_actions_and_keys(policy):
    document = as_identity_policy(policy) if policy.side == "resource" else policy.document
    assert {issue for issue, _ in findings(document)} & {
        "UNKNOWN_PREFIX",
        "RESOURCE_MISMATCH",
        "MALFORMED",
    } == set()


# The services' condition keys in addition to the global ones below.
GLOBAL = {
    key.lower()
    for key in (
        "aws:PrincipalArn",
        "aws:SourceAccount",
        "aws:SourceArn",
        "aws:SecureTransport",
        "aws:SourceVpce",
        "aws:MultiFactorAuthPresent",
        "aws:ResourceAccount",
        "aws:PrincipalAccount",
        # On every call that a function's code makes:
        # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
        "lambda:SourceFunctionArn",
    )
}


def keys_of(service):
    """The condition keys of a service in the service authorization reference, those of tags and contexts
    without the name in them."""
    return YOUNGER_KEYS | {
        re.sub(r"\$\{.*", "", re.sub(r"/.*", "/", condition["condition"].lower()))
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for condition in entry["conditions"]
    }


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_condition_key_exists(policy):
    for statement in as_list(policy.document["Statement"]):
        services = {
            action.split(":")[0]
            for key in ("Action", "NotAction")
            for action in as_list(statement.get(key, []))
        }
        known = GLOBAL.union(*(keys_of(service) for service in services))
        for keys in statement.get("Condition", {}).values():
            for key in keys:
                assert any(
                    key.lower() == each or (each.endswith(("/", ":")) and key.lower().startswith(each))
                    for each in known
                ), key
