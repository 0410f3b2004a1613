"""docs/how-to/upgrade.md: a child stack that an earlier version of the function rendered."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests import preloaded
from tests.deployment import steps
from tests.deployment.mirroring import MirroredProject, Source
from tests.deployment.pages import blocks
from tests.deployment.steps import ROOT, TEMPLATES, Environment, Login, Stack

# It has neither a version nor settings of reports, and its actions name their region.
FORMER = (TEMPLATES / "former-rendering.json").read_text()


class Shop(MirroredProject):
    """A project of templates/project.yaml, with its mirror."""

    def __init__(self, aws: LocalAws, name: str, directory: Path, source: Source) -> None:
        super().__init__(aws, "dev", name, directory, source)
        self.stack = Stack(aws, f"project-dev-{name}")

    def mirror_login(self) -> Login:
        return steps.login(self.aws, self.stack.outputs()["SecretName"])

    def version(self) -> str | None:
        return self.child.outputs().get("RenderingVersion")

    def become_former(self) -> None:
        """Gives the child stack the content of an earlier version, with its owner in the tags."""
        parameters = [{"ParameterKey": key, "UsePreviousValue": True} for key in
                      (each["ParameterKey"] for each in self.child.describe()["Parameters"])]
        cloudformation = self.aws.client("cloudformation")
        cloudformation.update_stack(StackName=self.child.name, TemplateBody=FORMER, Parameters=parameters)
        cloudformation.get_waiter("stack_update_complete").wait(StackName=self.child.name, WaiterConfig={"Delay": 1})
        assert self.version() is None


@pytest.fixture
def shop(aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path) -> Shop:
    made = Shop(aws, name, tmp_path, source)
    given = source.parameters(EnvID="dev", ProjectID=name, BranchName="development")
    assert made.stack.create(ROOT / "templates/project.yaml", **given) == "CREATE_COMPLETE", made.stack.failures()
    assert made.deploy(made.push().commit) == "Succeeded", made.said()
    made.become_former()
    return made


def run(aws: LocalAws, *command: str) -> tuple[int, str]:
    environment = aws.environment() | {"PATH": f"{preloaded.path()}:{os.environ['PATH']}"}
    ran = subprocess.run(command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         stdin=subprocess.DEVNULL, check=False)
    return ran.returncode, ran.stdout


def run_script(aws: LocalAws, script: str) -> tuple[int, str]:
    return run(aws, sys.executable, f"tools/{script}", "--config-env", "dev")


def documented_command(project: str) -> str:
    """The page's command for a project's stack, with the serial of its way back: the script has set the other one."""
    page = ROOT / "docs/how-to/upgrade.md"
    [command] = blocks(page, heading="## 4. Upgrade the projects")
    [again] = re.findall(r"`(RenderingSerial=\S+)`", page.read_text())
    return re.sub(r"RenderingSerial=\S+", again, command.replace("shop", project))


def test_outdated_stack_is_upgraded_between_executions(aws: LocalAws, shop: Shop) -> None:
    [mirror] = shop.source.mirrors_to(shop.mirrored_url)
    _, diagnosis = run_script(aws, "doctor.py")
    assert f"PROBLEM pipeline stack {shop.stack_name}" in diagnosis, diagnosis
    assert "its rendering has version 0" in diagnosis, diagnosis

    # An update of the pipeline would cancel this execution.
    waiting = shop.execution_of(shop.push().commit)
    shop.waits_for_approval(waiting)
    status, output = run_script(aws, "upgrade.py")
    assert (status, shop.version()) == (1, None), output
    assert f"LEFT    {shop.stack_name}: execution {waiting} of {shop.name} is in progress" in output, output
    shop.decide(waiting)
    assert shop.ended(waiting) == "Succeeded", shop.said()

    status, output = run_script(aws, "upgrade.py")
    assert (status, shop.version()) == (0, "1"), output
    assert f"ok      {shop.stack_name}: version 1" in output, output
    assert {shop.status(each["pipelineExecutionId"]) for each in shop.executions()} == {"Succeeded"}
    assert shop.source.mirrors_to(shop.mirrored_url)[0].id == mirror.id
    # A push is mirrored and deployed as before.
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()

    shop.become_former()
    status, output = run(aws, "bash", "-euc", documented_command(shop.project_id))
    assert (status, shop.version()) == (0, "1"), output
    assert run_script(aws, "upgrade.py")[0] == 0
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
