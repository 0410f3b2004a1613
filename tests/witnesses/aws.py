"""Compares requests to AWS's API and its answers with botocore's models.

botocore encodes requests and decodes answers, and drops what its model does not have. So this module decodes
both by the model, and reports every difference: names, types, required members, lengths, values of an
enumeration, patterns, and the status of an error.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import yaml
from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.loaders import create_loader
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from tests.local.aws import service_shapes
from tests.witnesses import aws_rest, recordings
from tests.witnesses.aws_values import from_xml, name_of, scalar

# Errors of every operation of the service: the page "Common Errors" of each API reference.
COMMON_ERRORS = {
    "AccessDenied",
    "AccessDeniedException",
    "InternalError",
    "InternalFailure",
    "ServiceFailure",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ValidationError",
    "ValidationException",
}
# The models have few of S3's errors: its API reference, "Error responses".
S3_ERRORS = {
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "MalformedXML": 400,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "PreconditionFailed": 412,
}
# The faults that AWS's own examples have, too: the models are wrong.
EXAMPLES_HAVE = {
    "cloudformation:DescribeStackEvents: Value 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS' at 'StackEvents.",
    "codebuild:BatchGetBuilds: Invalid length for parameter buildsNotFound, value: 0,",
    "codebuild:BatchGetProjects: Invalid length for parameter projectsNotFound, value: 0,",
    "ssm:GetParameters: Invalid length for parameter InvalidParameters, value: 0,",
}
_SNAPSHOTS = "https://github.com/localstack/localstack/blob/main/tests/aws/services/cloudformation"
_IN_EVENTS = {
    "REVIEW_IN_PROGRESS": f"{_SNAPSHOTS}/test_change_set_conditions.snapshot.json",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "https://github.com/ansible/ansible/pull/26225",
}
# The same of answers that others recorded or reported. Of DescribeEvents no such record was found: it is
# assumed to show the statuses that DescribeStackEvents shows.
RECORDED = {
    **{
        f"cloudformation:{operation}: Value '{status}' at '{events}.": source
        for status, source in _IN_EVENTS.items()
        for operation, events in (
            ("DescribeStackEvents", "StackEvents"),
            ("DescribeEvents", "OperationEvents"),
        )
    },
    "cloudformation:DescribeEvents: Value 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS' at 'OperationEvents.": (
        "the AWS CLI's example of describe-stack-events"
    ),
    "codebuild:ListBuildsForProject: Invalid length for parameter ids, value: 0,": (
        "https://github.com/aws/aws-sdk/issues/343"
    ),
    "codebuild:ListProjects: Invalid length for parameter projects, value: 0,": (
        "https://github.com/mattclay/aws-terminator/pull/13"
    ),
}
# Each is the beginning of a fault.
FAULTS_OF_THE_MODELS = (*EXAMPLES_HAVE, *RECORDED)
# Answers that others documented or recorded.
RECORDED_ANSWERS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "aws.yaml").read_text())
_NO_OUTPUT = re.compile(r"This command produces no output|Output::\s+None")


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
        """Of the request: some services accept several. AWS's SDK for Rust speaks JSON to these."""
        metadata = self.model.service_model.metadata
        if "smithy-protocol" in self.request["headers"]:
            return str(self.request["headers"]["smithy-protocol"])
        is_json = "x-amz-target" in self.request["headers"] or "json" in metadata.get("protocols", [])
        return "json" if is_json else str(metadata["protocol"])

    def request_faults(self) -> list[str]:
        shape = self.model.input_shape
        if shape is None:
            return []
        if self.protocol == "json":
            return service_shapes.faults(shape, self.request["body"])
        if self.protocol == "query":
            given = dict(parse_qsl(self.request["body"], keep_blank_values=True))
            faults = [] if given.pop("Action") == self.operation else ["another Action"]
            faults += (
                [] if given.pop("Version") == self.model.service_model.api_version else ["another Version"]
            )
            return faults + service_shapes.faults(shape, _from_form(shape, _nested(given)))
        # S3's bucket may be the first part of the host.
        bucket, _, host = self.request.get("host", "").partition(".")
        path = f"/{bucket}{self.request['path']}" if host.startswith("s3.") else self.request["path"]
        return service_shapes.faults(shape, aws_rest.input_of(self.model, self.request | {"path": path}))

    def answer_faults(self) -> list[str]:
        status, body = self.response["status"], self.response["body"]
        if status >= 300:
            return self._error_faults(status, body)
        shape = self.model.output_shape
        if self.protocol == "json":
            # An operation without a result has an empty body, or an empty object.
            return (
                service_shapes.faults(shape, body)
                if shape
                else []
                if body in (None, "", {})
                else [f"a body: {body}"]
            )
        if self.protocol == "query":
            return _document_faults(self.operation, shape, ElementTree.fromstring(body))
        return service_shapes.faults(shape, aws_rest.output_of(self.model, self.response)) if shape else []

    def _error_faults(self, status: int, body: Any) -> list[str]:
        if self.request["method"] == "HEAD":
            return ["a body in the answer to HEAD"] if body else []
        if not body:
            return ["an error without a body"]
        code = self._error_code(body)
        shapes = {
            shape.metadata.get("error", {}).get("code", shape.name): shape
            for shape in self.model.error_shapes
        }
        statuses = {
            code: shape.metadata.get("error", {}).get("httpStatusCode") for code, shape in shapes.items()
        }
        statuses |= S3_ERRORS if self.service == "s3" else {}
        if code not in statuses:
            return (
                []
                if code in COMMON_ERRORS
                else [f"the error {code} is not one of {', '.join(sorted(statuses))}"]
            )
        # The JSON protocol has 400 for every error of the sender.
        expected = statuses[code]
        is_other = expected and self.protocol != "json" and status != expected
        return [f"{code} has the status {status} instead of {expected}"] if is_other else []

    def _error_code(self, body: Any) -> str:
        if self.protocol == "json":
            return str(body["__type"]).rpartition("#")[2]
        if "json" in self.protocol:
            return str(self.response["headers"]["x-amzn-errortype"]).partition(":")[0]
        document = ElementTree.fromstring(body)
        return next(element.text or "" for element in document.iter() if name_of(element) == "Code")


def _document_faults(
    operation: str, shape: StructureShape | None, document: ElementTree.Element
) -> list[str]:
    """Of the query protocol: `<CreateStackResponse><CreateStackResult>…</…><ResponseMetadata>…`."""
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    names = [wrapper, "ResponseMetadata"] if wrapper else ["ResponseMetadata"]
    given = [name_of(child) for child in document]
    if name_of(document) != f"{operation}Response" or given != names:
        return [f"<{name_of(document)}> with {given} instead of <{operation}Response> with {names}"]
    return service_shapes.faults(shape, from_xml(shape, document[0])) if shape and wrapper else []


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
        return {
            name: _from_form(shape.members[name], value) if name in shape.members else value
            for name, value in given.items()
        }
    # An empty list is an empty value.
    if isinstance(shape, ListShape) and given == "":
        return []
    if isinstance(shape, ListShape) and isinstance(given, dict):
        items = given["member"]
        assert sorted(items, key=int) == [str(number) for number in range(1, len(items) + 1)], items
        return [_from_form(shape.member, items[number]) for number in sorted(items, key=int)]
    return scalar(shape, given) if isinstance(given, str) else given


def recorded(folder: Path) -> Iterator[Exchange]:
    """The different exchanges with AWS that tests recorded."""
    return (Exchange(**record) for record in recordings.recorded(folder) if record["service"] != "gitlab")


@cache
def table() -> dict[str, tuple[str, str]]:
    """The rows of README.md: the witness of each operation, and in what it differs."""
    text = (Path(__file__).parent / "README.md").read_text().partition("\n## AWS\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.split("\n")
        if line.startswith("| `")
    ]
    return {operation.strip("`"): (witness, differs) for operation, witness, differs in rows}


def examples(service: str, operation: str) -> list[Any]:
    """The outputs in the AWS CLI's reference and in botocore, whose packages contain them, and in `aws.yaml`.
    They have no
    `ResponseMetadata`."""
    of_others = RECORDED_ANSWERS.get(f"{service}:{operation}")
    return [
        *_of_the_cli(service, operation),
        *_of_botocore(service, operation),
        *([of_others["answer"]] if of_others else []),
    ]


def _of_botocore(service: str, operation: str) -> list[Any]:
    with suppress(DataNotFoundError):
        examples = create_loader().load_service_model(service, "examples-1")["examples"]
        return [one["output"] for one in examples.get(operation, []) if "output" in one]
    return []


def _of_the_cli(service: str, operation: str) -> list[Any]:
    # Only this function needs the CLI.
    import awscli

    folder = {"s3": "s3api"}.get(service, service)
    file = Path(awscli.__file__).parent / "examples" / folder / f"{xform_name(operation, '-')}.rst"
    text = file.read_text() if file.is_file() else ""
    found: list[Any] = [{}] * len(_NO_OUTPUT.findall(text))
    for _, block in re.findall(r"^( +)(\{ *\n.*?^\1\}) *$", text, re.MULTILINE | re.DOTALL):
        # Some are shortened.
        with suppress(ValueError):
            found.append(json.loads(block))
    return found
