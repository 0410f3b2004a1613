"""CodeCommit's repositories, through the API and through CloudFormation.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, a_user_with, allow, error_of


@pytest.fixture
def codecommit(aws: LocalAws) -> Any:
    return aws.client("codecommit")


@pytest.fixture
def repository(codecommit: Any, name: str) -> str:
    codecommit.create_repository(repositoryName=name)
    return name


def arn_of(aws: LocalAws, repository: str) -> str:
    return f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{repository}"


@pytest.mark.parametrize(("call", "given", "code"), [
    ("get_repository", {"repositoryName": "absent"}, "RepositoryDoesNotExist"),
    ("get_repository", {"repositoryName": "a b"}, "InvalidRepositoryName"),
    ("create_repository", {}, "RepositoryNameExists"),
    ("get_branch", {"branchName": "main"}, "BranchDoesNotExist"),
    ("get_branch", {"repositoryName": "absent", "branchName": "main"}, "RepositoryDoesNotExist"),
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdateDefaultBranch.html
    ("update_default_branch", {"defaultBranchName": "main"}, "BranchDoesNotExist"),
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_TagResource.html
    ("tag_resource", {"tags": {"aws:x": "1"}}, "InvalidSystemTagUsage"),
    ("tag_resource", {"resourceArn": "arn:aws:s3:::b", "tags": {"a": "1"}}, "InvalidResourceArn"),
    ("list_tags_for_resource", {"resourceArn": "{}-absent"}, "RepositoryDoesNotExist"),
])
def test_wrong_call_is_rejected(aws: LocalAws, codecommit: Any, repository: str, call: str, given: dict[str, Any],
                                code: str) -> None:
    arn = arn_of(aws, repository)
    default = {"resourceArn": arn} if "tag" in call else {"repositoryName": repository}
    arguments = {key: value.format(arn) if isinstance(value, str) else value
                 for key, value in {**default, **given}.items()}
    assert error_of(getattr(codecommit, call), **arguments)[:2] == (f"{code}Exception", 400)


def test_deleting_an_absent_repository_succeeds_without_an_id(codecommit: Any, repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteRepository.html
    made = codecommit.get_repository(repositoryName=repository)["repositoryMetadata"]["repositoryId"]
    assert codecommit.delete_repository(repositoryName=repository)["repositoryId"] == made
    assert "repositoryId" not in codecommit.delete_repository(repositoryName=repository)


def test_stack_creates_renames_and_deletes_a_repository(codecommit: Any, stack: Stack, name: str) -> None:
    def repository(called: str, tag: str) -> dict:
        return {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {
            "RepositoryName": called, "RepositoryDescription": tag, "Tags": [{"Key": "k", "Value": tag}]}}}

    assert stack.create(repository(name, "one")) == "CREATE_COMPLETE"
    made = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert stack.attributes("Repository")["PhysicalResourceId"] == made["repositoryId"]
    assert stack.update(repository(f"{name}-2", "two")) == "UPDATE_COMPLETE"
    after = codecommit.get_repository(repositoryName=f"{name}-2")["repositoryMetadata"]
    assert (after["repositoryId"], after["repositoryDescription"]) == (made["repositoryId"], "two")
    assert codecommit.list_tags_for_resource(resourceArn=after["Arn"])["tags"]["k"] == "two"
    assert stack.delete() == "DELETE_COMPLETE"
    assert codecommit.batch_get_repositories(repositoryNames=[name, f"{name}-2"])["repositories"] == []


def test_name_in_use_fails_the_stack(codecommit: Any, stack: Stack, repository: str) -> None:
    assert stack.create({"Repository": {"Type": "AWS::CodeCommit::Repository",
                                        "Properties": {"RepositoryName": repository}}}) == "ROLLBACK_COMPLETE"
    codecommit.get_repository(repositoryName=repository)


def test_permission_is_for_the_repository_and_the_branch(aws: LocalAws, repository: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html
    arn, only = arn_of(aws, repository), {"StringLike": {"codecommit:References": "refs/heads/feature/*"}}
    mine = aws.client("codecommit", a_user_with(
        aws, repository, allow("codecommit:GetRepository", arn),
        allow(["codecommit:CreateBranch", "codecommit:DeleteBranch"], arn, Condition=only)))
    mine.get_repository(repositoryName=repository)
    code, status, message = error_of(mine.get_repository, repositoryName=f"{repository}-other")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"not authorized to perform: codecommit:GetRepository on resource: {arn}-other" in message
    assert error_of(mine.list_branches, repositoryName=repository)[0] == "AccessDeniedException"
    absent = {"repositoryName": repository, "commitId": "0" * 40}
    assert error_of(mine.create_branch, **absent, branchName="main")[0] == "AccessDeniedException"
    assert error_of(mine.create_branch, **absent, branchName="feature/a")[0] == "CommitIdDoesNotExistException"
    assert error_of(mine.delete_branch, repositoryName=repository, branchName="main")[0] == "AccessDeniedException"
