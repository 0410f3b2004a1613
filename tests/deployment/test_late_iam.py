"""The local AWS puts IAM's changes into effect seconds after CloudFormation has reported them (`IAM_IS_LATE`), and the
function retries what is denied meanwhile.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.pipelines import ProjectStack
from tests.deployment.steps import Environment

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


@pytest.fixture
def new_build_role(aws: LocalAws, environment: Environment, name: str) -> Iterator[str]:
    iam, role = aws.client("iam"), f"role-dev-{name}"
    made: str = iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    yield made
    iam.delete_role(RoleName=role)


def test_first_deployment_meets_late_grants(aws: LocalAws, environment: Environment) -> None:
    """The fixture deploys the environment. The deployment is complete although IAM is late."""
    late = {decision["action"] for decision in steps.decisions_of(aws, environment.function_role)
            if decision.get("late")}
    assert late


def test_stack_is_created_again_once_its_new_role_is_trusted(aws: LocalAws, stack: ProjectStack,
                                                            new_build_role: str) -> None:
    # The build project comes first and fails. The rollback and the deletion take longer than IAM does, as on AWS.
    aws.set(slow_stacks=stack.project.stack_name, stack_resource_takes_seconds=1, iam_trusts_take_seconds=2.5)
    assert stack.make(Build={"ServiceRoleArn": new_build_role}) == "CREATE_COMPLETE", stack.failures()
    ended = [each for page in aws.client("cloudformation").get_paginator("list_stacks").paginate()
             for each in page["StackSummaries"] if each["StackName"] == stack.project.stack_name]
    assert sorted(each["StackStatus"] for each in ended) == ["CREATE_COMPLETE", "DELETE_COMPLETE"]
