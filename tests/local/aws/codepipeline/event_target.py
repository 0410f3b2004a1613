"""A pipeline as the target of an EventBridge rule.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region

from tests.local.aws import service_shapes
from tests.local.aws.codepipeline import api as codepipeline_api
from tests.local.aws.events import targets
from tests.local.aws.events.targets import Undelivered
from tests.local.aws.json_api import Rejected


def install() -> None:
    targets.deliver_with("codepipeline", _start)


def _start(target: dict, _event: dict, rule: dict, view: Any) -> None:
    name = target["Arn"].removeprefix(f"arn:aws:codepipeline:{get_region()}:{get_account_id()}:")
    if name == target["Arn"]:
        raise Undelivered("NO_RESOURCE", "the target is another account's or region's")
    targets.require(target, rule, "codepipeline:StartPipelineExecution")
    given = targets.request_of(target, rule, view)
    request = {"name": name, **{key: given[key] for key in ("sourceRevisions", "variables") if key in given}}
    if faults := service_shapes.request_faults("codepipeline", "StartPipelineExecution", request):
        raise Undelivered("INVALID_PARAMETER", "; ".join(faults))
    try:
        codepipeline_api.start(request, "CloudWatchEvent", rule["Arn"])
    except Rejected as rejected:
        raise Undelivered("INVALID_PARAMETER", f"{rejected.code}: {rejected.message}") from None
