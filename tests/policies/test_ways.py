"""All calls of a push, of an image and of a clone through two accounts.

Each way works, and fails if one statement of either account is missing. So each grant is needed,
and the failing call identifies a missing one.
"""

import json
from pathlib import Path

import pytest

from tests.policies import rows_across_accounts, rows_clone, scene
from tests.policies.collected import statements
from tests.policies.scene import FOREIGN_REPOSITORY, SOURCE_ROLE, World

WAYS = {
    "a push": rows_across_accounts.WAY_OF_A_PUSH,
    "an image": rows_across_accounts.WAY_OF_AN_IMAGE,
    "a clone": rows_clone.MAY,
}
# The stacks that these ways need.
STACKS = ("cross-account-artifacts", "cross-account-repository", "cross-account-image", "clone-role", "clone-instance")
# In the environment's own stack: the statements that its parameters for other accounts add.
BROUGHT = {"SourcesOfOtherAccounts", "BucketsThatOtherAccountsWriteTo", "ArtifactsOfOtherAccounts", "OutputBesideOtherAccounts",
           "KeysOfTheseBuckets"}


def stops(world, way):
    """The first denied call of a way."""
    for caller, actions, resource, keys in way:
        for action in actions.split():
            if not world.may(caller, action, resource, keys):
                return caller, action, resource
    return None


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_is_allowed(way):
    assert stops(scene.world(), way) is None


def grants():
    for policy in scene.world().policies:
        for number, statement in enumerate(statements(policy)):
            is_one = policy.template in STACKS or statement.get("Sid") in BROUGHT
            if is_one and statement["Effect"] == "Allow":
                yield pytest.param(policy, number, id=f"{policy.place}/{statement.get('Sid', number)}")


# A pipeline runs without the function's read of the repository. It also runs without the queues for
# undelivered events.
BESIDE_THE_WAY = {
    "template/FunctionRole/policy-dev-cfn-gitops",
    "cross-account-repository/LostQueuePolicy",
    "cross-account-image/LostQueuePolicy",
}


@pytest.mark.parametrize(("policy", "number"), list(grants()))
def test_way_without_a_grant_is_denied(policy, number):
    rest = [statement for index, statement in enumerate(statements(policy)) if index != number]
    world = scene.world().with_(policy, {**policy.document, "Statement": rest})
    stopped = [name for name, way in WAYS.items() if stops(world, way)]
    assert bool(stopped) == (policy.place not in BESIDE_THE_WAY)


@pytest.mark.parametrize("side", ["the caller's", "the resource's"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_cross_account_call_needs_both_sides(way, side):
    world = scene.world()
    crossing = [row for row in way if row[0].startswith("arn:") and world.owner(row[2]) != row[0].split(":")[4]]
    assert crossing
    for caller, actions, resource, keys in crossing:
        bucket_or_resource = resource.split("/")[0] if ":s3:::" in resource else resource
        kept = tuple(
            policy
            for policy in world.policies
            if (caller not in policy.principals if side == "the caller's" else policy.resource != bucket_or_resource)
        )
        # A trust policy remains, so that the role still exists.
        without = World(kept, world.buckets, world.boundaries)
        assert [action for action in actions.split() if without.may(caller, action, resource, keys)] == []


def session_policy(repository_arn):
    """The policy that the function passes to AssumeRole, for a repository in another account."""
    policy = Path(__file__).parents[2] / "src/gitops_pipeline/session_policy.json"
    return json.loads(policy.read_text().replace("${RepositoryArn}", repository_arn))


# claim: function-can-only-read-with-the-role
def test_session_policy_only_allows_reading_the_source():
    """The session policy limits the function, even if the role allows more."""
    looks = {"codecommit:GetRepository", "codecommit:GetBranch"}
    function = scene.world().session(SOURCE_ROLE, session_policy(FOREIGN_REPOSITORY))
    # CodeCommit reads with the repository's key on behalf of the caller.
    with_its_key = {"kms:Decrypt", "kms:DescribeKey"}
    for caller, actions, resource, keys in rows_across_accounts.MAY:
        if caller == SOURCE_ROLE:
            for action in actions.split():
                is_a_look = action in looks or keys == rows_across_accounts.THROUGH_CODECOMMIT and action in with_its_key
                assert bool(scene.world().may(function, action, resource, keys)) == is_a_look, action
