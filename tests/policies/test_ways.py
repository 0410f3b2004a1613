"""The function's way into another account: the session policy with which it assumes the role of a repository
there.

The calls of a push and of an image are rows of MAY, and test_every_part_is_needed.py removes each grant.
"""

import json
from pathlib import Path

from tests.policies import rows_across_accounts, scene
from tests.policies.scene import FOREIGN_REPOSITORY, SOURCE_ROLE


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
                is_a_look = (
                    action in looks
                    or keys == rows_across_accounts.THROUGH_CODECOMMIT
                    and action in with_its_key
                )
                assert bool(scene.world().may(function, action, resource, keys)) == is_a_look, action
