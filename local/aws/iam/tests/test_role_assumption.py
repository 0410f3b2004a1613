"""sts:AssumeRole evaluates both sides, and the session has the role's permissions in the role's account.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A
from local.aws.testing import a_user_with, allow, policy, error_of

B = "123456789012"


def trusting(principal: str, effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**made, "Condition": condition} if condition else made


class Roles:
    """A role of account A, and a role of account B that may or may not assume it."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.here, self.there, self.name = aws, aws.in_account(A), name
        self.lent = f"arn:aws:iam::{A}:role/lent-{name}"

    def lend(self, *trusts: dict[str, Any], rights: dict[str, Any] | None = None) -> None:
        iam = self.there.client("iam")
        iam.create_role(RoleName=f"lent-{self.name}", AssumeRolePolicyDocument=policy(*trusts))
        iam.put_role_policy(RoleName=f"lent-{self.name}", PolicyName="own", PolicyDocument=policy(
            rights or allow("codecommit:*", "*")))

    def borrower(self, *statements: dict[str, Any], path: str = "/") -> dict[str, Any]:
        """The key of a session of a role of B with these permissions."""
        iam, role = self.here.client("iam"), f"borrower-{self.name}"
        user = a_user_with(self.here, f"user-{self.name}")
        iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=policy(
            trusting(f"arn:aws:iam::{B}:user/user-{self.name}")))
        if statements:
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy(*statements))
        key: dict[str, Any] = self.here.client("sts", user).assume_role(
            RoleArn=f"arn:aws:iam::{B}:role{path}{role}", RoleSessionName="one")["Credentials"]
        return key

    def borrow(self, key: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self.here.client("sts", key).assume_role(RoleArn=self.lent, RoleSessionName="two", **more)

    def rejected(self, key: dict[str, Any], **more: Any) -> str:
        code, status, message = error_of(self.here.client("sts", key).assume_role, RoleArn=self.lent,
                                        RoleSessionName="two", **more)
        assert (code, status) == ("AccessDenied", 403)
        return message


@pytest.fixture
def roles(aws: LocalAws, name: str) -> Roles:
    return Roles(aws, name)


def test_cross_account_assumption_needs_both_sides(roles: Roles) -> None:
    role = f"arn:aws:iam::{B}:role/borrower-{roles.name}"
    roles.lend(trusting(f"arn:aws:iam::{B}:root", ArnEquals={"aws:PrincipalArn": role}))
    key = roles.borrower()
    said = (f"User: arn:aws:sts::{B}:assumed-role/borrower-{roles.name}/one is not authorized to perform: "
            f"sts:AssumeRole on resource: {roles.lent}")
    assert roles.rejected(key) == said
    roles.here.client("iam").put_role_policy(RoleName=f"borrower-{roles.name}", PolicyName="own", PolicyDocument=policy(
        allow("sts:AssumeRole", roles.lent)))
    session = roles.borrow(key)["Credentials"]
    identity = roles.here.client("sts", session).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (A, f"arn:aws:sts::{A}:assumed-role/lent-{roles.name}/two")
    roles.there.client("iam").update_assume_role_policy(RoleName=f"lent-{roles.name}", PolicyDocument=policy(
        trusting(f"arn:aws:iam::{B}:root", ArnEquals={"aws:PrincipalArn": f"{role}-not"})))
    assert roles.rejected(key) == said


def test_the_session_works_in_the_roles_account(roles: Roles) -> None:
    roles.lend(trusting(f"arn:aws:iam::{B}:root"))
    roles.there.client("codecommit").create_repository(repositoryName=roles.name)
    key = roles.borrow(roles.borrower(allow("sts:AssumeRole", "*")))["Credentials"]
    found = roles.here.client("codecommit", key).get_repository(repositoryName=roles.name)
    assert found["repositoryMetadata"]["accountId"] == A


def test_a_roles_path_is_part_of_the_principals_arn(roles: Roles) -> None:
    role = f"arn:aws:iam::{B}:role/deep/down/borrower-{roles.name}"
    roles.lend(trusting(f"arn:aws:iam::{B}:root", ArnEquals={"aws:PrincipalArn": role}))
    assert roles.borrow(roles.borrower(allow("sts:AssumeRole", "*"), path="/deep/down/"))["Credentials"]


@pytest.mark.parametrize("pattern", ["arn:aws:iam::*:role/borrower-{}", "arn:aws:iam::" + B + ":role/borrower-*"])
def test_role_arn_pattern_allows_matching_roles(roles: Roles, pattern: str) -> None:
    roles.lend(trusting(f"arn:aws:iam::{B}:root", ArnLike={"aws:PrincipalArn": pattern.format(roles.name)}))
    assert roles.borrow(roles.borrower(allow("sts:AssumeRole", "*")))["Credentials"]


def test_external_id_has_to_equal_the_required_one(roles: Roles) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
    roles.lend(trusting(f"arn:aws:iam::{B}:root", StringEquals={"sts:ExternalId": "agreed"}))
    key = roles.borrower(allow("sts:AssumeRole", "*"))
    assert roles.rejected(key)
    assert roles.rejected(key, ExternalId="guessed")
    assert roles.borrow(key, ExternalId="agreed")["Credentials"]


def test_the_callers_own_policy_can_demand_an_external_id(roles: Roles) -> None:
    roles.lend(trusting(f"arn:aws:iam::{B}:root"))
    key = roles.borrower(allow("sts:AssumeRole", "*", Condition={"StringEquals": {"sts:ExternalId": "agreed"}}))
    assert roles.rejected(key)
    assert roles.borrow(key, ExternalId="agreed")["Credentials"]


def test_deny_of_a_trust_policy_overrides_its_allow(roles: Roles) -> None:
    role = f"arn:aws:iam::{B}:role/borrower-{roles.name}"
    roles.lend(trusting(f"arn:aws:iam::{B}:root"),
               trusting("*", "Deny", ArnEquals={"aws:PrincipalArn": role}))
    assert roles.rejected(roles.borrower(allow("sts:AssumeRole", "*")))


def test_session_policy_limits_role_to_named_rights(roles: Roles) -> None:
    # "The resulting session's permissions are the intersection of the role's identity-based policy and the session
    # policies." https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
    repository = f"arn:aws:codecommit:eu-central-1:{A}:{roles.name}"
    roles.lend(trusting(f"arn:aws:iam::{B}:root"), rights=allow(["codecommit:Get*", "codecommit:ListBranches"], "*"))
    roles.there.client("codecommit").create_repository(repositoryName=roles.name)
    narrow = policy(allow(["codecommit:GetRepository", "codecommit:DeleteRepository"], repository))
    key = roles.borrow(roles.borrower(allow("sts:AssumeRole", "*")), Policy=narrow)["Credentials"]
    mine = roles.here.client("codecommit", key)
    assert mine.get_repository(repositoryName=roles.name)
    assert error_of(mine.list_branches, repositoryName=roles.name)[0] == "AccessDeniedException"
    assert error_of(mine.delete_repository, repositoryName=roles.name)[0] == "AccessDeniedException"


@pytest.mark.parametrize("account", [A, B])
def test_missing_role_is_denied_like_an_untrusting_one(roles: Roles, account: str) -> None:
    key, absent = roles.borrower(allow("sts:AssumeRole", "*")), f"arn:aws:iam::{account}:role/absent-{roles.name}"
    said = error_of(roles.here.client("sts", key).assume_role, RoleArn=absent, RoleSessionName="two")
    assert said == ("AccessDenied", 403, f"User: arn:aws:sts::{B}:assumed-role/borrower-{roles.name}/one is not "
                                         f"authorized to perform: sts:AssumeRole on resource: {absent}")


def test_the_root_user_assumes_no_role(roles: Roles) -> None:
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: "You cannot use AWS account root user
    # credentials to call AssumeRole."
    roles.lend(trusting(f"arn:aws:iam::{B}:root"), trusting(f"arn:aws:iam::{A}:root"))
    for account in (roles.here, roles.there):
        said = error_of(account.client("sts").assume_role, RoleArn=roles.lent, RoleSessionName="root")
        assert said == ("AccessDenied", 403, "Roles may not be assumed by root accounts.")


@pytest.mark.parametrize(("names", "own_right", "works"), [
    ("the user", False, True), ("the account", False, False), ("the account", True, True), ("nobody", True, False)])
def test_trust_naming_the_caller_suffices_within_account(aws: LocalAws, name: str, names: str, own_right: bool,
                                                         works: bool) -> None:
    role = f"arn:aws:iam::{B}:role/r-{name}"
    key = a_user_with(aws, name, *([allow("sts:AssumeRole", role)] if own_right else []))
    principal = {"the user": f"arn:aws:iam::{B}:user/{name}", "the account": f"arn:aws:iam::{B}:root",
                 "nobody": f"arn:aws:iam::{A}:root"}[names]
    aws.client("iam").create_role(RoleName=f"r-{name}", AssumeRolePolicyDocument=policy(trusting(principal)))
    assume = aws.client("sts", key).assume_role
    if works:
        assert assume(RoleArn=role, RoleSessionName="session")["Credentials"]
    else:
        assert error_of(assume, RoleArn=role, RoleSessionName="session")[0] == "AccessDenied"


def test_program_with_other_accounts_environment_administers_it(aws: LocalAws, name: str) -> None:
    given = aws.in_account(A).environment()
    assert given["AWS_ACCESS_KEY_ID"] == A
    assert given["AWS_ENDPOINT_URL"] == aws.endpoint_url
    assert aws.environment()["AWS_ACCESS_KEY_ID"] == B
    document = json.dumps({"Resources": {"One": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}}})
    stacks = aws.in_account(A).client("cloudformation")
    assert f":{A}:stack/" in stacks.create_stack(StackName=name, TemplateBody=document)["StackId"]
    assert error_of(aws.client("cloudformation").describe_stacks, StackName=name)[0] == "ValidationError"
