"""Failures of a pipeline's stack, their reasons, and the recovery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.pipelines import Pipeline, ProjectStack, eventually
from tests.deployment.steps import Environment


def role_arn(aws: LocalAws, name: str) -> str:
    return f"arn:aws:iam::{aws.account_id}:role/{name}"


def properties(pipeline: Pipeline) -> dict[str, Any]:
    """All resources in the pipeline's stack, by its template."""
    found = pipeline.aws.client("cloudformation").get_template(StackName=pipeline.stack_name)["TemplateBody"]
    return {name: resource["Properties"] for name, resource in found["Resources"].items()}


@pytest.fixture
def another_build_role(aws: LocalAws, environment: Environment, name: str) -> Iterator[str]:
    """The ARN of a role that pipelines may give to their builds."""
    iam, role = aws.client("iam"), f"role-dev-{name}"
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
    yield role_arn(aws, role)
    iam.delete_role(RoleName=role)


@pytest.fixture
def short_lived_function(aws: LocalAws, environment: Environment) -> Iterator[None]:
    """A function whose timeout is shorter than a slow stack's operation."""
    function = aws.client("lambda")
    function.update_function_configuration(FunctionName=environment.function_name, Timeout=3)
    yield
    function.update_function_configuration(FunctionName=environment.function_name, Timeout=900)


def test_taken_name_is_the_reason_and_next_deployment_works(aws: LocalAws, stack: ProjectStack) -> None:
    project, logs = stack.project, aws.client("logs")
    group = f"/aws/codebuild/{project.build_project}"
    logs.create_log_group(logGroupName=group)
    before = steps.what_is_there(aws)
    assert stack.make() == "ROLLBACK_COMPLETE"
    reason = stack.failures()[0]
    # CloudFormation's early validation finds it, and only DescribeEvents names the resource.
    assert f"creating stack {project.stack_name}: " in reason and "BuildLogGroup" in reason
    assert group in reason and "already exists" in reason
    assert stack.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before

    logs.delete_log_group(logGroupName=group)
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    assert project.deploy(project.push().commit) == "Succeeded", project.said()


@pytest.mark.usefixtures("expected_denials")
def test_failed_update_is_rolled_back_and_pipeline_continues(aws: LocalAws, environment: Environment,
                                                             stack: ProjectStack) -> None:
    project = stack.project
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    assert project.deploy(project.push().commit) == "Succeeded", project.said()
    before = properties(project)
    # The log group changes first, then this resource's update fails.
    assert stack.change(Build={"LogRetentionInDays": 30, "ServiceRoleArn": role_arn(aws, environment.function_role)}
                        ) == "UPDATE_ROLLBACK_COMPLETE"
    reason = stack.failures()[0]
    assert f"updating stack {project.stack_name}: BuildProject" in reason and "iam:PassRole" in reason
    assert "parameter PipelineRoleNames" in reason
    assert properties(project) == before
    assert "UPDATE_ROLLBACK_COMPLETE" in [event["ResourceStatus"] for event in project.child.events()]
    [group] = aws.client("logs").describe_log_groups(
        logGroupNamePrefix=f"/aws/codebuild/{project.build_project}")["logGroups"]
    assert group["retentionInDays"] == 90
    pushed = project.push()
    assert project.deploy(pushed.commit) == "Succeeded", project.said()
    assert project.deployed_commit() == pushed.commit


@pytest.mark.usefixtures("short_lived_function")
def test_stack_longer_than_the_function_timeout_is_answered_once(aws: LocalAws, environment: Environment,
                                                                 stack: ProjectStack) -> None:
    aws.set(slow_stacks=stack.project.stack_name, stack_resource_takes_seconds=1.5)
    requests_before = len(aws.exchanges("Pipeline"))
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    [exchange] = aws.exchanges("Pipeline")[requests_before:]
    assert exchange["answer"]["Status"] == "SUCCESS"
    # Several invocations, each of which continues the previous one. On a busy machine an invocation may reach its three
    # seconds before it invokes the next one. Lambda then retries it.
    log = steps.function_log(aws, environment.function_name).splitlines()
    hops = {json.loads(line)["hop"] for line in log if '"hop"' in line and exchange["RequestId"] in line}
    assert sorted(hops) == list(range(len(hops))) and len(hops) > 2
    # A deletion takes as long and continues in the same way.
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert [each["answer"]["Status"] for each in aws.exchanges("Pipeline")[requests_before:]] == ["SUCCESS", "SUCCESS"]


def test_abandoned_update_is_cancelled_by_the_rollback(aws: LocalAws, stack: ProjectStack) -> None:
    project = stack.project
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    aws.set(slow_stacks=project.stack_name, stack_resource_takes_seconds=4)
    assert stack.change(ServiceTimeout=2, Build={"LogRetentionInDays": 30, "TimeoutInMinutes": 30}
                        ) == "UPDATE_ROLLBACK_COMPLETE", stack.failures()
    statuses = [event["ResourceStatus"] for event in project.child.events()
                if event["LogicalResourceId"] == project.stack_name]
    assert statuses.count("UPDATE_ROLLBACK_COMPLETE") == 1
    [build] = aws.client("codebuild").batch_get_projects(names=[project.build_project])["projects"]
    assert build["timeoutInMinutes"] == 60


@pytest.mark.usefixtures("expected_denials")
def test_failed_rollback_continues_after_its_cause_is_removed(aws: LocalAws, environment: Environment,
                                                              stack: ProjectStack, another_build_role: str) -> None:
    project, iam, cloudformation = stack.project, aws.client("iam"), aws.client("cloudformation")
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    # The build project can have another role, and then not its own again; the rule cannot have the function's.
    iam.put_role_policy(RoleName=environment.provisioning_role, PolicyName="in-the-way", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:PassRole", "Resource": role_arn(
            aws, "role-dev-codebuild-cfn")}]}))
    aws.put_iam_into_effect()
    try:
        project.push()
        eventually(project.exists, f"{project.name} is made")
        eventually(lambda: project.child.status() == "UPDATE_COMPLETE", "the first push is over")
        changed = {"Build": {"ServiceRoleArn": another_build_role},
                   "EventRoleArn": role_arn(aws, environment.function_role)}
        assert stack.change(**changed) == "UPDATE_ROLLBACK_FAILED"
        reason = stack.failures()[0]
        assert f"updating stack {project.stack_name}: EventRule" in reason and "continue-update-rollback" in reason
        assert project.child.status() == "UPDATE_ROLLBACK_FAILED"
    finally:
        iam.delete_role_policy(RoleName=environment.provisioning_role, PolicyName="in-the-way")
        aws.put_iam_into_effect()
    cloudformation.continue_update_rollback(StackName=stack.name)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE", stack.failures()
    assert project.child.status() in {"UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
    [build] = aws.client("codebuild").batch_get_projects(names=[project.build_project])["projects"]
    assert build["serviceRole"] == role_arn(aws, "role-dev-codebuild-cfn")


def test_every_request_delivered_twice_ends_the_same(aws: LocalAws, stack: ProjectStack) -> None:
    project, before = stack.project, steps.what_is_there(aws)
    aws.set(deliveries_of_each_request=2)
    assert stack.make(ApprovalRule={"ApproversNeeded": 1}) == "CREATE_COMPLETE", stack.failures()
    pushed = project.push()
    assert stack.change(Tags=[{"Key": "team", "Value": "platform"}]) == "UPDATE_COMPLETE", stack.failures()
    assert project.deploy(pushed.commit) == "Succeeded", project.said()
    assert len(project.executions()) == 1
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert project.deployed.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before
