"""ListSecrets: its filters and its pages, in the order of creation.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
"""

import base64
import json
from functools import partial
from typing import Any

from ministack.core.responses import json_response
from ministack.services import secretsmanager as service

from tests.local.aws.json_api import Rejected
from tests.local.aws.secretsmanager.versions import answer

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html: these match prefixes and are
# case-sensitive. Other keys, negation and other orders are not implemented.
_KEYS = {"name", "tag-key"}
_MOST_FILTERS = _MOST_VALUES = 10
_LONGEST_PAGE = 100
_NOT_LISTED = ("ReplicationStatus",)


def install() -> None:
    service._list_secrets = partial(answer, _list_secrets)


def _list_secrets(request: dict[str, Any]) -> tuple:
    filters, longest = request.get("Filters") or [], request.get("MaxResults", _LONGEST_PAGE)
    if request.keys() & {"SortBy", "SortOrder"}:
        raise Rejected("InvalidParameterException", "SortBy and SortOrder are not implemented.")
    _check_filters(filters)
    if not 1 <= longest <= _LONGEST_PAGE:
        raise Rejected("InvalidParameterException", f"MaxResults must be between 1 and {_LONGEST_PAGE}.")
    try:
        start = int(base64.b64decode(request["NextToken"], validate=True)) if request.get("NextToken") else 0
    except ValueError:
        raise Rejected("InvalidNextTokenException", "The NextToken value is invalid.") from None
    # "If not specified, secrets are listed by CreatedDate."
    listed = sorted(
        (
            held
            for held in service._secrets.values()
            if request.get("IncludePlannedDeletion") or not held.get("DeletedDate")
        ),
        key=lambda held: (held["CreatedDate"], held["Name"]),
    )
    # "Secrets Manager includes this value if there's more output available than what is included in the
    # current response. This can occur even when the response includes no values at all, such as when you ask
    # for a filtered view of a long list." So each page is filtered, not the list.
    page = listed[start : start + longest]
    shown: dict[str, Any] = {"SecretList": [_entry(held) for held in page if _passes(held, filters)]}
    if start + longest < len(listed):
        shown["NextToken"] = base64.b64encode(str(start + longest).encode()).decode()
    return json_response(shown)


def _check_filters(filters: list[dict[str, Any]]) -> None:
    if len(filters) > _MOST_FILTERS:
        raise Rejected("InvalidParameterException", f"At most {_MOST_FILTERS} filters are allowed.")
    for given in filters:
        if any(value.startswith("!") for value in given.get("Values") or []):
            raise Rejected("InvalidParameterException", "Negation is not implemented.")
        if given.get("Key") not in _KEYS or not 1 <= len(given.get("Values") or []) <= _MOST_VALUES:
            raise Rejected(
                "InvalidParameterException",
                f"A filter has one of the keys {', '.join(sorted(_KEYS))}, and 1 to {_MOST_VALUES} values.",
            )


def _passes(held: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    """Filters are joined by AND, a filter's values by OR."""
    return all(any(_matches(held, given["Key"], value) for value in given["Values"]) for given in filters)


def _matches(held: dict[str, Any], key: str, value: str) -> bool:
    texts = [held["Name"]] if key == "name" else [tag["Key"] for tag in held.get("Tags") or []]
    return any(text.startswith(value) for text in texts)


def _entry(held: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html"""
    described: dict[str, Any] = json.loads(service._describe_secret({"SecretId": held["ARN"]})[2])
    described["SecretVersionsToStages"] = described.pop("VersionIdsToStages", {})
    return {key: value for key, value in described.items() if key not in _NOT_LISTED}
