"""Observations of a run in a real account about the assumptions of docs/project/assumptions.yaml."""

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from tests.play import steps, waiting
from tools.run.console import note
from tools.run.story import Story
from tools.trial.gitlab import MAINTAINER
from tools.trial.observers import sources

SOURCE = Path(__file__).parents[2] / "docs/project/assumptions.yaml"
HELD, NOT_HELD, NOT_SEEN = "held", "not held", "not seen"
# CloudWatch shows a new metric within minutes.
_METRIC_DELAY_SECONDS = 900
# The first ten characters of the names of a pipeline's artifacts.
_ARTIFACTS = ("SourceArti", "ImageArtif", "BuildArtif")


@cache
def rows() -> dict[str, dict[str, str]]:
    """Every assumption by its name, those that do the most harm first."""
    harms = yaml.safe_load(SOURCE.read_text())
    return {name: row for of_harm in harms.values() for name, row in of_harm.items()}


def implied(step: str) -> list[str]:
    """The assumptions without which this act would have failed."""
    return [name for name, row in rows().items() if row.get("act") == step]


@dataclass
class Observations:
    """The result for each assumption, with its evidence."""

    _found: dict[str, tuple[bool, str]] = field(default_factory=dict)
    # Why an observer did not see its row.
    _not_seen: dict[str, str] = field(default_factory=dict)
    # The responses that show a row, with their source.
    recorded: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, held: bool, evidence: str) -> None:
        """Stores an observation. An assumption that was refuted once stays refuted."""
        if name not in rows():
            raise ValueError(f"{SOURCE.name} has no assumption {name}")
        if self._found.get(name, (True, ""))[0]:
            self._found[name] = (held, evidence)

    def not_seen(self, name: str, reason: str) -> None:
        self._not_seen[name] = reason

    def rows(self) -> list[tuple[str, str, str]]:
        """Every assumption with its result, those that did not hold first."""

        def row(name: str) -> tuple[str, str, str]:
            if name not in self._found:
                return name, NOT_SEEN, self._not_seen.get(name, "")
            held, evidence = self._found[name]
            return name, HELD if held else NOT_HELD, evidence

        return sorted(map(row, rows()), key=lambda row: [NOT_HELD, HELD, NOT_SEEN].index(row[1]))

    def count(self, result: str) -> int:
        return sum(row[1] == result for row in self.rows())


def after_deployment(story: Story, seen: Observations) -> None:
    outputs, log = story.environment.outputs(), function_log(story)
    created = datetime.fromisoformat(outputs["CredentialCreateDate"])
    complete = next(
        event["Timestamp"]
        for event in story.environment.events()
        if event["LogicalResourceId"] == "MirrorCredential" and event["ResourceStatus"] == "CREATE_COMPLETE"
    )
    took = (complete - created).total_seconds()
    seen.add(
        "login-valid-within-5min", took <= 300, f"the resource was complete {took:.0f} s after the credential"
    )
    issued = [
        line
        for line in log
        if str(line.get("step", "")).startswith("issuing the service-specific credential")
    ]
    if issued:
        differs = abs((datetime.fromisoformat(issued[0]["timestamp"]) - created).total_seconds())
        seen.add("create-date-near-lambda-clock", differs < 60, f"they differ by {differs:.0f} s")
    iam = story.aws.client("iam")
    iam.tag_user(UserName=story.names.user, Tags=[{"Key": "try", "Value": "1"}])
    seconds = duration(
        lambda: "try" in [tag["Key"] for tag in iam.list_user_tags(UserName=story.names.user)["Tags"]],
        "the user's new tag",
    )
    iam.untag_user(UserName=story.names.user, TagKeys=["try"])
    seen.add("tags-visible-within-10s", seconds <= 10, f"shown after {seconds:.1f} s")
    project = story.source.project
    seen.add(
        "branches-regex-parameter",
        project.branches_matching("^no-branch-has-this-name$") == [],
        "a regex that matches no branch",
    )
    if project.level() == MAINTAINER:
        seen.add("statistics-for-maintainer", project.shows_lfs_size(), "GET /projects/:id?statistics=true")


def after_push(story: Story, seen: Observations) -> None:
    project = story.loop.project
    bucket = f"{story.names.bucket_prefix}{story.aws.account_id}-{story.aws.region}"
    pages = (
        story.aws.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix="codepipeline-")
    )
    keys = [each["Key"].split("/") for page in pages for each in page.get("Contents", [])]
    shown = ", ".join("/".join(key) for key in keys[:4])
    if keys:
        begin_so = all(key[0] == project.name[:20] and key[1] in _ARTIFACTS for key in keys)
        seen.add("artifact-keys-begin-with-20-characters", begin_so, shown)
        last = [key[-1] for key in keys]
        # A few keys can refute it, and not show it.
        if len(set(last)) != len(last) or min(map(len, last)) < 7:
            seen.add("artifact-keys-are-random", False, shown)
    failed = [line for line in function_log(story) if "UnknownEvent" in str(line.get("error", ""))]
    seen.add("eventbridge-members-always-present", not failed, f"{len(failed)} unknown events")
    execution = project.executions()[0]["pipelineExecutionId"]
    approval = next(action for action in project.actions(execution) if action["actionName"] == "Approval")
    link = approval.get("input", {}).get("resolvedConfiguration", {}).get("ExternalEntityLink", "")
    if link:
        commit = project.deployed_commit()
        seen.add(
            "approval-link-resolves-variables", link.endswith(commit), f"the link ends with {link[-12:]}"
        )


def after_builds(story: Story, seen: Observations) -> None:
    """Each build's log has its session twice, see `WHO_AM_I`. A session of another name than its build's
    refutes it."""
    project = story.loop.project
    sessions = re.findall(r"assumed-role/[^/\s]+/(\S+)", project.build_log())
    builds = [
        action["output"]["executionResult"]["externalExecutionId"].split(":")[-1]
        for each in project.executions()
        for action in project.actions(each["pipelineExecutionId"])
        if action["actionName"] == "Build" and action["status"] == "Succeeded"
    ]
    expected = sorted(f"AWSCodeBuild-{build}" for build in builds for _ in range(2))
    if len(sessions) == len(expected) >= 4:
        seen.add(
            "codebuild-session-per-build",
            sorted(sessions) == expected,
            f"{len(builds)} builds, {sessions[0]}",
        )
    printed = [
        (event["timestamp"] / 1000, re.match(r"\[Container\] (\S+ \d+:\d+:\d+)", event["message"]))
        for event in project.build_log_events()
    ]
    lags = [
        dated - datetime.strptime(f"{found[1]} +0000", "%Y/%m/%d %H:%M:%S %z").timestamp()
        for dated, found in printed
        if found
    ]
    if lags:
        seen.add("build-log-lags-less-than-30s", max(lags) < 30, f"up to {max(lags):.0f} s")


def after_new_password(story: Story, seen: Observations) -> None:
    kept = {
        each["ParameterKey"]: each["ParameterValue"] for each in story.environment.describe()["Parameters"]
    }
    seen.add(
        "sam-deploy-keeps-parameters",
        kept.get("GitLabProject") == story.source.project.path,
        "GitLabProject, after a deployment without it",
    )


def after_failures(story: Story, seen: Observations) -> None:
    _after_failed_update(story, seen)
    reasons = [reason for reason in story.failing.failures() if "CFG-" in reason]
    seen.add(
        "cleanup-keeps-original-create-reason", bool(reasons), f"{len(reasons)} reasons of the deleted stack"
    )


def _after_failed_update(story: Story, seen: Observations) -> None:
    ends = [
        str(line.get("status"))
        for line in function_log(story)
        if line.get("message") == "end"
        and line.get("logical_id") == "MirrorCredential"
        and line.get("request_type") == "Update"
    ]
    if "FAILED" in ends:
        seen.add(
            "rollback-swaps-properties",
            ends[-2:] == ["FAILED", "SUCCESS"],
            f"Updates: {', '.join(ends[-3:])}",
        )
    iam, user = story.aws.client("iam"), story.names.user
    made = iam.create_service_specific_credential(UserName=user, ServiceName="codecommit.amazonaws.com")
    credential_id = made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    try:
        seconds = duration(
            lambda: credential_id in steps.credential_ids(story.aws, user), "the new credential"
        )
        seen.add("iam-lists-within-10s", seconds <= 10, f"listed after {seconds:.1f} s")
    finally:
        iam.delete_service_specific_credential(UserName=user, ServiceSpecificCredentialId=credential_id)


def releases_again(story: Story, seen: Observations) -> dict[str, str]:
    """Starts the pipeline without a new commit, so it deploys the commit that was rejected before. A second
    start with the same token follows while the approval waits. Then starts it again, and the change set is
    empty. Returns the first approval."""
    project, began = story.loop.project, time.monotonic()
    first = _release(story, "first")
    approval = project.waits_for_approval(first)
    same = _release(story, "first")
    after = time.monotonic() - began
    seen.add("start-token-outlives-a-delivery", same == first, f"a second call after {after:.0f} s")
    status = ""
    for execution in dict.fromkeys((first, same)):
        status = _approved(story, execution)
        note(f"Execution {execution} of the newest commit: {status}.")
    deployed = project.deployed_commit()
    if status != "Succeeded":
        return approval
    last = _release(story, "second")
    waits = _waiting_change_set(story, last)
    status = _approved(story, last)
    note(f"Execution {last} without a change: {status}.")
    if waits and project.deployed_commit() == deployed:
        seen.add(
            "change-set-actions-with-no-changes",
            status == "Succeeded" and waits == "FAILED, UNAVAILABLE, 0 changes",
            f"while the approval waited: {waits}; the execution ended as {status}",
        )
    return approval


def _waiting_change_set(story: Story, execution: str) -> str:
    """The state of the change set while the approval of the execution waits. Empty if it could not be
    read."""
    project = story.loop.project
    try:
        project.waits_for_approval(execution)
        shown = story.aws.client("cloudformation").describe_change_set(
            StackName=project.deployed.name,
            ChangeSetName=f"changeset-{story.names.first}-{project.project_id}",
        )
    except waiting.NotInTime:
        return "no approval"
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return code if code == "ChangeSetNotFound" else ""
    return f"{shown['Status']}, {shown['ExecutionStatus']}, {len(shown['Changes'])} changes"


def _release(story: Story, token: str) -> str:
    started = story.aws.client("codepipeline").start_pipeline_execution(
        name=story.loop.project.name, clientRequestToken=f"{token}-{story.names.first}"
    )
    return str(started["pipelineExecutionId"])


def _approved(story: Story, execution: str) -> str:
    """Approves the execution, if it gets so far, and returns its final status."""
    with contextlib.suppress(waiting.NotInTime):
        story.loop.project.decide(execution)
    return story.loop.project.ended(execution)


def metrics(story: Story, seen: Observations) -> None:
    """CloudWatch has the metrics that the scheduled health check wrote into the log."""
    logged = [line["_aws"]["Timestamp"] / 1000 for line in function_log(story) if "_aws" in line]
    if not logged:
        return
    shown = story.aws.client("cloudwatch").list_metrics(
        Namespace="CfnGitOps", Dimensions=[{"Name": "EnvID", "Value": story.names.first}]
    )["Metrics"]
    if shown or time.time() - min(logged) > _METRIC_DELAY_SECONDS:
        seen.add("embedded-metrics-from-this-runtime", bool(shown), f"CloudWatch has {len(shown)} metrics")


# A build prints its session first and last.
WHO_AM_I = "      - aws sts get-caller-identity --query Arn --output text\n"


def with_sessions(buildspec: str) -> str:
    before, commands, after = buildspec.partition("    commands:\n")
    build, artifacts, rest = after.partition("artifacts:\n")
    return f"{before}{commands}{WHO_AM_I}{build}{WHO_AM_I}{artifacts}{rest}"


def duration(look: Callable[[], bool], what: str) -> float:
    """How long it takes, to a second."""
    began = time.monotonic()
    while not look():
        if time.monotonic() - began > waiting.PACE.seconds:
            raise waiting.NotInTime(what)
        time.sleep(min(1, waiting.PACE.interval))
    return time.monotonic() - began


def function_log(story: Story) -> list[dict[str, Any]]:
    return sources.logged(story.aws, story.environment.function_name)
