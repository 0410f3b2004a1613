"""The GitLab token before the first deployment: its secret, and the token and the project in GitLab.

GitLab is read from this machine. In a VPC the function has another path to it.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from cli.checks.gitlab import CODES, Denied, GitLab, Unread, project_path
from cli.checks.rows import Once, Row
from cli.checks.secret import Secret, Settings
from cli.environment.account import Environment
from cli.rules import RULES, name_of
from cli.shell.output import Finding, Found, NotChecked, Sound
from cli.shell.terminal import shortened

_RULES = RULES["gitlab"]
_HERE = "from this machine"
_FEATURES = "in the project's Settings, General, Visibility, project features, permissions"
# The bots of these tokens, by their user names:
# https://docs.gitlab.com/user/project/settings/project_access_tokens/#bot-users-for-projects
# https://docs.gitlab.com/user/group/settings/group_access_tokens/#bot-users-for-groups
_KINDS = {"project": "project access token", "group": "group access token"}
# https://docs.gitlab.com/api/projects/ (repository_access_level and its kin)
_SWITCHED_ON = ("enabled", "private")
# Besides `private`: https://docs.gitlab.com/user/public_access/
_OTHER_VISIBILITIES = ("internal", "public")
# https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965
_MIRRORS_LIMITED_SINCE = (18, 9)


def token_rows(environment: Environment, values: Once) -> list[Row]:
    """Without the deployed values, nothing is read: a parameter that samconfig.toml does not name may have any value then, and
    a token could go to another GitLab."""
    return [Row("gitlab", "GitLab token", lambda: token_findings(environment, values.get()))]


def token_findings(environment: Environment, given: dict[str, str]) -> list[Finding]:
    """The findings about the GitLab token that the parameters name."""
    settings = Settings(given, environment)
    if not settings.secret_id:
        return [NotChecked("GitLab token", "GitLabTokenSecretId is not set, so you set up the mirror in GitLab by hand",
                           "docs/how-to/connect-gitlab.md, Without a token, shows how")]
    secret = Secret(environment, settings)
    found = secret.checks()
    if secret.token is None:
        return [*found, not_read(settings, "no token was sent")]
    gitlab = GitLab(settings.url, secret.token, settings.certificates)
    return [*found, *InGitLab(settings, gitlab).checks()]


def not_read(settings: Settings, reason: str) -> Finding:
    project = f"project {settings.project} at {settings.url}" if settings.project else settings.url
    return NotChecked(f"GitLab token and {project}, {_HERE}", reason)


class InGitLab:
    """The rows that are read from GitLab."""

    def __init__(self, settings: Settings, gitlab: GitLab) -> None:
        self.settings, self.gitlab = settings, gitlab
        self.project: dict[str, Any] = {}

    @property
    def _doctor(self) -> str:
        return f"After the deployment, let the doctor try the function's path: cfn-gitops doctor --env {self.settings.table}"

    def checks(self) -> list[Finding]:
        settings = self.settings
        subject = f"GitLab at {settings.url}, {_HERE}"
        try:
            token = self.gitlab.read("/personal_access_tokens/self")
            if not isinstance(token, dict) or not _is_number(token.get("id")):
                raise self.gitlab.unexpected()
            found = [Sound(subject), self._row("kind of the token", lambda name: self._kind(name, token)), self._scope(token),
                     self._expiry(token), *self._project()]
        except Unread as error:
            found = [self._unread(subject, error), not_read(settings, "GitLab was not read")]
        except Denied as error:
            found = [self._denied(f"GitLab token, {_HERE}", error), not_read(settings, "GitLab rejects the token")]
        if settings.in_vpc:
            found.append(NotChecked("path of the function to GitLab, through its VPC", "only the function can try it",
                                    self._doctor))
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
            return NotChecked(subject, f"{error.problem}. But the function reaches GitLab through its VPC", self._doctor, error.code)
        return (NotChecked if error.is_passing else Found)(subject, error.problem, error.remedy, error.code)

    def _denied(self, subject: str, error: Denied) -> Finding:
        settings, code = self.settings, CODES[error.kind]
        if error.kind == "rejected":
            return Found(subject, f"GitLab rejects it (HTTP {error.status}): it is expired, revoked or not of {settings.url}",
                         f"Store a valid token: {settings.store}", code)
        if error.kind == "project_missing":
            return Found(subject, f"GitLab does not show it (HTTP {error.status}): it has another path, or the token's user may "
                         "not see it", "Set GitLabProject to its full path, with all groups, or to its number. If it is right, "
                         "make the token's user a Maintainer of it", code)
        return Found(subject, f"GitLab denies it to the token (HTTP {error.status})",
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
            return Sound(f"{subject}: {_KINDS[bot[1]] if bot else 'token of a bot or a service account'}")
        if user.get("bot") is False:
            return Sound(f"{subject}: personal access token")
        return NotChecked(subject, "GitLab does not show whether its user is a bot")

    def _scope(self, token: dict[str, Any]) -> Finding:
        listed = token.get("scopes")
        scopes = [str(each) for each in listed] if isinstance(listed, list) else []
        subject, sufficient = f"scope of the token, {_HERE}", _RULES["sufficient_scopes"]
        if not scopes:
            return NotChecked(subject, "GitLab does not show it")
        if not set(scopes) & set(sufficient):
            return Found(subject, f"it is {shortened(', '.join(scopes), 100)}, and cfn-gitops needs {sufficient[0]}",
                         f"Create a token with this scope, and store it: {self.settings.store}", CODES["lacks_access"])
        if sufficient[0] not in scopes:
            return NotChecked(subject, "it is a fine-grained token, whose permissions GitLab does not show")
        return Sound(f"{subject}: {shortened(', '.join(scopes), 100)}")

    def _expiry(self, token: dict[str, Any]) -> Finding:
        """https://docs.gitlab.com/user/profile/personal_access_tokens/#access-token-expiration"""
        subject, given = f"expiry of the token, {_HERE}", token.get("expires_at")
        if given is None:
            return Sound(f"{subject}: never")
        try:
            day = datetime.date.fromisoformat(str(given).strip())
        except ValueError:
            return NotChecked(subject, "GitLab shows it in another form")
        end = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc)
        left = (end - datetime.datetime.now(datetime.timezone.utc)) / datetime.timedelta(days=1)
        if left < RULES["least_token_days"]:
            return Found(subject, f"it expires in {max(int(left), 0)} days, on {day}. Then rotations and changes fail",
                         f"Create a token that lasts longer, and store it: {self.settings.store}")
        return Sound(f"{subject}: in {int(left)} days")

    # --- the project ---------------------------------------------------------------------------

    def _project(self) -> list[Finding]:
        settings, name = self.settings, self.settings.project
        if not name:
            return [NotChecked(f"project in GitLab, {_HERE}", "GitLabProject is not set",
                               "Set it, as in platform/infra")]
        shown = self._row(f"project {name}", self._show)
        if not self.project:
            others = f"role, features, branch and mirrors of project {name}, {_HERE}"
            return [shown, NotChecked(others, "the project was not read")]
        return [shown, self._role(), *self._visibility(), *self._features(),
                self._row(f"protection of branch {settings.branch} in project {name}", self._branch),
                self._row(f"push mirrors in project {name}", self._mirrors)]

    def _show(self, subject: str) -> Finding:
        project = self.gitlab.read(project_path(self.settings.project))
        if not isinstance(project, dict) or not _is_number(project.get("id")):
            raise self.gitlab.unexpected()
        self.project = project
        return Sound(subject)

    @property
    def _level(self) -> int | None:
        """None for an administrator, and for a member of an invited group."""
        shown = _object(self.project.get("permissions"))
        levels = [_object(shown.get(part)).get("access_level") for part in ("project_access", "group_access")]
        return max((level for level in levels if _is_number(level)), default=None)

    def _role(self) -> Finding:
        subject, level, least = f"role in project {self.settings.project}, {_HERE}", self._level, _RULES["least_access_level"]
        if level is None:
            return NotChecked(subject, "GitLab does not show the role of the token's user")
        if level < least:
            return Found(subject, f"the token's user has the access level {level}, and push mirrors need a Maintainer ({least})",
                         f"Make the user a Maintainer, or store a Maintainer's token: {self.settings.store}",
                         CODES["lacks_access"])
        return Sound(f"{subject}: access level {level}")

    def _visibility(self) -> list[Finding]:
        """Whether only members see the project, if logs of failed builds are posted there."""
        settings, level = self.settings, self.project.get("visibility")
        if not settings.reports_build_logs:
            return []
        subject = f"visibility of project {settings.project}, {_HERE}"
        if level == "private":
            return [Sound(subject)]
        cause = f"it is {level}" if level in _OTHER_VISIBILITIES else "GitLab does not show it"
        return [Found(subject, f"{cause}, so the logs of failed builds are not posted",
                      f"Make it private {_FEATURES}, or set ReportToGitLab to true")]

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
                if self._is_off(part):
                    finding = Found(subject, problem, remedy, CODES["part_switched_off"])
                elif self.project.get(part) in _SWITCHED_ON:
                    finding = Sound(subject)
                else:
                    finding = NotChecked(subject, f"GitLab shows {self.project.get(part)} as its access level")
                found.setdefault(part, finding)
        return list(found.values())

    def _branch(self, subject: str) -> Finding:
        settings, branch = self.settings, self.settings.branch
        if not branch:
            return NotChecked(subject, "BranchName is not set", "Set it to the branch that the pipeline deploys")
        if self._is_off("repository_access_level"):
            return NotChecked(subject, "the repository is switched off in the project")
        listed = self.gitlab.list(f"{project_path(settings.project)}/protected_branches")
        if not all(isinstance(each.get("name"), str) for each in listed):
            raise self.gitlab.unexpected()
        # https://docs.gitlab.com/api/protected_branches/: `inherited` is a group's.
        is_protected = {each.get("inherited") is True for each in listed if _matches(each["name"], branch)}
        if False in is_protected:
            return Sound(subject)
        if self.project.get("empty_repo") is True and self.project.get("default_branch") == branch:
            return Sound(f"{subject}: GitLab protects it with the first push")
        if len(listed) >= _RULES["max_listed_protected_branches"]:
            return NotChecked(subject, f"GitLab lists {len(listed)} protected branches at most, and not this one")
        cause = "only a group of the project protects it, which does not count" if is_protected else \
            "the project does not protect it"
        return Found(subject, f"{cause}, so GitLab would not mirror it",
                     "Protect it in the project itself: Settings, Repository, Protected branches", CODES["branch_not_mirrored"])

    def _mirrors(self, subject: str) -> Finding:
        most, level = _RULES["max_enabled_mirrors"], self._level
        try:
            listed = self.gitlab.list(f"{project_path(self.settings.project)}/remote_mirrors")
        except Denied as error:
            if level is None or level < _RULES["least_access_level"]:
                return NotChecked(subject, f"GitLab shows them to a Maintainer only (HTTP {error.status})")
            return Found(subject, "GitLab denies them, although the token's user is a Maintainer",
                         "Check whether push mirrors are switched off for the instance. An administrator of a self-managed "
                         "GitLab allows them in Admin, Settings, Repository, Repository mirroring", CODES["mirrors_disabled"])
        left = most - sum(each.get("enabled") is not False for each in listed)
        needed = 1 if any(self._is_own(str(each.get("url"))) for each in listed) else 2
        if left >= needed:
            return Sound(f"{subject}: {left} of {most} are left")
        version = self._version()
        if version and version < _MIRRORS_LIMITED_SINCE:
            return Sound(f"{subject}: this version of GitLab has no limit")
        problem = (f"{max(left, 0)} of {most} are left, and this mirror needs {needed}: while its password changes, there is a "
                   "second one")
        remedy = "Disable or remove a mirror in the project's Settings, Repository, Mirroring repositories"
        if not version:
            limited = ".".join(map(str, _MIRRORS_LIMITED_SINCE))
            return NotChecked(subject, f"{problem}. GitLab before {limited} has no limit, and its version was not read",
                              f"If it is {limited} or later: {remedy[0].lower()}{remedy[1:]}")
        return Found(subject, problem, remedy, CODES["mirror_limit"])

    def _is_own(self, url: str) -> bool:
        """Whether it is the mirror of the first project, as after a deployment."""
        settings = self.settings
        host = rf"git-codecommit\.{re.escape(settings.region)}\.amazonaws\.com(\.cn)?(:443)?"
        name = re.escape(name_of("repository", settings.env_id, settings.project_id))
        return re.fullmatch(rf"https://([^/@]*@)?{host}/v1/repos/{name}/?", url) is not None

    def _version(self) -> tuple[int, int] | None:
        """`None` if GitLab does not show it. https://docs.gitlab.com/api/metadata/"""
        try:
            metadata = self.gitlab.read("/metadata")
        except (Denied, Unread):
            return None
        version = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", str(_object(metadata).get("version")))
        return (int(version[1]), int(version[2])) if version else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _object(value: Any) -> dict[str, Any]:
    """Empty if it is not a JSON object."""
    return value if isinstance(value, dict) else {}


def _matches(pattern: str, name: str) -> bool:
    """`*` of a protected branch matches slashes, too: GitLab's app/models/ref_matcher.rb."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
