"""The arguments that `make deploy` passes to sam, and the cases in which it does not call sam."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml

from tests.scripts.conftest import ROOT, FakeAccount, sam_settings

import deploy  # isort: skip

# deploy.py reads only the ELF header (64 bits, little-endian) of these machines.
_MACHINES = {"x86_64": 62, "arm64": 183, "riscv": 243}


def elf(path: Path, architecture: str) -> Path:
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + (2).to_bytes(2, "little")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((header + _MACHINES[architecture].to_bytes(2, "little")).ljust(64, b"\0"))
    return path


class Run:
    """`deploy.py` with a built bootstrap. Records the sam command that it would run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
        self._monkeypatch, self._repository = monkeypatch, repository
        self.sam: list[str] = []
        monkeypatch.setattr(deploy, "BOOTSTRAP", repository / "bootstrap")
        monkeypatch.setattr(deploy.subprocess, "run", self._ran)
        # tests/deployment/test_deploy_failures.py tests this.
        monkeypatch.setattr(deploy, "StackFailures", MagicMock())
        self.built("x86_64")

    def _ran(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.sam = command
        return subprocess.CompletedProcess(command, 0)

    def built(self, architecture: str) -> None:
        elf(self._repository / "bootstrap", architecture)

    def configured(self, more: str) -> None:
        """With more parameters in dev's parameter_overrides."""
        path = self._repository / "samconfig.toml"
        path.write_text(path.read_text().replace('"EnvID=dev ProjectID=infra"', f'"EnvID=dev ProjectID=infra {more}"'))

    def __call__(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["deploy.py", *arguments])
        return deploy.main()

    @property
    def parameters(self) -> list[str]:
        return [each for each in self.sam[self.sam.index("--parameter-overrides") + 1:] if "=" in each]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, repository: Path, account: FakeAccount) -> Run:
    return Run(monkeypatch, repository)


def environment(architecture: str) -> dict[str, Any]:
    return {"StackStatus": "UPDATE_COMPLETE",
            "Parameters": [{"ParameterKey": "Architecture", "ParameterValue": architecture}]}


def test_missing_architecture_is_not_passed(run: Run) -> None:
    assert run() == 0
    assert run.sam[:4] == ["sam", "deploy", "--config-env", "dev"]
    assert run.parameters == ['EnvID="dev"', 'ProjectID="infra"']


@pytest.mark.parametrize("given", [["--architecture", "arm64"], ["--", "Architecture=arm64"]])
def test_architecture_given_is_passed(run: Run, given: list[str]) -> None:
    run.built("arm64")
    assert run(*given) == 0
    assert 'Architecture="arm64"' in run.parameters


def test_architecture_of_samconfig_is_kept(run: Run) -> None:
    run.configured("Architecture=arm64")
    run.built("arm64")
    assert run() == 0
    assert 'Architecture="arm64"' in run.parameters


def test_architecture_given_overrides_samconfig(run: Run) -> None:
    run.configured("Architecture=arm64")
    assert run("--architecture", "x86_64") == 0
    assert 'Architecture="x86_64"' in run.parameters


def test_two_architectures_given_are_rejected(run: Run) -> None:
    with pytest.raises(SystemExit, match="ARCHITECTURE=x86_64 contradicts Architecture=arm64 in PARAMETERS"):
        run("--architecture", "x86_64", "--", "Architecture=arm64")


def test_unknown_architecture_is_rejected(run: Run) -> None:
    with pytest.raises(SystemExit, match="Architecture is amd64 .* one of: x86_64, arm64"):
        run("--", "Architecture=amd64")


@pytest.mark.parametrize(("given", "source"), [
    (["--architecture", "arm64"], "the parameter Architecture"), (["--", "Architecture=arm64"], "the parameter Architecture"),
])
def test_bootstrap_of_another_architecture_stops_deploy(run: Run, capsys: pytest.CaptureFixture[str], given: list[str],
                                                       source: str) -> None:
    assert run(*given) == 1
    assert run.sam == []
    output = capsys.readouterr().err
    assert f"is built for x86_64, and the function would be deployed for arm64 ({source})" in output
    assert "make deploy ARCHITECTURE=arm64" in output


def test_architecture_of_samconfig_is_checked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.configured("Architecture=arm64")
    assert run() == 1
    assert "built for x86_64, and the function would be deployed for arm64" in capsys.readouterr().err


def test_architecture_of_the_stack_is_checked(run: Run, account: FakeAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.known["cfn-gitops-dev"] = environment("arm64")
    assert run() == 1
    assert "deployed for arm64 (stack cfn-gitops-dev)" in capsys.readouterr().err
    run.built("arm64")
    assert run() == 0
    assert not any("Architecture" in each for each in run.parameters)


def test_default_architecture_is_checked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.built("riscv")
    assert run() == 1
    assert "is built for EM_RISCV, and the function would be deployed for x86_64 (template.yaml's default)" in (
        capsys.readouterr().err)


def test_missing_bootstrap_stops_deploy(run: Run, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "bootstrap").unlink()
    assert run() == 1
    assert "Run `make build ARCHITECTURE=x86_64`" in capsys.readouterr().err


@pytest.mark.parametrize(("stack", "given", "expected"), [
    (None, [], "x86_64"), ("arm64", [], "arm64"), ("arm64", ["--architecture", "x86_64"], "x86_64"),
    (None, ["--", "Architecture=arm64"], "arm64"), (None, ["--architecture", ""], "x86_64"),
])
def test_printed_architecture_is_the_one_to_build(run: Run, account: FakeAccount, stack: str | None, given: list[str],
                                                      expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    if stack:
        account.known["cfn-gitops-dev"] = environment(stack)
    assert run("--print-architecture", *given) == 0
    assert (capsys.readouterr().out, run.sam) == (f"{expected}\n", [])


def test_default_table_that_differs_is_reported(run: Run, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / "samconfig.toml"
    path.write_text(path.read_text().replace("ProjectID=infra", "ProjectID=shop", 1))
    assert run() == 0
    assert 'ProjectID="shop"' in run.parameters
    assert "Table default differs from table dev" in capsys.readouterr().err


def test_kept_bucket_stops_a_first_deployment(run: Run, account: FakeAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.buckets.add(account.bucket_of("dev"))
    assert run() == 1
    assert "make undeploy CONFIG_ENV=dev DELETE_BUCKET=yes" in capsys.readouterr().err


class _AnyTag(yaml.SafeLoader):
    """Loads CloudFormation's short forms as they are."""


_AnyTag.add_multi_constructor("!", lambda loader, suffix, node: suffix)


def test_defaults_are_those_of_the_template() -> None:
    template = yaml.load((ROOT / "template.yaml").read_text(), _AnyTag)
    parameter = template["Parameters"]["Architecture"]
    assert parameter["Default"] == deploy.DEFAULT_ARCHITECTURE
    assert sorted(parameter["AllowedValues"]) == sorted(deploy.check_bootstrap.MACHINES)
    code = sam_settings.ROOT / template["Resources"]["Function"]["Properties"]["CodeUri"]
    assert code / "bootstrap" == deploy.BOOTSTRAP
