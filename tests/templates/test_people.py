"""templates/people.yaml and branch-protection.yaml: completeness and resources of the policies.

tests/policies/rows_people.py has the calls that they allow and deny, test_other_parameters.py those of other parameters,
and test_sizes.py the sizes.
"""

import pytest

from tests.templates.companions import actions_of, may, of_group, published, stack, statement, user
from tests.templates.deployed import ACCOUNT, REGION
from tests.templates.renderings import NAMES, rendering

# Actions that no group has, with the reason. With the granted actions this is all of CodeCommit.
NOT_GIVEN = {
    "codecommit:CreateRepository codecommit:DeleteRepository": "use case 1 of power users: not this",
    "codecommit:UpdateRepositoryName codecommit:UpdateRepositoryEncryptionKey codecommit:UpdateDefaultBranch":
        "removes a branch like a deletion",
    "codecommit:TagResource codecommit:UntagResource": "a tag selects the repositories that the function deletes",
    "codecommit:PutRepositoryTriggers codecommit:TestRepositoryTriggers": "sends every push to any account",
    "codecommit:OverridePullRequestApprovalRules codecommit:DeletePullRequestApprovalRule "
    "codecommit:UpdatePullRequestApprovalRuleContent": "avoids an approval",
    "codecommit:CreateApprovalRuleTemplate codecommit:DeleteApprovalRuleTemplate "
    "codecommit:UpdateApprovalRuleTemplateContent codecommit:UpdateApprovalRuleTemplateDescription "
    "codecommit:UpdateApprovalRuleTemplateName codecommit:AssociateApprovalRuleTemplateWithRepository "
    "codecommit:BatchAssociateApprovalRuleTemplateWithRepositories "
    "codecommit:BatchDisassociateApprovalRuleTemplateFromRepositories "
    "codecommit:DisassociateApprovalRuleTemplateFromRepository": "an administrator's, for many repositories",
    "codecommit:DeleteCommentContent": "also applies to others' comments",
    "codecommit:UploadArchive codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive": "CodePipeline's own",
}


@pytest.fixture(scope="module")
def people():
    return stack("people")


def test_every_codecommit_action_is_granted_or_has_a_reason(people):
    given = {a for a in actions_of(*of_group(people, "PowerUsers")) if a.startswith("codecommit:")}
    withheld = {action for actions in NOT_GIVEN for action in actions.split()}
    assert given & withheld == set()
    assert given | withheld == set(published("codecommit"))


def test_approvers_approve_in_every_pipeline_that_is_rendered(people):
    mary = user("mary", *of_group(people, "Approvers"))
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop"
    approvals = {f"{pipeline}/{stage['Name']}/{action['Name']}"
                 for name in NAMES for stage in rendering(name)["Resources"]["Pipeline"]["Properties"]["Stages"]
                 for action in stage["Actions"] if action["ActionTypeId"]["Category"] == "Approval"}
    assert len(approvals) == 2
    assert all(may(mary, "codepipeline:PutApprovalResult", approval) for approval in approvals)


def test_every_branch_action_is_denied_on_a_protected_branch(people):
    """Two actions of the published list change no branch: one reads, the other creates a commit without a branch."""
    denied = statement(people.properties("BranchProtectionPolicy")["PolicyDocument"], "OnlyTheMirrorChangesThese")["Action"]
    with_reference = {a for a, keys in published("codecommit").items() if "codecommit:References" in keys}
    assert set(denied) == with_reference - {"codecommit:GetMergeCommit", "codecommit:CreateUnreferencedMergeCommit"}


@pytest.mark.parametrize("name", ["people", "branch-protection"])
def test_environment_without_branches_is_rejected(name):
    assert stack(name).broken_rules() == stack(name, EnvID="tst", ProtectedBranches="main").broken_rules() == []
    (message,) = stack(name, EnvID="tst").broken_rules()
    assert message.startswith("ProtectedBranches is required")


def test_control_policy_has_its_type_and_targets():
    deployed = stack("branch-protection", TargetIds="111122223333,ou-ab12-cdefghij")
    for made in deployed.everything().values():
        assert (made["Type"], made["TargetIds"]) == ("SERVICE_CONTROL_POLICY", ["111122223333", "ou-ab12-cdefghij"])
