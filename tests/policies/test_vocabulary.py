"""Every action, resource and condition key exists, by the list that parliament ships."""

import json
import re
from collections import Counter

import parliament
import pytest

from . import scene
from .statements import as_list
from .vocabulary import actions

POLICIES = scene.world().policies

# What parliament reports, and AWS documents otherwise.
DOCUMENTED = {
    # Its transforms belong to the account "aws".
    ("INVALID_ARN", f"arn:aws:cloudformation:{scene.REGION}:aws:transform/*"),
    # A boundary, a role and a rule are compared as text in AWS's own examples.
    ("MISMATCHED_TYPE_BUT_USABLE", None),
}


# Keys that are younger than parliament's list.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
YOUNGER_KEYS = {"iam:servicespecificcredentialservicename"}
NEWER = {"people/OwnCredentialsPolicy": {("UNKNOWN_CONDITION_FOR_ACTION", None)}}


def findings(document):
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        yield finding.issue, finding.location.get("string")


def as_identity_policy(policy):
    """parliament knows identity policies; what a resource's policy says of actions and resources is the same.

    Without all actions at once, some of which are about no such resource.
    """
    allowed = []
    for statement in as_list(policy.document["Statement"]):
        if any(action.endswith(":*") for action in as_list(statement["Action"])):
            continue
        statement = {key: value for key, value in statement.items() if key not in ("Principal", "Condition")}
        resource = policy.resource if statement.get("Resource", "*") == "*" else statement["Resource"]
        allowed.append({**statement, "Resource": resource})
    return {"Version": "2012-10-17", "Statement": allowed}


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.side == "identity"], ids=lambda policy: policy.place)
def test_an_identity_policy_speaks_of_what_there_is(policy):
    assert set(findings(policy.document)) <= DOCUMENTED | NEWER.get(policy.place, set())


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.side in ("resource", "control")], ids=lambda policy: policy.place)
def test_a_policy_of_a_resource_speaks_of_what_there_is(policy):
    document = as_identity_policy(policy) if policy.side == "resource" else policy.document
    assert {issue for issue, _ in findings(document)} & {"UNKNOWN_ACTION", "UNKNOWN_PREFIX", "RESOURCE_MISMATCH", "MALFORMED"} == set()


def _all(policy, key):
    return [value for statement in as_list(policy.document["Statement"]) for value in as_list(statement.get(key, []))]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_action_exists_and_none_stands_twice(policy):
    for statement in as_list(policy.document["Statement"]):
        listed = as_list(statement.get("Action", statement.get("NotAction", [])))
        assert listed, statement
        assert [action for action, number in Counter(listed).items() if number > 1] == []
        for action in listed:
            service, _, name = action.partition(":")
            assert actions(service), action
            assert "*" in name or action in actions(service), action


# Keys of the services, beside AWS's global ones, by the element's own service. Global keys are below.
GLOBAL = {
    key.lower()
    for key in (
        "aws:PrincipalArn", "aws:SourceAccount", "aws:SourceArn", "aws:SecureTransport", "aws:SourceVpce",
        "aws:MultiFactorAuthPresent", "aws:ResourceAccount", "aws:PrincipalAccount",
    )
}


def keys_of(service):
    """The condition keys that the service authorization reference lists for a service, tags' without their names."""
    return YOUNGER_KEYS | {
        re.sub(r"/.*", "/", condition["condition"].lower())
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
                assert any(key.lower() == each or (each.endswith("/") and key.lower().startswith(each)) for each in known), key


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
# White space does not count, but for control policies that are not made in the console.
LIMITS = {"identity": 10_240, "trust": 2_048, "resource": 20_480, "control": 5_120}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_a_policy_is_not_longer_than_aws_takes_it(policy):
    length = len(json.dumps(policy.document, separators=(",", ":")))
    kind = scene.stacks()[policy.template].deployed.template["Resources"][policy.logical_id]["Type"]
    assert length <= (6_144 if kind == "AWS::IAM::ManagedPolicy" else LIMITS[policy.side])
