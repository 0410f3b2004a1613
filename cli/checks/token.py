"""The GitLab token before the first deployment: its secret, the owner's tags, and the token and the project in GitLab.

The token is read only if the tags of its secret allow that for GitLabUrl and GitLabCaCertificate, by the rules of the
function. What GitLab shows is read from this machine. In a VPC the function has another path to it.
"""

from __future__ import annotations

import datetime
import json
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli import account, machine
from cli.account import Environment
from cli.checks.gitlab import CODES, Denied, GitLab, Unread, certificates_of, fingerprint, is_same, is_usable, project_path
from cli.output import Finding
from cli.rules import RULES
from cli.terminal import hide, shortened

_RULES = RULES["gitlab"]
_TAGS = _RULES["tags"]
_HERE = "from this machine"
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
_FEATURES = "in the project's Settings, General, Visibility, project features, permissions"
# The bots of these tokens, by their user names:
# https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
# https://docs.gitlab.com/user/group/settings/group_access_tokens/#bot-users-for-groups
_KINDS = {"project": "project access token", "group": "group access token"}
# https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965
_MIRRORS_LIMITED_SINCE = (18, 9)


def token_checks(environment: Environment) -> list[Finding]:
    """The findings about the GitLab token that the environment's parameters name."""
    settings = Settings(parameters_of(environment), environment)
    if not settings.secret_id:
        return [Finding("GitLab token", reason="GitLabTokenSecretId is not set, so you set up the mirror in GitLab by hand",
                        remedy="docs/how-to/connect-gitlab.md, Without a token, shows how")]
    secret = Secret(environment, settings)
    found = secret.checks()
    if secret.token is None:
        return [*found, not_read(settings, "the token was neither read nor sent")]
    gitlab = GitLab(settings.url, secret.token, settings.certificates)
    return [*found, *InGitLab(settings, gitlab).checks()]


def parameters_of(environment: Environment) -> dict[str, str]:
    """Those of samconfig.toml. One that it does not name keeps the value that the stack has."""
    try:
        stack = environment.account.stack(environment.settings.stack_name)
    except (BotoCoreError, ClientError):
        # The row of the stack has the reason.
        stack = None
    return {**(account.parameters(stack) if stack else {}), **environment.settings.parameters}


class Settings:
    """The parameters about GitLab, with the template's defaults."""

    def __init__(self, given: dict[str, str], environment: Environment) -> None:
        self.env_id, self.table, self.region = environment.env_id, environment.settings.table, environment.account.region
        self.secret_id = given.get("GitLabTokenSecretId", "")
        self.secret_key = given.get("GitLabTokenSecretKey") or _RULES["secret_key"]["default"]
        self.key_arn = given.get("GitLabTokenKmsKeyArn", "")
        self.url = (given.get("GitLabUrl") or _RULES["url"]["default"]).rstrip("/")
        self.ca_certificate = given.get("GitLabCaCertificate", "")
        self.project = given.get("GitLabProject", "")
        self.project_id = given.get("ProjectID", "infra")
        self.branch = given.get("BranchName") or RULES["default_branches"].get(self.env_id, "")
        self.reports = given.get("ReportToGitLab", "true") == "true"
        self.needs_merge_requests = bool(given.get("ReviewBranches")) or given.get("ApprovalFromGitLab") == "true"
        self.in_vpc = bool(given.get("VpcSubnetIds"))
        self.certificates: list[bytes] = []

    @property
    def store(self) -> str:
        return f"aws secretsmanager put-secret-value --secret-id {shlex.quote(self.secret_id)} --secret-string file:///dev/stdin"

    def tag(self, key: str, value: str) -> str:
        pair = shlex.quote(f"Key={key},Value={value}")
        return f"aws secretsmanager tag-resource --secret-id {shlex.quote(self.secret_id)} --tags {pair}"


def not_read(settings: Settings, reason: str) -> Finding:
    project = f"project {settings.project} at {settings.url}" if settings.project else settings.url
    return Finding(f"GitLab token and {project}, {_HERE}", reason=reason)


@dataclass
class Secret:
    """The token's secret. `token` is None if it may not be read, or is not one."""

    environment: Environment
    settings: Settings
    token: str | None = field(default=None, repr=False)

    def checks(self) -> list[Finding]:
        settings, subject = self.settings, f"secret {self.settings.secret_id}"
        self._client = self.environment.account.client("secretsmanager", config=_CONFIG)
        try:
            described = self._client.describe_secret(SecretId=settings.secret_id)
        except (BotoCoreError, ClientError) as error:
            return [self._undescribed(subject, error)]
        if described.get("DeletedDate"):
            return [Finding(subject, "it is scheduled for deletion, so its token cannot be read",
                            f"Restore it: aws secretsmanager restore-secret --secret-id {shlex.quote(settings.secret_id)}",
                            CODES["unusable"])]
        permissions = self._permissions(described)
        key = self._key(described.get("KmsKeyId", ""))
        found = [Finding(subject), *permissions, *key]
        if any(each.result != "sound" for each in permissions):
            return found
        return [*found, self._read()]

    def _undescribed(self, subject: str, error: Exception) -> Finding:
        settings = self.settings
        if _code(error) == "ResourceNotFoundException":
            tag = shlex.quote(f"Key={_TAGS['url']},Value={settings.url}")
            return Finding(subject, f"it does not exist in {self.environment.place}",
                           "Correct GitLabTokenSecretId, or create the secret and paste the token: aws secretsmanager create-secret --name "
                           f"{shlex.quote(settings.secret_id)} --secret-string file:///dev/stdin --tags {tag}", CODES["unusable"])
        return self._failed(subject, error, "secretsmanager:DescribeSecret on it")

    def _failed(self, subject: str, error: Exception, permission: str) -> Finding:
        """Not checked, because of an error of AWS or of this machine."""
        if isinstance(error, ClientError) and machine.is_denied(error):
            return Finding(subject, reason=f"you do not have the permission {permission}",
                           remedy="Add it, or let the owner of the secret run this")
        failure = machine.explained(error)
        return Finding(subject, reason=failure.problem if failure else str(error), remedy=failure.remedy if failure else "")

    def _permissions(self, described: dict[str, Any]) -> list[Finding]:
        """Whether the owner of the secret allows its token for these settings, by its tags."""
        settings, name = self.settings, self.settings.secret_id
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
        if own := next((key for key in _TAGS["own"] if key in tags), None):
            return [Finding(f"tag {own} of secret {name}", "the secret is that of a stack's resource and holds a mirror's login, so it is "
                            "never read as a token", "Set GitLabTokenSecretId to the secret of a GitLab token", CODES["unusable"])]
        found = [Finding(f"tag {_TAGS['url']} of secret {name}", *self._url_fault(tags.get(_TAGS["url"])))]
        if _TAGS["env"] in tags:
            tagged = tags[_TAGS["env"]]
            found.append(Finding(f"tag {_TAGS['env']} of secret {name}", *(() if tagged == settings.env_id else (
                f"its owner allows the token for the environment {tagged} only, and this one is {settings.env_id}",
                f"Set GitLabTokenSecretId to the secret of this environment's token. If it is this one: "
                f"{settings.tag(_TAGS['env'], settings.env_id)}", CODES["not_allowed"]))))
        if settings.ca_certificate:
            found.append(Finding(f"tag {_TAGS['ca']} of secret {name}", *self._ca_fault(tags.get(_TAGS["ca"], ""))))
        return found

    def _url_fault(self, tagged: str | None) -> tuple[str, ...]:
        settings = self.settings
        if not is_usable(settings.url):
            return (f"GitLabUrl {settings.url} is not an https address without a login, a query and a fragment",
                    "Correct it. http is accepted for this machine only", CODES["invalid"])
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
            return ("GitLabCaCertificate is not readable as certificates in PEM", "Set it to the CA's certificate, with its line breaks: "
                    "docs/how-to/connect-gitlab.md", CODES["invalid"])
        allowed = {each.replace(":", "").upper() for each in tagged.split()}
        needed = [fingerprint(each) for each in settings.certificates]
        missing = [each for each in needed if each not in allowed]
        if missing:
            return (f"its owner does not allow GitLabCaCertificate: the tag lacks the SHA-256 fingerprint {missing[0]}",
                    f"If it is your GitLab's CA: {settings.tag(_TAGS['ca'], ' '.join(needed))}", CODES["not_allowed"])
        return ()

    def _key(self, key: str) -> list[Finding]:
        """Whether the function may decrypt the secret. Nothing if it has the account's default key."""
        if not key or key.endswith("alias/aws/secretsmanager"):
            return []
        subject, arn = f"KMS key of secret {self.settings.secret_id}", self.settings.key_arn
        if key == arn:
            return [Finding(subject)]
        try:
            about = self.environment.account.client("kms", config=_CONFIG).describe_key(KeyId=key)["KeyMetadata"]
        except (BotoCoreError, ClientError) as error:
            return [self._failed(subject, error, f"kms:DescribeKey on {key}, so it is not compared with GitLabTokenKmsKeyArn")]
        if about.get("KeyManager") == "AWS" or about["Arn"] == arn:
            return [Finding(subject)]
        return [Finding(subject, f"the function may not decrypt with it: GitLabTokenKmsKeyArn is {arn or 'not set'}",
                        f"Set it in samconfig.toml: GitLabTokenKmsKeyArn={about['Arn']}", CODES["not_allowed"])]

    def _read(self) -> Finding:
        settings = self.settings
        subject = f"token in secret {settings.secret_id}"
        try:
            value = self._client.get_secret_value(SecretId=settings.secret_id).get("SecretString")
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ResourceNotFoundException":
                return Finding(subject, "the secret has no value", f"Store the token: {settings.store}", CODES["unusable"])
            # Without a code of its own: https://repost.aws/knowledge-center/secrets-manager-cross-account-key
            is_of_key = re.search("kms:|Access to KMS", str(error))
            return self._failed(subject, error, "kms:Decrypt on the key of the secret" if is_of_key else
                                "secretsmanager:GetSecretValue on the secret, so GitLab was not read")
        if value is None:
            return Finding(subject, "the secret has no text value", f"Store the token as text: {settings.store}", CODES["unusable"])
        try:
            token = token_in(value, settings.secret_key)
        except NotAToken as error:
            return Finding(subject, f"{error}", error.remedy or f"Store the token alone: {settings.store}", CODES["unusable"])
        hide({token})
        self.token = token
        return Finding(subject)


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
        if value.lstrip("\ufeff \t\r\n").startswith("{"):
            raise NotAToken("the secret's value begins as a JSON object, but is not one",
                            "Correct the value in Secrets Manager, or store the token alone") from None
        parsed = None
    token = value.strip()
    if isinstance(parsed, dict):
        member = parsed.get(key)
        if not isinstance(member, str):
            raise NotAToken(f"the secret's value is JSON without a text member {key}",
                            "Set GitLabTokenSecretKey to the member that is the token")
        token = member.strip()
    if not re.fullmatch(f"[A-Za-z0-9{re.escape(_RULES['token_characters'])}]+", token):
        raise NotAToken("the secret's value is not a token: it is empty, or has characters that no token has")
    return token


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _code(error: Exception) -> str:
    return machine.code_of(error) if isinstance(error, ClientError) else ""


class InGitLab:
    """The rows of what GitLab shows."""

    def __init__(self, settings: Settings, gitlab: GitLab) -> None:
        self.settings, self.gitlab = settings, gitlab
        self.project: dict[str, Any] = {}

    def checks(self) -> list[Finding]:
        settings = self.settings
        subject = f"GitLab at {settings.url}, {_HERE}"
        try:
            token = self.gitlab.read("/personal_access_tokens/self")
            if not isinstance(token, dict) or not _is_number(token.get("id")):
                raise self.gitlab.unexpected()
            found = [Finding(subject), self._row("kind of the token", lambda name: self._kind(name, token)), self._scope(token),
                     self._expiry(token), *self._project()]
        except Unread as error:
            found = [self._unread(subject, error), not_read(settings, "GitLab was not read")]
        except Denied as error:
            found = [self._denied(f"GitLab token, {_HERE}", error), not_read(settings, "GitLab does not accept the token")]
        if settings.in_vpc:
            found.append(Finding("path of the function to GitLab, through its VPC", reason="only the function can try it",
                                 remedy=f"After the deployment, run: cfn-gitops doctor --env {settings.table}"))
        return found

    def _row(self, what: str, read: Any) -> Finding:
        """The finding that `read` returns for a subject, or the reason why there is none."""
        subject = f"{what}, {_HERE}"
        try:
            finding: Finding = read(subject)
        except Unread as error:
            return self._unread(subject, error)
        except Denied as error:
            return self._denied(subject, error)
        return finding

    def _unread(self, subject: str, error: Unread) -> Finding:
        if self.settings.in_vpc:
            return Finding(subject, reason=f"{error.problem}. But the function reaches GitLab through its VPC", code=error.code,
                           remedy=f"After the deployment, cfn-gitops doctor --env {self.settings.table} tries the function's path")
        if error.is_passing:
            return Finding(subject, reason=error.problem, remedy=error.remedy, code=error.code)
        return Finding(subject, error.problem, error.remedy, error.code)

    def _denied(self, subject: str, error: Denied) -> Finding:
        settings, code = self.settings, CODES[error.kind]
        if error.kind == "rejected":
            return Finding(subject, f"GitLab rejects it (HTTP {error.status}): it is expired, revoked or not of {settings.url}",
                           f"Store a valid token: {settings.store}", code)
        if error.kind == "project_missing":
            return Finding(subject, f"GitLab does not show it (HTTP {error.status}): it has another path, or the token's user may not see it",
                           "Set GitLabProject to its full path, with all groups, or to its number. If it is right, make the token's user a "
                           "Maintainer of it", code)
        return Finding(subject, f"GitLab denies it to the token (HTTP {error.status})",
                       f"Store a token with the scope {_RULES['sufficient_scopes'][0]} of a Maintainer: {settings.store}", code)

    # --- the token -----------------------------------------------------------------------------

    def _kind(self, subject: str, token: dict[str, Any]) -> Finding:
        if not _is_number(token.get("user_id")):
            raise self.gitlab.unexpected()
        user = self.gitlab.read(f"/users/{token['user_id']}")
        if not isinstance(user, dict) or user.get("id") != token["user_id"]:
            raise self.gitlab.unexpected()
        bot = re.match("(project|group)_[0-9]+_bot", str(user.get("username")))
        if user.get("bot") is True:
            return Finding(f"{subject}: {_KINDS[bot[1]] if bot else 'token of a bot or a service account'}")
        if user.get("bot") is False:
            return Finding(f"{subject}: personal access token")
        return Finding(subject, reason="GitLab does not show whether its user is a bot")

    def _scope(self, token: dict[str, Any]) -> Finding:
        scopes = [str(each) for each in token.get("scopes") or []]
        subject, sufficient = f"scope of the token, {_HERE}", _RULES["sufficient_scopes"]
        if not scopes:
            return Finding(subject, reason="GitLab does not show it")
        if not set(scopes) & set(sufficient):
            return Finding(subject, f"it is {shortened(', '.join(scopes), 100)}, and cfn-gitops needs {sufficient[0]}",
                           f"Create a token with this scope, and store it: {self.settings.store}", CODES["lacks_access"])
        if sufficient[0] not in scopes:
            return Finding(subject, reason="it is a fine-grained token, whose permissions GitLab does not show")
        return Finding(f"{subject}: {shortened(', '.join(scopes), 100)}")

    def _expiry(self, token: dict[str, Any]) -> Finding:
        """https://docs.gitlab.com/user/profile/personal_access_tokens/#access-token-expiration"""
        subject, given = f"expiry of the token, {_HERE}", token.get("expires_at")
        if given is None:
            return Finding(f"{subject}: never")
        try:
            end = datetime.datetime.combine(datetime.date.fromisoformat(str(given).strip()), datetime.time(), datetime.timezone.utc)
        except ValueError:
            return Finding(subject, reason="GitLab shows it in another form")
        left = (end - datetime.datetime.now(datetime.timezone.utc)) / datetime.timedelta(days=1)
        if left < RULES["least_token_days"]:
            return Finding(subject, f"it expires in {max(int(left), 0)} days, on {end.date()}. Then rotations and changes fail",
                           f"Create a token that lasts longer, and store it: {self.settings.store}")
        return Finding(f"{subject}: in {int(left)} days")

    # --- the project ---------------------------------------------------------------------------

    def _project(self) -> list[Finding]:
        settings, name = self.settings, self.settings.project
        if not name:
            return [Finding(f"project in GitLab, {_HERE}", reason="GitLabProject is not set", remedy="Set it, as in platform/infra")]
        shown = self._row(f"project {name}", self._show)
        if not self.project:
            return [shown, Finding(f"role, features, branch and mirrors of project {name}, {_HERE}", reason="the project was not read")]
        rows = [shown, self._role(), *self._features()]
        for what, read in ((f"protection of branch {settings.branch}" if settings.branch else "protection of the branch", self._branch),
                           ("push mirrors", self._mirrors)):
            rows.append(self._row(f"{what} in project {name}", read))
        return rows

    def _show(self, subject: str) -> Finding:
        project = self.gitlab.read(project_path(self.settings.project))
        if not isinstance(project, dict) or not _is_number(project.get("id")):
            raise self.gitlab.unexpected()
        self.project = project
        return Finding(subject)

    @property
    def _level(self) -> int | None:
        """None for an administrator, and for a member of an invited group."""
        shown = self.project.get("permissions") or {}
        levels = [(shown.get(part) or {}).get("access_level") for part in ("project_access", "group_access")]
        return max((level for level in levels if _is_number(level)), default=None)

    def _role(self) -> Finding:
        subject, level, least = f"role in project {self.settings.project}, {_HERE}", self._level, _RULES["least_access_level"]
        if level is None:
            return Finding(subject, reason="GitLab does not show the role of the token's user")
        if level < least:
            return Finding(subject, f"the token's user has the access level {level}, and push mirrors need a Maintainer ({least})",
                           f"Make the user a Maintainer, or store a Maintainer's token: {self.settings.store}", CODES["lacks_access"])
        return Finding(f"{subject}: access level {level}")

    def _is_off(self, part: str) -> bool:
        return self.project.get(part) == "disabled"

    def _features(self) -> list[Finding]:
        """The parts of the project that the settings need. Each is named once, with its first consequence."""
        settings, closed_by = self.settings, _RULES["closed_by"]
        consequences = {"mirrors": "there is nothing to mirror"}
        if settings.needs_merge_requests:
            consequences["notes"] = "no branch is reviewed, and no tag approves"
        if settings.reports:
            consequences["deployments"] = "reports have no deployments"
        found: dict[str, Finding] = {}
        for use, consequence in consequences.items():
            for part in closed_by[use]:
                subject = f"{_RULES['parts'][part].rpartition(' ')[0]} of project {settings.project}, {_HERE}"
                problem = f"{_RULES['parts'][part]} switched off in the project, so {consequence}"
                remedy = f"Switch it on {_FEATURES}" + (", or set ReportToGitLab to false" if use == "deployments" else "")
                found.setdefault(part, Finding(subject, problem, remedy, CODES["part_switched_off"]) if self._is_off(part)
                                 else Finding(subject))
        return list(found.values())

    def _branch(self, subject: str) -> Finding:
        settings, branch = self.settings, self.settings.branch
        if not branch:
            return Finding(subject, reason="BranchName is not set", remedy="Set it to the branch that the pipeline deploys")
        if self._is_off("repository_access_level"):
            return Finding(subject, reason="the repository is switched off in the project")
        listed = self.gitlab.list(f"{project_path(settings.project)}/protected_branches")
        if not all(isinstance(each.get("name"), str) for each in listed):
            raise self.gitlab.unexpected()
        # https://docs.gitlab.com/api/protected_branches/: `inherited` is a group's.
        is_protected = {each.get("inherited") is True for each in listed if _matches(each["name"], branch)}
        if False in is_protected:
            return Finding(subject)
        if self.project.get("empty_repo") is True and self.project.get("default_branch") == branch:
            return Finding(f"{subject}: GitLab protects it with the first push")
        if len(listed) >= _RULES["max_listed_protected_branches"]:
            return Finding(subject, reason=f"GitLab lists only {len(listed)} protected branches, and this one is not among them")
        cause = "only a group of the project protects it, which does not count" if is_protected else "the project does not protect it"
        return Finding(subject, f"{cause}, so GitLab would not mirror it",
                       "Protect it in the project itself: Settings, Repository, Protected branches", CODES["branch_not_mirrored"])

    def _mirrors(self, subject: str) -> Finding:
        most, level = _RULES["max_enabled_mirrors"], self._level
        try:
            listed = self.gitlab.list(f"{project_path(self.settings.project)}/remote_mirrors")
        except Denied as error:
            if level is None or level < _RULES["least_access_level"]:
                return Finding(subject, reason=f"GitLab shows them to a Maintainer only (HTTP {error.status})")
            return Finding(subject, "GitLab denies them, although the token's user is a Maintainer",
                           "Check whether push mirrors are switched off for the instance. An administrator of a self-managed GitLab allows "
                           "them in Admin, Settings, Repository, Repository mirroring", CODES["mirrors_disabled"])
        left = most - sum(each.get("enabled") is not False for each in listed)
        needed = 1 if any(self._is_own(str(each.get("url"))) for each in listed) else 2
        if left >= needed or not self._limits_mirrors():
            return Finding(f"{subject}: {max(left, 0)} of {most} are left")
        return Finding(subject, f"{max(left, 0)} of {most} are left, and this mirror needs {needed}: while its password changes, there is a "
                       "second one", "Disable or remove a mirror in the project's Settings, Repository, Mirroring repositories",
                       CODES["mirror_limit"])

    def _is_own(self, url: str) -> bool:
        """Whether it is the mirror of the first project, as after a deployment."""
        settings = self.settings
        host = rf"git-codecommit\.{re.escape(settings.region)}\.amazonaws\.com(\.cn)?(:443)?"
        return re.fullmatch(rf"https://([^/@]*@)?{host}/v1/repos/codecommit-{settings.env_id}-cfn-{settings.project_id}/?", url) is not None

    def _limits_mirrors(self) -> bool:
        """Older versions have no limit. https://docs.gitlab.com/api/metadata/"""
        try:
            metadata = self.gitlab.read("/metadata")
        except (Denied, Unread):
            return True
        version = re.match(r"([0-9]+)\.([0-9]+)", str(metadata.get("version")) if isinstance(metadata, dict) else "")
        return version is None or (int(version[1]), int(version[2])) >= _MIRRORS_LIMITED_SINCE


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _matches(pattern: str, name: str) -> bool:
    """`*` of a protected branch matches slashes, too: GitLab's app/models/ref_matcher.rb."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
