"""Events that start pipelines, and events that pipelines send.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-repo-changes-cli.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import BRANCH, Scene
from tests.local.aws.testing import eventually, trust


class Received:
    """The events of a pipeline that match a pattern."""

    def __init__(self, scene: Scene, name: str, **pattern: Any) -> None:
        self._sqs = scene.aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        events = scene.aws.client("events")
        events.put_rule(Name=name, EventPattern=json.dumps({
            "source": ["aws.codepipeline"], "resources": [scene.arn("codepipeline", scene.pipeline)], **pattern}))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": scene.arn("sqs", name)}])
        self._seen: list[str] = []

    def _receive(self) -> list[str]:
        for message in self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            self._seen.append(message["Body"])
        return self._seen

    def texts(self, count: int) -> list[str]:
        found: list[str] = eventually(self._receive, lambda texts: len(texts) == count)
        return found


def test_events_of_a_run_have_their_order_and_floats(scene: Scene, name: str) -> None:
    run = scene.create([scene.build()])
    scene.ended(run)
    received = Received(scene, name)
    run = scene.start()
    texts = received.texts(10)
    seen = [json.loads(text) for text in texts]
    assert {event["detail"]["execution-id"] for event in seen} == {run}
    assert [(event["detail-type"].split()[1], event["detail"].get("action") or event["detail"].get("stage"),
             event["detail"]["state"]) for event in seen] == [
        ("Pipeline", None, "STARTED"), ("Stage", "Source", "STARTED"), ("Action", "Source", "STARTED"),
        ("Action", "Source", "SUCCEEDED"), ("Stage", "Source", "SUCCEEDED"), ("Stage", "Build", "STARTED"),
        ("Action", "Build", "STARTED"), ("Action", "Build", "SUCCEEDED"), ("Stage", "Build", "SUCCEEDED"),
        ("Pipeline", None, "SUCCEEDED")]
    for text, detail in zip(texts, [event["detail"] for event in seen], strict=True):
        assert '"version": 1.0' in text and '"pipeline-execution-attempt": 1.0' in text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["start-time"])
        assert detail.get("type", {"version": "1"})["version"] == "1"
        assert ("execution-trigger" in detail) == ((detail["state"], detail.get("stage")) == ("STARTED", None))


def test_pipeline_events_name_each_final_state(scene: Scene, name: str) -> None:
    first = scene.create([scene.approval()], mode="SUPERSEDED")
    scene.approval_state(first)
    received = Received(scene, name, **{"detail-type": ["CodePipeline Pipeline Execution State Change"]})
    second = scene.start()
    eventually(lambda: scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1].get("inboundExecution"))
    third = scene.start()
    scene.ended(second)
    scene.pipelines.stop_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=first, abandon=True)
    assert scene.ended(first) == "Stopped"
    scene.approval_state(third)
    # The update removes the approval.
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.build()]))
    assert scene.ended(third) == "Cancelled"
    # Events may arrive in another order.
    seen = [json.loads(text)["detail"] for text in received.texts(6)]
    assert {(each["execution-id"], each["state"]) for each in seen} == {
        (first, "STOPPING"), (first, "STOPPED"), (second, "STARTED"), (second, "SUPERSEDED"), (third, "STARTED"),
        (third, "CANCELED")}


def test_failed_action_event_has_its_result(scene: Scene, name: str) -> None:
    scene.push({"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['false']}}\n"})
    received = Received(scene, name, detail={"state": ["FAILED"], "action": ["Build"]})
    run = scene.create([scene.build()])
    detail = json.loads(received.texts(1)[0])["detail"]
    result = scene.action(run, "Build")["output"]["executionResult"]
    assert detail["execution-result"] == {
        "external-execution-id": result["externalExecutionId"], "external-execution-url": result["externalExecutionUrl"],
        "external-execution-summary": result["externalExecutionSummary"], "error-code": "JobFailed"}
    assert result["errorDetails"]["message"] == result["externalExecutionSummary"]
    assert result["externalExecutionSummary"].startswith("Build terminated with state: FAILED")


def override(**revision: str) -> str:
    """A transformer's template. A value without quotes is replaced with the commit's JSON."""
    text = json.dumps({"sourceRevisions": [{
        "actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "<commit>", **revision}]})
    return text.replace('"<commit>"', "<commit>")


@pytest.mark.parametrize(("document", "template", "reason"), [
    (trust("codepipeline.amazonaws.com"), override(), "not authorized to perform: sts:AssumeRole"),
    (trust("events.amazonaws.com", Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/another"}}),
     override(), "not authorized to perform: sts:AssumeRole"),
    ("", override(actionName="Other"), "'Other'"), ("", override(revisionType="COMMIT"), "enum"),
    ("", '{"sourceRevisions": [{"actionName": "Source"}]}', "Missing required parameter"),
    ("", "not JSON <commit>", "not a JSON object"),
])
def test_event_that_starts_nothing_is_logged_with_the_reason(scene: Scene, name: str, document: str, template: str,
                                                             reason: str) -> None:
    scene.create([scene.approval()])
    if document:
        scene.trust("events", document)
    events = scene.aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({
        "source": ["aws.codecommit"], "resources": [scene.arn("codecommit", scene.repository)],
        "detail": {"referenceName": [BRANCH]}}))
    events.put_targets(Rule=name, Targets=[{
        "Id": "pipeline", "Arn": scene.arn("codepipeline", scene.pipeline), "RoleArn": scene.role_arn("events"),
        "InputTransformer": {"InputPathsMap": {"commit": "$.detail.commitId"}, "InputTemplate": template}}])
    scene.push()
    directory = scene.aws._directory
    assert directory
    eventually(lambda: [line for line in (directory / "log").read_text().splitlines()
                        if line.count(name) and reason in line], seconds=20)
    assert len(scene.executions()) == 1
    events.remove_targets(Rule=name, Ids=["pipeline"])
