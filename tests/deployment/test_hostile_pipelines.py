"""A person who can write a template with the ServiceToken gets a pipeline, and nothing beyond a pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.conftest import Production
from tests.deployment.pipelines import Pipeline, ProjectStack, template
from tests.deployment.steps import Environment, Stack

pytestmark = pytest.mark.usefixtures("environment", "expected_denials")


def rejected(aws: LocalAws, name: str, body: str) -> str:
    """Deploys the template, which has to fail and change nothing. Returns the reason."""
    before, stack = steps.what_is_there(aws), Stack(aws, f"hostile-{name}")
    assert stack.create(body) == "ROLLBACK_COMPLETE", stack.failures()
    reason = stack.failures()[0]
    assert stack.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before
    return reason


def role_arn(aws: LocalAws, name: str) -> str:
    return f"arn:aws:iam::{aws.account_id}:role/{name}"


# claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
@pytest.mark.parametrize("exists", [False, True])
def test_other_environments_pipeline_is_rejected(aws: LocalAws, production: Production, name: str, exists: bool) -> None:
    before = Pipeline(aws, "prd", "infra").child.describe()
    reason = rejected(aws, name, template("infra" if exists else name, env_id="prd"))
    assert "AccessDenied" in reason and "use the ServiceToken of the environment EnvID" in reason
    assert Pipeline(aws, "prd", "infra").child.describe() == before


# claim: no-build-gets-a-stronger-role
@pytest.mark.parametrize("which", ["role-dev-cfn-gitops", "administrator"])
def test_no_build_gets_a_role_that_may_do_more(aws: LocalAws, name: str, which: str) -> None:
    reason = rejected(aws, name, template(name, Build={"ServiceRoleArn": role_arn(aws, which)}))
    assert "iam:PassRole" in reason and role_arn(aws, which) in reason and "parameter PipelineRoleNames" in reason


# claim: no-build-gets-a-stronger-role
@pytest.mark.parametrize("where", ["EventRoleArn", "PipelineRoleArn"])
def test_no_rule_and_no_pipeline_gets_a_role_that_may_do_more(aws: LocalAws, stack: ProjectStack, where: str) -> None:
    """The roles exist from the first push on."""
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    assert stack.project.deploy(stack.project.push().commit) == "Succeeded"
    for which in ("role-dev-cfn-gitops", "administrator"):
        assert stack.change(**{where: role_arn(aws, which)}) == "UPDATE_ROLLBACK_COMPLETE"
        reason = stack.failures()[-1]
        # A role of a pipeline is read before it is passed.
        assert "iam:PassRole" in reason or "iam:GetRole" in reason
        assert role_arn(aws, which) in reason and "parameter PipelineRoleNames" in reason
    assert stack.project.deploy(stack.project.push().commit) == "Succeeded", stack.project.said()


# claim: no-build-gets-a-stronger-role
def test_pipeline_cannot_deploy_with_a_role_it_may_not_pass(aws: LocalAws, stack: ProjectStack) -> None:
    arn = role_arn(aws, "role-dev-cfn-gitops-provisioning")
    assert stack.make(Deploy={"RoleArn": arn}, Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    execution = project.execution_of(project.push().commit)
    assert project.ended(execution) == "Failed"
    # The role is a condition of the call, which is evaluated before the role is passed.
    assert "cloudformation:CreateStack" in project.error(execution)
    assert not project.deployed.exists()


def test_pipeline_cannot_deploy_into_a_non_project_stack(aws: LocalAws, environment: Environment,
                                                         stack: ProjectStack) -> None:
    before = environment.describe()
    assert stack.make(Deploy={"StackName": environment.name}, Approval={"Required": False}) == "CREATE_COMPLETE"
    project = stack.project
    execution = project.execution_of(project.push().commit)
    assert project.ended(execution) == "Failed"
    assert "not authorized" in project.error(execution)
    assert environment.describe() == before


# claim: broad-policy-does-not-lift-a-limit
def test_deployed_stack_cannot_change_a_pipeline(aws: LocalAws, stack: ProjectStack) -> None:
    """For example, a rule with a name of the machinery whose target is a pipeline."""
    assert stack.make(Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    execution = project.execution_of(project.push(template=json.dumps({
        "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
        "Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": {
            "Name": "event-rule-dev-codepipeline-exec-cfn-hostile", "State": "DISABLED",
            "EventPattern": {"source": ["nobody"]}}}}})).commit)
    assert project.ended(execution) == "Failed"
    assert project.deployed.status() == "ROLLBACK_COMPLETE"
    assert "event-rule-dev-codepipeline-exec-cfn-hostile" in project.deployed.failures()[0]


@pytest.fixture
def deploys_everything(aws: LocalAws, environment: Environment) -> Iterator[None]:
    """AdministratorAccess on the deploy role, as DeployPolicyArns attaches it."""
    iam, role = aws.client("iam"), "role-dev-codedeploy-cfn"
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    aws.put_iam_into_effect()
    yield
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    aws.put_iam_into_effect()


TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
FUNCTION = {"Fn::ImportValue": "cfn-gitops-dev-ServiceToken"}
HOSTILE = {
    "lambda:InvokeFunction": ("Custom::MirrorCredential", {"ServiceToken": FUNCTION, "UserName": "user-dev-codecommit-mirroring"}),
    "secretsmanager:DescribeSecret": ("AWS::SecretsManager::RotationSchedule", {
        "SecretId": "codecommit-mirror/user-dev-codecommit-mirroring", "RotationLambdaARN": FUNCTION,
        "RotationRules": {"AutomaticallyAfterDays": 1}}),
    "iam:CreateRole": ("AWS::IAM::Role", {"RoleName": "role-dev-hostile", "AssumeRolePolicyDocument": TRUST}),
    "codebuild:CreateProject": ("AWS::CodeBuild::Project", {
        "Name": "codebuild-prd-cfn-hostile", "ServiceRole": "role-dev-codebuild-cfn", "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
        "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "aws/codebuild/standard:7.0"}}),
}


# claim: broad-policy-does-not-lift-a-limit
@pytest.mark.usefixtures("deploys_everything")
@pytest.mark.parametrize("action", HOSTILE)
def test_administrator_access_does_not_lift_the_limits(aws: LocalAws, stack: ProjectStack, action: str) -> None:
    assert stack.make(Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project, (kind, properties) = stack.project, HOSTILE[action]
    execution = project.execution_of(project.push(template=json.dumps({
        "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
        "Resources": {"Hostile": {"Type": kind, "Properties": properties}}})).commit)
    assert project.ended(execution) == "Failed"
    assert project.deployed.status() == "ROLLBACK_COMPLETE"
    assert action in project.deployed.failures()[0] and "explicit deny" in project.deployed.failures()[0]


# claim: user-of-another-stack-is-rejected-naming-its-owner
def test_pipeline_of_another_stack_is_rejected_naming_its_owner(aws: LocalAws, environment: Environment,
                                                                name: str) -> None:
    infra = Pipeline(aws, "dev", "infra")
    before = infra.child.describe()
    reason = rejected(aws, name, template("infra"))
    assert f"using stack gitops-dev-infra: it belongs to Project of stack {environment.id}" in reason
    assert infra.child.describe() == before


def test_foreign_stack_is_rejected(aws: LocalAws, name: str) -> None:
    by_hand = Stack(aws, f"gitops-dev-{name}")
    assert by_hand.create(json.dumps({"Resources": {"Other": {"Type": "AWS::Logs::LogGroup"}}})) == "CREATE_COMPLETE"
    reason = rejected(aws, name, template(name))
    assert f"using stack gitops-dev-{name}: it exists and was not created by Custom::GitOpsPipeline" in reason
    assert by_hand.status() == "CREATE_COMPLETE"
    assert by_hand.delete() == "DELETE_COMPLETE"


def test_foreign_repository_and_approval_rule_are_rejected(aws: LocalAws, name: str) -> None:
    codecommit, pipeline = aws.client("codecommit"), Pipeline(aws, "dev", name)
    codecommit.create_repository(repositoryName=pipeline.repository)
    reason = rejected(aws, name, template(name))
    assert f"creating repository {pipeline.repository}: it exists" in reason and "delete-repository" in reason
    codecommit.delete_repository(repositoryName=pipeline.repository)

    codecommit.create_approval_rule_template(
        approvalRuleTemplateName=pipeline.approval_rule, approvalRuleTemplateDescription="ours",
        approvalRuleTemplateContent=json.dumps({"Version": "2018-11-08", "Statements": [
            {"Type": "Approvers", "NumberOfApprovalsNeeded": 1}]}))
    reason = rejected(aws, f"{name}-2", template(name, ApprovalRule={"ApproversNeeded": 2}))
    assert f"applying approval rule template {pipeline.approval_rule}" in reason
    codecommit.delete_approval_rule_template(approvalRuleTemplateName=pipeline.approval_rule)


@pytest.mark.usefixtures("queued_requests")
def test_source_outside_the_name_pattern_names_the_parameter(aws: LocalAws, name: str) -> None:
    codecommit, repository = aws.client("codecommit"), f"crown-jewels-{name}"
    codecommit.create_repository(repositoryName=repository)
    reason = rejected(aws, name, template(name, Source={"RepositoryName": repository}))
    assert "AccessDenied" in reason and "parameter RepositoryNames" in reason
    codecommit.delete_repository(repositoryName=repository)
