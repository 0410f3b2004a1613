"""The loop: push, event, pipeline, build, approval, and the stack that CloudFormation creates.

All of one environment's projects are pushed with one login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests.deployment.conftest import Production, Transcript
from tests.deployment.pipelines import Project, ProjectStack, eventually
from tests.deployment.steps import Environment, Login

FAILING_BUILD = "version: 0.2\nphases: {build: {commands: ['echo this build fails', 'exit 3']}}\n"
BUILT = [("Source", "Succeeded"), ("Build", "Succeeded"), ("CreateChangeSet", "Succeeded")]
COMPLETE = [*BUILT, ("Approval", "Succeeded"), ("Deploy", "Succeeded")]


@pytest.fixture(scope="module")
def shop(aws: LocalAws, git_login: Callable[[], Login], transcript: Transcript,
         tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose first push was deployed. Each test here ends its own executions."""
    stack = ProjectStack(aws, "shop", tmp_path_factory.mktemp("shop"), git_login)
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    pushed = stack.project.push()
    assert stack.project.deploy(pushed.commit) == "Succeeded", stack.project.said()
    yield stack.project
    transcript.add_pipeline(stack.project)
    assert stack.project.deployed.delete() == "DELETE_COMPLETE", stack.project.deployed.failures()
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()


def test_push_deploys_only_in_the_environment_of_its_branch(aws: LocalAws, environment: Environment,
                                                            production: Production, git_login: Callable[[], Login],
                                                            tmp_path: Path) -> None:
    dev = Project(aws, "dev", "infra", tmp_path, git_login)
    prd = Project(aws, "prd", "infra", tmp_path, production.login, branch="master")
    # Each project gets the other's branch, too: GitLab mirrors every protected branch.
    for project, other in ((dev, "refs/heads/master"), (prd, "refs/heads/development")):
        project.push(to=other)
    had = [len(project.executions()) for project in (dev, prd)]

    to_dev = dev.push()
    assert dev.deploy(to_dev.commit) == "Succeeded", dev.said()
    assert dev.deployed_commit() == to_dev.commit
    assert len(prd.executions()) == had[1] and not prd.deployed.exists()

    to_prd = prd.push()
    assert prd.deploy(to_prd.commit) == "Succeeded", prd.said()
    assert prd.deployed_commit() == to_prd.commit
    assert dev.deployed_commit() == to_dev.commit
    assert [len(project.executions()) for project in (dev, prd)] == [had[0] + 1, had[1] + 1]
    for project in (dev, prd):
        assert project.ran(project.executions()[-1]["pipelineExecutionId"]) == COMPLETE
        assert f"{project.env_id} is at " in aws.client("events").describe_rule(
            Name=project.deployed.outputs()["Rule"])["Description"]
        # It would disturb the comparisons of other tests and the environment's deletion.
        assert project.deployed.delete() == "DELETE_COMPLETE", project.deployed.failures()


def test_first_push_creates_pipeline_that_runs_once_and_succeeds(stack: ProjectStack) -> None:
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    project, before = stack.project, stack.outputs()
    assert not project.exists()
    assert before["PipelineName"] == project.name and before["BranchName"] == "development"
    pushed = project.push()
    execution = project.execution_of(pushed.commit)
    project.waits_for_approval(execution)
    assert project.ran(execution)[:3] == BUILT
    assert project.executions()[0]["trigger"]["triggerType"] == "CreatePipeline"
    project.decide(execution)
    assert project.ended(execution) == "Succeeded"
    # The rule now names the pipeline, and the resource's attributes are unchanged.
    eventually(lambda: project.child.status() == "UPDATE_COMPLETE", f"{project.stack_name} is complete")
    targets = stack.aws.client("events").list_targets_by_rule(Rule=project.event_rule)["Targets"]
    assert [target["Arn"] for target in targets] == [before["PipelineArn"]]
    assert stack.change(Tags=[{"Key": "team", "Value": "platform"}]) == "UPDATE_COMPLETE", stack.failures()
    assert stack.outputs() == before
    assert stack.change() == "UPDATE_COMPLETE", stack.failures()
    assert [each["status"] for each in project.executions()] == ["Succeeded"]


def test_a_tag_another_branch_and_a_deletion_start_nothing(shop: Project) -> None:
    before = len(shop.executions())
    for reference in ("refs/tags/development", "refs/heads/feature", "refs/heads/development-2"):
        shop.push(to=reference)
    shop.delete_reference("refs/heads/feature")
    shop.delete_reference("refs/tags/development")
    # The default branch cannot be deleted.
    codecommit = shop.aws.client("codecommit")
    codecommit.update_default_branch(repositoryName=shop.repository, defaultBranchName="development-2")
    shop.delete_reference("refs/heads/development")
    # Events arrive in the order of the pushes, so the earlier pushes' executions would have started before this.
    pushed = shop.push()
    assert shop.deploy(pushed.commit) == "Succeeded", shop.said()
    assert len(shop.executions()) == before + 1
    codecommit.update_default_branch(repositoryName=shop.repository, defaultBranchName="development")


def test_two_quick_pushes_are_both_deployed_in_their_order(shop: Project) -> None:
    one, two = shop.push(), shop.push()
    executions = [shop.execution_of(pushed.commit) for pushed in (one, two)]
    deployed = []
    for execution in executions:
        shop.decide(execution)
        assert shop.ended(execution) == "Succeeded", shop.said()
        deployed.append(shop.deployed_commit())
    assert deployed == [one.commit, two.commit]
    assert [each["pipelineExecutionId"] for each in shop.executions()][-2:] == executions


def test_pushed_commit_runs_although_branch_has_moved(shop: Project) -> None:
    first = shop.push()
    execution = shop.execution_of(first.commit)
    shop.waits_for_approval(execution)
    # While it waits, a developer pushes a commit whose build would fail.
    second = shop.push(buildspec=FAILING_BUILD)
    shop.decide(execution)
    assert shop.ended(execution) == "Succeeded", shop.said()
    assert shop.deployed_commit() == first.commit
    assert shop.ended(shop.execution_of(second.commit)) == "Failed"


def test_a_rejected_approval_deploys_nothing(shop: Project) -> None:
    before, pushed = shop.deployed_commit(), shop.push()
    execution = shop.execution_of(pushed.commit)
    shop.decide(execution, approves=False, why="not today")
    assert shop.ended(execution) == "Failed"
    assert shop.ran(execution) == [*BUILT, ("Approval", "Failed")]
    assert "not today" in shop.error(execution)
    assert shop.deployed_commit() == before


def test_failed_build_needs_no_approval_and_deploys_nothing(shop: Project) -> None:
    before, pushed = shop.deployed_commit(), shop.push(buildspec=FAILING_BUILD)
    execution = shop.execution_of(pushed.commit)
    assert shop.ended(execution) == "Failed"
    assert shop.ran(execution) == [("Source", "Succeeded"), ("Build", "Failed")]
    assert "this build fails" in shop.build_log()
    assert shop.deployed_commit() == before
