"""The smallest examples, deployed as they are, and the titles in the recorded output of `make run`."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.pipelines import Project
from tests.play.steps import ROOT, Environment, Login, Stack, Working
from tools.run import run, story

EXAMPLES = (ROOT / "docs/reference/smallest-examples.md").read_text()
RECORDED = (ROOT / "docs/tutorial/local-run.md").read_text()


def example(resource_type: str) -> str:
    blocks = re.findall(r"```yaml\n(.*?)```", EXAMPLES, re.DOTALL)
    [found] = [block for block in blocks if f"Type: {resource_type}" in block]
    return str(found)


def test_the_acts_of_make_run_are_those_that_are_shown() -> None:
    acts = [act.title for act in run.ACTS]
    [shown] = re.findall(r"```text\n(.*?)```", RECORDED, re.DOTALL)
    titles = re.findall(r"^(\d+) of (\d+): (.+)$", shown, re.MULTILINE)
    assert len(titles) > 3
    for number, count, title in titles:
        assert (acts[int(number) - 1], len(acts)) == (title, int(count))
    assert (
        len(acts) - len(story.ACTS) == 6
        and "\nSix acts of `make run` are missing" in (ROOT / "docs/how-to/try.md").read_text()
    )
    assert f"All {len(acts)} acts succeeded" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_another_stack_example_deploys_pushes_and_is_deleted(
    aws: LocalAws, environment: Environment, transcript: Transcript, tmp_path: Path
) -> None:
    before, stack = steps.what_is_there(aws), Stack(aws, "website")
    assert stack.create(example("Custom::MirrorCredential")) == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    outputs = stack.outputs()
    pushed = Working(tmp_path / "work").push(steps.login(aws, outputs["SecretName"]), outputs["CloneUrl"])
    assert pushed.accepted, pushed.output
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert steps.what_is_there(aws) == before


def test_existing_repository_example_deploys_runs_and_is_deleted(
    aws: LocalAws, environment: Environment, git_login: Callable[[], Login], tmp_path: Path
) -> None:
    codecommit = aws.client("codecommit")
    made = codecommit.create_repository(repositoryName="codecommit-dev-website")["repositoryMetadata"]
    before, stack = steps.what_is_there(aws), Stack(aws, "website-pipeline")
    assert stack.create(example("Custom::GitOpsPipeline")) == "CREATE_COMPLETE", stack.failures()
    website = Project(aws, "dev", "website", tmp_path, git_login)
    pushed = website.working.push(git_login(), made["cloneUrlHttp"], website.files())
    assert pushed.accepted, pushed.output
    assert website.deploy(pushed.commit) == "Succeeded", website.said()
    assert website.deployed.delete() == "DELETE_COMPLETE", website.deployed.failures()
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    # The repository existed before and remains.
    assert steps.what_is_there(aws) == before
    codecommit.delete_repository(repositoryName="codecommit-dev-website")
