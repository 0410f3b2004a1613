"""The first handler of each request: response URLs of custom resources, and the control API of the tests.

Every other request goes to MiniStack.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.app import app as ministack

from tests.local.aws import complaints
from tests.local.aws.cloudformation import custom_resources, response_urls
from tests.local.aws.ec2 import instance_metadata
from tests.local.aws.events import sending
from tests.local.aws.iam import decision_log
from tests.local.aws.iam import propagation as iam_propagation
from tests.local.aws.lambda_ import metrics as function_metrics
from tests.local.aws.secretsmanager import rotation, rotation_runs
from tests.local.aws.settings import settings

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    path = scope.get("path", "")
    if scope["type"] == "http" and path.startswith(response_urls.PREFIX):
        await _response(scope, receive, send)
    elif scope["type"] == "http" and path.startswith("/_local/"):
        await _control(scope["method"], path, await _body(receive), send)
    else:
        await complaints.compared(ministack, scope, receive, send)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _response(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    body = await _body(receive)
    headers = dict(scope["headers"])
    if scope["method"] != "PUT":
        await _answer(send, 403, b"", "application/xml")
        return
    status, answer = response_urls.put(
        scope["raw_path"].split(b"?")[0].decode(),
        scope["query_string"].decode(),
        headers.get(b"content-type", b"").decode(),
        body,
    )
    await _answer(send, status, answer, "application/xml")


async def _control(method: str, path: str, body: bytes, send: Send) -> None:
    """The control API, `/_local/…`: only `LocalAws` calls it."""
    reads: dict[str, Callable[[], Any]] = {
        "complaints": lambda: sorted(complaints.complaints),
        "decisions": decision_log.recorded,
        "exchanges": custom_resources.exchanges,
        "rotations": rotation_runs.recorded,
        "settings": settings.as_dict,
        "pending-events": sending.count_pending,
        "running-functions": function_metrics.running,
    }
    forgets = {
        "decisions": decision_log.forget,
        "exchanges": custom_resources.forget,
        "rotations": rotation_runs.forget,
    }
    does: dict[str, Callable[..., Any]] = {
        "days-later": rotation.days_later,
        "fire": sending.fire,
        "instance-metadata": instance_metadata.start,
        "put-iam-into-effect": iam_propagation.put_into_effect,
    }
    what = path.removeprefix("/_local/")
    status, answer = 200, None
    try:
        if method == "GET" and what in reads:
            answer = reads[what]()
        elif method == "DELETE" and what in forgets:
            forgets[what]()
        elif method == "PUT" and what == "settings":
            settings.change(json.loads(body))
            answer = settings.as_dict()
        elif method == "POST" and what in does:
            answer = does[what](**json.loads(body))
        else:
            status = 404
    except ValueError as error:
        status, answer = 400, {"message": str(error)}
    await _answer(send, status, json.dumps(answer).encode(), "application/json")
