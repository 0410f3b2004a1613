"""ListSecrets: its filters, its order and its pages.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as service

from local.aws.settings import settings

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html: the values that a filter compares, and
# whether it is case-sensitive. All of them match prefixes.
_MIND_THE_CASE = {"name", "tag-key", "tag-value", "primary-region", "owning-service"}
_KEYS = _MIND_THE_CASE | {"description", "all"}
_MOST_FILTERS = _MOST_VALUES = 10
_LONGEST_PAGE = 100
_SORTED_BY = {"created-date": "CreatedDate", "last-accessed-date": "LastAccessedDate",
              "last-changed-date": "LastChangedDate", "name": "Name"}
_NOT_LISTED = ("ReplicationStatus",)


def install() -> None:
    service._list_secrets = _list_secrets


def _rejected(code: str, message: str) -> tuple:
    answer: tuple = error_response_json(code, message, 400)
    return answer


def _list_secrets(request: dict[str, Any]) -> tuple:
    filters, longest = request.get("Filters") or [], request.get("MaxResults", _LONGEST_PAGE)
    if fault := _filter_fault(filters):
        return _rejected("InvalidParameterException", fault)
    if not 1 <= longest <= _LONGEST_PAGE:
        return _rejected("InvalidParameterException", f"MaxResults must be between 1 and {_LONGEST_PAGE}.")
    try:
        start = int(base64.b64decode(request["NextToken"], validate=True)) if request.get("NextToken") else 0
    except ValueError:
        return _rejected("InvalidNextTokenException", "The NextToken value is invalid.")
    listed = sorted(_listed(bool(request.get("IncludePlannedDeletion"))), key=lambda held: _place(request, held),
                    reverse=request.get("SortOrder") == "desc")
    # "Secrets Manager includes this value if there's more output available than what is included in the current
    # response. This can occur even when the response includes no values at all, such as when you ask for a filtered
    # view of a long list." So each page is filtered, not the list.
    page = listed[start:start + longest]
    answer: dict[str, Any] = {"SecretList": [_entry(held) for held in page if _passes(held, filters)]}
    if start + longest < len(listed):
        answer["NextToken"] = base64.b64encode(str(start + longest).encode()).decode()
    return json_response(answer)


def _listed(with_deleted: bool) -> list[dict[str, Any]]:
    """"ListSecrets might not reflect changes from the last five minutes": `settings` has the delay of new ones."""
    known_until = time.time() - settings.secrets_listed_after_seconds
    return [held for held in service._secrets.values()
            if (with_deleted or not held.get("DeletedDate")) and (
                not settings.secrets_listed_after_seconds or held["CreatedDate"] <= known_until)]


def _place(request: dict[str, Any], held: dict[str, Any]) -> tuple[Any, str]:
    """"If not specified, secrets are listed by CreatedDate." """
    key = _SORTED_BY.get(request.get("SortBy", "created-date"), "CreatedDate")
    return held.get(key) or 0, held["Name"]


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
    if key == "all":  # "Breaks the filter value string into words and then searches all attributes for matches."
        found = all(any(word.lower() in text.lower() for text in _texts(held, "all")) for word in wanted.split())
    elif key in _MIND_THE_CASE:
        found = any(text.startswith(wanted) for text in _texts(held, key))
    else:
        found = any(text.lower().startswith(wanted.lower()) for text in _texts(held, key))
    return found != negated


def _texts(held: dict[str, Any], key: str) -> list[str]:
    tags = held.get("Tags") or []
    by_key = {
        "name": [held["Name"]], "description": [held.get("Description") or ""],
        "tag-key": [tag["Key"] for tag in tags], "tag-value": [tag.get("Value", "") for tag in tags],
        "primary-region": [held.get("_PrimaryRegion") or ""], "owning-service": [],
    }
    return by_key[key] if key != "all" else [text for texts in by_key.values() for text in texts]


def _entry(held: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html"""
    described: dict[str, Any] = json.loads(service._describe_secret({"SecretId": held["ARN"]})[2])
    described["SecretVersionsToStages"] = described.pop("VersionIdsToStages", {})
    return {key: value for key, value in described.items() if value is not None and key not in _NOT_LISTED}
