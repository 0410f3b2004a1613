"""Authenticates and authorizes requests: tokens, scopes and roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tests.local.gitlab.rest import Rejected, forbidden, not_found, unauthorized
from tests.local.gitlab.state import LEVELS, Instance, Project, Token

# The least role of each ability (config/authz/roles/*.yml, formerly app/policies/project_policy.rb). Every project is
# private, has all features and is not archived.
_ABILITIES = {
    "read_code": "reporter", "read_commit_status": "reporter", "read_deployment": "reporter",
    "read_environment": "reporter", "read_merge_request": "reporter", "create_note": "guest",
    "create_commit_status": "developer", "create_deployment": "developer",
    "create_environment": "developer", "update_environment": "developer", "admin_note": "maintainer",
    "admin_project": "maintainer",
}


def token_value(headers: Mapping[str, str]) -> str | None:
    """lib/gitlab/auth/auth_finders.rb: `PRIVATE-TOKEN`, a CI job's, or a bearer's."""
    value = headers.get("PRIVATE-TOKEN") or headers.get("JOB-TOKEN")
    if value:
        return value
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" and bearer else None


def authenticated(instance: Instance, headers: Mapping[str, str], method: str, any_scope: bool = False,
                  of_jobs: bool = False) -> Token | None:
    """`of_jobs`: `route_setting :authentication, job_token_allowed`. A job's token has the scope `job` here.

    The caller's token, or None without one (lib/gitlab/auth/auth_finders.rb, `find_personal_access_token` and
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
    allowed = (["api", "read_api"] if method in ("GET", "HEAD") else ["api"]) + ["job"] * of_jobs
    if not any_scope and not set(allowed) & set(token.scopes):
        raise Rejected(403, {"error": "insufficient_scope", "error_description":
                            "The request requires higher privileges than provided by the access token.",
                            "scope": " ".join(allowed)})
    return token


def project(instance: Instance, token: Token | None, id_or_path: str) -> tuple[Token, Project]:
    """The project and the token, if the caller may see it (lib/api/helpers.rb, `find_project!`)."""
    found = instance.find_project(id_or_path)
    if found is None or token is None or token.level(found) < LEVELS["guest"]:
        raise not_found("Project")
    return token, found


def is_allowed(token: Token, project: Project, ability: str) -> bool:
    return token.level(project) >= LEVELS[_ABILITIES[ability]]


def authorize(token: Token, project: Project, ability: str) -> None:
    """lib/api/helpers.rb, `authorize!`."""
    if not is_allowed(token, project, ability):
        raise forbidden()
