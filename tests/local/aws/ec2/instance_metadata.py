"""The metadata service of one instance, version 2, for `credential_source = Ec2InstanceMetadata`.

MiniStack's own returns keys that its IAM does not have. This one returns a session of the role in the
instance's profile, if the role's trust policy allows EC2.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

import contextvars
import json
import secrets
import threading
import time
from http import HTTPStatus
from http.server import ThreadingHTTPServer

from ministack.core.responses import set_request_account_id
from ministack.services import iam

from tests.local import git_backend
from tests.local.aws.iam import service_roles

_CREDENTIALS = "/latest/meta-data/iam/security-credentials"
_SECONDS = 3600


def start(profile_arn: str) -> str:
    """Starts no machine, only its metadata service. Returns the address that replaces 169.254.169.254."""
    account, name = profile_arn.split(":")[4], profile_arn.rsplit("/", 1)[-1]
    profile = iam._instance_profiles.get_scoped(account, None, name)
    if profile is None or not profile["Roles"]:
        raise ValueError(f"no role in an instance profile {profile_arn}")
    server = _Server(account, str(profile["Roles"][0]))
    threading.Thread(target=server.serve_forever, name="instance-metadata", daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, account: str, role: str) -> None:
        super().__init__(("127.0.0.1", 0), _Metadata)
        self.account, self.role = account, role
        self.instance_id = f"i-{secrets.token_hex(8)}0"
        self.tokens: set[str] = set()

    def credentials(self) -> dict[str, str]:
        set_request_account_id(self.account)
        role = iam._roles.get(self.role) or {}
        now = time.time()
        try:
            session = service_roles.assume(
                str(role.get("Arn", "")), "ec2.amazonaws.com", session_name=self.instance_id
            )
        except service_roles.NotAssumable:
            return {
                "Code": "AssumeRoleUnauthorizedAccess",
                "LastUpdated": _time(now),
                "Message": f"EC2 cannot assume the role {self.role}.",
            }
        key = session.credentials()
        return {
            "Code": "Success",
            "LastUpdated": _time(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": key["AccessKeyId"],
            "SecretAccessKey": key["SecretAccessKey"],
            "Token": key["SessionToken"],
            "Expiration": _time(now + _SECONDS),
        }


class _Metadata(git_backend.Handler):
    server: _Server

    def do_PUT(self) -> None:
        token = secrets.token_urlsafe(40)
        self.server.tokens.add(token)
        return self._answer(HTTPStatus.OK, token)

    def do_GET(self) -> None:
        # As with HttpTokens: required.
        if self.headers.get("X-aws-ec2-metadata-token", "") not in self.server.tokens:
            return self._answer(HTTPStatus.UNAUTHORIZED)
        path = self.path.rstrip("/")
        if path == _CREDENTIALS:
            return self._answer(HTTPStatus.OK, self.server.role)
        if path == f"{_CREDENTIALS}/{self.server.role}":
            found = contextvars.Context().run(self.server.credentials)
            return self._answer(HTTPStatus.OK, json.dumps(found))
        return self._answer(HTTPStatus.NOT_FOUND)

    def _answer(self, status: HTTPStatus, text: str = "") -> None:
        git_backend.send(self, status, text.encode(), [("Content-Type", "text/plain")])


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
