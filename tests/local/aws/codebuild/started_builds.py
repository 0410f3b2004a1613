"""Builds that StartBuild starts without a pipeline, for a project with the source type NO_SOURCE or
CODECOMMIT and the artifacts' type NO_ARTIFACTS or S3.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectArtifacts.html

MiniStack handles every other project: it runs nothing and reports a success. Not implemented: overrides
except
`sourceVersion`, tokens, limits, and retries of failed builds (`AutoRetryLimit`).
"""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import codebuild

from tests.local.aws.codebuild import buildspec, commit_source, stored_variables
from tests.local.aws.codebuild.builds import Build, client_error
from tests.local.aws.codebuild.buildspec import Buildspec

_log = logging.getLogger("codebuild")
_SOURCES, _ARTIFACTS = {"NO_SOURCE", "CODECOMMIT"}, {"NO_ARTIFACTS", "S3"}


def install() -> None:
    ministack_start = codebuild._start_build

    def start_build(request: dict[str, Any]) -> Any:
        if not _is_ours(codebuild._projects.get(request.get("projectName", ""))):
            return ministack_start(request)
        return json_response({"build": start(request, iam_evaluator.caller_arn().rsplit("/", 1)[-1])})

    codebuild._start_build = start_build


def _is_ours(project: dict[str, Any] | None) -> bool:
    return (
        project is not None
        and project["source"].get("type") in _SOURCES
        and (project["artifacts"].get("type") in _ARTIFACTS)
    )


def start(request: dict[str, Any], initiator: str) -> dict[str, Any]:
    """Starts a build by StartBuild's request, and returns its record. The build continues in the
    background."""
    build = _StartedBuild(
        codebuild._projects[request["projectName"]], request.get("sourceVersion", ""), initiator
    )
    record: dict[str, Any] = copy.deepcopy(build.record)
    threading.Thread(target=contextvars.copy_context().run, args=(_run, build), daemon=True).start()
    return record


def _run(build: _StartedBuild) -> None:
    try:
        status, reason = build.run()
        if reason:
            _log.info("%s: %s: %s", build.build_id, status, reason)
    except Exception:
        _log.exception("%s", build.build_id)


class _StartedBuild(Build):
    def __init__(self, project: dict[str, Any], version: str, initiator: str) -> None:
        super().__init__(project, get_account_id(), get_region(), initiator, version)
        if self.project["artifacts"]["type"] == "S3":
            self.record["artifacts"] = {"location": _location(self)}

    def fetch(self, scratch: Path) -> Path:
        assert self.role is not None
        directory, source = scratch / "src", self.project["source"]
        directory.mkdir()
        if source["type"] == "CODECOMMIT":
            self.record["resolvedSourceVersion"] = commit_source.checkout(
                source.get("location", ""), self.record.get("sourceVersion", ""), self.role, directory
            )
        return directory

    def source_variables(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html"""
        if self.project["source"]["type"] == "NO_SOURCE":
            return {}
        return {
            "CODEBUILD_SOURCE_VERSION": self.record.get("sourceVersion", ""),
            "CODEBUILD_SOURCE_REPO_URL": self.project["source"].get("location", ""),
        }

    def upload(self, spec: Buildspec) -> None:
        if self.project["artifacts"]["type"] == "S3":
            _store(self, spec)


def _key(build: Build) -> str:
    """With the name `/`, "the output artifact is stored in the root" of `<path>/<build-ID>`."""
    return f"{(build.project['artifacts'].get('path') or '').strip('/')}/{build.stream}".lstrip("/")


def _bucket(build: Build) -> str:
    return str(build.project["artifacts"]["location"]).removeprefix("arn:aws:s3:::")


def _location(build: Build) -> str:
    """`artifacts.location` of the build. Whether it ends with `/` for the name `/` is not documented. (?)"""
    return f"arn:aws:s3:::{_bucket(build)}/{_key(build)}"


def _store(build: Build, spec: Buildspec) -> None:
    """AWS's example of a service role also allows s3:GetBucketAcl and s3:GetBucketLocation. No page names the
    call that needs them, so none does here. (?)

    https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
    """
    if spec.artifacts is None:
        return
    files = buildspec.collect(spec.artifacts, build.source)
    if not files:
        raise client_error("no matching artifact paths found")
    assert build.role is not None
    s3 = build.role.client("s3")
    for name, content in sorted(files.items()):
        try:
            s3.put_object(Bucket=_bucket(build), Key=f"{_key(build)}/{name}", Body=content)
        except ClientError as rejected:
            # The form is Recorded, for other artifacts:
            # https://repost.aws/knowledge-center/codebuild-access-denied
            raise client_error(
                f"Error in UPLOAD_ARTIFACTS phase: {stored_variables.text_of(rejected)}"
            ) from None
