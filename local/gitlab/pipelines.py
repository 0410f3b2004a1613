"""Pipelines of GitLab CI, and the external ones that a commit status creates."""

from __future__ import annotations

import time
from typing import Any

from local.gitlab.records import Pipeline, User
from local.gitlab.state import Instance, Project


def create(instance: Instance, project: Project, sha: str, ref: str, source: str, user: User) -> Pipeline:
    with instance.changes:
        made = Pipeline(instance.next_id(), len(project.records.pipelines) + 1, sha, ref, source, user, time.time())
        project.records.pipelines.append(made)
        return made


def latest(project: Project, sha: str) -> Pipeline | None:
    """The newest pipeline of the commit (app/models/ci/pipeline.rb, `newest_first`)."""
    found = [each for each in project.records.pipelines if each.sha == sha]
    return found[-1] if found else None


def state(pipeline: Pipeline) -> str:
    """lib/gitlab/ci/status/composite.rb, for the states that occur here. Retried statuses are ignored."""
    states = {each.state for each in pipeline.statuses if not each.is_retried}
    if not states:
        return "created"
    for only, result in (({"skipped"}, "skipped"), ({"success", "skipped"}, "success"), ({"created"}, "created"),
                         ({"canceled", "success", "skipped"}, "canceled"),
                         ({"pending", "created", "skipped"}, "pending")):
        if states <= only:
            return result
    return "running" if states & {"running", "pending", "created"} else "failed"


def shown(instance: Instance, project: Project, pipeline: Pipeline) -> dict[str, Any]:
    """lib/api/entities/ci/pipeline_basic.rb, in part."""
    return {"id": pipeline.id, "iid": pipeline.iid, "project_id": project.id, "sha": pipeline.sha, "ref": pipeline.ref,
            "status": state(pipeline), "source": pipeline.source,
            "web_url": f"{instance.url}/{project.path}/-/pipelines/{pipeline.id}"}
