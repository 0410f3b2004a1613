"""The decisions that AWS documents, from `documented_decisions.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.local.policies.evaluation import Caller

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
