"""Checks requests to the API against GitLab's OpenAPI description and documentation (`requests.yaml`).

GitLab ignores an unknown parameter. Here it is a fault, because the caller expects an effect.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

PREFIX = "/api/v4/"
REQUESTS: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "requests.yaml").read_text())


def request_faults(method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> list[str]:
    """The differences of this request from GitLab's description. None for a path without an operation."""
    for template in REQUESTS:
        if re.fullmatch(template.replace("{}", "[^/]+"), path.removeprefix(PREFIX)):
            operation = REQUESTS[template].get(method, {})
            found = [f"query: {name} is not described" for name in query if name not in operation.get("query", [])]
            return found + [f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message}"
                            for error in _validator(template, method).iter_errors(body)]
    return []


@cache
def _validator(template: str, method: str) -> Draft202012Validator:
    members = REQUESTS[template].get(method, {}).get("body", {})
    return Draft202012Validator({"additionalProperties": False, "properties": {
        name: {"enum": kind} if isinstance(kind, list) else {"type": kind.split("|")}
        for name, kind in members.items()}})
