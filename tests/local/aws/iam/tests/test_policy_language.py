"""The evaluator of all requests decides as AWS documents (`tests/policies/documented_decisions.yaml`).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext

from tests.local.aws.iam import policy_language
from tests.policies.documented_decisions import ACCOUNT, ROWS, caller, document

_PATCHED = (
    "_first_match",
    "_conditions_met",
    "_principal_matches",
    "evaluate_resource_policy",
    "_resolve_condition_key",
)
# Values that a request has of its own, and that a test cannot set.
_OF_THE_REQUEST = {"aws:principalaccount", "aws:principalarn", "aws:requestedregion"}
# MiniStack omits a policy's version, these accounts have no organisation, and the evaluation of a resource's
# policy does not include boundaries.
_NOT_HERE = ("A denial that excepts principals always hits those with a permissions boundary",)


@pytest.fixture(autouse=True)
def evaluator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for each in _PATCHED:
        monkeypatch.setattr(iam_evaluator, each, getattr(iam_evaluator, each))
    policy_language.install()
    yield


def is_ours(fact: dict[str, Any], row: dict[str, Any]) -> bool:
    keys = row.get("keys") or {}
    return not (
        row.get("control_policies")
        or fact.get("control_policies")
        or fact.get("version")
        or fact["fact"] in _NOT_HERE
        or row.get("caller", "").startswith("root")
        or any(value is None or key.lower() in _OF_THE_REQUEST for key, value in keys.items())
    )


OURS = [(fact, row) for fact, row in ROWS if is_ours(fact, row)]


def decision(fact: dict[str, Any], row: dict[str, Any]) -> str:
    who, owner = caller(fact, row), fact.get("owner", ACCOUNT)
    policy = document(fact["policy"], "2012-10-17") if "policy" in fact else None
    keys = {key.lower(): value for key, value in (row.get("keys") or {}).items()}
    if who.service:
        keys = {**who.keys(), **keys}
    context = EvalContext(
        principal_arn=who.service or who.session_arn or who.arn,
        principal_account=who.account,
        principal_type="Service" if who.service else "User" if who.user else "AssumedRole",
        action=row["action"],
        resource_arn=row["resource"],
        region="eu-central-1",
        service_context=keys,
        principal_keys={
            key: value
            for key, value in who.keys().items()
            if key.startswith("aws:principaltag/") or key == "aws:username"
        },
        secure_transport=str(keys.get("aws:securetransport", "true")) == "true",
        source_ip=str(keys.get("aws:sourceip", "192.0.2.1")),
    )
    if who.service:
        return str(iam_evaluator.evaluate_resource_policy(policy, context, service=who.service).decision)
    limits = [[iam_evaluator.parse_policy_document(each)] for each in (who.boundary,) if each]
    if who.session_policies:
        limits.append([iam_evaluator.parse_policy_document(each) for each in who.session_policies])
    found = iam_evaluator.evaluate(
        context, [iam_evaluator.parse_policy_document(each) for each in who.identity], *limits
    )
    if policy is not None or owner != who.account:
        needed = row["action"].startswith(("kms:", "sts:AssumeRole"))
        found = iam_evaluator.combine_resource_policy(
            found, context, policy, owner, required=needed, limits=tuple(limits)
        )
    return str(found.decision)


@pytest.mark.parametrize(
    ("fact", "row"), OURS, ids=[f"{fact['fact']}: {row['action']} {row['resource']}" for fact, row in OURS]
)
def test_it_decides_as_aws_documents(fact: dict[str, Any], row: dict[str, Any]) -> None:
    assert ("allowed" if decision(fact, row) == "Allow" else "denied") == row["is"]


def test_most_documented_requests_are_made() -> None:
    assert len(OURS) > 0.85 * len(ROWS)
