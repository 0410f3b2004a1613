"""Metrics in log lines, in CloudWatch's embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

The tests and the local CloudWatch use `read`. It rejects every line that CloudWatch drops silently.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

# "limited to a maximum size of 256 KB"
_MOST_BYTES = 256 * 1024
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html: a time stamp "can be
# between two weeks before the current date, and up to two hours into the future"; values are from -2^360 to
# 2^360.
_PAST_MS, _FUTURE_MS = 14 * 86400 * 1000, 2 * 3600 * 1000
_LARGEST = 2.0**360

_BYTES = [f"{prefix}{unit}" for unit in ("Bytes", "Bits") for prefix in ("", "Kilo", "Mega", "Giga", "Tera")]
_RATED = [unit.capitalize() for unit in _BYTES] + ["Count"]
UNITS = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Percent",
    "None",
    *_RATED,
    *(f"{unit}/Second" for unit in _RATED),
]
_NAME = {"type": "string", "minLength": 1, "maxLength": 255}

# The page's rules for the metadata. Unknown members are ignored.
_METADATA = Draft202012Validator(
    {
        "type": "object",
        "required": ["Timestamp", "CloudWatchMetrics"],
        "properties": {
            "Timestamp": {"type": "integer"},
            "CloudWatchMetrics": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["Namespace", "Dimensions", "Metrics"],
                    "properties": {
                        "Namespace": _NAME,
                        "Dimensions": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "array",
                                "maxItems": 30,
                                "items": {**_NAME, "maxLength": 250},
                                "uniqueItems": True,
                            },
                        },
                        "Metrics": {
                            "type": "array",
                            "maxItems": 100,
                            "items": {
                                "type": "object",
                                "required": ["Name"],
                                "properties": {
                                    "Name": _NAME,
                                    "Unit": {"enum": UNITS},
                                    "StorageResolution": {"enum": [1, 60]},
                                },
                            },
                        },
                    },
                },
            },
        },
    }
)


class Invalid(ValueError):
    """A document that declares metrics and is invalid."""


@dataclass(frozen=True)
class Metric:
    """One metric in one of its dimension sets."""

    namespace: str
    dimensions: tuple[tuple[str, str], ...]  # by name
    name: str
    values: tuple[float, ...]
    unit: str
    timestamp_ms: int

    @property
    def value(self) -> float:
        if len(self.values) != 1:
            raise ValueError(f"{self.name} has {len(self.values)} values")
        return self.values[0]


def read(line: str, now_ms: float | None = None) -> list[Metric]:
    """The metrics of one log line. Empty if it is not such a document. Raises `Invalid` for an invalid one.

    With `now_ms`, the time stamp is checked, too.
    """
    try:
        root = json.loads(line, parse_constant=_no_number)
    except ValueError:
        if '"CloudWatchMetrics"' in line:
            # "The LogEvent message MUST be a valid JSON object with no additional data at the beginning or
            # end"
            raise Invalid("it is not one JSON object") from None
        return []
    if not isinstance(root, dict) or "_aws" not in root:
        if isinstance(root, dict) and '"CloudWatchMetrics"' in line:
            raise Invalid("_aws is not a member of the root node")
        return []
    if len(line.encode()) > _MOST_BYTES:
        raise Invalid(f"it has more than {_MOST_BYTES} bytes")
    metadata = root["_aws"]
    for fault in sorted(_METADATA.iter_errors(metadata), key=lambda each: list(map(str, each.absolute_path))):
        raise Invalid(f"/_aws/{'/'.join(map(str, fault.absolute_path))}: {fault.message}")
    timestamp = metadata["Timestamp"]
    if now_ms is not None and not now_ms - _PAST_MS <= timestamp <= now_ms + _FUTURE_MS:
        raise Invalid(f"/_aws/Timestamp: {timestamp} is no time, in milliseconds, of the last two weeks")
    return [
        metric for directive in metadata["CloudWatchMetrics"] for metric in _of(directive, root, timestamp)
    ]


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _of(directive: dict[str, Any], root: dict[str, Any], timestamp: int) -> list[Metric]:
    names = [metric["Name"] for metric in directive["Metrics"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"{', '.join(twice)}: defined twice")
    sets = [tuple(sorted((key, _dimension(key, root)) for key in keys)) for keys in directive["Dimensions"]]
    return [
        Metric(
            directive["Namespace"],
            dimensions,
            definition["Name"],
            _values(definition["Name"], root),
            definition.get("Unit", "None"),
            timestamp,
        )
        for definition in directive["Metrics"]
        for dimensions in sets
    ]


def _dimension(key: str, root: dict[str, Any]) -> str:
    """ "The target member MUST have a string value." The page of Dimension has the strings that are values of
    dimensions.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    value = root.get(key)
    if not isinstance(value, str):
        raise Invalid(f"{key}: a dimension is a string at the root node, and not {json.dumps(value)}")
    if not value.strip() or len(value) > 1024 or not re.fullmatch(r"[ -~]+", value):
        raise Invalid(f"{key}: {value!r} is no value of a dimension")
    if key.startswith(":"):
        raise Invalid(f"{key}: a dimension's name does not begin with a colon")
    return value


def _values(name: str, root: dict[str, Any]) -> tuple[float, ...]:
    """ "Metric targets MUST be either a numeric value or an array of numeric values" of at most 100
    members."""
    given = root.get(name)
    values = given if isinstance(given, list) else [given]
    if not 1 <= len(values) <= 100 or not all(_is_number(value) for value in values):
        raise Invalid(
            f"{name}: a metric is a number at the root node, or a list of them, and not {json.dumps(given)}"
        )
    return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (math.isfinite(value) and abs(value) <= _LARGEST)
    )
