"""The command of the release folder, with a Python that has no package."""

import sys
from pathlib import Path

import pytest

from tests.deployment.pages import Folder
from tests.local.aws import LocalAws
from tests.play.mirroring import MirroredProject
from tests.play.steps import what_is_there


@pytest.fixture
def bare(aws: LocalAws, folder: Path, tmp_path: Path) -> Folder:
    """A shell whose `python3` has no packages, and whose home cannot be written."""
    programs, home = tmp_path / "bin", tmp_path / "home"
    programs.mkdir()
    # Root may write into each folder, but not below a file.
    home.write_text("")
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    return Folder(aws, folder, tmp_path, HOME=str(home), PATH=f"{programs}:/usr/bin:/bin")


def test_commands_that_change_nothing_need_python_alone(infra: MirroredProject, bare: Folder) -> None:
    bare.run("python3 -c 'import boto3'", fails=True)
    assert ": 0 found, " in bare.run("./cfn-gitops check --env dev")
    printed = bare.run("./cfn-gitops status --env dev")
    assert "1 project: none needs a person" in printed, printed
    printed = bare.run("./cfn-gitops doctor --env dev")
    assert "sound          stack cfn-gitops-dev\n" in printed and " checks: 0 found, " in printed, printed
    printed = bare.run("./cfn-gitops leave --env dev", fails=True)
    assert "does not retain " in printed and "Nothing was changed" in printed, printed
    assert "Its latest operation has not failed" in bare.run("./cfn-gitops failures cfn-gitops-dev --env dev")


def test_undeploy_deletes_an_environment_with_python_alone(
    aws: LocalAws, infra: MirroredProject, reader: Folder, bare: Folder
) -> None:
    before = what_is_there(aws)
    reader.run("sam deploy --config-env prd --no-confirm-changeset --no-progressbar")
    undeploy = "./cfn-gitops undeploy --env prd --delete-bucket"
    assert "Nothing was changed" in bare.run(undeploy, typed="prd\n", fails=True)
    printed = bare.run(undeploy, typed="cfn-gitops-prd\n")
    assert "ok      stack cfn-gitops-prd is deleted" in printed, printed
    assert what_is_there(aws) == before
