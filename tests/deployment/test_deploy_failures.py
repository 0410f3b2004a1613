"""The output of `make deploy` if `sam deploy` fails: the resources and CloudFormation's reasons. After `sam
deploy` alone,
`cfn-gitops failures` shows the same.

An AWS of its own, in which prd was never deployed.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.conftest import Production
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play.steps import ROOT

GROUP = "/aws/lambda/cfn-gitops-prd"
PAGE = ROOT / "docs/runbook/failed-stack.md"


@pytest.fixture
def empty_account() -> Iterator[LocalAws]:
    with LocalAws(settings=IAM_IS_LATE) as running:
        yield running


@pytest.fixture
def production(empty_account: LocalAws, tmp_path: Path) -> Production:
    return Production(empty_account, tmp_path)


def shown(printed: str) -> list[str]:
    """The end of the printed output, without values that differ each time."""
    lines = printed.splitlines()
    begin = next(index for index, line in enumerate(lines) if "what failed" in line)
    return [re.sub(r"\(RequestId: [-0-9a-f]{36}\)", "(RequestId: …)", line) for line in lines[begin:]]


def test_taken_name_is_printed_with_its_resource(empty_account: LocalAws, production: Production) -> None:
    empty_account.client("logs").create_log_group(logGroupName=GROUP)
    status, printed = production.run("deploy", "--yes")
    assert status != 0 and "AWS::EarlyValidation::ResourceExistenceCheck" in printed, printed
    # The page has the printed output.
    assert "\n".join(shown(printed)) in PAGE.read_text()
    status, failures = production.run("failures")
    assert (status, failures.split("\n", 1)[1]) == (1, "\n".join([*shown(printed), ""]))
    # A failure is printed once: the next one has another cause.
    empty_account.client("logs").delete_log_group(logGroupName=GROUP)
    empty_account.client("iam").create_user(UserName="user-prd-codecommit-mirroring")
    status, printed = production.run("deploy", "--yes")
    assert status != 0 and GROUP not in "".join(shown(printed)), printed
    assert "user-prd-codecommit-mirroring' already exists" in "".join(shown(printed))
    assert shown(production.run("failures")[1]) == shown(printed)


def test_failed_resource_is_printed_with_its_reason(production: Production) -> None:
    status, printed = production.run(
        "deploy", "--yes", "--", "GitLabProject=platform/infra", "GitLabTokenSecretId=gitlab/absent"
    )
    assert status != 0
    assert "gitlab/absent" in "".join(shown(printed)), printed
    assert "cancelled" not in "".join(shown(printed))
    assert shown(production.run("failures")[1]) == shown(printed)
    # Those of the operation before the deletion.
    production.delete()
    status, failures = production.run("failures", production.id)
    assert status == 1 and shown(failures) == shown(printed)
