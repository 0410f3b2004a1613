"""Compares requests to AWS's API and its answers with botocore's models.

botocore encodes requests and decodes answers, and drops what its model does not have. So this module decodes both by
the model, and reports every difference: names, types, required members, lengths, values of an enumeration, patterns,
and the status of an error.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import awscli
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from tests.local.aws import service_shapes
from tests.witnesses import recordings

# Errors of every operation of the service: the page "Common Errors" of each API reference, and "Error responses" of S3.
COMMON_ERRORS = {
    "AccessDenied", "AccessDeniedException", "InternalError", "InternalFailure", "ServiceFailure", "SlowDown",
    "Throttling", "ThrottlingException", "ValidationError", "ValidationException",
}
# The faults that AWS's own examples have, too: the models are wrong.
EXAMPLES_HAVE = {
    "cloudformation:DescribeStackEvents: Value 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS'",
    "codebuild:BatchGetBuilds: Invalid length for parameter buildsNotFound",
}
_SCALARS = {"integer": int, "long": int, "float": float, "double": float, "boolean": {"true": True, "false": False}.get}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as `tests/fake-aws/src/account/recorded_exchanges.rs` writes them."""

    service: str
    operation: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def model(self) -> OperationModel:
        return service_shapes.service(self.service).operation_model(self.operation)

    @property
    def protocol(self) -> str:
        """AWS's SDK for Rust speaks JSON where a service accepts several."""
        metadata = self.model.service_model.metadata
        return "json" if "json" in metadata.get("protocols", []) else str(metadata["protocol"])

    def request_faults(self) -> list[str]:
        shape = self.model.input_shape
        if shape is None:
            return []
        if self.protocol == "json":
            return service_shapes.faults(shape, self.request["body"])
        if self.protocol == "query":
            given = dict(parse_qsl(self.request["body"], keep_blank_values=True))
            faults = [] if given.pop("Action") == self.operation else ["another Action"]
            faults += [] if given.pop("Version") == self.model.service_model.api_version else ["another Version"]
            return faults + service_shapes.faults(shape, _from_form(shape, _nested(given)))
        return service_shapes.faults(shape, self._rest_input(shape))

    def answer_faults(self) -> list[str]:
        status, body = self.response["status"], self.response["body"]
        if status >= 300:
            return self._error_faults(status, body)
        shape = self.model.output_shape
        if self.protocol == "json":
            # An operation without a result has an empty body, or an empty object.
            return service_shapes.faults(shape, body) if shape else [] if body in (None, "", {}) else [f"a body: {body}"]
        if self.protocol == "query":
            return _document_faults(self.operation, shape, ElementTree.fromstring(body))
        return service_shapes.faults(shape, self._rest_output(shape)) if shape else []

    def _rest_input(self, shape: StructureShape) -> dict[str, Any]:
        """From the path, the query and the headers. S3's bucket is the first part of the host."""
        uri = self.model.http["requestUri"].partition("?")[0]
        path = self.request["path"]
        if self.service == "s3":
            path = f"/{self.request['host'].partition('.')[0]}{path}"
        names = re.findall(r"{(\w+)\+?}", uri)
        pattern = re.sub(r"{\w+(\+?)}", lambda found: "(.+)" if found[1] else "([^/]+)", uri)
        found = re.fullmatch(pattern, path)
        assert found, f"{path} is not {uri}"
        located = {"uri": dict(zip(names, map(unquote, found.groups()), strict=True)),
                   "querystring": dict(parse_qsl(self.request["query"])), "header": self.request["headers"]}
        given = {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            found_name = member.serialization.get("name", name)
            values = located.get(location, {})
            held = values.get(found_name.lower() if location == "header" else found_name)
            if held is not None:
                given[name] = _scalar(member, held)
        return given

    def _rest_output(self, shape: StructureShape) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in self.response["headers"].items()}
        answer = {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            if location == "statusCode":
                answer[name] = self.response["status"]
            elif location == "header" and (held := headers.get(member.serialization.get("name", name).lower())) is not None:
                answer[name] = _scalar(member, held)
        return answer

    def _error_faults(self, status: int, body: Any) -> list[str]:
        code = self._error_code(body)
        shapes = {shape.metadata.get("error", {}).get("code", shape.name): shape for shape in self.model.error_shapes}
        if code not in shapes:
            return [] if code in COMMON_ERRORS else [f"the error {code} is not one of {', '.join(sorted(shapes))}"]
        # The JSON protocol has 400 for every error of the sender.
        expected = shapes[code].metadata.get("error", {}).get("httpStatusCode")
        is_other = expected and self.protocol != "json" and status != expected
        return [f"{code} has the status {status} instead of {expected}"] if is_other else []

    def _error_code(self, body: Any) -> str:
        if self.protocol == "json":
            return str(body["__type"]).rpartition("#")[2]
        if "json" in self.protocol:
            return str(self.response["headers"]["x-amzn-errortype"]).partition(":")[0]
        document = ElementTree.fromstring(body)
        return next(element.text or "" for element in document.iter() if _name(element) == "Code")


def _document_faults(operation: str, shape: StructureShape | None, document: ElementTree.Element) -> list[str]:
    """Of the query protocol: `<CreateStackResponse><CreateStackResult>…</…><ResponseMetadata>…`."""
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    names = [wrapper, "ResponseMetadata"] if wrapper else ["ResponseMetadata"]
    given = [_name(child) for child in document]
    if _name(document) != f"{operation}Response" or given != names:
        return [f"<{_name(document)}> with {given} instead of <{operation}Response> with {names}"]
    return service_shapes.faults(shape, _from_xml(shape, document[0])) if shape and wrapper else []


def _from_xml(shape: Shape, element: ElementTree.Element) -> Any:
    """An unknown element remains, so that it is a fault."""
    if isinstance(shape, StructureShape):
        members = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        unknown = {_name(child): "unknown" for child in element if _name(child) not in members}
        return unknown | {members[_name(child)][0]: _from_xml(members[_name(child)][1], child)
                          for child in element if _name(child) in members}
    if isinstance(shape, ListShape):
        item = shape.member.serialization.get("name", "member")
        return [_from_xml(shape.member, child) if _name(child) == item else {_name(child): "unknown"} for child in element]
    if isinstance(shape, MapShape):
        return {child[0].text: _from_xml(shape.value, child[1]) for child in element}
    return _scalar(shape, element.text or "")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _nested(given: dict[str, str]) -> dict[str, Any]:
    """`{"Tags.member.1.Key": "a"}` as `{"Tags": {"member": {"1": {"Key": "a"}}}}`."""
    nested: dict[str, Any] = {}
    for name, value in given.items():
        *parts, last = name.split(".")
        place = nested
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


def _from_form(shape: Shape, given: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(given, dict):
        return {name: _from_form(shape.members[name], value) if name in shape.members else value
                for name, value in given.items()}
    # An empty list is an empty value.
    if isinstance(shape, ListShape) and given == "":
        return []
    if isinstance(shape, ListShape) and isinstance(given, dict):
        items = given["member"]
        assert sorted(items, key=int) == [str(number) for number in range(1, len(items) + 1)], items
        return [_from_form(shape.member, items[number]) for number in sorted(items, key=int)]
    return _scalar(shape, given) if isinstance(given, str) else given


def _scalar(shape: Shape, text: str) -> Any:
    """A text that is not of the type remains, so that it is a fault."""
    try:
        value = _SCALARS.get(shape.type_name, str)(text)
    except ValueError:
        return text
    return text if value is None else value


def recorded(folder: Path) -> Iterator[Exchange]:
    """The different exchanges with AWS that tests recorded."""
    return (Exchange(**record) for record in recordings.recorded(folder) if record["service"] != "gitlab")


@cache
def table() -> dict[str, tuple[str, str]]:
    """The rows of README.md: the witness of each operation, and in what it differs."""
    text = (Path(__file__).parent / "README.md").read_text().partition("\n## AWS\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("| `")]
    return {operation.strip("`"): (witness, differs) for operation, witness, differs in rows}


def examples(service: str, operation: str) -> list[Any]:
    """The outputs in the AWS CLI's reference, which its package contains. They have no `ResponseMetadata`."""
    folder = {"s3": "s3api"}.get(service, service)
    file = Path(awscli.__file__).parent / "examples" / folder / f"{xform_name(operation, '-')}.rst"
    text = file.read_text() if file.is_file() else ""
    found = []
    for _, block in re.findall(r"^( +)(\{ *\n.*?^\1\}) *$", text, re.MULTILINE | re.DOTALL):
        # Some are shortened.
        with suppress(ValueError):
            found.append(json.loads(block))
    return found
