"""The commands of the Makefile, as `make --dry-run` prints them."""

import os
import subprocess

import pytest

from tests.tools.conftest import ROOT

INSTALLED = [".venv/installed-requirements.txt", ".venv/installed-run-requirements.txt"]


def commands(*arguments: str) -> list[str]:
    """The lines of an installed clone. A command with $(MAKE) runs even here, and its `make` prints its own."""
    variables = ("CONFIG_ENV", "PARAMETERS", "CONFIRM", "DELETE_BUCKET", "KEEP_STACKS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    made = subprocess.run(["make", "--dry-run", *(f"--old-file={file}" for file in INSTALLED), *arguments], cwd=ROOT,
                          env={name: value for name, value in os.environ.items() if name not in variables}, check=True,
                          text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return made.stdout.splitlines()


def test_deploy_builds_and_checks_first() -> None:
    assert commands("deploy", "CONFIG_ENV=prd", "PARAMETERS=RotationSerial=2") == [
        "tools/release/build.sh", "python -m tools.release.check_bootstrap target/lambda/cfn-gitops/bootstrap",
        "python -m tools.run.deploy --config-env prd -- RotationSerial=2"]
    assert "--config-env dev " in commands("deploy")[-1]


def test_undeploy_passes_on_the_confirmation() -> None:
    assert " ".join(commands("undeploy", "CONFIG_ENV=prd", "CONFIRM=cfn-gitops-prd", "DELETE_BUCKET=yes")).split() == [
        'DELETE_BUCKET="yes"', 'CONFIRM="cfn-gitops-prd"', 'KEEP_STACKS=""', "\\", "python", "tools/undeploy.py",
        "--config-env", "prd"]


@pytest.mark.parametrize(("target", "program"), [("run", "run.run"), ("test", "checks.run"), ("shell", "run.shell")])
def test_machine_is_checked_before_anything_starts(target: str, program: str) -> None:
    first, *_, last = commands(target)
    assert first.startswith((f"tools/run/start.sh {target}", f"`make {target}` installs"))
    assert f" -m tools.{program}" in last
