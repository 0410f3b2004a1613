"""`AWS::ECR::Repository`: created, updated and deleted by a stack, with the permissions that its creator needs.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.image_scene import push_image
from local.aws.codepipeline.tests.pipeline_scene import trust
from local.aws.testing import Stack, allow, policy, error_of

OTHER = "444455556666"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
LIFECYCLE = json.dumps({"rules": [{
    "rulePriority": 1, "action": {"type": "expire"}, "selection": {
        "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30}}]})


def pull_policy(principal: str = f"arn:aws:iam::{OTHER}:root", **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": PULL,
                                                    **more}]}


def repository(name: str, **properties: Any) -> dict[str, Any]:
    return {"Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": name, **properties}}}


def failure(stack: Stack, status: str = "CREATE_FAILED") -> str:
    return next(str(event["ResourceStatusReason"]) for event in stack.events()
                if event["LogicalResourceId"] == "Images" and event["ResourceStatus"] == status)


def test_a_stack_makes_a_repository_as_its_properties_say(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr, arn = aws.client("ecr"), f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{name}"
    template = {**repository(name, ImageTagMutability="IMMUTABLE", ImageScanningConfiguration={"ScanOnPush": True},
                             RepositoryPolicyText=pull_policy(), LifecyclePolicy={"LifecyclePolicyText": LIFECYCLE},
                             Tags=[{"Key": "CreatedBy", "Value": "me"}]),
                "Uri": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": {
                    "Fn::Sub": "${Images} ${Images.Arn} ${Images.RepositoryUri}"}}}}
    assert stack.create(template) == "CREATE_COMPLETE", stack.events()
    assert aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == (
        f"{name} {arn} {aws.account_id}.dkr.ecr.{aws.region}.amazonaws.com/{name}")
    held = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert (held["imageTagMutability"], held["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == pull_policy()
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == LIFECYCLE
    assert {"Key": "CreatedBy", "Value": "me"} in ecr.list_tags_for_resource(resourceArn=arn)["tags"]


def test_an_update_changes_it_in_place_and_keeps_its_images(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr = aws.client("ecr")
    stack.create(repository(name, RepositoryPolicyText=pull_policy(), Tags=[{"Key": "a", "Value": "1"}]))
    push_image(ecr, name, "one")
    condition = {"Condition": {"StringEquals": {"aws:PrincipalAccount": OTHER}}}
    assert stack.update(repository(name, RepositoryPolicyText=pull_policy(**condition), ImageTagMutability="IMMUTABLE",
                                   Tags=[{"Key": "b", "Value": "2"}])) == "UPDATE_COMPLETE"
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == pull_policy(**condition)
    held = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert held["imageTagMutability"] == "IMMUTABLE"
    tags = {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=held["repositoryArn"])["tags"]}
    assert (tags.get("a"), tags.get("b")) == (None, "2")
    assert stack.update(repository(name)) == "UPDATE_COMPLETE"
    assert error_of(ecr.get_repository_policy, repositoryName=name)[0] == "RepositoryPolicyNotFoundException"
    assert len(ecr.describe_images(repositoryName=name)["imageDetails"]) == 1


@pytest.mark.parametrize("empty", [True, False])
def test_repository_with_images_needs_force_to_be_deleted(aws: LocalAws, stack: Stack, name: str, empty: bool) -> None:
    ecr = aws.client("ecr")
    stack.create(repository(name, EmptyOnDelete=empty))
    push_image(ecr, name, "one")
    assert stack.delete() == ("DELETE_COMPLETE" if empty else "DELETE_FAILED")
    if empty:
        assert error_of(ecr.describe_images, repositoryName=name)[0] == "RepositoryNotFoundException"
    else:
        assert "cannot be deleted because it still contains images" in failure(stack, "DELETE_FAILED")
        assert len(ecr.describe_images(repositoryName=name)["imageDetails"]) == 1


def test_existing_repository_is_not_adopted(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=name)
    assert stack.create(repository(name, ImageTagMutability="IMMUTABLE"), DisableValidation=True) == "ROLLBACK_COMPLETE"
    assert "already exists" in failure(stack)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["imageTagMutability"] == "MUTABLE"


@pytest.mark.parametrize(("principal", "more", "reason"), [
    (f"arn:aws:iam::{OTHER}:role/absent", {}, "Principal not found"),
    (f"arn:aws:iam::{OTHER}:root", {"Resource": "*"}, "Invalid repository policy provided"),
    (f"arn:aws:iam::{OTHER}:root", {"Effect": "Perhaps"}, "Invalid repository policy provided")])
def test_rejected_policy_fails_stack_and_leaves_no_repository(aws: LocalAws, stack: Stack, name: str, principal: str,
                                                              more: dict[str, Any], reason: str) -> None:
    # The role of another account does not exist: so policies here name the account, with the role in a condition.
    assert stack.create(repository(name, RepositoryPolicyText=pull_policy(principal, **more))).startswith("ROLLBACK")
    assert reason in failure(stack)
    assert error_of(aws.client("ecr").describe_repositories, repositoryNames=[name])[0] == "RepositoryNotFoundException"


def test_property_that_the_type_lacks_is_rejected(stack: Stack, name: str) -> None:
    assert stack.create(repository(name, RepositoryPolicy=pull_policy())).startswith("ROLLBACK")
    assert "extraneous key [RepositoryPolicy] is not permitted" in failure(stack)


_FULL = {"RepositoryPolicyText": pull_policy(), "LifecyclePolicy": {"LifecyclePolicyText": LIFECYCLE},
         "Tags": [{"Key": "CreatedBy", "Value": "me"}]}
_NEEDED = ["ecr:CreateRepository", "ecr:SetRepositoryPolicy", "ecr:PutLifecyclePolicy", "ecr:TagResource"]


@pytest.mark.parametrize("missing", _NEEDED)
def test_stack_role_needs_permission_for_each_created_part(aws: LocalAws, stack: Stack, name: str,
                                                           missing: str) -> None:
    iam, arn = aws.client("iam"), f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{name}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("cloudformation.amazonaws.com"))["Role"]["Arn"]

    def let(*actions: str) -> None:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow(list(actions), arn)))

    let(*(action for action in _NEEDED if action != missing), "ecr:DeleteRepository")
    assert stack.create(repository(name, **_FULL), RoleARN=role).startswith("ROLLBACK")
    assert f"{missing} on resource: {arn}" in failure(stack)
    assert stack.delete() == "DELETE_COMPLETE"
    let(*_NEEDED)
    again = Stack(aws, f"{name}-again")
    assert again.create(repository(name, **_FULL), RoleARN=role) == "CREATE_COMPLETE", again.events()
    assert again.delete() == "DELETE_FAILED"
    assert f"ecr:DeleteRepository on resource: {arn}" in failure(again, "DELETE_FAILED")
