"""Other change sets of a stack while a pipeline's change set waits for an approval.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, template
from local.aws.testing import error_of


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


def test_plan_beside_a_waiting_change_set_changes_nothing(scene: Scene) -> None:
    stages = ([scene.build()], [scene.deploy("CHANGE_SET_REPLACE", ChangeSetName="pipeline")], [scene.approval()],
              [scene.deploy("CHANGE_SET_EXECUTE", name="Execute", ChangeSetName="pipeline")])
    first = scene.create(*stages)
    scene.decide(first)
    assert scene.ended(first) == "Succeeded", scene.actions(first)
    commit = scene.push({"given": "changed"})
    second = scene.start()
    scene.approval_state(second)
    calls = scene.aws.client("cloudformation")
    named = {"StackName": scene.stack_name, "ChangeSetName": "plan-1"}
    calls.create_change_set(**named, TemplateBody=template(scene.name, "planned"))
    assert calls.describe_change_set(**named)["Status"] == "CREATE_COMPLETE"
    drift = {"StackName": scene.stack_name, "ChangeSetName": "drift"}
    calls.create_change_set(**drift, UsePreviousTemplate=True, DeploymentMode="REVERT_DRIFT",
                            Parameters=[{"ParameterKey": "Word", "UsePreviousValue": True}])
    assert calls.describe_change_set(**drift)["Status"] == "FAILED"
    calls.delete_change_set(**drift)
    scene.decide(second)
    assert scene.ended(second) == "Succeeded", scene.actions(second)
    assert commit in scene.deployed()
    assert error_of(calls.describe_change_set, **named)[0] == "ChangeSetNotFound"
