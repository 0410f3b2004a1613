"""The latest deployments of a pipeline, and the revisions with which each can be started again. It changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from cli.environment.account import outputs
from cli.project import projects
from cli.project.projects import DEPLOY, SOURCE, Project, Unread
from cli.rules import ACTIONS
from cli.shell import machine
from cli.shell.failure import Failure
from cli.shell.terminal import shortened

IMAGE = ACTIONS["image"]
# The shown characters of a commit, and of an image's digest.
COMMIT_DIGITS, _IMAGE_DIGITS = 8, 12
_COUNT = 10
# A hundred entries each. An execution has about five actions.
_MAX_PAGES = 30
_MAX_TITLE, _MAX_AUTHOR = 40, 16
# The type and the form of a revision with which a source action can be started.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
_REVISIONS = {"CodeCommit": ("COMMIT_ID", re.compile("[0-9a-f]{40}")),
              "ECR": ("IMAGE_DIGEST", re.compile("sha256:[0-9a-f]{64}"))}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass
class Deployment:
    """An execution whose action Deploy has succeeded, even if it failed later because of an alarm."""

    execution: str
    # The end of its action Deploy.
    at: datetime | None
    # By the names of the source actions. Empty if CodePipeline no longer lists the execution.
    revisions: dict[str, str]
    # That of the execution. Empty if CodePipeline no longer lists it.
    status: str = ""
    is_rollback: bool = False
    # Empty if they are not known.
    title: str = ""
    author: str = ""

    @property
    def has_failed(self) -> bool:
        """After its deployment, for example because of an alarm."""
        return self.status == "Failed"

    @property
    def commit(self) -> str:
        return self.revisions.get(SOURCE, "")

    def cells(self) -> list[str]:
        """Commit, image, author and title."""
        image = self.revisions.get(IMAGE, "").partition(":")[2]
        return [self.commit[:COMMIT_DIGITS] or "-", image[:_IMAGE_DIGITS] or "-", shortened(self.author, _MAX_AUTHOR) or "-",
                shortened(self.title, _MAX_TITLE) or "-"]

    def shown(self) -> str:
        kind, _, digest = self.revisions.get(IMAGE, "").partition(":")
        return f"commit {self.commit[:COMMIT_DIGITS] or '?'}" + (f" and image {kind}:{digest[:_IMAGE_DIGITS]}" if digest else "")


@dataclass
class Attempt:
    """An attempt of the action Deploy that has not succeeded."""

    execution: str
    status: str
    at: datetime
    # Empty if it is not known.
    commit: str = ""

    def shown(self) -> str:
        known = {"Failed": "failed", "InProgress": "is in progress"}
        return (f"a later deployment {known.get(self.status, f'is {self.status}')}: execution {self.execution} "
                f"(commit {self.commit[:COMMIT_DIGITS] or 'not known'})")


def read(client: Any, pipeline: str) -> tuple[list[Deployment], Attempt | None]:
    """The last ten deployments, the latest one first, and the latest attempt after them that has not succeeded."""
    ended: dict[str, datetime] = {}
    other: Attempt | None = None
    pages = client.get_paginator("list_action_executions").paginate(pipelineName=pipeline)
    for _, page in zip(range(_MAX_PAGES), pages):
        for each in page.get("actionExecutionDetails", []):
            if each.get("actionName") != DEPLOY:
                continue
            execution, status = each["pipelineExecutionId"], each.get("status", "")
            if status == "Succeeded":
                ended[execution] = max(ended.get(execution, _LONG_AGO), each.get("lastUpdateTime", _LONG_AGO))
                continue
            # Without a time it counts as later.
            at = each.get("lastUpdateTime") or datetime.now(timezone.utc)
            if other is None or at > other.at:
                other = Attempt(execution, status, at)
        if len(ended) >= _COUNT:
            break
    # A retry of an earlier execution may have deployed later.
    latest = sorted(ended, key=lambda execution: ended[execution], reverse=True)[:_COUNT]
    if not latest:
        return [], None
    later = other if other and other.at > ended[latest[0]] else None
    listed = _executions(client, pipeline, {*latest, *([later.execution] if later else [])})
    if later:
        later.commit = projects.commit_of(listed.get(later.execution, {})).get("revisionId", "")
    return [_deployment(execution, ended[execution], listed.get(execution, {})) for execution in latest], later


def _executions(client: Any, pipeline: str, wanted: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    pages = client.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
    for _, page in zip(range(_MAX_PAGES), pages):
        found.update({each["pipelineExecutionId"]: each for each in page.get("pipelineExecutionSummaries", [])
                      if each["pipelineExecutionId"] in wanted})
        if len(found) == len(wanted):
            break
    return found


def _deployment(execution: str, at: datetime, listed: dict[str, Any]) -> Deployment:
    revisions = {each["actionName"]: each["revisionId"] for each in listed.get("sourceRevisions", []) if each.get("revisionId")}
    title = projects.commit_of(listed).get("revisionSummary", "").strip().split("\n", 1)[0]
    return Deployment(execution, at, revisions, listed.get("status", ""), projects.is_rollback(listed), title)


def read_commits(client: Any, project: Project, deployments: list[Deployment]) -> Unread | None:
    """Adds titles and authors. Returns why some were not read, if so: they are not needed."""
    found = outputs(project.stack)
    if found.get("SourceRepositoryArn"):
        return Unread("GetCommit", "the repository is in another account", "See them in GitLab", "OtherAccount")
    for each in (each for each in deployments if each.commit):
        try:
            commit = client.get_commit(repositoryName=found.get("RepositoryName", ""), commitId=each.commit)["commit"]
        except Exception as error:
            if isinstance(error, ClientError) and "DoesNotExist" in machine.code_of(error):
                continue
            return projects.unread(error, "GetCommit")
        each.title = commit.get("message", "").strip().split("\n", 1)[0] or each.title
        each.author = commit.get("author", {}).get("name", "")
    return None


def overrides(project: Project, declaration: dict[str, Any], chosen: Deployment) -> list[dict[str, str]]:
    """The revision of each source action of the pipeline. One that is missing would be the newest."""
    made = []
    for action in actions_of(declaration, "Source"):
        name, provider = action.get("name", ""), action.get("actionTypeId", {}).get("provider", "")
        revision = chosen.revisions.get(name, "")
        if provider not in _REVISIONS:
            raise Failure(f"source action {name} of {project.pipeline} has the provider {provider}, whose revision this version "
                          "of cfn-gitops cannot name", revert())
        kind, form = _REVISIONS[provider]
        if not revision:
            raise Failure(f"CodePipeline shows no revision of source action {name} for execution {chosen.execution}",
                          f"Choose another one. {revert()}")
        if not form.fullmatch(revision):
            raise Failure(f"the revision {revision} of source action {name} is not a {kind}", revert())
        made.append({"actionName": name, "revisionType": kind, "revisionValue": revision})
    return made


def revert() -> str:
    """The remedy if CodePipeline cannot start the chosen commit. The commits to revert are those after it."""
    return "Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"


def actions_of(declaration: dict[str, Any], category: str) -> list[dict[str, Any]]:
    return [action for stage in declaration.get("stages", []) for action in stage.get("actions", [])
            if action.get("actionTypeId", {}).get("category") == category]


def revisions_of(deployment: Deployment, declaration: dict[str, Any]) -> dict[str, str]:
    """Those of the pipeline's source actions alone: a former version of it may have had others."""
    return {action["name"]: deployment.revisions.get(action["name"], "") for action in actions_of(declaration, "Source")}
