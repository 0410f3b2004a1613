"""Builds of a repository's commits, without a pipeline.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import BRANCH, Scene
from tests.local.aws.testing import a_user_with, allow, error_of, eventually, policy

# The source is a clone, so its history can be read.
BUILDSPEC = """version: 0.2
phases: {build: {commands: ['git describe --always', 'mkdir -p out/deep', 'cp given out/deep/']}}
artifacts: {base-directory: out, files: ['**/*']}
"""


class CommitScene(Scene):
    """A project of a repository, with artifacts in S3. Its role has exactly the permissions of a build."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        rights = self.rights["build"]
        self.rights = {
            "build": {
                "codecommit:GitPull": (self.arn("codecommit", self.repository), {}),
                "s3:PutObject": (f"arn:aws:s3:::{self.bucket}/review/*", {}),
                **{action: right for action, right in rights.items() if action.startswith("logs:")}},
            "events": {"codebuild:StartBuild": (self.arn("codebuild", f"project/{self.project}"), {})},
        }
        self.codebuild = self.aws.client("codebuild")

    def files(self) -> dict[str, str]:
        return {"buildspec.yml": BUILDSPEC, "given": "given\n"}

    def project_settings(self) -> dict[str, Any]:
        metadata = self.aws.client("codecommit").get_repository(repositoryName=self.repository)["repositoryMetadata"]
        return {**super().project_settings(),
                "source": {"type": "CODECOMMIT", "location": metadata["cloneUrlHttp"]},
                "artifacts": {"type": "S3", "location": self.bucket, "path": "review/shop", "namespaceType": "BUILD_ID",
                              "name": "/", "packaging": "NONE", "encryptionDisabled": True}}

    def start_build(self, commit: str = "", **more: str) -> dict[str, Any]:
        """The build of the branch's commit."""
        given = {"sourceVersion": f"refs/heads/{BRANCH}^{{{commit or self.head()}}}", **more}
        build: dict[str, Any] = self.codebuild.start_build(projectName=self.project, **given)["build"]
        return build

    def ended_build(self, build_id: str) -> dict[str, Any]:
        found: dict[str, Any] = eventually(lambda: self.codebuild.batch_get_builds(ids=[build_id])["builds"][0],
                                           lambda build: build["buildComplete"])
        return found

    def builds(self) -> list[str]:
        found: list[str] = self.codebuild.list_builds_for_project(projectName=self.project)["ids"]
        return found


SCENE = CommitScene


def phase(build: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in build["phases"] if each["phaseType"] == name)


def test_build_stores_its_artifacts_and_sends_its_states(scene: CommitScene, name: str) -> None:
    events, queue = scene.aws.client("events"), scene.aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    events.put_rule(Name=name, EventPattern=json.dumps({
        "source": ["aws.codebuild"], "detail": {"project-name": [scene.project]}}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": scene.arn("sqs", name)}])
    commit = scene.push({"given": "earlier\n"})
    scene.push({"given": "later\n"})
    build = scene.ended_build(scene.start_build(commit)["id"])
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    key = f"review/shop/{build['id'].partition(':')[2]}"
    assert (build["resolvedSourceVersion"], build["artifacts"]["location"]) == (
        commit, f"arn:aws:s3:::{scene.bucket}/{key}")
    stored = scene.aws.client("s3").get_object(Bucket=scene.bucket, Key=f"{key}/deep/given")["Body"].read()
    assert stored == b"earlier\n"
    messages = eventually(lambda: scene.aws.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", []), lambda found: len(found) == 2)
    sent = [json.loads(message["Body"]) for message in messages]
    first, last = sorted(sent, key=lambda event: event["detail"]["additional-information"]["build-complete"])
    for event in (first, last):
        assert event["resources"] == [build["arn"]]
        assert event["detail"].keys() == {"build-status", "project-name", "build-id", "additional-information",
                                          "current-phase", "current-phase-context", "version"}
        information = event["detail"]["additional-information"]
        assert (information["source-version"], information["build-number"], information["artifact"]) == (
            build["sourceVersion"], build["buildNumber"], {"location": build["artifacts"]["location"]})
        assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M", information["build-start-time"])
    assert [(event["detail"]["build-status"], event["detail"]["current-phase"]) for event in (first, last)] == [
        ("IN_PROGRESS", "SUBMITTED"), ("SUCCEEDED", "COMPLETED")]
    phases = last["detail"]["additional-information"]["phases"]
    assert [(each["phase-type"], each.get("phase-status")) for each in phases][-2:] == [
        ("UPLOAD_ARTIFACTS", "SUCCEEDED"), ("COMPLETED", None)]


@pytest.mark.parametrize("version", [
    "", BRANCH, "refs/tags/v1", "{commit}", f"refs/heads/{BRANCH}^{{{'0' * 40}}}", f"refs/heads/{BRANCH}^{{short}}",
    "refs/heads/absent^{{commit}}", "--upload-pack=x"])
def test_absent_version_fails_the_download(scene: CommitScene, version: str) -> None:
    version = version.replace("{commit}", scene.head())
    build = scene.ended_build(scene.start_build(sourceVersion=version)["id"])
    assert build["buildStatus"] == "FAILED"
    (context,) = phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert context == {"statusCode": "CLIENT_ERROR", "message": (
        f"reference not found for primary source and source version {version}".rstrip())}
    assert "resolvedSourceVersion" not in build


@pytest.mark.parametrize(("right", "failed", "message"), [
    ("codecommit:GitPull", "DOWNLOAD_SOURCE", "authorization failed for primary source and source version "),
    ("s3:PutObject", "UPLOAD_ARTIFACTS", "UPLOAD_ARTIFACTS phase: AccessDenied: ")])
def test_denied_call_fails_its_phase(scene: CommitScene, right: str, failed: str, message: str) -> None:
    scene.without("build", right)
    build = scene.ended_build(scene.start_build()["id"])
    assert build["buildStatus"] == "FAILED"
    (context,) = phase(build, failed)["contexts"]
    assert (context["statusCode"], message in context["message"]) == ("CLIENT_ERROR", True)


@pytest.mark.parametrize(("change", "request_change", "named"), [
    ({"source": {"gitCloneDepth": 1}}, {}, "gitCloneDepth"),
    ({"source": {"gitSubmodulesConfig": {"fetchSubmodules": True}}}, {}, "fetchSubmodules"),
    ({"artifacts": {"packaging": "ZIP"}}, {}, "packaging of the artifacts"),
    ({"artifacts": {"encryptionDisabled": False}}, {}, "encryptionDisabled of the artifacts"),
    ({}, {"buildspecOverride": "version: 0.2"}, "buildspecOverride"),
])
def test_unknown_setting_or_override_is_rejected(scene: CommitScene, change: dict[str, Any],
                                                 request_change: dict[str, str], named: str) -> None:
    settings = scene.project_settings()
    scene.codebuild.update_project(name=scene.project, **{key: {**settings[key], **value}
                                                          for key, value in change.items()})
    code, _, message = error_of(scene.start_build, **request_change)
    assert (code, message) == ("InvalidInputException", f"{named}: not part of this local CodeBuild")


def test_repeated_token_starts_one_build(scene: CommitScene) -> None:
    first, again = (scene.start_build(idempotencyToken=scene.name)["id"] for _ in range(2))
    assert first == again
    assert error_of(scene.start_build, idempotencyToken=scene.name, sourceVersion="b")[0] == "InvalidInputException"
    assert scene.builds()[0] == first


def test_reading_builds_needs_the_projects_permission(scene: CommitScene, name: str) -> None:
    build = scene.ended_build(scene.start_build()["id"])
    project = scene.arn("codebuild", f"project/{scene.project}")
    key = a_user_with(scene.aws, name, allow(["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"], project))
    codebuild = scene.aws.client("codebuild", key)
    assert codebuild.list_builds_for_project(projectName=scene.project)["ids"][0] == build["id"]
    for one in (build["id"], build["arn"]):
        assert [each["id"] for each in codebuild.batch_get_builds(ids=[one])["builds"]] == [build["id"]]
    assert error_of(codebuild.batch_get_builds, ids=[build["id"], "another:id"])[0] == "AccessDeniedException"
    assert error_of(codebuild.list_builds_for_project, projectName="another")[0] == "AccessDeniedException"


# --- a rule's target ----------------------------------------------------------------------


@pytest.mark.parametrize(("given", "service", "project", "code"), [
    ({"Input": json.dumps({"buildspecOverride": "version: 0.2"})}, "events", "{}", "INVALID_PARAMETER"),
    ({"Input": json.dumps({"projectName": "another"})}, "events", "{}", "INVALID_PARAMETER"),
    ({"Input": '"text"'}, "events", "{}", "INVALID_JSON"),
    ({"InputTransformer": {"InputTemplate": "{no JSON"}}, "events", "{}", "INVALID_JSON"),
    ({}, "lambda", "{}", "FAILED_TO_ASSUME_ROLE"), ({}, "events", "{}-absent", "NO_RESOURCE"),
])
def test_event_without_a_build_is_in_the_queue_with_its_reason(
        scene: CommitScene, name: str, given: dict[str, Any], service: str, project: str, code: str) -> None:
    events, sqs, before = scene.aws.client("events"), scene.aws.client("sqs"), scene.builds()
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    queue = scene.arn("sqs", name)
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy({
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}})})["QueueUrl"]
    arn = scene.arn("codebuild", "project/" + project.format(scene.project))
    scene.rights["events"]["codebuild:StartBuild"] = (arn, {})
    scene.allow("events", scene.rights["events"])
    scene.trust("events", policy({"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"},
                                  "Action": "sts:AssumeRole"}))
    events.put_targets(Rule=name, Targets=[{"Id": "build", "Arn": arn, "RoleArn": scene.role_arn("events"),
                                            "DeadLetterConfig": {"Arn": queue}, **given}])
    events.put_events(Entries=[{"Source": name, "DetailType": "test", "Detail": '{"a": 1}'}])
    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"))
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert (attributes["ERROR_CODE"], attributes["RULE_ARN"]) == (code, rule)
    assert json.loads(message["Body"])["detail"] == {"a": 1}
    assert scene.builds() == before
