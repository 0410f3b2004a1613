"""`cfn-gitops status` of an environment with projects in each state. The clients are boto3's own, and their responses have
the members of AWS's models. https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html"""

import io
import json
import shlex
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError
from botocore.validate import validate_parameters

from cli import main
from cli.commands import status
from cli.environment import stack_statuses
from cli.environment.account import Account
from cli.project import projects
from cli.rules import event_rules
from cli.shell import output
from cli.shell.output import width

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=timezone.utc)
PREFIX = "arn:aws:cloudformation:eu-central-1:111122223333:stack"
OWNER = f"{PREFIX}/cfn-gitops-dev/1a2b"
COMMIT = "4f2a9c1b0d3e5f60718293a4b5c6d7e8f9012345"
PUSHED = "9c8b7a6f5e4d3c2b1a09f8e7d6c5b4a392817060"


def ago(days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
    return NOW - timedelta(days=days, hours=hours, minutes=minutes)


def execution(number: int, state: str, ended: datetime, commit: str = COMMIT, message: str = "Add a queue",
              **more: Any) -> dict[str, Any]:
    return {"pipelineExecutionId": f"0b1c2d3e-0000-4000-8000-{number:012}", "status": state, "startTime": ended - timedelta(minutes=4),
            "lastUpdateTime": ended, "sourceRevisions": [
                {"actionName": "Image", "revisionId": "sha256:1"},
                {"actionName": "Source", "revisionId": commit, "revisionSummary": message}], **more}


def failed(action: str, cause: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"actionName": action, "stageName": "Build" if action == "Build" else "Deploy", "status": "Failed", "lastUpdateTime": at,
            "output": {"executionResult": {"errorDetails": {"code": "JobFailed", "message": cause}}}, **more}


class Rejected(Exception):
    """AWS's error, as `<code>: <message>`."""

    status = 400


# It loads the models of the services once.
SESSION = boto3.Session("none", "none", region_name="eu-central-1")


class Aws:
    """The responses of AWS. `calls` counts the calls of each operation."""

    def __init__(self) -> None:
        own = self.stack("cfn-gitops-dev", parameters={"EnvID": "dev"}, RenderingVersion="2",
                         ServiceToken="arn:aws:lambda:eu-central-1:111122223333:function:f")
        own["Outputs"][1]["ExportName"] = "cfn-gitops-dev-ServiceToken"
        self.stacks = [own]
        self.rules: dict[str, str] = {}
        self.executions: dict[str, list[dict[str, Any]]] = {}
        self.actions: dict[str, list[dict[str, Any]]] = {}
        self.stages: dict[str, list[dict[str, Any]]] = {}
        self.drifted: dict[str, list[datetime]] = {}
        # Of results of metrics.
        self.completeness = "Complete"
        # By the pipelines' names. The others have the default.
        self.deployed_stacks: dict[str, str] = {}
        self.checks: list[dict[str, str]] = []
        self.not_checked: list[dict[str, str]] = []
        self.denied: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self.released = threading.Event()
        self.released.set()

    @staticmethod
    def stack(name: str, state: str = "UPDATE_COMPLETE", owner: str = "", drift: tuple[str, datetime | None] = ("NOT_CHECKED", None),
              parameters: dict[str, str] | None = None, **outputs: str) -> dict[str, Any]:
        return {"StackName": name, "StackId": OWNER if name == "cfn-gitops-dev" else f"{PREFIX}/{name}/1a2b", "StackStatus": state,
                "CreationTime": ago(90), "Tags": [{"Key": "cfn-gitops:stack-id", "Value": owner}] if owner else [],
                "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
                "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
                "DriftInformation": {"StackDriftStatus": drift[0], **({"LastCheckTimestamp": drift[1]} if drift[1] else {})}}

    def project(self, name: str, *executions: dict[str, Any], version: int = 2, pushed: bool = True, rule: str = "ENABLED",
                drift: tuple[str, datetime | None] = ("IN_SYNC", ago(hours=6)), mirror: str = "", mirrored: bool = True) -> None:
        repository = f"codecommit-dev-cfn-{name}"
        self.stacks.append(self.stack(
            f"gitops-dev-{name}", owner=OWNER, parameters={"BranchExists": str(pushed).lower()}, RenderingVersion=str(version),
            PipelineName=f"codepipeline-dev-cfn-{name}", RepositoryName=repository))
        if any(each["status"] == "Succeeded" for each in executions):
            self.stacks.append(self.stack(f"cfnstack-dev-{name}", drift=drift))
        if rule:
            self.rules[f"event-rule-dev-codepipeline-exec-cfn-{name}"] = rule
        if pushed:
            self.executions[f"codepipeline-dev-cfn-{name}"] = list(executions)
        if mirrored:
            self.checks.append({"Subject": f"the mirror of project platform/{name} to repository {repository}", **(
                {"Problem": mirror, "Remedy": "Correct this cause"} if mirror else {})})

    def client(self, service: str, **more: Any) -> Any:
        client = boto3.Session.client(SESSION, service, **more)
        client.meta.events.register("before-parameter-build", lambda params, context, **_: context.update(given=params))
        client.meta.events.register("before-call", self._answer)
        return client

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        name, given = model.name, context["given"]
        self.calls[name] += 1
        try:
            answer = getattr(self, name)(given)
        except Rejected as rejected:
            code, message = str(rejected).split(": ", 1)
            return AWSResponse(None, rejected.status, {}, None), {"Error": {"Code": code, "Message": message},
                                                                 "ResponseMetadata": {"HTTPStatusCode": rejected.status, "RetryAttempts": 0}}
        if model.output_shape:
            validate_parameters(answer, model.output_shape)
        return AWSResponse(None, 200, {}, None), answer

    def require(self, call: str, resource: str = "") -> None:
        for denied, code in self.denied.items():
            if denied in f"{call} {resource}":
                raise Rejected(f"{code}: User: arn:aws:iam::111122223333:user/olivia is not authorized to perform: {call}"
                             + (f" on resource: {resource}" if resource else ""))

    def require_pipeline(self, name: str) -> None:
        if name not in self.executions:
            raise Rejected(f"PipelineNotFoundException: Account '111122223333' does not have a pipeline with name '{name}'")

    def DescribeStacks(self, given: Any) -> dict[str, Any]:
        self.require("cloudformation:DescribeStacks")
        if given:
            raise Rejected(f"ValidationError: Stack with id {given['StackName']} does not exist")
        return {"Stacks": self.stacks}

    def ListRules(self, given: Any) -> dict[str, Any]:
        self.require("events:ListRules")
        return {"Rules": [{"Name": name, "State": state} for name, state in self.rules.items() if name.startswith(given["NamePrefix"])]}

    def GetPipelineState(self, given: Any) -> dict[str, Any]:
        name = given["name"]
        self.require("codepipeline:GetPipelineState", name)
        self.require_pipeline(name)
        return {"stageStates": self.stages.get(name, [])}

    def GetPipeline(self, given: Any) -> dict[str, Any]:
        name = given["name"]
        self.require("codepipeline:GetPipeline", name)
        self.require_pipeline(name)
        type_id = {"category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1"}
        stack = self.deployed_stacks.get(name, name.replace("codepipeline-dev-cfn-", "cfnstack-dev-"))
        actions = [{"name": each, "actionTypeId": type_id, "configuration": {"StackName": stack}} for each in ("CreateChangeSet", "Deploy")]
        return {"pipeline": {"name": name, "roleArn": "arn:aws:iam::111122223333:role/r", "stages": [
            {"name": "Source", "actions": [{"name": "Source", "actionTypeId": type_id}]}, {"name": "Deploy", "actions": actions}]}}

    def ListPipelineExecutions(self, given: Any) -> dict[str, Any]:
        name = given["pipelineName"]
        self.require("codepipeline:ListPipelineExecutions", name)
        first = int(given.get("nextToken", 0))
        listed = self.executions[name][first:first + 100]
        return {"pipelineExecutionSummaries": listed, **({"nextToken": str(first + 100)} if len(listed) == 100 else {})}

    def ListActionExecutions(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:ListActionExecutions", given["pipelineName"])
        return {"actionExecutionDetails": self.actions.get(given["filter"]["pipelineExecutionId"], [])}

    def GetMetricData(self, given: Any) -> dict[str, Any]:
        self.require("cloudwatch:GetMetricData")
        stacks = {each["Id"]: each["MetricStat"]["Metric"]["Dimensions"][1]["Value"] for each in given["MetricDataQueries"]}
        return {"MetricDataResults": [{"Id": key, "Timestamps": self.drifted.get(name, []), "StatusCode": self.completeness,
                                       "Values": [2.0] * len(self.drifted.get(name, []))} for key, name in stacks.items()]}

    def Invoke(self, given: Any) -> dict[str, Any]:
        self.require("lambda:InvokeFunction")
        assert json.loads(given["Payload"])["Doctor"]["EnvID"] == "dev"
        self.released.wait()
        content = {"Doctor": {"EnvID": "dev", "Checks": self.checks, "NotChecked": self.not_checked}}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(content).encode())}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(SESSION, "client", made.client)
    monkeypatch.setattr(main, "connect", lambda *_: Account(SESSION, "111122223333"))
    monkeypatch.setattr(status, "now", lambda: NOW)
    monkeypatch.chdir(ROOT)
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    ended = main.main(["status", "--env", "dev", *arguments])
    printed = capsys.readouterr()
    assert printed.err == ""
    return ended, printed.out


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return dict(json.loads(run(capsys, "--json", *arguments)[1]))


def one(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    [found] = document(capsys, *arguments)["projects"]
    return dict(found)


BUILD_LOG = ("Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing "
             "command: make package. Reason: exit status 2")
REASON = "Resource handler returned message: \"Table prices already exists\" (Service: DynamoDB, Status Code: 400)"


def every_state(aws: Aws) -> None:
    succeeded = execution(1, "Succeeded", ago(days=9))
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.project("billing", execution(2, "InProgress", ago(days=3), PUSHED, "Raise the limit of invoices"), succeeded)
    aws.stages["codepipeline-dev-cfn-billing"] = [
        {"stageName": "Deploy", "inboundTransitionState": {"enabled": True},
         "latestExecution": {"pipelineExecutionId": execution(2, "", NOW)["pipelineExecutionId"], "status": "InProgress"},
         "actionStates": [{"actionName": "Approval", "latestExecution": {
             "status": "InProgress", "token": "never shown", "lastStatusChange": ago(days=3)}}]}]
    aws.project("api", execution(3, "Failed", ago(minutes=25), PUSHED, "請求書を追加"), succeeded)
    aws.actions[execution(3, "", NOW)["pipelineExecutionId"]] = [
        failed("Build", BUILD_LOG + "\n\x1b[2Jforged", ago(minutes=25)), {"actionName": "Source", "status": "Succeeded"}]
    aws.project("data", execution(4, "Failed", ago(hours=5), PUSHED, "Move the table"), succeeded)
    aws.actions[execution(4, "", NOW)["pipelineExecutionId"]] = [
        failed("Deploy", REASON, ago(hours=5)), {"actionName": "Build", "status": "Succeeded"}]
    aws.project("web", execution(5, "InProgress", NOW, PUSHED), succeeded)
    aws.project("auth", succeeded, rule="DISABLED")
    aws.project("media", succeeded)
    aws.drifted["cfnstack-dev-media"] = [ago(hours=4)]
    aws.project("legacy", succeeded, version=1)
    aws.project("mail", succeeded, mirror="its latest push failed (7 at https://gitlab.com): remote: HTTP Basic: Access denied")
    aws.project("fresh", pushed=False)
    aws.project("vault", succeeded, drift=("NOT_CHECKED", None), mirrored=False)
    aws.stacks.append(aws.stack("gitops-dev-evil", owner=OWNER, RenderingVersion="latest", PipelineName="x"))
    aws.denied["codepipeline-dev-cfn-vault"] = "AccessDeniedException"


TABLE = """\
Account 111122223333, region eu-central-1, environment dev
   PROJECT  DEPLOYED  SINCE  STATE (AGE)  FROZEN  DRIFT (AGE)  OUTDATED  MIRROR
!  api      4f2a9c1   9d     failed 25m   no      no 6h        no        ok
!  data     4f2a9c1   9d     failed 5h    no      no 6h        no        ok
!  evil     ?         ?      unreadable   ?       ?            ?         ?
!  vault    ?         ?      ?            ?       unchecked    no        none
!  mail     4f2a9c1   9d     deployed     no      no 6h        no        broken
!  billing  4f2a9c1   9d     approval 3d  no      no 6h        no        ok
!  auth     4f2a9c1   9d     deployed     yes     no 6h        no        ok
!  media    4f2a9c1   9d     deployed     no      yes 4h       no        ok
!  legacy   4f2a9c1   9d     deployed     no      no 6h        yes       ok
   fresh    -         -      no push yet  no      -            no        ok
   shop     4f2a9c1   2h     deployed     no      no 6h        no        ok
   web      4f2a9c1   9d     running 4m   no      no 6h        no        ok

api: Build failed 25m ago, commit 9c8b7a6 "請求書を追加"
    Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: make package. Reason: exit status 2\\n\\x1b[2Jforged
    Read its log: aws logs tail /aws/codebuild/codebuild-dev-cfn-api --since 1d
data: Deploy failed 5h ago, commit 9c8b7a6 "Move the table"
    Resource handler returned message: "Table prices already exists" (Service: DynamoDB, Status Code: 400)
    See what failed: cfn-gitops failures cfnstack-dev-data --env dev
evil: its output RenderingVersion is latest, not a number. Its stack gitops-dev-evil is in UPDATE_COMPLETE
    If it is of cfn-gitops, see what failed: cfn-gitops failures gitops-dev-evil --env dev. Otherwise delete it
mail: the mirror of project platform/mail to repository codecommit-dev-cfn-mail
    its latest push failed (7 at https://gitlab.com): remote: HTTP Basic: Access denied
    Correct this cause
billing: Approval has waited for 3d, commit 9c8b7a6 "Raise the limit of invoices"
    Approve or reject it: https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-billing/view?region=eu-central-1
auth: held by the disabled event rule event-rule-dev-codepipeline-exec-cfn-auth, so a push starts nothing
    To end the freeze: aws events enable-rule --name event-rule-dev-codepipeline-exec-cfn-auth
media: stack cfnstack-dev-media differed from its template 4h ago, as the health check found, which compares once a day
    See the resources: aws logs tail /aws/lambda/cfn-gitops-dev --since 2d --filter-pattern '"stack cfnstack-dev-media"'
legacy: its pipeline has version 1, which is older than the function's
    Upgrade it: cfn-gitops upgrade --env dev
? vault: GetPipelineState was not read
    GetPipelineState is denied: User: arn:aws:iam::111122223333:user/olivia is not authorized to perform: codepipeline:GetPipelineState on resource: codepipeline-dev-cfn-vault
    Add the permission, or name another profile with --profile
? vault: ListPipelineExecutions was not read
    ListPipelineExecutions is denied: User: arn:aws:iam::111122223333:user/olivia is not authorized to perform: codepipeline:ListPipelineExecutions on resource: codepipeline-dev-cfn-vault
    Add the permission, or name another profile with --profile
12 projects: 2 failed, 1 broken, 1 not read, 1 with a broken mirror, 1 waiting for approval, 1 frozen, 1 drifted, 1 outdated
"""


def test_environment_with_a_project_in_each_state(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    every_state(aws)
    ended, printed = run(capsys)
    assert (ended, printed) == (1, TABLE)
    # One call for all projects each, and two for each pipeline. A third one has the cause of a failure.
    assert aws.calls == {"DescribeStacks": 1, "ListRules": 1, "GetMetricData": 1, "Invoke": 1, "GetPipelineState": 10,
                         "ListPipelineExecutions": 10, "ListActionExecutions": 2}


def test_table_fits_into_80_columns(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    every_state(aws)
    table = run(capsys)[1].partition("\n\n")[0]
    assert max(map(width, table.splitlines())) <= 80


def test_wider_table_is_two_that_do_not_wrap(aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    every_state(aws)
    aws.project("a" * 27, execution(1, "ReplacedByAnother", ago(hours=40)))
    whole = [line.split() for line in run(capsys)[1].partition("\n\n")[0].splitlines()[1:]]
    monkeypatch.setattr(status, "columns", lambda: 80)
    first, second, _ = run(capsys)[1].split("\n\n", 2)
    deployed, settings = ([line.split() for line in each.splitlines()] for each in (first.partition("\n")[2], second))
    assert max(map(width, [*first.splitlines(), *second.splitlines()])) <= 80
    assert [line[1:2] if line[0] == "!" else line[:1] for line in deployed] == [
        line[1:2] if line[0] == "!" else line[:1] for line in settings]
    assert [sorted(line) for line in whole] == [
        sorted(one + other[2 if other[0] == "!" else 1:]) for one, other in zip(deployed, settings, strict=True)]


@pytest.mark.parametrize(("is_terminal", "columns"), [(True, 80), (False, float("inf"))])
def test_only_a_terminal_has_columns(is_terminal: bool, columns: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert status.columns() == columns


def test_json_has_every_field_in_full(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    every_state(aws)
    found = document(capsys)
    assert (found["account"], found["region"], found["environment"]) == ("111122223333", "eu-central-1", "dev")
    assert found["counts"] == {"failed": 2, "broken": 1, "unread": 1, "mirror": 1, "approval": 1, "frozen": 1, "drift": 1, "outdated": 1}
    by_name = {each["project"]: each for each in found["projects"]}
    assert list(by_name) == ["api", "data", "evil", "vault", "mail", "billing", "auth", "media", "legacy", "fresh", "shop", "web"]
    deployed = {"execution": "0b1c2d3e-0000-4000-8000-000000000001", "status": "Succeeded", "type": "STANDARD", "commit": COMMIT,
                "message": "Add a queue", "started": "2026-11-18T11:56:00Z", "updated": "2026-11-18T12:00:00Z"}
    waiting = {"execution": "0b1c2d3e-0000-4000-8000-000000000002", "status": "InProgress", "type": "STANDARD", "commit": PUSHED,
               "message": "Raise the limit of invoices", "started": "2026-11-24T11:56:00Z", "updated": "2026-11-24T12:00:00Z"}
    assert by_name["billing"] == {
        "project": "billing", "concerns": ["approval"], "state": "approval", "since": "2026-11-24T12:00:00Z",
        "stack": {"name": "gitops-dev-billing", "id": f"{PREFIX}/gitops-dev-billing/1a2b", "status": "UPDATE_COMPLETE", "unreadable": None,
                  "ownerExists": True},
        "pipeline": {"name": "codepipeline-dev-cfn-billing", "exists": True, "pushed": True},
        "repository": "codecommit-dev-cfn-billing", "deployed": {**deployed, "since": "2026-11-18T12:00:00Z"}, "newest": waiting,
        "approvals": [{"execution": waiting["execution"], "stage": "Deploy", "action": "Approval", "since": "2026-11-24T12:00:00Z",
                       "commit": PUSHED}],
        "failure": None,
        "frozen": {"frozen": False, "rules": [{"rule": "event-rule-dev-codepipeline-exec-cfn-billing", "state": "ENABLED"}],
                   "transitions": []},
        "drift": [{"stack": "cfnstack-dev-billing", "status": "IN_SYNC", "checked": "2026-11-27T06:00:00Z"},
                  {"stack": "gitops-dev-billing", "status": "NOT_CHECKED", "checked": None}],
        "outdated": False, "renderingVersion": 2,
        "mirrors": [{"subject": "the mirror of project platform/billing to repository codecommit-dev-cfn-billing", "result": "sound"}],
        "unread": []}
    [action] = by_name["api"]["failure"]["actions"]
    assert action == {"action": "Build", "stage": "Build", "cause": BUILD_LOG + "\n\x1b[2Jforged", "by": "", "at": "2026-11-27T11:35:00Z"}
    assert [each["code"] for each in by_name["vault"]["unread"]] == ["AccessDeniedException"] * 2
    assert by_name["vault"]["deployed"] is by_name["vault"]["state"] is by_name["vault"]["approvals"] is None
    assert by_name["evil"]["stack"]["unreadable"] == "its output RenderingVersion is latest, not a number"
    assert "never shown" not in str(found)


def test_sound_environment_has_status_0(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    ended, printed = run(capsys)
    assert (ended, printed.splitlines()[1:]) == (0, ["Environment dev has no project yet"])
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    ended, printed = run(capsys)
    assert (ended, printed.splitlines()[3:]) == (0, ["", "1 project: none needs a person"])


def test_projects_that_wait_for_a_person_have_status_0(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "InProgress", ago(hours=2)), rule="DISABLED")
    aws.stages["codepipeline-dev-cfn-shop"] = [{"stageName": "Deploy", "actionStates": [
        {"actionName": "Mine", "latestExecution": {"status": "InProgress", "token": "t"}}]}]
    ended, printed = run(capsys)
    assert ended == 0 and "1 project: 1 waiting for approval, 1 frozen" in printed
    assert "shop: Mine has waited for ?, its commit is not known" in printed


def test_each_disabled_rule_is_a_freeze(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    for project, kind, held in (("shop", "ecr", "a push of the image starts nothing"), ("web", "rev", "a push to a review branch starts no build")):
        aws.project(project, execution(1, "Succeeded", ago(hours=2)))
        rule = f"event-rule-dev-codepipeline-exec-{kind}-{project}"
        aws.rules[rule] = "DISABLED"
        ended, printed = run(capsys)
        assert ended == 0 and f"{project}: held by the disabled event rule {rule}, so {held}\n    To end the freeze: aws events" in printed
    assert "2 projects: 2 frozen" in printed


def test_disabled_transition_is_a_freeze_with_its_reason(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.stages["codepipeline-dev-cfn-shop"] = [{"stageName": "Deploy", "inboundTransitionState": {
        "enabled": False, "lastChangedBy": "arn:aws:iam::111122223333:user/olivia", "lastChangedAt": ago(hours=5),
        "disabledReason": "sale\n\x1b[31m凍結"}}]
    ended, printed = run(capsys)
    assert ended == 0
    assert printed.splitlines()[4:7] == [
        "shop: held by the disabled transition into stage Deploy, for 5h by arn:aws:iam::111122223333:user/olivia",
        "    sale\\n\\x1b[31m凍結",
        "    To end the freeze: aws codepipeline enable-stage-transition --pipeline-name codepipeline-dev-cfn-shop --stage-name Deploy "
        "--transition-type Inbound"]


@pytest.mark.parametrize(("call", "column"), [("ListRules", "FROZEN"), ("GetMetricData", "DRIFT"), ("InvokeFunction", "MIRROR")])
def test_denied_call_is_shown_once_and_never_healthy(call: str, column: str, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("shop", "web"):
        aws.project(name, execution(1, "Succeeded", ago(hours=2)))
    aws.denied[call] = "AccessDenied"
    ended, printed = run(capsys)
    lines = printed.splitlines()
    at = lines[1].index(column)
    assert ended == 1 and [line[at] for line in lines[2:4]] == ["?", "?"]
    assert sum(line.startswith("? all projects: ") for line in lines) == 1 and "is denied: User: arn:" in printed
    assert lines[-1] == "2 projects: 2 not read"


def test_cause_that_is_not_read_is_not_missing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Failed", ago(hours=2)))
    aws.denied["ListActionExecutions"] = "AccessDenied"
    ended, printed = run(capsys)
    assert ended == 1 and "    its actions were not read\n" in printed and one(capsys)["failure"]["actions"] is None


@pytest.mark.parametrize(("error", "shown"), [
    (EndpointConnectionError(endpoint_url="https://events.eu-central-1.amazonaws.com"), "events.eu-central-1.amazonaws.com does not answer"),
    (ResponseParserError("a login"), "the answer is not that of AWS"), (ConnectionResetError("reset by peer"), "reset by peer")],
    ids=["connection", "login page", "socket"])
@pytest.mark.parametrize("operation", ["ListRules", "GetMetricData", "GetPipelineState", "Invoke"])
def test_lost_connection_stops_no_other_call(operation: str, error: Exception, shown: str, aws: Aws, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))

    def lost(_: Any) -> None:
        raise error

    monkeypatch.setattr(aws, operation, lost)
    ended, printed = run(capsys)
    assert ended == 1 and shown in printed
    cells = printed.splitlines()[2].split()
    assert cells[:4] == ["!", "shop", "4f2a9c1", "2h"] and "?" in cells


def test_denied_list_of_stacks_is_one_failure(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.denied["DescribeStacks"] = "AccessDenied"
    assert main.main(["status", "--env", "dev"]) == 1
    assert capsys.readouterr().err.startswith("DescribeStacks is denied: ")


def test_missing_environment_is_one_failure(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.stacks = []
    assert main.main(["status", "--env", "dev"]) == 1
    assert "stack cfn-gitops-dev does not exist in account 111122223333" in capsys.readouterr().err


def test_diagnosis_is_not_waited_for_longer(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.released.clear()
    ended, printed = run(capsys, "--wait", "0.01")
    aws.released.set()
    assert ended == 1 and "the function's diagnosis takes longer than 0.01 s" in printed
    assert printed.splitlines()[2].endswith(" ?")


def test_without_the_diagnosis_there_is_no_column(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    ended, printed = run(capsys, "--wait", "0")
    assert ended == 0 and "MIRROR" not in printed and "Invoke" not in aws.calls
    assert one(capsys, "--wait", "0")["mirrors"] is None


@pytest.mark.parametrize(("wrong", "why"), [
    ("-1", "-1 is not between 0 and 900"), ("nan", "nan is not between 0 and 900"), ("901", "901 is not between 0 and 900"),
    ("abc", "abc is not a number of seconds"), ("", "an empty text is not a number of seconds")])
def test_wrong_time_to_wait_is_wrong_use(wrong: str, why: str, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["status", f"--wait={wrong}"]) == 2
    assert f"argument --wait: {why}" in capsys.readouterr().err


def test_examples_can_be_pasted() -> None:
    for example in status.EXAMPLES:
        main.parser().parse_args(shlex.split(example, comments=True)[1:])


def test_commands_of_the_document_are_in_remedies(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the members `remedy` get profile and region."""
    every_state(aws)
    aws.stacks[0]["Outputs"] = [each for each in aws.stacks[0]["Outputs"] if each["OutputKey"] != "RenderingVersion"]
    aws.checks.append({"Subject": "secret codecommit-mirror/x", "Problem": "it was deleted", "Remedy": "aws secretsmanager restore-secret"})
    found = document(capsys)
    assert found["projects"][0]["unread"][0]["remedy"] == "Deploy this version of it: sam deploy"
    assert not [text for name, text in members(found) if name != "remedy" and output._COMMAND.search(text)]


def members(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text with the name of its member."""
    if isinstance(value, str):
        yield name, value
    for key, each in value.items() if isinstance(value, dict) else ((name, each) for each in value) if isinstance(value, list) else ():
        yield from members(each, key)


def test_mirror_that_may_be_hidden_is_not_missing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)), mirrored=False)
    assert one(capsys)["mirrors"] == []
    aws.not_checked = [{"Problem": "listing the secrets: denied", "Remedy": "Allow it"}]
    found = one(capsys)
    assert found["mirrors"] is None and found["concerns"] == ["unread"]
    aws.not_checked, aws.checks = [], [{"Subject": "secret codecommit-mirror/x", "Problem": "it was deleted", "Remedy": "Restore it"}]
    assert one(capsys)["unread"][0]["reason"] == "it shows no mirror, and secret codecommit-mirror/x: it was deleted"


def test_failure_before_a_waiting_approval_is_shown_after_it(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """The newer execution may correct it."""
    every_state(aws)
    aws.executions["codepipeline-dev-cfn-billing"].insert(1, execution(9, "Failed", ago(days=4)))
    _, printed = run(capsys)
    assert printed.index("billing: Approval has waited") < printed.index("billing: an execution failed 4d ago")


def test_foreign_commit_is_a_broken_mirror(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.checks.append({"Subject": "branch development of repository codecommit-dev-cfn-shop", "Problem": "its commit 1 was never there",
                       "Remedy": "Find out who pushed it"})
    assert one(capsys)["concerns"] == ["mirror"]


def test_unknown_values_of_aws_are_shown_as_they_are(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(2, "保留中", ago(hours=1), PUSHED), execution(1, "Succeeded", ago(hours=2)), rule="PAUSED",
                drift=("UNKNOWN", None))
    aws.project("web", execution(1, "Succeeded", ago(hours=2)))
    lines = run(capsys)[1].splitlines()
    assert lines[2].split() == ["!", "shop", "4f2a9c1", "2h", "保留中", "1h", "?", "unknown", "no", "ok"]
    # The columns are aligned, although these characters have two each.
    assert width(lines[2][:lines[2].index("?")]) == lines[1].index("FROZEN")


def _execution(aws: Aws) -> None:
    aws.executions["codepipeline-dev-cfn-shop"].insert(0, execution(2, "TimedOut", ago(hours=1), PUSHED))


def _drift(aws: Aws) -> None:
    aws.stacks[2]["DriftInformation"]["StackDriftStatus"] = "UNKNOWN"


def _own_drift(aws: Aws) -> None:
    aws.stacks[1]["DriftInformation"]["StackDriftStatus"] = "UNKNOWN"


def _stack(aws: Aws) -> None:
    aws.stacks[1]["StackStatus"] = "UPDATE_PAUSED"


def _deployed_stack(aws: Aws) -> None:
    aws.stacks[2]["StackStatus"] = "UPDATE_PAUSED"


def _rule(aws: Aws) -> None:
    aws.rules["event-rule-dev-codepipeline-exec-cfn-shop"] = "PAUSED"


def _action(aws: Aws) -> None:
    aws.stages["codepipeline-dev-cfn-shop"] = [{"stageName": "Deploy", "actionStates": [
        {"actionName": "Approval", "latestExecution": {"status": "Waiting"}}]}]


@pytest.mark.parametrize(("change", "shown"), [
    (_execution, "the status of execution 0b1c2d3e-0000-4000-8000-000000000002 is TimedOut"),
    (_drift, "the drift status of stack cfnstack-dev-shop is UNKNOWN"),
    (_own_drift, "the drift status of stack gitops-dev-shop is UNKNOWN"),
    (_stack, "the status of stack gitops-dev-shop is UPDATE_PAUSED"),
    (_deployed_stack, "the status of stack cfnstack-dev-shop is UPDATE_PAUSED"),
    (_rule, "the state of event rule event-rule-dev-codepipeline-exec-cfn-shop is PAUSED"),
    (_action, "the status of action Approval is Waiting")])
def test_unknown_value_of_aws_is_never_healthy(change: Callable[[Aws], None], shown: str, aws: Aws,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.project("web", execution(1, "Succeeded", ago(hours=2)))
    assert run(capsys)[0] == 0
    change(aws)
    ended, printed = run(capsys)
    assert ended == 1 and f"? shop: {shown}, which this version of cfn-gitops does not know\n" in printed
    assert printed.endswith("2 projects: 1 not read\n")
    assert change not in (_drift, _own_drift) or printed.splitlines()[2].split()[-3] == "unknown"


def test_unknown_status_before_a_success_decides_nothing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(2, "Succeeded", ago(hours=1)), execution(1, "TimedOut", ago(hours=2)))
    assert one(capsys)["concerns"] == []


def test_known_statuses_are_those_of_aws() -> None:
    """An older SDK may lack one of them."""
    for service, shape, known in (("cloudformation", "StackStatus", stack_statuses.KNOWN), ("events", "RuleState", projects._RULES),
                                  ("codepipeline", "PipelineExecutionStatus", projects._EXECUTIONS),
                                  ("codepipeline", "ActionExecutionStatus", projects._ACTIONS)):
        assert set(SESSION.client(service).meta.service_model.shape_for(shape).enum) == set(known)


def test_commit_deployed_before_an_alarm_failed_the_stage(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(2, "Failed", ago(hours=1), PUSHED, statusSummary="The alarm is on"), execution(1, "Succeeded", ago(2)))
    aws.actions[execution(2, "", NOW)["pipelineExecutionId"]] = [
        {"actionName": "Deploy", "stageName": "Deploy", "status": "Succeeded", "lastUpdateTime": ago(hours=2)}]
    found = one(capsys)
    assert (found["deployed"]["commit"], found["deployed"]["since"]) == (PUSHED, "2026-11-27T10:00:00Z")
    assert (found["failure"]["summary"], found["failure"]["actions"]) == ("The alarm is on", [])
    assert "    The alarm is on\n" in run(capsys)[1]


def test_execution_that_ended_last_has_deployed_last(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """A rollback may start, and end, while an older execution waits for the stage."""
    aws.project("shop", execution(2, "Succeeded", ago(hours=2), PUSHED), execution(1, "Succeeded", ago(hours=1)))
    found = one(capsys)["deployed"]
    assert (found["commit"], found["since"]) == (COMMIT, "2026-11-27T11:00:00Z")


def test_commit_deployed_before_two_executions_failed(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """The first one because of an alarm, and the second one in its build."""
    aws.project("shop", execution(3, "Failed", ago(hours=1)), execution(2, "Failed", ago(hours=3), PUSHED), execution(1, "Succeeded", ago(2)))
    alarmed = execution(2, "", NOW)["pipelineExecutionId"]
    aws.stages["codepipeline-dev-cfn-shop"] = [{"stageName": "Deploy", "latestExecution": {
        "pipelineExecutionId": alarmed, "status": "Failed"}, "actionStates": [{"actionName": "Deploy"}]}]
    aws.actions = {execution(3, "", NOW)["pipelineExecutionId"]: [failed("Build", BUILD_LOG, ago(hours=1))],
                   alarmed: [{"actionName": "Deploy", "stageName": "Deploy", "status": "Succeeded", "lastUpdateTime": ago(hours=4)}]}
    found = one(capsys)
    assert (found["deployed"]["commit"], found["deployed"]["since"]) == (PUSHED, "2026-11-27T08:00:00Z")
    assert found["failure"]["actions"][0]["cause"] == BUILD_LOG
    aws.actions[alarmed] = [failed("CreateChangeSet", "no", ago(hours=3))]
    assert one(capsys)["deployed"]["commit"] == COMMIT


def test_latest_attempt_of_an_action_decides(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(2, "Failed", ago(hours=1)))
    aws.actions[execution(2, "", NOW)["pipelineExecutionId"]] = [
        failed("Approval", "too late today", ago(hours=1), updatedBy="arn:aws:iam::111122223333:user/olivia"),
        failed("Approval", "an earlier attempt", ago(hours=3)), {"actionName": "Build", "status": "Succeeded"},
        failed("Build", "an earlier attempt", ago(hours=4))]
    printed = run(capsys)[1]
    assert "shop: Approval was rejected 1h ago by arn:aws:iam::111122223333:user/olivia, commit 4f2a9c1" in printed
    assert "too late today" in printed and "an earlier attempt" not in printed


def test_stopped_execution_does_not_hide_a_failure(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(3, "Stopped", ago(hours=1)), execution(2, "Failed", ago(hours=2)), execution(1, "Succeeded", ago(2)))
    found = one(capsys)
    assert (found["state"], found["concerns"]) == ("stopped", ["failed"])


def test_rollback_is_a_state_of_its_own(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(3, "Succeeded", ago(hours=1), executionType="ROLLBACK"), execution(2, "Failed", ago(hours=2), PUSHED))
    found = one(capsys)
    assert (found["state"], found["deployed"]["commit"], found["concerns"]) == ("rolled back", COMMIT, [])


@pytest.mark.parametrize(("before", "pages", "is_found"), [(99, 1, True), (100, 2, True), (299, 3, True), (300, 3, False)])
def test_deployment_is_looked_for_in_300_executions(before: int, pages: int, is_found: bool, aws: Aws,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", *[execution(number, "Superseded", ago(1)) for number in range(before)], execution(before, "Succeeded", ago(2)))
    printed = run(capsys)[1]
    assert aws.calls["ListPipelineExecutions"] == pages
    assert ("  4f2a9c1  " in printed) == is_found
    assert ("stack cfnstack-dev-shop exists, and no execution that CodePipeline lists has deployed it" in printed) != is_found


def test_parts_deleted_by_hand_are_broken(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    del aws.executions["codepipeline-dev-cfn-shop"]
    assert one(capsys)["state"] == "no pipeline"
    aws.executions["codepipeline-dev-cfn-shop"], aws.rules = [], {}
    assert "its event rule event-rule-dev-codepipeline-exec-cfn-shop does not exist" in run(capsys)[1]
    rules, found = event_rules("dev", "shop"), aws.stacks[1]["Outputs"]
    aws.rules[rules["push"]] = "ENABLED"
    assert "does not exist" not in run(capsys)[1]
    declared = {"image": ("ImageEventRuleName", rules["image"]), "review": ("ChangeSets", '{"Review":{"Branches":"review/*"}}')}
    for kind, (output, value) in declared.items():
        found.append({"OutputKey": output, "OutputValue": value})
        assert f"its event rule {rules[kind]} does not exist" in run(capsys)[1]
        aws.rules[rules[kind]] = "ENABLED"
        assert "does not exist" not in run(capsys)[1]
    aws.stacks[1]["Tags"][0]["Value"] = f"{PREFIX}/gone/1a2b"
    assert "shop: the owner of its stack gitops-dev-shop no longer exists" in run(capsys)[1]
    aws.stacks[1]["StackStatus"] = "UPDATE_ROLLBACK_FAILED"
    ended, printed = run(capsys)
    assert ended == 1 and "shop: its stack gitops-dev-shop is in UPDATE_ROLLBACK_FAILED" in printed


@pytest.mark.parametrize(("outputs", "problem"), [
    ({}, "it has never been complete"), ({"RenderingVersion": "1"}, "it has no output PipelineName"),
    ({"PipelineName": "production"}, "its output PipelineName is production, not codepipeline-dev-cfn-evil")])
def test_stack_of_another_person_is_listed_and_not_read(outputs: dict[str, str], problem: str, aws: Aws,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    aws.stacks.append(aws.stack("gitops-dev-evil", owner=OWNER, **outputs))
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    ended, printed = run(capsys)
    assert ended == 1 and f"evil: {problem}. Its stack gitops-dev-evil is in UPDATE_COMPLETE" in printed
    assert aws.calls["GetPipelineState"] == 1 and "   shop     4f2a9c1" in printed


def test_stack_that_is_being_created_is_no_failure(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.stacks.append(aws.stack("gitops-dev-new", "CREATE_IN_PROGRESS", owner=OWNER))
    ended, printed = run(capsys)
    assert ended == 0 and printed.splitlines()[2].split() == ["new", "-", "-", "creating", "-", "-", "-", "-"]


def test_long_name_of_another_person_is_shortened(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("x" * 117, execution(1, "Succeeded", ago(hours=2)))
    lines = run(capsys)[1].splitlines()
    assert max(map(len, lines[:3])) <= 120 and "its name is too long for a project" in "".join(lines)


def test_environment_without_a_version_has_nothing_up_to_date(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.stacks[0]["Outputs"] = [each for each in aws.stacks[0]["Outputs"] if each["OutputKey"] != "RenderingVersion"]
    found = one(capsys)
    assert found["outdated"] is None and found["unread"][0]["call"] == "RenderingVersion"


@pytest.mark.parametrize("checked", [ago(minutes=115), ago(minutes=1), ago(hours=6), None])
def test_drift_of_either_check_counts(checked: datetime | None, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """The health check finds it at 10:50, and the metric's hour begins at 10:00: before CloudFormation's check at 10:05."""
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)), drift=("IN_SYNC", checked))
    assert one(capsys)["concerns"] == []
    aws.drifted["cfnstack-dev-shop"] = [ago(hours=2)]
    assert one(capsys)["concerns"] == ["drift"] and run(capsys)[1].splitlines()[2].split()[-4:-2] == ["yes", "2h"]


@pytest.mark.parametrize("completeness", ["PartialData", "InternalError", "Forbidden", "Later"])
def test_incomplete_metrics_are_not_read(completeness: str, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.completeness = completeness
    ended, printed = run(capsys)
    assert ended == 1 and f"CloudWatch's result is {completeness}" in printed and printed.splitlines()[2].split()[-3] == "?"
    aws.drifted["cfnstack-dev-shop"] = [ago(hours=2)]
    assert one(capsys)["concerns"] == ["unread", "drift"]


def test_drift_of_the_pipelines_stack_counts(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.drifted["gitops-dev-shop"] = [ago(hours=5), ago(hours=3)]
    found = one(capsys)
    assert found["concerns"] == ["drift"]
    assert found["drift"][1] == {"stack": "gitops-dev-shop", "status": "DRIFTED", "checked": "2026-11-27T09:00:00Z"}


def test_deployed_stack_may_have_another_name(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.stacks[1]["Outputs"].append({"OutputKey": "ChangeSets", "OutputValue": json.dumps({"StackName": "mine"})})
    aws.stacks.append(aws.stack("mine", drift=("DRIFTED", ago(hours=1))))
    found = one(capsys)
    assert found["drift"][0] == {"stack": "mine", "status": "DRIFTED", "checked": "2026-11-27T11:00:00Z"}
    assert "describe-stack-resource-drifts --stack-name mine " in run(capsys)[1]


@pytest.mark.parametrize("given", [{}, {"ChangeSets": json.dumps({"StackName": 1})}, {"ChangeSets": "x"}])
def test_custom_name_is_read_from_the_pipeline(given: dict[str, str], aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(2, "Failed", ago(hours=1)), execution(1, "Succeeded", ago(hours=2)))
    aws.stacks[1]["Outputs"] += [{"OutputKey": key, "OutputValue": value} for key, value in given.items()]
    aws.actions[execution(2, "", NOW)["pipelineExecutionId"]] = [failed("Deploy", REASON, ago(hours=1))]
    aws.deployed_stacks["codepipeline-dev-cfn-shop"] = aws.stacks[2]["StackName"] = "shop-live"
    found = one(capsys)
    assert found["drift"][0] == {"stack": "shop-live", "status": "IN_SYNC", "checked": "2026-11-27T06:00:00Z"}
    assert aws.calls["GetPipeline"] == 1
    assert "See what failed: cfn-gitops failures shop-live --env dev" in run(capsys)[1]
    aws.drifted["shop-live"] = [ago(hours=3)]
    assert one(capsys)["drift"][0]["status"] == "DRIFTED"


def test_name_that_is_not_read_is_not_missing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    aws.stacks[2]["StackName"] = "shop-live"
    aws.denied["codepipeline:GetPipeline "] = "AccessDenied"
    ended, printed = run(capsys)
    assert ended == 1 and "? shop: GetPipeline was not read" in printed
    assert printed.splitlines()[2].split() == ["!", "shop", "4f2a9c1", "2h", "deployed", "no", "?", "no", "ok"]
    aws.denied.clear()
    del aws.executions["codepipeline-dev-cfn-shop"]
    assert run(capsys)[1].splitlines()[2].split() == ["!", "shop", "?", "?", "no", "pipeline", "no", "?", "no", "ok"]
    aws.executions["codepipeline-dev-cfn-shop"] = []
    assert run(capsys)[1].splitlines()[2].split() == ["shop", "-", "-", "no", "execution", "no", "-", "no", "ok"]


def test_stack_that_was_deleted_does_not_exist(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    del aws.stacks[2]
    assert run(capsys)[1].splitlines()[2].split() == ["shop", "4f2a9c1", "2h", "deployed", "no", "-", "no", "ok"]


def test_defect_in_a_thread_is_not_hidden(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.project("shop", execution(1, "Succeeded", ago(hours=2)))
    monkeypatch.setattr(aws, "ListPipelineExecutions", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main.main(["status"])


@pytest.mark.parametrize(("seconds", "shown"), [(-5, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172_799, "47h"),
                                                (172_800, "2d")])
def test_age_has_one_unit(seconds: int, shown: str) -> None:
    assert status.age(NOW - timedelta(seconds=seconds), NOW) == shown and status.age(None, NOW) == "?"


def test_names_are_those_of_the_template() -> None:
    template = (ROOT / "templates/pipeline.yaml").read_text()
    project = projects.Project("${ProjectID}", {}, "codepipeline-${EnvID}-cfn-${ProjectID}", "")
    assert f"Name: !Sub {project.pipeline}\n" in template and f"Name: !Sub {project.event_rules['push']}\n" in template
