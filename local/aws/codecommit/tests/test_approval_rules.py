"""CodeCommit's approval rule templates, and the API's calls about branches and tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import a_user_with, allow, error_of


def content(needed: int = 1, members: list[str] | None = None, **more: Any) -> str:
    statement: dict[str, Any] = {"Type": "Approvers", "NumberOfApprovalsNeeded": needed}
    if members is not None:
        statement["ApprovalPoolMembers"] = members
    return json.dumps({"Version": "2018-11-08", "Statements": [statement], **more})


def pages(call: Any, key: str, size: int, **arguments: Any) -> list[list[str]]:
    found, token = [], {}
    while True:
        answer = call(maxResults=size, **arguments, **token)
        found.append(answer[key])
        if "nextToken" not in answer:
            return found
        token = {"nextToken": answer["nextToken"]}


@pytest.fixture
def codecommit(aws: LocalAws) -> Any:
    return aws.client("codecommit")


@pytest.fixture
def rule(codecommit: Any, name: str) -> Iterator[dict[str, Any]]:
    yield codecommit.create_approval_rule_template(
        approvalRuleTemplateName=name, approvalRuleTemplateContent=content(),
        approvalRuleTemplateDescription="two eyes")["approvalRuleTemplate"]


@pytest.fixture
def repository(codecommit: Any, name: str) -> str:
    codecommit.create_repository(repositoryName=name)
    return name


def test_template_has_the_content_of_its_creation(aws: LocalAws, codecommit: Any, rule: dict[str, Any], name: str) -> None:
    assert rule["approvalRuleTemplateContent"] == content()
    assert rule["ruleContentSha256"] == hashlib.sha256(content().encode()).hexdigest()
    assert rule["lastModifiedUser"] == f"arn:aws:iam::{aws.account_id}:root"
    assert rule["creationDate"] == rule["lastModifiedDate"]
    assert codecommit.get_approval_rule_template(approvalRuleTemplateName=name)["approvalRuleTemplate"] == rule
    assert [name] in pages(codecommit.list_approval_rule_templates, "approvalRuleTemplateNames", 1)


def test_names_are_validated_and_unique(codecommit: Any, rule: dict[str, Any], name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html
    create = codecommit.create_approval_rule_template
    assert error_of(create, approvalRuleTemplateName=name, approvalRuleTemplateContent=content())[0] == (
        "ApprovalRuleTemplateNameAlreadyExistsException")
    for wrong in ("a/b", "a!", "rule.git"):
        assert error_of(create, approvalRuleTemplateName=wrong, approvalRuleTemplateContent=content())[0] == (
            "InvalidApprovalRuleTemplateNameException")
    assert error_of(create, approvalRuleTemplateName=f"{name}-2", approvalRuleTemplateContent=content(),
                   approvalRuleTemplateDescription="x" * 1001)[0] == "InvalidApprovalRuleTemplateDescriptionException"


@pytest.mark.parametrize("wrong", [
    "x", "[]", '{"Version": "2018-11-08"}', content(0), content(Version="2012-10-17"), content(Approvers=1),
    content(1, ["Mary"]), content(1, ["CodeCommitApprovers:123456789012:a"] * 51),
    content(DestinationReferences=["main"]), content(1, ["arn:aws:s3:::bucket"]),
    content(1, ["CodeCommitApprovers:123456789012:" + "a" * 3000])])
def test_invalid_rule_content_is_rejected(codecommit: Any, name: str, wrong: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-create-template.html
    assert error_of(codecommit.create_approval_rule_template, approvalRuleTemplateName=name,
                   approvalRuleTemplateContent=wrong)[:2] == ("InvalidApprovalRuleTemplateContentException", 400)


def test_approvers_are_named_in_either_of_two_ways(codecommit: Any, rule: dict[str, Any], name: str) -> None:
    members = ["CodeCommitApprovers:123456789012:Mary", "arn:aws:sts::123456789012:assumed-role/CodeReview/*"]
    changed = codecommit.update_approval_rule_template_content(
        approvalRuleTemplateName=name, newRuleContent=content(2, members, DestinationReferences=["refs/heads/main"]))
    assert json.loads(changed["approvalRuleTemplate"]["approvalRuleTemplateContent"])["Statements"][0][
        "ApprovalPoolMembers"] == members


def test_content_is_updated_only_from_the_given_hash(codecommit: Any, rule: dict[str, Any], name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdateApprovalRuleTemplateContent.html
    change = {"approvalRuleTemplateName": name, "newRuleContent": content(2),
              "existingRuleContentSha256": rule["ruleContentSha256"]}
    changed = codecommit.update_approval_rule_template_content(**change)["approvalRuleTemplate"]
    assert changed["ruleContentSha256"] == hashlib.sha256(content(2).encode()).hexdigest()
    assert error_of(codecommit.update_approval_rule_template_content, **change)[0] == (
        "InvalidRuleContentSha256Exception")


def test_a_description_and_a_name_change(codecommit: Any, rule: dict[str, Any], name: str) -> None:
    assert codecommit.update_approval_rule_template_description(
        approvalRuleTemplateName=name, approvalRuleTemplateDescription="new")["approvalRuleTemplate"][
            "approvalRuleTemplateDescription"] == "new"
    renamed = codecommit.update_approval_rule_template_name(
        oldApprovalRuleTemplateName=name, newApprovalRuleTemplateName=f"{name}-2")["approvalRuleTemplate"]
    assert renamed["approvalRuleTemplateId"] == rule["approvalRuleTemplateId"]
    assert error_of(codecommit.get_approval_rule_template, approvalRuleTemplateName=name)[:2] == (
        "ApprovalRuleTemplateDoesNotExistException", 400)


def test_a_template_in_use_is_not_deleted_and_an_absent_one_is(codecommit: Any, rule: dict[str, Any],
                                                              repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteApprovalRuleTemplate.html
    both = {"approvalRuleTemplateName": repository, "repositoryName": repository}
    for _ in range(2):
        codecommit.associate_approval_rule_template_with_repository(**both)
    assert codecommit.list_repositories_for_approval_rule_template(
        approvalRuleTemplateName=repository)["repositoryNames"] == [repository]
    assert codecommit.list_associated_approval_rule_templates_for_repository(
        repositoryName=repository)["approvalRuleTemplateNames"] == [repository]
    assert error_of(codecommit.delete_approval_rule_template, approvalRuleTemplateName=repository)[:2] == (
        "ApprovalRuleTemplateInUseException", 400)
    for _ in range(2):
        codecommit.disassociate_approval_rule_template_from_repository(**both)
    assert codecommit.delete_approval_rule_template(approvalRuleTemplateName=repository)[
        "approvalRuleTemplateId"] == rule["approvalRuleTemplateId"]
    assert "approvalRuleTemplateId" not in codecommit.delete_approval_rule_template(approvalRuleTemplateName=repository)


def test_deleted_repository_has_no_associations(codecommit: Any, rule: dict[str, Any],
                                                              repository: str) -> None:
    both = {"approvalRuleTemplateName": repository, "repositoryName": repository}
    codecommit.associate_approval_rule_template_with_repository(**both)
    codecommit.delete_repository(repositoryName=repository)
    assert error_of(codecommit.disassociate_approval_rule_template_from_repository, **both)[0] == (
        "RepositoryDoesNotExistException")
    codecommit.create_repository(repositoryName=repository)
    assert codecommit.list_repositories_for_approval_rule_template(
        approvalRuleTemplateName=repository)["repositoryNames"] == []
    codecommit.delete_approval_rule_template(approvalRuleTemplateName=repository)
    assert error_of(codecommit.associate_approval_rule_template_with_repository, **both)[0] == (
        "ApprovalRuleTemplateDoesNotExistException")


def test_repository_accepts_25_approval_rule_templates(codecommit: Any, repository: str) -> None:
    for number in range(26):
        template = f"{repository}-{number}"
        codecommit.create_approval_rule_template(approvalRuleTemplateName=template,
                                                 approvalRuleTemplateContent=content())
        both = {"approvalRuleTemplateName": template, "repositoryName": repository}
        if number < 25:
            codecommit.associate_approval_rule_template_with_repository(**both)
    assert error_of(codecommit.associate_approval_rule_template_with_repository, **both)[0] == (
        "MaximumRuleTemplatesAssociatedWithRepositoryException")
    assert [len(page) for page in pages(codecommit.list_associated_approval_rule_templates_for_repository,
                                        "approvalRuleTemplateNames", 10, repositoryName=repository)] == [10, 10, 5]


def test_approval_template_needs_star_association_the_repository(aws: LocalAws, rule: dict[str, Any],
                                                                 repository: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{repository}"
    mine = aws.client("codecommit", a_user_with(
        aws, repository, allow("codecommit:*ApprovalRuleTemplate*", arn),
        allow("codecommit:GetApprovalRuleTemplate", "*")))
    mine.get_approval_rule_template(approvalRuleTemplateName=repository)
    mine.associate_approval_rule_template_with_repository(approvalRuleTemplateName=repository,
                                                          repositoryName=repository)
    code, _, message = error_of(mine.delete_approval_rule_template, approvalRuleTemplateName=repository)
    assert code == "AccessDeniedException"
    assert "codecommit:DeleteApprovalRuleTemplate on resource: * because" in message
    aws.client("codecommit").create_repository(repositoryName=f"{repository}-2")
    assert error_of(mine.associate_approval_rule_template_with_repository, approvalRuleTemplateName=repository,
                   repositoryName=f"{repository}-2")[0] == "AccessDeniedException"


def test_tags_are_set_removed_listed_and_aws_tags_rejected(aws: LocalAws, codecommit: Any, repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_TagResource.html
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{repository}"
    codecommit.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    codecommit.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert error_of(codecommit.tag_resource, resourceArn=arn, tags={"aws:x": "1"})[0] == (
        "InvalidSystemTagUsageException")
    assert error_of(codecommit.tag_resource, resourceArn="arn:aws:s3:::b", tags={"a": "1"})[0] == (
        "InvalidResourceArnException")
    assert error_of(codecommit.list_tags_for_resource, resourceArn=f"{arn}-absent")[0] == (
        "RepositoryDoesNotExistException")


def test_default_branch_has_to_exist(codecommit: Any, repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdateDefaultBranch.html
    assert error_of(codecommit.update_default_branch, repositoryName=repository, defaultBranchName="main")[0] == (
        "BranchDoesNotExistException")
    assert error_of(codecommit.get_branch, repositoryName=repository, branchName="main")[:2] == (
        "BranchDoesNotExistException", 400)
    assert error_of(codecommit.get_branch, repositoryName=f"{repository}-absent", branchName="main")[0] == (
        "RepositoryDoesNotExistException")


def test_batch_reports_each_failed_member(codecommit: Any, rule: dict[str, Any],
                                                             repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_BatchAssociateApprovalRuleTemplateWithRepositories.html
    other = f"{repository}-2"
    codecommit.create_repository(repositoryName=other)
    batch = {"approvalRuleTemplateName": repository, "repositoryNames": [repository, "absent", other, "no name"]}
    for call, key in ((codecommit.batch_associate_approval_rule_template_with_repositories, "associatedRepositoryNames"),
                      (codecommit.batch_disassociate_approval_rule_template_from_repositories,
                       "disassociatedRepositoryNames")):
        answer = call(**batch)
        assert answer[key] == [repository, other]
        assert [(error["repositoryName"], error["errorCode"]) for error in answer["errors"]] == [
            ("absent", "RepositoryDoesNotExistException"), ("no name", "InvalidRepositoryNameException")]
        held = codecommit.list_repositories_for_approval_rule_template(approvalRuleTemplateName=repository)
        assert set(held["repositoryNames"]) == ({repository, other} if key.startswith("associated") else set())
    assert error_of(codecommit.batch_associate_approval_rule_template_with_repositories,
                   approvalRuleTemplateName=repository, repositoryNames=[repository] * 101)[0] == (
        "MaximumRepositoryNamesExceededException")
    assert error_of(codecommit.batch_disassociate_approval_rule_template_from_repositories,
                   approvalRuleTemplateName="absent", repositoryNames=[repository])[0] == (
        "ApprovalRuleTemplateDoesNotExistException")


def test_a_batch_is_judged_for_each_of_its_repositories(aws: LocalAws, rule: dict[str, Any], repository: str) -> None:
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{repository}"
    aws.client("codecommit").create_repository(repositoryName=f"{repository}-2")
    mine = aws.client("codecommit", a_user_with(aws, repository, allow("codecommit:Batch*", arn)))
    both = {"approvalRuleTemplateName": repository, "repositoryNames": [repository]}
    assert mine.batch_associate_approval_rule_template_with_repositories(**both)["associatedRepositoryNames"]
    for names in ([repository, f"{repository}-2"], [f"{repository}-2", repository]):
        code, _, message = error_of(mine.batch_associate_approval_rule_template_with_repositories,
                                   approvalRuleTemplateName=repository, repositoryNames=names)
        assert code == "AccessDeniedException"
        assert f"on resource: {arn}-2 because" in message


def test_a_branch_that_the_api_changes_is_a_condition_key(aws: LocalAws, repository: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{repository}"
    only = {"StringLike": {"codecommit:References": "refs/heads/feature/*"}}
    mine = aws.client("codecommit", a_user_with(
        aws, repository, allow(["codecommit:CreateBranch", "codecommit:DeleteBranch"], arn, Condition=only)))
    absent = {"repositoryName": repository, "commitId": "0" * 40}
    assert error_of(mine.create_branch, **absent, branchName="main")[0] == "AccessDeniedException"
    assert error_of(mine.create_branch, **absent, branchName="feature/a")[0] == "CommitIdDoesNotExistException"
    assert error_of(mine.delete_branch, repositoryName=repository, branchName="main")[0] == "AccessDeniedException"
    mine.delete_branch(repositoryName=repository, branchName="feature/a")
