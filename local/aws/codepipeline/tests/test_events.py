"""Events that start pipelines, and events that pipelines send.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-repo-changes-cli.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import BRANCH, Scene, eventually, trust

CHILD = Path(__file__).parents[4] / "templates/pipeline.yaml"


class _Loader(yaml.SafeLoader):
    """Loads CloudFormation's short forms as their values."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: (
    loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else
    loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else
    loader.construct_mapping(node, deep=True)))


def transformers() -> dict[str, dict[str, Any]]:
    """The targets of the child stack's rule, by their kind."""
    with_branch, without = yaml.load(CHILD.read_text(), _Loader)["Resources"]["EventRule"]["Properties"]["Targets"][1:]
    return {"pipeline": with_branch[0]["InputTransformer"], "function": without[1][0]["InputTransformer"]}


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


def queue(scene: Scene) -> tuple[str, str]:
    """The ARN and URL of a queue that rules may send to."""
    sqs = scene.aws.client("sqs")
    url = sqs.create_queue(QueueName=scene.name)["QueueUrl"]
    arn = scene.arn("sqs", scene.name)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                                                "Action": "sqs:SendMessage", "Resource": arn}]})})
    return arn, url


def rule(scene: Scene, pattern: dict[str, Any], target: dict[str, Any], called: str = "") -> str:
    events, name = scene.aws.client("events"), called or scene.name
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    answer = events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])
    assert answer["FailedEntryCount"] == 0
    return str(arn)


def pushes(scene: Scene) -> dict[str, Any]:
    return {"source": ["aws.codecommit"], "resources": [scene.arn("codecommit", scene.repository)], "detail": {
        "event": ["referenceCreated", "referenceUpdated"], "referenceType": ["branch"], "referenceName": [BRANCH]}}


def target(scene: Scene, **more: Any) -> dict[str, Any]:
    return {"Arn": scene.arn("codepipeline", scene.pipeline), "RoleArn": scene.role_arn("events"),
            "InputTransformer": transformers()["pipeline"], **more}


def wait_for_log(scene: Scene, what: str) -> None:
    directory = scene.aws._directory
    assert directory
    eventually(lambda: [line for line in (directory / "log").read_text().splitlines()
                        if scene.arn("codepipeline", scene.pipeline) in line], lambda lines: what in str(lines), 20)


def test_push_starts_pipeline_with_pushed_commit(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    arn = rule(scene, pushes(scene), target(scene))
    commits = [scene.push(message="One"), scene.push(message='Two "quoted" \\ and more')]
    runs = eventually(scene.executions, lambda found: len(found) == 3)[:2]
    assert {run["trigger"]["triggerType"] for run in runs} == {"CloudWatchEvent"}
    assert {run["trigger"]["triggerDetail"] for run in runs} == {arn}
    assert {scene.ended(run["pipelineExecutionId"]) for run in runs} == {"Succeeded"}, [
        scene.actions(run["pipelineExecutionId"])[-1]["output"] for run in runs]
    # Each push has its own event: each of the two executions has its commit, although the branch had moved on.
    seen = [each["revisionId"] for run in scene.executions()[:2] for each in run["sourceRevisions"]]
    assert sorted(seen) == sorted(commits)


def received(scene: Scene, url: str, count: int) -> list[str]:
    """The texts of the first `count` events that arrive in a queue."""
    sqs, seen = scene.aws.client("sqs"), []

    def receive() -> list[str]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            seen.append(message["Body"])
        return seen

    return eventually(receive, lambda found: len(found) == count)


def test_the_state_changes_of_a_run_are_events_in_their_order(scene: Scene) -> None:
    arn, url = queue(scene)
    rule(scene, {"source": ["aws.codepipeline"], "resources": [scene.arn("codepipeline", scene.pipeline)]},
         {"Arn": arn})
    run = scene.create([scene.build()])
    scene.ended(run)
    seen = [json.loads(text) for text in received(scene, url, 10)]
    assert {event["detail"]["execution-id"] for event in seen} == {run}
    assert [(event["detail-type"].split()[1], event["detail"].get("action") or event["detail"].get("stage"),
             event["detail"]["state"]) for event in seen] == [
        ("Pipeline", None, "STARTED"), ("Stage", "Source", "STARTED"), ("Action", "Source", "STARTED"),
        ("Action", "Source", "SUCCEEDED"), ("Stage", "Source", "SUCCEEDED"), ("Stage", "Build", "STARTED"),
        ("Action", "Build", "STARTED"), ("Action", "Build", "SUCCEEDED"), ("Stage", "Build", "SUCCEEDED"),
        ("Pipeline", None, "SUCCEEDED")]


def test_pipeline_event_numbers_are_floats(scene: Scene) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
    scene.ended(scene.create([scene.build()]))
    declared = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    for _ in range(5):
        declared = scene.pipelines.update_pipeline(pipeline=declared)["pipeline"]
    arn, url = queue(scene)
    rule(scene, {"source": ["aws.codepipeline"], "resources": [scene.arn("codepipeline", scene.pipeline)]}, {"Arn": arn})
    scene.ended(scene.pipelines.start_pipeline_execution(name=scene.name)["pipelineExecutionId"])
    for text in received(scene, url, 10):
        detail = json.loads(text)["detail"]
        assert '"version": 6.0' in text and '"pipeline-execution-attempt": 1.0' in text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["start-time"])
        assert detail.get("type", {"version": "1"})["version"] == "1"
        assert ("execution-trigger" in detail) == ((detail["state"], detail.get("stage")) == ("STARTED", None))


def test_pipeline_events_after_a_stage_retry_count_the_attempt(scene: Scene) -> None:
    scene.without("pipeline", "cloudformation:CreateStack")
    run = scene.create([scene.build()], [scene.deploy()])
    scene.ended(run)
    scene.allow("pipeline", scene.rights["pipeline"])
    arn, url = queue(scene)
    rule(scene, {"source": ["aws.codepipeline"], "resources": [scene.arn("codepipeline", scene.pipeline)]}, {"Arn": arn})
    scene.pipelines.retry_stage_execution(pipelineName=scene.name, pipelineExecutionId=run, stageName="Deploy",
                                          retryMode="FAILED_ACTIONS")
    scene.ended(run)
    seen = [json.loads(text) for text in received(scene, url, 6)]
    assert [(each["detail-type"].split()[1], each["detail"]["state"]) for each in seen] == [
        ("Pipeline", "RESUMED"), ("Stage", "RESUMED"), ("Action", "STARTED"), ("Action", "SUCCEEDED"),
        ("Stage", "SUCCEEDED"), ("Pipeline", "SUCCEEDED")]
    assert {each["detail"]["pipeline-execution-attempt"] for each in seen} == {2.0}
    assert ["stage-last-retry-attempt-time" in each["detail"] for each in seen] == [False, True, False, False, True, False]


def test_pipeline_events_name_each_final_state(scene: Scene) -> None:
    # "SUPERSEDED", "STOPPING", "STOPPED" and "CANCELED": an update of the pipeline cancels running executions.
    arn, url = queue(scene)
    first = scene.create([scene.approval()], mode="SUPERSEDED")
    scene.approval_state(first)
    rule(scene, {"source": ["aws.codepipeline"], "detail-type": ["CodePipeline Pipeline Execution State Change"],
                 "resources": [scene.arn("codepipeline", scene.pipeline)]}, {"Arn": arn})
    second = scene.start()
    eventually(lambda: scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1].get("inboundExecution"),
               bool)
    third = scene.start()
    scene.ended(second)
    scene.pipelines.stop_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=first, abandon=True)
    scene.ended(first)
    scene.approval_state(third)
    # The update removes the approval.
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.build()]))
    assert scene.ended(third) == "Cancelled"
    seen = [json.loads(text)["detail"] for text in received(scene, url, 6)]
    # Events may arrive in another order.
    assert {(each["execution-id"], each["state"]) for each in seen} == {
        (first, "STOPPING"), (first, "STOPPED"), (second, "STARTED"), (second, "SUPERSEDED"), (third, "STARTED"),
        (third, "CANCELED")}


def test_failed_action_event_has_its_result(scene: Scene) -> None:
    arn, url = queue(scene)
    scene.push({"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['false']}}\n"})
    rule(scene, {"source": ["aws.codepipeline"], "detail-type": ["CodePipeline Action Execution State Change"],
                 "detail": {"state": ["FAILED"], "pipeline": [scene.pipeline]}}, {"Arn": arn})
    run = scene.create([scene.build()])
    detail = json.loads(received(scene, url, 1)[0])["detail"]
    result = scene.action(run, "Build")["output"]["executionResult"]
    assert (detail["stage"], detail["action"], detail["type"]) == ("Build", "Build", {
        "owner": "AWS", "provider": "CodeBuild", "category": "Build", "version": "1"})
    assert detail["execution-result"] == {
        "external-execution-id": result["externalExecutionId"], "external-execution-url": result["externalExecutionUrl"],
        "external-execution-summary": result["externalExecutionSummary"], "error-code": "JobFailed"}
    assert result["errorDetails"]["message"] == result["externalExecutionSummary"]
    assert result["externalExecutionSummary"].startswith("Build terminated with state: FAILED")


def test_role_without_start_permission_starts_nothing(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    scene.aws.client("iam").delete_role_policy(RoleName=scene.role_name("events"), PolicyName="rights")
    rule(scene, pushes(scene), target(scene))
    scene.push()
    wait_for_log(scene, "not authorized to perform: codepipeline:StartPipelineExecution")
    assert len(scene.executions()) == 1


@pytest.mark.parametrize("document", [
    trust("codepipeline.amazonaws.com"),
    trust("events.amazonaws.com", ArnLike={"aws:SourceArn": "arn:aws:events:*:*:rule/another"})])
def test_role_that_does_not_trust_the_rule_starts_nothing(scene: Scene, document: str) -> None:
    scene.ended(scene.create([scene.build()]))
    scene.aws.client("iam").update_assume_role_policy(RoleName=scene.role_name("events"), PolicyDocument=document)
    rule(scene, pushes(scene), target(scene))
    scene.push()
    wait_for_log(scene, "not authorized to perform: sts:AssumeRole")
    assert len(scene.executions()) == 1


@pytest.mark.parametrize(("given", "reason"), [
    ('{"sourceRevisions":[{"actionName":"Other","revisionType":"COMMIT_ID","revisionValue":<commit>}]}', "'Other'"),
    ('{"sourceRevisions":[{"actionName":"Source","revisionType":"COMMIT","revisionValue":<commit>}]}', "enum"),
    ('{"sourceRevisions":[{"actionName":"Source"}]}', "Missing required parameter"),
    ("not JSON <commit>", "not a JSON object"),
])
def test_invalid_source_revision_starts_nothing(scene: Scene, given: str, reason: str) -> None:
    scene.ended(scene.create([scene.build()]))
    rule(scene, pushes(scene), target(scene, InputTransformer={**transformers()["pipeline"], "InputTemplate": given}))
    scene.push()
    wait_for_log(scene, reason)
    assert len(scene.executions()) == 1


def test_event_without_transformer_starts_latest_commit(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    plain = target(scene)
    del plain["InputTransformer"]
    rule(scene, pushes(scene), plain)
    commit = scene.push()
    runs = eventually(scene.executions, lambda found: len(found) == 2)
    scene.ended(runs[0]["pipelineExecutionId"])
    assert scene.executions()[0]["sourceRevisions"][0]["revisionId"] == commit


def test_child_stack_transformers_render_event_values(scene: Scene) -> None:
    """The message of a push event has no quotes in it, but a value with them must not break the JSON either."""
    arn, url = queue(scene)
    sqs, events = scene.aws.client("sqs"), scene.aws.client("events")
    detail = {"event": "referenceUpdated", "commitId": 'a "quoted" \\ one', "nested": {"list": [1, "two", None]},
              "flag": True}
    for what, transformer in transformers().items():
        rule(scene, {"source": [scene.name]}, {"Arn": arn, "InputTransformer": transformer})
        events.put_events(Entries=[{"Source": scene.name, "DetailType": "a type", "Detail": json.dumps(detail),
                                    "Resources": ["arn:aws:x:::one", "arn:aws:x:::two"]}])
        message = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), bool)[0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        given = json.loads(message["Body"])
        if what == "pipeline":
            assert given == {"sourceRevisions": [{"actionName": "Source", "revisionType": "COMMIT_ID",
                                                  "revisionValue": detail["commitId"]}]}
        else:
            assert (given["detail"], given["resources"], given["detail-type"], given["source"]) == (
                detail, ["arn:aws:x:::one", "arn:aws:x:::two"], "a type", scene.name)
            assert given["time"].endswith("Z")
