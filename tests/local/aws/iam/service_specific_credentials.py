"""IAM's service-specific credentials: a user's login for CodeCommit's git side."""

from __future__ import annotations

import base64
import itertools
import re
import secrets
import string
import time
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ministack.core.responses import AccountScopedDict, get_account_id
from ministack.services import iam

from tests.local.aws.settings import settings

CODECOMMIT = "codecommit.amazonaws.com"
# "You can have a maximum of two sets of service-specific credentials for each supported service per user."
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
LIMIT = 2
_SERVICES = {CODECOMMIT, "cassandra.amazonaws.com"}


@dataclass
class Credential:
    credential_id: str
    user_name: str
    service_name: str
    service_user_name: str
    password: str
    created: str
    status: str = "Active"
    created_at: float = field(default_factory=time.monotonic)
    password_set_at: float = field(default_factory=time.monotonic)


_credentials = AccountScopedDict()


def install() -> None:
    iam._IAM_HANDLERS.update({
        "CreateServiceSpecificCredential": _create,
        "ListServiceSpecificCredentials": _list,
        "ResetServiceSpecificCredential": _reset,
        "UpdateServiceSpecificCredential": _update,
        "DeleteServiceSpecificCredential": _delete,
    })
    ministack_delete_user = iam._delete_user

    def delete_user(params: dict) -> tuple:
        name = iam._p(params, "UserName")
        if name in iam._users and _of(name):
            # Recorded response.
            return iam._error(409, "DeleteConflict",
                              "Cannot delete entity, must remove referenced objects first.")
        return ministack_delete_user(params)

    # CloudFormation's AWS::IAM::User calls the module's function, the API calls the table's.
    iam._delete_user = delete_user
    iam._IAM_HANDLERS["DeleteUser"] = delete_user


def login(service_user_name: str, password: str) -> Credential | None:
    """The active credential with the user name of git's Basic authentication, in any account."""
    now = time.monotonic()
    for credential in list(_credentials.to_dict().values()):
        if (credential.service_user_name == service_user_name and credential.status == "Active"
                and credential.service_name == CODECOMMIT
                and secrets.compare_digest(credential.password.encode(), password.encode())
                and now - credential.password_set_at >= settings.credential_accepted_after_seconds):
            return credential
    return None


def account_of(credential: Credential) -> str:
    return next(account for (account, _), held in _credentials.to_dict().items() if held is credential)


def _of(user_name: str) -> list[Credential]:
    return [held for held in _credentials.values() if held.user_name == user_name]


def _no_user(name: str) -> tuple:
    return iam._error(404, "NoSuchEntity", f"The user with name {name} cannot be found.")


def _no_credential(credential_id: str) -> tuple:
    return iam._error(404, "NoSuchEntity", f"No such credential {credential_id} exists")


def _password() -> str:
    """44 base64 characters: always `=`, and `/` and `+` in about half of the passwords each, as on AWS."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _service_user_name(user_name: str) -> str:
    """The example of https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html has
    `anika-at-123456789012` and `anika+1-at-123456789012`."""
    taken = {held.service_user_name for held in _credentials.values()}
    suffixes = itertools.chain([""], (f"+{number}" for number in itertools.count(1)))
    names = (f"{user_name}{suffix}-at-{get_account_id()}" for suffix in suffixes)
    return next(name for name in names if name not in taken)


def _create(params: dict) -> tuple:
    user_name, service = iam._p(params, "UserName"), iam._p(params, "ServiceName")
    if user_name not in iam._users:
        return _no_user(user_name)
    if service not in _SERVICES:
        return iam._error(404, "NoSuchEntity",
                          f"No such service {service} is supported for Service Specific Credentials")
    held = [credential for credential in _of(user_name) if credential.service_name == service]
    if len(held) >= LIMIT:
        return iam._error(409, "LimitExceeded",
                          f"Cannot exceed quota for ServiceSpecificCredentialsPerUser: {LIMIT}")
    alphabet = string.ascii_uppercase + string.digits
    credential = Credential(
        credential_id="ACCA" + "".join(secrets.choice(alphabet) for _ in range(17)),
        user_name=user_name, service_name=service, service_user_name=_service_user_name(user_name),
        password=_password(), created=iam._now(),
    )
    _credentials[credential.credential_id] = credential
    return _answer_with_password("Create", credential)


def _answer_with_password(verb: str, credential: Credential) -> tuple:
    action = f"{verb}ServiceSpecificCredential"
    return iam._xml(200, f"{action}Response",
                    f"<{action}Result><ServiceSpecificCredential>{_xml(credential)}"
                    f"<ServicePassword>{escape(credential.password)}</ServicePassword>"
                    f"</ServiceSpecificCredential></{action}Result>")


def _xml(credential: Credential) -> str:
    return (f"<CreateDate>{credential.created}</CreateDate>"
            f"<ServiceName>{credential.service_name}</ServiceName>"
            f"<ServiceUserName>{escape(credential.service_user_name)}</ServiceUserName>"
            f"<ServiceSpecificCredentialId>{credential.credential_id}</ServiceSpecificCredentialId>"
            f"<UserName>{escape(credential.user_name)}</UserName>"
            f"<Status>{credential.status}</Status>")


def _list(params: dict) -> tuple:
    user_name, service = iam._p(params, "UserName"), iam._p(params, "ServiceName")
    if user_name and user_name not in iam._users:
        return _no_user(user_name)
    if service and service not in _SERVICES:
        return iam._error(404, "NoSuchEntity",
                          f"No such service {service} is supported for Service Specific Credentials")
    now = time.monotonic()
    found = [held for held in (_of(user_name) if user_name else _credentials.values())
             if (not service or held.service_name == service)
             and now - held.created_at >= settings.credential_listed_after_seconds]
    found.sort(key=lambda held: held.credential_id)
    marker, most = iam._p(params, "Marker"), int(iam._p(params, "MaxItems") or 100)
    if marker:
        found = [held for held in found if held.credential_id > marker]
    page, rest = found[:most], found[most:]
    members = "".join(f"<member>{_xml(held)}</member>" for held in page)
    more = f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>"
    if rest:
        more += f"<Marker>{page[-1].credential_id}</Marker>"
    return iam._xml(200, "ListServiceSpecificCredentialsResponse",
                    "<ListServiceSpecificCredentialsResult>"
                    f"<ServiceSpecificCredentials>{members}</ServiceSpecificCredentials>{more}"
                    "</ListServiceSpecificCredentialsResult>")


def _find(params: dict) -> Credential | tuple:
    """The credential, if it belongs to the user that the request names."""
    user_name, credential_id = iam._p(params, "UserName"), iam._p(params, "ServiceSpecificCredentialId")
    if user_name and user_name not in iam._users:
        return _no_user(user_name)
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServiceSpecificCredential.html
    if not re.fullmatch(r"\w+", credential_id):
        return iam._error(400, "ValidationError",
                          "1 validation error detected: Value at 'serviceSpecificCredentialId' failed to satisfy "
                          "constraint: Member must satisfy regular expression pattern: [\\w]+")
    credential = _credentials.get(credential_id)
    if credential is None or (user_name and credential.user_name != user_name):
        return _no_credential(credential_id)
    return credential


def _reset(params: dict) -> tuple:
    credential = _find(params)
    if isinstance(credential, tuple):
        return credential
    # "Resetting the password immediately invalidates the previous password associated with this user."
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResetServiceSpecificCredential.html
    credential.password, credential.password_set_at = _password(), time.monotonic()
    return _answer_with_password("Reset", credential)


def _update(params: dict) -> tuple:
    credential = _find(params)
    if isinstance(credential, tuple):
        return credential
    status = iam._p(params, "Status")
    if status not in ("Active", "Inactive"):
        return iam._error(400, "ValidationError",
                          f"1 validation error detected: Value '{escape(status)}' at 'status' failed to satisfy "
                          "constraint: Member must satisfy enum value set: [Active, Inactive]")
    credential.status = status
    return iam._xml(200, "UpdateServiceSpecificCredentialResponse", "")


def _delete(params: dict) -> tuple:
    credential = _find(params)
    if isinstance(credential, tuple):
        return credential
    del _credentials[credential.credential_id]
    return iam._xml(200, "DeleteServiceSpecificCredentialResponse", "")
