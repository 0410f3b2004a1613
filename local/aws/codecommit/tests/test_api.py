"""CodeCommit's repositories, through the API and through CloudFormation.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

from local.aws import LocalAws
from local.aws.testing import Stack, a_user_with, allow, error_of


def test_new_repository_has_urls_and_no_branches(aws: LocalAws, name: str) -> None:
    codecommit = aws.client("codecommit")
    made = codecommit.create_repository(repositoryName=name, tags={"k": "v"})["repositoryMetadata"]
    assert made["Arn"] == f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{name}"
    assert made["cloneUrlHttp"].startswith(aws.git_url)
    assert made["cloneUrlHttp"].endswith(f"/v1/repos/{name}")
    assert "defaultBranch" not in made
    assert codecommit.list_branches(repositoryName=name)["branches"] == []
    assert codecommit.list_tags_for_resource(resourceArn=made["Arn"])["tags"] == {"k": "v"}


def test_missing_repository_or_branch_is_named(aws: LocalAws, name: str) -> None:
    codecommit = aws.client("codecommit")
    assert error_of(codecommit.get_repository, repositoryName=name) == (
        "RepositoryDoesNotExistException", 400, f"{name} does not exist")
    codecommit.create_repository(repositoryName=name)
    assert error_of(codecommit.get_branch, repositoryName=name,
                   branchName="main")[0] == "BranchDoesNotExistException"
    assert error_of(codecommit.create_repository, repositoryName=name)[0] == "RepositoryNameExistsException"
    assert error_of(codecommit.get_repository, repositoryName="a b")[0] == "InvalidRepositoryNameException"


def test_deleting_an_absent_repository_succeeds_without_an_id(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteRepository.html
    codecommit = aws.client("codecommit")
    made = codecommit.create_repository(repositoryName=name)["repositoryMetadata"]["repositoryId"]
    assert codecommit.delete_repository(repositoryName=name)["repositoryId"] == made
    assert "repositoryId" not in codecommit.delete_repository(repositoryName=name)


def test_stack_creates_renames_and_deletes_a_repository(aws: LocalAws, stack: Stack, name: str) -> None:
    def repository(called: str, tag: str) -> dict:
        return {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {
            "RepositoryName": called, "RepositoryDescription": tag, "Tags": [{"Key": "k", "Value": tag}]}}}

    codecommit = aws.client("codecommit")
    assert stack.create(repository(name, "one")) == "CREATE_COMPLETE"
    made = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert stack.attributes("Repository")["PhysicalResourceId"] == made["repositoryId"]
    assert stack.update(repository(f"{name}-2", "two")) == "UPDATE_COMPLETE"
    after = codecommit.get_repository(repositoryName=f"{name}-2")["repositoryMetadata"]
    assert (after["repositoryId"], after["repositoryDescription"]) == (made["repositoryId"], "two")
    assert codecommit.list_tags_for_resource(resourceArn=after["Arn"])["tags"]["k"] == "two"
    assert stack.delete() == "DELETE_COMPLETE"
    assert codecommit.batch_get_repositories(repositoryNames=[name, f"{name}-2"])["repositories"] == []


def test_a_stacks_repository_has_the_documented_attributes(aws: LocalAws, stack: Stack, name: str) -> None:
    attributes = {attribute: {"Fn::GetAtt": ["Repository", attribute]}
                  for attribute in ("Arn", "CloneUrlHttp", "CloneUrlSsh", "Name")}
    stack.create({
        "Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name}},
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {
            "Name": name, "Type": "String", "Value": {"Fn::Join": [" ", list(attributes.values())]}}}})
    found = aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"].split(" ")
    known = aws.client("codecommit").get_repository(repositoryName=name)["repositoryMetadata"]
    assert found == [known["Arn"], known["cloneUrlHttp"], known["cloneUrlSsh"], name]


def test_name_in_use_fails_the_stack(aws: LocalAws, stack: Stack, name: str) -> None:
    aws.client("codecommit").create_repository(repositoryName=name)
    assert stack.create({"Repository": {"Type": "AWS::CodeCommit::Repository",
                                        "Properties": {"RepositoryName": name}}}) == "ROLLBACK_COMPLETE"
    aws.client("codecommit").get_repository(repositoryName=name)


def test_a_permission_is_for_the_repositorys_arn(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    arn = aws.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]["Arn"]
    mine = aws.client("codecommit", a_user_with(aws, name, allow("codecommit:GetRepository", arn)))
    mine.get_repository(repositoryName=name)
    code, status, message = error_of(mine.get_repository, repositoryName=f"{name}-other")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"not authorized to perform: codecommit:GetRepository on resource: {arn}-other" in message
    assert error_of(mine.list_branches, repositoryName=name)[0] == "AccessDeniedException"
