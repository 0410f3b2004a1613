"""Parameters of template.yaml that reach the deployed function and pipeline."""

from __future__ import annotations

from local.aws import LocalAws
from tests.deployment.steps import Environment

NETWORK = {"VpcSubnetIds": "subnet-0a1b2c3d,subnet-4e5f6a7b", "VpcSecurityGroupIds": "sg-0a1b2c3d"}


def test_parameters_reach_the_function_and_its_role(aws: LocalAws, environment: Environment) -> None:
    assert environment.change(LogLevel="warn", **NETWORK) == "UPDATE_COMPLETE", environment.failures()
    function = aws.client("lambda").get_function_configuration(FunctionName=environment.function_name)
    assert function["Environment"]["Variables"]["RUST_LOG"] == "warn"
    # The local Lambda has no VPCs: tests/templates/test_resources.py holds VpcConfig.
    assert "ec2:CreateNetworkInterface" in role_policy(aws, environment)

    assert environment.change(LogLevel="info", **dict.fromkeys(NETWORK, "")) == "UPDATE_COMPLETE", environment.failures()
    assert "ec2:" not in role_policy(aws, environment)


def test_approval_topic_reaches_the_first_pipeline(aws: LocalAws, environment: Environment, name: str) -> None:
    topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
    assert environment.change(ApprovalTopicArn=topic) == "UPDATE_COMPLETE", environment.failures()
    template = aws.client("cloudformation").get_template(StackName="gitops-dev-infra")["TemplateBody"]
    assert topic in str(template)
    policy = aws.client("iam").get_policy(PolicyArn=f"arn:aws:iam::{aws.account_id}:policy/policy-dev-codepipeline-cfn")["Policy"]
    document = aws.client("iam").get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    assert topic in str(document["PolicyVersion"]["Document"])

    assert environment.change(ApprovalTopicArn="") == "UPDATE_COMPLETE", environment.failures()
    aws.client("sns").delete_topic(TopicArn=topic)


def role_policy(aws: LocalAws, environment: Environment) -> str:
    role = environment.function_role
    return str(aws.client("iam").get_role_policy(RoleName=role, PolicyName="policy-dev-cfn-gitops")["PolicyDocument"])
