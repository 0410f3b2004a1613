"""The command that `make deploy` runs."""

import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from tests.cli.conftest import FakeAccount

from tools.run import deploy


def test_template_and_parameters_of_both_sources_are_passed(
        monkeypatch: pytest.MonkeyPatch, repository: Path, account: FakeAccount) -> None:
    run = MagicMock(return_value=MagicMock(returncode=0))
    monkeypatch.setattr(deploy.subprocess, "run", run)
    # tests/deployment/test_deploy_failures.py tests this.
    monkeypatch.setattr(deploy, "StackFailures", MagicMock())
    monkeypatch.setattr(sys, "argv", ["deploy.py", "--", "RotationSerial=2"])
    path = repository / "samconfig.toml"
    path.write_text(path.read_text().replace('    # "ProjectID=infra"', '    "ProjectID=shop"', 1))
    assert deploy.main() == 0
    # Without the template, sam prefers .aws-sam/build/template.yaml of an earlier `sam build`.
    assert [call.args for call in run.call_args_list] == [([
        "sam", "deploy", "--config-env", "dev", "--template-file", "template.yaml", "--parameter-overrides",
        'EnvID="dev"', 'ProjectID="shop"', 'RotationSerial="2"'],)]
