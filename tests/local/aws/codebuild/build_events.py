"""The event "CodeBuild Build State Change", which CodeBuild sends when a build starts and when it ends.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
"Delivery type: Best effort": https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-codebuild.html
"""

import time
from typing import Any

from ministack.core.responses import get_region

from tests.local.aws.events import sending

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def send_state(record: dict[str, Any]) -> None:
    """`build-id` is the build's ARN, here and in the event's resources."""
    sending.send("aws.codebuild", "CodeBuild Build State Change", _detail(record), [record["arn"]])


def _detail(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "build-status": record["buildStatus"],
        "project-name": record["projectName"],
        "build-id": record["arn"],
        "additional-information": _information(record),
        "current-phase": record["currentPhase"],
        # A text, in which the example has an empty list. The form of a failure's context is not documented.
        # (?)
        "current-phase-context": (
            f"[{', '.join(_contexts(record['phases'][-1]) if record['phases'] else [])}]"
        ),
        "version": "1",
    }


def _information(record: dict[str, Any]) -> dict[str, Any]:
    """The example on AWS's page lacks `build-number` and `source-version`, which AWS's own types of this
    event have: https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_codebuild.StateChangeEvent.html"""
    source, logs, environment = record["source"], record["logs"], record["environment"]
    found = {
        "artifact": {"location": record["artifacts"].get("location")},
        "environment": {
            "image": environment.get("image"),
            "privileged-mode": bool(environment.get("privilegedMode")),
            "compute-type": environment.get("computeType"),
            "type": environment.get("type"),
            "environment-variables": environment.get("environmentVariables") or [],
        },
        "timeout-in-minutes": record["timeoutInMinutes"],
        "build-complete": record["buildComplete"],
        "build-number": record["buildNumber"],
        "initiator": record["initiator"],
        "build-start-time": _time(record["startTime"]),
        "source": {key: source[key] for key in ("type", "location", "buildspec") if source.get(key)},
        "logs": {
            "group-name": logs["groupName"],
            "stream-name": logs["streamName"],
            "deep-link": (
                f"https://console.aws.amazon.com/cloudwatch/home?region={get_region()}#logEvent:group={logs['groupName']};"
                f"stream={logs['streamName']}"
            ),
        },
        "phases": [_phase(phase) for phase in record["phases"]],
    }
    if not found["artifact"]["location"]:
        del found["artifact"]
    if record.get("sourceVersion"):
        found["source-version"] = record["sourceVersion"]
    return found


def _phase(phase: dict[str, Any]) -> dict[str, Any]:
    """The phase COMPLETED has only its start."""
    found = {"phase-type": phase["phaseType"], "start-time": _time(phase["startTime"])}
    if "endTime" in phase:
        found |= {
            "phase-context": _contexts(phase),
            "end-time": _time(phase["endTime"]),
            "duration-in-seconds": phase["durationInSeconds"],
            "phase-status": phase.get("phaseStatus", "STOPPED"),
        }
    return found


def _contexts(phase: dict[str, Any]) -> list[str]:
    return [f"{each['statusCode']}: {each['message']}" for each in phase.get("contexts", [])]


def _time(seconds: float) -> str:
    """`Sep 1, 2017 4:12:29 PM`. strftime would pad the numbers and depend on the locale."""
    at = time.gmtime(seconds)
    half = "PM" if at.tm_hour >= 12 else "AM"
    return (
        f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday}, {at.tm_year} "
        f"{at.tm_hour % 12 or 12}:{at.tm_min:02}:{at.tm_sec:02} {half}"
    )
