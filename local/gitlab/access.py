"""Authenticates and authorizes requests: tokens, scopes and roles."""

from __future__ import annotations

from collections.abc import Mapping

from local.gitlab.state import LEVELS, Instance, Project, Token


class Rejected(Exception):
    """An error response."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


def unauthorized() -> Rejected:
    """lib/api/helpers.rb, `unauthorized!`: also for known callers without the permission."""
    return Rejected(401, {"message": "401 Unauthorized"})


def forbidden() -> Rejected:
    return Rejected(403, {"message": "403 Forbidden"})


def not_found(what: str = "") -> Rejected:
    """lib/api/helpers.rb, `not_found!`."""
    return Rejected(404, {"message": " ".join(filter(None, ["404", what, "Not Found"]))})


def token_value(headers: Mapping[str, str]) -> str | None:
    """lib/gitlab/auth/auth_finders.rb: `PRIVATE-TOKEN`, or a bearer's."""
    value = headers.get("PRIVATE-TOKEN")
    if value:
        return value
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" and bearer else None


def authenticated(instance: Instance, headers: Mapping[str, str], method: str) -> Token | None:
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
    if token.expired:
        raise Rejected(401, {"error": "invalid_token", "error_description":
                            "Token is expired. You can either do re-authorization or token refresh."})
    # lib/api/api.rb, `allow_access_with_scope`.
    allowed = ["api", "read_api"] if method in ("GET", "HEAD") else ["api"]
    if not set(allowed) & set(token.scopes):
        raise Rejected(403, {"error": "insufficient_scope", "error_description":
                            "The request requires higher privileges than provided by the access token.",
                            "scope": " ".join(allowed)})
    return token


def project(instance: Instance, token: Token | None, id_or_path: str) -> Project:
    """The project, if the caller may see it. All projects are private here (lib/api/helpers.rb,
    `find_project!`)."""
    found = instance.find_project(id_or_path)
    if found is None or token is None or not (token.is_admin or token.level(found) >= LEVELS["guest"]):
        raise not_found("Project")
    return found


def may_administer(token: Token, project: Project) -> bool:
    """app/policies/project_policy.rb, `admin_project`."""
    return token.is_admin or token.level(project) >= LEVELS["maintainer"]


def may_administer_mirrors(instance: Instance, token: Token, project: Project) -> bool:
    """app/policies/project_policy.rb: `(mirror_available & can?(:admin_project)) | admin`."""
    return token.is_admin or (instance.settings.mirror_available and may_administer(token, project))
