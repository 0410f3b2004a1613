"""Each type that a role can create: with the permissions of its handler, and with one of them missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA, Stack, a_role, allow, grant, policy, provider_code

TAGS = [{"Key": "k", "Value": "v"}]


def of_type(kind: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A resource at its creation, and after its update."""
    alarm = {"AlarmName": name, "Namespace": "A", "MetricName": "B", "Statistic": "Sum", "Period": 60, "Threshold": 1,
             "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}
    rows: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "AWS::CloudWatch::Alarm": ({**alarm, "Tags": TAGS}, {**alarm, "Threshold": 2}),
        "AWS::CloudWatch::Dashboard": ({"DashboardName": name, "DashboardBody": '{"widgets": []}'},
                                       {"DashboardName": name, "DashboardBody": '{"widgets": [], "start": "-P1D"}'}),
        "AWS::CodeCommit::Repository": ({"RepositoryName": name, "Tags": TAGS},
                                        {"RepositoryName": f"{name}-2", "RepositoryDescription": "d"}),
        "AWS::Events::Rule": ({"Name": name, "EventPattern": {"source": ["a"]}, "Tags": TAGS, "Targets": [
            {"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:123456789012:q", "RoleArn": "arn:aws:iam::1:role/a"}]},
            {"Name": name, "EventPattern": {"source": ["b"]}}),
        "AWS::IAM::Role": ({"RoleName": name, "AssumeRolePolicyDocument": json.loads(TRUST_LAMBDA), "Tags": TAGS,
                            "Policies": [{"PolicyName": "p", "PolicyDocument": json.loads(policy(allow("s3:*", "*")))}],
                            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
                           {"RoleName": name, "AssumeRolePolicyDocument": json.loads(TRUST_LAMBDA)}),
        "AWS::Logs::LogGroup": ({"LogGroupName": name, "RetentionInDays": 1, "Tags": TAGS}, {"LogGroupName": name}),
        "AWS::S3::Bucket": ({"BucketName": name, "VersioningConfiguration": {"Status": "Enabled"}, "Tags": TAGS},
                            {"BucketName": name, "OwnershipControls": {"Rules": [
                                {"ObjectOwnership": "BucketOwnerEnforced"}]}}),
        "AWS::SNS::Topic": ({"TopicName": name, "Tags": TAGS}, {"TopicName": name, "DisplayName": "d"}),
        "AWS::SSM::Parameter": ({"Name": name, "Type": "String", "Value": "x", "Tags": {"k": "v"}},
                                {"Name": name, "Type": "String", "Value": "y"}),
    }
    made, changed = rows[kind]
    return {"It": {"Type": kind, "Properties": made}}, {"It": {"Type": kind, "Properties": changed}}


# The minimal permissions for a creation. The other used ones are for the tags that CloudFormation adds.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
MADE_WITH = {
    "AWS::CloudWatch::Alarm": {"cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"},
    "AWS::CloudWatch::Dashboard": {"cloudwatch:GetDashboard", "cloudwatch:PutDashboard"},
    "AWS::CodeCommit::Repository": {"codecommit:CreateRepository", "codecommit:GetRepository",
                                    "codecommit:TagResource"},
    "AWS::Events::Rule": {"events:DescribeRule", "events:PutRule", "events:PutTargets", "events:TagResource",
                          "iam:PassRole"},
    "AWS::IAM::Role": {"iam:AttachRolePolicy", "iam:CreateRole", "iam:GetRole", "iam:PutRolePolicy", "iam:TagRole"},
    "AWS::Logs::LogGroup": {"logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:PutRetentionPolicy",
                            "logs:TagResource"},
    "AWS::S3::Bucket": {"s3:CreateBucket", "s3:PutBucketTagging", "s3:PutBucketVersioning"},
    "AWS::SNS::Topic": {"sns:CreateTopic", "sns:GetTopicAttributes", "sns:TagResource"},
    "AWS::SSM::Parameter": {"ssm:AddTagsToResource", "ssm:GetParameters", "ssm:PutParameter"},
}
DELETED_WITH = {
    "AWS::CloudWatch::Alarm": {"cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"},
    "AWS::CloudWatch::Dashboard": {"cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"},
    "AWS::CodeCommit::Repository": {"codecommit:DeleteRepository"},
    "AWS::Events::Rule": {"events:DescribeRule", "events:DeleteRule", "events:ListTargetsByRule"},
    "AWS::IAM::Role": {"iam:DeleteRole", "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"},
    "AWS::Logs::LogGroup": {"logs:DeleteLogGroup", "logs:DescribeLogGroups"},
    "AWS::S3::Bucket": {"s3:DeleteBucket", "s3:ListBucket"},
    "AWS::SNS::Topic": {"sns:DeleteTopic", "sns:GetTopicAttributes"},
    "AWS::SSM::Parameter": {"ssm:DeleteParameter"},
}
CHANGED_WITH = {
    "AWS::CloudWatch::Alarm": {"cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:UntagResource"},
    "AWS::CloudWatch::Dashboard": {"cloudwatch:PutDashboard"},
    "AWS::CodeCommit::Repository": {"codecommit:UpdateRepositoryName", "codecommit:UpdateRepositoryDescription",
                                    "codecommit:UntagResource", "codecommit:GetRepository"},
    "AWS::Events::Rule": {"events:DescribeRule", "events:PutRule", "events:RemoveTargets", "events:UntagResource"},
    "AWS::IAM::Role": {"iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:GetRole", "iam:UntagRole"},
    "AWS::Logs::LogGroup": {"logs:DeleteRetentionPolicy", "logs:DescribeLogGroups", "logs:UntagResource"},
    "AWS::S3::Bucket": {"s3:PutBucketOwnershipControls", "s3:PutBucketTagging", "s3:PutBucketVersioning"},
    "AWS::SNS::Topic": {"sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:UntagResource"},
    "AWS::SSM::Parameter": {"ssm:GetParameters", "ssm:PutParameter", "ssm:RemoveTagsFromResource"},
}


def make(stack: Stack, resources: dict[str, Any], role: str) -> str:
    return stack.create(resources, RoleARN=role)


@pytest.mark.parametrize("kind", sorted(MADE_WITH))
def test_each_type_needs_only_its_own_permissions(aws: LocalAws, stack: Stack, name: str,
                                                               kind: str) -> None:
    role = a_role(aws, f"{name}-role", MADE_WITH[kind])
    first, second = of_type(kind, name)
    operations = (lambda: make(stack, first, role)), (lambda: stack.update(second)), stack.delete
    for actions, operation in zip((MADE_WITH, CHANGED_WITH, DELETED_WITH), operations, strict=True):
        grant(aws, f"{name}-role", actions[kind])
        aws.forget()
        assert operation().endswith("E_COMPLETE"), stack.events()
        assert {decision["action"] for decision in aws.decisions(f"{name}-role/")} == actions[kind]


@pytest.mark.parametrize(("kind", "action"), [(kind, action) for kind in sorted(MADE_WITH)
                                              for action in sorted(MADE_WITH[kind])])
def test_type_is_not_created_without_each_permission(aws: LocalAws, stack: Stack, name: str, kind: str,
                                                action: str) -> None:
    role = a_role(aws, f"{name}-role", MADE_WITH[kind] - {action})
    assert make(stack, of_type(kind, name)[0], role) == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: {action} on resource: " in str(stack.events())


def test_resource_with_a_denied_name_is_not_created(aws: LocalAws, stack: Stack, name: str) -> None:
    role = a_role(aws, f"{name}-role", {"logs:DescribeLogGroups"})
    aws.client("iam").put_role_policy(RoleName=f"{name}-role", PolicyName="named", PolicyDocument=policy(allow(
        "logs:*", f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{name}-mine*")))
    assert make(stack, of_type("AWS::Logs::LogGroup", f"{name}-theirs")[0], role) == "ROLLBACK_COMPLETE"
    stack.delete()
    assert make(stack, of_type("AWS::Logs::LogGroup", f"{name}-mine")[0], role) == "CREATE_COMPLETE"


def test_role_creation_needs_the_required_boundary(aws: LocalAws, stack: Stack, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    boundary = aws.client("iam").create_policy(PolicyName=name, PolicyDocument=policy(allow("s3:*", "*")))[
        "Policy"]["Arn"]
    role = a_role(aws, f"{name}-role", {"iam:GetRole", "iam:TagRole", "iam:DeleteRole", "iam:List*"})
    aws.client("iam").put_role_policy(RoleName=f"{name}-role", PolicyName="create", PolicyDocument=policy(allow(
        "iam:CreateRole", "*", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}})))
    resource = of_type("AWS::IAM::Role", name)[1]
    assert make(stack, resource, role) == "ROLLBACK_COMPLETE"
    stack.delete()
    resource["It"]["Properties"]["PermissionsBoundary"] = boundary
    assert make(stack, resource, role) == "CREATE_COMPLETE"


def test_a_boundary_limits_the_role_that_makes_the_stack(aws: LocalAws, stack: Stack, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    role = a_role(aws, f"{name}-role", {"*"})
    boundary = aws.client("iam").create_policy(PolicyName=name, PolicyDocument=policy(allow("s3:*", "*")))[
        "Policy"]["Arn"]
    aws.client("iam").put_role_permissions_boundary(RoleName=f"{name}-role", PermissionsBoundary=boundary)
    assert make(stack, of_type("AWS::SSM::Parameter", name)[0], role) == "ROLLBACK_COMPLETE"
    assert "because no permissions boundary allows the ssm:PutParameter action" in str(stack.events())


def test_custom_resource_function_needs_pass_role_and_invoke(aws: LocalAws, name: str) -> None:
    code = aws.client("s3")
    code.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    code.put_object(Bucket=name, Key="code.zip", Body=provider_code())
    own = a_role(aws, f"{name}-function", {"logs:*"}, "lambda.amazonaws.com")
    resources = {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": own,
            "Code": {"S3Bucket": name, "S3Key": "code.zip"}}},
        "Custom": {"Type": "Custom::Obedient", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}}}
    needed = {"lambda:CreateFunction", "lambda:GetFunction", "lambda:TagResource", "lambda:InvokeFunction",
              "iam:PassRole", "s3:GetObject"}
    deleting = {"lambda:DeleteFunction"}
    role = a_role(aws, f"{name}-role", deleting)
    for number, missing in enumerate(sorted(needed)):
        stack = Stack(aws, f"{name}-{number}")
        grant(aws, f"{name}-role", needed - {missing} | deleting)
        assert make(stack, resources, role).startswith("ROLLBACK_")
        assert f"is not authorized to perform: {missing} on resource: " in str(stack.events())
        grant(aws, f"{name}-role", needed | deleting)
        assert stack.delete() == "DELETE_COMPLETE"
    assert make(Stack(aws, name), resources, role) == "CREATE_COMPLETE"


def test_nested_stack_needs_its_template_and_its_resources(aws: LocalAws, name: str) -> None:
    s3, key = aws.client("s3"), "code/AROA4EXAMPLE:AWSCodeBuild-1/0a1b.template"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=name, Key=key, Body=json.dumps({"Resources": of_type("AWS::Logs::LogGroup", name)[1]}))
    resources = {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {
        "TemplateURL": f"{aws.endpoint_url}/{name}/{key}"}}}
    needed = {"s3:GetObject", "cloudformation:CreateStack", "cloudformation:DescribeStacks", "logs:CreateLogGroup"}
    others = {"cloudformation:DeleteStack", "cloudformation:TagResource", "logs:DescribeLogGroups", "logs:DeleteLogGroup",
              "logs:TagResource"}
    role = a_role(aws, f"{name}-role", needed | others)
    for number, missing in enumerate(sorted(needed)):
        stack = Stack(aws, f"{name}-{number}")
        grant(aws, f"{name}-role", needed - {missing} | others)
        assert make(stack, resources, role).startswith("ROLLBACK_")
        assert f"is not authorized to perform: {missing} on resource: " in str(stack.events())
        grant(aws, f"{name}-role", needed | others)
        assert stack.delete() == "DELETE_COMPLETE"
    aws.forget()
    assert make(Stack(aws, name), resources, role) == "CREATE_COMPLETE"
    read = [each["resource"] for each in aws.decisions(f"{name}-role/") if each["action"] == "s3:GetObject"]
    assert read == [f"arn:aws:s3:::{name}/{key}"]


def test_function_alias_needs_its_rights_in_every_operation(aws: LocalAws, stack: Stack, name: str) -> None:
    own = a_role(aws, f"{name}-function", {"logs:*"}, "lambda.amazonaws.com")
    function = aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=own, Code={"ZipFile": provider_code()})

    def resources(description: str) -> dict[str, Any]:
        return {
            "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": function["FunctionArn"]}},
            "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": name, "Name": "live", "Description": description,
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}}}}

    needed = {"lambda:GetFunctionConfiguration", "lambda:PublishVersion", "lambda:CreateAlias"}
    role = a_role(aws, f"{name}-role", needed - {"lambda:CreateAlias"} | {"lambda:DeleteFunction"})
    assert make(stack, resources("a"), role) == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: lambda:CreateAlias on resource: {function['FunctionArn']}" in str(stack.events())
    stack.delete()
    operations = (
        (needed, lambda: make(stack, resources("a"), role)),
        ({"lambda:GetAlias", "lambda:UpdateAlias"}, lambda: stack.update(resources("b"))),
        ({"lambda:GetAlias", "lambda:DeleteAlias", "lambda:GetFunctionConfiguration", "lambda:DeleteFunction"}, stack.delete))
    for actions, operation in operations:
        grant(aws, f"{name}-role", actions)
        aws.forget()
        assert operation().endswith("E_COMPLETE"), stack.events()
        assert {decision["action"] for decision in aws.decisions(f"{name}-role/")} == actions


def test_change_set_executes_with_the_role_that_created_it(aws: LocalAws, stack: Stack, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (RoleARN)
    client, role = aws.client("cloudformation"), a_role(aws, f"{name}-role", {"ssm:GetParameters"})
    body = json.dumps({"Resources": of_type("AWS::SSM::Parameter", name)[0]})
    change = {"StackName": name, "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": body}
    client.create_change_set(**change, RoleARN=role)
    client.execute_change_set(StackName=name, ChangeSetName="c")
    assert stack.wait() == "ROLLBACK_COMPLETE"
    assert f"{name}-role/AWSCloudFormation is not authorized to perform: ssm:PutParameter" in str(stack.events())
    assert client.describe_stacks(StackName=name)["Stacks"][0]["RoleARN"] == role


def test_function_permission_needs_the_allowed_principal(aws: LocalAws, stack: Stack, name: str) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    own = a_role(aws, f"{name}-function", {"logs:*"}, "lambda.amazonaws.com")
    function = aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=own, Code={"ZipFile": provider_code()})
    role = a_role(aws, f"{name}-role", {"lambda:RemovePermission"})
    aws.client("iam").put_role_policy(RoleName=f"{name}-role", PolicyName="events", PolicyDocument=policy(allow(
        "lambda:AddPermission", function["FunctionArn"],
        Condition={"StringEquals": {"lambda:Principal": "events.amazonaws.com"}})))

    def resources(principal: str) -> dict[str, Any]:
        return {"Permission": {"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": name, "Action": "lambda:InvokeFunction", "Principal": principal}}}

    assert make(stack, resources("s3.amazonaws.com"), role) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: lambda:AddPermission on resource: " in str(stack.events())
    stack.delete()
    aws.forget()
    assert make(stack, resources("events.amazonaws.com"), role) == "CREATE_COMPLETE", stack.events()
    assert stack.delete() == "DELETE_COMPLETE"
    assert [decision["action"] for decision in aws.decisions(f"{name}-role/")] == [
        "lambda:AddPermission", "lambda:RemovePermission"]
