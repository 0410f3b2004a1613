"""Changes of a pipeline, and resources that remain after its deletion."""

from __future__ import annotations

import json
import time
from typing import Any

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.pipelines import Pipeline, ProjectStack, eventually, template
from tests.deployment.watching import looks

APPROVER = "CodeCommitApprovers:123456789012:Lead/*"


def rule_content(aws: LocalAws, pipeline: Pipeline) -> dict[str, Any]:
    found = aws.client("codecommit").get_approval_rule_template(approvalRuleTemplateName=pipeline.approval_rule)
    return dict(json.loads(found["approvalRuleTemplate"]["approvalRuleTemplateContent"]))


def test_approval_rule_is_created_updated_and_deleted(aws: LocalAws, stack: ProjectStack) -> None:
    project, codecommit = stack.project, aws.client("codecommit")
    assert stack.make(ApprovalRule={"ApproversNeeded": 1}) == "CREATE_COMPLETE", stack.failures()
    content = rule_content(aws, project)
    assert content["DestinationReferences"] == ["refs/heads/development"]
    assert content["Statements"] == [{"Type": "Approvers", "NumberOfApprovalsNeeded": 1}]
    assert codecommit.list_repositories_for_approval_rule_template(
        approvalRuleTemplateName=project.approval_rule)["repositoryNames"] == [project.repository]

    rule = {"ApproversNeeded": "2", "ApprovalPoolMembers": [APPROVER]}
    assert stack.change(ApprovalRule=rule) == "UPDATE_COMPLETE", stack.failures()
    assert rule_content(aws, project)["Statements"] == [
        {"Type": "Approvers", "NumberOfApprovalsNeeded": 2, "ApprovalPoolMembers": [APPROVER]}]

    # Tags are added with the rule and removed with it.
    assert stack.change(ApprovalRule=rule, Tags=[{"Key": "team", "Value": "platform"}]) == "UPDATE_COMPLETE"
    assert {"Key": "team", "Value": "platform"} in project.child.describe()["Tags"]
    assert stack.change() == "UPDATE_COMPLETE", stack.failures()
    assert "team" not in [tag["Key"] for tag in project.child.describe()["Tags"]]
    assert codecommit.list_associated_approval_rule_templates_for_repository(
        repositoryName=project.repository)["approvalRuleTemplateNames"] == []
    assert project.approval_rule not in steps.what_is_there(aws)["approval rule templates"]


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


def test_pipeline_is_removed_and_added_again_in_one_stack(aws: LocalAws, stack: ProjectStack) -> None:
    """Each deletion leaves a tombstone with its time, for a Create that arrives late. A later Create is not late."""
    def with_pipeline(there: bool) -> str:
        held = json.loads(template(project.project_id))
        held["Resources"]["Other"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}}
        if not there:
            del held["Resources"]["Pipeline"], held["Outputs"]
        return json.dumps(held)

    project = stack.project
    assert stack.create(with_pipeline(True)) == "CREATE_COMPLETE", stack.failures()
    times = []
    for there in (False, True, False):
        # A tombstone's time has a resolution of one second.
        eventually(lambda: time.time() > (times or [0])[-1] + 1, "another second")
        assert stack.update(with_pipeline(there)) == "UPDATE_COMPLETE", stack.failures()
        assert project.child.exists() == there
        [mark] = [mark for mark in steps.deletion_marks(aws) if f"/deletions/{project.project_id}-" in mark]
        tags = aws.client("secretsmanager").describe_secret(SecretId=mark)["Tags"]
        times.append(next(int(tag["Value"].split()[0]) for tag in tags if tag["Key"] == "cfn-gitops:deletion"))
    assert times[0] == times[1] < times[2]


def test_changed_project_id_replaces_the_pipeline(aws: LocalAws, stack: ProjectStack) -> None:
    project = stack.project
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    other = Pipeline(aws, "dev", f"{project.project_id}-2")
    assert stack.update(template(other.project_id)) == "UPDATE_COMPLETE", stack.failures()
    assert stack.outputs()["Ref"] == other.stack_name
    assert other.child.exists()
    eventually(lambda: not project.child.exists(), f"{project.stack_name} is gone")


def waiting_commit(stack: ProjectStack) -> tuple[str, str]:
    """A commit and its execution, which waits for an approval."""
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    commit = stack.project.push().commit
    execution = stack.project.execution_of(commit)
    stack.project.waits_for_approval(execution)
    return commit, execution


def started_again(stack: ProjectStack, canceled: str) -> str:
    """The only execution beside the canceled one."""
    assert stack.project.status(canceled) == "Cancelled"
    first, again = [each["pipelineExecutionId"] for each in stack.project.executions()]
    assert first == canceled
    return str(again)


def test_update_starts_the_commit_that_it_cancels_again(aws: LocalAws, stack: ProjectStack) -> None:
    aws.set(updates_cancel_approvals=1)
    commit, canceled = waiting_commit(stack)
    assert stack.change(Approval={"CustomData": "Look"}) == "UPDATE_COMPLETE", stack.failures()
    again = started_again(stack, canceled)
    # Its approval is asked for again.
    stack.project.decide(again)
    assert stack.project.ended(again) == "Succeeded", stack.project.said()
    assert stack.project.deployed_commit() == commit


def test_health_check_restarts_a_commit_canceled_late(aws: LocalAws, stack: ProjectStack) -> None:
    commit, canceled = waiting_commit(stack)
    assert stack.change(Approval={"CustomData": "Look"}) == "UPDATE_COMPLETE", stack.failures()
    looks(aws)
    assert [each["status"] for each in stack.project.executions()] == ["InProgress"]
    # The approval of an outdated execution deploys nothing.
    stack.project.decide(canceled)
    assert stack.project.ended(canceled) == "Cancelled"
    assert stack.project.deployed_commit() == ""
    for _ in range(2):
        looks(aws)
        again = started_again(stack, canceled)
    stack.project.decide(again)
    assert stack.project.ended(again) == "Succeeded", stack.project.said()
    assert stack.project.deployed_commit() == commit
