"""templates/branch-protection.yaml: the protection of branches and approvals by service control policies, evaluated."""

import json

import pytest

from tests.templates.companions import (
    DEVELOPMENT,
    FEATURE,
    MASTER,
    MIRRORS,
    actions_of,
    faults,
    may,
    on,
    repository,
    role,
    stack,
    statement,
    user,
)
from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, source

FULL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OURS = repository("codecommit-dev-cfn-infra")
FUNCTION, PROVISIONING = "role-dev-cfn-gitops", "role-dev-cfn-gitops-provisioning"
REPLICATION = "role-dev-codebuild-replication-infra"
TARGET = {"TargetIds": ACCOUNT}
BREAK_GLASS = {"ExemptPrincipalArns": "arn:aws:iam::*:role/break-glass,arn:aws:iam::111122223333:role/deployment"}


def policy(of="BranchProtection", **parameters):
    return stack("branch-protection", **{**TARGET, **parameters}).properties(of)["Content"]


ON_BRANCHES = " ".join(sorted(statement(policy(), "OnlyTheMirrorChangesThese")["Action"]))
WHOLE = " ".join(sorted(statement(policy(), "NobodyTakesThemAwayWhole")["Action"]))
BECOMING = " ".join(sorted(a for a in statement(policy(), "NobodyBecomesTheMirror")["Action"] if a.startswith("iam:")))
MERGES = {"codecommit:MergePullRequestByFastForward", "codecommit:MergePullRequestBySquash", "codecommit:MergePullRequestByThreeWay"}


def in_the_account(who, kind=user, **parameters):
    """An administrator of an account that the policy is attached to, where everything else is allowed."""
    return kind(who, FULL, control_policies=((FULL, policy(**parameters)),))


# claim: administrator-cannot-change-a-protected-branch
@pytest.mark.parametrize("caller", [
    in_the_account("administrator"), in_the_account("administrator", role), in_the_account("team/anybody", role)])
def test_administrator_cannot_change_a_protected_branch(caller):
    for reference in (DEVELOPMENT, MASTER):
        assert may(caller, ON_BRANCHES, OURS, **on(reference)) == set()
    assert may(caller, WHOLE, OURS) == set()


def test_unattached_account_is_unaffected():
    elsewhere = user("administrator", FULL, control_policies=((FULL,),))
    assert may(elsewhere, ON_BRANCHES, OURS, **on(DEVELOPMENT)) == set(ON_BRANCHES.split())


def test_other_branches_and_repositories_are_not_denied():
    administrator = in_the_account("administrator")
    for keys in (on(FEATURE), on("refs/tags/v1"), {}):
        assert may(administrator, ON_BRANCHES, OURS, **keys) == set(ON_BRANCHES.split())
    for other in ("codecommit-prd-cfn-infra", "codecommit-dev2-cfn-infra", "unrelated"):
        everything = f"{ON_BRANCHES} {WHOLE}"
        assert may(administrator, everything, repository(other), **on(DEVELOPMENT)) == set(everything.split())
    assert may(administrator, "codecommit:GitPull codecommit:GetFile codecommit:CreatePullRequest iam:CreateRole", OURS, **on(MASTER))


def test_it_holds_in_every_region():
    assert may(in_the_account("administrator"), ON_BRANCHES, repository("codecommit-dev-x", "us-east-1"), **on(MASTER)) == set()


@pytest.mark.parametrize(("name", "kind"), [
    *[(name, user) for name in MIRRORS], *[(name, role) for name in (FUNCTION, PROVISIONING, REPLICATION)]])
def test_mirror_and_machinery_are_exempt(name, kind):
    caller = in_the_account(name, kind)
    assert may(caller, ON_BRANCHES, OURS, **on(DEVELOPMENT)) == set(ON_BRANCHES.split())
    assert may(caller, WHOLE, OURS) == set(WHOLE.split())
    assert may(caller, BECOMING, f"arn:aws:iam::{ACCOUNT}:user/{MIRRORS[0]}") == set(BECOMING.split())


@pytest.mark.parametrize(("name", "kind"), [
    ("break-glass", user), ("break-glass2", role), ("deployment", role), (FUNCTION, user), (MIRRORS[0], role),
    ("role-dev-codebuild-cfn", role), ("role-dev-codedeploy-cfn", role), ("role-dev-codepipeline-cfn", role),
    ("role-prd-cfn-gitops", role), ("role-dev-replication-infra", role), ("role-prd-codebuild-replication-infra", role), ("role-dev2-cfn-gitops", role), ("role-dev-cfn-gitops2", role),
    ("user-prd-codecommit-mirroring", user), ("user-dev-mirror", user)])
def test_no_other_principal_is_exempt(name, kind):
    """ "deployment" is exempt in another account alone."""
    caller = in_the_account(name, kind, **BREAK_GLASS)
    assert may(caller, ON_BRANCHES, OURS, **on(DEVELOPMENT)) == set()
    assert may(caller, WHOLE, OURS) == set()
    assert may(caller, BECOMING, f"arn:aws:iam::{ACCOUNT}:user/{MIRRORS[1]}") == set()


def test_principals_of_the_parameter_pass_beside_the_mirror():
    assert may(in_the_account("break-glass", role, **BREAK_GLASS), f"{ON_BRANCHES} {WHOLE}", OURS, **on(MASTER)) == {
        *ON_BRANCHES.split(), *WHOLE.split()}
    assert may(in_the_account(MIRRORS[0], **BREAK_GLASS), "codecommit:GitPush", OURS, **on(MASTER))


def test_control_policy_only_denies():
    assert {one["Effect"] for one in policy(**BREAK_GLASS)["Statement"]} == {"Deny"}
    assert may(user(MIRRORS[0], control_policies=((FULL, policy()),)), "codecommit:GitPush", OURS, **on(MASTER)) == set()


@pytest.mark.parametrize("mirror", MIRRORS)
def test_no_principal_can_become_the_mirror_user(mirror):
    administrator = in_the_account("administrator")
    assert may(administrator, BECOMING, f"arn:aws:iam::{ACCOUNT}:user/{mirror}") == set()
    assert may(administrator, BECOMING, f"arn:aws:iam::{ACCOUNT}:user/mary") == set(BECOMING.split())
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:codecommit-mirror/{mirror}-AbC123"
    assert may(administrator, "secretsmanager:GetSecretValue secretsmanager:PutResourcePolicy", secret) == set()
    assert may(in_the_account(FUNCTION, role), "secretsmanager:GetSecretValue", secret)


def test_function_of_another_environment_reads_its_own_passwords():
    prd = in_the_account("role-prd-cfn-gitops", role)
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:codecommit-mirror/user-{{}}-codecommit-mirroring-AbC123"
    assert may(prd, "secretsmanager:GetSecretValue", secret.format("prd"))
    assert not may(prd, "secretsmanager:GetSecretValue", secret.format("dev"))


@pytest.mark.parametrize("given", [{}, {"MirrorUserNames": "gitlab-*"}])
@pytest.mark.parametrize("name", ["gitlab", "codecommit-mirror/user-dev-codecommit-mirroring"])
def test_password_in_a_secret_with_an_exact_name_is_denied(name, given):
    """A secret's ARN ends in a hyphen and six random characters."""
    administrator = in_the_account("administrator", MirrorSecretNames=name, **given)
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}"
    for arn in (f"{secret}-AbC123", secret):
        assert may(administrator, "secretsmanager:GetSecretValue secretsmanager:PutResourcePolicy", arn) == set()
    assert may(administrator, "secretsmanager:GetSecretValue", f"{secret}-token-AbC123")


def test_the_mirrors_names_are_a_parameter():
    given = {"MirrorUserNames": "gitlab-*"}
    assert may(in_the_account("gitlab-infra", **given), "codecommit:GitPush", OURS, **on(MASTER))
    assert not may(in_the_account(MIRRORS[0], **given), "codecommit:GitPush", OURS, **on(MASTER))
    assert may(in_the_account(FUNCTION, role, **given), WHOLE, OURS) == set(WHOLE.split())


def test_it_denies_the_same_as_the_policy_for_groups():
    """Except for approval rule templates, which belong to no environment, in a whole account."""
    attached = stack("people").properties("BranchProtectionPolicy")["PolicyDocument"]
    templates = {"codecommit:DeleteApprovalRuleTemplate", "codecommit:UpdateApprovalRuleTemplateContent"}
    assert actions_of(policy(), effect="Deny") == actions_of(attached, effect="Deny") - templates
    on_branches = [statement(one, "OnlyTheMirrorChangesThese") for one in (policy(), attached)]
    assert set(on_branches[0]["Action"]) == set(on_branches[1]["Action"])
    for operator in ("StringLikeIfExists", "Null"):
        assert on_branches[0]["Condition"][operator] == on_branches[1]["Condition"][operator]


def test_a_third_environment_protects_the_branches_that_it_names():
    administrator = in_the_account("administrator", EnvID="tst", ProtectedBranches="staging")
    ours = repository("codecommit-tst-cfn-infra")
    assert may(administrator, ON_BRANCHES, ours, **on("refs/heads/staging")) == set()
    assert may(administrator, ON_BRANCHES, ours, **on(DEVELOPMENT)) == set(ON_BRANCHES.split())


def test_environment_without_branches_is_rejected():
    """tests/deployed_templates/test_people.py tests the rule's effect, where people.yaml is deployed."""
    (rule,) = source(TEMPLATES / "branch-protection.yaml")["Rules"].values()
    assert list(source(TEMPLATES / "people.yaml")["Rules"].values()) == [rule]


def test_pull_requests_are_merged_where_that_is_allowed():
    given = {"PullRequestMerges": "Allowed"}
    assert may(in_the_account("mary", **given), ON_BRANCHES, OURS, **on(MASTER)) == MERGES
    assert may(in_the_account("mary", **given), WHOLE, OURS) == set()


LARGEST = {
    "EnvID": "a" * 10, "RepositoryNames": "r" * 100, "ProtectedBranches": ",".join(f"release/{n:03}" for n in range(20)),
    "ApproverArns": ",".join(f"arn:aws:iam::{ACCOUNT}:user/first.last.{n:03}" for n in range(15)), **BREAK_GLASS,
}


@pytest.mark.parametrize("of", ["BranchProtection", "ApprovalProtection"])
@pytest.mark.parametrize("given", [{}, BREAK_GLASS, LARGEST, {"MirrorUserNames": "m" * 64, "PullRequestMerges": "Allowed"}])
def test_control_policy_is_valid_and_fits_its_size_limit(of, given):
    """At most 5,120 characters.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
    """
    content = policy(of, **given)
    assert len(json.dumps(content, separators=(",", ":"))) <= 5120
    # An IAM policy has the same grammar. The "*" for regions and accounts are intended.
    assert {issue for issue, _ in faults(content)} <= {"RESOURCE_POLICY_PRIVILEGE_ESCALATION"}


def test_it_is_a_service_control_policy_on_its_targets():
    deployed = stack("branch-protection", TargetIds="111122223333,ou-ab12-cdefghij")
    for made in deployed.everything().values():
        assert (made["Type"], made["TargetIds"]) == ("SERVICE_CONTROL_POLICY", ["111122223333", "ou-ab12-cdefghij"])
        assert made["Tags"] == [{"Key": "CreatedBy", "Value": "branch-protection-dev"}]


# --- Approvals. tests/policies/rows_people.py has the rest -------------------------------------

APPROVE = "codepipeline:PutApprovalResult"
APPROVAL = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop/Deploy/Approval"
RESERVED = "aws-reserved/sso.amazonaws.com"
SET = "AWSReservedSSO_dev-approvers_0123456789abcdef"


def under_approval_protection(who, kind=user, **parameters):
    return kind(who, FULL, control_policies=((FULL, policy("ApprovalProtection", **parameters)),))


@pytest.mark.parametrize("name", [f"{RESERVED}/{SET}", f"{RESERVED}/eu-west-1/{SET}"])
def test_permission_set_approves_by_default(name):
    assert may(under_approval_protection(name, role), APPROVE, APPROVAL)
    # Only Identity Center creates and changes its role.
    taken = "iam:CreateRole iam:UpdateAssumeRolePolicy iam:PassRole"
    assert may(under_approval_protection("administrator"), taken, f"arn:aws:iam::{ACCOUNT}:role/{name}") == set()


@pytest.mark.parametrize(("name", "kind"), [
    ("administrator", role), ("olivia", user), (SET, role), (SET, user), (f"{RESERVED}/{SET}", user),
    (f"{RESERVED}/{SET.replace('dev', 'prd')}", role), (f"{RESERVED}/{SET.replace('dev', 'dev2')}", role),
    (f"{RESERVED}/eu-west-1/AWSReservedSSO_AdministratorAccess_0123456789abcdef", role)])
def test_no_other_identity_approves_by_default(name, kind):
    assert not may(under_approval_protection(name, kind, **BREAK_GLASS), APPROVE, APPROVAL)


def test_named_approvers_replace_the_permission_set():
    given = {"ApproverArns": f"arn:aws:iam::{ACCOUNT}:user/olivia,arn:aws:iam::*:role/approver"}
    for name, kind in (("olivia", user), ("approver", role)):
        assert may(under_approval_protection(name, kind, **given), APPROVE, APPROVAL)
    for name, kind in (("olivia2", user), ("olivia", role), (f"{RESERVED}/{SET}", role)):
        assert not may(under_approval_protection(name, kind, **given), APPROVE, APPROVAL)
