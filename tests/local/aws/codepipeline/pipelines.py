"""The pipelines and their executions. Hold a pipeline's `changed` to change its executions."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

_pipelines = AccountRegionScopedDict()

Artifact = dict[str, str]  # bucket, key
ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}


@dataclass
class ActionRun:
    stage: str
    declaration: dict[str, Any]
    action_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    role_arn: str = ""
    configuration: dict[str, str] = field(default_factory=dict)  # with its variables resolved
    inputs: dict[str, Artifact] = field(default_factory=dict)
    outputs: dict[str, Artifact] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    external_id: str = ""
    external_url: str = ""
    summary: str = ""
    error: dict[str, str] | None = None  # code, message
    revision: dict[str, Any] | None = None  # a source's: revisionId, revisionSummary
    updated_by: str = ""
    approval_token: str = ""
    approval: dict[str, str] | None = None  # PutApprovalResult's values

    @property
    def name(self) -> str:
        return str(self.declaration["name"])


@dataclass
class Execution:
    """One execution of a pipeline, with the declaration at its start."""

    declaration: dict[str, Any]
    trigger: dict[str, str]
    overrides: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # source action -> source revision override
    execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    summary: str = ""
    started: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    stages: dict[str, str] = field(default_factory=dict)  # name -> status, for the stages that it entered
    actions: list[ActionRun] = field(default_factory=list)
    rolls_back: str = ""  # the stage that ended with the result ROLLBACK
    rollback_to: Execution | None = None  # the execution that a rollback repeats in one stage
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    waits_for: str = ""  # the stage that it waits for
    stop_reason: str | None = None
    outdated: bool = False  # the pipeline has been updated since
    attempt: int = 1  # one more for each retried stage
    kept: set[tuple[str, str]] = field(
        default_factory=set
    )  # stage and name of the actions that a retry skips
    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def mode(self) -> str:
        return str(self.declaration["executionMode"])

    @property
    def version(self) -> int:
        return int(self.declaration["version"])

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def execution_type(self) -> str:
        return "ROLLBACK" if self.rollback_to else "STANDARD"

    def sources(self) -> list[ActionRun]:
        """ "The target pipeline execution chosen for rollback is used to retrieve source revisions and
        variables."

        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
        """
        return [run for run in (self.rollback_to or self).actions if run.revision]

    def latest(self, stage: str, action: str) -> ActionRun | None:
        return next((run for run in reversed(self.actions) if (run.stage, run.name) == (stage, action)), None)


@dataclass(frozen=True)
class Transition:
    """The last change of a transition into a stage."""

    enabled: bool
    by: str
    reason: str = ""
    at: float = field(default_factory=time.time)


@dataclass
class Pipeline:
    declaration: dict[str, Any]
    account: str
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    executions: list[Execution] = field(default_factory=list)  # oldest first
    tokens: dict[str, str] = field(default_factory=dict)  # clientRequestToken -> execution id
    stage_holders: dict[str, str] = field(default_factory=dict)  # stage -> the execution in that stage
    transitions: dict[str, Transition] = field(
        default_factory=dict
    )  # stage -> the last change of the one into it
    deleted: bool = False
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    def execution(self, execution_id: str) -> Execution | None:
        return next((run for run in self.executions if run.execution_id == execution_id), None)


def create(declaration: dict[str, Any], tags: dict[str, str]) -> Pipeline:
    made = Pipeline({**declaration, "version": 1}, get_account_id(), get_region(), dict(tags))
    _pipelines[made.name] = made
    return made


def update(held: Pipeline, declaration: dict[str, Any]) -> None:
    with held.changed:
        # "A new pipeline always has a version number of 1. This number is incremented when a pipeline is
        # updated." https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineDeclaration.html
        held.declaration = {**declaration, "version": held.declaration["version"] + 1}
        held.updated = time.time()


def find(name: str) -> Pipeline | None:
    return _pipelines.get(name)


def every() -> list[Pipeline]:
    return sorted(_pipelines.values(), key=lambda held: held.name)


def delete(held: Pipeline) -> None:
    _pipelines.pop(held.name, None)
    with held.changed:
        held.deleted = True
        for run in held.executions:
            if not run.ended:
                run.stop_reason = "The pipeline was deleted"
                run.abandoned.set()
        held.changed.notify_all()
