"""The common parts of all pipeline actions: role, artifacts, and configuration with resolved variables.

An action calls the local AWS over its API with the session of its role, so IAM evaluates its calls like all
others.
"""

import io
import re
import secrets
import string
import threading
import zipfile
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline
from tests.local.aws.iam import service_roles
from tests.local.aws.json_api import Rejected
from tests.local.aws.s3 import permissions as bucket_permissions

_endpoint = ""
_sdk = boto3.Session()
_sdk_lock = threading.Lock()  # creating a client is not thread-safe
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
_VARIABLE = re.compile(r"#\{([^{}]*)\}")
_LETTERS = string.ascii_letters + string.digits


def at(endpoint: str) -> None:
    global _endpoint
    _endpoint = endpoint


class ActionFailed(Rejected):
    """`code` is a code that ErrorDetails documents.
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html"""


class Abandoned(Exception):
    """The execution was abandoned: it does not wait for its actions."""


def client(service: str, region: str, key: dict[str, Any]) -> Any:
    with _sdk_lock:
        return _sdk.client(
            service,
            endpoint_url=_endpoint,
            region_name=region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
        )


def endpoint() -> str:
    return _endpoint


def was_denied(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in _DENIED


def failed(error: ClientError | service_roles.Denied) -> ActionFailed:
    if isinstance(error, service_roles.Denied):
        denied = error.message
    else:
        details = error.response["Error"]
        denied = f"{error.operation_name}: {details.get('Message', details['Code'])}"
        if not was_denied(error):
            return ActionFailed("JobFailed", f"{denied} ({details['Code']})")
    return ActionFailed(
        "PermissionError", f"The provided role does not have sufficient permissions: {denied}"
    )


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(name, content)
    return packed.getvalue()


@dataclass
class Role:
    """An assumed role: its session for calls within this process, and its key for requests."""

    session: service_roles.Session
    region: str
    key: dict[str, str]

    def client(self, service: str) -> Any:
        return client(service, self.region, self.key)

    def require(self, action: str, resource: str, keys: dict[str, Any] | None = None) -> None:
        self.session.require(action, resource, keys)


def pipeline_role(held: Pipeline, execution: Execution) -> Role:
    try:
        session = service_roles.assume(
            execution.declaration["roleArn"],
            "codepipeline.amazonaws.com",
            held.arn,
            session_name=str(int(execution.started * 1000)),
        )
    except service_roles.NotAssumable as rejected:
        raise ActionFailed(
            "PermissionError",
            f"CodePipeline is not authorized to perform AssumeRole on role {rejected.resource}",
        ) from None
    return Role(session, held.region, session.credentials())


def action_role(held: Pipeline, execution: Execution, declaration: dict[str, Any]) -> Role:
    """The pipeline's role, or the action's, which the pipeline's role assumes.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
    """
    role = pipeline_role(held, execution)
    arn = declaration.get("roleArn")
    if not arn or arn == execution.declaration["roleArn"]:
        return role
    key = role.client("sts").assume_role(RoleArn=arn, RoleSessionName=role.session.session_name)[
        "Credentials"
    ]
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    session = service_roles.Session(arn, account, name, role.session.session_name)
    return Role(
        session,
        held.region,
        {each: str(key[each]) for each in ("AccessKeyId", "SecretAccessKey", "SessionToken")},
    )


@dataclass
class Action:
    held: Pipeline
    execution: Execution
    run: ActionRun
    role: Role

    def configuration(self, key: str, default: str = "") -> str:
        return self.run.configuration.get(key, default)

    def wait(self, seconds: float) -> None:
        """Fails early if the execution is abandoned."""
        if self.execution.abandoned.wait(seconds):
            raise Abandoned

    def input(self, name: str, role: Role | None = None) -> zipfile.ZipFile:
        artifact = self.run.inputs[name]
        s3 = (role or self.role).client("s3")
        return zipfile.ZipFile(
            io.BytesIO(s3.get_object(Bucket=artifact["bucket"], Key=artifact["key"])["Body"].read())
        )

    def file(self, artifact: str, path: str) -> bytes:
        with self.input(artifact) as archive:
            try:
                return archive.read(path)
            except KeyError:
                raise ActionFailed(
                    "ConfigurationError", f"File [{path}] does not exist in artifact [{artifact}]"
                ) from None

    def output(self, name: str, content: bytes, role: Role | None = None) -> None:
        """Stores an artifact with CodePipeline's key: the pipeline's name, shortened, and the artifact's,
        shortened."""
        store = self.execution.declaration["artifactStore"]
        key = f"{self.held.name[:20]}/{name[:10]}/{''.join(secrets.choice(_LETTERS) for _ in range(7))}"
        writer = role or self.role
        arguments = {"ServerSideEncryption": "aws:kms"}
        # "If this is undefined, the default key for Amazon S3 is used", which belongs to the writer's
        # account. https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ArtifactStore.html
        if encryption := store.get("encryptionKey", {}).get("id", ""):
            arguments["SSEKMSKeyId"] = encryption
        if writer.session.account != self.held.account:
            # The bucket's owner has to own the object: the other account's role needs s3:PutObjectAcl.
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
            arguments["ACL"] = "bucket-owner-full-control"
        self._may_write_in_parts(writer, encryption, f"arn:aws:s3:::{store['location']}/{key}")
        writer.client("s3").put_object(Bucket=store["location"], Key=key, Body=content, **arguments)
        self.run.outputs[name] = {"bucket": store["location"], "key": key}

    def _may_write_in_parts(self, role: Role, key: str, object_arn: str) -> None:
        """IAM evaluates the upload of a small object when the request arrives. A source may be large and is
        then uploaded in parts, which also needs kms:Decrypt. So this requires it for every size.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions The page on
        cross-account pipelines also grants roles kms:DescribeKey, kms:Encrypt and kms:ReEncrypt*. It names no
        action that calls them, so none does here.
        """
        first = bucket_permissions.key_use("kms:GenerateDataKey", key, object_arn, role.session.account)
        decrypts = bucket_permissions.key_use("kms:Decrypt", key, object_arn, role.session.account)
        for _service, action, arn, keys in first + decrypts:
            role.require(action, arn, keys)


def resolved(execution: Execution, declaration: dict[str, Any]) -> dict[str, str]:
    """The configuration with its variables.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html#reference-variables-resolution"""

    def value_of(reference: str) -> str:
        namespace, _, key = reference.partition(".")
        known = execution.namespaces.get(namespace, {})
        if key not in known:
            raise ActionFailed(
                "ConfigurationError",
                f"Failed to resolve the variable #{{{reference}}}: the namespace "
                f"{namespace} has no variable {key}",
            )
        return known[key]

    return {
        key: _VARIABLE.sub(lambda found: value_of(found[1]), value)
        for key, value in declaration.get("configuration", {}).items()
    }
