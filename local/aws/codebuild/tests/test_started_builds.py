"""Builds without a pipeline: started by a call or by a rule, and events that start no build."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack, allow, policy, error_of


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("the condition did not become true in time")


def a_role(aws: LocalAws, name: str, service: str, *statements: dict[str, Any]) -> str:
    iam = aws.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy({
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return arn


def a_project(aws: LocalAws, name: str, *commands: str) -> str:
    role = a_role(aws, f"{name}-build", "codebuild.amazonaws.com", allow("logs:*", "*"))
    spec = json.dumps({"version": 0.2, "phases": {"build": {"commands": list(commands)}}}, indent=1)
    arn: str = aws.client("codebuild").create_project(
        name=name, source={"type": "NO_SOURCE", "buildspec": spec}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL",
                     "environmentVariables": [{"name": "WHAT", "value": "something"}]},
        serviceRole=role)["project"]["arn"]
    return arn


def a_queue(aws: LocalAws, name: str, **attributes: str) -> tuple[str, str]:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(aws: LocalAws, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]).get("Messages", [])
    return found


def ended(aws: LocalAws, build_id: str) -> dict[str, Any]:
    def build() -> dict[str, Any] | None:
        found: dict[str, Any] = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        return found if found["buildStatus"] != "IN_PROGRESS" else None

    return until(build)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("command", "status"), [("echo $WHAT in $(ls | wc -l) files", "SUCCEEDED"), ("exit 3", "FAILED")])
def test_started_build_runs_commands_and_reports_its_result(aws: LocalAws, name: str, command: str,
                                                            status: str) -> None:
    a_project(aws, name, command)
    url, arn = a_queue(aws, name)
    events = aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.codebuild"], "detail": {"project-name": [name]}}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    started = aws.client("codebuild").start_build(projectName=name)["build"]
    assert started["buildStatus"] == "IN_PROGRESS"
    build = ended(aws, started["id"])
    assert build["buildStatus"] == status
    lines = aws.client("logs").get_log_events(
        logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"])["events"]
    assert any(line["message"] == "something in 0 files" for line in lines) == (status == "SUCCEEDED")
    message_attributes = until(lambda: [each for each in [received(aws, url)] if len(each) == 2])[0]
    details = [json.loads(message["Body"])["detail"] for message in message_attributes]
    assert {detail["build-status"] for detail in details} == {"IN_PROGRESS", status}
    assert {detail["build-id"] for detail in details} == {build["arn"]}


def test_stopped_build_has_the_status_stopped(aws: LocalAws, name: str) -> None:
    a_project(aws, name, "sleep 600")
    codebuild = aws.client("codebuild")
    build_id = codebuild.start_build(projectName=name)["build"]["id"]
    codebuild.stop_build(id=build_id)
    until(lambda: any(phase["phaseType"] == "BUILD" and "endTime" in phase
                      for phase in codebuild.batch_get_builds(ids=[build_id])["builds"][0]["phases"]))
    assert ended(aws, build_id)["buildStatus"] == "STOPPED"


def test_invalid_build_override_is_rejected(aws: LocalAws, name: str) -> None:
    a_project(aws, name, "true")
    code, status, _ = error_of(aws.client("codebuild").start_build, projectName=name, buildspecOverride="version: 0.2")
    assert (code, status) == ("InvalidInputException", 400)


class Ruled:
    """A rule whose target is a build, with a dead-letter queue whose policy allows it."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name = aws, name
        self.events = aws.client("events")
        self.rule = self.events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
        self.url, self.queue = a_queue(aws, name)
        self.admit(self.rule)

    def admit(self, rule: str, **conditions: dict[str, str]) -> None:
        self.aws.client("sqs").set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": self.queue, "Condition": {"ArnEquals": {"aws:SourceArn": rule}, **conditions}})})

    def target(self, arn: str, role: str) -> None:
        self.events.put_targets(Rule=self.name, Targets=[
            {"Id": "build", "Arn": arn, "RoleArn": role, "DeadLetterConfig": {"Arn": self.queue}}])

    def send(self) -> None:
        self.events.put_events(Entries=[{"Source": self.name, "DetailType": "test", "Detail": '{"a": 1}'}])

    def builds(self) -> list[str]:
        found: list[str] = self.aws.client("codebuild").list_builds_for_project(projectName=self.name)["ids"]
        return found


@pytest.fixture
def ruled(aws: LocalAws, name: str) -> Ruled:
    return Ruled(aws, name)


def test_a_rule_starts_a_build_with_its_targets_role(ruled: Ruled) -> None:
    arn = a_project(ruled.aws, ruled.name, "true")
    ruled.target(arn, a_role(ruled.aws, ruled.name, "events.amazonaws.com", allow("codebuild:StartBuild", arn)))
    ruled.send()
    (build_id,) = until(ruled.builds)
    assert ended(ruled.aws, build_id)["initiator"] == f"rule/{ruled.name}"
    assert received(ruled.aws, ruled.url) == []


@pytest.mark.parametrize(("service", "action", "project", "code"), [
    ("events.amazonaws.com", "codebuild:StopBuild", "{}", "NO_PERMISSIONS"),
    ("lambda.amazonaws.com", "codebuild:StartBuild", "{}", "FAILED_TO_ASSUME_ROLE"),
    ("events.amazonaws.com", "codebuild:StartBuild", "{}-absent", "NO_RESOURCE"),
])
def test_event_without_effect_is_kept_with_its_reason(ruled: Ruled, service: str, action: str, project: str,
                                                             code: str) -> None:
    arn = a_project(ruled.aws, ruled.name, "true")
    ruled.target(arn.replace(ruled.name, project.format(ruled.name)),
                 a_role(ruled.aws, ruled.name, service, allow(action, "*")))
    ruled.send()
    (message,) = until(lambda: received(ruled.aws, ruled.url))
    message_attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert (message_attributes["ERROR_CODE"], message_attributes["RULE_ARN"]) == (code, ruled.rule)
    assert json.loads(message["Body"])["detail"] == {"a": 1}
    assert ruled.builds() == []


@pytest.mark.parametrize("is_another", [True, False], ids=["another rule", "an account, which EventBridge does not send"])
def test_queue_that_allows_only_another_rule_gets_nothing(ruled: Ruled, is_another: bool) -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
    if is_another:
        ruled.admit(f"{ruled.rule}-another")
    else:
        ruled.admit(ruled.rule, StringEquals={"aws:SourceAccount": ruled.aws.account_id})
    arn = a_project(ruled.aws, ruled.name, "true")
    ruled.target(arn, a_role(ruled.aws, ruled.name, "events.amazonaws.com", allow("codebuild:StopBuild", arn)))
    ruled.aws.forget()
    ruled.send()
    until(lambda: [each for each in ruled.aws.decisions("events.amazonaws.com") if each["resource"] == ruled.queue])
    assert received(ruled.aws, ruled.url) == []


def test_repeated_token_starts_one_build(aws: LocalAws, name: str) -> None:
    a_project(aws, name, "true")
    codebuild = aws.client("codebuild")
    first, again = (codebuild.start_build(projectName=name, idempotencyToken="a")["build"]["id"] for _ in range(2))
    assert first == again
    assert codebuild.list_builds_for_project(projectName=name)["ids"] == [first]
    code = error_of(codebuild.start_build, projectName=name, idempotencyToken="a", sourceVersion="b")[0]
    assert code == "InvalidInputException"
    assert codebuild.start_build(projectName=name, idempotencyToken="c")["build"]["id"] != first


def test_event_above_the_limit_of_a_project_is_retried(aws: LocalAws, ruled: Ruled, name: str) -> None:
    """"If the build project has a concurrent build limit set, builds return an error"."""
    role = a_role(aws, f"{name}-build", "codebuild.amazonaws.com", allow("logs:*", "*"))
    spec = json.dumps({"version": 0.2, "phases": {"build": {"commands": ["sleep 1"]}}}, indent=1)
    project = {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": name, "ServiceRole": role, "ConcurrentBuildLimit": 1,
        "Source": {"Type": "NO_SOURCE", "BuildSpec": spec}, "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "Image": "image", "ComputeType": "BUILD_GENERAL1_SMALL"}}}
    assert Stack(aws, name).create({"Project": project}) == "CREATE_COMPLETE"
    arn = f"arn:aws:codebuild:{aws.region}:{aws.account_id}:project/{name}"
    ruled.target(arn, a_role(aws, f"{name}-events", "events.amazonaws.com", allow("codebuild:StartBuild", arn)))
    ruled.send()
    until(ruled.builds)
    assert error_of(aws.client("codebuild").start_build, projectName=name)[0] == "AccountLimitExceededException"
    ruled.send()
    assert len(ruled.builds()) == 1
    second = until(lambda: [each for each in [ruled.builds()] if len(each) == 2])[0]
    assert {ended(aws, each)["buildStatus"] for each in second} == {"SUCCEEDED"}
