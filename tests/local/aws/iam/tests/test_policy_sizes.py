"""Policies that are longer than IAM accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws.testing import Stack, allow, trust


def document(characters: int, made: dict[str, Any]) -> dict[str, Any]:
    """The policy with so many characters, without white space."""
    made["Statement"][0]["Sid"] = ""
    made["Statement"][0]["Sid"] = "s" * (characters - len(json.dumps(made, separators=(",", ":"))))
    return made


def managed(characters: int) -> dict[str, Any]:
    made = document(characters, {"Version": "2012-10-17", "Statement": [allow("sqs:SendMessage", "*")]})
    return {"Made": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": made}}}


def role(trusted: int, *inline: int) -> dict[str, Any]:
    policies = [managed(characters)["Made"]["Properties"] for characters in inline]
    return {"Made": {"Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": document(trusted, json.loads(trust("lambda.amazonaws.com"))),
        "Policies": [{"PolicyName": f"p{number}", **policy} for number, policy in enumerate(policies)]}}}


@pytest.mark.parametrize(("longest", "longer", "message"), [
    (managed(6_144), managed(6_145), "Cannot exceed quota for PolicySize: 6144"),
    (role(500, 6_000, 4_240), role(500, 6_000, 4_241), "Maximum policy size of 10240 bytes exceeded"),
    (role(2_048), role(2_049), "Cannot exceed quota for ACLSizePerRole: 2048"),
])
def test_policy_of_the_greatest_length_is_accepted_and_no_longer_one(
    stack: Stack, longest: dict[str, Any], longer: dict[str, Any], message: str
) -> None:
    assert stack.create(longer) == "ROLLBACK_COMPLETE"
    assert any(message in event.get("ResourceStatusReason", "") for event in stack.events())
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.create(longest) == "CREATE_COMPLETE"
    assert stack.update(longer) == "UPDATE_ROLLBACK_COMPLETE"
