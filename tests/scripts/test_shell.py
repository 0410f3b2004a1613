"""The local AWS of `make shell` with the example events that succeed there, by events/README.md."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator

import pytest

from local.aws import LocalAws
from tests.deployment.steps import BOOTSTRAP
from tests.scripts.conftest import ROOT

import shell

EVENTS = ROOT / "events"
_FUNCTION = "cfn-gitops-dev"


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        shell.prepare(running)
        yield running


def documented_events() -> list[str]:
    [loop] = re.findall(r"^for event in (.*?); do$", (EVENTS / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return loop.replace("\\\n", " ").split()


def create_function(aws: LocalAws) -> None:
    """The built function with its role's rights. `make invoke` compiles it and runs it as the administrator."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        writing.writestr(entry, BOOTSTRAP.read_bytes())
    aws.client("lambda").create_function(
        FunctionName=_FUNCTION, Runtime="provided.al2023", Handler="bootstrap", Timeout=300,
        Role=f"arn:aws:iam::{aws.account_id}:role/role-dev-cfn-gitops", Code={"ZipFile": archive.getvalue()})


def test_documented_events_succeed_in_their_order(aws: LocalAws) -> None:
    create_function(aws)
    names = documented_events()
    assert names[0] == "create"
    for name in names:
        invoked = aws.client("lambda").invoke(FunctionName=_FUNCTION, Payload=(EVENTS / f"{name}.json").read_bytes())
        result = json.loads(invoked["Payload"].read())
        assert result.get("Status") == "SUCCESS", f"{name}: {result}"


def test_repository_and_users_exist_without_a_credential(aws: LocalAws) -> None:
    assert [one["repositoryName"] for one in aws.client("codecommit").list_repositories()["repositories"]] == [
        "codecommit-dev-cfn-infra"]
    iam = aws.client("iam")
    assert {user["UserName"] for user in iam.list_users()["Users"]} == {
        "user-dev-codecommit-mirroring", "user-dev-second-mirror"}
    assert iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"] == []
