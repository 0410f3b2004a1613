"""The part of the REST API that push mirrors use: lib/api/remote_mirrors.rb, lib/api/protected_branches.rb,
`GET /projects/:id` and `GET /projects/:id/repository/branches`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from local.gitlab import access, mirrors
from local.gitlab.access import Rejected
from local.gitlab.mirror_runs import Runs
from local.gitlab.state import LEVELS, Instance, Mirror, Project, Token

PREFIX = "/api/v4/"
# lib/api/pagination_params.rb and config/initializers/kaminari_config.rb
_PER_PAGE, _MAX_PER_PAGE = 20, 100
# app/finders/protected_branches_finder.rb, LIMIT: over all pages.
_MAX_PROTECTED_BRANCHES = 100


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    method: str
    path: str  # undecoded: `platform%2Finfra` is one part of it
    query: dict[str, str]
    parameters: dict[str, Any]  # of the body
    headers: Mapping[str, str]


class Api:
    def __init__(self, instance: Instance, runs: Runs, url: str) -> None:
        self._instance, self._runs, self._url = instance, runs, url

    def answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Rejected as rejected:
            return Answer(rejected.status, rejected.body)
        except mirrors.BadParameters as bad:
            return Answer(400, {"error": str(bad)})
        except mirrors.Invalid as invalid:
            return Answer(400, {"message": invalid.errors})

    def _route(self, request: Request) -> Answer:
        parts = [unquote(part) for part in request.path.removeprefix(PREFIX).split("/")]
        if parts[0] != "projects" or len(parts) < 2:
            raise _no_route()
        token = access.authenticated(self._instance, request.headers, request.method)
        match (request.method, *parts[2:]):
            case ("GET",):
                return self._get_project(request, token, parts[1])
            case ("GET", "protected_branches"):
                return self._protected_branches(request, token, parts[1])
            case ("GET", "repository", "branches"):
                return self._branches(request, token, parts[1])
            case (_, "remote_mirrors", *rest):
                return self._remote_mirrors(request, token, parts[1], rest)
        raise _no_route()

    # --- GET /projects/:id --------------------------------------------------------------

    def _get_project(self, request: Request, token: Token | None, id_or_path: str) -> Answer:
        """lib/api/entities/project.rb and project_with_access.rb, in part. `statistics` are for Reporters
        (https://docs.gitlab.com/api/projects/#retrieve-a-project; app/policies/project_policy.rb, `read_statistics`).
        """
        project = access.project(self._instance, token, id_or_path)
        name = project.path.rsplit("/", 1)[-1]
        held = token.level(project) if token else 0
        membership = {"access_level": held, "notification_level": 3} if held else None
        is_groups = token is not None and token.through_group
        statistics = {}
        if request.query.get("statistics") == "true" and (held >= LEVELS["reporter"] or (token and token.is_admin)):
            # lib/api/entities/project_statistics.rb, in part.
            statistics = {"statistics": {"lfs_objects_size": project.lfs_objects_size}}
        return Answer(200, {
            **statistics, "lfs_enabled": True, "id": project.id, "name": name, "path": name, "path_with_namespace": project.path,
            "default_branch": None if project.is_empty else project.default_branch, "empty_repo": project.is_empty,
            "archived": project.archived, "visibility": "private", "web_url": f"{self._url}/{project.path}",
            "http_url_to_repo": f"{self._url}/{project.path}.git",
            "permissions": {"project_access": None if is_groups else membership,
                            "group_access": membership if is_groups else None},
        })

    # --- GET /projects/:id/protected_branches --------------------------------------------

    def _protected_branches(self, request: Request, token: Token | None, id_or_path: str) -> Answer:
        project = access.project(self._instance, token, id_or_path)
        # lib/api/protected_branches.rb, `authorize_read_protected_branch!` (formerly `authorize_admin_project`): allowed
        # for Maintainers; in newer versions, for Developers.
        if token is None or not (token.is_admin or token.level(project) >= LEVELS["developer"]):
            raise access.forbidden()
        # app/finders/protected_branches_finder.rb: `all_protected_branches`, including those of the groups. They are
        # distinguished by `inherited`, of Premium and Ultimate (https://docs.gitlab.com/api/protected_branches/).
        own, groups = sorted(project.protected_branches), sorted(project.inherited_protected_branches)
        named = [(name, False) for name in own] + [(name, True) for name in groups]
        maintainers = {"id": 1, "access_level": LEVELS["maintainer"], "access_level_description": "Maintainers"}
        listed = [{"id": number, "name": name, "push_access_levels": [maintainers],
                   "merge_access_levels": [maintainers], "allow_force_push": False,
                   **({"inherited": inherited} if self._instance.settings.premium else {})}
                  for number, (name, inherited) in enumerate(named[:_MAX_PROTECTED_BRANCHES], 1)]
        return self._page(request, listed)

    # --- GET /projects/:id/repository/branches --------------------------------------------

    def _branches(self, request: Request, token: Token | None, id_or_path: str) -> Answer:
        """lib/api/branches.rb and app/finders/branches_finder.rb: `regex` is RE2's, in every edition
        (https://docs.gitlab.com/api/branches/#list-all-repository-branches)."""
        project = access.project(self._instance, token, id_or_path)
        if token is None or not (token.is_admin or token.level(project) >= LEVELS["reporter"]):
            raise access.forbidden()
        regex = re.compile(request.query.get("regex", ""))
        listed = [{"name": name, "default": name == project.default_branch, "protected": project.is_protected(name)}
                  for name in sorted(project.branches()) if regex.search(name)]
        return self._page(request, listed)

    # --- /projects/:id/remote_mirrors ----------------------------------------------------

    def _remote_mirrors(self, request: Request, token: Token | None, id_or_path: str, rest: list[str]) -> Answer:
        project = access.project(self._instance, token, id_or_path)
        if token is None or not access.may_administer_mirrors(self._instance, token, project):
            raise access.unauthorized()
        match (request.method, *rest):
            case ("GET",):
                return self._page(request, [self._shown(project, each) for each in
                                            sorted(project.mirrors, key=lambda mirror: mirror.id)])
            case ("POST",):
                made = mirrors.create(self._instance, project, token, request.parameters)
                return Answer(201, self._shown(project, made))
            case ("GET", mirror_id):
                return Answer(200, self._shown(project, self._mirror(project, mirror_id)))
            case ("PUT", mirror_id):
                changed = self._mirror(project, mirror_id)
                mirrors.update(self._instance, project, token, changed, request.parameters)
                return Answer(200, self._shown(project, changed))
            case ("DELETE", mirror_id):
                mirrors.delete(self._instance, project, self._mirror(project, mirror_id))
                return Answer(204)
            case ("POST", mirror_id, "sync"):
                return self._sync(project, self._mirror(project, mirror_id))
        raise _no_route()

    def _sync(self, project: Project, mirror: Mirror) -> Answer:
        """app/services/remote_mirrors/sync_service.rb."""
        if not self._instance.is_enabled(project, mirror):
            return Answer(400, {"message": "Cannot proceed with the push mirroring. "
                                           "Please verify your mirror configuration."})
        if mirror.update_status != "started":
            self._runs.sync(project, mirror)
        return Answer(204)

    def _mirror(self, project: Project, mirror_id: str) -> Mirror:
        found = self._instance.find_mirror(project, int(mirror_id)) if re.fullmatch(r"\d+", mirror_id) else None
        if found is None:
            # lib/api/api.rb, `rescue_from ActiveRecord::RecordNotFound`; not the spelling of `not_found!`.
            raise Rejected(404, {"message": "404 Not found"})
        return found

    def _shown(self, project: Project, mirror: Mirror) -> dict[str, Any]:
        return mirrors.shown(self._instance, project, mirror)

    def _page(self, request: Request, listed: list[dict[str, Any]]) -> Answer:
        """lib/gitlab/pagination/offset_header_builder.rb."""
        page, size = _positive(request.query, "page", 1), _positive(request.query, "per_page", _PER_PAGE)
        size = min(size, _MAX_PER_PAGE)
        pages = max(1, -(-len(listed) // size))
        following = page + 1 if page < pages else None
        before = page - 1 if 1 < page <= pages else None

        def link(to: int, relation: str) -> str:
            query = urlencode({**request.query, "page": to, "per_page": size})
            return f'<{self._url}{request.path}?{query}>; rel="{relation}"'

        links = [link(before, "prev")] if before else []
        links += [link(following, "next")] if following else []
        links += [link(1, "first"), link(pages, "last")]
        return Answer(200, listed[(page - 1) * size:page * size], {
            "X-Per-Page": str(size), "X-Page": str(page), "X-Next-Page": str(following or ""),
            "X-Prev-Page": str(before or ""), "Link": ", ".join(links), "X-Total": str(len(listed)),
            "X-Total-Pages": str(pages)})


def _positive(query: dict[str, str], name: str, default: int) -> int:
    """Grape's Integer. A value below one counts as missing (lib/gitlab/pagination/offset_pagination.rb)."""
    value = query.get(name, "")
    if value and not re.fullmatch(r"-?\d+", value):
        raise mirrors.BadParameters(f"{name} is invalid")
    return max(int(value), 0) or default if value else default


def _no_route() -> Rejected:
    """lib/api/api.rb, `route :any, '*path'`."""
    return Rejected(404, {"error": "404 Not Found"})
