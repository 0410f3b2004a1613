"""Compares each request of a client, and its answer, with botocore's models: `LocalAws.raises_complaints`.

An exchange is compared once, even if a client repeats it for minutes. Only its hash and its faults are kept.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from botocore.model import ServiceModel

from tests.local.aws import service_shapes
from tests.witnesses import aws_rest
from tests.witnesses.aws import FAULTS_OF_THE_MODELS, Exchange

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# The names of a request's signature, if they are not those of the models.
_MODELS = {
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
# EC2 has a protocol of its own. The tests alone call it, for a launch template.
_NOT_COMPARED = ("ec2",)
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_ACTION = re.compile(r"(?:^|&)Action=(\w+)")
_REQUEST_ID = re.compile(rb"<RequestId>[^<]*")
_LONG = 1_000_000

complaints: set[str] = set()
_seen: set[int] = set()


async def compared(app: App, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    headers = {name.decode().lower(): value.decode() for name, value in scope.get("headers", ())}
    signed_for = _SIGNED_FOR.search(headers.get("authorization", ""))
    if signed_for is None or signed_for[1] in _NOT_COMPARED:
        await app(scope, receive, send)
        return
    sent: list[bytes] = []
    received: list[bytes] = []
    head: dict[str, Any] = {}

    async def receiving() -> dict[str, Any]:
        message = await receive()
        sent.append(message.get("body", b""))
        return message

    async def sending(message: dict[str, Any]) -> None:
        head.update(message if "status" in message else {})
        received.append(message.get("body", b""))
        await send(message)

    await app(scope, receiving, sending)
    request = {
        "method": scope["method"],
        "host": headers.get("host", ""),
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": headers,
        "body": b"".join(sent),
    }
    # Without a status if the client has closed the connection.
    if "status" in head:
        answered = {name.decode().lower(): value.decode() for name, value in head["headers"]}
        response = {"status": head["status"], "headers": answered, "body": b"".join(received)}
        _compare(_MODELS.get(signed_for[1], signed_for[1]), request, response)


def _compare(service: str, request: dict[str, Any], response: dict[str, Any]) -> None:
    form = hash(
        (
            service,
            request["method"],
            request["path"],
            request["query"],
            request["headers"].get("x-amz-target"),
            request["body"],
            response["status"],
            _REQUEST_ID.sub(b"", response["body"]),
        )
    )
    if form in _seen:
        return
    _seen.add(form)
    try:
        faults = list(_faults(service, request, response))
    except Exception as error:  # no client could read the answer
        # The answer may contain a secret.
        called = request["headers"].get("x-amz-target", request["path"])
        faults = [
            f"{service}: {type(error).__name__}: {request['method']} {called}, status {response['status']}"
        ]
    complaints.update(fault for fault in faults if not fault.startswith(FAULTS_OF_THE_MODELS))


def _faults(service: str, request: dict[str, Any], response: dict[str, Any]) -> Iterator[str]:
    """A faulty request may be rejected, but not accepted."""
    operation = _operation(service_shapes.service(service), request)
    if operation is None:
        yield f"{service}: {request['method']} {request['path']}?{request['query']} is not an operation"
        return
    exchange = Exchange(
        service, operation, *({**each, "body": _content(each["body"])} for each in (request, response))
    )
    found = exchange.answer_faults() + (exchange.request_faults() if response["status"] < 300 else [])
    yield from (f"{exchange.name}: {fault}" for fault in found)


def _operation(service: ServiceModel, request: dict[str, Any]) -> str | None:
    if target := request["headers"].get("x-amz-target"):
        return str(target).rpartition(".")[2]
    if service.metadata["protocol"] == "query":
        found = _ACTION.search(request["body"].decode())
        return found[1] if found else None
    return aws_rest.operation_of(service, request)


def _content(body: bytes) -> Any:
    """Its JSON, or its text. A long text is an object of S3, whose content has no rules."""
    is_json = body[:1] in (b"{", b"[")
    text = body.decode(errors="replace") if is_json or len(body) < _LONG else ""
    try:
        return json.loads(text) if is_json else text
    except ValueError:
        return text
