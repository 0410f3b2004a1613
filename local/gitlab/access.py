"""Authenticates and authorizes requests: tokens, scopes and roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from local.gitlab.rest import Rejected, forbidden, not_found, unauthorized
from local.gitlab.state import LEVELS, Instance, Project, Token

# The least role of each ability (config/authz/roles/*.yml, formerly app/policies/project_policy.rb).
_ABILITIES = {
    "read_code": "reporter", "read_commit_status": "reporter", "read_deployment": "reporter",
    "read_environment": "reporter", "read_merge_request": "reporter", "create_note": "guest",
    "create_commit_status": "developer", "create_deployment": "developer", "update_deployment": "developer",
    "create_environment": "developer", "update_environment": "developer", "admin_note": "maintainer",
}
# The abilities of all callers in a public project (config/authz/roles/public_anonymous.yml), and of all callers with a
# token (config/authz/roles/public_authenticated.yml), also in an internal project (app/policies/project_policy.rb).
_PUBLIC = {"read_code", "read_commit_status", "read_deployment", "read_environment", "read_merge_request"}
_PUBLIC_WITH_TOKEN = {*_PUBLIC, "create_note"}


def token_value(headers: Mapping[str, str]) -> str | None:
    """lib/gitlab/auth/auth_finders.rb: `PRIVATE-TOKEN`, or a bearer's."""
    value = headers.get("PRIVATE-TOKEN")
    if value:
        return value
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" and bearer else None


def authenticated(instance: Instance, headers: Mapping[str, str], method: str, any_scope: bool = False) -> Token | None:
    """The caller's token, or None without one (lib/gitlab/auth/auth_finders.rb, `find_personal_access_token` and
    `validate_and_save_access_token!`)."""
    value = token_value(headers)
    if value is None:
        return None
    token = instance.find_token(value)
    if token is None:
        raise unauthorized()
    # The texts are lib/api/api_guard.rb's, `oauth2_bearer_token_error_handler`.
    if token.revoked:
        raise Rejected(401, {"error": "invalid_token",
                            "error_description": "Token was revoked. You have to re-authorize from the user."})
    if token.expired or (token.expires_at is not None and token.expires_at <= datetime.now(UTC).date()):
        raise Rejected(401, {"error": "invalid_token", "error_description":
                            "Token is expired. You can either do re-authorization or token refresh."})
    # lib/api/api.rb, `allow_access_with_scope`.
    allowed = ["api", "read_api"] if method in ("GET", "HEAD") else ["api"]
    if not any_scope and not set(allowed) & set(token.scopes):
        raise Rejected(403, {"error": "insufficient_scope", "error_description":
                            "The request requires higher privileges than provided by the access token.",
                            "scope": " ".join(allowed)})
    # lib/api/api_guard.rb, `find_current_user!`, with a text of lib/gitlab/auth/user_access_denied_reason.rb.
    if token.user.is_blocked:
        raise Rejected(403, {"message": "403 Forbidden - Your account has been blocked."})
    return token


def project(instance: Instance, token: Token | None, id_or_path: str) -> Project:
    """The project, if the caller may see it (lib/api/helpers.rb, `find_project!`)."""
    found = instance.find_project(id_or_path)
    if found is None or not (found.features.is_public or token is not None and (
            token.is_admin or found.features.visibility == "internal" or token.level(found) >= LEVELS["guest"])):
        raise not_found("Project")
    return found


def level(token: Token | None, project: Project) -> int:
    """The caller's access level in the project. 0 without one. An administrator has an Owner's."""
    if token is None:
        return 0
    return LEVELS["owner"] if token.is_admin else token.level(project)


def is_allowed(token: Token | None, project: Project, ability: str) -> bool:
    """app/policies/project_policy.rb. A disabled feature is forbidden also for administrators."""
    held = level(token, project)
    # READONLY_FEATURES_WHEN_ARCHIVED. In newer versions, the permission group `project:archived`.
    if project.archived and not ability.startswith("read_"):
        return False
    builds = _is_available(project.features.builds, held)
    if ability.endswith(("_deployment", "_environment")) and not (
            builds and _is_available(project.features.environments, held)):
        return False
    # If CI/CD is disabled, other CI systems may post statuses: `(builds_disabled & ~internal_builds_disabled)`.
    if ability.endswith("_commit_status") and not builds and project.features.builds != "disabled":
        return False
    if held >= LEVELS[_ABILITIES[ability]]:
        return True
    if project.features.visibility == "private":
        return False
    return ability in (_PUBLIC if token is None else _PUBLIC_WITH_TOKEN)


def _is_available(feature: str, held: int) -> bool:
    """app/policies/project_policy.rb, `access_allowed_to?`."""
    return feature == "enabled" or feature == "private" and held >= LEVELS["guest"]


def authorize(token: Token | None, project: Project, ability: str) -> None:
    """lib/api/helpers.rb, `authorize!`."""
    if not is_allowed(token, project, ability):
        raise forbidden()


def may_administer(token: Token, project: Project) -> bool:
    """app/policies/project_policy.rb, `admin_project`."""
    return token.is_admin or token.level(project) >= LEVELS["maintainer"]


def may_administer_mirrors(instance: Instance, token: Token, project: Project) -> bool:
    """app/policies/project_policy.rb: `(mirror_available & can?(:admin_project)) | admin`."""
    return token.is_admin or (instance.settings.mirror_available and may_administer(token, project))
