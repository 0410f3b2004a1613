"""Checks requests and responses of the API against GitLab's OpenAPI description and documentation.

The description is in `openapi.yaml` and `openapi_reports.yaml`. It allows additional members everywhere. Here an
unlisted member is a fault, because GitLab ignores it in a request and never sends it in a response.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator


def _loaded() -> dict[str, Any]:
    """The description of both files. Each path and each schema is in only one of them."""
    merged: dict[str, Any] = {"paths": {}, "components": {"schemas": {}}}
    for name in ("openapi.yaml", "openapi_reports.yaml"):
        read = yaml.safe_load((Path(__file__).parent / name).read_text())
        merged["paths"] |= read["paths"]
        merged["components"]["schemas"] |= read["components"]["schemas"]
    return merged


DESCRIPTION = _loaded()
# Responses of every path (lib/api/api_guard.rb, lib/gitlab/rack_attack.rb): no operation lists them.
_ALWAYS_POSSIBLE = {403, 429, 500, 502, 503}


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in DESCRIPTION["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return operations.get(method.lower())
    return None


def is_described(method: str, path: str) -> bool:
    return _operation(method, path) is not None


def request_faults(method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> list[str]:
    """The differences of this request from GitLab's description."""
    operation = _operation(method, path)
    if operation is None:
        return []
    known = {parameter["name"] for parameter in operation.get("parameters", [])}
    found = [f"query: {name} is not described" for name in query if name not in known]
    schema = operation.get("requestBody")
    if schema is None:
        return found + [f"body: {name} is not described" for name in body]
    return found + _faults(schema["$ref"], body)


def answer_faults(method: str, path: str, status: int, body: Any) -> list[str]:
    """The differences of this response from the description. `body` is None if there is none."""
    operation = _operation(method, path)
    if operation is None or status in _ALWAYS_POSSIBLE:
        return []
    if str(status) not in operation["responses"]:
        return [f"status: {status} is not described"]
    schema = operation["responses"][str(status)]
    if schema is None:
        return [] if body is None else ["body: there should be none"]
    if "$ref" in schema:
        return _faults(schema["$ref"], body)
    if not isinstance(body, list):
        return ["body: a list is described"]
    return [fault for each in body for fault in _faults(schema["items"]["$ref"], each)]


def _faults(reference: str, value: Any) -> list[str]:
    validator = _validator(reference.rsplit("/", 1)[-1])
    return [f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message}"
            for error in validator.iter_errors(value)]


@cache
def _validator(name: str) -> Draft202012Validator:
    schemas = {"components": {"schemas": {key: _closed(schema) for key, schema in
                                          DESCRIPTION["components"]["schemas"].items()}}}
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **schemas})


def _closed(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema, and only the listed members."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key not in ("nullable", "x-widened")}
    if schema.get("nullable"):
        made = {"anyOf": [made, {"type": "null"}]}
    elif "properties" in made and isinstance(schema.get("type"), str):
        made.setdefault("additionalProperties", False)
    return made
