"""The commands of the Makefile, as `make --dry-run` prints them."""

import os
import subprocess

import pytest

from cli.main import COMMANDS
from tests.tools.conftest import ROOT

INSTALLED = [".venv/installed-requirements.txt", ".venv/installed-run-requirements.txt"]


def commands(*arguments: str) -> list[str]:
    """The lines of an installed clone. A command with $(MAKE) runs even here, and its `make` prints its
    own."""
    variables = ("ENV", "PARAMETERS", "ARGUMENTS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    made = subprocess.run(
        ["make", "--dry-run", *(f"--old-file={file}" for file in INSTALLED), *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in variables},
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    return made.stdout.splitlines()


def test_deploy_checks_builds_and_deploys() -> None:
    first, *build, last = commands("deploy", "ENV=prd", "PARAMETERS=RotationSerial=2")
    assert first == "python -m tools.run.deploy --check --env prd -- RotationSerial=2"
    assert build[-2:] == [
        "tools/release/build.sh",
        "python -m tools.release.check_bootstrap target/lambda/cfn-gitops/bootstrap",
    ]
    assert last == "python -m tools.run.deploy --env prd -- RotationSerial=2"
    assert "--env dev " in commands("deploy")[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_subcommand_is_a_target_with_its_arguments(command: str) -> None:
    assert commands(command, "ENV=prd", "ARGUMENTS=--json")[-1].split() == [
        "python",
        "-m",
        "cli",
        command,
        "--env",
        "prd",
        "--json",
    ]
    assert commands(command)[-1].split() == ["python", "-m", "cli", command, "--env", "dev"]


def test_empty_shell_compiles_the_function() -> None:
    first, *_, last = commands("shell", "EMPTY=1")
    assert first.startswith(("tools/run/start.sh empty-shell", "`make shell EMPTY=1` installs"))
    assert last.endswith("-m tools.run.shell --empty") and any(
        "cargo build" in line for line in commands("shell", "EMPTY=1")
    )
    assert not any("cargo build" in line for line in commands("shell"))


@pytest.mark.parametrize(
    ("target", "program"), [("run", "run.run"), ("test", "checks.run"), ("shell", "run.shell")]
)
def test_machine_is_checked_before_anything_starts(target: str, program: str) -> None:
    first, *_, last = commands(target)
    assert first.startswith((f"tools/run/start.sh {target}", f"`make {target}` installs"))
    assert f" -m tools.{program}" in last
