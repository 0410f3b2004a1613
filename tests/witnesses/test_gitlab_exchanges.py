"""The requests of the function and the answers of the fake GitLab agree with what others define or recorded.

`tests/fake-aws/src/account/recorded_exchanges.rs` writes the exchanges of the fault tests.
"""

import os
from functools import cache
from pathlib import Path

from tests.witnesses.gitlab import WITNESSES, Exchange, recorded

FOLDER = Path(os.environ.get("RECORDED_CALLS") or "target/recorded-calls")


@cache
def exchanges() -> list[tuple[str, Exchange]]:
    found = recorded(FOLDER)
    command = (
        f"RECORDED_CALLS=$PWD/{FOLDER} make test-rust ARGUMENTS='--test \"faults_*\" --test health_check'"
    )
    assert found, f"no exchanges in {FOLDER}: {command}"
    return found


def test_requests_have_no_fault() -> None:
    faults = {f"{name}: {fault}" for name, exchange in exchanges() for fault in exchange.request_faults()}
    assert faults == set()


def test_answers_have_no_fault() -> None:
    faults = {f"{name}: {fault}" for name, exchange in exchanges() for fault in exchange.answer_faults()}
    assert faults == set()


def test_each_operation_with_a_witness_is_called() -> None:
    # Only the operator's command reads the version.
    assert {name for name, _ in exchanges()} == WITNESSES["operations"].keys() - {"GetMetadata"}
    assert all(name == exchange.operation for name, exchange in exchanges())
