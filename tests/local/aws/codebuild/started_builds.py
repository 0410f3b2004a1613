"""Builds that StartBuild starts without a pipeline, for a project with the source type NO_SOURCE or CODECOMMIT and the
artifacts' type NO_ARTIFACTS or S3.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html

MiniStack handles every other project: it runs nothing and reports a success. Not implemented: overrides except
`sourceVersion`, and retries of failed builds (`AutoRetryLimit`).
"""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import codebuild

from tests.local.aws.codebuild import bucket_artifacts, builds, commit_source
from tests.local.aws.codebuild.buildspec import Buildspec
from tests.local.aws.iam import enforcement

_log = logging.getLogger("codebuild")
_REQUEST = {"projectName", "idempotencyToken", "sourceVersion"}
# "The token is included in the StartBuild request and is valid for 5 minutes."
_TOKEN_SECONDS = 300
# The request, the build and the time of each token's start.
_started: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {}
_SOURCES, _ARTIFACTS = {"NO_SOURCE", "CODECOMMIT"}, {"NO_ARTIFACTS", "S3"}


class NotHere(Exception):
    """The project does not exist, or is MiniStack's."""


class Invalid(Exception):
    """The message of CodeBuild's InvalidInputException."""


class LimitReached(Exception):
    """The message of CodeBuild's AccountLimitExceededException, which is not documented. (?)"""


# From the count of the running builds to the record of the new one.
_starting = threading.Lock()


def install() -> None:
    ministack_start = codebuild._start_build

    def start_build(request: dict[str, Any]) -> Any:
        if not _is_ours(codebuild._projects.get(request.get("projectName", ""))):
            return ministack_start(request)
        try:
            return json_response({"build": _start_once(request, enforcement.caller_arn().rsplit("/", 1)[-1])})
        except Invalid as invalid:
            return error_response_json("InvalidInputException", str(invalid), 400)
        except LimitReached as reached:
            return error_response_json("AccountLimitExceededException", str(reached), 400)

    def stop_build(_request: dict[str, Any]) -> Any:
        return error_response_json("InvalidInputException", "StopBuild is not part of this local CodeBuild", 400)

    codebuild._start_build, codebuild._stop_build = start_build, stop_build


def _is_ours(project: dict[str, Any] | None) -> bool:
    return project is not None and project["source"].get("type") in _SOURCES and (
        project["artifacts"].get("type") in _ARTIFACTS)


def _start_once(request: dict[str, Any], initiator: str) -> dict[str, Any]:
    """"If you repeat the StartBuild request with the same token, but change a parameter, CodeBuild returns a parameter
    mismatch error" (API_StartBuild)."""
    token = request.get("idempotencyToken")
    earlier = _started.get(f"{get_account_id()} {get_region()} {token}") if token else None
    if earlier and time.monotonic() < earlier[2] + _TOKEN_SECONDS:
        if earlier[0] != request:
            raise Invalid("Parameter mismatch for the idempotency token")
        return earlier[1]
    record = start(request, initiator)
    if token:
        _started[f"{get_account_id()} {get_region()} {token}"] = (request, record, time.monotonic())
    return record


def start(request: dict[str, Any], initiator: str) -> dict[str, Any]:
    """Starts a build by StartBuild's request, and returns its record. The build continues in the background."""
    name = request["projectName"]
    project = codebuild._projects.get(name)
    if project is None or not _is_ours(project):
        raise NotHere(f"Project cannot be found: {codebuild._project_arn(name)}" if project is None
                      else f"{name} has a source or artifacts of another type")
    _check(project, request)
    with _starting:
        _check_limit(project)
        build = _StartedBuild(project, request.get("sourceVersion", ""), initiator)
    record: dict[str, Any] = copy.deepcopy(build.record)
    threading.Thread(target=contextvars.copy_context().run, args=(_run, build), daemon=True).start()
    return record


def _check(project: dict[str, Any], request: dict[str, Any]) -> None:
    """Rejects what this local CodeBuild would ignore."""
    source, absent = project["source"], sorted(request.keys() - _REQUEST)
    if source["type"] == "NO_SOURCE" and request.get("sourceVersion"):
        absent.append("sourceVersion of a project without a source")
    absent += [key for key in ("secondarySources", "secondaryArtifacts", "sourceVersion") if project.get(key)]
    if project["artifacts"]["type"] == "S3":
        absent += [f"{key} of the artifacts" for key, value in bucket_artifacts.SETTINGS.items()
                   if str(project["artifacts"].get(key)).lower() != value.lower()]
    absent += ["gitCloneDepth"] if source.get("gitCloneDepth") else []
    absent += ["fetchSubmodules"] if (source.get("gitSubmodulesConfig") or {}).get("fetchSubmodules") else []
    if absent:
        raise Invalid(f"{', '.join(absent)}: not part of this local CodeBuild")
    if not isinstance(request.get("sourceVersion", ""), str):
        raise Invalid("Invalid source version: it is not a string")


def _check_limit(project: dict[str, Any]) -> None:
    """"If the build project has a concurrent build limit set, builds return an error if the number of running builds
    reaches the concurrent build limit for the project."

    https://docs.aws.amazon.com/codebuild/latest/userguide/builds-working.html
    """
    limit = int(project.get("concurrentBuildLimit") or 0)
    running = [each for each in codebuild._builds.values()
               if each["projectName"] == project["name"] and not each["buildComplete"]]
    if 0 < limit <= len(running):
        raise LimitReached(f"Cannot have more than {limit} builds in queue for the project")


def _run(build: _StartedBuild) -> None:
    try:
        status, reason = build.run()
        if reason:
            _log.info("%s: %s: %s", build.build_id, status, reason)
    except Exception:
        _log.exception("%s", build.build_id)


class _StartedBuild(builds.Build):
    """A build without a pipeline."""

    def __init__(self, project: dict[str, Any], version: str, initiator: str) -> None:
        super().__init__(project, get_account_id(), get_region(), initiator, version)
        if self.project["artifacts"]["type"] == "S3":
            self.record["artifacts"] = {"location": bucket_artifacts.location(self)}

    def fetch(self, scratch: Path) -> Path:
        assert self.role is not None
        directory, source = scratch / "src", self.project["source"]
        directory.mkdir()
        if source["type"] == "CODECOMMIT":
            self.record["resolvedSourceVersion"] = commit_source.checkout(
                source.get("location", ""), self.record.get("sourceVersion", ""), self.role, directory)
        return directory

    def source_variables(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html"""
        if self.project["source"]["type"] == "NO_SOURCE":
            return {}
        return {"CODEBUILD_SOURCE_VERSION": self.record.get("sourceVersion", ""),
                "CODEBUILD_SOURCE_REPO_URL": self.project["source"].get("location", "")}

    def upload(self, spec: Buildspec) -> None:
        if self.project["artifacts"]["type"] == "S3":
            bucket_artifacts.store(self, spec)
