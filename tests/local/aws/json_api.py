"""The JSON protocol of the services that MiniStack lacks. Requests and responses have to match botocore's
model."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions, router
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, json_response
from ministack.services import tagging

from tests.local.aws import service_shapes

_JSON = "application/x-amz-json-1.1"
Operations = Mapping[str, Callable[[dict], dict]]


class Rejected(Exception):
    """An error of the API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def install(service: str, target_prefix: str, operations: Operations, every: Callable[[], list[Any]]) -> None:
    """`every` returns the resources, which have an `arn` and `tags`."""

    async def handle(_method: str, _path: str, headers: dict, body: bytes, _query: dict) -> tuple:
        # Events may reach slow targets, and targets that call the service.
        return await run_reentrant(_answer, service, operations, headers, body, thread_name=service)

    router.SERVICE_PATTERNS[service] = {
        "target_prefixes": [target_prefix],
        "host_patterns": [rf"{service}\."],
        "credential_scope": service,
    }
    app.SERVICE_HANDLERS[service] = handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[service] = service
    tagging._RESOURCE_TAG_COLLECTORS[service] = lambda: [
        (held.arn, [{"Key": key, "Value": value} for key, value in held.tags.items()]) for held in every()
    ]


def operation_of(headers: dict) -> str:
    return str(headers.get("x-amz-target", "").rsplit(".", 1)[-1])


def members(body: bytes) -> dict[str, Any]:
    """Of a request. Empty if it is not valid."""
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def validation_error(faults: list[str]) -> Rejected:
    return Rejected(
        "ValidationException",
        f"{len(faults)} validation error{'s'[: len(faults) - 1]} detected: {'; '.join(faults)}",
    )


def page(items: list[Any], token: str | None, size: int, error: str) -> tuple[list[Any], str | None]:
    """The items from the token on, and the next page's token, if there is one."""
    start = token or "0"
    if not start.isdecimal() or int(start) > len(items):
        raise Rejected(error, "The token is not valid")
    following = int(start) + size
    return items[int(start) : following], str(following) if following < len(items) else None


def _answer(service: str, operations: Operations, headers: dict, body: bytes) -> tuple:
    try:
        found = _call(service, operations, operation_of(headers), json.loads(body or b"{}"))
    except Rejected as rejected:
        return tuple(error_response_json(rejected.code, rejected.message, 400, content_type=_JSON))
    return tuple(json_response(found, content_type=_JSON))


def _call(service: str, operations: Operations, operation: str, request: dict) -> dict:
    if operation not in operations:
        raise Rejected("UnknownOperationException", f"{operation} is not part of this local {service}.")
    if faults := service_shapes.request_faults(service, operation, request):
        raise validation_error(faults)
    answer = operations[operation](request)
    # An SDK drops unknown members, so no test would see them.
    if faults := service_shapes.answer_faults(service, operation, answer):
        raise AssertionError(f"{operation} answers what {service} never would: {'; '.join(faults)}")
    return answer
