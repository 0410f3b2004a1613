"""Observers of CodeBuild: projects of their own, which calls and an event rule start."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


from observers import Seen, World, observes
from observers.scenes import Scene, allows, arn_of, error_of, role_of, scratch
from observers.sources import probe, seconds_until
from tests.deployment.waiting import eventually

# As templates/replication.yaml.
_IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
_COMMANDS = ["git --version", "aws --version", "sleep 3"]
_SECONDS = 600


def template(name: str, clone_url: str, repository_arn: str) -> dict[str, Any]:
    """Projects with one build at a time: without a source, with one, and with one that the role may not read."""
    logs, source = allows("logs:CreateLogStream", "logs:PutLogEvents"), {"Type": "CODECOMMIT", "Location": clone_url}
    return {"Resources": {
        "Reader": role_of({"Service": "codebuild.amazonaws.com"}, logs,
                          allows("codecommit:GitPull", resource=repository_arn)),
        "Stranger": role_of({"Service": "codebuild.amazonaws.com"}, logs),
        "Starter": role_of({"Service": "events.amazonaws.com"}, allows("codebuild:StartBuild")),
        "Plain": _project(f"{name}-plain", "Reader", {"Type": "NO_SOURCE"}, *_COMMANDS),
        "Clone": _project(f"{name}-clone", "Reader", source, "true"),
        "Denied": _project(f"{name}-denied", "Stranger", source, "true"),
        # Deleted with the stack. CodeBuild would create them with the first build.
        **{f"{key}Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {
            "LogGroupName": f"/aws/codebuild/{name}-{key.lower()}"}} for key in ("Plain", "Clone", "Denied")},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {
            "EventPattern": {"source": [name]},
            # Without an input, the target receives the whole event.
            "Targets": [{"Id": "build", "Arn": arn_of("Plain"), "RoleArn": arn_of("Starter")}]}}}}


def _project(name: str, role: str, source: dict[str, Any], *commands: str) -> dict[str, Any]:
    # On one line, it would be the path of a file.
    buildspec = json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}}, indent=1)
    return {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": name, "ServiceRole": arn_of(role), "Source": source | {"BuildSpec": buildspec},
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

    def event(self) -> None:
        self.world.client("events").put_events(Entries=[{
            "Source": self.name, "DetailType": "probe", "Detail": json.dumps({"unknown": "member"})}])

    def waits_idle(self) -> None:
        for build_id in self.ids():
            self.ended(build_id)


@contextmanager
def _building(world: World) -> Iterator[Building]:
    project, name = world.story.loop.project, probe(world)
    metadata = world.client("codecommit").get_repository(repositoryName=project.repository)["repositoryMetadata"]
    with scratch(world, template(name, metadata["cloneUrlHttp"], metadata["Arn"])):
        tip = project.mirrored()[f"refs/heads/{world.story.names.branch}"]
        parents = world.client("codecommit").get_commit(
            repositoryName=project.repository, commitId=tip)["commit"]["parents"]
        yield Building(world, name, [*parents, tip])


building = Scene(_building)


@building.observes("build-target-ignores-unknown-input")
def unknown_input(held: Building) -> Seen:
    for _ in range(2):  # A new rule may miss the first event.
        if not held.ids():
            held.event()
            seconds_until(held.ids, 90)
    return Seen(bool(held.ids()), f"the whole event started {len(held.ids())} build in 3 minutes")


@building.observes("build-limit-is-an-error")
def build_limit(held: Building) -> Seen | None:
    held.waits_idle()
    running = held.start("plain")
    code, message = error_of(lambda: held.start("plain"))
    if not held.runs(running):
        return None
    return Seen(code == "AccountLimitExceededException", f"{code or 'accepted'}: {message}", code)


@building.observes("review-build-is-started-again")
def started_again(held: Building) -> Seen | None:
    held.waits_idle()
    running = held.start("plain")
    before = len(held.ids())
    held.event()
    if not held.runs(running):
        return None
    held.ended(running)
    took = seconds_until(lambda: len(held.ids()) > before, _SECONDS)
    held.waits_idle()
    return Seen(len(held.ids()) > before, f"a build {took:.0f} s after the end of the former one")


@building.observes("source-version-in-history")
def earlier_commit(held: Building) -> Seen | None:
    if len(held.commits) < 2:
        return None
    build = held.ended(held.start("clone", sourceVersion=held.version(0)))
    built = build.get("resolvedSourceVersion", "nothing")
    return Seen(build["buildStatus"] == "SUCCEEDED" and built == held.commits[0],
                f"{build['buildStatus']}, it built {built[:12]}, the earlier commit is {held.commits[0][:12]}",
                {key: build.get(key) for key in ("sourceVersion", "resolvedSourceVersion")})


@building.observes("source-version-of-failed-builds")
def failed_build(held: Building) -> Seen | None:
    wanted = held.version(-1)
    build = held.ended(held.start("denied", sourceVersion=wanted))
    if build["buildStatus"] == "SUCCEEDED":
        return None
    shown = build.get("sourceVersion", "none")
    return Seen(shown == wanted, f"{build['buildStatus']} in {build['currentPhase']}, sourceVersion {shown}")


@building.observes("replication-build-image")
def build_image(held: Building) -> Seen:
    build = held.ended(held.ids()[0])
    return Seen(build["buildStatus"] == "SUCCEEDED",
                f"{', '.join(_COMMANDS[:2])} in {_IMAGE}: {build['buildStatus']}. A failed start was not seen")


@building.observes("build-ids-are-random")
def build_ids(held: Building) -> Seen | None:
    ids = [each.split(":")[-1] for project in ("plain", "clone", "denied") for each in held.ids(project)]
    return _random(ids) if len(ids) >= 3 else None


def _random(ids: list[str]) -> Seen:
    """A UUID of version 4 has 122 random bits: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4."""
    versions = [uuid.UUID(each).version if len(each) == 36 else None for each in ids]
    return Seen(set(versions) == {4} and len(set(ids)) == len(ids), f"{len(ids)} IDs, UUIDs of version {versions[0]}", ids)


def review_builds(world: World) -> list[dict[str, Any]]:
    codebuild = world.client("codebuild")
    ids = codebuild.list_builds_for_project(projectName=world.story.loop.project.review_project)["ids"]
    found: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
    return found


@observes("source-version-is-shown-unchanged")
def shown_version(world: World) -> Seen | None:
    branch = world.story.names.review_branch
    expected = [f"refs/heads/{branch}^{{{build.get('resolvedSourceVersion')}}}" for build in review_builds(world)]
    shown = [build.get("sourceVersion", "none") for build in review_builds(world)]
    return Seen(shown == expected, f"sourceVersion {shown[0]}", shown[0]) if shown else None


@observes("build-output-location")
def output_location(world: World) -> Seen | None:
    bucket = f":s3:::{world.story.names.bucket_prefix}"
    shown = [build["artifacts"].get("location", "none") for build in review_builds(world)
             if build["buildStatus"] == "SUCCEEDED"]
    return Seen(all(bucket in each and "/review/" in each for each in shown), shown[0], shown[0]) if shown else None
