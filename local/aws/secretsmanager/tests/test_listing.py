"""ListSecrets' filters and pages.

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


def test_a_name_is_found_by_its_beginning_and_with_its_case(secrets: Any, three: str) -> None:
    assert found(secrets, ("name", three)) == ["a", "b", "c"]
    assert found(secrets, ("name", f"{three}-b")) == ["b"]
    assert found(secrets, ("name", f"{three}-a|{three}-c")) == ["a", "c"]
    assert found(secrets, ("name", three.upper())) == []
    assert found(secrets, ("name", three[1:])) == []


def test_a_tag_is_found_by_the_beginning_of_its_key_or_value(secrets: Any, three: str) -> None:
    assert found(secrets, ("tag-key", f"{three}:")) == ["a", "b"]
    assert found(secrets, ("tag-key", f"{three}:owner")) == []
    assert found(secrets, ("tag-key", f"{three}:Owner"), ("tag-value", "stack/t")) == ["b"]
    assert found(secrets, ("name", three), ("tag-key", f"!{three}:")) == ["c"]
    assert found(secrets, ("name", three), ("description", "secret A")) == ["a"]
    assert found(secrets, ("all", f"{three}-C secret")) == ["c"]


def test_filters_apply_per_page_so_a_page_can_be_empty(secrets: Any, three: str) -> None:
    wanted = [{"Key": "name", "Values": [f"{three}-c"]}]
    pages = list(secrets.get_paginator("list_secrets").paginate(Filters=wanted, PaginationConfig={"PageSize": 1}))
    assert [secret["Name"] for page in pages for secret in page["SecretList"]] == [f"{three}-c"]
    assert len(pages) >= 3 and any(not page["SecretList"] for page in pages)


def test_list_entry_equals_the_description_without_a_value(secrets: Any, name: str) -> None:
    made = secrets.create_secret(Name=name, SecretString="sentinel", Tags=[{"Key": "k", "Value": "v"}])
    entry = secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}], MaxResults=100)["SecretList"]
    assert [(shown["ARN"], shown["Tags"], shown["SecretVersionsToStages"]) for shown in entry] == [
        (made["ARN"], [{"Key": "k", "Value": "v"}], {made["VersionId"]: ["AWSCURRENT"]})]
    assert "sentinel" not in str(entry) and "RotationEnabled" not in entry[0]


def test_secret_scheduled_for_deletion_is_listed_on_request(secrets: Any, three: str) -> None:
    secrets.delete_secret(SecretId=f"{three}-a", RecoveryWindowInDays=7)
    assert found(secrets, ("name", three)) == ["b", "c"]
    assert found(secrets, ("name", three), IncludePlannedDeletion=True) == ["a", "b", "c"]


def test_the_order_can_be_chosen(secrets: Any, three: str) -> None:
    assert found(secrets, ("name", three), SortBy="name", SortOrder="desc") == ["c", "b", "a"]


def test_the_list_can_be_late(aws: LocalAws, secrets: Any, three: str) -> None:
    aws.set(secrets_listed_after_seconds=300)
    assert found(secrets, ("name", three)) == []
    assert secrets.describe_secret(SecretId=f"{three}-a")["Name"] == f"{three}-a"


def test_invalid_filter_or_token_is_rejected(secrets: Any) -> None:
    assert error_of(secrets.list_secrets, Filters=[{"Key": "tag", "Values": ["a"]}])[0] == "InvalidParameterException"
    assert error_of(secrets.list_secrets, NextToken="?")[0] == "InvalidNextTokenException"


def test_listing_is_granted_on_all_resources_or_not_at_all(aws: LocalAws, three: str, name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
    one = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:*"
    without = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:ListSecrets", one)))
    assert error_of(without.list_secrets)[0] == "AccessDeniedException"
    able = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", allow("secretsmanager:ListSecrets", "*")))
    assert found(able, ("name", three)) == ["a", "b", "c"]
