"""Observers of CodeBuild: projects of their own, which calls and an event rule start."""

import json
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.play.waiting import eventually
from tools.trial.observers import NotSeen, Seen, World, observes
from tools.trial.observers.scenes import Scene, arn_of, error_of, role_of, scratch
from tools.trial.observers.sources import allows, probe, seconds_until

# As templates/replication.yaml.
_IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
_COMMANDS = ["git --version", "aws --version", "sleep 3"]
_SECONDS = 600


def template(name: str, clone_url: str, repository_arn: str) -> dict[str, Any]:
    """Projects with one build at a time: without a source, with one, and with one that the role may not read."""
    source, groups = {"Type": "CODECOMMIT", "Location": clone_url}, f"/aws/codebuild/{name}-"
    logs = allows("logs:CreateLogStream", "logs:PutLogEvents", resource={
        "Fn::Sub": f"arn:${{AWS::Partition}}:logs:*:*:log-group:{groups}*"})

    def rule(detail_type: str, **more: str) -> dict[str, Any]:
        return {"Type": "AWS::Events::Rule", "Properties": {
            "Name": f"{name}-{detail_type}", "EventPattern": {"source": [name], "detail-type": [detail_type]},
            "Targets": [{"Id": "build", "Arn": arn_of("Plain"), "RoleArn": arn_of("Starter"), **more}]}}

    return {"Resources": {
        "Reader": role_of({"Service": "codebuild.amazonaws.com"}, logs,
                          allows("codecommit:GitPull", resource=repository_arn)),
        "Stranger": role_of({"Service": "codebuild.amazonaws.com"}, logs),
        "Starter": role_of({"Service": "events.amazonaws.com"}, allows("codebuild:StartBuild", resource=arn_of("Plain"))),
        "Plain": _project(f"{name}-plain", "Reader", {"Type": "NO_SOURCE"}, *_COMMANDS),
        "Clone": _project(f"{name}-clone", "Reader", source, "true"),
        "Denied": _project(f"{name}-denied", "Stranger", source, "true"),
        # Deleted with the stack. CodeBuild would create them with the first build.
        **{f"{key}Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {
            "LogGroupName": groups + key.lower()}} for key in ("Plain", "Clone", "Denied")},
        # Without an input, the target receives the whole event.
        "Whole": rule("whole"), "Empty": rule("empty", Input="{}")}}


def _buildspec(*commands: str) -> str:
    # On one line, it would be the path of a file.
    return json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}}, indent=1)


def _project(name: str, role: str, source: dict[str, Any], *commands: str) -> dict[str, Any]:
    return {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": name, "ServiceRole": arn_of(role), "Source": source | {"BuildSpec": _buildspec(*commands)},
        "Artifacts": {"Type": "NO_ARTIFACTS"}, "ConcurrentBuildLimit": 1, "TimeoutInMinutes": 5,
        "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": _IMAGE}}}


@dataclass
class Building:
    world: World
    name: str
    commits: list[str]

    @property
    def codebuild(self) -> Any:
        return self.world.client("codebuild")

    def ids(self, project: str = "plain") -> list[str]:
        listed: list[str] = self.codebuild.list_builds_for_project(projectName=f"{self.name}-{project}")["ids"]
        return listed

    def start(self, project: str, **request: Any) -> str:
        return str(self.codebuild.start_build(projectName=f"{self.name}-{project}", **request)["build"]["id"])

    def runs(self, build_id: str) -> bool:
        return bool(self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]["buildStatus"] == "IN_PROGRESS")

    def ended(self, build_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            build: dict[str, Any] = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]
            return build if build["buildStatus"] != "IN_PROGRESS" else None

        return dict(eventually(look, f"build {build_id} ends", _SECONDS))

    def version(self, number: int) -> str:
        """The source version of a commit, as the rule of review branches has it."""
        return f"refs/heads/{self.world.story.names.branch}^{{{self.commits[number]}}}"

    def event(self, detail_type: str) -> None:
        self.world.client("events").put_events(Entries=[{
            "Source": self.name, "DetailType": detail_type, "Detail": json.dumps({"unknown": "member"})}])

    def has_stopped(self, detail_type: str, since: datetime) -> bool:
        """Whether EventBridge has stopped its attempts for this rule's target. The metric appears within minutes."""
        points = self.world.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events", MetricName="FailedInvocations", Period=60, Statistics=["Sum"], StartTime=since,
            Dimensions=[{"Name": "RuleName", "Value": f"{self.name}-{detail_type}"}], EndTime=datetime.now(UTC))["Datapoints"]
        return any(each["Sum"] for each in points)

    def waits_idle(self) -> None:
        for build_id in self.ids():
            self.ended(build_id)


@Scene
@contextmanager
def building(world: World) -> Iterator[Building]:
    project, name = world.story.loop.project, probe(world)
    metadata = world.client("codecommit").get_repository(repositoryName=project.repository)["repositoryMetadata"]
    with scratch(world, template(name, metadata["cloneUrlHttp"], metadata["Arn"])):
        tip = project.mirrored()[f"refs/heads/{world.story.names.branch}"]
        parents = world.client("codecommit").get_commit(
            repositoryName=project.repository, commitId=tip)["commit"]["parents"]
        yield Building(world, name, [*parents, tip])


def _failed_phases(build: dict[str, Any]) -> list[str]:
    return [each["phaseType"] for each in build.get("phases", []) if each.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED"]


@building.observes("build-limit-is-an-error")
def build_limit(held: Building) -> Seen | None:
    held.waits_idle()
    running = held.start("plain")
    code, message = error_of(lambda: held.start("plain"))
    # The account's own limit has the same code.
    if code not in ("", "AccountLimitExceededException") or "for the account" in message:
        raise NotSeen(f"{code}: {message}")
    if not held.runs(running):
        return None
    return Seen(bool(code), f"{code or 'accepted'}: {message}", message)


@building.observes("review-build-is-started-again")
def started_again(held: Building) -> Seen:
    """A build runs long enough for EventBridge's first attempt, which must start no second one."""
    held.waits_idle()
    running = held.start("plain", buildspecOverride=_buildspec("sleep 90"))
    before, since = len(held.ids()), datetime.now(UTC)
    held.event("empty")
    is_second = seconds_until(lambda: len(held.ids()) > before, 30) < math.inf
    if is_second or not held.runs(running):
        raise NotSeen(f"the limit of one build rejected nothing: {'two builds' if is_second else 'the first one ended'}")
    held.ended(running)
    took = seconds_until(lambda: len(held.ids()) > before, _SECONDS)
    if took == math.inf and not held.has_stopped("empty", since):
        raise NotSeen(f"no build in {_SECONDS} s, but EventBridge may still try")
    held.waits_idle()
    return Seen(took < math.inf, f"a build {took:.0f} s after the end of the former one")


@building.observes("source-version-in-history")
def earlier_commit(held: Building) -> Seen | None:
    if len(held.commits) < 2:
        return None
    build = held.ended(held.start("clone", sourceVersion=held.version(0)))
    failed = _failed_phases(build)
    if build["buildStatus"] != "SUCCEEDED" and ("DOWNLOAD_SOURCE" not in failed or _failed_phases(
            held.ended(held.start("clone", sourceVersion=held.version(-1))))):
        raise NotSeen(f"{build['buildStatus']} in {failed}, or the newest commit cannot be built either")
    built = build.get("resolvedSourceVersion", "nothing")
    return Seen(build["buildStatus"] == "SUCCEEDED" and built == held.commits[0],
                f"{build['buildStatus']}, it built {built[:12]}, the earlier commit is {held.commits[0][:12]}",
                {key: build.get(key) for key in ("sourceVersion", "resolvedSourceVersion")})


@building.observes("source-version-of-failed-builds")
def failed_build(held: Building) -> Seen | None:
    wanted = held.version(-1)
    build = held.ended(held.start("denied", sourceVersion=wanted))
    if build["buildStatus"] == "SUCCEEDED" or "BUILD" in _failed_phases(build):
        return None
    shown = build.get("sourceVersion", "none")
    return Seen(shown == wanted, f"{build['buildStatus']} in {_failed_phases(build)}, sourceVersion {shown}")


@building.observes("replication-build-image")
def build_image(held: Building) -> Seen:
    held.waits_idle()
    build = held.ended(held.start("plain"))
    failed = _failed_phases(build)
    # A build that failed before its commands, such as for want of capacity, shows nothing about the image.
    if build["buildStatus"] != "SUCCEEDED" and (build["buildStatus"] != "FAILED" or "BUILD" not in failed):
        raise NotSeen(f"{build['buildStatus']} in {failed}")
    return Seen(build["buildStatus"] == "SUCCEEDED", f"{', '.join(_COMMANDS[:2])} in {_IMAGE}: {build['buildStatus']}")


@building.observes("build-ids-are-random")
def build_ids(held: Building) -> Seen | None:
    ids = [each.split(":")[-1] for project in ("plain", "clone", "denied") for each in held.ids(project)]
    return _random(ids) if len(ids) >= 3 else None


def _random(ids: list[str]) -> Seen:
    """A UUID of version 4 has 122 random bits: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4."""
    versions = [uuid.UUID(each).version if len(each) == 36 else None for each in ids]
    return Seen(set(versions) == {4} and len(set(ids)) == len(ids), f"{len(ids)} IDs, UUIDs of version {versions[0]}", ids)
