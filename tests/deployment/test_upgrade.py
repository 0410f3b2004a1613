"""docs/how-to/upgrade.md: a child stack that an older version of the function rendered."""

import re
from pathlib import Path

import pytest

from tests.deployment.outdated import outdate
from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.play.mirroring import FurtherProject, Source
from tests.play.steps import ROOT, Environment


class Shop(FurtherProject):
    def version(self) -> str | None:
        return self.child.outputs().get("RenderingVersion")


@pytest.fixture
def shop(aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path) -> Shop:
    made = Shop(aws, "dev", name, tmp_path, source)
    assert made.create() == "CREATE_COMPLETE", made.stack.failures()
    assert made.deploy(made.push().commit) == "Succeeded", made.said()
    outdate(aws, made.child)
    return made


def documented_command(project: str) -> str:
    """The page's command for a project's stack, with the serial of its way back: the script has set the other
    one."""
    page = ROOT / "docs/how-to/upgrade.md"
    [command] = blocks(page, heading="## 4. Upgrade the projects")
    [again] = re.findall(r"`(RenderingSerial=\S+)`", page.read_text())
    return re.sub(r"RenderingSerial=\S+", again, command.replace("shop", project))


def test_outdated_stack_is_upgraded_between_executions(aws: LocalAws, shop: Shop, tmp_path: Path) -> None:
    shell, upgrade = Folder(aws, ROOT, tmp_path), "python -m cli upgrade --env dev --yes"
    [mirror] = shop.source.mirrors_to(shop.mirrored_url)
    diagnosis = shell.run("python -m cli doctor --env dev", fails=True)
    assert f"FOUND          pipeline stack {shop.stack_name}" in diagnosis, diagnosis
    assert "its rendering has version 0" in diagnosis, diagnosis

    # An update of the pipeline would cancel this execution.
    waiting = shop.execution_of(shop.push().commit)
    shop.waits_for_approval(waiting)
    output = shell.run(upgrade, fails=True)
    assert shop.version() == "0", output
    assert f"LEFT    {shop.stack_name}: execution {waiting} of {shop.name} is in progress" in output, output
    shop.decide(waiting)
    assert shop.ended(waiting) == "Succeeded", shop.said()

    output = shell.run(upgrade)
    assert shop.version() == "1" and f"ok      {shop.stack_name}: version 1" in output, output
    assert {shop.status(each["pipelineExecutionId"]) for each in shop.executions()} == {"Succeeded"}
    assert shop.source.mirrors_to(shop.mirrored_url)[0].id == mirror.id
    # A push is mirrored and deployed as before.
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()

    outdate(aws, shop.child)
    output = shell.run(documented_command(shop.project_id))
    assert shop.version() == "1", output
    shell.run(upgrade)
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
