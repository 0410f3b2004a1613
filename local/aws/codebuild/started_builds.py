"""Builds that StartBuild starts without a pipeline, for a project without a source and with inline commands.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html (the event of a build's state)

Everything else is as in a pipeline's build (`build_action`). MiniStack handles a project with a source: it runs
nothing and reports a success. Not implemented: overrides, and retries of failed builds (`AutoRetryLimit`).
"""

from __future__ import annotations

import contextvars
import copy
import json
import logging
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import cloudwatch, codebuild, eventbridge

from local.aws.codepipeline import build_action
from local.aws.codepipeline.actions import Abandoned, ActionFailed
from local.aws.iam import enforcement

_log = logging.getLogger("codebuild")
_JSON_REQUEST = {"projectName", "idempotencyToken"}
_stopped: set[str] = set()


class NotHere(Exception):
    """The project has a source, or does not exist."""


def install() -> None:
    ministack_start, ministack_stop = codebuild._start_build, codebuild._stop_build

    def start_build(request: dict[str, Any]) -> Any:
        if not _is_ours(codebuild._projects.get(request.get("projectName", ""))):
            return ministack_start(request)
        overrides = sorted(request.keys() - _JSON_REQUEST)
        if overrides:
            return codebuild.error_response_json(
                "InvalidInputException", f"{', '.join(overrides)}: not part of this local CodeBuild", 400)
        return json_response({"build": start(request["projectName"], enforcement.caller_arn().rsplit("/", 1)[-1])})

    def stop_build(request: dict[str, Any]) -> Any:
        _stopped.add(request.get("id", ""))
        return ministack_stop(request)

    codebuild._start_build, codebuild._stop_build = start_build, stop_build


def _is_ours(project: dict[str, Any] | None) -> bool:
    return project is not None and project["source"].get("type") == "NO_SOURCE"


def start(name: str, initiator: str) -> dict[str, Any]:
    """The build's record, as StartBuild returns it. The build continues in the background."""
    project = codebuild._projects.get(name)
    if not _is_ours(project):
        raise NotHere(f"Project cannot be found: {codebuild._project_arn(name)}" if project is None
                      else f"{name} has a source")
    build = _Build(copy.deepcopy(project), initiator)
    record: dict[str, Any] = copy.deepcopy(build.record)
    threading.Thread(target=contextvars.copy_context().run, args=(build.to_its_end,), daemon=True).start()
    return record


class _Build(build_action._Build):
    """A build without a pipeline."""

    def __init__(self, project: dict[str, Any], initiator: str) -> None:
        account, region = get_account_id(), get_region()
        nowhere: Any = SimpleNamespace(
            held=SimpleNamespace(account=account, region=region, name=""), wait=self._look,
            execution=SimpleNamespace(sources=list), configuration=lambda _key, default="": default or "none",
            run=SimpleNamespace(declaration={"inputArtifacts": [{"name": "none"}]}, inputs={}))
        super().__init__(nowhere, project)
        self.record.update(initiator=initiator, sourceVersion="")

    def _look(self, _seconds: float) -> None:
        if self.build_id in _stopped:
            raise Abandoned

    def to_its_end(self) -> None:
        _tell(self.record)
        try:
            self.run()
        except ActionFailed as failed:
            _log.info("%s: %s", self.build_id, failed.message)
        except Abandoned:
            _log.info("%s was stopped", self.build_id)
        except Exception:
            _log.exception("%s", self.build_id)
        _count(self.record)
        _tell(self.record)

    def _unpack(self, scratch: Path) -> None:
        self.source = scratch / "src"
        self.source.mkdir()
        self.others = {}
        self._spec = self._read_spec()

    def _source_location(self) -> str:
        return ""

    def _upload(self, spec: Any) -> None:
        """Uploads nothing."""


def _count(record: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/monitoring-builds.html (project-level metrics)"""
    names = ["Builds", "SucceededBuilds" if record["buildStatus"] == "SUCCEEDED" else "FailedBuilds"]
    for name in names:
        cloudwatch._store_datum("AWS/CodeBuild", name, {"ProjectName": record["projectName"]}, time.time(), "Count", 1,
                                None, None, None)
    cloudwatch._evaluate_all_alarms()


def _tell(record: dict[str, Any]) -> None:
    """`build-id` is the build's ARN, here and in the event's resources."""
    try:
        eventbridge._dispatch_event({
            "EventId": str(uuid.uuid4()), "Source": "aws.codebuild", "DetailType": "CodeBuild Build State Change",
            "Detail": json.dumps({
                "build-status": record["buildStatus"], "project-name": record["projectName"], "build-id": record["arn"],
                "current-phase": record["currentPhase"], "version": "1", "additional-information": {
                    "initiator": record["initiator"], "logs": {
                        "group-name": record["logs"]["groupName"], "stream-name": record["logs"]["streamName"]}}}),
            "EventBusName": "default", "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "Resources": [record["arn"]], "Account": get_account_id(), "Region": get_region(),
        })
    except Exception:
        _log.exception("the state of %s was not sent", record["arn"])
