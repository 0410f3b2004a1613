"""A stand-in for the AWS CLI: a program `aws` for the PATH of a test, and the server that it calls.

The program sends its arguments, its credentials and its input to the server in the test's process. It is a
few lines of bash, because Python starts too slowly for some thousand calls. Both directions of the protocol
are texts that end in a NUL each.

The CLI's own helper gives logins to AWS's hosts alone, and takes the region from the host's name. Here every
region is on 127.0.0.1, so the region is the first part of the path; the login is signed as the CLI signs it.
https://github.com/aws/aws-cli/blob/develop/awscli/customizations/codecommit.py
"""

from __future__ import annotations

import functools
import shutil
import socketserver
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import boto3
import jmespath
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

_ENVIRONMENT = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_PROGRAM = """#!{bash}
# git also calls the helper with accepted logins. The CLI's helper stores none.
input=
if [ "$2" = credential-helper ]; then
  [ "${{*: -1}}" = get ] || exit 0
  IFS= read -r -d '' input
fi
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\0' {environment} "$input" "$#" "$@" >&3
IFS= read -r -d '' code <&3 && IFS= read -r -d '' output <&3 && IFS= read -r -d '' error <&3 || exit 255
printf '%s' "$output"
printf '%s' "$error" >&2
exit "$code"
"""
_OPERATIONS = {
    "get-repository": {"--repository-name": "repositoryName"},
    "list-tags-for-resource": {"--resource-arn": "resourceArn"},
    "update-default-branch": {
        "--repository-name": "repositoryName",
        "--default-branch-name": "defaultBranchName",
    },
}
_one_at_a_time = threading.Lock()


class AwsCli:
    """Runs within the `with` block."""

    def __init__(self) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Call)
        self._server.daemon_threads = True

    def __enter__(self) -> AwsCli:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def install(self, directory: Path) -> None:
        program = directory / "aws"
        program.write_text(
            _PROGRAM.format(
                bash=shutil.which("bash"),
                port=self._server.server_address[1],
                environment=" ".join(f'"${name}"' for name in _ENVIRONMENT),
            )
        )
        program.chmod(0o755)


class _Call(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        environment = {name: self._text() for name in _ENVIRONMENT}
        text, arguments = self._text(), [self._text() for _ in range(int(self._text()))]
        try:
            code, output, error = _run(arguments, text, environment)
        except Exception as fault:  # otherwise the script would wait for a response
            code, output, error = 255, "", f"{type(fault).__name__}: {fault}\n"
        self.wfile.write(b"".join(f"{each}\0".encode() for each in (code, output, error)))

    def _text(self) -> str:
        found = bytearray()
        while (byte := self.rfile.read(1)) != b"\0":
            if not byte:
                raise EOFError("the program ended before its request was complete")
            found += byte
        return found.decode()


def _run(arguments: list[str], text: str, environment: dict[str, str]) -> tuple[int, str, str]:
    service, operation, *rest = arguments
    if service != "codecommit":
        raise ValueError(f"{service} is not part of this aws")
    if operation == "credential-helper":
        return 0, _login(text, environment), ""
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    members = _OPERATIONS[operation]
    unknown = options.keys() - {*members, "--region", "--output", "--query"}
    if unknown or options.get("--output", "text") != "text":
        raise ValueError(f"not part of this aws: {options}")
    with _one_at_a_time:
        client = _client(
            options["--region"],
            environment["AWS_ENDPOINT_URL"],
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment["AWS_SESSION_TOKEN"] or None,
        )
    try:
        answer = getattr(client, operation.replace("-", "_"))(
            **{member: options[option] for option, member in members.items()}
        )
    except ClientError as rejected:
        return 254, "", f"\n{rejected}\n"
    return 0, _text(jmespath.search(options["--query"], answer)) if "--query" in options else "", ""


@functools.cache
def _client(region: str, endpoint: str, key: str, secret: str, token: str | None) -> Any:
    return boto3.client(
        "codecommit",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def _text(found: object) -> str:
    """https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-output-format.html#text-output"""
    values = found if isinstance(found, list) else [found]
    return "\t".join("None" if value is None else str(value) for value in values) + "\n"


def _login(text: str, environment: dict[str, str]) -> str:
    """https://git-scm.com/docs/gitcredentials#_custom_helpers"""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    url = urlsplit(f"{fields['protocol']}://{fields['host']}/{fields['path']}")
    request = AWSRequest(method="GIT", url=url.geturl())
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    request.context["timestamp"] = time
    key = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    signer = SigV4Auth(key, "codecommit", url.path.split("/")[1])
    to_sign = signer.string_to_sign(request, f"GIT\n{url.path}\n\nhost:{url.hostname}\n\nhost\n")
    token = f"%{environment['AWS_SESSION_TOKEN']}" if environment["AWS_SESSION_TOKEN"] else ""
    return f"username={key.access_key}{token}\npassword={time}Z{signer.signature(to_sign, request)}\n"
