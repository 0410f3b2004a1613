"""The observers from the options of a pipeline on: for each row a documented response with which it holds, and one with
which it does not."""

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.trial.observers import (
    OBSERVERS, NotSeen, World, attackers, builds, change_sets, deletions, people, pipeline_options, repositories, rotations)
from tools.trial.observers.scenes import Scene
from tools.run.story import Names

MODULES = (attackers, builds, change_sets, deletions, people, pipeline_options, repositories, rotations)
RUN = "try12345"
PROBE = f"{RUN}-probe"
NAMES = Names(RUN, RUN, f"{RUN}p", f"{RUN}p", f"{RUN}x", f"{RUN}-other", f"{RUN}-feature", f"{RUN}-review/*",
              f"{RUN}-review/one")
COMMIT, UUID4 = "1" * 40, "0b56a7f2-9d4b-4a8e-9f0c-6f5a7e4d3c2b"
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class Answers:
    """The client of a service. A response is a value, an exception, or a list with one for each call, whose last one
    repeats. A call without a response returns an empty object."""

    def __init__(self, responses: dict[str, Any]) -> None:
        self._responses = responses
        self.meta = SimpleNamespace(endpoint_url="")

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **_: self._answer(operation)

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [self._answer(operation)])

    def _answer(self, operation: str) -> Any:
        answer = self._responses.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def world(project: Any = None, mirrored: dict[str, str] | None = None, **services: dict[str, Any]) -> World:
    """A world whose services answer with these responses."""
    clients = {name.replace("_", "-"): Answers(responses) for name, responses in services.items()}
    aws = SimpleNamespace(client=lambda service: clients.setdefault(service, Answers({})), account_id="111122223333",
                          region="eu-central-1")
    loop = SimpleNamespace(project=SimpleNamespace(
        mirrored=lambda: mirrored or {}, review_project="review", name="pipeline", repository="repository"))
    environment = SimpleNamespace(describe=lambda: {"CreationTime": datetime.now(UTC) - timedelta(hours=2)})
    return World(SimpleNamespace(aws=aws, names=NAMES, loop=loop, environment=environment), project)  # type: ignore[arg-type]


def rejected(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def instantly(look: Callable[[], Any], limit: float = 120) -> float:
    """`seconds_until` without a clock."""
    return 1.0 if any(look() for _ in range(4)) else math.inf


@dataclass
class Row:
    """The view of an observer by a response, with one response that holds and one that does not."""

    look_at: Callable[[Any], Any]
    held: Any
    refuted: Any


def double(**members: Any) -> Any:
    """A scene. A member that is a function becomes a method."""
    return SimpleNamespace(world=world(), **members)


def clone(**members: Any) -> Any:
    return SimpleNamespace(**{name: lambda *_, **__: None for name in ("rename", "push", "push_latest")} | members)


def repository(**members: Any) -> Any:
    nothing = {"commit": lambda **_: COMMIT, "codecommit": Answers({}), "name": PROBE, "url": "", "login": None,
               "user": "user", "clone": clone()}
    return double(**(nothing | members))


def changing(shown: Any, deleted: Any = None, described: Any = None, stack: Any = None, **responses: Any) -> Any:
    """A stack whose change set is shown so."""
    cloudformation = {"describe_change_set": shown, "delete_change_set": deleted or {}, **responses}
    services = {"cloudformation": cloudformation, "s3": {}, "logs": {"describe_log_groups": {"logGroups": []}}}
    held = change_sets.Changing(world(**services), stack or SimpleNamespace(
        name=PROBE, outputs=lambda: {"Value": "first"}, status=lambda: "UPDATE_COMPLETE", describe=lambda: described), "role")
    return held


def change_set(status: str = "CREATE_COMPLETE", *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Status": status, "ChangeSetId": "id", "Changes": [{"ResourceChange": each} for each in changes], **more}


def change(resource: str, action: str = "Modify", drift: str = "", **more: Any) -> dict[str, Any]:
    return {"LogicalResourceId": resource, "Action": action, **({"ResourceDriftStatus": drift} if drift else {}), **more}


def building(**members: Any) -> Any:
    return double(**({"ids": lambda *_: [f"probe:{UUID4}"], "event": lambda _: None, "start": lambda *_, **__: "id",
                      "commits": [COMMIT, "2" * 40], "version": lambda _: "refs/heads/b^{1}", "waits_idle": lambda: None,
                      "runs": lambda _: True} | members))


def built(**more: Any) -> Any:
    return building(ended=lambda _: {"buildStatus": "FAILED", "currentPhase": "COMPLETED", **more})


def started_by(*detail_types: str) -> Any:
    """Events of these types start a build."""
    ids: list[str] = []
    return building(ids=lambda *_: list(ids), event=lambda each: ids.append("probe:id") if each in detail_types else None)


def retried(is_started: bool) -> Any:
    """Another build starts when the first one ends, or EventBridge stops its attempts."""
    ids = ["probe:1"]
    return building(ids=lambda *_: list(ids), ended=lambda _: ids.append("probe:2") if is_started else None,
                    has_stopped=lambda *_: True)


def reviewed(**build: Any) -> World:
    return world(codebuild={"list_builds_for_project": {"ids": ["id"]}, "batch_get_builds": {
        "builds": [{"buildStatus": "SUCCEEDED", "resolvedSourceVersion": COMMIT, **build}]}})


def optional(**members: Any) -> Any:
    """A pipeline. Its methods return what `pipeline` has for them."""
    pipeline = {name: (lambda *_, value=value, **__: value) for name, value in {
        "name": PROBE, "decide": None, "ended": None, "status": "Succeeded", "rollback_of": "rollback", "ran": [],
        "actions": [], **members.pop("pipeline", {})}.items()}
    held = double(**({"first": "execution", "latest": "execution", "waiting": ["a", "b"], "client": Answers({}),
                      "set": lambda *_, **__: None, "store": lambda _: None, "alarm": lambda *_: None, "start": lambda: "execution",
                      "stage": lambda *_: {"latestExecution": {"pipelineExecutionId": "a"}},
                      "condition": lambda _: {}, "has_source": lambda *_: None, "stop": lambda _: None,
                      "pipeline": SimpleNamespace(**pipeline | {"name": PROBE})} | members))
    return held


def with_parameters(values: dict[str, str]) -> Any:
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    held = optional()
    held.world = world(cloudformation={"describe_stacks": {"Stacks": [{"Parameters": parameters}]}})
    return held


def approved(principal: str) -> Any:
    result = {"externalExecutionSummary": "Approved by user as a probe"}
    action = {"actionName": "Approval", "updatedBy": principal, "output": {"executionResult": result}}
    return optional(pipeline={"actions": [action]})


def provider(requests: list[dict[str, Any]], stack: Any = None) -> Any:
    return double(requests=lambda *_, **__: requests, resource=lambda *_: nullcontext(stack))


def requested(*requests: tuple[str, str]) -> Any:
    """Requests of these kinds, each with a date or an ID."""
    shown = [{"probe": kind, "date": text, "PhysicalResourceId": text, "host": "host"} for kind, text in requests]
    made = SimpleNamespace(id="id", events=list, name=PROBE, aws=world().story.aws, wait=lambda: "")
    return double(resource=lambda *_: nullcontext(made), custom=lambda *_, **__: {},
                  requests=lambda _="", kind="": [each for each in shown if kind in ("", each["probe"])])


def responded(status: str) -> Any:
    return provider([{"probe": "answer"}] * 2, SimpleNamespace(
        id="id", outputs=lambda: {"Number": "0"}, status=lambda: status, failures=lambda: ["a probe"]))


def addressed(host: str) -> Any:
    return provider([{"host": host, "path": "/arn"}])


def tagged(value: str) -> World:
    return world(iam={"list_user_tags": {"Tags": [{"Key": "probe", "Value": value}]},
                      "list_service_specific_credentials": {"ServiceSpecificCredentials": []},
                      "list_user_policies": {"PolicyNames": []}})


def rotating(tokens: list[str] | None = None, **members: Any) -> Any:
    calls = [{"token": token, "at": 60 * number} for number, token in enumerate(tokens or ["1", "1"])]
    return double(**({"calls": lambda *_: calls, "id": lambda which: which, "pending": lambda _: "version",
                      "rotate": lambda *_, **__: None, "secrets": Answers({})} | members))


def sequence(*values: Any) -> Callable[..., Any]:
    """Returns or raises one value for each call, and the last one again."""
    left = Answers({"next": list(values)})
    return lambda *_, **__: left.next()


def intruder(**calls: Any) -> Any:
    client = Answers(calls)
    return double(client=lambda _: client, free="role", other="role", puts_rule=lambda *_: "")


def notified(arrives: bool) -> Any:
    held = people.Notified(world(), {})
    held.has = lambda topic, text="": arrives or topic == "Open"  # type: ignore[method-assign]
    return held


def pull_request(after: dict[str, Any]) -> Any:
    before = {"evaluation": {"approved": False, "approvalRulesNotSatisfied": [f"{PROBE}-rule"]}}
    held = double(codecommit=Answers({"evaluate_pull_request_approval_rules": [before, {"evaluation": after}]}))
    held.world = world(sts={"get_caller_identity": {"Arn": "arn"}})
    return held


def recorded_pushes(*names: str) -> World:
    records = [{"eventName": name, "eventSource": "codecommit.amazonaws.com", "sourceIPAddress": "192.0.2.1", "run": RUN}
               for name in names]
    return world(mirrored={"refs/heads/main": COMMIT}, cloudtrail={"lookup_events": {"Events": [
        {"CloudTrailEvent": json.dumps(each)} for each in records]}})


def replayed(*replay_names: str) -> Any:
    """One event, and its replays with these names."""
    events = [{}, *({"replay-name": name} if name else {} for name in replay_names)]
    return double(sends=lambda: None, is_archived=lambda: True, is_replayed=lambda: True, replay=lambda *_: None,
                  recorded=sequence(events[:1], events))


def with_client(held: Any, **services: dict[str, Any]) -> Any:
    held.world = world(**services)
    return held


CALLER = {"get_caller_identity": {"Arn": "arn:aws:iam::111122223333:user/ann"}}
DENIAL = rejected("AccessDenied")
FREE, PROTECTED = "refs/heads/free", "refs/heads/protected"
DENIED = "User is not authorized to perform this with an explicit deny in an identity-based policy"
MEMBER_OF = {"sourceVersion": f"refs/heads/{NAMES.review_branch}^{{{COMMIT}}}"}

ROWS = {
    # Options of a pipeline
    "differences-of-a-long-page": Row(lambda count: repository(differences=lambda *_: [{}] * count), 100, 99),
    "differences-name-both-paths": Row(
        lambda found: repository(differences=lambda *_: found),
        [{"changeType": "D", "beforeBlob": {"path": "former"}}, {"changeType": "A", "afterBlob": {"path": "renamed"}}],
        [{"changeType": "A", "afterBlob": {"path": "renamed"}}]),
    "window-cron-open-in-matching-minutes": Row(
        lambda took: optional(pipeline={"status": "InProgress"}, passes=lambda _: took, set=sequence(
            rejected("InvalidStageDeclarationException"), None)), 20.0, math.inf),
    "waiting-window-holds-the-stage": Row(
        lambda status: optional(pipeline={"status": status}, passes=lambda _: math.inf), "InProgress", "Superseded"),
    "alarm-rule-watches-the-state-alarm": Row(lambda status: optional(runs=lambda: status), "Succeeded", "Failed"),
    "alarm-already-raised-fails-at-once": Row(
        lambda status: optional(pipeline={"status": status, "ran": [("Deploy", "Succeeded")]}), "Failed", "InProgress"),
    "rollback-after-alarm-fails-the-execution": Row(
        lambda status: optional(approved=sequence("Succeeded", status)), "Failed", "Succeeded"),
    "rollback-runs-the-stage-alone": Row(
        lambda ran: optional(pipeline={"ran": [(name, "Succeeded") for name in ran]}), ["Deploy"], ["Approval", "Deploy"]),
    "rollback-of-a-stage-with-an-approval": Row(
        lambda ran: optional(pipeline={"ran": [("Approval", ran)]}, roll_back=lambda *_: ("", "", "id")), "InProgress", "Succeeded"),
    # Reviews
    "source-version-in-history": Row(lambda commit: built(resolvedSourceVersion=commit, buildStatus="SUCCEEDED"), COMMIT, "2" * 40),
    "build-target-ignores-unknown-input": Row(started_by, "whole", "empty"),
    "source-version-is-shown-unchanged": Row(lambda build: reviewed(**build), MEMBER_OF, {"sourceVersion": COMMIT}),
    "build-output-location": Row(
        lambda location: reviewed(artifacts={"location": location}),
        f"arn:aws:s3:::{NAMES.bucket_prefix}1/review/infra/{UUID4}", f"{NAMES.bucket_prefix}1/review"),
    "whole-numbers-in-configuration": Row(with_parameters, {"Number": "3", "Flag": "true"}, {"Number": "3.0", "Flag": "true"}),
    "source-version-of-failed-builds": Row(lambda version: built(sourceVersion=version), "refs/heads/b^{1}", "none"),
    "review-build-is-started-again": Row(retried, True, False),
    "build-limit-is-an-error": Row(
        lambda second: building(start=sequence("id", second)), rejected("AccountLimitExceededException"), "another"),
    "build-ids-are-random": Row(
        lambda ids: building(ids=sequence(*([f"probe:{each}"] for each in ids))),
        [UUID4, UUID4.replace("0b", "1c"), UUID4.replace("0b", "2d")], [UUID4] * 3),
    "yaml-read-as-scanned": Row(
        lambda summary: changing(None, get_template_summary=[
            {"DeclaredTransforms": ["AWS::Include"], "Parameters": [{"ParameterType": "AWS::SSM::Parameter::Name"}]}, summary]),
        {}, {"DeclaredTransforms": ["AWS::Include"]}),
    "change-set-leaves-the-stack": Row(
        lambda after: changing(change_set(), stack=SimpleNamespace(name=PROBE, describe=sequence({"StackName": PROBE}, after))),
        {"StackName": PROBE}, {"StackName": PROBE, "RoleARN": "role"}),
    "change-set-of-outputs-only": Row(changing, change_set(), change_set("FAILED", StatusReason=NO_CHANGES)),
    "describe-events-of-change-sets": Row(
        lambda events: changing(change_set("FAILED", StatusReason="AWS::EarlyValidation::PropertyValidation failed"),
                                describe_events={"OperationEvents": events}),
        [{"EventType": "VALIDATION_ERROR"}], [{"EventType": "STACK_EVENT"}]),
    "change-sets-per-stack": Row(
        lambda answer: changing(None, create_change_set=[{}, answer], list_change_sets={
            "Summaries": [{"Status": "CREATE_COMPLETE"}] * 30}), {}, rejected("LimitExceededException")),
    "drift-change-set-without-drift": Row(
        lambda shown: changing([shown, change_set("FAILED", StatusReason=NO_CHANGES)]),
        change_set("FAILED", StatusReason=NO_CHANGES), change_set()),
    "drift-of-unsupported-types": Row(
        lambda status: changing(change_set("CREATE_COMPLETE", change("Group", drift="UNKNOWN"), StackDriftStatus=status)),
        "UNKNOWN", "IN_SYNC"),
    "drift-of-a-deleted-resource": Row(
        lambda drift: changing(change_set("CREATE_COMPLETE", change("Group", "Add", drift))), "DELETED", "NOT_CHECKED"),
    "direct-update-drops-the-change-set": Row(
        lambda after: changing(change_set(), stack=SimpleNamespace(
            name=PROBE, status=lambda: "UPDATE_COMPLETE", outputs=sequence({"Value": "executed"}, {"Value": "direct"}),
            describe=sequence({"ChangeSetId": "arn:aws:cloudformation:x:1:changeSet/probe/1"}, after))),
        {}, {"ChangeSetId": "arn:aws:cloudformation:x:1:changeSet/probe/1"}),
    "drift-of-language-extensions": Row(
        lambda shown: SimpleNamespace(changing=changing(shown)), change_set("FAILED", StatusReason=NO_CHANGES),
        change_set("CREATE_COMPLETE", change("TopicA", drift="MODIFIED"))),
    "processed-template-is-accepted": Row(
        lambda other: SimpleNamespace(serverless=SimpleNamespace(name=PROBE), changing=changing(
            change_set("CREATE_COMPLETE", change("Added", "Add"), change("Api", Scope=[other])),
            get_template={"TemplateBody": {"Resources": {"Api": {"Type": "AWS::DynamoDB::Table"}}}})),
        "DeletionPolicy", "Properties"),
    "import-of-kept-bucket": Row(
        lambda action: changing(change_set("CREATE_COMPLETE", change("Kept", action))), "Import", "Add"),
    # Approvals, people, notifications
    "approval-shows-who-gave-it": Row(approved, "arn:aws:iam::123456789012:user/olivia", ""),
    "retried-approval-has-new-ids": Row(
        lambda after: optional(approval_ids=sequence(("token", "id"), after), pipeline={"status": "InProgress"}),
        ("another", "other"), ("another", "id")),
    "codecommit-judges-each-reference": Row(lambda there: repository(pushes=lambda *_: (there, "")), [FREE], [FREE, PROTECTED]),
    "codecommit-rejected-push-message": Row(
        lambda output: repository(pushes=lambda *given: ([], output)), "error: RPC failed; HTTP 403", "! [remote rejected] a"),
    "approval-rule-on-pull-request": Row(
        pull_request, {"approved": True, "approvalRulesSatisfied": [f"{PROBE}-rule"]},
        {"approved": False, "approvalRulesSatisfied": []}),
    "triggers-and-alarms-send-source-arn": Row(notified, True, False),
    "kms-via-service-for-topics": Row(notified, True, False),
    "notification-source-account": Row(notified, True, False),
    # Rotation
    "rotation-reattempt-same-version": Row(lambda tokens: rotating(tokens), ["1", "1"], ["1", "2"]),
    "rotation-enabled-tells-reattempt": Row(
        lambda states: rotating(is_enabled=sequence(*states)), [True, False], [True, True]),
    "rotation-pending-blocks-schedule": Row(
        lambda first: rotating(rotate=sequence(first, {}), pending=sequence("version", "")),
        rejected("InvalidRequestException", "A previous rotation isn't complete."), {}),
    # Failures and deletion
    "second-response-ignored": Row(responded, "CREATE_COMPLETE", "ROLLBACK_COMPLETE"),
    "redelivery-after-a-minute": Row(lambda at: with_client(provider([{"at": 0}, {"at": at}])), 61, 59),
    "timed-out-create-gets-delete": Row(
        lambda date: requested(("Create", "20260101T120000Z"), ("Delete", date)), "20260101T120031Z", "20260101T120000Z"),
    "rollback-update-carries-old-id": Row(
        lambda last: requested(("Update", "one"), ("Update", last), ("Delete", "two")), "one", "two"),
    "response-url-has-amz-date": Row(lambda date: requested(("Create", date)), "20260101T120000Z", ""),
    "unexplained-denial-did-nothing": Row(
        lambda there: with_client(intruder(create_secret=rejected("AccessDeniedException", "Access to KMS is not allowed")),
                                  secretsmanager={"describe_secret": there}), rejected("ResourceNotFoundException"), {}),
    "one-record-writer": Row(tagged, "9", "8"),
    "tombstone-secret-shown-in-time": Row(
        lambda shown: world(secretsmanager={"describe_secret": shown}), {"DeletedDate": 1}, {}),
    "absent-secret-arn-form": Row(
        lambda resource: intruder(describe_secret=rejected(
            "AccessDeniedException", f"User is not authorized to perform this on resource: {resource} because no policy")),
        f"{PROBE}-absent", "*"),
    "vpc-response-bucket-name": Row(
        addressed, "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com",
        "cloudformation-custom-resource-response-eu-central-1.s3.eu-central-1.amazonaws.com"),
    # Replication
    "replication-build-image": Row(
        lambda status: building(ended=lambda _: {"buildStatus": status, "phases": [
            {"phaseType": "BUILD", "phaseStatus": status}]}), "SUCCEEDED", "FAILED"),
    # Attackers
    "rule-sources-in-iam": Row(
        lambda code: double(puts_rule=lambda *sources: "" if sources == ("example.probe",) else code if len(sources) > 1
                            else "AccessDeniedException"), "AccessDeniedException", ""),
    "notification-rule-key": Row(
        lambda answer: with_client(intruder(create_notification_rule=answer), sts=CALLER),
        rejected("AccessDeniedException", DENIED), {"Arn": "arn"}),
    "assume-role-sends-resource-account": Row(lambda answers: intruder(assume_role=list(answers)), [{}], [{}, DENIAL]),
    "replayed-events-carry-a-name": Row(lambda names: replayed(*names), [PROBE], [""]),
    "inactive-login-rejected-within-1min": Row(
        lambda later: repository(login=SimpleNamespace(credential_id="id", status=sequence(200, later))), 401, 200),
    "event-history-has-git-pushes": Row(lambda names: recorded_pushes(*names), ["GitPush", "GitPull"], ["GitPush"]),
}


def looks_of(module: ModuleType) -> dict[str, Callable[[Any], Any]]:
    """The observers of a module by their rows. Those of a scene look at the scene, the others at the world."""
    own = {name: look for name, look in OBSERVERS.items() if look.__module__ == module.__name__}
    return own | {name: look for scene in vars(module).values() if isinstance(scene, Scene)
                  for name, look in scene.looks.items()}


LOOKS = {name: look for module in MODULES for name, look in looks_of(module).items()}


@pytest.fixture(autouse=True)
def _without_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        if hasattr(module, "seconds_until"):
            monkeypatch.setattr(module, "seconds_until", instantly)
    monkeypatch.setattr(people, "_opened", lambda _: {"pullRequestId": "1", "revisionId": "1"})


@pytest.mark.parametrize("name", LOOKS)
def test_row_holds_with_one_response_and_not_with_another(name: str) -> None:
    row = ROWS[name]
    assert ROWS.keys() == LOOKS.keys()
    results = [LOOKS[name](row.look_at(response)) for response in (row.held, row.refuted)]
    assert [seen is not None and seen.held for seen in results] == [True, False], results
    assert None not in results and all(seen.evidence for seen in results)


def test_only_a_judged_rollback_is_seen() -> None:
    def look(code: str) -> Any:
        return LOOKS["rollback-of-a-stage-with-an-approval"](optional(roll_back=lambda *_: (code, "a probe", "")))

    assert look("UnableToRollbackStageException").held
    for code in ("AccessDeniedException", "ThrottlingException", "ConflictException", "PipelineExecutionOutdatedException"):
        with pytest.raises(NotSeen, match=f"{code}: a probe"):
            look(code)
