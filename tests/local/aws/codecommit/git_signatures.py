"""Verifies signed logins, as `aws codecommit credential-helper` and git-remote-codecommit create them.

The user name is the access key's ID, followed by `%` and the session token if there is one. The password is a
time and a signature of version 4, service `codecommit`. The signed request has the method `GIT`, the
repository's path and the host, and no body, query and port. AWS documents none of this. Both programs are
AWS's own: https://github.com/aws/aws-cli/blob/develop/awscli/customizations/codecommit.py
https://github.com/aws/git-remote-codecommit/blob/master/git_remote_codecommit/__init__.py
"""

import re
from datetime import UTC, datetime, timedelta

from ministack.core import iam_evaluator, sigv4
from ministack.core.responses import set_request_account_id
from ministack.services import sts

_PASSWORD = re.compile(r"(?P<time>[0-9]{8}T[0-9]{6})Z(?P<signature>[0-9a-f]{64})")
# "... the password generated for access to the CodeCommit repository is temporary": a password in a keychain
# expires after about 15 minutes.
# https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
_VALID = timedelta(minutes=15)


class Rejected(Exception):
    """An invalid signed login: 403, as AWS's page about macOS's keychain describes for an expired one.

    https://docs.aws.amazon.com/codecommit/latest/userguide/troubleshooting-ch.html
    """


def is_signed(password: str) -> bool:
    """A service-specific password is shorter and ends in `=`, so a password is never both."""
    return _PASSWORD.fullmatch(password) is not None


def principal(name: str, password: str, host: str, path: str, region: str) -> iam_evaluator.PrincipalInfo:
    """Returns the owner of the signing key, and sets the request's account to the key's. Raises
    `Rejected`."""
    parts = _PASSWORD.fullmatch(password)
    if parts is None:
        raise Rejected("no signature")
    signed_at = _time(parts["time"])
    if signed_at is None or abs(datetime.now(UTC) - signed_at) > _VALID:
        raise Rejected("the signature has expired")
    access_key_id, _, session_token = name.partition("%")
    account = _account_of(access_key_id)
    set_request_account_id(account)
    credential = iam_evaluator.resolve_credential(access_key_id, account, session_token)
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        raise Rejected(credential.message)
    expected = signature(credential.secret_access_key, parts["time"], host, path, region)
    if not sigv4.signatures_match(expected, parts["signature"]):
        raise Rejected("the signature does not match")
    found = iam_evaluator.resolve_principal(access_key_id, account, credential)
    if isinstance(found, iam_evaluator.AuthError):
        raise Rejected(found.message)
    return found


def signature(secret: str, time: str, host: str, path: str, region: str) -> str:
    """The time as both programs sign it, without the `Z` of the password, and the host without its port."""
    request = f"GIT\n{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    to_sign = sigv4.build_string_to_sign(time, time[:8], region, "codecommit", request)
    return sigv4.calculate_signature(secret, time[:8], region, "codecommit", to_sign)


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _account_of(access_key_id: str) -> str:
    session = sts._sessions.get(access_key_id)
    if session is not None:
        return str(session["AccountId"])
    if re.fullmatch(r"[0-9]{12}", access_key_id):
        return access_key_id  # the administrator of that account, here
    return iam_evaluator.find_iam_access_key_account(access_key_id) or ""
