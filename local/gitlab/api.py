"""The REST API: routes requests, and answers those about a project and its remote mirrors (lib/api/remote_mirrors.rb,
`GET /projects/:id`)."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

from local.gitlab import (
    access, branches, commits, deployments, environments, history, merge_requests, mirrors, notes, protected_branches,
    rest, statuses, tags, users)
from local.gitlab.mirror_runs import Runs
from local.gitlab.rest import PREFIX, Answer, Call, Rejected, Request, no_route
from local.gitlab.state import LEVELS, Instance, Mirror, Project, Token


class Api:
    def __init__(self, instance: Instance, runs: Runs, url: str) -> None:
        self._instance, self._runs, self._url = instance, runs, url

    def answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Rejected as rejected:
            return Answer(rejected.status, rejected.body)
        except rest.BadParameters as bad:
            return Answer(400, {"error": str(bad)})
        except rest.Invalid as invalid:
            return Answer(400, {"message": invalid.errors})

    def _route(self, request: Request) -> Answer:
        parts = [unquote(part) for part in request.path.removeprefix(PREFIX).split("/")]
        if parts == ["personal_access_tokens", "self"] and request.method == "GET":
            return self._own_token(request)
        if parts[0] not in ("projects", "users") or len(parts) < 2:
            raise no_route()
        token = access.authenticated(self._instance, request.headers, request.method)
        if parts[0] == "users":
            if token is None:
                raise rest.unauthorized()
            return users.by_id(self._instance, parts[1])
        match (request.method, *parts[2:]):
            case ("GET",):
                return self._get_project(request, token, parts[1])
            case (_, "remote_mirrors", *more):
                return self._remote_mirrors(request, token, parts[1], more)
        return self._route_reports(request, token, parts[1], parts[2:])

    def _own_token(self, request: Request) -> Answer:
        token = access.authenticated(self._instance, request.headers, request.method, any_scope=True)
        if token is None:
            raise rest.unauthorized()
        return users.token_information(self._instance, token)

    def _route_reports(self, request: Request, token: Token | None, id_or_path: str, parts: list[str]) -> Answer:
        """Branches, commits, their statuses and threads, environments, deployments, and the notes of merge requests."""
        handle: partial[Answer]
        match (request.method, *parts):
            case ("GET", "repository", "commits"):
                handle = partial(commits.listed)
            case ("GET", "repository", "commits", sha, "statuses"):
                handle = partial(statuses.listed, sha=sha)
            case ("POST", "statuses", sha):
                handle = partial(statuses.posted, sha=sha)
            case (_, "repository", "commits", sha, "discussions", *more):
                handle = partial(notes.answer_for_commit, name=sha, parts=more)
            case (_, "repository", "commits", sha, *more):
                handle = partial(commits.answer, name=sha, parts=more)
            case ("GET", "repository", "merge_base"):
                handle = partial(history.merge_base)
            case ("GET", "events"):
                handle = partial(history.events)
            case (_, "repository", "branches", *more):
                handle = partial(branches.answer, parts=more)
            case (_, "repository", "tags", *more):
                handle = partial(tags.answer, runs=self._runs, parts=more)
            case ("GET", "protected_tags"):
                handle = partial(tags.protected)
            case ("GET", "deploy_keys"):
                handle = partial(tags.deploy_keys)
            case ("GET", "members", "all", number):
                handle = partial(users.member, number=number)
            case (_, "protected_branches", *more):
                handle = partial(protected_branches.answer, parts=more)
            case (_, "environments", *more):
                handle = partial(environments.answer, parts=more)
            case (_, "deployments", *more):
                handle = partial(deployments.answer, parts=more)
            case (_, "merge_requests", iid, "notes", *more):
                handle = partial(notes.answer_for_merge_request, iid=iid, parts=more)
            case (_, "merge_requests", *more):
                handle = partial(merge_requests.answer, parts=more)
            case _:
                raise no_route()
        # Commits and branches of a public project need no token. The other files call `authenticate!` first.
        if token is None and handle.func not in (
                commits.answer, branches.answer, protected_branches.answer, history.merge_base, history.events):
            raise rest.unauthorized()
        return handle(Call(self._instance, request, token, access.project(self._instance, token, id_or_path)))

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
            **statistics, "lfs_enabled": True, "id": project.id, "name": name, "path": name,
            "path_with_namespace": project.path,
            **({"mirror": project.is_pull_mirror} if self._instance.settings.premium else {}),
            # `default_branch_or_main` in lib/api/entities/basic_project_details.rb: an empty project has one, too.
            "default_branch": project.default_branch, "empty_repo": project.is_empty,
            "archived": project.archived, "visibility": project.features.visibility,
            "builds_access_level": project.features.builds,
            "environments_access_level": project.features.environments, "web_url": f"{self._url}/{project.path}",
            "http_url_to_repo": f"{self._url}/{project.path}.git",
            "permissions": {"project_access": None if is_groups else membership,
                            "group_access": membership if is_groups else None},
        })

    # --- /projects/:id/remote_mirrors ----------------------------------------------------

    def _remote_mirrors(self, request: Request, token: Token | None, id_or_path: str, parts: list[str]) -> Answer:
        project = access.project(self._instance, token, id_or_path)
        if token is None or not access.may_administer_mirrors(self._instance, token, project):
            raise rest.unauthorized()
        match (request.method, *parts):
            case ("GET",):
                return rest.page(self._url, request, [self._shown(project, each) for each in
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
        raise no_route()

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
            raise rest.no_record()
        return found

    def _shown(self, project: Project, mirror: Mirror) -> dict[str, Any]:
        return mirrors.shown(self._instance, project, mirror)
