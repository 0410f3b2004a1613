"""`cfn-gitops undo` of deployed projects: one with GitLab, whose stage is held, and one in each other
mode."""

import os
import subprocess
import sys
from pathlib import Path

from tests.deployment.test_status import operator
from tests.local.aws import LocalAws
from tests.play.mirroring import FurtherProject, Source
from tests.play.pipelines import ProjectStack
from tests.play.steps import ROOT, Environment
from tests.play.waiting import eventually


class Undo:
    """The command while it runs. Its lines are read as it writes them."""

    def __init__(self, aws: LocalAws, *arguments: str, key: dict[str, str] | None = None) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "cli", "undo", "--env", "dev", *arguments],
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **aws.environment(), **(key or {})},
        )
        self.lines: list[str] = []

    def until(self, text: str) -> str:
        assert self._program.stdout
        for line in self._program.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"{text} is not in\n" + "\n".join(self.lines))

    def ended(self) -> tuple[int, str]:
        assert self._program.stdout
        self.lines += [line.rstrip() for line in self._program.stdout]
        return self._program.wait(120), "\n".join(self.lines)


def test_former_commit_is_deployed_again(
    aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path
) -> None:
    shop = FurtherProject(aws, "dev", name, tmp_path, source)
    assert shop.create() == "CREATE_COMPLETE", shop.stack.failures()
    good = shop.push().commit
    assert shop.deploy(good) == "Succeeded", shop.said()
    bad = shop.push().commit
    assert shop.deploy(bad) == "Succeeded", shop.said()
    assert shop.deployed_commit() == bad

    # A later push waits for its approval, and a person holds the stage.
    newest = shop.execution_of(shop.push().commit)
    shop.waits_for_approval(newest)
    codepipeline = aws.client("codepipeline")
    into = {"pipelineName": shop.name, "stageName": "Deploy", "transitionType": "Inbound"}
    codepipeline.disable_stage_transition(**into, reason="the release is bad")
    undo = Undo(aws, name, "--to", good[:8], "--yes")
    assert f"! execution {newest} (commit " in undo.until(
        "waits for an approval, and this one would wait behind it"
    )
    undo.until(
        "held by the disabled transition into stage Deploy, by arn:aws:iam::123456789012:root (the release is"
        " bad)"
    )
    undo.until(f"To end the freeze: cfn-gitops thaw {name} --env dev")
    undo.until("Build           Succeeded")
    started = shop.executions()[-1]["pipelineExecutionId"]
    eventually(
        lambda: (
            started
            in str(
                codepipeline.get_pipeline_state(name=shop.name)["stageStates"][-1].get("inboundExecutions")
            )
        ),
        "it waits before the stage",
    )
    shop.decide(newest, approves=False, why="not this one")
    assert shop.ended(newest) == "Failed"
    assert shop.status(started) == "InProgress" and "CreateChangeSet" not in dict(shop.ran(started))
    codepipeline.enable_stage_transition(**into)
    undo.until("It waits for an approval, in AWS: https://")
    status, out = undo.ended()
    assert status == 0 and f"execution {started} of {shop.name} is started" in out, out
    assert "Branch development in GitLab keeps its newest commit" in out, out

    shop.decide(started)
    assert shop.ended(started) == "Succeeded", shop.said()
    assert shop.deployed_commit() == good
    eventually(
        lambda: (
            [(each.sha, each.status) for each in source.project.deployments("dev")][-1] == (good, "success")
        ),
        "GitLab shows the former commit as deployed",
    )
    # The same again has nothing to undo.
    status, out = Undo(aws, name, "--to", good[:8], "--yes").ended()
    assert status == 1 and f"commit {good[:8]} is deployed now" in out, out
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()


def test_undo_replaces_an_execution_that_waits_for_the_stage(
    aws: LocalAws, environment: Environment, stack: ProjectStack
) -> None:
    created = stack.make(ExecutionMode="SUPERSEDED", Deploy={"ActionMode": "CREATE_UPDATE"})
    assert created == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    good = project.push().commit
    assert project.deploy(good) == "Succeeded", project.said()
    assert project.deploy(project.push().commit) == "Succeeded", project.said()
    holder = project.execution_of(project.push().commit)
    project.waits_for_approval(holder)
    waiting = project.execution_of(project.push().commit)
    undo = Undo(aws, project.project_id, "--to", good, "--yes", key=operator(aws, project.project_id, "Undo"))
    assert f"! execution {waiting} (commit " in undo.until(
        "This one replaces it if it still waits before a stage"
    )
    undo.until(f"of {project.name} is started")
    # The page's policy suffices. This pipeline does not report to GitLab.
    [unread] = [line for line in undo.lines if line.startswith("?")]
    assert "was not checked" in unread and "GitLab" in unread, undo.lines
    assert project.ended(waiting) == "Superseded"
    assert project.status(holder) == "InProgress"
    project.decide(holder, approves=False)
    undo.until("It waits for an approval, in AWS: https://")
    assert undo.ended()[0] == 0
    started = project.executions()[-1]["pipelineExecutionId"]
    project.decide(started)
    assert project.ended(started) == "Succeeded" and project.deployed_commit() == good, project.said()
