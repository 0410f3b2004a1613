"""The shapes of an AWS service's requests and responses, from botocore's service model."""

import functools
import re
from collections.abc import Callable
from typing import Any

import botocore.loaders
import regex
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator


@functools.cache
def service(name: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.create_loader().load_service_model(name, "service-2"), name)


def request_shape(name: str, operation: str) -> StructureShape:
    return service(name).operation_model(operation).input_shape  # type: ignore[return-value]


def request_faults(name: str, operation: str, request: Any) -> list[str]:
    return faults(request_shape(name, operation), request)


def answer_faults(name: str, operation: str, answer: dict[str, Any]) -> list[str]:
    shape = service(name).operation_model(operation).output_shape
    return faults(shape, answer) if shape else list(answer)


def faults(shape: Shape, value: Any) -> list[str]:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        # The value may be a secret.
        text = re.sub(
            r", value: .*?, type: (?=<class)", ", type: ", report.generate_report(), flags=re.DOTALL
        )
        return [line.strip() for line in text.splitlines()]
    # botocore leaves these checks to the service.
    return [fault for fault in _enums_and_patterns(shape, value, "") if fault]


def _enums_and_patterns(shape: Shape, value: Any, path: str) -> list[str]:
    if isinstance(shape, StructureShape):
        return [
            fault
            for name, member in shape.members.items()
            if name in value
            for fault in _enums_and_patterns(member, value[name], f"{path}.{name}" if path else name)
        ]
    if isinstance(shape, ListShape):
        most = shape.metadata.get("max")
        constraint = f"Member must have length less than or equal to {most}"
        too_many = (
            [f"Value at '{path}' failed to satisfy constraint: {constraint}"]
            if most and len(value) > most
            else []
        )
        return too_many + [
            fault
            for index, each in enumerate(value, 1)
            for fault in _enums_and_patterns(shape.member, each, f"{path}.{index}.member")
        ]
    if isinstance(shape, MapShape):
        return [
            fault
            for key, each in value.items()
            for fault in (
                *_enums_and_patterns(shape.key, key, f"{path}.key"),
                *_enums_and_patterns(shape.value, each, f"{path}.{key}"),
            )
        ]
    if shape.type_name in {"integer", "long"} and value > shape.metadata.get("max", value):
        constraint = f"Member must have value less than or equal to {shape.metadata['max']}"
        return [f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"]
    # A time in text is decoded before this, and in JSON it is a number.
    if shape.type_name == "timestamp" and isinstance(value, str):
        return [f"Value '{value}' at '{path}' is not a time"]
    if shape.type_name != "string":
        return []
    pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max")
    constraint = ""
    if shape.enum and value not in shape.enum:
        constraint = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    elif pattern and not _matches(pattern.strip("^$"), value):
        constraint = f"Member must satisfy regular expression pattern: {pattern}"
    elif longest and len(value) > longest:
        constraint = f"Member must have length less than or equal to {longest}"
    shown = "***" if shape.metadata.get("sensitive") else value
    return [f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"] if constraint else []


def present(name: str, operation: str, answer: dict[str, Any]) -> Any:
    """Without members that the answer's shape does not have, and without null or empty ones that it does not
    allow."""
    return _present(service(name).operation_model(operation).output_shape, answer)


def _present(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            name: _present(shape.members[name], each)
            for name, each in value.items()
            if name in shape.members and not _is_absent(shape.members[name], each)
        }
    if isinstance(shape, ListShape):
        return [_present(shape.member, each) for each in value]
    return value


def _is_absent(shape: Shape, value: Any) -> bool:
    return (
        value is None
        or value == []
        and bool(shape.metadata.get("min"))
        or value == ""
        and bool(faults(shape, value))
    )


def from_template(shape: Shape, value: Any, member: Callable[[str], str] = str) -> Any:
    """CloudFormation passes strings for numbers and booleans, and the other way round. `member` is a
    property's name in the API. A map's keys stay."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        given = {member(key): each for key, each in value.items()}
        return {
            key: from_template(shape.members[key], each, member) if key in shape.members else each
            for key, each in given.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [from_template(shape.member, each, member) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: from_template(shape.value, each, member) for key, each in value.items()}
    if shape.type_name in {"integer", "long"} and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if (
        shape.type_name in {"double", "float"}
        and isinstance(value, str)
        and re.fullmatch(r"-?\d+(\.\d+)?", value)
    ):
        return float(value)
    if shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    if shape.type_name == "string" and isinstance(value, (bool, int, float)):
        return str(value).lower()
    return value


def _matches(pattern: str, value: str) -> bool:
    """By Java's rules: `re` has no `\\p{L}`, and `\\w` is ASCII there."""
    flags = regex.DOTALL if r"\p" in pattern else regex.DOTALL | regex.ASCII
    return regex.fullmatch(pattern, value, flags) is not None
