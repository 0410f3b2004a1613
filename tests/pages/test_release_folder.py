"""The scripts of the release folder, with Python and boto3 alone, and its schemas."""

import sys
from pathlib import Path

import boto3
import pytest

from tests.local.aws import LocalAws
from tests.play.mirroring import MirroredProject
from tests.play.steps import ROOT, what_is_there
from tests.deployment.pages import Folder, blocks

# boto3 and the packages that it requires.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@pytest.fixture
def bare(aws: LocalAws, folder: Path, tmp_path: Path) -> Folder:
    """A shell whose `python3` has the packages only."""
    installed, packages, programs = Path(boto3.__file__).parents[1], tmp_path / "packages", tmp_path / "bin"
    packages.mkdir()
    programs.mkdir()
    for name in PACKAGES:
        (packages / name).symlink_to(installed / name)
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return Folder(aws, folder, tmp_path, PATH=f"{programs}:/usr/bin:/bin")


def test_scripts_that_delete_nothing_need_boto3_alone(infra: MirroredProject, bare: Folder) -> None:
    bare.run("python3 -c 'import yaml'", fails=True)
    printed = bare.run("python3 scripts/doctor.py --config-env dev")
    assert "ok      stack cfn-gitops-dev" in printed
    assert "checks, 0 with a problem" in printed
    bare.run("python3 scripts/upgrade.py --config-env dev")
    assert "update it to keep: " in bare.run("python3 scripts/leave.py --config-env dev")
    assert "no failed resource" in bare.run("python3 scripts/stack_failures.py cfn-gitops-dev")


def test_undeploy_deletes_an_environment_with_boto3_alone(aws: LocalAws, infra: MirroredProject, reader: Folder,
                                                          bare: Folder) -> None:
    before = what_is_there(aws)
    reader.run("sam deploy --config-env prd --no-confirm-changeset --no-progressbar")
    undeploy = "DELETE_BUCKET=yes python3 scripts/undeploy.py --config-env prd"
    assert "Nothing was deleted" in bare.run(undeploy, typed="prd\n", fails=True)
    printed = bare.run(undeploy, typed="cfn-gitops-prd\n")
    assert "Stack cfn-gitops-prd is deleted." in printed
    assert what_is_there(aws) == before


def test_schemas_of_the_folder_find_a_misspelled_property(reader: Folder, tmp_path: Path) -> None:
    [lint, *_] = blocks(ROOT / "docs/how-to/schemas.md")
    template = tmp_path / "my-template.yaml"
    template.write_text((ROOT / "templates/project.yaml").read_text().replace("      ProjectID: !Ref", "      ProjectId: !Ref", 1))
    assert "did you mean ProjectID" in reader.run(lint.replace(template.name, str(template)), fails=True)
