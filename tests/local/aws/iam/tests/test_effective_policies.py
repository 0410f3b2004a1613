"""A policy that is added while another thread reads the policies of a role or user."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from tests.local.aws.iam import effective_policies


def a_policy(action: str) -> str:
    return json.dumps({"Version": "2012-10-17",
                       "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def role(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    policies = {"one": a_policy("s3:GetObject"), "two": a_policy("s3:PutObject")}
    monkeypatch.setitem(iam._roles, "reader", {"InlinePolicies": policies})
    return policies


def user(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    policies = {"one": a_policy("s3:GetObject"), "two": a_policy("s3:PutObject")}
    monkeypatch.setitem(iam._users, "reader", {})
    monkeypatch.setitem(iam._user_inline_policies, "reader", policies)
    return policies


@pytest.mark.parametrize(("gather", "made"), [("_gather_role_policies", role), ("_gather_user_policies", user)])
def test_concurrent_policy_addition_is_seen_by_readers(gather: str,
                                                       made: Callable[[pytest.MonkeyPatch], dict[str, str]],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    policies = made(monkeypatch)
    parse = iam_evaluator.parse_policy_document

    def slow(document: Any) -> Any:
        # Simulates another thread's turn.
        policies.setdefault("three", a_policy("s3:ListBucket"))
        return parse(document)

    monkeypatch.setattr(iam_evaluator, "parse_policy_document", slow)
    ministacks = getattr(iam_evaluator, gather)
    assert len(effective_policies.undisturbed(ministacks)("reader", get_account_id())) == 3
    # Tests MiniStack's own function: delete this test and the patch once MiniStack is corrected.
    del policies["three"]
    with pytest.raises(RuntimeError):
        ministacks("reader", get_account_id())
