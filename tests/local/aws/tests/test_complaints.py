"""Which requests and answers the local AWS complains about."""

import asyncio
import json
from typing import Any

import pytest

from tests.local.aws import complaints

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20261128/eu-central-1/secretsmanager/aws4_request,"
    " SignedHeaders=host"
)


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "complaints", set())
    monkeypatch.setattr(complaints, "_seen", set())


def complaints_about(
    request: dict[str, Any],
    answer: bytes,
    status: int = 200,
    authorization: str = SIGNED,
    operation: str = "DescribeSecret",
) -> list[str]:
    headers = {"authorization": authorization, "x-amz-target": f"secretsmanager.{operation}"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def app(_scope: Any, receive: complaints.Receive, send: complaints.Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(request).encode()}

    async def send(_message: dict[str, Any]) -> None:
        pass

    asyncio.run(complaints.compared(app, scope, receive, send))
    return sorted(complaints.complaints)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b'{"Name":"a","CreatedDate":1.5}', ""),
        (b'{"Name":"a","Names":[]}', 'Unknown parameter in input: "Names"'),
        (b'{"Name":null}', "Invalid type for parameter Name"),
        (
            b'{"CreatedDate":"2026-11-28T12:00:00Z"}',
            "Value '2026-11-28T12:00:00Z' at 'CreatedDate' is not a time",
        ),
        (b"{", "Invalid type for parameter"),
    ],
)
def test_fault_of_an_answer_is_a_complaint(answer: bytes, complaint: str) -> None:
    found = complaints_about({"SecretId": "a"}, answer)
    assert [one.removeprefix("secretsmanager:DescribeSecret: ")[: len(complaint)] for one in found] == [
        complaint
    ] * bool(complaint)


@pytest.mark.parametrize(
    "request_body",
    [
        {"SecretId": "a", "SecretString": ["p4ssw0rd"]},
        {"SecretId": "a", "SecretString": "p4ssw0rd" * 10_000},
        {"SecretId": "a", "SecretString": "a", "VersionStages": "a\np4ssw0rd, type: a"},
    ],
)
def test_complaint_shows_no_secret(request_body: dict[str, Any]) -> None:
    [complaint] = complaints_about(request_body, b"{}", operation="PutSecretValue")
    assert "p4ssw0rd" not in complaint


def test_unsigned_request_is_not_compared() -> None:
    assert complaints_about({"Secret": "a"}, b"{}", authorization="") == []


def test_long_answer_is_compared() -> None:
    long = "a" * 1_000_001
    [complaint] = complaints_about({"SecretId": "a"}, json.dumps({"Name": "a", "Names": long}).encode())
    assert 'Unknown parameter in input: "Names"' in complaint


def test_accepted_request_with_a_fault_is_a_complaint() -> None:
    rejected = b'{"__type":"ValidationException"}'
    assert complaints_about({"SecretId": ""}, rejected, status=400) == []
    [complaint] = complaints_about({"SecretId": ""}, b"{}")
    assert complaint.startswith("secretsmanager:DescribeSecret: Invalid length for parameter SecretId")


def test_unknown_operation_is_a_complaint() -> None:
    [complaint] = complaints_about({}, b"{}", authorization=SIGNED.replace("secretsmanager", "codebuild"))
    assert "DescribeSecret" in complaint
