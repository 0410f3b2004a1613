"""Policies that are longer than IAM accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack, allow, error_of

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def document(characters: int) -> dict[str, Any]:
    """A policy of this length, without white space."""
    made = {"Version": "2012-10-17", "Statement": [allow("sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:")]}
    made["Statement"][0]["Resource"] += "q" * (characters - len(json.dumps(made, separators=(",", ":"))))
    return made


def managed(name: str, characters: int) -> dict[str, Any]:
    return {
        "Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"ManagedPolicyName": name, "PolicyDocument": document(characters)},
        }
    }


def role(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": name, "AssumeRolePolicyDocument": TRUST, **more}}
    }


def inline(*lengths: int) -> list[dict[str, Any]]:
    return [{"PolicyName": f"p{number}", "PolicyDocument": document(length)} for number, length in enumerate(lengths)]


def test_longest_policies_are_accepted_and_longer_updates_rejected(stack: Stack, name: str) -> None:
    assert stack.create({**managed(name, 6_144), **role(name, Policies=inline(6_000, 4_240))}) == "CREATE_COMPLETE"
    assert (
        stack.update({**managed(name, 6_145), **role(name, Policies=inline(6_000, 4_240))})
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    assert (
        stack.update({**managed(name, 6_144), **role(name, Policies=inline(6_000, 4_241))})
        == "UPDATE_ROLLBACK_COMPLETE"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Policies": inline(6_000, 4_241)}, "Maximum policy size of 10240 bytes exceeded"),
        (
            {"AssumeRolePolicyDocument": {**TRUST, "Statement": TRUST["Statement"] * 30}},
            "Cannot exceed quota for ACLSizePerRole: 2048",
        ),
    ],
)
def test_role_with_a_longer_policy_is_rejected(stack: Stack, name: str, more: dict[str, Any], message: str) -> None:
    assert stack.create(role(name, **more)) == "ROLLBACK_COMPLETE"
    assert any(message in event.get("ResourceStatusReason", "") for event in stack.events())


def test_white_space_is_not_counted(aws: LocalAws, name: str) -> None:
    iam = aws.client("iam")
    iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document(6_144), indent=4))
    assert error_of(iam.create_policy, PolicyName=f"{name}-2", PolicyDocument=json.dumps(document(6_145))) == (
        "LimitExceeded",
        409,
        "Cannot exceed quota for PolicySize: 6144",
    )
