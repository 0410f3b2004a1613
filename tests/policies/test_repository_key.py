"""The statement of docs/how-to/keys.md for the key of a repository: who can use the key with it, and how."""

import json
import re
from pathlib import Path

import pytest

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.collected import Policy
from tests.policies.rows_watching import COPY_ROLE
from tests.policies.scene import PIPELINES, REPLICA_REGION, UNNAMED
from tests.policies.tables import (
    BUILD_ROLE,
    DEPLOY_ROLE,
    FIRST_MIRROR,
    FIRST_REPOSITORY,
    FUNCTION_ROLE,
    MIRROR,
    PIPELINE_ROLE,
    PROVISIONING_ROLE,
    REPOSITORY,
    REVIEW_ROLE,
    THROUGH_CODECOMMIT,
    anybody,
    regional,
    role,
    user,
)
from tests.policies.world import World

PAGE = (Path(__file__).parents[2] / "docs/how-to/keys.md").read_text()
KEY = regional("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")
CALL = {**THROUGH_CODECOMMIT, "kms:CallerAccount": PIPELINES}
NEED_IT = [
    FUNCTION_ROLE,
    f"{FUNCTION_ROLE}-read",
    PIPELINE_ROLE,
    REVIEW_ROLE,
    COPY_ROLE,
    FIRST_MIRROR,
    MIRROR,
]
# Calls that use the contents: git for the mirrors, the copies and the reviews' builds, the source action, and
# the function.
CONTENTS = [
    "codecommit:GetRepository",
    "codecommit:GetBranch",
    "codecommit:GetDifferences",
    "codecommit:GitPull",
    "codecommit:GitPush",
    "codecommit:UploadArchive",
]


def statement():
    (found,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return json.loads(found)


def may(caller, action="kms:Decrypt", keys=CALL):
    document = {"Version": "2012-10-17", "Statement": [statement()]}
    key = Policy("keys.md", "Key", "resource", document, resource=KEY)
    world = scene.world()
    return bool(World((*world.policies, key), world.buckets, world.boundaries).may(caller, action, KEY, keys))


@pytest.mark.parametrize("caller", NEED_IT)
def test_named_identity_uses_the_key_through_codecommit(caller):
    for action in as_list(statement()["Action"]):
        assert may(caller, action)
        assert not may(caller, action, {**CALL, "kms:ViaService": None})
        assert not may(caller, action, {**CALL, "kms:ViaService": "s3.eu-central-1.amazonaws.com"})
        assert not may(
            caller, action, {**CALL, "kms:ViaService": f"codecommit.{REPLICA_REGION}.amazonaws.com"}
        )
    assert not may(caller, "kms:CreateGrant") and not may(caller, "kms:PutKeyPolicy")


def test_each_own_identity_with_access_to_contents_is_named():
    """Without people, whose names are yours, and the provisioning role, which creates repositories without
    such a key."""
    world = scene.world()
    own = {
        arn
        for policy in world.policies
        for arn in policy.principals
        if f":{PIPELINES}:" in arn and ":group/" not in arn
    }
    reaches = {
        caller
        for caller in own - {PROVISIONING_ROLE}
        for repository in (REPOSITORY, FIRST_REPOSITORY)
        if any(world.may(caller, action, repository) for action in CONTENTS)
    }
    assert reaches == {*NEED_IT}


@pytest.mark.parametrize(
    "caller",
    [
        BUILD_ROLE,
        DEPLOY_ROLE,
        PROVISIONING_ROLE,
        anybody(role(PIPELINES, "administrator")),
        anybody(user(PIPELINES, "user-prd-shop")),
        anybody(role(UNNAMED, "role-dev-cfn-gitops")),
        anybody(user(UNNAMED, "user-dev-shop-mirror")),
    ],
)
def test_other_identity_may_not_use_the_key(caller):
    account = UNNAMED if UNNAMED in caller else PIPELINES
    for action in as_list(statement()["Action"]):
        assert not may(caller, action, {**CALL, "kms:CallerAccount": account})


def test_actions_are_those_of_the_templates_and_reasons():
    """templates/clone-role.yaml and cross-account-repository.yaml grant the same to roles that other accounts
    assume."""
    actions = {*statement()["Action"]}
    for name in ("clone-role", "cross-account-repository"):
        (granted,) = [
            {*as_list(found["Action"])}
            for policy in scene.stacks()[name].policies()
            if policy.side == "identity"
            for found in as_list(policy.document["Statement"])
            if "codecommit." in json.dumps(found.get("Condition", {}))
        ]
        assert granted == actions, name
    for source in ("src/clients/aws/call_error.rs", "src/clients/codecommit/push_check.rs"):
        text = " ".join((Path(__file__).parents[2] / source).read_text().replace("\\\n", "").split())
        assert "kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey" in text, source
