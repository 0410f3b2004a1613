"""The projects of an environment, as CloudFormation, CodePipeline, EventBridge and CloudWatch show them. It changes nothing.

The function's health check concludes the same from the same calls: src/gitops_pipeline/health.rs, executions/ and
pushes/missed_push.rs. An unknown value of AWS is shown as it is, and never counts as healthy.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import diagnosis, stack_statuses
from cli.environment.account import Environment, outputs, owner_of, parameters
from cli.environment.pending import Pending
from cli.project import approvals, pipelines
from cli.rules import ACTIONS, PIPELINES, event_rules, name_of
from cli.shell import machine
from cli.shell.failure import Failure
from cli.shell.output import Finding, Found, NotChecked, Sound
from cli.shell.spelling import did_you_mean

SOURCE, BUILD, APPROVAL, DEPLOY = (ACTIONS[each] for each in ("source", "build", "approval", "deploy"))
# The call of the mirrors: '{"Doctor": …}', as `cfn-gitops doctor` invokes the function.
DIAGNOSIS = "the diagnosis"
UNKNOWN_VALUE = "UnknownValue"
_CONCURRENT = 10
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4},
                max_pool_connections=_CONCURRENT)
# A comparison of the health check is repeated once a day.
_DRIFT_HOURS = 25
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html (MetricDataQueries)
_MAX_QUERIES = 500
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ENDED = {"Succeeded": True, "Failed": False}
# The values of AWS that this version reads. Nothing is concluded from another one.
_EXECUTIONS = (*_ENDED, "InProgress", "Stopped", "Stopping", "Superseded", "Cancelled")
_ACTIONS = (*_ENDED, "InProgress", "Abandoned")
_DRIFTS = ("IN_SYNC", "NOT_CHECKED", "DRIFTED")
_RULES = (*pipelines.ENABLED, "DISABLED")


@dataclass
class Unread:
    """A call that was denied or failed, or an unknown value in its response."""

    call: str
    reason: str
    remedy: str
    code: str

    def members(self) -> dict[str, str]:
        return {"call": self.call, "code": self.code, "reason": self.reason, "remedy": self.remedy}


@dataclass
class Approval:
    execution: str
    stage: str
    action: str
    since: datetime | None


@dataclass
class FailedAction:
    """The action that failed. Without one, CodePipeline's summary of the execution is the cause."""

    action: str
    stage: str
    cause: str
    by: str
    at: datetime | None


@dataclass
class Transition:
    """A disabled transition into a stage."""

    stage: str
    by: str
    reason: str
    at: datetime | None

    def enabling(self, pipeline: str) -> str:
        """The command that enables it."""
        return (f"aws codepipeline enable-stage-transition --pipeline-name {pipeline} --stage-name {self.stage} "
                "--transition-type Inbound")


@dataclass
class Drift:
    stack: str
    # DRIFTED if CloudFormation or the health check found drift. Otherwise CloudFormation's.
    status: str
    checked: datetime | None
    by_health_check: bool = False


@dataclass
class Project:
    """A project, as far as it was read. An attribute is `None` if it was not read: `unread` has the reason."""

    name: str
    stack: dict[str, Any]
    pipeline: str
    # Empty if it was not read.
    deployed_stack_name: str
    # Why its stack is not that of a pipeline of cfn-gitops.
    unreadable: str = ""
    owner_exists: bool = True
    is_outdated: bool | None = None
    version: int = 0
    pushed: bool = True
    pipeline_exists: bool | None = None
    approvals: list[Approval] | None = None
    disabled: list[Transition] | None = None
    # The newest first.
    executions: list[dict[str, Any]] | None = None
    failed_actions: list[FailedAction] | None = None
    # The latest execution that entered the stage of the action Deploy.
    in_deploy_stage: str = ""
    # An execution whose action Deploy succeeded, and that failed later, for example because of an alarm.
    deployed_and_failed: tuple[dict[str, Any], datetime | None] | None = None
    # The states of its event rules, without those that do not exist.
    rules: dict[str, str] | None = None
    deployed_stack: dict[str, Any] | None = None
    # That of the deployed stack is the first one, if that stack exists.
    drifts: list[Drift] = field(default_factory=list)
    # Those of the function's diagnosis about its repository. Empty if it shows no mirror.
    mirrors: list[Finding] | None = None
    unread: list[Unread] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether its stack is being created, so that it has no outputs yet."""
        return not self.stack.get("Outputs") and self.stack["StackStatus"] == stack_statuses.CREATE_IN_PROGRESS

    @property
    def event_rules(self) -> dict[str, str]:
        """Their names. No environment has a hyphen."""
        return event_rules(self.pipeline.split("-")[1], self.name)

    def missing_rules(self) -> list[str]:
        """The event rules that its stack declares and that do not exist, as the keys of `event_rules`."""
        found = outputs(self.stack)
        is_declared = {"push": True, "image": "ImageEventRuleName" in found, "review": '"Review":' in found.get("ChangeSets", "")}
        return [kind for kind, declared in is_declared.items() if declared and self.rules is not None and kind not in self.rules]

    def held_by(self) -> list[str]:
        """Its disabled event rules, as the keys of `event_rules`."""
        return [kind for kind, state in (self.rules or {}).items() if state == "DISABLED"]

    def expect(self, call: str, subject: str, value: str, known: Container[str]) -> None:
        """Notes a value that this version does not know."""
        if value not in known:
            self.unread.append(Unread(call, f"{subject} is {value or 'empty'}, which this version of cfn-gitops does not know",
                                      "Look at it in the console, and use a newer version of cfn-gitops", UNKNOWN_VALUE))

    def newest(self) -> dict[str, Any] | None:
        return self.executions[0] if self.executions else None

    def execution(self, execution_id: str) -> dict[str, Any]:
        return next((each for each in self.executions or [] if each["pipelineExecutionId"] == execution_id), {})

    def failure(self) -> dict[str, Any] | None:
        """The newest execution that succeeded or failed, if it failed."""
        ended = next((each for each in self.executions or [] if each.get("status") in _ENDED), None)
        return None if ended is None or _ENDED[ended["status"]] else ended

    def deployed(self) -> tuple[dict[str, Any], datetime | None] | None:
        """The execution that deployed last, and when. `None` if no listed one did."""
        if self.deployed_and_failed:
            return self.deployed_and_failed
        succeeded = [each for each in self.executions or [] if each.get("status") == "Succeeded"]
        # It may have started before a rollback.
        last = max(succeeded, key=lambda each: each.get("lastUpdateTime") or _LONG_AGO, default=None)
        return (last, last.get("lastUpdateTime")) if last else None

    def may_be_deployed(self) -> bool:
        """Whether the stack exists, which no listed execution deployed."""
        return bool(self.deployed_stack and self.deployed_stack["StackStatus"] in stack_statuses.ONCE_COMPLETE)

    def remedy(self, environment: Environment, action: str) -> str:
        """The next step after the failure of an action."""
        if action == BUILD:
            return f"Read its log: aws logs tail /aws/codebuild/{name_of('build_project', environment.env_id, self.name)} --since 1d"
        if action in (DEPLOY, ACTIONS["create_change_set"]) and self.deployed_stack:
            return f"See what failed: cfn-gitops failures {self.deployed_stack_name} --env {environment.settings.table}"
        return f"See the execution: {self.console(environment)}"

    def console(self, environment: Environment) -> str:
        """The console's page of its pipeline."""
        return approvals.page_of(self.pipeline, environment.account.region, self._partition)

    def execution_console(self, environment: Environment, execution: str) -> str:
        """The console's page of an execution."""
        return approvals.execution_page_of(self.pipeline, execution, environment.account.region, self._partition)

    @property
    def _partition(self) -> str:
        return "".join(self.stack["StackId"].split(":")[1:2])


def commit_of(execution: dict[str, Any]) -> dict[str, Any]:
    """The revision of the code. Empty if the execution has read none yet, or only the image."""
    return next((each for each in execution.get("sourceRevisions", []) if each.get("actionName") == SOURCE), {})


def is_rollback(execution: dict[str, Any]) -> bool:
    return execution.get("executionType", "STANDARD") != "STANDARD"


def read(environment: Environment, seconds: float) -> list[Project]:
    """Every project of the environment. Waits for the function's diagnosis for `seconds`, and does not start it for 0."""
    account, env_id = environment.account, environment.env_id
    # A session creates its clients in one thread only.
    services = ("events", "codepipeline", "cloudwatch")
    events, codepipeline, cloudwatch = (account.client(each, config=CONFIG) for each in services)
    function = diagnosis.client_of(environment) if seconds else None
    limit = threading.Semaphore(_CONCURRENT)
    rules = Pending(lambda: _read_rules(events, env_id), limit)
    stacks = account.stacks()
    stack = environment.stack(stacks)
    diagnosing = None
    if function:
        diagnosing = Pending(lambda: diagnosis.function_checks(environment, stack, function), threading.Semaphore())
    projects = [_project(child, stack, stacks, env_id) for child in pipelines.children_of(stacks, env_id)]
    readable = [each for each in projects if not each.unreadable]
    for pending in [Pending(lambda each=each: _read_pipeline(codepipeline, each, stacks), limit)  # type: ignore[misc]
                    for each in readable if each.pushed]:
        pending.result()
    _add_rules(readable, *rules.result())
    # The pipelines name the stacks.
    _add_drift_metrics(readable, *_read_drift_metrics(cloudwatch, env_id, readable))
    if diagnosing:
        _add_mirrors(readable, diagnosing.result(seconds), seconds)
    return projects


def find(environment: Environment, name: str) -> Project:
    """One project, with nothing read but its stack. Raises `Failure` if it has no pipeline that can run."""
    account, env_id, env = environment.account, environment.env_id, environment.settings.table
    own, child = environment.stack(), account.stack(name_of("stack", env_id, name))
    if child is None or not owner_of(child):
        known: list[str] = []
        # A suggestion must not hide the failure.
        with contextlib.suppress(BotoCoreError, ClientError):
            children = pipelines.children_of(account.stacks(), env_id)
            known = [pipelines.project_of(each, env_id) for each in children]
        raise Failure(f"environment {env_id} has no project {name} in {environment.place}" + did_you_mean(name, known),
                      f"See its projects: cfn-gitops status --env {env}")
    project = _project(child, own, [own, child], env_id)
    if project.unreadable:
        raise Failure(f"the stack {child['StackName']} is not that of a pipeline: {project.unreadable}",
                      f"See what failed: cfn-gitops failures {child['StackName']} --env {env}")
    if not project.pushed:
        raise Failure(f"project {name} has no pipeline, because its branch was never pushed", "Push it first")
    return project


def _project(child: dict[str, Any], environment: dict[str, Any], stacks: list[dict[str, Any]], env_id: str) -> Project:
    name, found = pipelines.project_of(child, env_id), outputs(child)
    pipeline = pipelines.pipeline_of(child, env_id)
    project = Project(name, child, pipeline, _deployed_stack_name(found) or name_of("deployed_stack", env_id, name))
    if len(env_id + name) > PIPELINES["max_characters"]:
        project.unreadable = "its name is too long for a project"
    elif not child.get("Outputs"):
        project.unreadable = "it has never been complete"
    elif problem := pipelines.unreadable(child):
        project.unreadable = problem
    elif found["PipelineName"] != pipeline:
        project.unreadable = f"its output PipelineName is {found['PipelineName']}, not {pipeline}"
    project.expect("DescribeStacks", f"the status of stack {child['StackName']}", child["StackStatus"], stack_statuses.KNOWN)
    if project.unreadable:
        return project
    project.version = pipelines.version_of(child) or 0
    if version := pipelines.version_of(environment):
        project.is_outdated = project.version < version
    else:
        project.unread.append(Unread("RenderingVersion", f"stack {environment['StackName']} has no such output",
                                     "Deploy this version of it: sam deploy", "NoOutput"))
    project.owner_exists = any(each["StackId"] == owner_of(child) for each in stacks)
    project.pushed = parameters(child).get("BranchExists") != "false"
    project.drifts = [_drift(project, child)]
    _add_deployed_stack(project, stacks)
    return project


def _add_deployed_stack(project: Project, stacks: list[dict[str, Any]]) -> None:
    project.deployed_stack = next((each for each in stacks if each["StackName"] == project.deployed_stack_name), None)
    if stack := project.deployed_stack:
        project.expect("DescribeStacks", f"the status of stack {stack['StackName']}", stack["StackStatus"], stack_statuses.KNOWN)
        project.drifts.insert(0, _drift(project, stack))


def _deployed_stack_name(found: dict[str, str]) -> str:
    """Another one than the default. Only pipelines with reviews or reports of drift show it: see `stack_name_of`."""
    try:
        name = json.loads(found.get("ChangeSets", "{}"))["StackName"]
    except (KeyError, TypeError, ValueError):
        return ""
    return name if isinstance(name, str) else ""


def _drift(project: Project, stack: dict[str, Any]) -> Drift:
    name, information = stack["StackName"], stack.get("DriftInformation", {})
    drift = Drift(name, information.get("StackDriftStatus", "NOT_CHECKED"), information.get("LastCheckTimestamp"))
    project.expect("DescribeStacks", f"the drift status of stack {name}", drift.status, _DRIFTS)
    return drift


def _read_pipeline(client: Any, project: Project, stacks: list[dict[str, Any]]) -> None:
    """Its approvals and transitions, and then its executions: so those of the approvals are listed."""
    project.pipeline_exists = _noted(project, lambda: read_state(client, project))
    if project.pipeline_exists is not False:
        _noted(project, lambda: _read_executions(client, project))
    # An older one than a success decides nothing.
    for each in itertools.takewhile(lambda each: each.get("status") != "Succeeded", project.executions or []):
        project.expect("ListPipelineExecutions", f"the status of execution {each['pipelineExecutionId']}", each.get("status", ""),
                       _EXECUTIONS)
    if failure := project.failure():
        _noted(project, lambda: _read_failure(client, project, failure))
    # A pipeline without an execution has deployed nothing.
    if not project.deployed_stack and project.executions != []:
        project.deployed_stack_name = _noted(
            project, lambda: stack_name_of(client.get_pipeline(name=project.pipeline)["pipeline"])) or ""
        _add_deployed_stack(project, stacks)


def _noted(project: Project, call: Callable[[], Any]) -> Any:
    """The result of the call. `None` if it failed, which is noted."""
    try:
        return call()
    except Exception as error:
        if isinstance(error, ClientError) and machine.code_of(error) == "PipelineNotFoundException":
            return False
        project.unread.append(unread(error, "CodePipeline"))
        return None


def unread(error: Any, call: str) -> Unread:
    """Raises the error if it is a defect."""
    failure, code = machine.explained(error), machine.code_of(error) if isinstance(error, ClientError) else type(error).__name__
    if failure is None:
        raise error
    return Unread(getattr(error, "operation_name", call), failure.problem, failure.remedy, code)


def stack_name_of(pipeline: dict[str, Any]) -> str:
    """That of the action Deploy. Its property `Deploy.StackName` may name another stack than the default. Empty if the pipeline
    names none."""
    names = (action.get("configuration", {}).get("StackName", "") for stage in pipeline.get("stages", [])
             for action in stage.get("actions", []) if action.get("name") == DEPLOY)
    return str(next(names, ""))


def read_state(client: Any, project: Project) -> bool:
    """Reads its approvals and disabled transitions. Its executions need not be read yet."""
    waiting: list[Approval] = []
    disabled: list[Transition] = []
    for stage in client.get_pipeline_state(name=project.pipeline).get("stageStates", []):
        name, transition = stage.get("stageName", ""), stage.get("inboundTransitionState", {})
        if not transition.get("enabled", True):
            disabled.append(Transition(name, transition.get("lastChangedBy", ""), transition.get("disabledReason", ""),
                                       transition.get("lastChangedAt")))
        for action in stage.get("actionStates", []):
            if action.get("actionName") == DEPLOY:
                project.in_deploy_stage = stage.get("latestExecution", {}).get("pipelineExecutionId", "")
            latest = action.get("latestExecution", {})
            if "status" in latest:
                project.expect("GetPipelineState", f"the status of action {action.get('actionName')}", latest["status"], _ACTIONS)
            if approvals.is_waiting(action):
                waiting.append(Approval(stage.get("latestExecution", {}).get("pipelineExecutionId", ""), name,
                                          action.get("actionName", ""), latest.get("lastStatusChange")))
    project.approvals, project.disabled = waiting, disabled
    return True


def _read_executions(client: Any, project: Project) -> None:
    listed: list[dict[str, Any]] = []
    for page in client.get_paginator("list_pipeline_executions").paginate(pipelineName=project.pipeline):
        listed += page.get("pipelineExecutionSummaries", [])
        project.executions = listed
        if len(listed) >= pipelines.MAX_EXECUTIONS or any(each.get("status") == "Succeeded" for each in listed):
            return


def _read_failure(client: Any, project: Project, failure: dict[str, Any]) -> None:
    latest = actions_of(client, project.pipeline, failure["pipelineExecutionId"])
    project.failed_actions = [
        FailedAction(name, each.get("stageName", ""), cause_of(each), each.get("updatedBy", ""), each.get("lastUpdateTime"))
        for name, each in latest.items() if each.get("status") == "Failed"]
    # A later execution may have failed in an earlier stage.
    deploying = project.execution(project.in_deploy_stage)
    if deploying.get("status") == "Failed" and deploying != failure and _is_after_success(project, deploying):
        failure, latest = deploying, actions_of(client, project.pipeline, deploying["pipelineExecutionId"])
    deploy = latest.get(DEPLOY, {})
    if deploy.get("status") == "Succeeded":
        project.deployed_and_failed = failure, deploy.get("lastUpdateTime")


def _is_after_success(project: Project, execution: dict[str, Any]) -> bool:
    listed = project.executions or []
    return "Succeeded" not in [each.get("status") for each in listed[:listed.index(execution)]]


def actions_of(client: Any, pipeline: str, execution: str) -> dict[str, dict[str, Any]]:
    """The latest attempt of each action of an execution."""
    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    latest: dict[str, dict[str, Any]] = {}
    for attempt in (each for page in pages for each in page.get("actionExecutionDetails", [])):
        # CodePipeline lists the latest attempt first.
        latest.setdefault(attempt.get("actionName", ""), attempt)
    return latest


def cause_of(attempt: dict[str, Any]) -> str:
    result = attempt.get("output", {}).get("executionResult", {})
    return str(result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "")


def _read_rules(client: Any, env_id: str) -> tuple[dict[str, str] | None, Unread | None]:
    """The states of the event rules by their names."""
    try:
        pages = client.get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{env_id}-")
        return {rule["Name"]: rule.get("State", "") for page in pages for rule in page["Rules"]}, None
    except Exception as error:
        return None, unread(error, "ListRules")


def _add_rules(projects: Iterable[Project], rules: dict[str, str] | None, unread: Unread | None) -> None:
    for project in projects:
        if rules is not None:
            project.rules = {kind: rules[name] for kind, name in project.event_rules.items() if name in rules}
        for kind, state in (project.rules or {}).items():
            project.expect("ListRules", f"the state of event rule {project.event_rules[kind]}", state, _RULES)
        project.unread += [unread] if unread else []


def _read_drift_metrics(client: Any, env_id: str, projects: Iterable[Project]) -> tuple[dict[str, datetime], Unread | None]:
    """When a comparison of the health check within a day found drift, by the stacks' names.

    CloudFormation does not show its comparisons in a stack's drift status. The metric has the stack's name only while
    the stack has drift, so its absence proves nothing."""
    names = sorted({each.stack for project in projects for each in project.drifts})
    found: dict[str, datetime] = {}
    statuses: dict[str, str] = {}
    now = datetime.now(timezone.utc)
    try:
        for first in range(0, len(names), _MAX_QUERIES):
            queries = [{"Id": f"m{number}", "MetricStat": {"Period": 3600, "Stat": "Maximum", "Metric": {
                "Namespace": "CfnGitOps", "MetricName": "DriftedResources", "Dimensions": [
                    {"Name": "EnvID", "Value": env_id}, {"Name": "StackName", "Value": name}]}}}
                       for number, name in enumerate(names[first:first + _MAX_QUERIES])]
            pages = client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=now - timedelta(hours=_DRIFT_HOURS), EndTime=now)
            for each in (each for page in pages for each in page["MetricDataResults"]):
                name = names[first + int(each["Id"][1:])]
                statuses[name] = each.get("StatusCode", "")
                times = [at for at, value in zip(each["Timestamps"], each["Values"]) if value > 0]
                if times:
                    found[name] = max([*times, *([found[name]] if name in found else [])])
        # Of the last page that has the metric.
        if incomplete := {each for each in statuses.values() if each != "Complete"}:
            return found, Unread("GetMetricData", f"CloudWatch's result is {', '.join(sorted(incomplete))}", "Run this again", "Incomplete")
        return found, None
    except Exception as error:
        return {}, unread(error, "GetMetricData")


def _add_drift_metrics(projects: Iterable[Project], found: dict[str, datetime], unread: Unread | None) -> None:
    for project in projects:
        for drift in project.drifts:
            # Even if CloudFormation checked it since: the metric's time is the beginning of an hour, and of another clock.
            if at := found.get(drift.stack):
                drift.status, drift.checked, drift.by_health_check = "DRIFTED", at, True
        project.unread += [unread] if unread else []


def _add_mirrors(projects: Iterable[Project], findings: list[Finding] | None, seconds: float) -> None:
    unread = None
    if findings is None:
        unread = Unread(DIAGNOSIS, f"the function's diagnosis takes longer than {seconds:g} s",
                        "Wait longer with --wait, or leave the mirrors out with --wait 0", "TimeLimit")
    elif not isinstance(findings[0], Sound):
        unread = Unread(DIAGNOSIS, f"the function's diagnosis: {findings[0].text}",
                        findings[0].remedy + ". Or leave the mirrors out: --wait 0", findings[0].code)
    # A mirror that is not shown may be one of these.
    hidden = next((each for each in (findings or [])[1:]
                   if isinstance(each, NotChecked) or isinstance(each, Found) and each.subject.startswith("secret ")), None)
    for project in projects:
        found = outputs(project.stack)
        # The mirror of a repository in another account is that account's.
        if unread is None and not found.get("SourceRepositoryArn"):
            about = f" repository {found.get('RepositoryName')}"
            project.mirrors = [each for each in (findings or [])[1:] if each.subject.endswith(about)]
            if not project.mirrors and hidden:
                project.mirrors = None
                project.unread.append(Unread(DIAGNOSIS, f"it shows no mirror, and {hidden.subject}: {hidden.text}",
                                             hidden.remedy, hidden.code))
        project.unread += [unread] if unread else []
