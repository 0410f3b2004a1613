"""The latest deployments of a pipeline, and the revisions with which each can be started again. It changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from cli import projects
from cli.account import outputs
from cli.failure import Failure
from cli.projects import DEPLOY, SOURCE, Project
from cli.terminal import shortened

# The name of the image's source action: src/gitops_pipeline/executions/mod.rs.
IMAGE = "Image"
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
    is_rollback: bool = False
    # Empty if they are not known.
    title: str = ""
    author: str = ""

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


def read(client: Any, pipeline: str) -> list[Deployment]:
    """The last ten deployments. The first one is deployed now."""
    ended: dict[str, datetime] = {}
    pages = client.get_paginator("list_action_executions").paginate(pipelineName=pipeline)
    for _, page in zip(range(_MAX_PAGES), pages):
        for each in page.get("actionExecutionDetails", []):
            if each.get("actionName") == DEPLOY and each.get("status") == "Succeeded":
                execution = each["pipelineExecutionId"]
                ended[execution] = max(ended.get(execution, _LONG_AGO), each.get("lastUpdateTime", _LONG_AGO))
        if len(ended) >= _COUNT:
            break
    # A retry of an earlier execution may have deployed later.
    latest = sorted(ended, key=lambda execution: ended[execution], reverse=True)[:_COUNT]
    listed = _executions(client, pipeline, set(latest)) if latest else {}
    return [_deployment(execution, ended[execution], listed.get(execution, {})) for execution in latest]


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
    return Deployment(execution, at, revisions, projects.is_rollback(listed), title)


def read_commits(client: Any, project: Project, deployments: list[Deployment]) -> str:
    """Adds titles and authors. Returns why some were not read, or an empty text."""
    found = outputs(project.stack)
    if found.get("SourceRepositoryArn"):
        return "the repository is in another account"
    for each in (each for each in deployments if each.commit):
        try:
            commit = client.get_commit(repositoryName=found.get("RepositoryName", ""), commitId=each.commit)["commit"]
        except ClientError as error:
            if "DoesNotExist" not in projects.machine.code_of(error):
                return projects.unread(error, "GetCommit").reason
            continue
        each.title = commit.get("message", "").strip().split("\n", 1)[0] or each.title
        each.author = commit.get("author", {}).get("name", "")
    return ""


def overrides(project: Project, declaration: dict[str, Any], chosen: Deployment) -> list[dict[str, str]]:
    """The revision of each source action of the pipeline. One that is missing would be the newest."""
    revert = f"Revert the commit in GitLab instead: git revert {chosen.commit or '<commit>'}"
    made = []
    for action in actions_of(declaration, "Source"):
        name, provider = action.get("name", ""), action.get("actionTypeId", {}).get("provider", "")
        revision = chosen.revisions.get(name, "")
        if provider not in _REVISIONS:
            raise Failure(f"source action {name} of {project.pipeline} has the provider {provider}, whose revision this version "
                          "of cfn-gitops cannot name", revert)
        kind, form = _REVISIONS[provider]
        if not revision:
            raise Failure(f"CodePipeline shows no revision of source action {name} for execution {chosen.execution}",
                          f"Choose another one. {revert}")
        if not form.fullmatch(revision):
            raise Failure(f"the revision {revision} of source action {name} is not a {kind}", revert)
        made.append({"actionName": name, "revisionType": kind, "revisionValue": revision})
    return made


def actions_of(declaration: dict[str, Any], category: str) -> list[dict[str, Any]]:
    return [action for stage in declaration.get("stages", []) for action in stage.get("actions", [])
            if action.get("actionTypeId", {}).get("category") == category]


def revisions_of(deployment: Deployment, declaration: dict[str, Any]) -> dict[str, str]:
    """Those of the pipeline's source actions alone: a former version of it may have had others."""
    return {action["name"]: deployment.revisions.get(action["name"], "") for action in actions_of(declaration, "Source")}
