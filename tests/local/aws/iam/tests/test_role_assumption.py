"""sts:AssumeRole evaluates both sides, and the session has the role's permissions in the role's account.
tests/deployment/test_two_accounts.py assumes roles of another account in pipelines.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import OTHER_ACCOUNT as A
from tests.local.aws.testing import a_user_with, allow, error_of, policy

B = "123456789012"
ROOT = f"arn:aws:iam::{B}:root"
AGREED = {"StringEquals": {"sts:ExternalId": "agreed"}}
ASSUME = allow("sts:AssumeRole", "*")


def trusting(principal: str, effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**made, "Condition": condition} if condition else made


class Roles:
    """A role of account A, and a role of account B with a path, which may or may not assume it."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.here, self.there, self.name = aws, aws.in_account(A), name
        self.lent = f"arn:aws:iam::{A}:role/lent-{name}"

    def lend(self, *trusts: dict[str, Any], rights: dict[str, Any] | None = None) -> None:
        iam = self.there.client("iam")
        iam.create_role(RoleName=f"lent-{self.name}", AssumeRolePolicyDocument=policy(*trusts))
        iam.put_role_policy(
            RoleName=f"lent-{self.name}",
            PolicyName="own",
            PolicyDocument=policy(rights or allow("codecommit:*", "*")),
        )

    def borrower(self, *statements: dict[str, Any]) -> dict[str, Any]:
        """The key of a session of a role of B with these permissions."""
        iam, role = self.here.client("iam"), f"borrower-{self.name}"
        user = a_user_with(self.here, f"user-{self.name}")
        iam.create_role(
            RoleName=role,
            Path="/deep/",
            AssumeRolePolicyDocument=policy(trusting(f"arn:aws:iam::{B}:user/user-{self.name}")),
        )
        if statements:
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy(*statements))
        key: dict[str, Any] = self.here.client("sts", user).assume_role(
            RoleArn=f"arn:aws:iam::{B}:role/deep/{role}", RoleSessionName="one"
        )["Credentials"]
        return key

    def borrow(self, key: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self.here.client("sts", key).assume_role(RoleArn=self.lent, RoleSessionName="two", **more)


@pytest.fixture
def roles(aws: LocalAws, name: str) -> Roles:
    return Roles(aws, name)


@pytest.mark.parametrize(
    ("trusts", "own", "given", "works"),
    [
        ([trusting(ROOT, ArnEquals={"aws:PrincipalArn": "{role}"})], [], {}, False),
        ([trusting(ROOT, ArnEquals={"aws:PrincipalArn": "{role}"})], [ASSUME], {}, True),
        (
            [trusting(ROOT), trusting("*", "Deny", ArnEquals={"aws:PrincipalArn": "{role}"})],
            [ASSUME],
            {},
            False,
        ),
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
        ([trusting(ROOT, **AGREED)], [ASSUME], {"ExternalId": "guessed"}, False),
        ([trusting(ROOT, **AGREED)], [ASSUME], {"ExternalId": "agreed"}, True),
        ([trusting(ROOT)], [{**ASSUME, "Condition": AGREED}], {"ExternalId": "agreed"}, True),
        # The same words for a missing role.
        ([], [ASSUME], {}, False),
    ],
)
def test_cross_account_assumption_needs_both_sides(
    roles: Roles, trusts: list[dict[str, Any]], own: list[dict[str, Any]], given: dict[str, str], works: bool
) -> None:
    role = f"arn:aws:iam::{B}:role/deep/borrower-{roles.name}"
    if trusts:
        roles.lend(*json.loads(json.dumps(trusts).replace("{role}", role)))
    key = roles.borrower(*own)
    if works:
        identity = roles.here.client("sts", roles.borrow(key, **given)["Credentials"]).get_caller_identity()
        assert (identity["Account"], identity["Arn"]) == (
            A,
            f"arn:aws:sts::{A}:assumed-role/lent-{roles.name}/two",
        )
    else:
        assert error_of(roles.borrow, key=key, **given) == (
            "AccessDenied",
            403,
            f"User: arn:aws:sts::{B}:assumed-role/borrower-{roles.name}/one is not authorized to "
            f"perform: sts:AssumeRole on resource: {roles.lent}",
        )


def test_session_has_the_rights_of_role_and_session_policy(roles: Roles) -> None:
    # "The resulting session's permissions are the intersection of the role's identity-based policy and the
    # session policies."
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
    repository = f"arn:aws:codecommit:eu-central-1:{A}:{roles.name}"
    roles.lend(trusting(ROOT), rights=allow(["codecommit:Get*", "codecommit:ListBranches"], "*"))
    roles.there.client("codecommit").create_repository(repositoryName=roles.name)
    narrow = policy(allow(["codecommit:GetRepository", "codecommit:DeleteRepository"], repository))
    mine = roles.here.client("codecommit", roles.borrow(roles.borrower(ASSUME), Policy=narrow)["Credentials"])
    assert mine.get_repository(repositoryName=roles.name)["repositoryMetadata"]["accountId"] == A
    assert error_of(mine.list_branches, repositoryName=roles.name)[0] == "AccessDeniedException"
    assert error_of(mine.delete_repository, repositoryName=roles.name)[0] == "AccessDeniedException"


def test_the_root_user_assumes_no_role(roles: Roles) -> None:
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: "You cannot use AWS account
    # root user credentials to call AssumeRole."
    roles.lend(trusting(ROOT), trusting(f"arn:aws:iam::{A}:root"))
    for account in (roles.here, roles.there):
        said = error_of(account.client("sts").assume_role, RoleArn=roles.lent, RoleSessionName="root")
        assert said == ("AccessDenied", 403, "Roles may not be assumed by root accounts.")


@pytest.mark.parametrize(
    ("principal", "own_right", "works"),
    [
        (f"arn:aws:iam::{B}:user/{{name}}", False, True),
        (ROOT, False, False),
        (ROOT, True, True),
        (f"arn:aws:iam::{A}:root", True, False),
    ],
)
def test_trust_naming_the_caller_suffices_within_account(
    aws: LocalAws, name: str, principal: str, own_right: bool, works: bool
) -> None:
    role = f"arn:aws:iam::{B}:role/r-{name}"
    assume = aws.client("sts", a_user_with(aws, name, *([ASSUME] if own_right else []))).assume_role
    aws.client("iam").create_role(
        RoleName=f"r-{name}", AssumeRolePolicyDocument=policy(trusting(principal.format(name=name)))
    )
    if works:
        assert assume(RoleArn=role, RoleSessionName="session")["Credentials"]
    else:
        assert error_of(assume, RoleArn=role, RoleSessionName="session")[0] == "AccessDenied"
