"""Authenticates and authorizes the callers of CodeCommit's git endpoint.

There are two kinds of login. A user's service-specific credential is a name and a password that IAM issued. A
signed login is computed from an access key, which may be of a role's session; `git_signatures` verifies it.
https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import set_request_account_id
from ministack.services import iam

from tests.local.aws.codecommit import git_signatures
from tests.local.aws.iam import enforcement, service_specific_credentials


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str
    name: str
    _may: Callable[[str, str, dict[str, Any]], bool]

    def may(self, action: str, resource_arn: str, **keys: Any) -> bool:
        """`keys` are the request's condition keys."""
        return self._may(action, resource_arn, keys)


class Unknown(Exception):
    """An unknown login: status 401, on which git prompts for another one."""


def caller(name: str, password: str, host: str, path: str, region: str) -> Caller:
    """Raises `Unknown`, or `git_signatures.Rejected`. Sets the request's account to the caller's: git's
    addresses have no account, so only logins of a repository's own account reach it."""
    if git_signatures.is_signed(password):
        principal = git_signatures.principal(name, password, host, path, region)
        return Caller(
            principal.account,
            principal.arn,
            name.partition("%")[0],
            lambda action, arn, keys: enforcement.principal_may(principal, action, arn, keys),
        )
    credential = service_specific_credentials.login(name, password)
    if credential is None:
        raise Unknown
    account = service_specific_credentials.account_of(credential)
    set_request_account_id(account)
    user = credential.user_name
    return Caller(
        account,
        iam._users[user]["Arn"],
        user,
        lambda action, arn, keys: enforcement.user_may(user, action, arn, keys),
    )
