"""The evaluator held against what AWS documents."""

from pathlib import Path

import pytest
import yaml

from local.policies.evaluation import Caller, decide

FACTS = yaml.safe_load((Path(__file__).parent / "documented_decisions.yaml").read_text())
ACCOUNT = "111122223333"
ROWS = [(fact, row) for fact in FACTS for row in fact["decisions"]]


def document(statements, version):
    return {"Version": version, "Statement": statements}


def caller(fact, row):
    def of(name):
        return row.get(name, fact.get(name)) or []

    version = fact.get("version", "2012-10-17")
    kind, _, name = row.get("caller", "role/caller").partition("/")
    if kind == "service":
        return Caller(service=name)
    name, _, account = name.partition("@")
    return Caller(
        account=account or ACCOUNT,
        user=name if kind == "user" else "",
        role=name if kind == "role" else "",
        session=row.get("session", "session"),
        identity=None if kind == "root" else (document(of("identity"), version),),
        boundary=document(of("boundary"), version) if of("boundary") else None,
        session_policies=(document(of("session_policy"), version),) if of("session_policy") else (),
        control_policies=tuple([document(level, version)] for level in of("control_policies")),
        tags=row.get("tags", {}),
    )


def decided(fact, row):
    policy = document(fact["policy"], fact.get("version", "2012-10-17")) if "policy" in fact else None
    return decide(caller(fact, row), row["action"], row["resource"], fact.get("owner", ACCOUNT), policy, row.get("keys"))


def name(fact, row):
    return f"{fact['fact']}: {row.get('caller', 'role/caller')} {row['action']} {row['resource']}"


@pytest.mark.parametrize(("fact", "row"), ROWS, ids=[name(*row) for row in ROWS])
def test_it_decides_as_aws_documents(fact, row):
    decision = decided(fact, row)
    assert ("allowed" if decision else "denied") == row["is"], decision.reason


def test_every_fact_says_where_aws_documents_it():
    assert [fact["fact"] for fact in FACTS if not fact["source"].startswith("https://docs.aws.amazon.com/")] == []
    assert len({fact["fact"] for fact in FACTS}) == len(FACTS) >= 60


@pytest.mark.parametrize("outcome", ["allowed", "denied"])
def test_an_evaluator_that_always_says_the_same_fails(outcome):
    assert any(row["is"] != outcome for _, row in ROWS)
