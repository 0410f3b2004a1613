"""The function's records on an IAM user are lost, as a change of stack-level tags may do, and the next request restores
them.

Whether CloudFormation removes tags that it did not set is not documented: see `local/aws/iam/user_tags.py`.
"""

from __future__ import annotations

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.conftest import Mirror


class TaggedMirror:
    """A mirror's stack whose stack-level tags change, with an AWS that then removes the function's tags."""

    def __init__(self, aws: LocalAws, mirror: Mirror) -> None:
        self.aws, self.mirror = aws, mirror
        mirror.make()
        self.user = mirror.outputs()["UserName"]
        assert self.records()["cfn-gitops:stack-id"] == mirror.id
        aws.set(user_updates_remove_other_tags=1)

    def records(self) -> dict[str, str]:
        found = self.aws.client("iam").list_user_tags(UserName=self.user)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found if tag["Key"].startswith("cfn-gitops:")}

    def tag_the_stack(self, **changed: str) -> str:
        """Updates the stack, if given with other parameters. Returns the status."""
        kept = [each["ParameterKey"] for each in self.mirror.describe()["Parameters"]]
        self.aws.client("cloudformation").update_stack(
            StackName=self.mirror.name, UsePreviousTemplate=True, Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "cost-centre", "Value": "1"}],
            Parameters=[{"ParameterKey": key, "ParameterValue": changed[key]} if key in changed
                        else {"ParameterKey": key, "UsePreviousValue": True} for key in kept])
        return self.mirror.wait()


@pytest.fixture
def tagged(aws: LocalAws, mirror: Mirror) -> TaggedMirror:
    return TaggedMirror(aws, mirror)


def test_user_tags_lost_before_an_update_are_restored(tagged: TaggedMirror, mirror: Mirror) -> None:
    before = mirror.login()
    assert tagged.tag_the_stack() == "UPDATE_COMPLETE", mirror.failures()
    assert tagged.records() == {}
    mirror.become(Team="platform")
    assert tagged.records()["cfn-gitops:stack-id"] == mirror.id
    assert mirror.login() == before
    assert before.status(mirror.clone_url) == 200


def test_user_tags_lost_in_the_same_update_are_restored(aws: LocalAws, tagged: TaggedMirror, mirror: Mirror) -> None:
    before = mirror.login()
    assert tagged.tag_the_stack(RotationSerial="2") == "UPDATE_COMPLETE", mirror.failures()
    after = mirror.login()
    assert tagged.records()["cfn-gitops:stack-id"] == mirror.id
    assert steps.credential_ids(aws, tagged.user) == [after.credential_id] != [before.credential_id]


def test_user_tags_lost_before_a_delete_leave_nothing(aws: LocalAws, tagged: TaggedMirror, mirror: Mirror) -> None:
    secret = mirror.outputs()["SecretName"]
    assert tagged.tag_the_stack() == "UPDATE_COMPLETE", mirror.failures()
    assert mirror.delete() == "DELETE_COMPLETE", mirror.failures()
    assert not steps.user_exists(aws, tagged.user)
    assert not steps.secret_exists(aws, secret)
