"""The REST API: routes requests, and answers those about a project and its remote mirrors (lib/api/remote_mirrors.rb,
`GET /projects/:id`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from tests.local.gitlab import (
    access, branches, commits, deployments, environments, history, merge_requests, mirrors, notes, protected_branches,
    rest, statuses, tags, users)
from tests.local.gitlab.mirror_runs import Runs
from tests.local.gitlab.rest import PREFIX, Answer, Call, Rejected, Request, no_route
from tests.local.gitlab.state import LEVELS, Instance, Mirror, Project, Token


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
        token = access.authenticated(self._instance, request.headers, request.method, of_jobs=parts[2:3] == ["releases"])
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
        handle: Callable[[Call], Answer]
        match (request.method, *parts):
            case ("GET", "repository", "commits"):
                handle = commits.listed
            case ("GET", "repository", "commits", sha, "statuses"):
                handle = partial(statuses.listed, sha=sha)
            case ("POST", "statuses", sha):
                handle = partial(statuses.posted, sha=sha)
            case (_, "repository", "commits", sha, "discussions", *more):
                handle = partial(notes.answer_for_commit, name=sha, parts=more)
            case ("GET", "repository", "commits", sha, "merge_requests"):
                handle = partial(commits.its_merge_requests, name=sha)
            case ("GET", "repository", "merge_base"):
                handle = history.merge_base
            case ("GET", "events"):
                handle = history.events
            case (_, "repository", "branches", *more):
                handle = partial(branches.answer, parts=more)
            case (_, "repository", "tags", *more):
                handle = partial(tags.answer, runs=self._runs, parts=more)
            case (_, "releases", *more):
                handle = partial(tags.releases, runs=self._runs, parts=more)
            case ("GET", "protected_tags"):
                handle = tags.protected
            case ("GET", "deploy_keys"):
                handle = tags.deploy_keys
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
        return handle(Call(self._instance, request, *access.project(self._instance, token, id_or_path)))

    # --- GET /projects/:id --------------------------------------------------------------

    def _get_project(self, request: Request, token: Token | None, id_or_path: str) -> Answer:
        """lib/api/entities/project.rb and project_with_access.rb, in part. `statistics` are for Reporters
        (https://docs.gitlab.com/api/projects/#retrieve-a-project; app/policies/project_policy.rb, `read_statistics`).
        """
        caller, project = access.project(self._instance, token, id_or_path)
        name, held = project.path.rsplit("/", 1)[-1], caller.level(project)
        statistics = {}
        if request.query.get("statistics") == "true" and held >= LEVELS["reporter"]:
            # lib/api/entities/project_statistics.rb, in part.
            statistics = {"statistics": {"lfs_objects_size": project.lfs_objects_size}}
        return Answer(200, {
            **statistics, "lfs_enabled": True, "id": project.id, "name": name, "path": name,
            "path_with_namespace": project.path,
            **({"mirror": False} if self._instance.settings.premium else {}),
            # `default_branch_or_main` in lib/api/entities/basic_project_details.rb: an empty project has one, too.
            "default_branch": project.default_branch, "empty_repo": project.is_empty,
            "archived": False, "visibility": "private", "builds_access_level": "enabled",
            "environments_access_level": "enabled", "releases_access_level": "enabled",
            "ci_push_repository_for_job_token_allowed": False, "web_url": f"{self._url}/{project.path}",
            "http_url_to_repo": f"{self._url}/{project.path}.git",
            "permissions": {"project_access": {"access_level": held, "notification_level": 3}, "group_access": None},
        })

    # --- /projects/:id/remote_mirrors ----------------------------------------------------

    def _remote_mirrors(self, request: Request, token: Token | None, id_or_path: str, parts: list[str]) -> Answer:
        caller, project = access.project(self._instance, token, id_or_path)
        # app/policies/project_policy.rb: `(mirror_available & can?(:admin_project)) | admin`. No caller is an
        # administrator of the instance.
        if not (self._instance.settings.mirror_available and access.is_allowed(caller, project, "admin_project")):
            raise rest.unauthorized()
        match (request.method, *parts):
            case ("GET",):
                return rest.page(self._url, request, [mirrors.shown(self._instance, each) for each in project.mirrors])
            case ("POST",):
                made = mirrors.create(self._instance, project, request.parameters)
                return Answer(201, mirrors.shown(self._instance, made))
            case ("GET", mirror_id):
                return Answer(200, mirrors.shown(self._instance, self._mirror(project, mirror_id)))
            case ("PUT", mirror_id):
                changed = self._mirror(project, mirror_id)
                mirrors.update(self._instance, project, changed, request.parameters)
                return Answer(200, mirrors.shown(self._instance, changed))
            case ("DELETE", mirror_id):
                mirrors.delete(self._instance, project, self._mirror(project, mirror_id))
                return Answer(204)
            case ("POST", mirror_id, "sync"):
                return self._sync(project, self._mirror(project, mirror_id))
        raise no_route()

    def _sync(self, project: Project, mirror: Mirror) -> Answer:
        """app/services/remote_mirrors/sync_service.rb."""
        if not self._instance.is_enabled(mirror):
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
