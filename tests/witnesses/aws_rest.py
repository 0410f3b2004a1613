"""Reads requests and answers of AWS's REST protocols: a member is in the path, the query, a header or the
body."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from tests.witnesses.aws_values import from_xml, scalar

_NAMES = r"{(\w+)\+?}"


def operation_of(service: ServiceModel, request: dict[str, Any]) -> str | None:
    """The operation with this method and path, and with most of the request's required members. `None`
    without one."""
    query = dict(parse_qsl(request["query"], keep_blank_values=True))
    found = [
        (-len(required), name)
        for name, pattern, required in _requests(service)
        if re.fullmatch(pattern, f"{request['method']} {request['path']}")
        and all(_is_given(part, query if part.startswith("?") else request["headers"]) for part in required)
    ]
    return min(found)[1] if found else None


def _is_given(part: str, values: dict[str, str]) -> bool:
    name, _, value = part.removeprefix("?").partition("=")
    return name in values and value in ("", values[name])


@cache
def _requests(service: ServiceModel) -> list[tuple[str, str, list[str]]]:
    """Each operation, the pattern of its method and path, and the required parts of its query (`?name`) and
    its headers."""
    return [
        (name, f"{operation.http['method']} {_pattern(operation)}", list(_required(operation)))
        for name in service.operation_names
        for operation in [service.operation_model(name)]
        if not operation.deprecated
    ]


def _required(operation: OperationModel) -> Iterator[str]:
    yield from (f"?{each}" for each in operation.http["requestUri"].partition("?")[2].split("&") if each)
    shape = operation.input_shape
    for name in shape.required_members if shape else ():
        member = shape.members[name].serialization
        if member.get("location") == "querystring":
            yield f"?{member['name']}"
        elif member.get("location") == "header":
            yield member["name"].lower()


def _pattern(operation: OperationModel) -> str:
    uri = operation.http["requestUri"].partition("?")[0]
    return re.sub(r"{\w+(\+?)}", lambda found: "(.+)" if found[1] else "([^/]+)", uri)


def input_of(operation: OperationModel, request: dict[str, Any]) -> dict[str, Any]:
    shape = operation.input_shape
    found = re.fullmatch(_pattern(operation), request["path"])
    assert found, f"{request['path']} is not {operation.http['requestUri']}"
    names = re.findall(_NAMES, operation.http["requestUri"].partition("?")[0])
    query = parse_qsl(request["query"], keep_blank_values=True)
    located = {
        "uri": dict(zip(names, map(unquote, found.groups()), strict=True)),
        "querystring": query,
        "header": request["headers"],
    }
    return _members(shape, located) | _content(shape, request["body"], operation)


def output_of(operation: OperationModel, response: dict[str, Any]) -> dict[str, Any]:
    shape = operation.output_shape
    headers = {name.lower(): value for name, value in response["headers"].items()}
    located = {"header": headers, "statusCode": dict.fromkeys(shape.members, response["status"])}
    return _members(shape, located) | _content(shape, response["body"], operation)


def _members(shape: StructureShape, located: dict[str, Any]) -> dict[str, Any]:
    """Those outside the body."""
    found = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        key = member.serialization.get("name", name)
        values = located.get(location, {})
        if location == "querystring":
            held = [value for each, value in values if each == key]
            if held:
                found[name] = (
                    [scalar(member.member, one) for one in held]
                    if isinstance(member, ListShape)
                    else scalar(member, held[0])
                )
        elif (one := values.get(key.lower() if location == "header" else key)) is not None:
            found[name] = scalar(member, one) if isinstance(one, str) else one
    return found


def _content(shape: StructureShape, body: Any, operation: OperationModel) -> dict[str, Any]:
    """The members in the body, or the one that is the body."""
    payload = shape.serialization.get("payload")
    if payload and not isinstance(shape.members[payload], StructureShape):
        return {}
    if not body:
        return {}
    inner: Shape = shape.members[payload] if payload else shape
    content = (
        from_xml(inner, ElementTree.fromstring(body))
        if operation.service_model.metadata["protocol"] == "rest-xml"
        else body
    )
    return {payload: content} if payload else content
