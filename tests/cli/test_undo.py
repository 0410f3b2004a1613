"""`cfn-gitops undo`, with AWS's responses. The clients are boto3's own: tests/cli/test_status.py."""

import io
import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import jmespath
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from cli import main
from cli.commands import undo
from cli.environment.account import Account
from cli.project import deployment_window, following, projects
from tests.cli.test_status import PREFIX, ROOT, SESSION, Aws, Rejected

PIPELINE = "codepipeline-dev-cfn-shop"
PUSH_RULE, IMAGE_RULE = (f"event-rule-dev-codepipeline-exec-{kind}-shop" for kind in ("cfn", "ecr"))
BAD, GOOD, OLD = "bad0" * 10, "600d" * 10, "01d0" * 10
IMAGE = "sha256:" + "1f" * 32
OTHER_IMAGE = "sha256:" + "2e" * 32
STARTED = "0b1c2d3e-0000-4000-8000-000000000099"
UTC = timezone.utc


def name(number: int) -> str:
    return f"0b1c2d3e-0000-4000-8000-{number:012}"


def action(title: str, status: str = "Succeeded", stage: str = "", **more: Any) -> dict[str, Any]:
    category = {"Source": "Source", "Image": "Source", "Approval": "Approval"}.get(title, "Deploy")
    type_id = {"category": category, "owner": "AWS", "provider": "CloudFormation", "version": "1"}
    return {"actionName": title, "stageName": stage or title, "status": status, "input": {"actionTypeId": type_id},
            "lastUpdateTime": datetime.now(UTC), **more}


class Failing(Rejected):
    status = 500


class Pipelines(Aws):
    """A pipeline that can be started, whose executions go on at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.mode, self.action_mode, self.has_image, self.has_approval = "QUEUED", "CHANGE_SET", False, True
        self.outputs: dict[str, str] = {}
        self.listed: list[dict[str, Any]] = []
        self.deploys: list[dict[str, Any]] = []
        self.window: dict[str, str] | None = None
        self.provider = "CodeCommit"
        self.deployed_stack = "cfnstack-dev-shop"
        self.contained: Any = {"Contained": True}
        self.commits: dict[str, tuple[str, str]] = {}
        # The views of the started execution, one for each look: its status, and its actions, the latest first.
        self.looks: list[tuple[str, list[dict[str, Any]]]] = []
        self.starts: list[dict[str, Any]] = []
        self.state: list[dict[str, Any]] = []
        self.rules = {PUSH_RULE: "ENABLED"}
        # Responds to the request of a start below botocore's repetitions.
        self.sent: Callable[..., AWSResponse] | None = None
        self.clients: dict[str, Any] = {}

    def client(self, service: str, **more: Any) -> Any:
        made = self.clients[service] = super().client(service, **more)
        if self.sent:
            made.meta.events.register("before-send.codepipeline.StartPipelineExecution", self.sent)
        return made

    def _answer(self, model: Any, context: dict[str, Any], **more: Any) -> Any:
        return None if self.sent and model.name == "StartPipelineExecution" else super()._answer(model, context, **more)

    def prepare(self) -> None:
        self.stacks.append(self.stack("gitops-dev-shop", owner=f"{PREFIX}/cfn-gitops-dev/1a2b", RenderingVersion="2", PipelineName=PIPELINE,
                                      RepositoryName="codecommit-dev-cfn-shop", BranchName="development", **self.outputs))

    def deployed(self, number: int, commit: str, hours: float, image: str = "", status: str = "Succeeded", deploy: str = "Succeeded",
                 message: str = "Add a queue", **more: Any) -> None:
        """The newest one is the first."""
        at = datetime.now(UTC) - timedelta(hours=hours)
        revisions = [{"actionName": "Source", "revisionId": commit, "revisionSummary": message}]
        if image:
            revisions.append({"actionName": "Image", "revisionId": image})
        self.listed.append({"pipelineExecutionId": name(number), "status": status, "startTime": at, "lastUpdateTime": at,
                            "sourceRevisions": revisions, **more})
        if deploy:
            self.deploys.append(action("Deploy", deploy, pipelineExecutionId=name(number)) | {"lastUpdateTime": at})

    # --- AWS's calls ---

    def DescribeStacks(self, given: Any) -> dict[str, Any]:
        self.require("cloudformation:DescribeStacks")
        found = [each for each in self.stacks if given.get("StackName") in (None, each["StackName"])]
        if not found:
            raise Rejected(f"ValidationError: Stack with id {given['StackName']} does not exist")
        return {"Stacks": found}

    def GetPipeline(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:GetPipeline", given["name"])

        def declared(title: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
            return {"name": title, "configuration": configuration,
                    "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"}}

        approvals = [declared("Approval", "Approval", "Manual")] if self.has_approval else []
        deploy = declared("Deploy", "Deploy", "CloudFormation", StackName=self.deployed_stack)
        stages = [{"name": "Source", "actions": [declared("Source", "Source", self.provider),
                                                 *([declared("Image", "Source", "ECR")] if self.has_image else [])]}]
        if self.action_mode == "CHANGE_SET":
            stages.append({"name": "Deploy", "actions": [declared("CreateChangeSet", "Deploy", "CloudFormation"), *approvals, deploy]})
        else:
            stages += [*([{"name": "Approval", "actions": approvals}] if approvals else []), {"name": "Deploy", "actions": [deploy]}]
        if self.window:
            rule = {"name": "Window", "configuration": self.window,
                    "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "DeploymentWindow", "version": "1"}}
            stages[-1]["beforeEntry"] = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
        return {"pipeline": {"name": PIPELINE, "roleArn": "arn:aws:iam::111122223333:role/r", "executionMode": self.mode, "stages": stages}}

    def GetPipelineState(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:GetPipelineState", given["name"])
        return {"stageStates": self.state}

    def ListPipelineExecutions(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:ListPipelineExecutions", given["pipelineName"])
        first = int(given.get("nextToken", 0))
        listed = self.listed[first:first + 100]
        return {"pipelineExecutionSummaries": listed, **({"nextToken": str(first + 100)} if len(listed) == 100 else {})}

    def ListActionExecutions(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:ListActionExecutions", given["pipelineName"])
        if "filter" not in given:
            return {"actionExecutionDetails": self.deploys}
        assert given["filter"]["pipelineExecutionId"] == STARTED
        return {"actionExecutionDetails": (self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])[1]}

    def GetPipelineExecution(self, given: Any) -> dict[str, Any]:
        assert given["pipelineExecutionId"] == STARTED
        return {"pipelineExecution": {"pipelineExecutionId": STARTED, "status": self.looks[0][0], "statusSummary": "why it ended"}}

    def StartPipelineExecution(self, given: Any) -> dict[str, Any]:
        self.require("codepipeline:StartPipelineExecution", given["name"])
        self.starts.append(given)
        return {"pipelineExecutionId": STARTED}

    def DescribeRule(self, given: Any) -> dict[str, Any]:
        self.require("events:DescribeRule", given["Name"])
        if given["Name"] not in self.rules:
            raise Rejected("ResourceNotFoundException: there is no such rule")
        return {"Name": given["Name"], "State": self.rules[given["Name"]]}

    def DisableRule(self, given: Any) -> dict[str, Any]:
        self.require("events:DisableRule", given["Name"])
        if given["Name"] not in self.rules:
            raise Rejected("ResourceNotFoundException: there is no such rule")
        assert self.starts == []
        self.rules[given["Name"]] = "DISABLED"
        return {}

    def GetCommit(self, given: Any) -> dict[str, Any]:
        self.require("codecommit:GetCommit", given["repositoryName"])
        if given["commitId"] not in self.commits:
            raise Rejected("CommitIdDoesNotExistException: there is no such commit")
        author, message = self.commits[given["commitId"]]
        return {"commit": {"commitId": given["commitId"], "message": message, "author": {"name": author}}}

    def Invoke(self, given: Any) -> dict[str, Any]:
        self.require("lambda:InvokeFunction")
        assert json.loads(given["Payload"]) == {"Doctor": {"Contains": {"ProjectID": "shop", "Commit": GOOD}}}
        if isinstance(self.contained, Exception):
            raise self.contained
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(self.contained).encode())}


APPROVES = [("InProgress", [action("Source")]), ("InProgress", [action("Source"), action("Build", "InProgress")][::-1]),
            ("InProgress", [action("Approval", "InProgress", "Deploy"), action("CreateChangeSet", stage="Deploy"), action("Build"),
                            action("Source")])]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Pipelines:
    made = Pipelines()
    monkeypatch.setattr(SESSION, "client", made.client)
    monkeypatch.setattr(main, "connect", lambda *_: Account(SESSION, "111122223333"))
    monkeypatch.setattr(following, "PAUSE", 0)
    monkeypatch.chdir(ROOT)
    made.commits = {BAD: ("Ben", "Raise the limit\n\nmore"), GOOD: ("Ann", "Add a queue")}
    made.deployed(3, BAD, 1, message="Raise the limit\n\nmore")
    made.deployed(2, GOOD, 30)
    made.looks = list(APPROVES)
    return made


Undo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(aws: Pipelines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Undo:
    def ran(*arguments: str, answer: str = "") -> tuple[int, str, str]:
        if len(aws.stacks) == 1:
            aws.prepare()
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        status = main.main(["undo", "shop", "--env", "dev", *arguments])
        written = capsys.readouterr()
        assert "Traceback" not in written.err + written.out
        return status, written.out, written.err

    return ran


def started(aws: Pipelines) -> list[tuple[str, str, str]]:
    [start] = aws.starts
    assert start["name"] == PIPELINE and re.fullmatch("[0-9a-f-]{36}", start["clientRequestToken"])
    return [(each["actionName"], each["revisionType"], each["revisionValue"]) for each in start["sourceRevisions"]]


def test_chosen_deployment_is_started_after_a_prompt(aws: Pipelines, run: Undo) -> None:
    status, out, err = run(answer="2\nyes\n")
    assert (status, err, started(aws)) == (0, "", [("Source", "COMMIT_ID", GOOD)])
    lines = [re.sub(r" +\d+ s ", "N s ", line).rstrip() for line in out.splitlines()]
    assert lines == f"""\
Account 111122223333, region eu-central-1, environment dev
   NO  AGE  COMMIT    AUTHOR  TITLE
*  1   1h   bad0bad0  Ben     Raise the limit
   2   30h  600d600d  Ann     Add a queue
"*" is deployed now
Which one? Its number, or its commit:
- {PIPELINE} will be started with commit 600d600d. It is built again, and waits for its approval
- The function checks whether branch development in GitLab contains commit 600d600d. It takes up to 40 s
To start it, type yes:
ok      execution {STARTED} of {PIPELINE} is started
N s  Source          Succeeded
N s  Build           InProgress
N s  Build           Succeeded
N s  CreateChangeSet Succeeded
N s  Approval        InProgress
It waits for an approval, in AWS: {projects.approvals.page_of(PIPELINE, 'eu-central-1', 'aws')}
Branch development in GitLab keeps its newest commit, and the next push deploys that. Revert it there too
""".splitlines()


@pytest.mark.parametrize("to", [name(2), GOOD[:8], GOOD])
@pytest.mark.parametrize("action_mode", ["CHANGE_SET", "CREATE_UPDATE"])
@pytest.mark.parametrize("has_image", [False, True], ids=["code", "image"])
@pytest.mark.parametrize("mode", ["QUEUED", "SUPERSEDED"])
def test_every_source_revision_is_passed_in_each_mode(mode: str, has_image: bool, action_mode: str, to: str, aws: Pipelines,
                                                      run: Undo) -> None:
    aws.mode, aws.action_mode, aws.has_image = mode, action_mode, has_image
    if has_image:
        aws.listed, aws.deploys = [], []
        aws.deployed(3, BAD, 1, OTHER_IMAGE)
        aws.deployed(2, GOOD, 30, IMAGE)
    status, out, _ = run("--to", to, "--yes")
    assert status == 0 and "waits for an approval, in AWS" in out
    assert started(aws) == [("Source", "COMMIT_ID", GOOD), *([("Image", "IMAGE_DIGEST", IMAGE)] if has_image else [])]
    assert ("IMAGE" in out) == has_image and ("1f1f1f1f1f1f" in out) == has_image


def test_deployment_before_a_hundred_executions_has_its_commit(aws: Pipelines, run: Undo) -> None:
    aws.listed[1:1] = [{"pipelineExecutionId": name(number), "status": "Superseded"} for number in range(100, 200)]
    assert run("--to", GOOD, "--yes")[0] == 0
    assert started(aws) == [("Source", "COMMIT_ID", GOOD)]


def test_unknown_mode_starts_nothing(aws: Pipelines, run: Undo) -> None:
    aws.mode, aws.action_mode = "PARALLEL", "CREATE_UPDATE"
    status, _, err = run("--to", GOOD, "--yes")
    assert (status, aws.starts) == (1, []) and "has the ExecutionMode PARALLEL, in which CodePipeline may deploy another commit" in err
    assert "Revert the bad commit in GitLab instead: git revert" in err


@pytest.mark.parametrize(("arrange", "problem"), [
    (lambda aws: aws.deploys.clear(), "CodePipeline lists no deployment"),
    (lambda aws: setattr(aws, "has_image", True), "shows no revision of source action Image"),
    (lambda aws: setattr(aws, "provider", "S3"), "has the provider S3, whose revision"),
    (lambda aws: aws.listed[1]["sourceRevisions"][0].update(revisionId=f"{GOOD[:12]}-main"), "is not a COMMIT_ID"),
    (lambda aws: aws.deployed(1, GOOD[:10] + OLD[10:], 50), "is the beginning of several commits"),
    (lambda aws: aws.listed.clear(), "600d600d is not one of the last 2 deployments")], ids=range(6))
def test_deployment_that_cannot_be_repeated_starts_nothing(arrange: Callable[[Pipelines], Any], problem: str, aws: Pipelines, run: Undo) -> None:
    arrange(aws)
    status, _, err = run("--to", GOOD[:8], "--yes")
    assert (status, aws.starts) == (1, []) and problem in err and err.count("\n") == 1


def test_only_a_succeeded_deploy_is_a_deployment(aws: Pipelines, run: Undo) -> None:
    aws.listed, aws.deploys = [], []
    aws.deployed(9, "9" * 40, 0, status="Failed", deploy="Failed")
    aws.deployed(8, "8" * 40, 1, status="InProgress", deploy="InProgress")
    aws.deployed(7, "7" * 40, 2, status="Succeeded", deploy="")
    # An alarm failed it later, and a rollback followed.
    aws.deployed(5, BAD, 4, status="Failed")
    aws.deployed(4, GOOD, 5)
    aws.deployed(6, GOOD, 3, executionType="ROLLBACK")
    status, out, _ = run("--json")
    found = [(each["number"], each["commit"], each["deployedNow"], each["rollback"]) for each in json.loads(out)["deployments"]]
    assert (status, found) == (1, [(1, GOOD, None, True), (2, BAD, False, False), (3, GOOD, False, False)])
    later = json.loads(out)["later"]
    assert (later["execution"], later["status"], later["commit"]) == (name(9), "Failed", "9" * 40)


@pytest.mark.parametrize(("deploy", "shown"), [
    ("Failed", f'"*" was deployed last\n! a later deployment failed: execution {name(3)} (commit bad0bad0)\n    See why: cfn-gitops status --env dev\n'),
    ("InProgress", f'"*" was deployed last\n! a later deployment is in progress: execution {name(3)} (commit bad0bad0)\n! execution {name(3)}'),
    ("Paused", f'"*" was deployed last\n! a later deployment is Paused: execution {name(3)} (commit bad0bad0)\n')])
def test_latest_deployment_is_repeated_after_a_later_attempt(deploy: str, shown: str, aws: Pipelines, run: Undo) -> None:
    aws.listed, aws.deploys = [], []
    aws.deployed(3, BAD, 1, status="InProgress" if deploy == "InProgress" else "Failed", deploy=deploy)
    aws.deployed(2, GOOD, 30)
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and shown in out and started(aws) == [("Source", "COMMIT_ID", GOOD)]
    assert "Choose one of: 600d600d. " in run("--to", OLD)[2]


def test_latest_deployment_is_repeated_after_its_alarm(aws: Pipelines, run: Undo) -> None:
    aws.listed, aws.deploys = [], []
    aws.deployed(3, GOOD, 1, status="Failed")
    aws.deployed(2, GOOD, 30)
    status, out, _ = run("--to", name(3), "--yes")
    assert status == 0 and len(aws.starts) == 1
    assert f'"*" is deployed now\n! execution {name(3)} of "*" failed after its deployment' in out


def test_failed_attempt_before_a_deployment_decides_nothing(aws: Pipelines, run: Undo) -> None:
    """As of a retried execution."""
    aws.deploys.append(action("Deploy", "Failed", pipelineExecutionId=name(3)) | {"lastUpdateTime": datetime.now(UTC) - timedelta(hours=2)})
    status, out, err = run("--to", BAD, "--yes")
    assert (status, aws.starts) == (1, []) and "commit bad0bad0 is deployed now" in err and "a later deployment" not in out


def test_retried_execution_is_the_latest_deployment(aws: Pipelines, run: Undo) -> None:
    aws.deploys[1]["lastUpdateTime"] = datetime.now(UTC)
    status, _, err = run("--to", GOOD, "--yes")
    assert (status, aws.starts) == (1, []) and "commit 600d600d is deployed now. Choose another one" in err


def test_ten_deployments_are_listed(aws: Pipelines, run: Undo) -> None:
    for number in range(11, 30):
        aws.deployed(number, f"{number:040}", 100 + number)
    _, out, err = run(answer="11\n")
    assert len(re.findall("^[* ]  [0-9]", out, re.MULTILINE)) == 10 and aws.starts == []
    assert "11 is neither a number of the list nor" in err


@pytest.mark.parametrize("answer", ["", "\n", "2\n", "2\nno\n", "11\n", "x\n"])
def test_without_an_answer_nothing_is_started(answer: str, aws: Pipelines, run: Undo) -> None:
    status, _, err = run(answer=answer)
    assert status in (1, 2) and aws.starts == [] and err


@pytest.mark.parametrize("to", ["2", "600d60", "shop", "", GOOD.upper(), f"{GOOD}0"])
def test_other_form_of_a_deployment_is_wrong_use(to: str, aws: Pipelines, run: Undo) -> None:
    status, _, err = run(f"--to={to}", "--yes")
    assert (status, aws.starts) == (2, []) and "argument --to: " in err


def test_other_project_is_one_failure(aws: Pipelines, run: Undo, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert main.main(["undo", "shp"]) == 1
    assert "environment dev has no project shp in account 111122223333, region eu-central-1. Did you mean shop?" in capsys.readouterr().err


# --- what holds the pipeline ---

def waits(aws: Pipelines, execution: str = name(4), stage: str = "Deploy") -> None:
    aws.state = [{"stageName": stage, "latestExecution": {"pipelineExecutionId": execution, "status": "InProgress"}, "actionStates": [
        {"actionName": "Approval", "latestExecution": {"status": "InProgress", "token": "never shown"}}]}]


@pytest.mark.parametrize(("action_mode", "stage"), [("CHANGE_SET", "Deploy"), ("CREATE_UPDATE", "Approval")])
@pytest.mark.parametrize("mode", ["QUEUED", "SUPERSEDED"])
def test_waiting_approval_is_shown_with_its_rejection(mode: str, action_mode: str, stage: str, aws: Pipelines, run: Undo) -> None:
    aws.mode, aws.action_mode = mode, action_mode
    aws.deployed(4, BAD, 0, status="InProgress", deploy="")
    aws.listed.insert(0, aws.listed.pop())
    waits(aws, stage=stage)
    _, out, _ = run("--json")
    [hold] = json.loads(out)["holds"]
    assert hold["holds"] is True and hold["problem"] == f"execution {name(4)} (commit bad0bad0) waits for an approval, and this one would wait behind it"
    # As pasted into a shell. Its first line is the call for the token, whose response is the last word.
    command = hold["remedy"].removeprefix("Reject it first: ")
    ran = subprocess.run(["bash", "-c", f'aws() {{ echo "$*" >&2; echo t0ken; }}\n{command}'], text=True, capture_output=True, check=True)
    query = f"stageStates[?latestExecution.pipelineExecutionId=='{name(4)}'].actionStates[].latestExecution.token"
    assert ran.stderr.splitlines() == [
        f"codepipeline get-pipeline-state --name {PIPELINE} --query {query} --output text",
        f"codepipeline put-approval-result --pipeline-name {PIPELINE} --stage-name {stage} --action-name Approval "
        "--result status=Rejected,summary=undo --token t0ken"]
    assert jmespath.search(query, {"stageStates": aws.state}) == ["never shown"] and "never shown" not in out


@pytest.mark.parametrize(("mode", "effect"), [("QUEUED", "follows it"), ("SUPERSEDED", "replaces it if it still waits before a stage")])
def test_running_execution_is_shown(mode: str, effect: str, aws: Pipelines, run: Undo) -> None:
    aws.mode = mode
    aws.listed.insert(0, {"pipelineExecutionId": name(4), "status": "InProgress"})
    stop = f"aws codepipeline stop-pipeline-execution --pipeline-name {PIPELINE} --pipeline-execution-id {name(4)} --reason undo"
    shown = f"! execution {name(4)} (commit not known) is in progress. This one {effect}"
    out = run()[1]
    assert shown in out and f"follows it\n    To stop it after its actions in progress: {stop}\n" in out
    aws.listed[0]["status"] = "Stopping"
    assert shown in (out := run()[1]) and stop not in out
    aws.denied["GetPipelineState"] = "AccessDeniedException"
    assert shown in run()[1]


def test_approval_of_an_execution_that_is_not_listed_is_shown(aws: Pipelines, run: Undo) -> None:
    """A hundred others have begun since."""
    waits(aws, name(77))
    assert f"! execution {name(77)} (commit not known) waits for an approval, and this one would wait behind it\n    Reject" in run()[1]


def test_disabled_transition_is_shown_and_named_while_it_holds(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_REMINDER", 0)
    aws.state = [{"stageName": "Deploy", "actionStates": [], "inboundExecutions": [{"pipelineExecutionId": STARTED, "status": "InProgress"}],
                  "inboundTransitionState": {"enabled": False, "lastChangedBy": "arn:aws:iam::111122223333:user/olivia",
                                             "disabledReason": "sale\n\x1b[31m"}}]
    aws.looks = [*[("InProgress", [action("Build"), action("Source")])] * 2, *APPROVES[-1:]]
    status, out, _ = run("--to", GOOD, "--yes")
    why = "held by the disabled transition into stage Deploy, by arn:aws:iam::111122223333:user/olivia (sale\\n\\x1b[31m)"
    assert status == 0 and f"! {why}\n    To end the freeze: aws codepipeline enable-stage-transition --pipeline-name {PIPELINE}" in out
    # With the command once.
    assert out.count(f"... it waits at stage Deploy: {why}\n") == 2
    assert out.count(f"... it waits at stage Deploy: {why}\n         To end the freeze: aws codepipeline enable-") == 1


def test_disabled_rule_does_not_hold_it(aws: Pipelines, run: Undo) -> None:
    aws.rules = dict.fromkeys((PUSH_RULE, IMAGE_RULE), "DISABLED")
    out = run()[1]
    for rule, held in ((PUSH_RULE, "a push"), (IMAGE_RULE, "a push of the image")):
        assert f"event rule {rule} is disabled, so {held} starts nothing. It does not hold this one" in out


THAW = f"\n        Then end the freeze of the image: aws events enable-rule --name {IMAGE_RULE}\n"


def with_images(aws: Pipelines) -> None:
    aws.has_image, aws.rules[IMAGE_RULE] = True, "ENABLED"
    for each in aws.listed:
        each["sourceRevisions"].append({"actionName": "Image", "revisionId": IMAGE})


def test_rule_of_the_image_is_frozen_before_the_start(aws: Pipelines, run: Undo) -> None:
    """A push of the image would deploy the branch's newest commit again."""
    with_images(aws)
    status, out, _ = run("--to", GOOD, "--yes")
    assert (status, len(aws.starts), aws.rules) == (0, 1, {PUSH_RULE: "ENABLED", IMAGE_RULE: "DISABLED"})
    plan, end = (out.index(f"{text}") for text in (f"- Event rule {IMAGE_RULE} will be disabled", f"ok      event rule {IMAGE_RULE} is disabled"))
    assert plan < out.index(f"- {PIPELINE} will be started") < end < out.index("ok      execution")
    assert THAW in out[end:out.index("ok      execution")]


@pytest.mark.parametrize("failure", ["AccessDeniedException", "Failed"])
def test_freeze_of_the_image_is_named_if_the_undo_fails(failure: str, aws: Pipelines, run: Undo) -> None:
    with_images(aws)
    if failure == "Failed":
        aws.looks = [("Failed", [action("Source", "Failed")])]
    else:
        aws.denied["StartPipelineExecution"] = failure
    status, out, _ = run("--to", GOOD, "--yes")
    assert (status, aws.rules[IMAGE_RULE]) == (1, "DISABLED") and THAW in out


def test_freeze_of_the_image_by_a_person_stays(aws: Pipelines, run: Undo) -> None:
    with_images(aws)
    aws.rules[IMAGE_RULE] = "DISABLED"
    status, out, _ = run("--to", GOOD, "--yes")
    assert (status, len(aws.starts)) == (0, 1)
    assert "will be disabled" not in out and "ok      event rule" not in out and "Then end the freeze" not in out


def test_rule_of_the_image_that_stays_enabled_is_named(aws: Pipelines, run: Undo) -> None:
    with_images(aws)
    aws.denied["DisableRule"] = "AccessDeniedException"
    status, out, _ = run("--to", GOOD, "--yes")
    assert (status, len(aws.starts), aws.rules[IMAGE_RULE]) == (1, 1, "ENABLED")
    assert f"! event rule {IMAGE_RULE} is not disabled: DisableRule is denied" in out
    assert f"    Disable it: aws events disable-rule --name {IMAGE_RULE}\n" in out and "Then end the freeze" not in out


NEVER = {"Cron": "* * * 30 FEB ?", "TimeZone": "UTC"}
BERLIN = {"Cron": "* * 9-17 ? * MON-FRI", "TimeZone": "Europe/Berlin"}


@pytest.mark.parametrize(("window", "now", "opens"), [
    (BERLIN, "2026-11-27 12:00", "2026-11-27 12:00"), (BERLIN, "2026-11-27 17:00", "2026-11-30 08:00"),
    (BERLIN, "2026-07-03 06:59", "2026-07-03 07:00"), ({"Cron": "0 30/15 22 1,15 DEC ? *"}, "2026-11-27 12:00", "2026-12-01 22:30"),
    ({"Cron": "* * * 1 JAN ?"}, "2026-11-27 12:00", ""), (NEVER, "2026-11-27 12:00", "")], ids=str)
def test_next_opening_of_a_window(window: dict[str, str], now: str, opens: str) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}:00+00:00")

    assert deployment_window.next_opening(window, at(now)) == (at(opens) if opens else None)


@pytest.mark.parametrize("cron", ["* * * L * ?", "* * * 15W * ?", "* * * ? * MON#2", "* * * ? * FRI-MON", "* * 22-4 ? * *", "* * * ? * * 2027",
                                  "* 70 * ? * *", "* */0 * ? * *"])
def test_window_of_another_form_is_not_a_closed_one(cron: str, aws: Pipelines, run: Undo) -> None:
    aws.window = {"Cron": cron, "TimeZone": "UTC"}
    out = run()[1]
    assert f"\n? whether Deploy.Window ({cron}, UTC) of stage Deploy is open was not read\n    To override" in out and "held at" not in out
    [hold] = json.loads(run("--json")[1])["holds"]
    assert hold["holds"] is None and "aws codepipeline override-stage-condition" in hold["remedy"]


def test_window_of_another_time_zone_is_not_a_closed_one(aws: Pipelines, run: Undo) -> None:
    aws.window = {"Cron": "* * * ? * *", "TimeZone": "Nowhere"}
    assert "? whether Deploy.Window (* * * ? * *, Nowhere) of stage Deploy is open was not read" in run()[1]


def test_closed_window_is_shown_and_an_open_one_is_not(aws: Pipelines, run: Undo) -> None:
    aws.window = {"Cron": "* * * ? * *"}
    assert "Window" not in run()[1]
    aws.window = NEVER
    override = (f"To override the window, once the execution waits there: aws codepipeline override-stage-condition --pipeline-name {PIPELINE} "
                "--stage-name Deploy --condition-type BEFORE_ENTRY --pipeline-execution-id <its ID>")
    assert f"! held at stage Deploy by Deploy.Window (* * * 30 FEB ?, UTC): it does not open within 8 days\n    {override}\n" in run()[1]


def test_what_holds_it_is_true_false_or_null_in_json(aws: Pipelines, run: Undo) -> None:
    aws.rules, aws.window = {PUSH_RULE: "DISABLED"}, NEVER
    aws.denied |= {"GetCommit": "AccessDeniedException", "GetPipelineState": "AccessDeniedException"}
    document = json.loads(run("--json")[1])
    assert [each["holds"] for each in document["holds"]] == [True, False]
    assert [(each["call"], each["code"]) for each in document["unread"]] == [
        ("GetCommit", "AccessDeniedException"), ("GetPipelineState", "AccessDeniedException")]
    assert all(each["reason"] and each["remedy"] for each in document["unread"])


# --- denied reads ---

@pytest.mark.parametrize(("call", "line"), [
    ("GetCommit", "? titles and authors were not read: GetCommit is denied"),
    ("GetPipelineState", "? whether an approval waits, or a transition is disabled, was not read: GetPipelineState is denied"),
    ("DescribeRule", "? event rule event-rule-dev-codepipeline-exec-cfn-shop was not read: DescribeRule is denied"),
    ("InvokeFunction", "? whether branch development in GitLab contains commit 600d600d was not checked: Invoke is denied")])
def test_denied_read_is_shown_and_stops_nothing(call: str, line: str, aws: Pipelines, run: Undo) -> None:
    aws.denied[call] = "AccessDeniedException"
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and line in out and len(aws.starts) == 1
    if call == "GetCommit":
        # The title is CodePipeline's then.
        assert re.search("600d600d +- +Add a queue", out)


@pytest.mark.parametrize("error", [
    ReadTimeoutError(endpoint_url="https://codecommit"), EndpointConnectionError(endpoint_url="https://codecommit"),
    ResponseParserError("no JSON"), Failing("InternalFailure: try later"), Rejected("EncryptionKeyDisabledException: the key is disabled")], ids=type)
def test_no_error_of_codecommit_stops_it(error: Exception, aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    def rejected(_: Any) -> Any:
        raise error

    monkeypatch.setattr(aws, "GetCommit", rejected)
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and out.count("\n? titles and authors were not read: ") == 1 and re.search("600d600d +- +Add a queue", out)


@pytest.mark.parametrize("call", ["codepipeline:GetPipeline ", "ListActionExecutions", "ListPipelineExecutions", "StartPipelineExecution"])
def test_denied_call_that_is_needed_is_one_failure(call: str, aws: Pipelines, run: Undo) -> None:
    aws.denied[call] = "AccessDeniedException"
    status, _, err = run("--to", GOOD, "--yes")
    assert (status, aws.starts) == (1, []) and " is denied: User: " in err and err.count("\n") == 1
    assert "may have started" not in err


def test_repository_of_another_account_is_not_read(aws: Pipelines, run: Undo) -> None:
    aws.outputs["SourceRepositoryArn"] = "arn:aws:codecommit:eu-central-1:210987654321:infra"
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and "titles and authors were not read: the repository is in another account" in out and aws.calls["GetCommit"] == 0


@pytest.mark.parametrize(("answer", "expected", "line"), [
    ({"Contained": True}, True, ""), ({"Contained": False, "Problem": ""}, False, "! branch development in GitLab does not contain commit 600d600d: its history was rewritten"),
    ({"Contained": False, "Problem": "the branch does not exist"}, False, "commit 600d600d: the branch does not exist\n"),
    ({"Contained": None, "Problem": "GitLab rejects the token", "Remedy": "Replace it"}, None,
     "was not checked: GitLab rejects the token\n    Replace it\n"),
    ({"Doctor": {"Checks": []}}, None, "was not checked: the function is of an earlier version, or failed"),
    ({"errorMessage": "unknown event", "Contained": "yes"}, None, "of an earlier version"), ([], None, "of an earlier version"),
    (ReadTimeoutError(endpoint_url="https://lambda.eu-central-1.amazonaws.com"), None, "lambda.eu-central-1.amazonaws.com did not answer in time")],
    ids=str)
def test_function_answers_whether_gitlab_contains_the_commit(answer: Any, expected: bool | None, line: str, aws: Pipelines, run: Undo) -> None:
    aws.contained = answer
    status, out, _ = run("--to", GOOD, "--yes")
    about = [each for each in out.splitlines() if "contain" in each]
    assert status == 0 and line in out and len(about) == (1 if expected else 2) and len(aws.starts) == 1
    assert about[0].startswith("- The function checks whether branch development") and aws.clients["lambda"].meta.config.read_timeout == 40
    assert json.loads(run("--to", GOOD, "--yes", "--json")[1])["contained"]["contained"] is expected


# --- the start and its end ---

@pytest.mark.parametrize(("looks", "status", "line"), [
    ([("Succeeded", [action("Deploy"), action("Source")])], 0, "commit 600d600d is deployed"),
    ([("Failed", [action("Build", "Failed", output={"executionResult": {"errorDetails": {"message": "exit status 2\x1b[2J"}}}), action("Source")])],
     1, "Build failed: exit status 2\\x1b[2J. Read its log: aws logs tail /aws/codebuild/codebuild-dev-cfn-shop --since 1d"),
    ([("Failed", [])], 1, f"execution {STARTED} ended as Failed: why it ended. See the execution: https://"),
    ([("Superseded", [action("Source")])], 1, f"a newer execution replaced execution {STARTED}"),
    ([("Cancelled", [action("Source")])], 1, "ended as Cancelled: why it ended"), ([("Stopped", [action("Source")])], 1, "ended as Stopped")])
def test_end_of_the_execution_is_the_result(looks: Any, status: int, line: str, aws: Pipelines, run: Undo) -> None:
    aws.has_approval, aws.looks = False, list(looks)
    ended, out, err = run("--to", GOOD, "--yes")
    assert ended == status and line in (err if status else out) and "is deployed without an approval" in out
    aws.looks = list(looks)
    document = json.loads(run("--to", GOOD, "--yes", "--json")[1])
    assert (document["execution"], document["result"]) == (STARTED, looks[-1][0]) and ("error" in document) == bool(status)


@pytest.mark.parametrize("stack", ["cfnstack-dev-shop", "another"])
def test_failed_deployment_names_the_command_for_its_resources(stack: str, aws: Pipelines, run: Undo) -> None:
    aws.deployed_stack = stack
    aws.stacks.append(aws.stack(stack))
    aws.prepare()
    aws.looks = [("Failed", [action("Deploy", "Failed"), action("Source")])]
    assert f"See what failed: cfn-gitops failures {stack} --env dev" in run("--to", GOOD, "--yes")[2]


def test_closed_window_is_named_while_it_holds(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    """CodePipeline shows the execution in the stage then: assumption `waiting-window-holds-the-stage`."""
    monkeypatch.setattr(following, "_REMINDER", 0)
    aws.window = NEVER
    state = {"pipelineExecutionId": STARTED, "status": "InProgress"}
    aws.state = [{"stageName": "Deploy", "latestExecution": state, "actionStates": []}]
    aws.looks = looks = [("InProgress", [action("Build"), action("Source")]), *APPROVES[-1:]]
    held = "... it waits at stage Deploy: held at stage Deploy by Deploy.Window (* * * 30 FEB ?, UTC): it does not open within 8 days\n"
    override = f"aws codepipeline override-stage-condition --pipeline-name {PIPELINE} --stage-name Deploy --condition-type BEFORE_ENTRY"
    aws.looks = list(looks)
    assert f"{held}         To override the window for this execution: {override} --pipeline-execution-id {STARTED}\n" in run("--to", GOOD, "--yes")[1]
    # In front of the stage there is nothing to override yet.
    aws.state, aws.looks = [{"stageName": "Deploy", "inboundExecutions": [state], "actionStates": []}], list(looks)
    assert held in (out := run("--to", GOOD, "--yes")[1]) and "for this execution" not in out


def test_without_waiting_it_ends_after_the_start(aws: Pipelines, run: Undo) -> None:
    status, out, err = run("--to", GOOD, "--yes", "--no-wait")
    assert (status, err, len(aws.starts), aws.calls["GetPipelineExecution"]) == (0, "", 1, 0)
    link = f"https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/{PIPELINE}/executions/{STARTED}/timeline?region=eu-central-1"
    assert out.splitlines()[-3:-1] == [f"ok      execution {STARTED} of {PIPELINE} is started", f"It goes on: {link}"]
    document = json.loads(run("--to", GOOD, "--yes", "--no-wait", "--json")[1])
    assert (document["execution"], document["result"]) == (STARTED, "started")


def test_it_never_waits_silently(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_REMINDER", 0)
    waits(aws)
    aws.state[0]["inboundExecution"] = {"pipelineExecutionId": STARTED, "status": "InProgress"}
    aws.looks = [("InProgress", []), ("InProgress", [action("Build", "InProgress")]), ("InProgress", [action("Build")]), *APPROVES[-1:]]
    lines = [line.split(" s  ")[1] for line in run("--to", GOOD, "--yes")[1].splitlines() if " s  ..." in line]
    held = f"... it waits at stage Deploy: execution {name(4)} waits for an approval there"
    assert lines == [held, "... Build goes on", held]


def test_state_that_is_not_read_proves_nothing(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_REMINDER", 0)
    aws.denied["GetPipelineState"] = "AccessDeniedException"
    aws.looks = [("InProgress", [action("Build"), action("Source")]), *APPROVES[-1:]]
    out = run("--to", GOOD, "--yes")[1]
    assert "... what it waits for is not read: GetPipelineState is denied: User: " in out and "has not begun" not in out


def test_server_that_does_not_answer_is_named_in_time(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SILENCE", 0.01)
    named, look, write = threading.Event(), aws.GetPipelineExecution, following.Following._write

    def silent(given: Any) -> Any:
        assert named.wait(60)
        return look(given)

    def written(self: Any, line: str, *more: str) -> None:
        write(self, line, *more)
        if "... AWS has not answered for " in line:
            named.set()

    monkeypatch.setattr(aws, "GetPipelineExecution", silent)
    monkeypatch.setattr(following.Following, "_write", written)
    assert run("--to", GOOD, "--yes")[0] == 0 and named.is_set()
    config = aws.clients["codepipeline"].meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (10, 1)


class Raw(io.BytesIO):
    """The body of a response, as urllib3 has it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def test_lost_response_of_the_start_starts_one_execution(aws: Pipelines, run: Undo) -> None:
    tokens: list[str] = []

    def send(request: Any, **_: Any) -> AWSResponse:
        tokens.append(json.loads(request.body)["clientRequestToken"])
        if len(tokens) == 1:
            raise ConnectionClosedError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com")
        return AWSResponse("", 200, {}, Raw(json.dumps({"pipelineExecutionId": STARTED}).encode()))

    aws.sent = send
    status, out, _ = run("--to", GOOD, "--yes")
    # CodePipeline starts one execution for both: assumption `start-token-outlives-a-delivery`.
    assert status == 0 and len(tokens) == 2 and len(set(tokens)) == 1 and f"execution {STARTED} of" in out


UNKNOWN = ("The execution may have started. Before you run this again, look for one of commit 600d600d: "
           f"aws codepipeline list-pipeline-executions --pipeline-name {PIPELINE} --max-items 5")


@pytest.mark.parametrize("lost", [ReadTimeoutError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com"), Failing(
    "InternalFailure: try later")], ids=["lost", "500"])
def test_start_without_a_response_is_not_a_failed_one(lost: Exception, aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(given: Any) -> Any:
        aws.starts.append(given)
        raise lost

    monkeypatch.setattr(aws, "StartPipelineExecution", start)
    status, _, err = run("--to", GOOD, "--yes")
    assert (status, len(aws.starts)) == (1, 1) and UNKNOWN in err


@pytest.mark.parametrize("rejection", ["ThrottlingException", "ExpiredTokenException"])
def test_rejected_repetition_proves_nothing_about_the_first_call(rejection: str, aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def send(request: Any, **_: Any) -> AWSResponse:
        calls.append(request)
        if len(calls) == 1:
            raise ConnectionClosedError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com")
        return AWSResponse("", 400, {}, Raw(json.dumps({"__type": rejection, "message": "no"}).encode()))

    # botocore's pauses.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    aws.sent = send
    status, out, err = run("--to", GOOD, "--yes", "--json")
    assert status == 1 and len(calls) > 1 and UNKNOWN in err and json.loads(out)["result"] == "unknown"


def test_lost_look_does_not_end_it(aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ConnectionClosedError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com")
    errors: list[Exception] = [lost]
    look = aws.GetPipelineExecution

    def sometimes(given: Any) -> Any:
        if errors:
            raise errors.pop()
        return look(given)

    monkeypatch.setattr(aws, "GetPipelineExecution", sometimes)
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and "... not read: " in out and len(aws.starts) == 1
    # A time ends it, not a number, and the same problem is one line.
    errors += [lost] * 50
    status, out, _ = run("--to", GOOD, "--yes")
    assert status == 0 and out.count("... not read: ") == 1
    monkeypatch.setattr(following, "_MAX_LOSS", 0)
    errors += [lost]
    status, _, err = run("--to", GOOD, "--yes")
    assert status == 1 and f"execution {STARTED} goes on, but is not read" in err


@pytest.mark.parametrize(("operation", "text"), [
    ("GetCommit", "Interrupted. Nothing was changed"),
    ("StartPipelineExecution", f"Interrupted. {UNKNOWN}"),
    ("GetPipelineExecution", f"Interrupted. Execution {STARTED} goes on. To stop it: aws codepipeline stop-pipeline-execution "
                             f"--pipeline-name {PIPELINE} --pipeline-execution-id {STARTED} --reason undo")])
def test_interrupt_says_what_goes_on(operation: str, text: str, aws: Pipelines, run: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws, operation, interrupted)
    status, _, err = run("--to", GOOD, "--yes")
    assert (status, err) == (130, f"\n{text}\n")


def test_texts_of_others_have_no_effect_on_the_terminal(aws: Pipelines, run: Undo) -> None:
    aws.commits[GOOD] = ("A\x1b[31mnn\u202e", "Add\ta queue\x07 and a much longer title than the table has room for")
    out = run()[1]
    assert "\x1b" not in out and "\x07" not in out and "A\\x1b[31mnn\\u202e" in out and "Add\\ta queue\\x07 and" in out


def test_examples_can_be_pasted() -> None:
    for example in undo.EXAMPLES:
        main.parser().parse_args(shlex.split(example, comments=True)[1:])
