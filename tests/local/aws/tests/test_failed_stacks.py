"""The operations of stacks, of which one failed or is rejected."""

import json

import pytest

from tests.local.aws.testing import Stack, allow, error_of, policy, trust

FAILING = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": "absent"}}}


def test_failed_nested_stack_names_its_resources(aws, stack, name):
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    inner = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Taken": {"Type": "AWS::S3::Bucket", "DependsOn": "Topic", "Properties": {"BucketName": name}},
        }
    }
    s3.put_object(Bucket=name, Key="inner.json", Body=json.dumps(inner))
    url = f"https://{name}.s3.amazonaws.com/inner.json"
    assert (
        stack.create({"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}})
        == "ROLLBACK_COMPLETE"
    )

    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    rollback, creation = described["LastOperations"]
    assert [rollback["OperationType"], creation["OperationType"]] == ["ROLLBACK", "CREATE_STACK"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert (
        events[-1]["OperationId"]
        == creation["OperationId"]
        != events[0]["OperationId"]
        == rollback["OperationId"]
    )

    failed = next(event for event in events if event["ResourceStatus"] == "CREATE_FAILED")
    nested_id = failed["PhysicalResourceId"]
    assert (
        failed["ResourceStatusReason"] == f"Embedded stack {nested_id} was not successfully created: "
        "The following resource(s) failed to create: [Taken]. "
    )
    nested = cloudformation.describe_stacks(StackName=nested_id)["Stacks"][0]
    assert nested["ParentId"] == nested["RootId"] == described["StackId"]
    events = cloudformation.describe_stack_events(StackName=nested_id)["StackEvents"]
    reasons = {
        event["LogicalResourceId"]: event["ResourceStatusReason"]
        for event in events
        if event["ResourceStatus"] == "CREATE_FAILED"
    }
    assert "exist" in reasons["Taken"]
    assert reasons[nested["StackName"]] == "The following resource(s) failed to create: [Taken]. "


def test_finding_of_a_validation_has_its_operation(aws, stack, name):
    cloudformation = aws.client("cloudformation")
    aws.client("logs").create_log_group(logGroupName=name)
    stack.create({"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}})
    found = cloudformation.describe_events(StackName=name, Filters={"FailedEvents": True})["OperationEvents"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    begins = [event["OperationId"] for event in events if event["ResourceStatus"] == "CREATE_IN_PROGRESS"]
    assert [each["LogicalResourceId"] for each in found if each["EventType"] == "VALIDATION_ERROR"] == [
        "Group"
    ]
    assert {each["OperationId"] for each in found} == set(begins)


def test_change_set_with_wrong_properties_fails(aws, name):
    cloudformation = aws.client("cloudformation")
    policy = {"Resources": {"A": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Name": "a"}}}}
    made = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="a",
        ChangeSetType="CREATE",
        Capabilities=["CAPABILITY_IAM"],
        TemplateBody=json.dumps(policy),
    )
    described = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert (
        described["Status"] == "FAILED"
        and "[AWS::EarlyValidation::PropertyValidation]" in described["StatusReason"]
    )
    found = cloudformation.describe_events(ChangeSetName=made["Id"])["OperationEvents"]
    assert {(each["ValidationPath"], each["ValidationStatusReason"]) for each in found} == {
        ("/Resources/A/Properties", "Required property [PolicyDocument] not found"),
        ("/Resources/A/Properties/Name", "Unsupported property [Name]"),
    }


def test_rolled_back_creation_cannot_be_updated(aws, stack, name):
    cloudformation, topic = (
        aws.client("cloudformation"),
        json.dumps({"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}),
    )
    assert stack.create({"A": FAILING}) == "ROLLBACK_COMPLETE"
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    rejected = (
        "ValidationError",
        400,
        f"Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated.",
    )
    assert error_of(cloudformation.update_stack, StackName=name, TemplateBody=topic) == rejected
    assert (
        error_of(cloudformation.create_change_set, StackName=name, ChangeSetName="a", TemplateBody=topic)
        == rejected
    )


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE"])
def test_stack_with_a_used_export_returns_to_its_status(aws, stack, name, status):
    cloudformation = aws.client("cloudformation")
    exporting = {
        "Resources": {"A": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"A": {"Value": {"Ref": "A"}, "Export": {"Name": name}}},
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(exporting))
    assert stack.wait() == "CREATE_COMPLETE"
    if status == "UPDATE_COMPLETE":
        exporting["Resources"]["B"] = {"Type": "AWS::SNS::Topic"}
        cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(exporting))
        assert stack.wait() == status
    users = [Stack(aws, f"{name}-{each}") for each in ("a", "b", "c")]
    importing = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": name}}}
    for user in users:
        assert user.create({"A": importing}) == "CREATE_COMPLETE"
    # These import nothing.
    failed, without = Stack(aws, f"{name}-failed"), Stack(aws, f"{name}-without")
    assert failed.create({"A": importing, "B": {**FAILING, "DependsOn": "A"}}) == "ROLLBACK_COMPLETE"
    cloudformation.create_stack(
        StackName=without.name,
        TemplateBody=json.dumps(
            {
                "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
                "Resources": {"A": {"Type": "AWS::SNS::Topic"}, "B": {**importing, "Condition": "Never"}},
                "Outputs": {"A": {"Value": {"Fn::If": ["Never", {"Fn::ImportValue": name}, "a"]}}},
            }
        ),
    )
    assert without.wait() == "CREATE_COMPLETE"
    assert stack.delete() == status
    reason = (
        f"Delete canceled. Cannot delete export {name} as it is in use by {name}-a, {name}-b and {name}-c."
    )
    assert cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatusReason"] == reason
    begun, ended = stack.events()[-2:]
    assert (begun["ResourceStatus"], ended["ResourceStatus"], ended["ResourceStatusReason"]) == (
        "DELETE_IN_PROGRESS",
        status,
        reason,
    )
    exporting["Resources"]["C"] = {"Type": "AWS::SNS::Topic"}
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(exporting))
    assert stack.wait() == "UPDATE_COMPLETE"
    assert "StackStatusReason" not in cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    taken = Stack(aws, f"{name}-taken")
    cloudformation.create_stack(StackName=taken.name, TemplateBody=json.dumps(exporting))
    assert taken.wait() == "ROLLBACK_COMPLETE"
    assert rollbacks(taken) == [f"Export with name {name} is already exported by stack {name}"]
    del exporting["Outputs"]
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(exporting))
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert rollbacks(stack) == [reason]
    for user in users:
        assert user.delete() == "DELETE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def rollbacks(stack):
    return [
        event["ResourceStatusReason"]
        for event in stack.events()
        if event["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS")
    ]


def test_stack_names_the_change_set_that_was_executed(aws, stack, name):
    cloudformation = aws.client("cloudformation")

    def described():
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("ChangeSetId")

    assert stack.create({"A": {"Type": "AWS::SNS::Topic"}}) == "CREATE_COMPLETE"
    assert described() is None
    failing = {"A": {"Type": "AWS::SNS::Topic"}, "B": FAILING}
    change_set = cloudformation.create_change_set(
        StackName=name, ChangeSetName="a", TemplateBody=json.dumps({"Resources": failing})
    )
    assert described() is None
    cloudformation.execute_change_set(StackName=name, ChangeSetName="a")
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert described() == change_set["Id"]
    by_id = cloudformation.describe_change_set(ChangeSetName=change_set["Id"])
    assert (by_id["ChangeSetName"], by_id["ExecutionStatus"]) == ("a", "EXECUTE_FAILED")
    assert (
        error_of(cloudformation.describe_change_set, StackName=name, ChangeSetName="a")[0]
        == "ChangeSetNotFound"
    )
    stack.delete()
    assert (
        error_of(cloudformation.describe_change_set, ChangeSetName=change_set["Id"])[0] == "ChangeSetNotFound"
    )


def sized(size):
    empty = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "", "Resource": "*"}]}
    characters = size - len("".join(json.dumps(empty).split()))
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": f"s3:{'a' * (characters - 3)}", "Resource": "*"}],
    }


def inline(*sizes):
    return {"Policies": [{"PolicyName": str(size), "PolicyDocument": sized(size)} for size in sizes]}


TRUST = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}
ATTACHED = ["arn:aws:iam::aws:policy/AdministratorAccess"]


@pytest.mark.parametrize(
    ("kind", "fits", "exceeds", "reason"),
    [
        (
            "ManagedPolicy",
            {"PolicyDocument": sized(6_144)},
            {"PolicyDocument": sized(6_145)},
            "quota for PolicySize: 6144",
        ),
        (
            "Role",
            {**TRUST, **inline(5_000, 5_240)},
            {**TRUST, **inline(5_000, 5_241)},
            "size of 10240 bytes exceeded for role ",
        ),
        (
            "Role",
            {"AssumeRolePolicyDocument": sized(2_048)},
            {"AssumeRolePolicyDocument": sized(2_049)},
            "quota for ACLSizePerRole: 2048",
        ),
        (
            "Role",
            {**TRUST, "ManagedPolicyArns": ATTACHED * 10},
            {**TRUST, "ManagedPolicyArns": ATTACHED * 11},
            "quota for PoliciesPerRole: 10",
        ),
        ("User", inline(1_000, 1_048), inline(1_000, 1_049), "size of 2048 bytes exceeded for user "),
    ],
)
def test_policy_beyond_iams_limit_fails_its_resource(aws, stack, name, kind, fits, exceeds, reason):
    resources = {"A": {"Type": f"AWS::IAM::{kind}", "Properties": fits}}
    assert Stack(aws, f"{name}-fits").create(resources) == "CREATE_COMPLETE"
    resources["A"]["Properties"] = exceeds
    assert reason in failed(stack, resources)


def test_policies_beyond_the_limit_of_their_user_fail(stack):
    resources = {
        each: {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": each, "PolicyDocument": sized(1_025), "Users": [{"Ref": "User"}]},
        }
        for each in "AB"
    }
    assert "size of 2048 bytes exceeded for user " in failed(
        stack, {"User": {"Type": "AWS::IAM::User"}, **resources}
    )


def failed(stack, resources):
    """Why the creation failed."""
    assert stack.create(resources) == "ROLLBACK_COMPLETE"
    return next(
        event["ResourceStatusReason"]
        for event in stack.events()
        if event["ResourceStatus"] == "CREATE_FAILED"
    )


def test_role_creates_policies_of_queues_and_subscriptions(aws, stack, name):
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("cloudformation.amazonaws.com"))[
        "Role"
    ]
    iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=policy(allow(["sqs:*", "sns:*"], "*")))
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Queue"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
                    ],
                },
            },
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
            },
        },
    }
    assert stack.create(resources, RoleARN=role["Arn"]) == "CREATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def test_rule_with_an_invalid_schedule_fails(stack):
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "cron(0 6 * * *)"}}
    assert failed(stack, {"A": rule}).startswith("Parameter ScheduleExpression is not valid. ")


def topic(name):
    return f'{{"Resources": {{"A": {{"Type": "AWS::SNS::Topic", "Properties": {{"DisplayName": {name}}}}}}}}}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Resources:\n  A: {\n", "Template format error: YAML not well-formed. (line 3, column 1)"),
        ("template.yaml", "Template format error: unsupported structure."),
        ('{"Resources": [1]}', "Template format error: Every Resources member must be an object."),
        ("{}", "Template format error: At least one Resources member must be defined."),
        (
            (
                '{"Conditions": {"B": {"Fn::Equals": [{"Ref": "A"}, ""]}}, "Resources": {"A": {"Type":'
                ' "AWS::SNS::Topic"}}}'
            ),
            (
                "Template format error: Unresolved dependencies [A]. Cannot reference resources in the"
                " Conditions block of the template"
            ),
        ),
        (
            '{"Conditions": {"A": {"Condition": "B"}}, "Resources": {"A": {"Type": "AWS::SNS::Topic"}}}',
            (
                "Template format error: Unresolved condition dependencies [B] in the Conditions block of the"
                " template"
            ),
        ),
        (
            '{"AWSTemplateFormatVersion": "2010-09-10", "Resources": {"A": {"Type": "AWS::SNS::Topic"}}}',
            "Template format error: unsupported value for AWSTemplateFormatVersion.",
        ),
        (
            '{"Resources": {"A": {}}}',
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        (
            '{"Resources": {"Type": "AWS::SNS::Topic"}}',
            "Template format error: [/Resources/Type] resource definition is malformed",
        ),
        (
            '{"Resources": {"A_B": {"Type": "AWS::SNS::Topic"}}}',
            "Template format error: Resource name A_B is non alphanumeric.",
        ),
        (
            topic('{"Ref": "AWS::Nothing"}'),
            (
                "Template format error: Unresolved resource dependencies [AWS::Nothing] in the Resources"
                " block of the template"
            ),
        ),
        (topic('{"Fn::If": ["B", "a", "b"]}'), "Template error: unresolved condition dependency B in Fn::If"),
        (
            topic('{"Fn::Sub": ["a"]}'),
            (
                "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
                " Specify a string as first argument, and an optional second argument to specify a mapping of"
                " values to replace in the string"
            ),
        ),
        # Also where the condition is false.
        (
            (
                '{"Conditions": {"C": {"Fn::Equals": ["a", "b"]}}, "Resources": {"A": {"Type":'
                ' "AWS::SNS::Topic"}, "B": {"Type": "AWS::SNS::Topic", "Condition": "C", "Properties":'
                ' {"DisplayName": {"Ref": "D"}}}}}'
            ),
            (
                "Template format error: Unresolved resource dependencies [D] in the Resources block of the"
                " template"
            ),
        ),
        (
            (
                '{"Outputs": {"A": {"Value": {"Fn::GetAtt": ["B", "Arn"]}}}, "Resources": {"A": {"Type":'
                ' "AWS::SNS::Topic"}}}'
            ),
            "Template error: instance of Fn::GetAtt references undefined resource B",
        ),
        (
            '{"Resources": {"A": {"Type": "AWS::SNS::Topic", "DependsOn": "A"}}}',
            "Circular dependency between resources: [A]",
        ),
    ],
)
def test_invalid_template_is_rejected_by_each_operation(aws, name, body, message):
    cloudformation = aws.client("cloudformation")
    rejected = ("ValidationError", 400, message)
    assert error_of(cloudformation.validate_template, TemplateBody=body) == rejected
    assert error_of(cloudformation.create_stack, StackName=name, TemplateBody=body) == rejected
    assert (
        error_of(
            cloudformation.create_change_set,
            StackName=name,
            ChangeSetName="a",
            ChangeSetType="CREATE",
            TemplateBody=body,
        )
        == rejected
    )
    assert error_of(cloudformation.describe_stacks, StackName=name)[0] == "ValidationError"
