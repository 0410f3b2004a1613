"""The updates of `cfn-gitops upgrade`: a change set with other changes, one without changes, and the conclusion."""

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.cli.conftest import FakeAccount, Run
from tests.cli.test_foreign_stacks import PROJECT, stack, stacks  # noqa: F401: a fixture


def change(name: str, kind: str = "AWS::S3::Bucket", *sources: tuple[str, str], action: str = "Modify") -> dict[str, Any]:
    return {"Type": "Resource", "ResourceChange": {
        "Action": action, "LogicalResourceId": name, "ResourceType": kind,
        "Details": [{"Target": {"Attribute": "Properties"}, "ChangeSource": source, "CausingEntity": entity} for source, entity in sources]}}


PIPELINE = change("Pipeline", "Custom::GitOpsPipeline", ("ParameterReference", "RenderingSerial"))
ALARM = change("Alarm", "AWS::CloudWatch::Alarm", ("ResourceAttribute", "Pipeline.PipelineName"))


def plans(stacks: FakeAccount, *changes: dict[str, Any]) -> Any:
    """The client whose change sets have these changes, in pages of one."""
    client = stacks.session.client.return_value
    working = client.get_paginator.return_value
    described = type("Paginator", (), {"paginate": staticmethod(lambda **_: [{"Changes": [each]} for each in changes])})
    client.get_paginator.side_effect = lambda operation: described if operation == "describe_change_set" else working
    return client


@pytest.mark.parametrize("more", [[], [ALARM], [ALARM, change("Topic", "AWS::SNS::Topic", ("ResourceReference", "Alarm"))]], ids=len)
def test_pipelines_and_what_references_them_are_updated(more: list[dict[str, Any]], stacks: FakeAccount, run: Run) -> None:  # noqa: F811
    client = plans(stacks, *reversed(more), PIPELINE)
    ended = run("upgrade", "--yes")
    assert ended.status == 0 and ended.out.endswith("ok      gitops-dev-shop: version 2\nevery pipeline stack of dev has version 2\n")
    given = client.create_change_set.call_args.kwargs
    assert given["UsePreviousTemplate"] and given["Parameters"] == [{"ParameterKey": "RenderingSerial", "ParameterValue": "2"}]


@pytest.mark.parametrize("other", [
    change("Bucket", "AWS::S3::Bucket", ("ParameterReference", "Name")), change("Bucket", "AWS::S3::Bucket"),
    change("Bucket", "AWS::S3::Bucket", ("ResourceReference", "Pipeline"), ("DirectModification", "")),
    change("Bucket", "AWS::S3::Bucket", ("ResourceAttribute", "Pipelines.Name")), change("Bucket", action="Add"),
    change("Bucket", "Custom::GitOpsPipeline", action="Remove"),
    change("Bucket", "AWS::S3::Bucket", ("ResourceReference", "Pipeline"), action="Remove")], ids=str)
def test_stack_with_another_change_is_left(other: dict[str, Any], stacks: FakeAccount, run: Run) -> None:  # noqa: F811
    client = plans(stacks, PIPELINE, other)
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and ended.out.endswith(
        "LEFT    gitops-dev-shop: updating stack project-dev-shop would also change Bucket, for example by another value in Parameter "
        "Store or by a transform. Deploy it yourself with RenderingSerial=2\n1 left\n")
    assert client.delete_change_set.call_count == 2 and not client.execute_change_set.called


@pytest.mark.parametrize(("serial", "reason"), [
    ("2", "stack project-dev-shop has RenderingSerial 2 already, but its pipeline was rendered by an older function, or not rendered. "
          "See what failed: cfn-gitops failures gitops-dev-shop --env dev. Then deploy it with RenderingSerial=2-again"),
    ("1", "the template of stack project-dev-shop does not use RenderingSerial. ")])
def test_update_without_a_change_is_explained(serial: str, reason: str, stacks: FakeAccount, run: Run) -> None:  # noqa: F811
    stacks.known["project-dev-shop"]["Parameters"] = [{"ParameterKey": "RenderingSerial", "ParameterValue": serial}]
    response = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes. Submit different information"}
    client = plans(stacks)
    client.get_waiter.return_value.wait.side_effect = WaiterError("ChangeSetCreateComplete", "FAILED", response)
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and f"LEFT    gitops-dev-shop: {reason}" in ended.out


def test_update_that_does_not_render_is_left(stacks: FakeAccount, run: Run) -> None:  # noqa: F811
    plans(stacks, PIPELINE).execute_change_set.side_effect = None
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and "stack project-dev-shop is updated, but gitops-dev-shop does not have version 2. See what failed" in ended.out


def test_last_line_claims_no_version_without_proof(stacks: FakeAccount, run: Run) -> None:  # noqa: F811
    del stacks.known["gitops-dev-shop"]
    assert run("upgrade").out.endswith("environment dev has no pipeline stack\n")
    for name, version in (("new", "3"), ("same", "2")):
        stacks.known[name] = stack(f"gitops-dev-{name}", owner=PROJECT, RenderingVersion=version, PipelineName=name)
    ended = run("upgrade")
    assert ended.status == 0 and ended.out.endswith("1 of 2 pipeline stacks have version 2. Another one: gitops-dev-new\n")
