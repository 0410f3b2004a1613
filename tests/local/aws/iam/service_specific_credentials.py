"""IAM's service-specific credentials: a user's login for CodeCommit's git side."""

import base64
import itertools
import re
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
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


class _Rejected(Exception):
    """`args` are those of MiniStack's `iam._error`."""


def install() -> None:
    for name, operation in (
        ("Create", _create),
        ("List", _list),
        ("Reset", _reset),
        ("Update", _update),
        ("Delete", _delete),
    ):
        action = f"{name}ServiceSpecificCredential{'s' if name == 'List' else ''}"
        iam._IAM_HANDLERS[action] = partial(_answer, action, operation)
    # CloudFormation's AWS::IAM::User calls the module's function, the API calls the table's.
    iam._IAM_HANDLERS["DeleteUser"] = iam._delete_user = partial(_delete_user, iam._delete_user)


def _answer(action: str, operation: Callable[[dict], str], params: dict) -> tuple:
    try:
        result = operation(params)
    except _Rejected as rejected:
        return iam._error(*rejected.args)  # type: ignore[no-any-return]
    return iam._xml(  # type: ignore[no-any-return]
        200, f"{action}Response", f"<{action}Result>{result}</{action}Result>" if result else ""
    )


def _delete_user(ministack_delete_user: Callable[[dict], tuple], params: dict) -> tuple:
    name = iam._p(params, "UserName")
    if name in iam._users and _of(name):
        # Recorded response.
        return iam._error(  # type: ignore[no-any-return]
            409, "DeleteConflict", "Cannot delete entity, must remove referenced objects first."
        )
    return ministack_delete_user(params)


def login(service_user_name: str, password: str) -> Credential | None:
    """The active credential with the user name of git's Basic authentication, in any account."""
    now = time.monotonic()
    for credential in list(_credentials.to_dict().values()):
        if (
            credential.service_user_name == service_user_name
            and credential.status == "Active"
            and credential.service_name == CODECOMMIT
            and secrets.compare_digest(credential.password.encode(), password.encode())
            and now - credential.password_set_at >= settings.credential_accepted_after_seconds
        ):
            return credential
    return None


def account_of(credential: Credential) -> str:
    return next(account for (account, _), held in _credentials.to_dict().items() if held is credential)


def _of(user_name: str) -> list[Credential]:
    return [held for held in _credentials.values() if held.user_name == user_name]


def _user(params: dict) -> str:
    """The user that the request names. Empty without one."""
    name: str = iam._p(params, "UserName")
    if name and name not in iam._users:
        raise _Rejected(404, "NoSuchEntity", f"The user with name {name} cannot be found.")
    return name


def _service(params: dict) -> str:
    name: str = iam._p(params, "ServiceName")
    if name and name not in _SERVICES:
        raise _Rejected(
            404, "NoSuchEntity", f"No such service {name} is supported for Service Specific Credentials"
        )
    return name


def _password() -> str:
    """44 base64 characters: always `=`, and `/` and `+` in about half of the passwords each, as on AWS."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _service_user_name(user_name: str) -> str:
    """The example of
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html has
    `anika-at-123456789012` and `anika+1-at-123456789012`."""
    taken = {held.service_user_name for held in _credentials.values()}
    suffixes = itertools.chain([""], (f"+{number}" for number in itertools.count(1)))
    names = (f"{user_name}{suffix}-at-{get_account_id()}" for suffix in suffixes)
    return next(name for name in names if name not in taken)


def _create(params: dict) -> str:
    user_name, service = _user(params), _service(params)
    if len([held for held in _of(user_name) if held.service_name == service]) >= LIMIT:
        raise _Rejected(
            409, "LimitExceeded", f"Cannot exceed quota for ServiceSpecificCredentialsPerUser: {LIMIT}"
        )
    alphabet = string.ascii_uppercase + string.digits
    credential = Credential(
        credential_id="ACCA" + "".join(secrets.choice(alphabet) for _ in range(17)),
        user_name=user_name,
        service_name=service,
        service_user_name=_service_user_name(user_name),
        password=_password(),
        created=iam._now(),
    )
    _credentials[credential.credential_id] = credential
    return _with_password(credential)


def _with_password(credential: Credential) -> str:
    password = f"<ServicePassword>{escape(credential.password)}</ServicePassword>"
    return f"<ServiceSpecificCredential>{_xml(credential)}{password}</ServiceSpecificCredential>"


def _xml(credential: Credential) -> str:
    return (
        f"<CreateDate>{credential.created}</CreateDate>"
        f"<ServiceName>{credential.service_name}</ServiceName>"
        f"<ServiceUserName>{escape(credential.service_user_name)}</ServiceUserName>"
        f"<ServiceSpecificCredentialId>{credential.credential_id}</ServiceSpecificCredentialId>"
        f"<UserName>{escape(credential.user_name)}</UserName>"
        f"<Status>{credential.status}</Status>"
    )


def _list(params: dict) -> str:
    user_name, service, now = _user(params), _service(params), time.monotonic()
    found = [
        held
        for held in (_of(user_name) if user_name else _credentials.values())
        if (not service or held.service_name == service)
        and now - held.created_at >= settings.credential_listed_after_seconds
    ]
    found.sort(key=lambda held: held.credential_id)
    marker, most = iam._p(params, "Marker"), int(iam._p(params, "MaxItems") or 100)
    found = [held for held in found if held.credential_id > marker]
    page, rest = found[:most], found[most:]
    members = "".join(f"<member>{_xml(held)}</member>" for held in page)
    more = f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>"
    if rest:
        more += f"<Marker>{page[-1].credential_id}</Marker>"
    return f"<ServiceSpecificCredentials>{members}</ServiceSpecificCredentials>{more}"


def _find(params: dict) -> Credential:
    """The credential, if it belongs to the user that the request names."""
    user_name, credential_id = _user(params), iam._p(params, "ServiceSpecificCredentialId")
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServiceSpecificCredential.html
    if not re.fullmatch(r"\w+", credential_id):
        raise _Rejected(
            400,
            "ValidationError",
            "1 validation error detected: Value at 'serviceSpecificCredentialId' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\w]+",
        )
    credential: Credential | None = _credentials.get(credential_id)
    if credential is None or (user_name and credential.user_name != user_name):
        raise _Rejected(404, "NoSuchEntity", f"No such credential {credential_id} exists")
    return credential


def _reset(params: dict) -> str:
    # "Resetting the password immediately invalidates the previous password associated with this user."
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResetServiceSpecificCredential.html
    credential = _find(params)
    credential.password, credential.password_set_at = _password(), time.monotonic()
    return _with_password(credential)


def _update(params: dict) -> str:
    credential, status = _find(params), iam._p(params, "Status")
    if status not in ("Active", "Inactive"):
        raise _Rejected(
            400,
            "ValidationError",
            f"1 validation error detected: Value '{escape(status)}' at 'status' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Active, Inactive]",
        )
    credential.status = status
    return ""


def _delete(params: dict) -> str:
    del _credentials[_find(params).credential_id]
    return ""
