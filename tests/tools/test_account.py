"""The requests of `make try` to an account."""

from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.environment.account import Account
from tools.trial import account as try_account

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "denied"}}, "ListServiceQuotas")


@pytest.mark.parametrize(
    ("quotas", "count"),
    [
        ({try_account.BUILDS: 0.0}, 1),
        ({try_account.BUILDS: 1.0}, 0),
        ({"another": 0.0}, 0),
        (DENIED, 0),
    ],
)
def test_account_without_builds_prevents_a_run(quotas: Any, count: int) -> None:
    account, pages = MagicMock(), MagicMock()
    pages.__iter__.side_effect = (
        quotas
        if isinstance(quotas, Exception)
        else [iter([{"Quotas": [{"QuotaName": name, "Value": value} for name, value in quotas.items()]}])]
    )
    account.session.client.return_value.get_paginator.return_value.paginate.return_value = pages
    problems = try_account.RemoteAccount(account).problems()
    assert len(problems) == count
    assert all(try_account.BUILDS in problem for problem in problems)


def test_long_calls_keep_their_connection() -> None:
    """Behind a NAT gateway an idle connection ends after 350 seconds."""
    account = Account(boto3.Session("key", "secret", region_name="eu-central-1"), "123456789012")
    client = try_account.RemoteAccount(account).client("lambda")
    assert client.meta.config.tcp_keepalive is True
