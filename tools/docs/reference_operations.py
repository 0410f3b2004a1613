"""The pages of docs/reference/ for operators: metrics and alarms, and log fields.

Metrics come from docs/metrics.json, alarms from template.yaml, and fields from the calls of `tracing` in the
function's source.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "docs/reference/log-fields.yaml"
_JSON_LAYER = ROOT / "src/common/logging/json_layer.rs"
# Without `tracing::`, it is one of the macros of src/common/logging, whose first argument is a reason.
_LOGGING_CALL = re.compile(r"\b(tracing::)?(error_span|error|warn|info)!\(")
_COMPARISONS = {"LessThanThreshold": "less than", "GreaterThanThreshold": "greater than"}

Rows = list[list[str]]


class LoggingCall(NamedTuple):
    """A call of one of the macros that log."""

    macro: str
    fields: list[str]


def sources() -> list[Path]:
    folders = [ROOT / "src", ROOT / "crates/cfn-custom-resource/src"]
    files = sorted(file for folder in folders for file in folder.rglob("*.rs"))
    return [file for file in files if not file.stem.endswith("tests") and "tests" not in file.parts]


def logging_calls(source: str) -> Iterator[LoggingCall]:
    for call in _LOGGING_CALL.finditer(source):
        logged = arguments(source, call.end())
        if not call[1]:
            logged[0] = "error"
        yield LoggingCall(
            call[2],
            [
                re.split(r"\s*=", argument.lstrip("%?"))[0]
                for argument in logged
                # The text is the message.
                if argument and not argument.startswith(('"', "parent:"))
            ],
        )


def arguments(source: str, start: int) -> list[str]:
    """The arguments of the call whose opening parenthesis ends before `start`."""
    found, depth, first, is_text = [], 1, start, False
    for place in range(start, len(source)):
        character = source[place]
        if character == '"' and source[place - 1] != "\\":
            is_text = not is_text
        elif is_text:
            continue
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 or (depth == 1 and character == ","):
            found.append(source[first:place].strip())
            first = place + 1
        if depth == 0:
            break
    return found


def fields_in_source() -> tuple[list[str], list[str], list[LoggingCall]]:
    """The fields that the JSON layer adds to each line, those of the invocation's span, and all other calls.
    The layer's own fields of a reason are one of them."""
    calls = [call for file in sources() for call in logging_calls(file.read_text())]
    layer = _JSON_LAYER.read_text()
    of_each_line = re.findall(r'(?<!set)\("(\w+)", ', layer)
    calls.append(LoggingCall("reason", re.findall(r'set\("(\w+)", ', layer)))
    of_invocation = [field for call in calls if call.macro == "error_span" for field in call.fields]
    return of_each_line, of_invocation, [call for call in calls if call.macro != "error_span"]


def log_field_rows(file: Path = TEXTS) -> tuple[Rows, Rows, Rows]:
    texts: dict[str, str] = yaml.safe_load(file.read_text())
    of_each_line, of_invocation, calls = fields_in_source()
    others = sorted({field for call in calls for field in call.fields} - set(of_invocation))
    logged = [*of_each_line, *of_invocation, *others]
    if differing := sorted(set(logged) ^ set(texts)):
        raise SystemExit(f"{file.name} and the logging calls differ in: {', '.join(differing)}")
    each, invocation, rest = (
        [[f"`{name}`", " ".join(texts[name].split())] for name in names]
        for names in (of_each_line, of_invocation, others)
    )
    return each, invocation, rest


def alarms_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    return [
        {**alarm, "Name": alarm["AlarmName"]["Fn::Sub"].replace("${EnvID}", "<EnvID>")} for alarm in found
    ]


def condition(alarm: dict[str, Any]) -> str:
    """Such as "its minimum is less than 1 in each of 2 periods of `HealthCheckMinutes`"."""
    threshold = (
        alarm["Threshold"] if isinstance(alarm["Threshold"], int) else f"`{alarm['Threshold']['Ref']}`"
    )
    most = alarm["EvaluationPeriods"]
    least = alarm.get("DatapointsToAlarm", most)
    periods = (
        "one period"
        if most == 1
        else f"each of {most} periods"
        if least == most
        else f"{least} of {most} periods"
    )
    seconds = alarm["Period"]
    length = (
        "`HealthCheckMinutes`"
        if not isinstance(seconds, int)
        else "one day"
        if seconds == 86_400
        else f"{seconds // 60} minutes"
    )
    return (
        f"its {alarm['Statistic'].lower()} is {_COMPARISONS[alarm['ComparisonOperator']]} {threshold}"
        f" in {periods} of {length}"
    )


def metric_rows(alarms: list[dict[str, Any]]) -> Rows:
    alarm_of = {
        alarm["MetricName"]: alarm["Name"].removeprefix("alarm-<EnvID>-cfn-gitops-") for alarm in alarms
    }
    return [
        [
            f"`{metric['name']}`",
            f"`{metric['dimension']}`" if metric["dimension"] else "",
            "" if metric["unit"] == "None" else metric["unit"],
            metric["meaning"],
            ""
            if metric["wrong"] == "Never"
            else "".join(f"{side.lower()} {limit}" for side, limit in metric["wrong"].items()),
            f"`{alarm_of[metric['name']]}`" if metric["name"] in alarm_of else "",
        ]
        for metric in json.loads((ROOT / "docs/metrics.json").read_text())["metrics"]
    ]


def alarm_rows(alarms: list[dict[str, Any]]) -> Rows:
    return [
        [
            f"`{alarm['Name']}`",
            f"`{alarm['Namespace']}` `{alarm['MetricName']}`: {condition(alarm)}",
            " ".join(alarm["AlarmDescription"].split()),
        ]
        for alarm in alarms
    ]
