"""The rows of `check` for what the local AWS does not have, with the responses that AWS documents."""

import functools
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from cli.checks import region, rows
from cli.checks import template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import Names
from cli.checks.rows import Once, Reader, Row, findings
from cli.checks.stack import project_check, stack_check
from cli.commands.check import next_values
from cli.environment.account import Account, Environment
from cli.environment.owners import Owners
from cli.project.approvals import is_waiting
from cli.project.pipelines import is_unfinished
from cli.shell.findings import Finding, Sound
from tests.cli.conftest import settings_of
from tests.cli.scene import ROOT
from tests.local.aws import LocalAws

ACCOUNT = "111122223333"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/operator"
OWNER = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/cfn-gitops-dev/1a2b"


def reader(region_name: str = "eu-central-1", arn: str = CALLER) -> Reader:
    session = boto3.Session("key", "secret", region_name=region_name)
    return Reader(Environment(settings_of({"EnvID": "dev"}), Account(session, ACCOUNT, arn)))


@functools.cache
def document_of_the_release() -> dict[str, Any]:
    return templates.read(ROOT)


def values(of: Reader, **parameters: str) -> dict[str, str]:
    of.environment.settings.parameters |= {"ProjectID": "infra", **parameters}
    return next_values(of.environment, document_of_the_release(), None)


def once(value: Any) -> Once:
    return Once(lambda: value)


def error(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )  # type: ignore[typeddict-item]


# Every status of CloudFormation's API reference.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
STATUSES = {
    "sound": (
        "CREATE_COMPLETE UPDATE_COMPLETE UPDATE_ROLLBACK_COMPLETE IMPORT_COMPLETE IMPORT_ROLLBACK_COMPLETE"
        " REVIEW_IN_PROGRESS"
    ),
    "Wait for its end": (
        "CREATE_IN_PROGRESS UPDATE_IN_PROGRESS UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        " UPDATE_ROLLBACK_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS DELETE_IN_PROGRESS"
        " IMPORT_IN_PROGRESS IMPORT_ROLLBACK_IN_PROGRESS"
    ),
    "cloudformation delete-stack": (
        "ROLLBACK_COMPLETE ROLLBACK_FAILED CREATE_FAILED DELETE_FAILED ROLLBACK_IN_PROGRESS"
    ),
    "cloudformation continue-update-rollback": "UPDATE_ROLLBACK_FAILED",
    "cloudformation rollback-stack": "UPDATE_FAILED",
    "cfn-gitops failures --env dev": "IMPORT_ROLLBACK_FAILED",
}


@pytest.mark.parametrize(
    ("remedy", "status"),
    [(remedy, status) for remedy, all_of in STATUSES.items() for status in all_of.split()],
)
def test_stack_status_has_its_remedy(remedy: str, status: str) -> None:
    finding = stack_check(
        reader().environment,
        {
            "StackStatus": status,
            "RoleARN": "arn:role",
            "Parameters": [{"ParameterKey": "EnvID", "ParameterValue": "dev"}],
        },
    )
    assert ("aws cloudformation" in finding.remedy) == finding.remedy.endswith(" --role-arn arn:role")
    assert finding.result == ("sound" if remedy == "sound" else "found")
    assert remedy == "sound" or remedy in finding.remedy


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_COMPLETE", "Deploy it there, not with `sam deploy`"),
        ("UPDATE_FAILED", "Correct its status there"),
        ("UPDATE_IN_PROGRESS", "Wait for its end, and run this again"),
    ],
)
@pytest.mark.parametrize(
    ("more", "manager"),
    [
        (
            {"ParentId": "a", "RootId": "arn:aws:cloudformation:r:1:stack/root/1"},
            "stack root, in which it is nested",
        ),
        ({"StackName": "StackSet-gitops-1"}, "its StackSet, of which its name shows an instance"),
    ],
)
def test_stack_of_another_owner_is_deployed_by_that(
    status: str, remedy: str, more: dict[str, str], manager: str
) -> None:
    stack = {"StackStatus": status, "Parameters": [{"ParameterKey": "EnvID", "ParameterValue": "dev"}]}
    owner = "" if remedy.startswith("Wait") else f"It belongs to {manager}. "
    assert stack_check(reader().environment, stack | more).remedy == owner + remedy


def test_rolled_back_update_is_sound_and_names_its_cause() -> None:
    parameters = [{"ParameterKey": "EnvID", "ParameterValue": "dev"}]
    finding = stack_check(
        reader().environment, {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "Parameters": parameters}
    )
    assert finding.remedy == "Its last update was rolled back. Read why: cfn-gitops failures --env dev"


def test_stack_of_another_program_is_found() -> None:
    """`sam deploy` would replace its resources."""
    finding = stack_check(reader().environment, {"StackStatus": "CREATE_COMPLETE"})
    assert finding.text.startswith("it has no parameter EnvID") and "stack_name" in finding.remedy


@pytest.mark.parametrize(
    ("given", "former", "is_found"),
    [
        ({}, "infra", False),
        ({"ProjectID": "infra"}, "infra", False),
        ({"ProjectID": "other"}, "", False),
        ({"ProjectID": "other"}, "infra", True),
        ({"ProjectID": ""}, "infra", True),
    ],
)
def test_replaced_first_project_is_found(given: dict[str, str], former: str, is_found: bool) -> None:
    environment = reader().environment
    environment.settings.parameters |= given
    stack = {"Parameters": [{"ParameterKey": "ProjectID", "ParameterValue": former}]}
    found = project_check(environment, stack, next_values(environment, document_of_the_release(), stack))
    assert (found.result, "codecommit-dev-cfn-infra with its commits" in found.text) == (
        ("found", True) if is_found else ("sound", False)
    )
    assert project_check(environment, None, {"ProjectID": "other"}).result == ("sound" if given else "found")


def test_template_of_the_release_counts_for_settings_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "cfn-gitops")])
    assert templates.folder(tmp_path / "samconfig.toml") == ROOT
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "cli/__main__.py")])
    assert templates.folder(ROOT / "samconfig.toml") == ROOT


def test_every_stack_status_of_the_api_is_tried() -> None:
    shape = (
        boto3.Session()
        .client("cloudformation", region_name="eu-central-1")
        .meta.service_model.shape_for("StackStatus")
    )
    tried = {status for all_of in STATUSES.values() for status in all_of.split()}
    assert tried == set(shape.enum) - {"DELETE_COMPLETE"}


NO_NAME, NO_SERVER = (
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    socket.gaierror(socket.EAI_AGAIN, "try again"),
)


@pytest.mark.parametrize(
    ("region_name", "raised", "result"),
    [
        ("mx-central-1", NO_NAME, "found"),
        # A resolver that fails, a region of the SDK's data, and a network without a route prove nothing.
        ("mx-central-1", NO_SERVER, "not checked"),
        ("eu-central-1", NO_NAME, "not checked"),
        ("mx-central-1", OSError(101, "no route"), "not checked"),
    ],
)
def test_region_without_a_service_is_found_by_proof_only(
    monkeypatch: pytest.MonkeyPatch, region_name: str, raised: Exception, result: str
) -> None:
    monkeypatch.setattr(rows, "_CONFIG", Config(retries={"total_max_attempts": 1}, proxies={}))
    monkeypatch.setattr(socket, "getaddrinfo", MagicMock(side_effect=raised))
    of = reader(region_name)
    [finding] = rows.findings(
        each for each in region.service_rows(of, once({})) if each.subject == f"CodeCommit in {region_name}"
    )
    assert finding.result == result
    assert ("the region has no CodeCommit" if result == "found" else "does not answer") in finding.text


def test_response_proves_that_a_region_has_the_services() -> None:
    """The SDK's data may be older than the region. A denial may come from a service control policy."""
    of = reader("mx-central-1")
    checks = region.service_rows(of, once({"ProjectID": ""}))
    with (
        Stubber(of.client("codecommit")) as codecommit,
        Stubber(of.client("codepipeline")) as codepipeline,
        Stubber(of.client("codebuild")) as codebuild,
    ):
        codecommit.add_response("list_repositories", {"repositories": []})
        codepipeline.add_client_error("list_action_types", "AccessDeniedException", "m")
        codebuild.add_response("list_projects", {"projects": ["p"]})
        found = rows.findings(checks)
    assert [each.result for each in found] == ["sound", "not checked", "sound", "sound"]
    assert found[1].text == "ListActionTypes is denied: m"


@pytest.mark.parametrize(
    ("region_name", "named", "expected"),
    [
        ("eu-central-1", "infra", []),
        (
            "me-central-1",
            "infra",
            ["AWS::CodeCommit::Repository in me-central-1: CloudFormation does not have"],
        ),
        ("me-central-1", "", []),
        ("cn-north-1", "", ["CodePipeline in cn-north-1: CodePipeline has no action for CloudFormation"]),
    ],
)
def test_region_lacks_a_type_or_an_action(region_name: str, named: str, expected: list[str]) -> None:
    with LocalAws(region=region_name) as aws:
        of = MagicMock(client=aws.client)
        of.account.region = region_name
        found = rows.findings(region.service_rows(of, once({"ProjectID": named})))
    texts = [f"{each.subject}: {each.text}" for each in found if each.result == "found"]
    assert len(texts) == len(expected) and all(map(str.startswith, texts, expected)), texts


QUOTAS = {
    "Roles": 995,
    "RolesQuota": 1000,
    "Users": 1,
    "UsersQuota": 5000,
    "Policies": 1,
    "PoliciesQuota": 1500,
}


@pytest.mark.parametrize(
    ("owned", "summary", "result", "text"),
    [
        ({}, QUOTAS, "found", "the account has 995 of 1000, and the stack creates 8 more"),
        # A later version of the template may have more roles.
        (
            {"FunctionRole": "role", "ReadFunctionRole": "role", "CodeBuildCFnRole": "role"},
            QUOTAS | {"RolesQuota": 999},
            "found",
            "creates 5 more",
        ),
        (
            {"FunctionRole": "role", "ReadFunctionRole": "role", "CodeBuildCFnRole": "role"},
            QUOTAS,
            "sound",
            "",
        ),
        ({}, {"Roles": 995}, "not checked", "has no Roles or no RolesQuota"),
    ],
)
def test_quota_of_roles_counts_those_not_yet_created(
    owned: dict[str, str], summary: dict[str, int], result: str, text: str
) -> None:
    of = reader()
    checks = region.quota_rows(of, document_of_the_release(), once(owned), once(values(of)))[1:]
    with Stubber(of.client("iam")) as iam:
        iam.add_response("get_account_summary", {"SummaryMap": summary})  # type: ignore[arg-type]
        found = findings(checks)
    assert {each.result for each in found} == {result} and any(text in each.text for each in found)


def test_names_are_those_that_the_next_deployment_certainly_has() -> None:
    of, document = reader(), document_of_the_release()
    document = {
        **document,
        "Resources": {
            **document["Resources"],
            "Own": {"Type": "AWS::IAM::Role"},
            "Null": None,
            "Unknown": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Fn::Sub": "role-${Own}"}}},
        },
    }
    assert templates.names(document, "AWS::IAM::User", "UserName", values(of)) == [
        "user-dev-codecommit-mirroring"
    ]
    assert templates.names(document, "AWS::IAM::User", "UserName", values(of, ProjectID="")) == []
    roles = templates.names(document, "AWS::IAM::Role", "RoleName", values(of, EnvID="tst"))
    assert len(roles) == 8 and "role-tst-cfn-gitops-provisioning" in roles
    policies = templates.names(document, "AWS::IAM::ManagedPolicy", "ManagedPolicyName", values(of))
    assert "cfn-gitops-dev-eu-central-1-keeps-its-EnvID" in policies and not any(
        "boundary" in each for each in policies
    )


def child(name: str, **more: Any) -> dict[str, Any]:
    return {
        "StackName": f"gitops-dev-{name}",
        "StackId": f"arn:of/{name}",
        "Outputs": [{"OutputKey": "PipelineName", "OutputValue": f"codepipeline-dev-cfn-{name}"}],
        "Tags": [
            {"Key": "cfn-gitops:stack-id", "Value": OWNER},
            {"Key": "cfn-gitops:logical-id", "Value": "Pipeline"},
        ],
        **more,
    }


def by_name(*stacks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stack["StackName"]: stack for stack in stacks}


def executions_of(
    of: Reader, monkeypatch: pytest.MonkeyPatch, *children: dict[str, Any], disabled: str = ""
) -> list[Row]:
    """The rows, in an account where the environment's own stack shows `shop` as its pipeline. `disabled` is
    an event rule."""
    of.client("events").describe_rule = lambda Name: {"State": "DISABLED" if Name == disabled else "ENABLED"}
    stacks = [{"StackName": "cfn-gitops-dev", "StackId": OWNER, "StackStatus": "UPDATE_COMPLETE"}, *children]
    monkeypatch.setattr(
        Owners,
        "_resources_of",
        lambda *_: {
            "Pipeline": {"ResourceType": "Custom::GitOpsPipeline", "PhysicalResourceId": "gitops-dev-shop"}
        },
    )
    return execution_rows(of, once(by_name(*stacks)))


def test_execution_in_progress_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of a pipeline that the deployment of this stack can change. A tag names another one, and proves
    nothing."""
    of, elsewhere = (
        reader(),
        child(
            "other",
            Tags=[
                {"Key": "cfn-gitops:stack-id", "Value": OWNER.replace("cfn-gitops-dev", "project-dev-other")}
            ],
        ),
    )
    checks = executions_of(
        of,
        monkeypatch,
        child("evil"),
        elsewhere,
        child("foreign", Tags=[]),
        child("shop"),
        {**child("shop"), "StackName": "gitops-prd-shop"},
    )
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_response(
            "get_pipeline_state",
            {
                "stageStates": [
                    {
                        "stageName": "Build",
                        "actionStates": [
                            {"actionName": "Build", "latestExecution": {"status": "InProgress"}}
                        ],
                    }
                ]
            },
            {"name": "codepipeline-dev-cfn-shop"},
        )
        codepipeline.add_response(
            "list_pipeline_executions",
            {
                "pipelineExecutionSummaries": [
                    {"pipelineExecutionId": "e-1", "status": "InProgress"},
                    {"pipelineExecutionId": "e-0", "status": "Succeeded"},
                ]
            },
        )
        [finding] = findings(checks)
    assert finding.result == "found" and finding.text.startswith(
        "execution e-1 is in progress. The next deployment cancels it if it changes this pipeline"
    )


def test_old_execution_is_found_in_its_stage_and_not_by_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    of = reader()
    checks = executions_of(of, monkeypatch, child("shop"))
    with Stubber(of.client("codepipeline")) as codepipeline:
        stage = {
            "stageName": "Deploy",
            "inboundExecutions": [{"pipelineExecutionId": "old", "status": "InProgress"}],
            "latestExecution": {"pipelineExecutionId": "skipped", "status": "Skipped"},
        }
        codepipeline.add_response("get_pipeline_state", {"stageStates": [stage]})
        # The first of 75 pages of a year.
        codepipeline.add_response(
            "list_pipeline_executions",
            {
                "nextToken": "1",
                "pipelineExecutionSummaries": [
                    {"pipelineExecutionId": str(number), "status": "Succeeded"} for number in range(100)
                ],
            },
        )
        [finding] = findings(checks)
    assert finding.text.startswith("execution old is in progress. ")


def test_execution_beside_a_waiting_approval_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    of = reader()
    checks = executions_of(of, monkeypatch, child("shop"))
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_response(
            "get_pipeline_state",
            {
                "stageStates": [
                    {
                        "stageName": "Deploy",
                        "latestExecution": {"pipelineExecutionId": "e-1", "status": "InProgress"},
                        "actionStates": [
                            {
                                "actionName": "Approval",
                                "latestExecution": {"status": "InProgress", "token": "t"},
                            }
                        ],
                    }
                ]
            },
        )
        codepipeline.add_response(
            "list_pipeline_executions",
            {
                "pipelineExecutionSummaries": [
                    {"pipelineExecutionId": "e-2", "status": "InProgress"},
                    {"pipelineExecutionId": "e-1", "status": "InProgress"},
                ]
            },
        )
        found = findings(checks)
    assert [each.text.split(".")[0].split(" is")[0] for each in found] == [
        "an approval waits",
        "execution e-2",
    ]


def test_freeze_that_the_deployment_may_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    of, rule = reader(), "event-rule-dev-codepipeline-exec-cfn-shop"
    checks = executions_of(of, monkeypatch, child("shop"), disabled=rule)
    with Stubber(of.client("codepipeline")) as codepipeline:
        stage = {"stageName": "Deploy", "inboundTransitionState": {"enabled": False}}
        codepipeline.add_response("get_pipeline_state", {"stageStates": [stage]})
        codepipeline.add_response("list_pipeline_executions", {"pipelineExecutionSummaries": []})
        found = findings(checks)
    assert [(each.result, each.text.partition(".")[0]) for each in found] == [
        ("found", f"event rule {rule} is disabled"),
        ("found", "the transition into stage Deploy is disabled"),
    ]
    assert found[0].remedy == "Deploy after the freeze. To end it: cfn-gitops thaw shop --env dev"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"actionName": "Approval", "latestExecution": {"status": "InProgress"}}, True),
        ({"actionName": "Own", "latestExecution": {"status": "InProgress", "token": "t"}}, True),
        ({"actionName": "Build", "latestExecution": {"status": "InProgress"}}, False),
        ({"actionName": "Approval", "latestExecution": {"status": "Succeeded"}}, False),
        ({"actionName": "Approval"}, False),
    ],
)
def test_approval_waits_by_its_token_or_its_name(action: dict[str, Any], expected: bool) -> None:
    assert is_waiting(action) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [("InProgress", True), ("Stopping", True), ("Added later", True), ("Superseded", False)],
)
def test_unknown_status_of_an_execution_is_unfinished(status: str, expected: bool) -> None:
    assert is_unfinished({"status": status}) is expected


def test_pipeline_that_was_never_pushed_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    of = reader()
    checks = executions_of(of, monkeypatch, child("shop"))
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_client_error("get_pipeline_state", "PipelineNotFoundException")
        [finding] = findings(checks)
    assert finding.result == "sound"


def failing(raised: Exception) -> Callable[[], list[Finding]]:
    def read() -> list[Finding]:
        raise raised

    return read


def test_row_that_fails_stops_no_other() -> None:
    checks = [
        Row("key", "denied", failing(error("AccessDenied"))),
        Row("key", "slow", failing(ConnectTimeoutError(endpoint_url="https://a.example"))),
        Row("key", "login page", failing(ResponseParserError("not XML"))),
        Row("key", "other XML", failing(KeyError("Roles"))),
        Row("key", "sound", lambda: [Sound("sound")]),
    ]
    found = findings(checks)
    assert [each.result for each in found] == ["not checked"] * 4 + ["sound"]
    assert all("a proxy, or the page of a login" in each.remedy for each in found[2:4])


def test_defect_of_a_row_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        findings([Row("key", "defect", failing(ZeroDivisionError()))])


def test_row_without_a_response_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_SECONDS", 0.01)
    released = threading.Event()
    checks = [
        Row("key", "hanging", lambda: [Sound("hanging")] if released.wait() else []),
        Row("key", "sound", lambda: [Sound("sound")]),
    ]
    assert [each.result for each in findings(checks)][0] == "not checked"
    released.set()


def test_pipeline_of_an_existing_stack_is_kept() -> None:
    """It may be that of the environment, which has another name than in samconfig.toml."""
    of = reader()
    for owners, remedy in (
        (
            [{"StackName": "environment", "StackId": OWNER}],
            "If that stack is the environment, set stack_name",
        ),
        ([], "Choose another ProjectID. A person may have kept it: docs/how-to/leave.md, Kept or left"),
    ):
        stacks = by_name({"StackId": "arn", **child("infra")}, *owners)
        [finding] = Names(of, stacks, values(of)).pipeline()
        assert remedy in finding.remedy and "delete-stack" not in finding.remedy
