"""docs/how-to/upgrade.md: a child stack that an older version of the function rendered."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.deployment.outdated import outdate
from tests.deployment.pages import Folder, blocks, loop_over_projects
from tests.local.aws import LocalAws
from tests.play.mirroring import FurtherProject, Source
from tests.play.steps import ROOT, Environment, Stack
from tools.release import dist


class Shop(FurtherProject):
    def version(self) -> str | None:
        return self.child.outputs().get("RenderingVersion")


@pytest.fixture
def shop(aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path) -> Shop:
    made = Shop(aws, "dev", name, tmp_path, source)
    parameters = made.source.parameters(EnvID="dev", ProjectID=name, BranchName=made.branch)
    assert made.stack.create(former_template(tmp_path), **parameters) == "CREATE_COMPLETE", (
        made.stack.failures()
    )
    assert made.deploy(made.push().commit) == "Succeeded", made.said()
    outdate(aws, made.child)
    return made


def former_template(directory: Path) -> Path:
    """templates/project.yaml of another release."""
    path = directory / "former.yaml"
    project = (ROOT / "templates/project.yaml").read_text()
    path.write_text(project.replace(f'RenderingSerial: "{dist.version()}"', 'RenderingSerial: "0.0.1"'))
    assert path.read_text() != project
    return path


def release_folder(directory: Path) -> None:
    (directory / "templates").mkdir()
    shutil.copy(ROOT / "templates/project.yaml", directory / "templates")
    shutil.copy(ROOT / "samconfig.toml", directory)
    command = directory / "cfn-gitops"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n')
    command.chmod(0o755)
    (directory / "projects.sh").write_text(loop_over_projects())


def test_outdated_stack_is_upgraded_between_executions(aws: LocalAws, shop: Shop, tmp_path: Path) -> None:
    look, upgrade = blocks(ROOT / "docs/how-to/upgrade.md", heading="## 4. Upgrade the projects")
    folder = tmp_path / "folder"
    folder.mkdir()
    release_folder(folder)
    (folder / "projects.txt").write_text(shop.stack.name)
    shell = Folder(aws, folder, tmp_path)
    [mirror] = shop.source.mirrors_to(shop.mirrored_url)
    for command in ("doctor", "status"):
        printed = shell.run(f"./cfn-gitops {command} --env dev", fails=True)
        assert f"--template-file templates/project.yaml --stack-name {shop.stack.name} " in printed, printed

    # An update of the pipeline would cancel this execution.
    waiting = shop.execution_of(shop.push().commit)
    shop.waits_for_approval(waiting)
    output = shell.run(upgrade)
    assert f"{shop.stack.name} is left: " in output and shop.version() == "0", output
    shop.decide(waiting)
    assert shop.ended(waiting) == "Succeeded", shop.said()

    # The second stack has another template.
    other = Stack(aws, f"other-{shop.project_id}")
    assert (
        other.create('{"Resources": {"Own": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}')
        == "CREATE_COMPLETE"
    )
    given = f"EnvID=dev ProjectID={other.name} BranchName=main DeployTemplatePath=template.yaml"
    lines = f"{shop.stack.name}\n{other.name} {given}\n"
    (folder / "projects.txt").write_text(lines)
    changes = shell.run(look)
    of_shop, of_other = changes[changes.index(f"\n{shop.stack.name}\n") :].split(f"\n{other.name}\n")
    assert "Modify\tPipeline\t" in of_shop and "Remove" not in of_shop and "True" not in of_shop, changes
    assert "Remove\tOwn\t" in of_other, changes
    assert shop.version() == "0"
    (folder / "projects.txt").write_text(shop.stack.name)
    output = shell.run(upgrade)
    assert shop.version() == "1" and other.status() == "CREATE_COMPLETE", output
    assert {shop.status(each["pipelineExecutionId"]) for each in shop.executions()} == {"Succeeded"}
    assert shop.source.mirrors_to(shop.mirrored_url)[0].id == mirror.id
    # A push is mirrored and deployed as before.
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()

    # The way back.
    outdate(aws, shop.child)
    shutil.copy(former_template(tmp_path), folder / "templates/project.yaml")
    output = shell.run(upgrade)
    assert shop.version() == "1", output
    assert other.delete() == "DELETE_COMPLETE"
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
