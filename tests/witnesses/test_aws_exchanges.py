"""The requests of the function and the answers of the fake AWS agree with botocore's models.

`tests/fake-aws/src/account/recorded_exchanges.rs` writes the exchanges of the fault tests.
"""

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.witnesses.aws import FAULTS_OF_THE_MODELS, Exchange, recorded, table

FOLDER = Path(os.environ.get("RECORDED_CALLS") or "target/recorded-calls")
# Each is the beginning of a fault, with the reason why it may stay.
ALLOWED = {
    **dict.fromkeys(FAULTS_OF_THE_MODELS, "AWS has it, too"),
    # The tests' own values, which AWS would not send.
    "cloudformation:DescribeStackResource: Value 'NEW'": "a status that CloudFormation may add",
    "codepipeline:ListActionExecutions: Value 'Skipped'": "a status that CodePipeline may add",
    "cloudformation:ListStackResources: Value 'NEW'": "the same",
    "codepipeline:GetPipelineState: Value 'Black": "a hostile text",
    "codepipeline:GetPipelineState: Value 'sale": "a hostile text",
}
# The tests' executions and approvals have short names. The setting `unknown-statuses` has `SETTLING` in each,
# and a value that AWS may add is called FUTURE.
OF_TESTS = re.compile(
    r"Value '(?:[\w-]+' at"
    r" '(?:[\w.]*\.)?(?:pipelineExecutionId|token)'|\w+_SETTLING_IN_PROGRESS'|FUTURE(?:_VALUE)?')"
)


@cache
def exchanges() -> list[Exchange]:
    found = list(recorded(FOLDER))
    command = (
        f"RECORDED_CALLS=$PWD/{FOLDER} make test-rust ARGUMENTS='--test \"faults_*\" --test health_check'"
    )
    assert found, f"no exchanges in {FOLDER}: {command}"
    return found


def unexpected(faults: Iterable[str]) -> list[str]:
    return sorted(
        {fault for fault in faults if not any(map(fault.startswith, ALLOWED)) and not OF_TESTS.search(fault)}
    )


def request_faults() -> set[str]:
    return {f"{one.name}: {fault}" for one in exchanges() for fault in one.request_faults()}


def answer_faults() -> set[str]:
    return {f"{one.name}: {fault}" for one in exchanges() for fault in one.answer_faults()}


def test_requests_agree_with_the_models() -> None:
    assert unexpected(request_faults()) == []


def test_answers_agree_with_the_models() -> None:
    assert unexpected(answer_faults()) == []


def test_table_has_exactly_the_operations_of_the_function() -> None:
    assert {one.name for one in exchanges()} == table().keys()
