"""The operations of a stack whose nested stack fails."""

import json


def test_failed_nested_stack_names_its_resources(aws, stack, name):
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    inner = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"},
                           "Taken": {"Type": "AWS::S3::Bucket", "DependsOn": "Topic", "Properties": {"BucketName": name}}}}
    s3.put_object(Bucket=name, Key="inner.json", Body=json.dumps(inner))
    url = f"https://{name}.s3.amazonaws.com/inner.json"
    assert stack.create({"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}) == "ROLLBACK_COMPLETE"

    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    rollback, creation = described["LastOperations"]
    assert [rollback["OperationType"], creation["OperationType"]] == ["ROLLBACK", "CREATE_STACK"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert events[-1]["OperationId"] == creation["OperationId"] != events[0]["OperationId"] == rollback["OperationId"]

    failed = next(event for event in events if event["ResourceStatus"] == "CREATE_FAILED")
    nested_id = failed["PhysicalResourceId"]
    assert failed["ResourceStatusReason"] == (f"Embedded stack {nested_id} was not successfully created: "
                                              "The following resource(s) failed to create: [Taken]. ")
    nested = cloudformation.describe_stacks(StackName=nested_id)["Stacks"][0]
    assert nested["ParentId"] == nested["RootId"] == described["StackId"]
    events = cloudformation.describe_stack_events(StackName=nested_id)["StackEvents"]
    reasons = {event["LogicalResourceId"]: event["ResourceStatusReason"] for event in events
               if event["ResourceStatus"] == "CREATE_FAILED"}
    assert "exist" in reasons["Taken"]
    assert reasons[nested["StackName"]] == "The following resource(s) failed to create: [Taken]. "


def test_finding_of_a_validation_has_its_operation(aws, stack, name):
    cloudformation = aws.client("cloudformation")
    aws.client("logs").create_log_group(logGroupName=name)
    stack.create({"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}})
    found = cloudformation.describe_events(StackName=name, Filters={"FailedEvents": True})["OperationEvents"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    begins = [event["OperationId"] for event in events if event["ResourceStatus"] == "CREATE_IN_PROGRESS"]
    assert [each["LogicalResourceId"] for each in found if each["EventType"] == "VALIDATION_ERROR"] == ["Group"]
    assert {each["OperationId"] for each in found} == set(begins)
