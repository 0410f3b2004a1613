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
    CONCLUSIONS,
    Rejected,
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
from cli.shell.findings import Finding, Found, NotChecked, Sound
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
        self._settings, self._id = settings, settings.secret_id
        self._secrets, self._kms = reader.client("secretsmanager"), reader.client("kms")
        # Whether its value is a JSON object, of which the token is one member.
        self._is_object = False

    def remedy(self, parts: list[str | list[str]], **given: str) -> str:
        """That of a conclusion. No command if it would replace the other members of an object, too."""
        given["secret"] = self._id
        changed = f"a value of secret {self._id} in which only the member {_MEMBER} changes"
        filled: list[str | list[str]] = [
            of_parameters(part).format(**given)
            if isinstance(part, str)
            else changed
            if self._is_object
            else [word.format(**given) for word in part]
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
            return [self._concluded("Deleted")]
        found = [
            *self._faults({tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])}),
            *self._key(described.get("KmsKeyId", "")),
        ]
        return found if any(isinstance(each, Found) for each in found) else found + self._value(arn)

    def _concluded(self, name: str, remedy: str = "", more: str = "", **given: str) -> Finding:
        """The conclusion of this name, with another remedy, or with more in it."""
        error = Rejected(name, **given)
        remedy = remedy or self.remedy(error.remedy, **given) + more
        return Found(f"secret {self._id}", error.problem, remedy, error.code)

    @property
    def _create(self) -> Finding:
        tag = f"Key={_TAGS['url']},Value={self._settings.url}"
        create = aws("secretsmanager", "create-secret", "--name", self._id, *_FROM_STDIN, "--tags", tag)
        return self._concluded(
            "Missing", f"Correct GitLabTokenSecretId, or create the secret and paste the token: {create}"
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
            yield self._concluded("OwnSecret", tag=own)
        elif not is_usable(settings.url):
            yield self._concluded("UnusableUrl")
        elif not tagged:
            yield self._concluded("Untagged", url=settings.url)
        elif not is_same(tagged, settings.url):
            more = f". If it is a token for {settings.url}: {self._tag(_TAGS['url'], settings.url)}"
            yield self._concluded("OtherGitLab", more=more, tagged=tagged, url=settings.url)
        if (env_id := tags.get(_TAGS["env"], settings.env_id)) != settings.env_id:
            more = f". If it is this one: {self._tag(_TAGS['env'], settings.env_id)}"
            yield self._concluded("OtherEnvironment", more=more, tagged=env_id, own=settings.env_id)
        if settings.ca_certificate:
            yield from self._certificate_faults(tags.get(_TAGS["ca"], "").split())

    def _tag(self, key: str, value: str) -> str:
        tag = f"Key={key},Value={value}"
        return aws("secretsmanager", "tag-resource", "--secret-id", self._id, "--tags", tag)

    def _certificate_faults(self, tagged: list[str]) -> Iterator[Finding]:
        try:
            self.certificates = certificates_of(self._settings.ca_certificate)
        except ValueError:
            more = ", with its line breaks: docs/how-to/connect-gitlab.md"
            yield self._concluded("InvalidCaCertificate", more=more)
        allowed = {each.replace(":", "").upper() for each in tagged}
        if missing := [each for each in map(fingerprint, self.certificates) if each not in allowed]:
            # Another environment may use the ones before.
            yield self._concluded("UntrustedCa", missing=missing[0], all=" ".join([*tagged, *missing]))

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
            Found(
                f"secret {self._id}",
                f"the function may not decrypt with its KMS key: GitLabTokenKmsKeyArn is {arn or 'not set'}",
                f"Set it in samconfig.toml: GitLabTokenKmsKeyArn={about['Arn']}",
                CONCLUSIONS["Untagged"]["code"],
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
            return [self._unread(error, permission, self._concluded("NoText", self._store))]
        if response["ARN"] and "SecretString" not in response:
            return [self._concluded("NoText")]
        value = response["SecretString"]
        self._is_object = value.lstrip("\ufeff \t\r\n").startswith("{")
        token = token_in(value)
        if token is None:
            return [
                Found(
                    f"secret {self._id}",
                    f"its value is neither a token nor a JSON object with a token as its member {_MEMBER}",
                    self._store,
                    CONCLUSIONS["NoText"]["code"],
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
