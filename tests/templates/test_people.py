"""templates/people.yaml and branch-protection.yaml: completeness and resources of the policies.

tests/policies/rows_people.py has the calls that they allow and deny, test_other_parameters.py those of other
parameters, and test_sizes.py the sizes.
"""

import parliament

from tests.policies import scene
from tests.policies.collected import statements
from tests.policies.rows_people import APPROVE, APPROVING
from tests.policies.tables import PIPELINE, group
from tests.policies.vocabulary import actions as actions_of
from tests.templates.companions import stack
from tests.templates.deployed import as_list
from tests.templates.renderings import NAMES, rendering

# Actions that no group has, with the reason. With the granted actions this is all of CodeCommit.
NOT_GIVEN = {
    "codecommit:CreateRepository codecommit:DeleteRepository": "use case 1 of power users: not this",
    "codecommit:UpdateRepositoryName codecommit:UpdateRepositoryEncryptionKey codecommit:UpdateDefaultBranch": (  # noqa: E501
        "removes a branch like a deletion"
    ),
    "codecommit:TagResource codecommit:UntagResource": (
        "a tag selects the repositories that the function deletes"
    ),
    "codecommit:PutRepositoryTriggers codecommit:TestRepositoryTriggers": "sends every push to any account",
    "codecommit:OverridePullRequestApprovalRules codecommit:DeletePullRequestApprovalRule codecommit:UpdatePullRequestApprovalRuleContent": (  # noqa: E501
        "avoids an approval"
    ),
    "codecommit:CreateApprovalRuleTemplate codecommit:DeleteApprovalRuleTemplate codecommit:UpdateApprovalRuleTemplateContent codecommit:UpdateApprovalRuleTemplateDescription codecommit:UpdateApprovalRuleTemplateName codecommit:AssociateApprovalRuleTemplateWithRepository codecommit:BatchAssociateApprovalRuleTemplateWithRepositories codecommit:BatchDisassociateApprovalRuleTemplateFromRepositories codecommit:DisassociateApprovalRuleTemplateFromRepository": (  # noqa: E501
        "an administrator's, for many repositories"
    ),
    "codecommit:DeleteCommentContent": "also applies to others' comments",
    "codecommit:GetBlobDifferences": "GetDifferences and GetBlob show the same",
    "codecommit:UploadArchive codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive": (
        "CodePipeline's own"
    ),
}


def test_every_codecommit_action_is_granted_or_has_a_reason():
    granted = {
        action
        for policy in scene.stacks()["people"].policies()
        if group("group-dev-power-users") in policy.principals
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    given = {action for action in granted if action.startswith("codecommit:")}
    withheld = {action for actions in NOT_GIVEN for action in actions.split()}
    assert given & withheld == set()
    assert given | withheld == actions_of("codecommit")


def test_approvers_approve_in_every_pipeline_that_is_rendered():
    approvals = {
        f"{PIPELINE}/{stage['Name']}/{action['Name']}"
        for name in NAMES
        for stage in rendering(name)["Resources"]["Pipeline"]["Properties"]["Stages"]
        for action in stage["Actions"]
        if action["ActionTypeId"]["Category"] == "Approval"
    }
    assert len(approvals) == 2
    assert all(scene.world().may(APPROVING, APPROVE, approval) for approval in approvals)


def test_every_branch_action_is_denied_on_a_protected_branch():
    """Two actions of the published list change no branch: one reads, the other creates a commit without a
    branch."""
    policy = scene.stacks()["people"].deployed.properties("BranchProtectionPolicy")["PolicyDocument"]
    [denied] = [each["Action"] for each in policy["Statement"] if each["Sid"] == "OnlyTheMirrorChangesThese"]
    with_reference = {
        f"codecommit:{action['privilege']}"
        for entry in parliament.iam_definition
        if entry["prefix"] == "codecommit"
        for action in entry["privileges"]
        if any("codecommit:References" in kind["condition_keys"] for kind in action["resource_types"])
    }
    assert set(denied) == with_reference - {
        "codecommit:GetMergeCommit",
        "codecommit:CreateUnreferencedMergeCommit",
    }


def test_control_policy_has_its_type_and_targets():
    deployed = stack("branch-protection", TargetIds="111122223333,ou-ab12-cdefghij")
    for made in deployed.everything().values():
        assert (made["Type"], made["TargetIds"]) == (
            "SERVICE_CONTROL_POLICY",
            ["111122223333", "ou-ab12-cdefghij"],
        )
