"""`AWS::ECR::Repository`: created, updated and deleted by a stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codepipeline.tests.images import push_image
from tests.local.aws.testing import Stack, error_of

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


def test_stack_creates_changes_and_keeps_a_repository_with_images(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr, arn = aws.client("ecr"), f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{name}"
    assert stack.create(repository(
        name, ImageScanningConfiguration={"ScanOnPush": True}, RepositoryPolicyText=pull_policy(),
        LifecyclePolicy={"LifecyclePolicyText": LIFECYCLE}, Tags=[{"Key": "a", "Value": "1"}])) == "CREATE_COMPLETE"
    held = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert (held["imageTagMutability"], held["imageScanningConfiguration"]) == ("MUTABLE", {"scanOnPush": True})
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == pull_policy()
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == LIFECYCLE
    digest = push_image(ecr, name, "one")
    condition = {"Condition": {"StringEquals": {"aws:PrincipalAccount": OTHER}}}
    assert stack.update(repository(name, RepositoryPolicyText=pull_policy(**condition), ImageTagMutability="IMMUTABLE",
                                   Tags=[{"Key": "b", "Value": "2"}])) == "UPDATE_COMPLETE"
    assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == pull_policy(**condition)
    tags = {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert (tags.get("a"), tags.get("b")) == (None, "2")
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException, match="immutable"):
        push_image(ecr, name, "two")
    assert stack.delete() == "DELETE_FAILED"
    assert "cannot be deleted because it still contains images" in failure(stack, "DELETE_FAILED")
    assert [each["imageDigest"] for each in ecr.describe_images(repositoryName=name)["imageDetails"]] == [digest]


def test_repository_with_images_is_deleted_if_its_property_says_so(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr = aws.client("ecr")
    stack.create(repository(name, EmptyOnDelete=True))
    push_image(ecr, name, "one")
    assert stack.delete() == "DELETE_COMPLETE"
    assert error_of(ecr.describe_images, repositoryName=name)[0] == "RepositoryNotFoundException"


@pytest.mark.parametrize(("properties", "reason"), [
    # The role of another account does not exist: so policies here name the account, with the role in a condition.
    ({"RepositoryPolicyText": pull_policy(f"arn:aws:iam::{OTHER}:role/absent")}, "Principal not found"),
    ({"RepositoryPolicyText": pull_policy(Resource="*")}, "Invalid repository policy provided"),
    ({"RepositoryPolicyText": pull_policy(Effect="Perhaps")}, "Invalid repository policy provided"),
    ({"RepositoryPolicy": pull_policy()}, "extraneous key [RepositoryPolicy] is not permitted"),
])
def test_rejected_creation_leaves_no_repository(aws: LocalAws, stack: Stack, name: str, properties: dict[str, Any],
                                                reason: str) -> None:
    assert stack.create(repository(name, **properties)).startswith("ROLLBACK")
    assert reason in failure(stack)
    assert error_of(aws.client("ecr").describe_repositories, repositoryNames=[name])[0] == "RepositoryNotFoundException"


def test_existing_repository_is_not_adopted(aws: LocalAws, stack: Stack, name: str) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=name)
    assert stack.create(repository(name, ImageTagMutability="IMMUTABLE"), DisableValidation=True) == "ROLLBACK_COMPLETE"
    assert "already exists" in failure(stack)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["imageTagMutability"] == "MUTABLE"
