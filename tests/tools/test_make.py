"""The commands of the Makefile, with stand-ins for the programs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tools.conftest import ROOT


class Make:
    """The Makefile in a directory of its own, in which `python` records its arguments."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._calls = directory, directory / "calls"
        programs, tools = directory / ".venv/bin", directory / "tools"
        programs.mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", directory)
        shutil.copytree(ROOT / "tools/requirements", tools / "requirements")
        (directory / ".venv/installed-requirements.txt").touch()
        self._script(programs / "python", f'echo "$@" >> {self._calls}\n'
                                          f'env | grep -E "^(CONFIRM|DELETE_BUCKET|KEEP_STACKS)=." >> {self._calls} || true')
        for script in ("build", "start"):
            self._script(tools / f"{script}.sh", f'echo {script} "$@" >> {self._calls}')

    @staticmethod
    def _script(path: Path, text: str) -> None:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __call__(self, *arguments: str, **variables: str) -> list[str]:
        ours = ("CONFIG_ENV", "PARAMETERS", "CONFIRM", "DELETE_BUCKET", "KEEP_STACKS", "MAKEFLAGS", "MFLAGS",
                "MAKELEVEL")
        surroundings = {name: value for name, value in os.environ.items() if name not in ours}
        subprocess.run(["make", *arguments], cwd=self._directory, env=surroundings | variables, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return self._calls.read_text().splitlines()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


def test_deploy_builds_and_checks_first(make: Make) -> None:
    assert make("deploy", "CONFIG_ENV=prd", "PARAMETERS=RotationSerial=2") == [
        "build", "tools/check_bootstrap.py target/lambda/cfn-gitops/bootstrap",
        "tools/deploy.py --config-env prd -- RotationSerial=2"]
    assert "--config-env dev " in make("deploy")[-1]


def test_undeploy_passes_on_the_confirmation(make: Make) -> None:
    calls = make("undeploy", "CONFIG_ENV=prd", "CONFIRM=cfn-gitops-prd", "DELETE_BUCKET=yes")
    assert calls[0] == "tools/undeploy.py --config-env prd"
    assert sorted(calls[1:]) == ["CONFIRM=cfn-gitops-prd", "DELETE_BUCKET=yes"]


@pytest.mark.parametrize(("target", "installs", "program"), [
    ("run", "make --silent --jobs=2 .venv/installed-run-requirements.txt run-function", "run.py"),
    ("test", "", "run_checks.py"),
    ("shell", "make --silent .venv/installed-requirements.txt", "shell.py"),
])
def test_machine_is_checked_before_anything_starts(make: Make, target: str, installs: str, program: str) -> None:
    assert make(target, "PYTHON=python") == [f"start {target} {installs}".strip(), f"tools/{program}"]
