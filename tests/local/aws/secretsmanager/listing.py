"""ListSecrets: its filters and its pages, in the order of creation.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import secretsmanager as service

from tests.local.aws.secretsmanager.versions import rejected

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html: the values that a filter compares, and
# whether it is case-sensitive. All of them match prefixes. Its other keys, and other orders, are not implemented.
_MIND_THE_CASE = {"name", "tag-key", "tag-value"}
_KEYS = _MIND_THE_CASE | {"description"}
_MOST_FILTERS = _MOST_VALUES = 10
_LONGEST_PAGE = 100
_NOT_LISTED = ("ReplicationStatus",)


def install() -> None:
    service._list_secrets = _list_secrets


def _list_secrets(request: dict[str, Any]) -> tuple:
    filters, longest = request.get("Filters") or [], request.get("MaxResults", _LONGEST_PAGE)
    if request.keys() & {"SortBy", "SortOrder"}:
        return rejected("InvalidParameterException", "SortBy and SortOrder are not implemented.")
    if fault := _filter_fault(filters):
        return rejected("InvalidParameterException", fault)
    if not 1 <= longest <= _LONGEST_PAGE:
        return rejected("InvalidParameterException", f"MaxResults must be between 1 and {_LONGEST_PAGE}.")
    try:
        start = int(base64.b64decode(request["NextToken"], validate=True)) if request.get("NextToken") else 0
    except ValueError:
        return rejected("InvalidNextTokenException", "The NextToken value is invalid.")
    # "If not specified, secrets are listed by CreatedDate."
    listed = sorted((held for held in service._secrets.values()
                     if request.get("IncludePlannedDeletion") or not held.get("DeletedDate")),
                    key=lambda held: (held["CreatedDate"], held["Name"]))
    # "Secrets Manager includes this value if there's more output available than what is included in the current
    # response. This can occur even when the response includes no values at all, such as when you ask for a filtered
    # view of a long list." So each page is filtered, not the list.
    page = listed[start:start + longest]
    answer: dict[str, Any] = {"SecretList": [_entry(held) for held in page if _passes(held, filters)]}
    if start + longest < len(listed):
        answer["NextToken"] = base64.b64encode(str(start + longest).encode()).decode()
    return json_response(answer)


def _filter_fault(filters: list[dict[str, Any]]) -> str:
    if len(filters) > _MOST_FILTERS:
        return f"At most {_MOST_FILTERS} filters are allowed."
    for given in filters:
        if given.get("Key") not in _KEYS:
            return f"Invalid filter key {given.get('Key')}; known are {', '.join(sorted(_KEYS))}."
        if not 1 <= len(given.get("Values") or []) <= _MOST_VALUES:
            return f"A filter has 1 to {_MOST_VALUES} values."
    return ""


def _passes(held: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    """Filters are joined by AND, a filter's values by OR."""
    return all(any(_matches(held, given["Key"], value) for value in given["Values"]) for given in filters)


def _matches(held: dict[str, Any], key: str, value: str) -> bool:
    """"You can prefix your search value with an exclamation mark (!) in order to perform negation filters." """
    negated, wanted = value.startswith("!"), value.removeprefix("!")
    if key in _MIND_THE_CASE:
        found = any(text.startswith(wanted) for text in _texts(held, key))
    else:
        found = any(text.lower().startswith(wanted.lower()) for text in _texts(held, key))
    return found != negated


def _texts(held: dict[str, Any], key: str) -> list[str]:
    tags = held.get("Tags") or []
    return {"name": [held["Name"]], "description": [held.get("Description") or ""],
            "tag-key": [tag["Key"] for tag in tags], "tag-value": [tag.get("Value", "") for tag in tags]}[key]


def _entry(held: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html"""
    described: dict[str, Any] = json.loads(service._describe_secret({"SecretId": held["ARN"]})[2])
    described["SecretVersionsToStages"] = described.pop("VersionIdsToStages", {})
    return {key: value for key, value in described.items() if value is not None and key not in _NOT_LISTED}
