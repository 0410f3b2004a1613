"""The arguments that `make deploy` passes to sam."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.tools.conftest import FakeAccount

import deploy  # isort: skip


class Run:
    """`deploy.py`. Records the sam command that it would run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.sam: list[str] = []
        monkeypatch.setattr(deploy.subprocess, "run", self._ran)
        # tests/deployment/test_deploy_failures.py tests this.
        monkeypatch.setattr(deploy.stack_failures, "StackFailures", MagicMock())

    def _ran(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.sam = command
        return subprocess.CompletedProcess(command, 0)

    def __call__(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["deploy.py", *arguments])
        return deploy.main()

    @property
    def parameters(self) -> list[str]:
        return [each for each in self.sam[self.sam.index("--parameter-overrides") + 1:] if "=" in each]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, repository: Path, account: FakeAccount) -> Run:
    return Run(monkeypatch)


def test_parameters_of_samconfig_and_of_the_command_are_passed(run: Run, repository: Path) -> None:
    path = repository / "samconfig.toml"
    path.write_text(path.read_text().replace('    # "ProjectID=infra"', '    "ProjectID=shop"', 1))
    assert run("--", "RotationSerial=2") == 0
    assert run.sam[:4] == ["sam", "deploy", "--config-env", "dev"]
    assert run.parameters == ['EnvID="dev"', 'ProjectID="shop"', 'RotationSerial="2"']


def test_template_of_an_earlier_sam_build_is_not_deployed(run: Run) -> None:
    """Without the option, sam prefers .aws-sam/build/template.yaml."""
    assert run() == 0
    assert run.sam[run.sam.index("--template-file") + 1] == "template.yaml"
