"""The loop: push, event, pipeline, build, approval, and the stack that CloudFormation creates.

All of one environment's projects are pushed with one login.
"""

from collections.abc import Callable
from pathlib import Path

from tests.deployment.conftest import Production
from tests.local.aws import LocalAws
from tests.play.pipelines import Project, ProjectStack, eventually
from tests.play.steps import Environment, Login

BUILT = [("Source", "Succeeded"), ("Build", "Succeeded"), ("CreateChangeSet", "Succeeded")]
COMPLETE = [*BUILT, ("Approval", "Succeeded"), ("Deploy", "Succeeded")]


def test_push_deploys_only_in_the_environment_of_its_branch(
    aws: LocalAws,
    environment: Environment,
    production: Production,
    git_login: Callable[[], Login],
    tmp_path: Path,
) -> None:
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
        assert (
            f"{project.env_id} is at "
            in aws.client("events").describe_rule(Name=project.deployed.outputs()["Rule"])["Description"]
        )
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


def test_a_tag_another_branch_and_a_deletion_start_nothing(stack: ProjectStack) -> None:
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    shop = stack.project
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()
    before = len(shop.executions())
    for reference in ("refs/tags/development", "refs/heads/feature", "refs/heads/development-2"):
        shop.push(to=reference)
    shop.delete_reference("refs/heads/feature")
    shop.delete_reference("refs/tags/development")
    # The default branch cannot be deleted.
    codecommit = shop.aws.client("codecommit")
    codecommit.update_default_branch(repositoryName=shop.repository, defaultBranchName="development-2")
    shop.delete_reference("refs/heads/development")
    # Events arrive in the order of the pushes, so the earlier pushes' executions would have started before
    # this.
    pushed = shop.push()
    assert shop.deploy(pushed.commit) == "Succeeded", shop.said()
    assert len(shop.executions()) == before + 1
    codecommit.update_default_branch(repositoryName=shop.repository, defaultBranchName="development")
