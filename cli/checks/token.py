"""The GitLab token before a deployment: its secret, and the token and the project in GitLab.

These rows find what would fail the first deployment of the project, and with it the environment's stack. The
function finds everything else about GitLab by itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any
from urllib.parse import quote

from cli.checks.gitlab import CODES, CONCLUSIONS, UNREACHABLE, GitLab, Rejected, project_path
from cli.checks.rows import Once, Reader, Row, read_row
from cli.checks.secret import Secret, Settings
from cli.rules import RULES
from cli.shell.command import cfn_gitops
from cli.shell.findings import Finding, Found, NotChecked, Sound
from cli.shell.terminal import shortened

_RULES = RULES["gitlab"]
_MAINTAINER, _SCOPES, _MOST = (
    _RULES["least_access_level"],
    _RULES["sufficient_scopes"],
    _RULES["max_enabled_mirrors"],
)
# The conclusions of denials without a cause, by their status: of the project, and of a part of it after the
# project was read.
_OF_PROJECT = {401: "TokenRejected", 403: "AccessDenied", 404: "NotFound"}
_OF_PART = {401: "AccessDenied", 403: "AccessDenied"}

# Each key of a row, with what the row compares.
KEYS = {
    "token-secret": "the secret of the GitLab token: its tags, its key and its value",
    "gitlab": "whether this machine reaches GitLab by the function's rules of TLS",
    "token": "whether GitLab accepts the token, and its scope",
    "project": "whether the token's user sees the project, and whether it is archived or marked for deletion",
    "repository-format": "the format of the repository's objects",
    "branch": "whether the project protects the environment's branch",
    "mirrors": "whether the token's user may create a push mirror, and the project's limit of them",
}


def token_rows(reader: Reader, values: Once, ignored: Sequence[str] = ()) -> list[Row]:
    """`ignored` are the keys of rows that are not shown. Without the deployed values, nothing is read: a
    parameter that samconfig.toml does not name may have any value then, and a token could go to another
    GitLab."""

    def by_hand() -> list[Finding]:
        values.get()
        return [
            NotChecked(
                "GitLab token",
                "GitLabTokenSecretId is not set, so you set up the mirror in GitLab by hand",
                "docs/how-to/connect-gitlab.md, Without a token, shows how",
            )
        ]

    settings = Settings(values.value or {}, reader.environment.env_id)
    if not settings.secret_id:
        return [Row("token-secret", "GitLab token", by_hand)]
    return InGitLab(settings, Secret(reader, settings), reader.environment.settings.table, ignored).rows()


class NotRead(Exception):
    """Another row, which this one needs, was not read. That one, with this key, shows why."""

    def __init__(self, problem: str, key: str = "", why: str = "") -> None:
        super().__init__(problem)
        self.key, self.why = key, why


def shared(read: Callable[[], Any]) -> Callable[[], Any]:
    """A read that the first of several rows begins. Each of them gets its result or its error."""
    lock, result = threading.Lock(), Future[Any]()

    def get() -> Any:
        with lock:
            if not result.done():
                try:
                    result.set_result(read())
                except Exception as error:
                    result.set_exception(error)
        return result.result()

    return get


def needed(read: Callable[[], Any], unread: NotRead, denied: NotRead | None = None) -> Any:
    """The result of `read`. If GitLab was not read, or denies it, another row shows that."""
    try:
        return read()
    except Rejected as error:
        if other := unread if error.is_unread else denied:
            raise NotRead(str(other), other.key, error.problem) from None
        raise


class InGitLab:
    """The rows about a token and its project."""

    def __init__(self, settings: Settings, secret: Secret, table: str, ignored: Sequence[str]) -> None:
        self._settings, self._secret, self._table, self._ignored = settings, secret, table, ignored
        self._path = project_path(settings.project)
        self._read_secret, self._token, self._project = (
            shared(secret.findings),
            shared(self._read_token),
            shared(self._read_project),
        )

    def rows(self) -> list[Row]:
        settings, project = self._settings, f"project {self._settings.project}"
        return [
            Row("token-secret", f"secret {settings.secret_id}", self._read_secret),
            self._row("gitlab", f"GitLab at {settings.url}, from this machine", self._reach),
            self._row("token", "GitLab token", self._check_token),
            self._row("project", project, self._check_project),
            self._row("repository-format", f"repository of {project}", self._check_format),
            self._row(
                "branch",
                f"protection of {f'branch {settings.branch}' if settings.branch else 'the branch'} in"
                f" {project}",
                self._check_branch,
            ),
            self._row("mirrors", f"push mirrors of {project}", self._check_mirrors),
        ]

    def _row(self, key: str, subject: str, check: Callable[[str], Finding]) -> Row:
        def read() -> list[Finding]:
            try:
                return [check(subject)]
            except NotRead as error:
                return [
                    NotChecked(subject, f"{error}: {error.why}" if error.key in self._ignored else str(error))
                ]
            except Rejected as error:
                return [self._rejected(subject, error)]

        return Row(key, subject, read)

    def _rejected(self, subject: str, error: Rejected) -> Finding:
        if error.is_unread and (path := self._settings.path):
            return NotChecked(
                subject,
                f"{error.problem}. But the function reaches GitLab through its {path}",
                "After the deployment, "
                f"let the doctor try the function's path: {cfn_gitops('doctor', '--env', self._table)}",
                error.code,
            )
        remedy = self._secret.remedy(error.remedy)
        if error.code == UNREACHABLE:
            return NotChecked(subject, error.problem, remedy, error.code, is_failure=True)
        return Found(subject, error.problem, remedy, error.code)

    def _found(self, subject: str, problem: str, conclusion: str) -> Finding:
        """A problem of this module, whose remedy and code are those of the conclusion."""
        of = CONCLUSIONS[conclusion]
        return Found(subject, problem, self._secret.remedy(of["remedy"]), of["code"])

    # --- GitLab and the token ------------------------------------------------------------------

    def _read_token(self) -> dict[str, Any]:
        found = read_row(Row("token-secret", "", self._read_secret))
        if self._secret.token is None:
            raise NotRead(
                "no token was sent",
                "token-secret",
                next(each.text for each in found if not isinstance(each, Sound)),
            )
        settings = self._settings
        self._gitlab = GitLab(settings.url, self._secret.token, self._secret.certificates, settings.secret_id)
        return self._gitlab.read("/personal_access_tokens/self", {})

    def _reach(self, subject: str) -> Finding:
        try:
            self._token()
        except Rejected as error:
            if error.is_unread:
                raise
        return Sound(subject)

    def _check_token(self, subject: str) -> Finding:
        """Whether it is active, and its scope. The alarm of the function watches its expiry."""
        token = needed(self._token, NotRead("GitLab was not read", "gitlab"))
        listed = token.get("scopes")
        scopes = [str(each) for each in listed] if isinstance(listed, list) else []
        shown = shortened(", ".join(scopes), 100)
        if _SCOPES[0] in scopes:
            return Sound(
                f"{subject}: {shown}, {shortened(token.get('expires_at') or 'without an expiry', 20)}"
            )
        if not scopes or set(scopes) & set(_SCOPES):
            return NotChecked(
                subject,
                (
                    f"it has the scope {shown}, and GitLab does not show its permissions"
                    if scopes
                    else "GitLab does not show its scope"
                ),
            )
        return self._found(
            subject, f"it has the scope {shown}, and cfn-gitops needs {_SCOPES[0]}", "InsufficientScope"
        )

    # --- the project ---------------------------------------------------------------------------

    def _read_project(self) -> dict[str, Any]:
        needed(
            self._token,
            NotRead("GitLab was not read", "gitlab"),
            NotRead("GitLab rejects the token", "token"),
        )
        if not self._settings.project:
            raise NotRead("GitLabProject is not set")
        return self._gitlab.read(self._path, _OF_PROJECT)

    def _shown(self) -> dict[str, Any]:
        """The project, for a row that is not the project's own."""
        unread = NotRead("the project was not read", "project")
        project: dict[str, Any] = needed(self._project, unread, unread)
        return project

    def _check_project(self, subject: str) -> Finding:
        project = self._project()
        if project.get("archived") is True:
            return self._found(
                subject, "it is archived, so GitLab accepts neither a push nor a status", "Archived"
            )
        # The first one is deprecated: https://docs.gitlab.com/api/projects/#deprecated-attributes
        if marked := project.get("marked_for_deletion_at") or project.get("marked_for_deletion_on"):
            return Found(
                subject,
                f"it is marked for deletion since {shortened(marked, 20)}",
                "Restore it in its Settings, General, Advanced",
                CONCLUSIONS["MirrorsDisabled"]["code"],
            )
        return Sound(f"{subject}, number {project['id']}")

    def _check_format(self, subject: str) -> Finding:
        # Versions without the member (https://docs.gitlab.com/api/projects/) have no other format.
        shown = self._shown().get("repository_object_format") or "sha1"
        if shown == "sha1":
            return Sound(subject)
        return Found(
            subject,
            f"its objects are {shortened(shown, 20)}, and CodeCommit accepts SHA-1 only",
            "Push the branch to a new project with SHA-1, and set GitLabProject to it",
            CODES["push_failed"],
        )

    def _check_branch(self, subject: str) -> Finding:
        branch, project = self._settings.branch, self._shown()
        if not branch:
            # CloudFormation rejects the change set, by the template's rule.
            raise NotRead("BranchName is not set")
        if project.get("repository_access_level") == "disabled":
            return self._found(subject, "the repository is switched off in the project", "SwitchedOff")
        listed, is_whole = self._gitlab.page(f"{self._path}/protected_branches", _OF_PART, "name", str)
        # https://docs.gitlab.com/api/protected_branches/: `inherited` is a group's.
        is_own = {each.get("inherited") is not True for each in listed if _matches(each["name"], branch)}
        is_protected, is_empty = True in is_own, project.get("empty_repo") is True
        if is_empty and not is_protected and project.get("default_branch") == branch:
            return NotChecked(
                subject,
                "the project is empty. GitLab protects its default branch with the first push, unless its "
                "default branch protection is switched off",
            )
        has_branch = (is_empty and is_protected) or self._has_branch(branch)
        if is_protected and has_branch:
            return Sound(subject)
        if not is_protected and not is_whole:
            return NotChecked(
                subject,
                f"none of the first {len(listed)} protected branches is this one in the project itself",
            )
        if not has_branch:
            return Found(
                subject,
                f"the project has no branch {branch}",
                "Set BranchName to the branch that is deployed, or push this one and protect it",
                CODES["branch_not_mirrored"],
            )
        return Found(
            subject,
            f"{'only a group protects it' if is_own else 'it is not protected'}, so GitLab would not"
            " mirror it",
            "Protect it in the project itself: Settings, Repository, Protected branches",
            CODES["branch_not_mirrored"],
        )

    def _has_branch(self, branch: str) -> bool:
        path = f"{self._path}/repository/branches/{quote(branch, safe='')}"
        try:
            self._gitlab.read(path, _OF_PART, "name", str)
        except Rejected as error:
            # `find_branch!` in GitLab's lib/api/branches.rb.
            if error.given.get("message") == "404 Branch Not Found":
                return False
            raise
        return True

    def _check_mirrors(self, subject: str) -> Finding:
        """Whether the token's user may create one, as only a Maintainer may, and whether the project takes
        one more."""
        level = self._level()
        denied = "Denied" if level is None else "NotMaintainer" if level < _MAINTAINER else "MirrorsDisabled"
        denials = {401: denied, 403: denied}
        listed, _ = self._gitlab.page(f"{self._path}/remote_mirrors", denials, "id", int, level=level)
        enabled = sum(each.get("enabled") is not False for each in listed)
        if enabled < _MOST:
            return Sound(subject)
        # https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965
        return self._found(
            subject,
            f"{enabled} are enabled. GitLab 18.9 and later enables {_MOST} at most. For an older one, leave"
            " this row out with --ignore mirrors",
            "TooManyMirrors",
        )

    def _level(self) -> int | None:
        """That of the token's user. `None` if GitLab shows none, as of a member of an invited group."""
        shown = self._shown().get("permissions")
        access = shown.values() if isinstance(shown, dict) else []
        levels = [each.get("access_level") for each in access if isinstance(each, dict)]
        return max((level for level in levels if isinstance(level, int)), default=None)


def _matches(pattern: str, name: str) -> bool:
    """`*` of a protected branch matches slashes, too: GitLab's app/models/ref_matcher.rb."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
