"""template.yaml allows both functions each call that they make in the fault tests, on the rarest path too.

`tests/fake-aws/src/account/recorded_calls.rs` writes the calls: action, resource, condition keys, and whether
it is the function that only reads.
"""

import json
import os
import re
from functools import cache
from pathlib import Path

import pytest

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.collected import Stack
from tests.templates.deployed import Deployed, translated
from tools.checks.brake import RECORDED, ROOT, excess, read_figures

FOLDER = Path(os.environ.get("RECORDED_CALLS") or "target/recorded-calls")
FUNCTION, READER = [f"arn:aws:iam::{scene.PIPELINES}:role/role-{{}}-cfn-gitops{end}" for end in ("", "-read")]
# The names of the tests' users, secrets, repositories and roles.
DEPLOYED = {
    "MirrorUserNames": "*",
    "MirrorSecretNames": "codecommit-mirror*",
    "RepositoryNames": "*",
    "SourceRoleArns": "arn:aws:iam::210987654321:role/role-dev-codecommit-source",
    "FunctionApprovals": "NoChanges",
}
# Calls that the fake AWS does not answer.
NOT_RECORDED = {
    "ec2": "Lambda connects the function to a VPC",
    "kms": "Secrets Manager calls KMS",
    "logs": "Lambda writes the log",
    "cloudformation:UntagResource": "UpdateStack needs it if a tag is missing from its list",
}
# Calls that the health check and the reports make with the same code, and that no question of a test leads
# to.
NOT_ASKED_FOR = {
    "cloudformation:DescribeEvents": "a change set that CloudFormation's validation rejected",
    "codecommit:GetDifferences": "a missed push with Source.Paths",
}
# Secrets that the policies do not show the function, which then fails or finds nothing.
NOT_A_MIRROR = "a physical ID that is not the name of a mirror's secret"
DENIED = {
    "gitlab/token": "a token without the tag cfn-gitops:gitlab-url, or no secret",
    "gitlab/typo": "a token that does not exist",
    "typo": "a token that does not exist",
    "elsewhere/secret": NOT_A_MIRROR,
    "mirror-Credential-1A2B3C4D5E6F": NOT_A_MIRROR,
    "absent/secret": NOT_A_MIRROR,
    "other": NOT_A_MIRROR,
}
# Tokens that are deleted before the resource that names them. A secret that exists has a suffix in its ARN.
DELETED = {"gitlab/other", "gitlab/shop"}


@cache
def calls():
    # The names of the files with exchanges have a second dot.
    files = [file for file in FOLDER.glob("*.jsonl") if file.stem.isdecimal()]
    # A text may contain U+2028, at which `splitlines` splits.
    lines = {line for file in files for line in file.read_text().split("\n") if line}
    assert lines, (
        f'no calls in {FOLDER}: RECORDED_CALLS=$PWD/{FOLDER} make test-rust ARGUMENTS=\'--test "faults_*"'
        " --test health_check'"
    )
    return [json.loads(line) for line in sorted(lines)]


@cache
def world(env):
    return scene.world_with(Stack("template", Deployed(template=translated(), EnvID=env, **DEPLOYED)))


def role_of(call):
    return READER if call["of_reader"] else FUNCTION


def is_allowed(call):
    env = "prd" if re.search("-prd[-/]", call["resource"]) else "dev"
    # The other account's role has a trust policy of that account.
    decide = world(env).own_policies_allow if call["action"] == "sts:AssumeRole" else world(env).may
    return decide(role_of(call).format(env), call["action"], call["resource"], call["keys"])


def is_expected(call):
    name = call["resource"].partition(":secret:")[2]
    return name in DELETED or any(name == denied or name.startswith(f"{denied}-") for denied in DENIED)


def test_operations_of_aws_are_as_many_as_the_brake_allows():
    found = {RECORDED: len({call["action"] for call in calls()})}
    assert excess(found, read_figures(ROOT)["lists"]) == []


# claim: each-call-of-the-function-is-allowed
def test_each_call_of_the_function_is_allowed():
    denied = [call for call in calls() if not is_allowed(call) and not is_expected(call)]
    assert not denied, "\n".join(map(json.dumps, denied[:20]))


@pytest.mark.parametrize("role", [FUNCTION, READER])
def test_each_allowed_action_is_called(role):
    not_called = NOT_RECORDED.keys() | (NOT_ASKED_FOR.keys() if role == READER else set())
    called = {call["action"] for call in calls() if role_of(call) == role}
    allowed = {
        action
        for policy in world("dev").policies
        if policy.side == "identity" and role.format("dev") in policy.principals
        for statement in as_list(policy.document["Statement"])
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    unused = {action for action in allowed - called if not {action, action.split(":")[0]} & not_called}
    assert unused == set()
