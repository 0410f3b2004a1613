"""CodeCommit's approval rule templates. tests/deployed_templates/test_documented_commands.py creates,
changes, associates and deletes them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow, error_of


def content(needed: int = 1, members: list[str] | None = None, **more: Any) -> str:
    statement: dict[str, Any] = {"Type": "Approvers", "NumberOfApprovalsNeeded": needed}
    if members is not None:
        statement["ApprovalPoolMembers"] = members
    return json.dumps({"Version": "2018-11-08", "Statements": [statement], **more})


@pytest.fixture
def codecommit(aws: LocalAws) -> Any:
    return aws.client("codecommit")


@pytest.fixture
def rule(codecommit: Any, name: str) -> dict[str, Any]:
    made: dict[str, Any] = codecommit.create_approval_rule_template(
        approvalRuleTemplateName=name, approvalRuleTemplateContent=content())["approvalRuleTemplate"]
    return made


@pytest.fixture
def both(codecommit: Any, rule: dict[str, Any], name: str) -> dict[str, str]:
    """The arguments of an association: the rule and a repository have the test's name."""
    codecommit.create_repository(repositoryName=name)
    return {"approvalRuleTemplateName": name, "repositoryName": name}


@pytest.mark.parametrize(("given", "code"), [
    ({}, "ApprovalRuleTemplateNameAlreadyExists"),
    # https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html
    *(({"approvalRuleTemplateName": wrong}, "InvalidApprovalRuleTemplateName") for wrong in ("a/b", "rule.git")),
    ({"approvalRuleTemplateName": "new", "approvalRuleTemplateDescription": "x" * 1001},
     "InvalidApprovalRuleTemplateDescription"),
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-create-template.html
    *(({"approvalRuleTemplateName": "new", "approvalRuleTemplateContent": wrong}, "InvalidApprovalRuleTemplateContent")
      for wrong in (
          "x", "[]", '{"Version": "2018-11-08"}', content(0), content(Version="2012-10-17"), content(Approvers=1),
          content(1, ["Mary"]), content(1, ["CodeCommitApprovers:123456789012:a"] * 51),
          content(DestinationReferences=["main"]), content(1, ["arn:aws:s3:::bucket"]),
          content(1, ["CodeCommitApprovers:123456789012:" + "a" * 3000]))),
])
def test_invalid_template_is_rejected(codecommit: Any, rule: dict[str, Any], name: str, given: dict[str, str],
                                      code: str) -> None:
    arguments = {"approvalRuleTemplateName": name, "approvalRuleTemplateContent": content(), **given}
    assert error_of(codecommit.create_approval_rule_template, **arguments)[:2] == (f"{code}Exception", 400)


def test_content_is_updated_only_from_the_given_hash(codecommit: Any, rule: dict[str, Any], name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdateApprovalRuleTemplateContent.html
    members = ["CodeCommitApprovers:123456789012:Mary", "arn:aws:sts::123456789012:assumed-role/CodeReview/*"]
    new = content(2, members, DestinationReferences=["refs/heads/main"])
    change = {"approvalRuleTemplateName": name, "newRuleContent": new,
              "existingRuleContentSha256": rule["ruleContentSha256"]}
    changed = codecommit.update_approval_rule_template_content(**change)["approvalRuleTemplate"]
    assert changed["ruleContentSha256"] == hashlib.sha256(new.encode()).hexdigest()
    assert error_of(codecommit.update_approval_rule_template_content, **change)[0] == (
        "InvalidRuleContentSha256Exception")


def test_deleted_repository_has_no_associations(codecommit: Any, both: dict[str, str], name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteApprovalRuleTemplate.html
    template = {"approvalRuleTemplateName": name}
    codecommit.associate_approval_rule_template_with_repository(**both)
    assert error_of(codecommit.delete_approval_rule_template, **template)[0] == "ApprovalRuleTemplateInUseException"
    codecommit.delete_repository(repositoryName=name)
    assert error_of(codecommit.disassociate_approval_rule_template_from_repository, **both)[0] == (
        "RepositoryDoesNotExistException")
    codecommit.create_repository(repositoryName=name)
    assert codecommit.list_repositories_for_approval_rule_template(**template)["repositoryNames"] == []
    codecommit.delete_approval_rule_template(**template)
    assert "approvalRuleTemplateId" not in codecommit.delete_approval_rule_template(**template)
    assert error_of(codecommit.associate_approval_rule_template_with_repository, **both)[0] == (
        "ApprovalRuleTemplateDoesNotExistException")


def test_repository_accepts_25_approval_rule_templates(codecommit: Any, both: dict[str, str], name: str) -> None:
    associate = codecommit.associate_approval_rule_template_with_repository
    for number in range(26):
        template = {"approvalRuleTemplateName": f"{name}-{number}"}
        codecommit.create_approval_rule_template(**template, approvalRuleTemplateContent=content())
        if number < 25:
            associate(**both | template)
    assert error_of(associate, **both | template)[0] == "MaximumRuleTemplatesAssociatedWithRepositoryException"


def test_batch_reports_each_failed_member(codecommit: Any, both: dict[str, str], name: str) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_BatchAssociateApprovalRuleTemplateWithRepositories.html
    batch = {"approvalRuleTemplateName": name, "repositoryNames": [name, "absent", "no name"]}
    associate = codecommit.batch_associate_approval_rule_template_with_repositories
    answer = associate(**batch)
    assert answer["associatedRepositoryNames"] == [name]
    assert [(error["repositoryName"], error["errorCode"]) for error in answer["errors"]] == [
        ("absent", "RepositoryDoesNotExistException"), ("no name", "InvalidRepositoryNameException")]
    assert error_of(associate, **batch | {"repositoryNames": [name] * 101})[0] == (
        "MaximumRepositoryNamesExceededException")


def test_template_needs_star_and_association_the_repository(aws: LocalAws, codecommit: Any, both: dict[str, str],
                                                            name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
    arn, template = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{name}", {"approvalRuleTemplateName": name}
    mine = aws.client("codecommit", a_user_with(
        aws, name, allow("codecommit:*ApprovalRuleTemplate*", arn), allow("codecommit:GetApprovalRuleTemplate", "*")))
    mine.get_approval_rule_template(**template)
    mine.associate_approval_rule_template_with_repository(**both)
    mine.batch_associate_approval_rule_template_with_repositories(**template, repositoryNames=[name])
    codecommit.create_repository(repositoryName=f"{name}-2")
    denied = "codecommit:BatchAssociateApprovalRuleTemplateWithRepositories"
    for call, arguments, words in (
            (mine.delete_approval_rule_template, {}, "codecommit:DeleteApprovalRuleTemplate on resource: * because"),
            (mine.associate_approval_rule_template_with_repository, {"repositoryName": f"{name}-2"},
             f"{arn}-2 because"),
            (mine.batch_associate_approval_rule_template_with_repositories,
             {"repositoryNames": [name, f"{name}-2"]}, f"{denied} on resource: {arn}-2 because")):
        code, _, message = error_of(call, **template, **arguments)
        assert code == "AccessDeniedException" and words in message
