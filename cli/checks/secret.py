"""The secret of the GitLab token: its tags, its key and its value.

The token is read only if the tags of its secret allow that for GitLabUrl and GitLabCaCertificate, by the rules of the
function (src/clients/gitlab/token.rs).
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cli.checks.gitlab import CODES, certificates_of, fingerprint, is_same, is_usable
from cli.environment.account import Environment
from cli.rules import RULES
from cli.shell import machine
from cli.shell.output import Finding, Found, NotChecked, Sound
from cli.shell.terminal import hide

_RULES = RULES["gitlab"]
_TAGS = _RULES["tags"]
# Of a call to AWS.
_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})


class Settings:
    """The parameters about GitLab of the next deployment."""

    def __init__(self, given: dict[str, str], environment: Environment) -> None:
        self.env_id, self.table, self.region = environment.env_id, environment.settings.table, environment.account.region
        self.secret_id = given.get("GitLabTokenSecretId", "")
        self.secret_key = _RULES["secret_key"]["default"]
        self.key_arn = given.get("GitLabTokenKmsKeyArn", "")
        self.url = (given.get("GitLabUrl") or _RULES["url"]["default"]).rstrip("/")
        self.ca_certificate = given.get("GitLabCaCertificate", "")
        self.project = given.get("GitLabProject", "")
        self.project_id = given.get("ProjectID", "")
        self.branch = given.get("BranchName") or RULES["default_branches"].get(self.env_id, "")
        reports = given.get("ReportToGitLab") or "false"
        self.reports, self.reports_build_logs = reports != "false", reports == "BuildLog"
        self.needs_merge_requests = bool(given.get("ReviewBranches")) or given.get("ApprovalFromGitLab") == "true"
        self.in_vpc = bool(given.get("VpcSubnetIds"))
        self.certificates: list[bytes] = []
        # Whether the value of the secret is a JSON object, of which the token is one member.
        self.is_object = False

    @property
    def store(self) -> str:
        """How to store another token. No command if it would replace the other members of an object, too."""
        if self.is_object:
            return f"replace the member {self.secret_key} in the JSON of secret {self.secret_id}, and keep the other members"
        return f"aws secretsmanager put-secret-value --secret-id {shlex.quote(self.secret_id)} --secret-string file:///dev/stdin"

    def tag(self, key: str, value: str) -> str:
        pair = shlex.quote(f"Key={key},Value={value}")
        return f"aws secretsmanager tag-resource --secret-id {shlex.quote(self.secret_id)} --tags {pair}"


@dataclass
class Secret:
    """The token's secret. `token` is None if it may not be read, or is not one."""

    environment: Environment
    settings: Settings
    token: str | None = field(default=None, repr=False)

    def checks(self) -> list[Finding]:
        settings, subject = self.settings, f"secret {self.settings.secret_id}"
        try:
            self._client = self.environment.account.client("secretsmanager", config=_CONFIG)
            described = _response(self._client.describe_secret, "ARN", SecretId=settings.secret_id)
        except _ERRORS as error:
            return [self._undescribed(subject, error)]
        if described.get("DeletedDate"):
            return [Found(subject, "it is scheduled for deletion, so its token cannot be read",
                          f"Restore it: aws secretsmanager restore-secret --secret-id {shlex.quote(settings.secret_id)}",
                          CODES["unusable"])]
        permissions = self._permissions(described)
        key = self._key(described.get("KmsKeyId", ""))
        found = [Sound(subject), *permissions, *key]
        if not all(isinstance(each, Sound) for each in permissions):
            return found
        return [*found, self._read()]

    def _undescribed(self, subject: str, error: Exception) -> Finding:
        settings = self.settings
        if _code(error) == "ResourceNotFoundException":
            tag = shlex.quote(f"Key={_TAGS['url']},Value={settings.url}")
            return Found(subject, f"it does not exist in {self.environment.place}",
                         "Correct GitLabTokenSecretId, or create the secret and paste the token: aws secretsmanager "
                         f"create-secret --name {shlex.quote(settings.secret_id)} --secret-string file:///dev/stdin "
                         f"--tags {tag}", CODES["unusable"])
        return self._failed(subject, error, "secretsmanager:DescribeSecret on it")

    def _failed(self, subject: str, error: Exception, permission: str) -> Finding:
        """Not checked, because of an error of AWS or of this machine."""
        if isinstance(error, ClientError) and machine.is_denied(error):
            # Not to add it: a token of GitLab, or its key, belongs to its owner alone.
            return NotChecked(subject, f"you do not have the permission {permission}", "Let the owner of the secret run this")
        return NotChecked.because(subject, error)

    def _permissions(self, described: dict[str, Any]) -> list[Finding]:
        """Whether the owner of the secret allows its token for these settings, by its tags."""
        settings, name = self.settings, self.settings.secret_id
        tags = {tag.get("Key"): tag.get("Value", "") for tag in described.get("Tags", [])}
        if own := next((key for key in _TAGS["own"] if key in tags), None):
            return [Found(f"tag {own} of secret {name}",
                          "the secret is that of a stack's resource and holds a mirror's login, so it is never read as a token",
                          "Set GitLabTokenSecretId to the secret of a GitLab token", CODES["unusable"])]
        found = [Finding.of(f"tag {_TAGS['url']} of secret {name}", *self._url_fault(tags.get(_TAGS["url"])))]
        if _TAGS["env"] in tags:
            tagged = tags[_TAGS["env"]]
            found.append(Finding.of(f"tag {_TAGS['env']} of secret {name}", *(() if tagged == settings.env_id else (
                f"its owner allows the token for the environment {tagged} only, and this one is {settings.env_id}",
                f"Set GitLabTokenSecretId to the secret of this environment's token. If it is this one: "
                f"{settings.tag(_TAGS['env'], settings.env_id)}", CODES["not_allowed"]))))
        if settings.ca_certificate:
            found.append(Finding.of(f"tag {_TAGS['ca']} of secret {name}", *self._ca_fault(tags.get(_TAGS["ca"], ""))))
        return found

    def _url_fault(self, tagged: str | None) -> tuple[str, ...]:
        settings = self.settings
        if not is_usable(settings.url):
            return (f"GitLabUrl {settings.url} is not an https address of a valid host, or it has a login, a query, a fragment, or "
                    "characters outside of ASCII", "Correct it. http is accepted for this machine only", CODES["invalid"])
        if tagged is None:
            return ("there is no such tag, with which the owner of the token allows it for a GitLab, so it was not read",
                    f"If it is a token of {settings.url}: {settings.tag(_TAGS['url'], settings.url)}", CODES["not_allowed"])
        if not is_same(tagged, settings.url):
            return (f"its owner allows the token for {tagged}, and GitLabUrl is {settings.url}. It was not read",
                    f"Set GitLabUrl to {tagged}. If it is a token of {settings.url}: {settings.tag(_TAGS['url'], settings.url)}",
                    CODES["not_allowed"])
        return ()

    def _ca_fault(self, tagged: str) -> tuple[str, ...]:
        settings = self.settings
        try:
            settings.certificates = certificates_of(settings.ca_certificate)
        except ValueError:
            return ("GitLabCaCertificate is not readable as certificates in PEM",
                    "Set it to the CA's certificate, with its line breaks: docs/how-to/connect-gitlab.md", CODES["invalid"])
        allowed = {each.replace(":", "").upper() for each in tagged.split()}
        needed = [fingerprint(each) for each in settings.certificates]
        missing = [each for each in needed if each not in allowed]
        if missing:
            # Another environment may use the ones before.
            both = " ".join([*tagged.split(), *missing])
            return (f"its owner does not allow GitLabCaCertificate: the tag lacks the SHA-256 fingerprint {missing[0]}",
                    f"If it is your GitLab's CA: {settings.tag(_TAGS['ca'], both)}", CODES["not_allowed"])
        return ()

    def _key(self, key: str) -> list[Finding]:
        """Whether the function may decrypt the secret. Nothing if it has the account's default key."""
        if not key or key.endswith("alias/aws/secretsmanager"):
            return []
        subject, arn = f"KMS key of secret {self.settings.secret_id}", self.settings.key_arn
        if key == arn:
            return [Sound(subject)]
        try:
            kms = self.environment.account.client("kms", config=_CONFIG)
            about = _response(kms.describe_key, "KeyMetadata", KeyId=key)["KeyMetadata"]
        except _ERRORS as error:
            permission = f"kms:DescribeKey on {key}, so it is not compared with GitLabTokenKmsKeyArn"
            return [self._failed(subject, error, permission)]
        if about.get("KeyManager") == "AWS" or about.get("Arn", key) == arn:
            return [Sound(subject)]
        return [Found(subject, f"the function may not decrypt with it: GitLabTokenKmsKeyArn is {arn or 'not set'}",
                      f"Set it in samconfig.toml: GitLabTokenKmsKeyArn={about.get('Arn', key)}", CODES["not_allowed"])]

    def _read(self) -> Finding:
        settings = self.settings
        subject = f"token in secret {settings.secret_id}"
        try:
            value = _response(self._client.get_secret_value, "ARN", SecretId=settings.secret_id).get("SecretString")
        except _ERRORS as error:
            if _code(error) == "ResourceNotFoundException":
                return Found(subject, "the secret has no value", f"Store the token: {settings.store}", CODES["unusable"])
            # Without a code of its own: https://repost.aws/knowledge-center/secrets-manager-cross-account-key
            is_of_key = re.search("kms:|Access to KMS", str(error))
            return self._failed(subject, error, "kms:Decrypt on the key of the secret" if is_of_key else
                                "secretsmanager:GetSecretValue on the secret, so GitLab was not read")
        if value is None:
            return Found(subject, "its value is binary, and the function reads a text", "Store the token as text, or set "
                         "GitLabTokenSecretId to the secret of the token", CODES["unusable"])
        settings.is_object = _is_object(value)
        try:
            token = token_in(value, settings.secret_key)
        except NotAToken as error:
            return Found(subject, f"{error}", error.remedy or f"Store a token: {settings.store}", CODES["unusable"])
        hide({token})
        self.token = token
        return Sound(subject)


class NotAToken(Exception):
    """Without a part of the value."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


def token_in(value: str, key: str) -> str:
    """The member `key` if the value is a JSON object, otherwise all of it."""
    try:
        parsed = json.loads(value, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        if _is_object(value):
            raise NotAToken("the secret's value begins as a JSON object, but is not one",
                            "Correct the value in Secrets Manager") from None
        parsed = None
    token = value.strip()
    if isinstance(parsed, dict):
        member = parsed.get(key)
        if not isinstance(member, str):
            raise NotAToken(f"the secret's value is JSON without a text member {key}",
                            f"Store the token alone, or as the member {key}")
        token = member.strip()
    if not re.fullmatch(f"[A-Za-z0-9{re.escape(_RULES['token_characters'])}]+", token):
        raise NotAToken("the secret's value is not a token: it is empty, or has characters that no token has")
    return token


def _is_object(value: str) -> bool:
    """Whether a JSON object begins."""
    return value.lstrip("\ufeff \t\r\n").startswith("{")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _response(call: Any, member: str, **given: Any) -> dict[str, Any]:
    """Raises one of `_ERRORS`. botocore reads a page of a login as a response without members, and fails at JSON of another
    form with an error of Python."""
    try:
        response: dict[str, Any] = call(**given)
    except _ERRORS:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        raise ResponseParserError from error
    if member not in response:
        raise ResponseParserError(f"no {member}")
    return response


def _code(error: Exception) -> str:
    return machine.code_of(error) if isinstance(error, ClientError) else ""
