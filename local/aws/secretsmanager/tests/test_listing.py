"""ListSecrets' permissions, order and words. `tests/rules` has its other filters and its pages.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
"""

from __future__ import annotations

from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import a_user_with, allow, error_of


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def three(secrets: Any, name: str) -> str:
    """Their names begin with the test's."""
    for kind, tags in (("a", {"Owner": "stack/One"}), ("b", {"Owner": "stack/two", "Extra": ""}), ("c", {})):
        secrets.create_secret(Name=f"{name}-{kind}", Description=f"Secret {kind}", Tags=[
            {"Key": f"{name}:{key}", "Value": value} for key, value in tags.items()])
    return name


def found(secrets: Any, *filters: tuple[str, str], **more: Any) -> list[str]:
    """The last letters of the names."""
    pages = secrets.get_paginator("list_secrets").paginate(
        Filters=[{"Key": key, "Values": value.split("|")} for key, value in filters], **more)
    return [secret["Name"][-1] for page in pages for secret in page["SecretList"]]


def test_words_are_found_in_any_attribute(secrets: Any, three: str) -> None:
    assert found(secrets, ("all", f"{three}-C secret")) == ["c"]


def test_the_order_can_be_chosen(secrets: Any, three: str) -> None:
    assert found(secrets, ("name", three), SortBy="name", SortOrder="desc") == ["c", "b", "a"]


def test_the_list_can_be_late(aws: LocalAws, secrets: Any, three: str) -> None:
    aws.set(secrets_listed_after_seconds=300)
    assert found(secrets, ("name", three)) == []
    assert secrets.describe_secret(SecretId=f"{three}-a")["Name"] == f"{three}-a"


def test_listing_is_granted_on_all_resources_or_not_at_all(aws: LocalAws, three: str, name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
    one = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:*"
    without = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:ListSecrets", one)))
    assert error_of(without.list_secrets)[0] == "AccessDeniedException"
    able = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", allow("secretsmanager:ListSecrets", "*")))
    assert found(able, ("name", three)) == ["a", "b", "c"]
