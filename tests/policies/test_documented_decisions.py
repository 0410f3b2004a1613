"""The evaluator decides as AWS documents."""

import pytest

from tests.local.policies.evaluation import decide
from tests.policies.documented_decisions import ACCOUNT, FACTS, ROWS, caller, document


def decided(fact, row):
    policy = document(fact["policy"], fact.get("version", "2012-10-17")) if "policy" in fact else None
    return decide(
        caller(fact, row), row["action"], row["resource"], fact.get("owner", ACCOUNT), policy, row.get("keys")
    )


def name(fact, row):
    return f"{fact['fact']}: {row.get('caller', 'role/caller')} {row['action']} {row['resource']}"


@pytest.mark.parametrize(("fact", "row"), ROWS, ids=[name(*row) for row in ROWS])
def test_it_decides_as_aws_documents(fact, row):
    decision = decided(fact, row)
    assert ("allowed" if decision else "denied") == row["is"], decision.reason


def test_every_fact_cites_its_aws_page():
    assert [
        fact["fact"] for fact in FACTS if not fact["source"].startswith("https://docs.aws.amazon.com/")
    ] == []
    assert len({fact["fact"] for fact in FACTS}) == len(FACTS) >= 50
