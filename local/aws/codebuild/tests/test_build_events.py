"""The events of builds, and the builds that a rule starts for pushes to branches.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codebuild.tests.commit_scene import CommitScene
from local.aws.codebuild.tests.test_started_builds import a_queue, ended, received, until
from local.aws.codepipeline.tests.pipeline_scene import Scene
from local.aws.testing import policy


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> CommitScene:
    made = CommitScene(aws, name, tmp_path)
    made.prepare()
    return made


def test_build_sends_its_start_and_its_end(scene: CommitScene) -> None:
    url = scene.queue_of_events()
    commit = scene.push()
    build = scene.started(commit)
    first, last = scene.events(url, 2)
    for event in (first, last):
        assert event["resources"] == [build["arn"]]
        assert event["detail"].keys() == {"build-status", "project-name", "build-id", "additional-information",
                                          "current-phase", "current-phase-context", "version"}
        assert (event["detail"]["project-name"], event["detail"]["build-id"]) == (scene.project, build["arn"])
        assert (event["detail"]["version"], event["detail"]["current-phase-context"]) == ("1", "[]")
        information = event["detail"]["additional-information"]
        assert (information["source-version"], information["build-number"]) == (commit, build["buildNumber"])
        assert information["artifact"] == {"location": build["artifacts"]["location"]}
        assert information["source"] == {"type": "CODECOMMIT", "location": build["source"]["location"]}
        assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M", information["build-start-time"])
    assert (first["detail"]["build-status"], first["detail"]["current-phase"]) == ("IN_PROGRESS", "SUBMITTED")
    assert (last["detail"]["build-status"], last["detail"]["current-phase"]) == ("SUCCEEDED", "COMPLETED")
    phases = last["detail"]["additional-information"]["phases"]
    assert [(each["phase-type"], each.get("phase-status")) for each in phases][-2:] == [
        ("UPLOAD_ARTIFACTS", "SUCCEEDED"), ("COMPLETED", None)]


def test_failed_build_sends_the_phases_context(scene: CommitScene) -> None:
    url = scene.queue_of_events()
    scene.started("absent")
    _, last = scene.events(url, 2)
    assert last["detail"]["build-status"] == "FAILED"
    phases = {each["phase-type"]: each for each in last["detail"]["additional-information"]["phases"]}
    assert phases["DOWNLOAD_SOURCE"]["phase-context"] == [
        "CLIENT_ERROR: reference not found for primary source and source version absent"]


def test_build_of_a_pipeline_sends_its_states(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = Scene(aws, name, tmp_path)
    scene.prepare()
    url = CommitScene.queue_of_events(scene)  # type: ignore[arg-type]
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Succeeded"
    messages = until(lambda: [each for each in [received(aws, url)] if len(each) == 2])[0]
    details = [json.loads(message["Body"])["detail"] for message in messages]
    assert {detail["build-status"] for detail in details} == {"IN_PROGRESS", "SUCCEEDED"}
    assert {detail["additional-information"]["initiator"] for detail in details} == {f"codepipeline/{name}"}
    assert {detail["additional-information"]["source-version"] for detail in details} == {scene.head()}


def test_stopped_build_of_a_pipeline_fails_its_action(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = Scene(aws, name, tmp_path)
    scene.prepare(buildspec="version: 0.2\nphases: {build: {commands: ['sleep 600']}}\n")
    run = scene.create([scene.build()])
    codebuild = aws.client("codebuild")
    (build,) = until(lambda: codebuild.list_builds_for_project(projectName=name)["ids"])
    codebuild.stop_build(id=build)
    assert scene.ended(run) == "Failed"
    assert "Build terminated with state: STOPPED" in scene.error(run, "Build")[1]


def test_push_to_a_branch_builds_its_commit(scene: CommitScene) -> None:
    scene.build_pushes_to("review/*")
    scene.push(message="of another branch", to="refs/heads/other")
    commit = scene.push({"given": "reviewed\n"}, to="refs/heads/review/a")
    (build_id,) = until(scene.builds)
    build = ended(scene.aws, build_id)
    assert build["initiator"] == f"rule/{scene.name}"
    assert (build["sourceVersion"], build["resolvedSourceVersion"]) == (f"refs/heads/review/a^{{{commit}}}", commit)
    assert scene.objects(build)["deep/given"] == "reviewed\n"
    scene.aws.wait_for_events()
    assert scene.builds() == [build_id]


def test_deleted_branch_starts_no_build(scene: CommitScene) -> None:
    scene.push(to="refs/heads/review/a")
    scene.build_pushes_to("review/*")
    scene._git("push", "--quiet", scene.git_url, ":refs/heads/review/a")
    scene.aws.wait_for_events()
    assert scene.builds() == []


def test_fixed_input_is_the_request_of_start_build(scene: CommitScene) -> None:
    commit = scene.head()
    scene.build_pushes_to("review/*", Input=json.dumps({"sourceVersion": commit}))
    scene.push(to="refs/heads/review/a")
    (build_id,) = until(scene.builds)
    assert ended(scene.aws, build_id)["sourceVersion"] == commit


@pytest.mark.parametrize(("target", "code"), [
    ({"Input": json.dumps({"buildspecOverride": "version: 0.2"})}, "INVALID_PARAMETER"),
    ({"Input": json.dumps({"projectName": "another"})}, "INVALID_PARAMETER"),
    ({"Input": '"text"'}, "INVALID_JSON"),
    ({"InputTransformer": {"InputTemplate": "{no JSON"}}, "INVALID_JSON"),
])
def test_input_that_is_no_request_goes_to_the_queue(scene: CommitScene, target: dict[str, Any], code: str) -> None:
    url, arn = a_queue(scene.aws, f"{scene.name}-dead")
    scene.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy({
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn})})
    scene.build_pushes_to("review/*", **target, DeadLetterConfig={"Arn": arn})
    scene.push(to="refs/heads/review/a")
    (message,) = until(lambda: received(scene.aws, url))
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == code
    assert scene.builds() == []
