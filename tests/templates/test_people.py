"""templates/people.yaml: allowed and denied calls of both groups, evaluated."""

import json

import pytest

from tests.templates.companions import (
    DEVELOPMENT,
    FEATURE,
    MASTER,
    MIRRORS,
    actions_of,
    as_list,
    faults,
    may,
    of_group,
    on,
    published,
    repository,
    role,
    stack,
    statement,
    user,
)
from tests.templates.deployed import ACCOUNT, REGION
from tests.templates.renderings import NAMES, rendering

OURS = repository("codecommit-dev-cfn-infra")
MARY = f"arn:aws:iam::{ACCOUNT}:user/mary"
FOR_CODECOMMIT = {"iam:ServiceSpecificCredentialServiceName": "codecommit.amazonaws.com"}
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

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
WRITES = " ".join(sorted(action for action in actions_of(stack("people").properties("WritePolicy")["PolicyDocument"])))
READS = " ".join(sorted(statement(stack("people").properties("ReadPolicy")["PolicyDocument"], "ReadRepositories")["Action"]))
ON_BRANCHES = " ".join(sorted(statement(
    stack("people").properties("BranchProtectionPolicy")["PolicyDocument"], "OnlyTheMirrorChangesThese")["Action"]))
MERGES = "codecommit:MergePullRequestByFastForward codecommit:MergePullRequestBySquash codecommit:MergePullRequestByThreeWay"
WHOLE = "codecommit:DeleteRepository codecommit:UpdateDefaultBranch codecommit:UpdateRepositoryEncryptionKey codecommit:UpdateRepositoryName"
BECOMING = (
    "iam:CreateServiceSpecificCredential iam:ResetServiceSpecificCredential iam:UpdateServiceSpecificCredential "
    "iam:UploadSSHPublicKey iam:UpdateSSHPublicKey iam:CreateAccessKey iam:UpdateAccessKey iam:CreateLoginProfile "
    "iam:UpdateLoginProfile iam:CreateUser iam:UpdateUser"
)


@pytest.fixture(scope="module")
def people():
    return stack("people")


@pytest.fixture(scope="module")
def mary(people):
    return user("mary", *of_group(people, "PowerUsers"))


@pytest.fixture(scope="module")
def reader(people):
    return user("mary", *of_group(people, "Readers"))


def protected(who="mary", kind=user, **parameters):
    """A principal with all permissions and the protection."""
    return kind(who, ADMINISTRATOR, stack("people", **parameters).properties("BranchProtectionPolicy")["PolicyDocument"])


# --- The groups ------------------------------------------------------------------------------


def test_every_codecommit_action_is_granted_or_has_a_reason(people):
    given = {a for a in actions_of(*of_group(people, "PowerUsers")) if a.startswith("codecommit:")}
    withheld = {action for actions in NOT_GIVEN for action in actions.split()}
    assert given & withheld == set()
    assert given | withheld == set(published("codecommit"))


def test_power_users_work_in_the_environments_repositories(mary):
    assert may(mary, WRITES, OURS, **on(FEATURE)) == set(WRITES.split())
    assert may(mary, READS, OURS) == set(READS.split())
    assert may(mary, "codecommit:ListRepositories codecommit:ListApprovalRuleTemplates", "*")


def test_power_users_are_denied_each_action_with_a_reason(mary):
    for actions in NOT_GIVEN:
        assert may(mary, actions, OURS) == set()
        assert may(mary, actions, "*") == set()


def test_readers_read_and_change_nothing(reader):
    assert may(reader, READS, OURS) == set(READS.split())
    assert may(reader, WRITES, OURS, **on(FEATURE)) == set()
    for actions in NOT_GIVEN:
        assert may(reader, actions, OURS) == set()


@pytest.mark.parametrize("other", [
    repository("codecommit-prd-cfn-infra"), repository("codecommit-dev2-cfn-infra"), repository("unrelated"),
    repository("codecommit-dev-cfn-infra", "eu-west-1"), OURS.replace(ACCOUNT, "999999999999")])
def test_neither_group_reaches_other_environments_or_accounts(mary, reader, other):
    owner = other.split(":")[4]
    assert may(mary, f"{WRITES} {READS}", other, owner, **on(FEATURE)) == set()
    assert may(reader, READS, other, owner) == set()


def test_the_repositories_are_a_parameter():
    team = stack("people", RepositoryNames="team-*")
    mary = user("mary", *of_group(team, "PowerUsers"))
    assert may(mary, "codecommit:GitPush", repository("team-a"), **on(FEATURE))
    assert not may(mary, "codecommit:GitPush", repository("team-a"), **on(DEVELOPMENT))
    assert not may(mary, f"{WRITES} {READS}", OURS, **on(FEATURE))


# --- People's own credentials ----------------------------------------------------------------

OWN = ("iam:UploadSSHPublicKey iam:UpdateSSHPublicKey iam:ResetServiceSpecificCredential iam:UpdateServiceSpecificCredential "
       "iam:ListSSHPublicKeys iam:GetSSHPublicKey iam:ListServiceSpecificCredentials "
       "iam:DeleteSSHPublicKey iam:DeleteServiceSpecificCredential")


@pytest.mark.parametrize("group", ["PowerUsers", "Readers"])
def test_user_manages_own_keys_and_git_credentials(people, group):
    mary = user("mary", *of_group(people, group))
    assert may(mary, OWN, MARY) == set(OWN.split())
    assert may(mary, "iam:CreateServiceSpecificCredential", MARY, **FOR_CODECOMMIT)


def test_own_git_credential_opens_only_codecommit(mary):
    for service in ({}, {"iam:ServiceSpecificCredentialServiceName": "bedrock.amazonaws.com"}):
        assert not may(mary, "iam:CreateServiceSpecificCredential", MARY, **service)


@pytest.mark.parametrize("name", ["john", "mary2", "a/mary", *MIRRORS])
def test_other_users_keys_are_neither_read_nor_changed(mary, name):
    other = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    assert may(mary, f"{OWN} iam:CreateServiceSpecificCredential", other, **FOR_CODECOMMIT) == set()


@pytest.mark.parametrize("mirror", MIRRORS)
def test_mirror_user_in_a_group_creates_no_login(people, mirror):
    it = user(mirror, *of_group(people, "PowerUsers"))
    own = f"arn:aws:iam::{ACCOUNT}:user/{mirror}"
    calls = "iam:UploadSSHPublicKey iam:UpdateSSHPublicKey iam:ResetServiceSpecificCredential iam:UpdateServiceSpecificCredential"
    assert may(it, f"{calls} iam:CreateServiceSpecificCredential", own, **FOR_CODECOMMIT) == set()


def test_groups_grant_no_other_iam_permission(mary):
    assert may(mary, "iam:CreateAccessKey iam:CreateLoginProfile iam:AttachUserPolicy iam:AddUserToGroup", MARY) == set()


# --- Approvers, which docs/how-to/approvers.md describes ---------------------------------------

_PIPELINE = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop"
_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{{}}-dev-shop/0a1b"
APPROVERS_MAY = {
    f"{_PIPELINE}/Deploy/Approval": {"codepipeline:PutApprovalResult"},
    f"{_PIPELINE}/Approval/Approval": {"codepipeline:PutApprovalResult"},
    f"{_PIPELINE}/Deploy/Deploy": set(),
    _PIPELINE: {"codepipeline:GetPipeline", "codepipeline:GetPipelineExecution", "codepipeline:GetPipelineState",
                "codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"},
    _STACK.format("cfnstack"): {"cloudformation:DescribeChangeSet", "cloudformation:DescribeStacks"},
    _STACK.format("gitops"): set(),
    OURS: set(), MARY: set(), "*": set(),
}


@pytest.mark.parametrize("resource", APPROVERS_MAY)
def test_approvers_approve_and_can_do_nothing_else(people, resource):
    """No action is a pattern, so no action beside the listed ones is allowed. tests/policies tries those of both services."""
    documents = of_group(people, "Approvers")
    listed = {"codepipeline:ListPipelines"}.union(*APPROVERS_MAY.values())
    assert actions_of(*documents) == listed
    # ListPipelines has no resource but "*". The pattern of a pipeline's reads also matches its actions.
    reads = APPROVERS_MAY[_PIPELINE] if resource.startswith(_PIPELINE) else set()
    allowed = may(user("mary", *documents), " ".join(listed), resource)
    assert allowed == APPROVERS_MAY[resource] | reads | {"codepipeline:ListPipelines"}


def test_approvers_approve_in_every_pipeline_that_is_rendered(people):
    mary = user("mary", *of_group(people, "Approvers"))
    approvals = {f"{_PIPELINE}/{stage['Name']}/{action['Name']}"
                 for name in NAMES for stage in rendering(name)["Resources"]["Pipeline"]["Properties"]["Stages"]
                 for action in stage["Actions"] if action["ActionTypeId"]["Category"] == "Approval"}
    assert len(approvals) == 2
    assert all(may(mary, "codepipeline:PutApprovalResult", approval) for approval in approvals)


# --- The protection, which docs/how-to/branch-protection.md describes --------------------------------


def test_every_branch_action_is_denied_on_a_protected_branch():
    """Two actions of the published list change no branch: one reads, the other creates a commit without a branch."""
    with_reference = {a for a, keys in published("codecommit").items() if "codecommit:References" in keys}
    assert set(ON_BRANCHES.split()) == with_reference - {"codecommit:GetMergeCommit", "codecommit:CreateUnreferencedMergeCommit"}


# claim: administrator-cannot-change-a-protected-branch
@pytest.mark.parametrize("reference", [DEVELOPMENT, MASTER])
def test_attached_principals_cannot_change_a_protected_branch(mary, reader, reference):
    for caller in (mary, reader, protected(), protected("developer", role)):
        assert may(caller, ON_BRANCHES, OURS, **on(reference)) == set()


@pytest.mark.parametrize("reference", [
    FEATURE, "refs/heads/development2", "refs/heads/feature/development", "refs/heads/Development", "refs/tags/development",
    "refs/tags/v1", "refs/notes/commits"])
def test_other_references_are_free(mary, reference):
    assert may(mary, "codecommit:GitPush codecommit:DeleteBranch", OURS, **on(reference)) == {
        "codecommit:GitPush", "codecommit:DeleteBranch"}
    assert may(protected(), ON_BRANCHES, OURS, **on(reference)) == set(ON_BRANCHES.split())


def test_a_call_that_names_no_reference_is_not_denied(mary):
    """git's first request of a push is such a call. If it were denied, every push would fail."""
    assert may(mary, "codecommit:GitPush", OURS)
    assert may(protected(), ON_BRANCHES, OURS) == set(ON_BRANCHES.split())


def test_without_null_condition_free_branch_pushes_are_denied(people):
    """AWS's documented example: its IfExists is true for a missing key."""
    copied = {
        **people.properties("BranchProtectionPolicy")["PolicyDocument"],
        "Statement": [{**statement(people.properties("BranchProtectionPolicy")["PolicyDocument"], "OnlyTheMirrorChangesThese"),
                       "Condition": {"StringEqualsIfExists": {"codecommit:References": [DEVELOPMENT]}}}],
    }
    mary = user("mary", ADMINISTRATOR, copied)
    assert not may(mary, "codecommit:GitPush", OURS)
    assert may(mary, "codecommit:GitPush", OURS, **on(FEATURE))


@pytest.mark.parametrize("mirror", MIRRORS)
def test_mirror_passes_the_protection_wherever_it_is_attached(mirror):
    assert may(protected(mirror), ON_BRANCHES, OURS, **on(DEVELOPMENT)) == set(ON_BRANCHES.split())


@pytest.mark.parametrize("name", ["mirror", "user-prd-codecommit-mirroring", "user-dev2-shop-mirror", "user-dev-mirror",
                                  "user-dev-shop-mirror2", "user-dev-codecommit-mirroring2"])
def test_no_other_name_is_exempt_as_the_mirror(name):
    assert may(protected(name), "codecommit:GitPush", OURS, **on(DEVELOPMENT)) == set()
    assert may(protected(MIRRORS[0], role), "codecommit:GitPush", OURS, **on(DEVELOPMENT)) == set()


def test_the_mirrors_names_are_a_parameter():
    named = {"MirrorUserNames": "gitlab-*"}
    assert may(protected("gitlab-infra", **named), "codecommit:GitPush", OURS, **on(DEVELOPMENT))
    assert not may(protected(MIRRORS[0], **named), "codecommit:GitPush", OURS, **on(DEVELOPMENT))
    assert not may(protected("mary", **named), BECOMING, f"arn:aws:iam::{ACCOUNT}:user/gitlab-infra")


def test_a_third_environment_protects_the_branches_that_it_names():
    given = {"EnvID": "tst", "ProtectedBranches": "staging"}
    ours = repository("codecommit-tst-cfn-infra")
    assert may(protected(**given), ON_BRANCHES, ours, **on("refs/heads/staging")) == set()
    assert may(protected(**given), ON_BRANCHES, ours, **on(DEVELOPMENT)) == set(ON_BRANCHES.split())


def test_branches_are_a_list_of_patterns():
    given = {"ProtectedBranches": "main,release/*"}
    for reference in ("refs/heads/main", "refs/heads/release/1", "refs/heads/release/1/2"):
        assert may(protected(**given), ON_BRANCHES, OURS, **on(reference)) == set(), reference
    for reference in (DEVELOPMENT, "refs/heads/release", "refs/tags/main"):
        assert may(protected(**given), ON_BRANCHES, OURS, **on(reference)) == set(ON_BRANCHES.split()), reference


def test_replica_is_protected_and_other_environments_are_not():
    assert may(protected(), ON_BRANCHES, repository("codecommit-dev-cfn-infra", "us-east-1"), **on(MASTER)) == set()
    for free in ("codecommit-prd-cfn-infra", "codecommit-dev2-cfn-infra", "unrelated"):
        assert may(protected(), f"{ON_BRANCHES} {WHOLE}", repository(free), **on(MASTER)) == set(f"{ON_BRANCHES} {WHOLE}".split())


def test_calls_that_remove_an_unnamed_branch_are_denied():
    for caller in (protected(), protected("developer", role), protected(MIRRORS[0])):
        assert may(caller, WHOLE, OURS) == set()
        assert may(caller, WHOLE, OURS, **on(FEATURE)) == set()


def test_pull_request_merge_needs_permission_and_approval():
    allowed = protected(PullRequestMerges="Allowed")
    assert may(allowed, MERGES, OURS, **on(DEVELOPMENT)) == set(MERGES.split())
    assert may(allowed, ON_BRANCHES, OURS, **on(DEVELOPMENT)) == set(MERGES.split())
    for caller in (allowed, protected()):
        assert may(caller, "codecommit:OverridePullRequestApprovalRules codecommit:DeletePullRequestApprovalRule "
                           "codecommit:UpdatePullRequestApprovalRuleContent "
                           "codecommit:DisassociateApprovalRuleTemplateFromRepository "
                           "codecommit:BatchDisassociateApprovalRuleTemplateFromRepositories", OURS) == set()
        assert may(caller, "codecommit:UpdateApprovalRuleTemplateContent codecommit:DeleteApprovalRuleTemplate", "*") == set()
        assert may(caller, "codecommit:UpdatePullRequestApprovalState codecommit:CreatePullRequest", OURS)


@pytest.mark.parametrize("mirror", MIRRORS)
def test_protected_principals_cannot_become_the_mirror_user(mirror):
    theirs = f"arn:aws:iam::{ACCOUNT}:user/{mirror}"
    assert may(protected(), BECOMING, theirs, **FOR_CODECOMMIT) == set()
    assert may(protected(), BECOMING, MARY, **FOR_CODECOMMIT) == set(BECOMING.split())
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:codecommit-mirror/{mirror}-AbC123"
    assert may(protected(), "secretsmanager:GetSecretValue secretsmanager:PutResourcePolicy", secret) == set()
    assert may(protected(), "secretsmanager:GetSecretValue", secret.replace("codecommit-mirror", "others"))


@pytest.mark.parametrize("name", ["gitlab", "codecommit-mirror/user-dev-codecommit-mirroring"])
def test_password_in_a_secret_with_an_exact_name_is_denied(name):
    """A secret's ARN ends in a hyphen and six random characters."""
    deployed = stack("people", MirrorSecretNames=name)
    anybody = user("mary", ADMINISTRATOR, deployed.properties("BranchProtectionPolicy")["PolicyDocument"])
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}"
    for arn in (f"{secret}-AbC123", secret):
        assert may(anybody, "secretsmanager:GetSecretValue secretsmanager:PutResourcePolicy", arn) == set()
    assert may(anybody, "secretsmanager:GetSecretValue", f"{secret}-token-AbC123")


def test_a_path_makes_no_mirror_of_a_user():
    """A user's path is part of the ARN that the exemption is compared with."""
    for name in ("team/user-dev-shop-mirror", "user-dev-x/mirror2"):
        assert may(protected(name), "codecommit:GitPush", OURS, **on(DEVELOPMENT)) == set()
    # A user with a matching path may not be created either.
    assert may(protected(), "iam:CreateUser iam:UpdateUser", f"arn:aws:iam::{ACCOUNT}:user/user-dev-x/a-mirror") == set()


# --- Resources ----------------------------------------------------------------------------


def test_protection_is_attached_to_every_group(people):
    groups = {people.name(group) for group in people.of_type("AWS::IAM::Group")}
    assert set(people.properties("BranchProtectionPolicy")["Groups"]) == groups


# AWS's list has had this key since Amazon Bedrock has such credentials; parliament's copy is older.
NEWER_THAN_PARLIAMENT = {(
    "UNKNOWN_CONDITION_FOR_ACTION",
    "Unknown condition iam:ServiceSpecificCredentialServiceName for action iam:CreateServiceSpecificCredential")}
LARGEST = {
    "EnvID": "a" * 10, "RepositoryNames": "r" * 100, "MirrorUserNames": "m" * 64,
    "ProtectedBranches": ",".join(f"release/{number:03}" for number in range(30)),
}


@pytest.mark.parametrize("given", [{}, LARGEST, {"PullRequestMerges": "Allowed"}])
def test_every_policy_is_valid_and_fits_its_size_limit(given):
    """At most 6,144 characters, white space not counted.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    deployed = stack("people", **given)
    for name in deployed.of_type("AWS::IAM::ManagedPolicy"):
        document = deployed.properties(name)["PolicyDocument"]
        assert faults(document) <= NEWER_THAN_PARLIAMENT, name
        assert len(json.dumps(document, separators=(",", ":"))) <= 6144, name


def test_no_granted_action_is_a_pattern(people):
    for name in people.of_type("AWS::IAM::ManagedPolicy"):
        for one in people.properties(name)["PolicyDocument"]["Statement"]:
            assert not [action for action in as_list(one["Action"]) if "*" in action]
