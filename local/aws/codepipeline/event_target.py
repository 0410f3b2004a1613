"""A pipeline as the target of an EventBridge rule: started with the target's role.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge

from local.aws.codepipeline import api as codepipeline_api, model as pipeline_model
from local.aws.iam import service_roles

_log = logging.getLogger("events")
# The members of a transformed input for StartPipelineExecution. An original event has none of them.
_INPUT = {"sourceRevisions", "variables"}


def install() -> None:
    ministack_invoke = eventbridge._invoke_target

    def invoke(target: dict, event: dict, rule: dict, view: Any = None) -> None:
        try:
            spec = parse_arn(target.get("Arn", ""))
        except ArnParseError:
            spec = None
        if spec is None or spec.service != "codepipeline":
            ministack_invoke(target, event, rule, view)
        elif not eventbridge._target_matches_request_scope(spec):
            _log.warning("%s: the target %s is another account's or region's", rule["Name"], target["Arn"])
        else:
            _start(target, rule, view or eventbridge._pattern_event_view(event))

    eventbridge._invoke_target = invoke


def _start(target: dict, rule: dict, view: Any) -> None:
    arn = target["Arn"]
    try:
        session = service_roles.assume(target.get("RoleArn", ""), "events.amazonaws.com", rule["Arn"],
                                     session_name=rule["Name"][:64])
        session.require("codepipeline:StartPipelineExecution", arn)
    except service_roles.Denied as rejected:
        _log.warning("%s: %s was not started: %s", rule["Name"], arn, rejected.message)
        return
    given = _input(target, rule, view)
    if not isinstance(given, dict):
        _log.warning("%s: %s was not started: its input is not a JSON object", rule["Name"], arn)
        return
    request = {"name": arn.rsplit(":", 1)[-1], **{key: value for key, value in given.items() if key in _INPUT}}
    faults = pipeline_model.request_faults("StartPipelineExecution", request)
    if faults:
        _log.warning("%s: %s was not started: %s", rule["Name"], arn, "; ".join(faults))
        return
    try:
        codepipeline_api.start(request, "CloudWatchEvent", rule["Arn"])
    except codepipeline_api.Rejected as rejected:
        _log.warning("%s: %s was not started: %s: %s", rule["Name"], arn, rejected.code, rejected.message)


def _input(target: dict, rule: dict, view: Any) -> Any:
    if target.get("InputTransformer"):
        text = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    else:
        text = target.get("Input") or "{}"
    try:
        return json.loads(text)
    except ValueError:
        return None
