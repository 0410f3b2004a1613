"""The secret of the GitLab token: its tags, its key and its value.

The token is read only if the tags of its secret allow that for GitLabUrl and GitLabCaCertificate, by the
rules of the function (src/clients/gitlab/api/token.rs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cli.checks.gitlab import (
    CODES,
    CONCLUSIONS,
    certificates_of,
    fingerprint,
    is_same,
    is_usable,
    of_parameters,
)
from cli.checks.rows import Reader
from cli.rules import RULES
from cli.shell import machine
from cli.shell.command import aws, joined
from cli.shell.output import Finding, Found, NotChecked, Sound
from cli.shell.terminal import hide

_RULES = RULES["gitlab"]
_FROM_STDIN = "--secret-string", "file:///dev/stdin"
_TAGS, _MEMBER = _RULES["tags"], _RULES["secret_key"]["default"]


class Settings:
    """The parameters about GitLab of the next deployment."""

    def __init__(self, given: dict[str, str], env_id: str) -> None:
        self.env_id, self.project_id = env_id, given.get("ProjectID", "")
        self.secret_id, self.key_arn = (
            given.get("GitLabTokenSecretId", ""),
            given.get("GitLabTokenKmsKeyArn", ""),
        )
        self.url = (given.get("GitLabUrl") or _RULES["url"]["default"]).rstrip("/")
        self.ca_certificate = given.get("GitLabCaCertificate", "")
        self.project = given.get("GitLabProject", "")
        self.branch = given.get("BranchName", "")
        # By which the function reaches GitLab, and this machine does not. Empty if it is the internet.
        self.path = "VPC" if given.get("VpcSubnetIds") else "proxy" if given.get("HttpsProxy") else ""


class Secret:
    """The token's secret. `token` is None until it was read, and if it may not be read or is not one."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.token: str | None = None
        self.certificates: list[bytes] = []
        self._settings, self._id, self._place = settings, settings.secret_id, reader.environment.place
        self._secrets, self._kms = reader.client("secretsmanager"), reader.client("kms")
        # Whether its value is a JSON object, of which the token is one member.
        self._is_object = False

    def remedy(self, parts: list[str | list[str]]) -> str:
        """That of a conclusion. No command if it would replace the other members of an object, too."""
        if self._is_object:
            changed = f"a value of secret {self._id} in which only the member {_MEMBER} changes"
            return joined([changed if isinstance(part, list) else of_parameters(part) for part in parts], "")
        filled = [
            [word.format(secret=self._id) for word in part] if isinstance(part, list) else of_parameters(part)
            for part in parts
        ]
        return joined(filled, "")

    @property
    def _store(self) -> str:
        return self.remedy(CONCLUSIONS["TokenRejected"]["remedy"])

    def findings(self) -> list[Finding]:
        try:
            described = self._secrets.describe_secret(SecretId=self._id)
            arn = described["ARN"]
        except ClientError as error:
            return [self._unread(error, "secretsmanager:DescribeSecret on it", self._create)]
        if described.get("DeletedDate"):
            return [
                self._found(
                    "it is scheduled for deletion, so its token cannot be read",
                    f"Restore it: {aws('secretsmanager', 'restore-secret', '--secret-id', self._id)}",
                )
            ]
        found = [
            *self._faults({tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])}),
            *self._key(described.get("KmsKeyId", "")),
        ]
        return found if any(isinstance(each, Found) for each in found) else found + self._value(arn)

    def _found(self, problem: str, remedy: str, code: str = "unusable") -> Finding:
        return Found(f"secret {self._id}", problem, remedy, CODES[code])

    @property
    def _create(self) -> Finding:
        tag = f"Key={_TAGS['url']},Value={self._settings.url}"
        create = aws("secretsmanager", "create-secret", "--name", self._id, *_FROM_STDIN, "--tags", tag)
        return self._found(
            f"it does not exist in {self._place}",
            f"Correct GitLabTokenSecretId, or create the secret and paste the token: {create}",
        )

    def _unread(self, error: ClientError, permission: str, missing: Finding | None = None) -> Finding:
        """`missing` if the secret, or its value, does not exist. Raises an error that its owner does not
        have."""
        if missing and machine.code_of(error) == "ResourceNotFoundException":
            return missing
        # Without a code of its own: https://repost.aws/knowledge-center/secrets-manager-cross-account-key
        if not machine.is_denied(error) and "Access to KMS" not in str(error):
            raise error
        # Not to add it: a token of GitLab, or its key, belongs to its owner alone.
        return NotChecked(
            f"secret {self._id}",
            f"you do not have the permission {permission}",
            "Let the owner of the secret run this, or leave the secret out with --ignore token-secret",
            is_failure=True,
        )

    def _faults(self, tags: dict[str, str]) -> Iterator[Finding]:
        """Why the owner of the secret does not allow its token for these settings."""
        settings, tagged = self._settings, tags.get(_TAGS["url"])
        if own := next((key for key in _TAGS["own"] if key in tags), None):
            yield self._found(
                f"it is that of a stack's resource (tag {own}) and holds a mirror's login, so it is never"
                " read as a token",
                "Set GitLabTokenSecretId to the secret of a GitLab token",
            )
        elif not is_usable(settings.url):
            yield self._found(
                f"GitLabUrl {settings.url} is not an https address of a valid host without login and query",
                "Correct it. http is accepted for this machine only",
                "invalid",
            )
        elif tagged is None or not is_same(tagged, settings.url):
            owned = (
                f"its owner allows the token for {tagged}"
                if tagged
                else "its owner allows the token for no GitLab"
            )
            yield self._found(
                f"{owned} (tag {_TAGS['url']}), and GitLabUrl is {settings.url}. The token was not read",
                (f"Set GitLabUrl to {tagged}. " if tagged else "")
                + f"If it is a token of {settings.url}: {self._tag(_TAGS['url'], settings.url)}",
                "not_allowed",
            )
        if (env_id := tags.get(_TAGS["env"], settings.env_id)) != settings.env_id:
            yield self._found(
                f"its owner allows the token for the environment {env_id} only (tag {_TAGS['env']}), and this"
                f" one is {settings.env_id}",
                "Set GitLabTokenSecretId to the secret of this environment's token. If it is "
                f"this one: {self._tag(_TAGS['env'], settings.env_id)}",
                "not_allowed",
            )
        if settings.ca_certificate:
            yield from self._certificate_faults(tags.get(_TAGS["ca"], "").split())

    def _tag(self, key: str, value: str) -> str:
        tag = f"Key={key},Value={value}"
        return aws("secretsmanager", "tag-resource", "--secret-id", self._id, "--tags", tag)

    def _certificate_faults(self, tagged: list[str]) -> Iterator[Finding]:
        try:
            self.certificates = certificates_of(self._settings.ca_certificate)
        except ValueError:
            yield self._found(
                "GitLabCaCertificate is not readable as certificates in PEM",
                "Set it to the CA's certificate, with its line breaks: docs/how-to/connect-gitlab.md",
                "invalid",
            )
        allowed = {each.replace(":", "").upper() for each in tagged}
        if missing := [each for each in map(fingerprint, self.certificates) if each not in allowed]:
            # Another environment may use the ones before.
            tag = self._tag(_TAGS["ca"], " ".join([*tagged, *missing]))
            yield self._found(
                f"its owner does not allow GitLabCaCertificate: the tag {_TAGS['ca']} lacks the SHA-256"
                f" fingerprint {missing[0]}",
                f"If it is your GitLab's CA: {tag}",
                "not_allowed",
            )

    def _key(self, key: str) -> list[Finding]:
        """Whether the function may decrypt the secret. Nothing if it may."""
        arn = self._settings.key_arn
        if not key or key == arn or key.endswith("alias/aws/secretsmanager"):
            return []
        try:
            about = self._kms.describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            return [
                self._unread(
                    error, f"kms:DescribeKey on {key}, so it is not compared with GitLabTokenKmsKeyArn"
                )
            ]
        if about["KeyManager"] == "AWS" or about["Arn"] == arn:
            return []
        return [
            self._found(
                f"the function may not decrypt with its KMS key: GitLabTokenKmsKeyArn is {arn or 'not set'}",
                f"Set it in samconfig.toml: GitLabTokenKmsKeyArn={about['Arn']}",
                "not_allowed",
            )
        ]

    def _value(self, arn: str) -> list[Finding]:
        try:
            response = self._secrets.get_secret_value(SecretId=arn)
        except ClientError as error:
            of_key = re.search("kms:|Access to KMS", str(error))
            permission = (
                "kms:Decrypt on the key of the secret" if of_key else "secretsmanager:GetSecretValue on it"
            )
            return [self._unread(error, permission, self._found("it has no value", self._store))]
        if response["ARN"] and "SecretString" not in response:
            return [
                self._found(
                    "its value is binary, and the function reads a text",
                    "Store the token as text, or set GitLabTokenSecretId to the secret of the token",
                )
            ]
        value = response["SecretString"]
        self._is_object = value.lstrip("\ufeff \t\r\n").startswith("{")
        token = token_in(value)
        if token is None:
            return [
                self._found(
                    f"its value is neither a token nor a JSON object with a token as its member {_MEMBER}",
                    self._store,
                )
            ]
        hide({token})
        self.token = token
        return [Sound(f"secret {self._id}")]


def token_in(value: str) -> str | None:
    """The token in a secret's value: a member if it is a JSON object, otherwise all of it. `None` if there is
    none."""
    try:
        parsed: Any = json.loads(value, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        parsed = None
    token = parsed.get(_MEMBER) if isinstance(parsed, dict) else value
    characters = f"[A-Za-z0-9{re.escape(_RULES['token_characters'])}]+"
    return token.strip() if isinstance(token, str) and re.fullmatch(characters, token.strip()) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice, which the function does not accept")
    return dict(pairs)
