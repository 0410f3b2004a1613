"""The stacks that `cfn-gitops leave` deletes, and the conditions that it checks before."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from samcli.yamlhelper import yaml_parse

from cli.commands import leave
from cli.environment import owners, yaml_template
from cli.environment.waiting import GivenUp
from cli.shell.failure import Failure
from tests.cli import answering, conftest
from tests.cli.conftest import ROOT, FakeAccount

# Each resource A has DeletionPolicy: Delete, in a form that a reader of lines misses.
HIDDEN = {
    "complex key": "A:\n    ? DeletionPolicy\n    : Delete\n    Type: T",
    "escaped key": 'A:\n    "Deletion\\u0050olicy": Delete\n    Type: T',
    "flow": "A: {Type: T, DeletionPolicy: Delete}",
    "json": 'A: {"Type": "T", "DeletionPolicy": "Delete"}',
    "flow of several lines": "A: {Type: T,\n\n  B: 1,\nDeletionPolicy: Delete}",
    "next line": "A:\n    DeletionPolicy:\n      Delete\n    Type: T",
    "block scalar": "A:\n    Type: T\n    DeletionPolicy: >-\n      Delete",
    "lines like members": (
        "A:\n    Type: T\n    Metadata: |\n      A:\n    DeletionPolicy: Delete\n    Description: |2\n       "
        " DeletionPolicy: Retain"
    ),
    "text of several lines": (
        'A:\n    Type: T\n    Metadata: "\n    DeletionPolicy: Retain\n    "\n    DeletionPolicy: Delete'
    ),
    "comments": "A: # B:\n    Type: T\n    # DeletionPolicy: Retain\n    DeletionPolicy: Delete # Retain",
    "carriage returns": "A:\r\n    Type: T\r\n    DeletionPolicy: Delete\r",
    "next line of Unicode": "A:\n    Type: T\x85    DeletionPolicy: Delete",
}
# Forms that two parsers may read differently.
AMBIGUOUS = {
    "two policies": "A:\n    Type: T\n    DeletionPolicy: Retain\n    DeletionPolicy: Delete",
    "two forms of a policy": (
        'A:\n    Type: T\n    DeletionPolicy: Retain\n    "Deletion\\u0050olicy": Delete'
    ),
    "two resources": "A:\n    Type: T\n    DeletionPolicy: Retain\n  A: {Type: T}",
    "two sections": "A:\n    Type: T\nResources:\n  A: {Type: T}",
    "merge": "A:\n    <<: {DeletionPolicy: Delete}\n    Type: T",
    "quoted merge": 'A:\n    "<<": {DeletionPolicy: Delete}\n    Type: T',
    "alias": "A: &a {Type: T}\n  B: *a",
    "anchor": "A: &a {Type: T}",
    "anchor of a key": "&a A: {Type: T}",
    "tag of a type": "A:\n    Type: T\n    !!binary RGVsZXRpb25Qb2xpY3k=: Delete",
    "tag of a text": "A:\n    Type: T\n    !!str DeletionPolicy: Delete",
    "tag without a name": "A:\n    Type: T\n    ! DeletionPolicy: Delete",
    "verbatim tag": "A: !<tag:yaml.org,2002:map> {Type: T}",
    "function as a key": "A:\n    Type: T\n    !Ref DeletionPolicy: Delete",
    "list as a key": "A:\n    Type: T\n    ? [a]\n    : b",
    "two documents": "A: {Type: T}\n---\nResources: {A: {Type: T, DeletionPolicy: Delete}}",
    "directive": "A: {Type: T}\n...\n%TAG ! tag:yaml.org,2002:\n---\nA: 1",
    "key of two lines": 'A:\n    "Deletion\\\n      Policy": Delete\n    Type: T',
    "escape beyond Unicode": 'A: {Type: T, Metadata: "\\U00110000"}',
    "escape beyond C": 'A: {Type: T, Metadata: "\\UFFFFFFFF"}',
    "long version": f"A: {{Type: T}}\n...\n%YAML 1.{'9' * 5000}\n---\nA: 1",
    "tab": "A:\n\tType: T",
    "escape": "A:\n    Type: T\x1b",
    "mark in the middle": "A:\n    Type: T\n\ufeffB: 1",
    "no mapping": "[A]",
    "no resource": "{}",
    "a text": "A: T",
    "transform": "Fn::Transform:\n    - Name: A",
    "depth": "A: " + "[" * 400 + "]" * 400,
}
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:function-prd-cfn-gitops"
EXPORT = "cfn-gitops-prd-ServiceToken"
ENVIRONMENT = {
    "StackStatus": "CREATE_COMPLETE",
    "StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-prd/1",
    "Parameters": [{"ParameterKey": "EnvID", "ParameterValue": "prd"}],
    "Outputs": [{"OutputKey": "ServiceToken", "OutputValue": FUNCTION, "ExportName": EXPORT}],
}
MIRROR, USER = ("MirrorCredential", "Custom::MirrorCredential"), ("User", "AWS::IAM::User")
ROTATION = ("MirrorRotation", "AWS::SecretsManager::RotationSchedule")
PIPELINE = ("Pipeline", "Custom::GitOpsPipeline")
ADDED = (leave.ADDED, leave.ADDED_TYPE)
_NOT_RETAINED = ("Function", ROTATION[0], ADDED[0])


class FakeAws:
    """All clients of an account whose stacks have the given resources, which their templates retain."""

    def __init__(self, account: FakeAccount) -> None:
        self.account, self.stacks, self.imports = account, {}, []
        # The deletions, and the calls about a template.
        self.calls: list[str] = []
        self.rotation_lambda_arn, self.unreachable = FUNCTION, ""
        self.stages: dict[str, list[str]] = {"a": ["AWSCURRENT", "AWSPENDING"], "b": ["AWSPREVIOUS"]}
        # The rows of the function's answer. `None` if it does not answer.
        self.rows: list[dict[str, Any]] | None = []
        # The deployed templates that are not made from `stacks`, and resources that are deleted.
        self.templates: dict[str, dict[str, Any] | str] = {}
        self.hidden: set[str] = set()
        self.physical_ids: dict[str, str] = {}
        account.session.client.side_effect = lambda service, **_: self
        self.add("cfn-gitops-prd", [("Function", "AWS::Lambda::Function")], **ENVIRONMENT)

    def add(self, name: str, resources: list[tuple[str, str]], **more: Any) -> None:
        self.account.known[name] = {
            "StackName": name,
            "StackId": f"id-of-{name}",
            "StackStatus": "CREATE_COMPLETE",
        } | more
        self.stacks[name] = {
            logical_id: {"Type": kind} | ({} if logical_id in _NOT_RETAINED else {"DeletionPolicy": "Retain"})
            for logical_id, kind in resources
        }
        if "Outputs" not in more:
            self.imports.append(name)

    def show(self, project: str, **more: Any) -> None:
        """A pipeline in the function's answer."""
        self.rows = [*(self.rows or []), row(project, **more)]

    def get_paginator(self, operation: str) -> Any:
        def paginate(**given: Any) -> Any:
            listed = getattr(self, operation, lambda **_: [])(**given)
            return [listed] if isinstance(listed, dict) else listed

        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:
        assert FunctionName == "cfn-gitops-prd-read" and json.loads(Payload) == {"Projects": {}}
        if self.rows is None:
            raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "Invoke")
        answer = answering.in_parts(answering.projects(*self.rows, EnvID="prd"))
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def list_imports(self, *, ExportName: str) -> Any:
        return [{"Imports": self.imports if ExportName == EXPORT else ["orders"]}]

    def list_stack_resources(self, *, StackName: str) -> Any:
        StackName = self.name_of(StackName)
        if StackName == self.unreachable:
            raise EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com")
        return [
            {
                "StackResourceSummaries": [
                    {
                        "LogicalResourceId": name,
                        "ResourceType": each["Type"],
                        "ResourceStatus": "CREATE_COMPLETE",
                        "PhysicalResourceId": self.physical_ids.get(name, "of-" + name),
                    }
                    for name, each in self.stacks[StackName].items()
                    if name not in self.hidden
                ]
            }
        ]

    def describe_secret(self, *, SecretId: str) -> Any:
        assert SecretId in ("of-MirrorRotation", "of-MirrorCredential", "of-A")
        return {"RotationLambdaARN": self.rotation_lambda_arn, "VersionIdsToStages": self.stages}

    def name_of(self, given: str) -> str:
        """The name of a stack, or of the stack with this ID."""
        return next(
            (name for name, stack in self.account.known.items() if stack.get("StackId") == given), given
        )

    def get_template(self, *, StackName: str, TemplateStage: str) -> Any:
        assert TemplateStage == "Processed"
        StackName = self.name_of(StackName)
        return {"TemplateBody": self.templates.get(StackName, {"Resources": self.stacks[StackName]})}


def row(project: str, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {
        "ChildStack": {"Name": f"gitops-prd-{project}", "Status": "UPDATE_COMPLETE"},
        "Freeze": {"Rules": [], "Executions": []},
    }
    return answering.project(project, **own | more)


@pytest.fixture
def aws(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws(account)

    def delete_stack(_session: Any, name: str, stack_id: str, _output: Any, _role_arn: str) -> None:
        assert stack_id == account.known[name]["StackId"]
        fake.calls.append(f"delete {name}: {', '.join(sorted(fake.stacks[name].keys() - {leave.ADDED}))}")

    monkeypatch.setattr(leave, "delete_stack", delete_stack)
    return fake


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(run: conftest.Run) -> Run:
    """`cfn-gitops leave --env prd` with further arguments. Returns its status and its output."""

    def ran(*arguments: str, answer: str = "") -> tuple[int, str]:
        ended = run("leave", "--env", "prd", *arguments, answer=answer)
        return ended.status, ended.out + ended.err

    return ran


def test_stacks_that_retain_are_deleted_and_the_environment_last(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, USER, ROTATION, PIPELINE, ADDED])
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.show("shop")
    status, printed = run("--yes")
    assert status == 0 and "LEFT" not in printed, printed
    assert "  - kept: MirrorCredential, Pipeline, User\n" in printed
    assert "  - deleted: MirrorRotation (AWS::SecretsManager::RotationSchedule)\n" in printed
    assert aws.calls == [
        "delete project-prd-shop: MirrorCredential, MirrorRotation, Pipeline, User",
        "delete cfn-gitops-prd: Function",
    ]


@pytest.mark.parametrize("form", AMBIGUOUS)
def test_template_with_two_readings_is_left(form: str, aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [("A", MIRROR[1])])
    aws.templates["project-prd-shop"] = f"Description: A\nResources:\n  {AMBIGUOUS[form]}\n"
    status, printed = run("--yes", "project-prd-shop")
    reason = (
        "its deployed template does not retain A. "
        if form == "no resource"
        else "its template is not read: it.*Deploy one that retains, without sam"
    )
    assert status == 1 and re.search(f"LEFT    project-prd-shop: {reason}", printed), printed
    assert aws.calls == []


@pytest.mark.parametrize("form", HIDDEN)
@pytest.mark.parametrize("begin", ["", "\ufeff", "---\n"], ids=["", "byte order mark", "document"])
def test_policy_in_any_notation_is_read(form: str, begin: str, aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [("A", MIRROR[1])])
    aws.templates["project-prd-shop"] = text = f"{begin}Resources:\n  {HIDDEN[form]}\n"
    assert yaml_template.parsed(text)["Resources"]["A"]["DeletionPolicy"] == "Delete"
    status, printed = run("--yes", "project-prd-shop")
    # One with a question mark is not read at all.
    assert status == 1 and re.search(
        "LEFT    project-prd-shop: its (deployed )?template (does|is) not", printed
    )
    assert aws.calls == []


def test_yaml_that_shows_its_policies_is_enough(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    aws.templates["project-prd-shop"] = (
        "Resources: # the mirror\n"
        f"  {MIRROR[0]}:\n    Type: {MIRROR[1]}\n    'DeletionPolicy' : \"Retain\" # stays\n"
    )
    assert run("--yes", "project-prd-shop")[0] == 0
    aws.templates["project-prd-shop"] += "Description: caf?\n"
    status, printed = run("--yes", "project-prd-shop")
    assert status == 1 and "which may hide another character. Deploy one" in printed


@pytest.mark.parametrize(
    ("name", "policy", "reason"),
    [
        ("User", "Delete", "its deployed template does not retain User. First deploy one that has"),
        ("User", None, "its deployed template does not retain User. First deploy one that has"),
        ("User", "RetainExceptOnCreate", "its deployed template does not retain User. First"),
        ("MirrorRotation", "Retain", "its deployed template retains MirrorRotation, which would be left"),
    ],
)
def test_other_policy_leaves_everything(
    name: str, policy: str | None, reason: str, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [MIRROR, USER, ROTATION])
    aws.add("project-prd-web", [MIRROR])
    aws.stacks["project-prd-shop"][name] |= {"DeletionPolicy": policy}
    if policy is None:
        del aws.stacks["project-prd-shop"][name]["DeletionPolicy"]
    status, printed = run("--yes")
    assert status == 1 and f"LEFT    project-prd-shop: {reason}" in printed and aws.calls == []
    assert printed.endswith("Nothing was changed\n")


def test_resource_that_the_template_lacks_is_not_retained(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, USER])
    aws.templates["project-prd-shop"] = {"Resources": {"User": {"DeletionPolicy": "Retain"}}}
    status, printed = run("--yes")
    assert status == 1 and "does not retain MirrorCredential. " in printed and aws.calls == []


HELD = {"Held": "held by the disabled transition into stage Deploy", "Remedy": "Thaw it"}
PROBLEM = {
    "Subject": "pipeline stack gitops-prd-shop",
    "Problem": "its event rule does not exist",
    "Remedy": "a",
}
APPROVAL = {"ExecutionId": "e", "Stage": "Deploy", "Action": "Approval", "Url": "https://a"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"HasPipeline": False, "Approvals": None}, "has no pipeline yet, and only the function creates it"),
        ({"NeedsFunction": ["Source.Paths"]}, "has Source.Paths, whose event rule needs the function"),
        ({"NeedsFunction": ["Source.Paths", "Review"]}, "has Source.Paths and Review, whose event rule"),
        (
            {"Approvals": [APPROVAL]},
            "waits for an approval. Approve or reject it: cfn-gitops status --env prd",
        ),
        (
            {"Freeze": {"Rules": [], "Executions": [{"ExecutionId": "e"}]}},
            "has an execution in progress. Wait",
        ),
        ({"Holds": [HELD]}, "is held by the disabled transition into stage Deploy. Thaw it"),
        ({"Problems": [PROBLEM]}, "is not sound: pipeline stack gitops-prd-shop: its event rule does not"),
        ({"Freeze": None, "NotRead": [{"Problem": "denied", "Remedy": "a"}]}, "is not read: denied"),
        ({"Freeze": {"Rules": []}}, "is not read: its function is older than this command"),
        ({"NeedsFunction": None}, "is not read: its function is older than this command"),
        ({"Approvals": None}, "is not read: its function"),
        ({"Holds": None}, "is not read: its function"),
    ],
    ids=str,
)
def test_project_that_would_lose_something_leaves_everything(
    more: dict[str, Any], reason: str, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [PIPELINE])
    aws.add("project-prd-web", [MIRROR])
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.show("shop", **more)
    status, printed = run("--yes")
    assert status == 1 and f"LEFT    project-prd-shop: project shop {reason}" in printed, printed
    assert aws.calls == []
    # Another project's is none of this stack.
    assert run("--yes", "project-prd-web")[0] == 0


def test_project_whose_mirror_is_not_read_is_deleted(aws: FakeAws, run: Run) -> None:
    """GitLab may be gone."""
    aws.add("project-prd-shop", [PIPELINE])
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.show("shop", Mirrors=None, NotRead=[{"Problem": "GitLab does not respond", "Remedy": "a"}])
    assert run("--yes")[0] == 0


def test_pipeline_that_the_function_does_not_show_is_left(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [PIPELINE])
    aws.physical_ids["Pipeline"] = "gitops-dev-shop"
    aws.show("shop")
    status, printed = run("--yes")
    assert status == 1 and aws.calls == []
    assert (
        "the pipeline gitops-dev-shop of resource Pipeline is not among those of the environment" in printed
    )


def test_execution_that_begins_at_the_prompt_leaves_everything(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add("project-prd-shop", [PIPELINE])
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.show("shop")

    def confirm(*_: Any) -> bool:
        aws.rows = [row("shop", Freeze={"Rules": [], "Executions": [{"ExecutionId": "e"}]})]
        return True

    monkeypatch.setattr(leave, "confirm", confirm)
    status, printed = run()
    assert status == 1 and "project shop has an execution in progress" in printed and aws.calls == []

    def adds_a_resource(*_: Any) -> bool:
        aws.add("project-prd-shop", [PIPELINE, USER])
        return True

    aws.rows = [row("shop")]
    monkeypatch.setattr(leave, "confirm", adds_a_resource)
    status, printed = run()
    assert status == 1 and "the list has changed since it was shown" in printed and aws.calls == []


def test_rotation_in_progress_leaves_everything(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    aws.stages = {"a": ["AWSCURRENT"], "b": ["AWSPENDING"]}
    status, printed = run("--yes")
    assert status == 1 and aws.calls == []
    assert "LEFT    project-prd-shop: a rotation of secret of-MirrorCredential is in progress" in printed


def test_function_that_does_not_answer_leaves_everything(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    aws.rows = None
    status, printed = run("--yes")
    assert (
        status == 3 and aws.calls == [] and "AWS throttles calls of function cfn-gitops-prd-read. " in printed
    )


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_FAILED", "rollback-stack"),
        ("CREATE_FAILED", "delete-stack"),
        ("ROLLBACK_FAILED", "delete-stack"),
        ("IMPORT_ROLLBACK_FAILED", ""),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("REVIEW_IN_PROGRESS", "delete-stack"),
        ("NEW", ""),
    ],
)
def test_stack_without_a_completed_change_is_left(status: str, command: str, aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, ADDED])
    aws.account.known["project-prd-shop"]["StackStatus"] = status
    printed = run("--yes", "project-prd-shop")
    remedy = (
        "Correct the cause, and before you run this again: aws cloudformation"
        f" {command} --stack-name project-prd-shop\n"
        if command
        else "Wait for the end of its change. "
    )
    assert printed[0] == 1 and aws.calls == []
    assert f"LEFT    project-prd-shop: it is in {status}. {remedy}" in printed[1]
    for complete in ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        aws.account.known["project-prd-shop"]["StackStatus"] = complete
        assert run("--yes", "project-prd-shop")[0] == 0
    assert aws.calls == ["delete project-prd-shop: MirrorCredential"] * 2


def test_deletion_that_failed_continues(aws: FakeAws, run: Run) -> None:
    """Its function may be gone already."""
    aws.account.known["cfn-gitops-prd"]["StackStatus"] = "DELETE_FAILED"
    aws.add("cfn-gitops-prd", [("Function", "AWS::Lambda::Function"), PIPELINE, ADDED], **ENVIRONMENT)
    aws.account.known["cfn-gitops-prd"]["StackStatus"] = "DELETE_FAILED"
    aws.hidden |= {"Function", ADDED[0]}
    aws.rows = None
    assert run("--yes")[0] == 0
    assert aws.calls == ["delete cfn-gitops-prd: Function, Pipeline"]


def test_failed_deletion_with_a_function_asks_it(aws: FakeAws, run: Run) -> None:
    aws.add("cfn-gitops-prd", [("ReadFunction", "AWS::Lambda::Function"), PIPELINE, ADDED], **ENVIRONMENT)
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.account.known["cfn-gitops-prd"]["StackStatus"] = "DELETE_FAILED"
    aws.show("shop", Approvals=[APPROVAL])
    status, printed = run("--yes")
    assert status == 1 and "project shop waits for an approval" in printed, printed
    assert aws.calls == []


def test_scalars_and_functions_have_the_forms_of_json() -> None:
    text = """{A: !Ref B, C: !GetAtt A.B.C, D: !GetAtt [A, B], E: !Sub "${A}", F: !If [C, !Ref D, 1], G: {Condition: A},
        H: [1, 012, 0x1, 1_0, 1.5, 1.10, 1e3, .inf, -3], I: [true, No, "yes", y], J: [2012-10-17, 22:22, =, "1", "", ~],
        K: !Condition A, 123456789012: a, 012345670123: b, on: c, 1.0: d}"""  # noqa: E501
    assert yaml_template.parsed(text) == {
        "A": {"Ref": "B"},
        "C": {"Fn::GetAtt": ["A", "B.C"]},
        "D": {"Fn::GetAtt": ["A", "B"]},
        "E": {"Fn::Sub": "${A}"},
        "F": {"Fn::If": ["C", {"Ref": "D"}, 1]},
        "G": {"Condition": "A"},
        "H": [1, "012", "0x1", "1_0", 1.5, "1.10", "1e3", ".inf", -3],
        "I": [True, False, "yes", "y"],
        "J": ["2012-10-17", "22:22", "=", "1", "", None],
        "K": {"Condition": "A"},
        "123456789012": "a",
        "012345670123": "b",
        "on": "c",
        "1.0": "d",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"Parameters": [{"ParameterKey": "EnvID", "ParameterValue": "dev"}]},
        {"Parameters": []},
        {"Outputs": []},
        {
            "Outputs": [
                {
                    "OutputKey": "ServiceToken",
                    "OutputValue": FUNCTION,
                    "ExportName": "cfn-gitops-dev-ServiceToken",
                }
            ]
        },
        None,
    ],
)
def test_stack_of_another_environment_is_refused(
    wrong: dict[str, Any] | None, aws: FakeAws, run: Run
) -> None:
    aws.account.known["other"] = {"StackName": "other"}
    aws.account.known["cfn-gitops-prd"] |= wrong or {}
    message = (
        "stack cfn-gitops-prd does not have EnvID prd"
        if wrong
        else "stack other does not use the function of environment prd. "
    )
    status, printed = run("--yes", "other")
    assert status == (1 if wrong else 2) and message in printed
    assert aws.calls == []


def test_rotation_with_another_function_is_kept(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, ROTATION])
    assert "  - deleted: MirrorRotation" in run()[1]
    aws.rotation_lambda_arn = "arn:aws:lambda:eu-central-1:111122223333:function:other"
    status, printed = run("--yes", "project-prd-shop")
    assert status == 1 and "its deployed template does not retain MirrorRotation. " in printed
    aws.stacks["project-prd-shop"]["MirrorRotation"]["DeletionPolicy"] = "Retain"
    status, printed = run("--yes", "project-prd-shop")
    assert status == 0 and "  - kept: MirrorCredential, MirrorRotation\n" in printed


def test_resources_of_the_function_are_those_without_a_purpose() -> None:
    kinds = {
        name: resource["Type"]
        for name, resource in yaml_parse((ROOT / "template.yaml").read_text())["Resources"].items()
    }
    services = r"AWS::(Serverless|Lambda|Events|CloudWatch|Logs|SecretsManager)::.*"
    deleted = {name for name, kind in kinds.items() if re.fullmatch(services, kind)} | {
        "FunctionRole",
        "ReadFunctionRole",
        "FunctionReadPolicy",
        "FunctionChangeSetsPolicy",
        "EnvIDGuard",
    }
    assert {name for name, kind in kinds.items() if leave.is_deleted(name, kind, True)} == deleted
    assert {name for name, kind in kinds.items() if leave.is_deleted(name, kind, False)} == {ROTATION[0]}
    # An operator may have added others.
    assert not leave.is_deleted("MyFunction", "AWS::Lambda::Function", True)


def test_application_is_only_deleted_by_its_name(aws: FakeAws, run: Run) -> None:
    aws.add("orders", [MIRROR, ("Orders", "AWS::DynamoDB::Table")])
    status, printed = run("--yes")
    assert status == 1
    assert (
        "LEFT    orders: it also has AWS::DynamoDB::Table." in printed
        and ": cfn-gitops leave orders --env prd\n" in printed
    )
    assert aws.calls == []
    assert run("--yes", "orders")[0] == 0
    assert aws.calls[-1] == "delete orders: MirrorCredential, Orders"


@pytest.mark.parametrize(
    "page",
    [
        ROOT / "templates/project.yaml",
        ROOT / "examples/mirror/mirror.yaml",
        ROOT / "docs/reference/smallest-examples.md",
    ],
    ids=lambda path: path.name,
)
def test_shipped_projects_need_no_name(page: Path) -> None:
    kinds = set(re.findall(r"^    Type: (\w+::\S+)$", page.read_text(), re.MULTILINE))
    assert kinds and all(re.fullmatch(owners.OF_PROJECT, kind) for kind in kinds)


def test_connection_error_leaves_everything(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-a", [MIRROR])
    aws.add("project-prd-b", [MIRROR])
    aws.unreachable = "project-prd-a"
    status, printed = run("--yes")
    assert (
        status == 3
        and "LEFT    project-prd-a: cloudformation.eu-central-1.amazonaws.com does not answer. Check the network"  # noqa: E501
        in printed
    )
    assert aws.calls == []


def test_stack_that_is_not_deleted_keeps_the_environment(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add("project-prd-a", [MIRROR])
    aws.add("project-prd-b", [MIRROR])
    delete = leave.delete_stack

    def fails_once(session: Any, name: str, *more: Any) -> None:
        if name == "project-prd-a":
            raise Failure("stack project-prd-a is not deleted: no", "Correct the cause, and run this again")
        delete(session, name, *more)

    monkeypatch.setattr(leave, "delete_stack", fails_once)
    status, printed = run("--yes")
    assert status == 1 and aws.calls == ["delete project-prd-b: MirrorCredential"]
    assert "LEFT    cfn-gitops-prd: it is needed by the stacks that are left" in printed


def test_wait_that_was_given_up_ends_the_command(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add("project-prd-a", [MIRROR])
    aws.add("project-prd-b", [MIRROR])

    def given_up(_session: Any, name: str, *_: Any) -> None:
        aws.calls.append(name)
        raise GivenUp(f"the deletion of stack {name}", Failure("denied", "Ask"))

    monkeypatch.setattr(leave, "delete_stack", given_up)
    status, printed = run("--yes")
    assert status == 1 and aws.calls == ["project-prd-a"] and "LEFT" not in printed


@pytest.mark.parametrize(
    ("stacks", "last"), [([], "cfn-gitops-prd"), (["project-prd-shop"], "project-prd-shop")]
)
@pytest.mark.parametrize("answer", ["cfn-gitops-prd\n", "project-prd-shop\n", "yes\n", ""])
def test_only_the_typed_name_of_the_last_stack_changes_anything(
    answer: str, stacks: list[str], last: str, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [MIRROR])
    ended, printed = run(*stacks, answer=answer)
    status = int(answer.strip() != last)
    assert ended == status and bool(aws.calls) == (status == 0)
    assert printed.index("kept: MirrorCredential") < printed.index(f"To delete them, type {last}:")
    assert ("Nothing was changed: the answer is" in printed) == (status == 1)


def test_misspelled_stack_is_named_with_the_closest_one(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    status, printed = run("projct-prd-shop", "--yes")
    assert status == 2 and aws.calls == []
    assert (
        ", and may be deleted already. Did you mean project-prd-shop? Name some of: project-prd-shop, "
        in printed
    )
    # Even if the environment's stack does not exist any more.
    del aws.account.known["cfn-gitops-prd"]
    aws.account.deleted.add("cfn-gitops-prd")
    assert run("projct-prd-shop", "--yes")[0] == 1 and run("--yes")[0] == 0


def test_environment_is_only_deleted_with_proof(aws: FakeAws, run: Run) -> None:
    aws.account.known["cfn-gitops-prod"] = aws.account.known.pop("cfn-gitops-prd") | {
        "StackName": "cfn-gitops-prod"
    }
    status, printed = run("--yes")
    assert status == 1 and aws.calls == []
    assert (
        "stack cfn-gitops-prd does not exist in account 111122223333, region eu-central-1. Did you mean"
        " cfn-gitops-prod? " in printed
    )


def test_importer_of_another_value_keeps_everything(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    aws.account.known["cfn-gitops-prd"]["Outputs"] = [
        *ENVIRONMENT["Outputs"],
        {"OutputKey": "Bucket", "OutputValue": "b", "ExportName": "cfn-gitops-prd-Bucket"},
    ]
    status, printed = run("--yes")
    assert status == 1 and aws.calls == []
    assert "LEFT    orders: it imports cfn-gitops-prd-Bucket. Replace the import by its value" in printed
    assert "LEFT    cfn-gitops-prd: it is needed by orders\n" in printed
    assert run("--yes", "project-prd-shop")[0] == 0


SHOP = "arn:aws:cloudformation:eu-central-1:111122223333:stack/shop/1"


def owned(
    aws: FakeAws,
    token: Any,
    resource: tuple[str, str] = ("Pipeline", "Custom::GitOpsPipeline"),
    child: str = "gitops-prd-shop",
) -> None:
    """A stack that imports nothing, and a child stack whose tags name its resource Pipeline."""
    aws.add(
        child,
        [],
        Tags=[
            {"Key": "cfn-gitops:stack-id", "Value": SHOP},
            {"Key": "cfn-gitops:logical-id", "Value": "Pipeline"},
        ],
    )
    aws.add("shop", [resource], StackId=SHOP)
    aws.stacks["shop"][resource[0]]["Properties"] = {"ServiceToken": token}
    aws.physical_ids["Pipeline"] = "gitops-prd-shop"
    aws.imports = []


def test_owner_of_a_pipeline_that_imports_nothing_keeps_the_function(aws: FakeAws, run: Run) -> None:
    owned(aws, FUNCTION)
    status, out = run("--yes")
    assert status == 1 and aws.calls == []
    assert "LEFT    shop: it owns gitops-prd-shop, and contains the function's ARN" in out
    assert "LEFT    cfn-gitops-prd: it is needed by shop" in out
    # A nested stack is deleted with its root.
    aws.account.known["shop"]["RootId"] = aws.account.known["cfn-gitops-prd"]["StackId"]
    assert run("--yes")[0] == 0
    assert "delete cfn-gitops-prd: Function" in aws.calls


def test_owner_whose_token_is_not_known_keeps_the_function(aws: FakeAws, run: Run) -> None:
    owned(aws, {"Fn::GetAtt": ["Other", "Arn"]})
    status, out = run("--yes")
    assert status == 1 and aws.calls == []
    assert (
        "LEFT    shop: it may need the function. Of gitops-prd-shop: it is resource Pipeline of stack shop:"
        " its ServiceToken is neither a text, a parameter nor the environment's export. If its ServiceToken"
        " is the function's ARN, let its owner set DeletionPolicy: " in out
    )


@pytest.mark.parametrize(
    ("token", "resource", "child"),
    [
        (FUNCTION, USER, "gitops-prd-shop"),
        (FUNCTION, ("Pipeline", "AWS::DynamoDB::Table"), "gitops-prd-shop"),
        (FUNCTION.replace("prd", "dev"), ("Pipeline", "Custom::GitOpsPipeline"), "gitops-prd-shop"),
        (FUNCTION, ("Pipeline", "Custom::GitOpsPipeline"), "gitops-prd-z"),
    ],
    ids=["retained", "table", "other token", "other pipeline"],
)
def test_stack_that_only_a_tag_names_needs_no_function(
    token: str, resource: tuple[str, str], child: str, aws: FakeAws, run: Run
) -> None:
    owned(aws, token, resource, child)
    status, out = run("--yes")
    assert status == 0 and "shop" not in out
    assert "delete cfn-gitops-prd: Function" in aws.calls


def test_document_has_what_is_kept_and_deleted(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, ROTATION])
    document = json.loads(
        run("project-prd-shop", "--json")[1].rpartition("}\n")[0].partition("{")[2].join("{}")
    )
    assert (
        document["stacks"]
        == [
            {
                "stack": "project-prd-shop",
                "status": "CREATE_COMPLETE",
                "kept": ["MirrorCredential"],
                "deleted": ["MirrorRotation"],
            }
        ]
        and document["left"] == []
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ParentId": SHOP, "RootId": SHOP}, "it belongs to stack shop, in which it is nested. Deploy it"),
        (
            {"EnableTerminationProtection": True},
            "it has termination protection. Remove that first: aws cloudformation update-",
        ),
    ],
    ids=str,
)
def test_stack_that_cannot_be_deleted_is_left_before_the_prompt(
    more: dict[str, Any], reason: str, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [MIRROR], **more)
    status, out = run()
    assert status == 1 and aws.calls == [] and "type " not in out
    assert f"LEFT    project-prd-shop: {reason}" in out and out.endswith("Nothing was changed\n")
