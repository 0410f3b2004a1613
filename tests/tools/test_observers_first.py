"""The observers of the first deployment up to the first update: for each, a response that holds and one that refutes.

The responses have the members of AWS's and GitLab's documented ones that the observers read."""

import json
import math
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY, MagicMock

import pytest

from tests.tools.test_observers_later import Answers, rejected

from tools.trial.observers import OBSERVERS, NotSeen, World
from tools.trial.observers import approvals, artifacts, first_deployment, first_push, health_checks, sources, updates

MODULES = (approvals, artifacts, first_deployment, first_push, health_checks, updates)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DENIED = rejected("AccessDenied")
RUN = "tryabcde"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def call(source: str, name: str, role: str, **more: Any) -> dict[str, Any]:
    """A record of CloudTrail."""
    return {"eventSource": f"{source}.amazonaws.com", "eventName": name, "userIdentity": {
        "arn": f"arn:aws:sts::123456789012:assumed-role/role-{RUN}-{role}/session"}, **more}


def response(status: int, body: Any = None) -> Any:
    return SimpleNamespace(status_code=status, json=lambda: body, text=json.dumps(body))


def stack(**more: Any) -> dict[str, Any]:
    return {"stack": more}


def kept(name: str, **what: Any) -> dict[str, Any]:
    return {"kept": {name: what}}


def execution(**project: Any) -> dict[str, Any]:
    return {"codepipeline": {"start_pipeline_execution": {"pipelineExecutionId": "1"}}, "project": {
        "ended": "Failed", "ran": [("Source", "Failed")], **project}}


def uses_of_key(session: str) -> dict[str, Any]:
    """A session writes a build artifact, and a build reads the sources."""
    return {"trail": {"kms.amazonaws.com": [
        {"eventName": name, "userIdentity": {"arn": f"arn:aws:sts::123456789012:assumed-role/role/{by}"}, "requestParameters": {
            "encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::bucket/codepipeline-tryabcde-/{artifact}/a"}}}
        for name, artifact, by in (("GenerateDataKey", "BuildArtif", session), ("Decrypt", "SourceArti", "AWSCodeBuild-b"))]}}


def rule_created(*names: str) -> dict[str, Any]:
    schema = {"handlers": {"create": {"permissions": ["events:PutRule", "events:PutTargets", "events:DescribeRule"]}}}
    return {"trail": {"AWSCloudFormation": [call("events", name, "codedeploy-cfn") for name in names]},
            "cloudformation": {"describe_type": {"Schema": json.dumps(schema)}}}


def caller(assumes: Any) -> dict[str, Any]:
    arn = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_1/olivia"
    return {"sts": {"get_caller_identity": {"Arn": arn}, "assume_role": assumes}}


def checks(*seconds: float) -> dict[str, Any]:
    alarm = {"Namespace": "CfnGitOps", "MetricName": "HealthCheckFailed", "Dimensions": [], "Period": 900}
    return {"cloudwatch": {"describe_alarms": {"MetricAlarms": [alarm]}, "get_metric_statistics": {
        "Datapoints": [{"Timestamp": after(each)} for each in seconds]}}}


def pipeline_created(start: float) -> dict[str, Any]:
    events = [{"ResourceType": "AWS::CodePipeline::Pipeline", "ResourceStatus": status, "Timestamp": after(seconds)}
              for status, seconds in (("CREATE_IN_PROGRESS", 0), ("CREATE_COMPLETE", 5))]
    first = {"startTime": after(start), "trigger": {"triggerType": "CreatePipeline"}}
    return {"project": {"executions": [first], "child.events": events}}


def branch(*statuses: dict[str, Any]) -> dict[str, Any]:
    return {"gitlab": [response(200, {"commit": {"id": "c"}}),
                       *(response(201, {"sha": "c", "name": "probe", **each}) for each in statuses)]}


def canceled(again: dict[str, Any]) -> dict[str, Any]:
    first = branch({"id": 1, "pipeline_id": 7})["gitlab"]
    return {"gitlab": [*first, response(201, {}), response(200, [{"status": "canceled"}]), response(201, again)]}


def two_users(last: int) -> dict[str, Any]:
    posts = branch({"id": 1}, {"id": 2}, {"id": last})["gitlab"]
    return {"gitlab": [response(201, {"id": 9, "token": "t"}), *posts]}


def group_rule(**shown: Any) -> dict[str, Any]:
    return {"gitlab": [response(200, {"namespace": {"full_path": "a/b"}}), response(200, [{"name": "main"}]),
                       response(200, [{"name": "main", **shown}, {"name": "other", "inherited": False}])]}


def copied(content: bytes) -> dict[str, Any]:
    source = {"name": "Source", "actions": [{"outputArtifacts": [{"name": "SourceArtifact"}]}]}
    return {"codepipeline": {"get_pipeline": {"pipeline": {"stages": [source]}}}, "pipeline": {
        "executions": [{"pipelineExecutionId": "1"}], "ended": "Succeeded"}, "s3": {
            "list_objects_v2": {"Contents": [{"Key": "tryabcde-probe/SourceArti/1"}]},
            "get_object": {"Body": SimpleNamespace(read=lambda: content)}}}


def listed(*names: str) -> dict[str, Any]:
    return {"cloudformation": {"list_stacks": {"StackSummaries": [{"StackName": each, "StackId": f"id-{each}"}
                                                                 for each in names]}}, **kept("deployed", nested="id-n")}


def operations(*tokens: str) -> dict[str, Any]:
    return {"cloudformation": {"describe_events": {"OperationEvents": [{"ClientRequestToken": each} for each in tokens]}}}


def begun(*newest: str) -> dict[str, Any]:
    """The described operations of a stack whose events show two."""
    events = [{"PhysicalResourceId": ANY, "ResourceStatus": status, "OperationId": each}
              for status, each in (("UPDATE_IN_PROGRESS", "two"), ("CREATE_IN_PROGRESS", "one"))]
    described = [{"OperationType": "UPDATE_STACK", "OperationId": each} for each in newest]
    return {**stack(describe={"LastOperations": described}), "cloudformation": {"describe_stack_events": {"StackEvents": events}}}


def note(identity: int, system: bool = False) -> dict[str, Any]:
    return {"id": identity, "system": system}


DEPLOYED = {"status": "UPDATE_COMPLETE", "failures": {}, "nested": "id-n"}
CALLS = [call("cloudformation", "CreateChangeSet", "codepipeline-cfn")]
EXISTS = "AWS::EarlyValidation::ResourceExistenceCheck"
# By row: what holds, and what refutes.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "role-not-assumable-texts": ({"rejection": "Role r is invalid or cannot be assumed"}, {"rejection": "Wait until the role exists"}),
    "output-value-of-4096-bytes": (stack(outputs={"Output0": "0" * 4096}), stack(outputs={}, failures=["Output0 is too long"])),
    "output-of-several-kilobytes": (stack(outputs={f"Output{n}": "0" * 4096 for n in range(4)}),
                                    stack(outputs={"Output0": "0" * 4096}, failures=["The outputs are too long"])),
    "validation-ends-in-a-known-status": (
        stack(describe={"StackStatus": "ROLLBACK_COMPLETE", "StackStatusReason": EXISTS}, failures=[]),
        stack(describe={"StackStatus": "ROLLBACK_FAILED"}, failures=[EXISTS])),
    "describe-events-newest-first": (operations("two", "two", "one"), operations("one", "two")),
    "last-operations-newest-first": (begun("two"), begun("one", "two")),
    "codecommit-403-without-push": ({"login": 403}, {"login": 200}),
    "status-shows-its-pipeline": (branch({"id": 1, "pipeline_id": 7}, {"id": 1, "pipeline_id": 7}),
                                  branch({"id": 1, "pipeline_id": 7}, {"message": "404 Pipeline Not Found"})),
    "canceled-status-is-posted-again": (canceled({"status": "running"}), canceled({"message": "Cannot transition"})),
    "status-of-another-user-stays-retried": (two_users(1), two_users(3)),
    "inherited-attribute-shown": (group_rule(inherited=True), group_rule()),
    "artifact-version-not-pinned": (copied(sources.archive({"README.md": "another version"})), copied(b"PK")),
    "build-reads-artifacts-with-its-role": (uses_of_key("AWSCodeBuild-b"), uses_of_key("1700000000000")),
    "deploy-action-permissions": ({"trail": {"cloudformation.amazonaws.com": CALLS},
                                   "granted": {"cloudformation:CreateChangeSet"}},
                                  {"trail": {"cloudformation.amazonaws.com": CALLS}, "granted": set()}),
    "handlers-publish-what-they-need": (rule_created("DescribeRule", "PutRule"), rule_created("DescribeRule")),
    "permission-set-in-principal-arn": (caller({}), caller([{}, DENIED] * 2)),
    "template-url-with-colon": ({}, {"lambda": {"update_function_code": [DENIED, {}]}}),
    "version-and-alias-actions": (kept("deployed", **DEPLOYED), kept("deployed", **DEPLOYED | {
        "failures": {"Version1": "not authorized to perform: lambda:PutRuntimeManagementConfig"}})),
    "runtime-alias-resource": (kept("deployed", **DEPLOYED), kept("deployed", **DEPLOYED | {
        "failures": {"Function": "not authorized to perform: lambda:AssociateRuntimeAlias"}})),
    "nested-stack-read-actions": (kept("deployed", **DEPLOYED), kept("deployed", **DEPLOYED | {
        "failures": {"Nested": "not authorized to perform: cloudformation:DescribeStackEvents"}})),
    "merge-requests-of-a-pushed-commit": (kept("merge request", seconds=2.0), kept("merge request", seconds=math.inf)),
    "only-comments-filter": (kept("merge request", all=[note(1), note(2, True)], comments=[note(1)]),
                             kept("merge request", all=[note(1), note(2, True)], comments=[note(1), note(2, True)])),
    "note-body-is-unchanged": (kept("merge request", written="a\r\nb\n", read="a\nb"),
                               kept("merge request", written="<a>", read="&lt;a>")),
    "revision-when-the-source-has-succeeded": (kept("execution", revisions=[{"revisionId": "c"}]),
                                               kept("execution", revisions=[])),
    "approval-last-status-change": (kept("execution", requested=NOON, approval={"lastStatusChange": after(1)}),
                                    kept("execution", requested=NOON, approval={"lastStatusChange": after(900)})),
    "failed-source-shows-no-commit": (execution(executions=[{"pipelineExecutionId": "1"}]), execution(
        executions=[{"pipelineExecutionId": "1", "sourceRevisions": [{"revisionId": "0"}]}])),
    "list-stacks-is-complete": (listed("cfn-gitops", "child", "n", "failing"), listed("cfn-gitops", "child", "failing")),
    "alarm-covers-late-check": (checks(0, 900, 2700), checks(0, 900, 3600)),
    "canceled-execution-shows-its-end": (
        kept("execution", ended=NOON, canceled={"status": "Cancelled", "lastUpdateTime": after(2)}),
        kept("execution", ended=NOON, canceled={"status": "Cancelled", "lastUpdateTime": after(-300)})),
    "clocks-of-stack-events-and-executions": (pipeline_created(2), pipeline_created(-20)),
    "guard-of-env-id-names-itself": (stack(failures=[f"Rename policy-{RUN}-probe and update the stack again."]),
                                     stack(failures=["The policy cannot be replaced."])),
}


def world_of(given: dict[str, Any], patch: pytest.MonkeyPatch) -> World:
    """A world in which every service and every source has the given responses."""
    story, project = MagicMock(), MagicMock()
    clients = {name: Answers(given.get(name, {})) for name in (
        "cloudformation", "cloudwatch", "codepipeline", "iam", "lambda", "s3", "secretsmanager", "sts")}
    story.names.first, story.aws.account_id = RUN, "123456789012"
    story.aws.client.side_effect = lambda service: clients.get(service, MagicMock())
    story.loop.project.stack_name, story.environment.name, story.failing.id = "child", "cfn-gitops", "id-failing"
    story.loop.project.configure_mock(**{f"{name}.return_value": value for name, value in given.get("project", {}).items()})
    made = MagicMock(**{f"{name}.return_value": value for name, value in given.get("stack", {}).items()})
    answers = iter(given.get("gitlab", []))
    for name, replaced in {
        "role": lambda *_, **__: nullcontext("arn"), "function": lambda *_, **__: nullcontext("name"),
        "user": lambda *_: nullcontext("user"), "stack": lambda *_, **__: nullcontext(made), "bucket": lambda _: "bucket",
        "update": lambda *_, **__: "UPDATE_COMPLETE", "gitlab": lambda *_, **__: next(answers),
        "trail": lambda _, value, *__: given["trail"].get(value, [])}.items():
        patch.setattr(sources, name, replaced)
    for module in MODULES:
        patch.setattr(module, "seconds_until", lambda look, *_: 0.0 if look() else math.inf, raising=False)
    pipeline = MagicMock(**{f"{name}.return_value": value for name, value in given.get("pipeline", {}).items()})
    patch.setattr(artifacts, "Pipeline", lambda *_: pipeline)
    login = MagicMock(**{"status.return_value": given.get("login")})
    patch.setattr(first_deployment, "issue_login", lambda *_: login)
    patch.setattr(first_deployment, "_rejection", lambda *_: given["rejection"])
    patch.setattr(approvals.steps, "granted_actions", lambda *_: given["granted"])
    return World(story, project, dict(given.get("kept", {})))


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_row_is_held_or_refuted_by_a_response(name: str, held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = CASES[name][0 if held else 1]
    found = OBSERVERS[name](world_of(given, monkeypatch))
    assert found is not None and found.held is held and found.evidence
    json.dumps(found.recorded, default=str)


def test_every_observer_has_both_cases() -> None:
    own = {name for name, observer in OBSERVERS.items() if observer.__module__ in {each.__name__ for each in MODULES}}
    assert own == set(CASES)


# By row: a response that shows neither.
UNCLEAR: dict[str, dict[str, Any]] = {
    "role-not-assumable-texts": {"rejection": "Rate exceeded"},
    "output-value-of-4096-bytes": stack(outputs={}, failures=["Rate exceeded"]),
    "validation-ends-in-a-known-status": stack(describe={"StackStatus": "ROLLBACK_COMPLETE"}, failures=["exists"]),
    "describe-events-newest-first": operations("two"),
    "last-operations-newest-first": begun(),
    "inherited-attribute-shown": {"gitlab": [*group_rule()["gitlab"][:2], response(200, [])]},
    "status-shows-its-pipeline": {"gitlab": [branch()["gitlab"][0], response(429, {})]},
    "status-of-another-user-stays-retried": {"gitlab": [response(403, {})]},
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_row_is_not_seen_by_another_response(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSeen):
        OBSERVERS[name](world_of(UNCLEAR[name], monkeypatch))


def test_trail_has_only_records_of_the_run() -> None:
    texts = [json.dumps(record) for record in (call("kms", "Decrypt", "cfn"), {"eventName": "Decrypt"})]
    client = Answers({"lookup_events": {"Events": [{"CloudTrailEvent": text} for text in texts]}})
    story = MagicMock()
    story.names.first, story.aws.client.return_value = RUN, client
    world = World(story, MagicMock())
    assert sources.trail(world, "Decrypt") == [json.loads(texts[0])]
    assert sources.trail(world, "Decrypt", eventName="Encrypt") == []
