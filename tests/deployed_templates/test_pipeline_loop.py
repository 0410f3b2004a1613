"""The whole loop from templates/pipeline.yaml: push, event, pipeline, build, approval, stack.

Two environments at once, in one account.
"""

from __future__ import annotations

from collections.abc import Callable


from local.aws.codepipeline.tests.pipeline_scene import BRANCH, eventually
from local.aws.testing import error_of
from tests.deployed_templates.loop import CHILD, Loop, begun, make, runs


def test_push_deploys_after_approval_and_in_no_other_environment(make: Callable[[str], Loop]) -> None:
    ours, other = make("a"), make("b")
    assert error_of(ours.pipelines.get_pipeline, name=ours.pipeline)[0] == "PipelineNotFoundException"
    first = begun(ours)
    ours.decide(first)
    assert ours.ended(first) == "Succeeded", ours.actions(first)
    assert ours.deployed() == f"{ours.head()} none"
    commit = ours.push(message="Another")
    second = runs(ours, 2)[1]
    assert second["trigger"]["triggerType"] == "CloudWatchEvent"
    ours.decide(second["pipelineExecutionId"])
    assert ours.ended(second["pipelineExecutionId"]) == "Succeeded"
    assert ours.deployed() == f"{commit} none"
    assert other.stacks() == []
    tags = ours.pipelines.list_tags_for_resource(resourceArn=ours.arn("codepipeline", ours.pipeline))["tags"]
    assert {"key": "CreatedBy", "value": ours.child.name} in tags
    assert {"key": "owner", "value": "me"} in tags
    # The deployed stack remains when the pipeline is deleted.
    assert ours.child.delete() == "DELETE_COMPLETE"
    assert error_of(ours.pipelines.get_pipeline, name=ours.pipeline)[0] == "PipelineNotFoundException"
    assert ours.stacks() == [ours.stack_name]


def test_a_tag_another_branch_and_a_deletion_start_nothing(make: Callable[[str], Loop]) -> None:
    loop = make("")
    begun(loop)
    loop.push(message="Elsewhere", to="refs/heads/feature")
    loop.push(message="Tagged", to=f"refs/tags/{BRANCH}")
    loop._git("push", "--quiet", loop.git_url, ":refs/heads/feature")
    commit = loop.push(message="Here")
    last = runs(loop, 2)[1]["pipelineExecutionId"]
    eventually(lambda: loop.action(last, "Source")["status"] if loop.actions(last) else "", lambda s: s == "Succeeded")
    assert [each["revisionId"] for each in loop.executions()[0]["sourceRevisions"]] == [commit]
    assert len(loop.executions()) == 2


def test_two_quick_pushes_are_executed_in_order(make: Callable[[str], Loop]) -> None:
    loop = make("")
    first = begun(loop)
    commits = [loop.push(message="One"), loop.push(message="Two")]
    found = [each["pipelineExecutionId"] for each in runs(loop, 3)]
    assert found[0] == first
    deployed = []
    for run in found:
        loop.decide(run)
        assert loop.ended(run) == "Succeeded"
        deployed.append(loop.deployed())
    assert deployed[1:] == [f"{commit} none" for commit in commits]


def test_a_failing_build_and_a_rejected_approval_deploy_nothing(make: Callable[[str], Loop]) -> None:
    loop = make("")
    first = begun(loop)
    loop.decide(first, "Rejected")
    assert loop.ended(first) == "Failed"
    loop.push({"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['false']}}\n"})
    second = runs(loop, 2)[1]["pipelineExecutionId"]
    assert loop.ended(second) == "Failed"
    assert [each["actionName"] for each in loop.actions(second)] == ["Source", "Build"]
    # The rejected change set leaves an empty stack.
    [left] = loop.aws.client("cloudformation").describe_stacks(StackName=loop.stack_name)["Stacks"]
    assert left["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_child_stack_update_changes_pipeline_in_place(make: Callable[[str], Loop]) -> None:
    loop = make("")
    first = begun(loop)
    loop.decide(first, "Rejected")
    loop.ended(first)
    changed = CHILD.replace("\n    dev:\n", f"\n    {loop.env}:\n").replace("ExecutionMode: QUEUED",
                                                                          "ExecutionMode: SUPERSEDED")
    loop.aws.client("cloudformation").update_stack(
        StackName=loop.child.name, TemplateBody=changed, Parameters=[
            {"ParameterKey": key, "UsePreviousValue": True} for key in ("EnvID", "ProjectID", "BranchExists")])
    assert loop.child.wait() == "UPDATE_COMPLETE"
    about = loop.pipelines.get_pipeline(name=loop.pipeline)["pipeline"]
    assert (about["executionMode"], about["version"]) == ("SUPERSEDED", 2)
    # An update does not start it.
    assert len(loop.executions()) == 1
