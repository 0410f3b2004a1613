"""A repository that remains after its pipeline, and that the next one adopts."""

from __future__ import annotations

from tests.local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.pipelines import ProjectStack


def test_retained_repository_is_adopted_with_its_history(aws: LocalAws, stack: ProjectStack) -> None:
    project, before = stack.project, steps.what_is_there(aws)
    # A change set would leave a stack.
    deploy = {"ActionMode": "CREATE_UPDATE"}
    assert stack.make(Deploy=deploy) == "CREATE_COMPLETE", stack.failures()
    commits = [project.push().commit, project.push().commit]
    # Changed in place, without another change.
    assert stack.change(Deploy=deploy, RepositoryDeletionPolicy="Retain") == "UPDATE_COMPLETE", stack.failures()
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    left = {kind: names for kind, names in steps.what_is_there(aws).items() if names != before[kind]}
    assert left == {"repositories": sorted([*before["repositories"], project.repository])}

    # The branch exists, so the pipeline is created at once and runs.
    assert stack.make(Deploy=deploy, RepositoryDeletionPolicy="Retain") == "CREATE_COMPLETE", stack.failures()
    execution = project.execution_of(commits[1])
    assert [each["pipelineExecutionId"] for each in project.executions()] == [execution]
    parents = aws.client("codecommit").get_commit(repositoryName=project.repository,
                                                  commitId=commits[1])["commit"]["parents"]
    assert parents == commits[:1]
    assert project.deploy(commits[1]) == "Succeeded", project.said()
    assert project.deployed.delete() == "DELETE_COMPLETE"

    assert stack.change(Deploy=deploy, RepositoryDeletionPolicy="Delete") == "UPDATE_COMPLETE", stack.failures()
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert steps.what_is_there(aws) == before
