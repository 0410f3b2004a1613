"""The templates that `cfn-gitops leave` deploys, and the stacks that it deletes or leaves."""

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
from cli.environment.account import Environment
from tests.cli import conftest
from tests.cli.conftest import ROOT, FakeAccount

TEMPLATES = [ROOT / "template.yaml", *sorted((ROOT / "templates").glob("*.yaml"))]
READABLE = """\
Resources:

# The user
    'User': # GitLab's
      # without a path
      Type: AWS::IAM::User
      DeletionPolicy: Delete
    Quoted:
      "DeletionPolicy": "Delete" # its default
      Type: AWS::IAM::User
    Spaced:
      Type: AWS::IAM::User
      'DeletionPolicy' : Retain
"""
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
ADDED = {"Action": "Add", "LogicalResourceId": leave._ADDED, "ResourceType": leave._ADDED_TYPE}


def modified(*details: tuple[str, str]) -> dict[str, Any]:
    """A change of the user, by attributes and their sources."""
    return {
        "Action": "Modify",
        "LogicalResourceId": "User",
        "Details": [
            {"Target": {"Attribute": attribute}, "ChangeSource": source} for attribute, source in details
        ],
    }


POLICY = ("DeletionPolicy", "DirectModification")


class FakeAws:
    """All clients of an account whose stacks have the given resources. An executed change set retains
    them."""

    def __init__(self, account: FakeAccount) -> None:
        self.account, self.stacks, self.imports = account, {}, []
        self.calls: list[str] = []
        self.token = ""
        self.pages_of_changes: list[list[dict[str, Any]]] = [
            [ADDED],
            [modified(POLICY)],
            [
                modified(POLICY, ("Properties", "ResourceAttribute")),
                modified(("Properties", "ResourceReference")),
            ],
        ]
        self.rotation_lambda_arn, self.is_validated, self.unreachable = FUNCTION, True, ""
        self.code: dict[str, Any] = {}
        # The deployed templates that are not made from `stacks`, and resources that are deleted.
        self.templates: dict[str, dict[str, Any] | str] = {}
        self.hidden: set[str] = set()
        self.physical_ids: dict[str, str] = {}
        self.meta = type("Meta", (), {"endpoint_url": "https://s3.eu-central-1.amazonaws.com"})
        account.session.client.side_effect = lambda service, **_: self
        self.add("cfn-gitops-prd", [("Function", "AWS::Lambda::Function")], **ENVIRONMENT)

    def add(self, name: str, resources: list[tuple[str, str]], **more: Any) -> None:
        self.account.known[name] = {
            "StackName": name,
            "StackId": f"id-of-{name}",
            "StackStatus": "CREATE_COMPLETE",
        } | more
        self.stacks[name] = {logical_id: {"Type": kind} for logical_id, kind in resources}
        if "Outputs" not in more:
            self.imports.append(name)

    def get_paginator(self, operation: str) -> Any:
        def paginate(**given: Any) -> Any:
            listed = getattr(self, operation, lambda **_: [])(**given)
            return [listed] if isinstance(listed, dict) else listed

        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def describe_stacks(self, **_: Any) -> Any:
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}

    def describe_stack_events(self, *, StackName: str) -> Any:
        return {"StackEvents": [conftest.event(StackName, len(self.calls), "UPDATE_COMPLETE", self.token)]}

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
        assert SecretId == "of-MirrorRotation"
        return {"RotationLambdaARN": self.rotation_lambda_arn}

    def name_of(self, given: str) -> str:
        """The name of a stack, or of the stack with this ID."""
        return next(
            (name for name, stack in self.account.known.items() if stack.get("StackId") == given), given
        )

    def get_template(self, *, StackName: str, **_: Any) -> Any:
        StackName = self.name_of(StackName)
        if StackName in self.templates:
            return {"TemplateBody": self.templates[StackName]}
        resources = json.loads(json.dumps(self.stacks[StackName]))
        if "Function" in resources:
            resources["Function"]["Properties"] = {"Code": self.code}
        return {"TemplateBody": {"Resources": resources}}

    def create_change_set(self, *, StackName: str, ClientToken: str, **given: Any) -> Any:
        self.calls.append("create with " + ", ".join(sorted(given.keys() & {"TemplateURL", "TemplateBody"})))
        self.deployed = json.loads(given["TemplateBody"])["Resources"] if "TemplateBody" in given else {}
        return {"Id": f"{StackName}/{given['ChangeSetName']}"}

    def describe_change_set(self, **_: Any) -> Any:
        self.calls.append("look at change set")
        status = (
            {"ExecutionStatus": "AVAILABLE"}
            if self.is_validated
            else {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE"}
        )
        return [
            {
                "Status": "CREATE_COMPLETE",
                **status,
                "Changes": [{"Type": "Resource", "ResourceChange": each} for each in page],
            }
            for page in self.pages_of_changes
        ]

    def execute_change_set(self, *, StackName: str, ChangeSetName: str, ClientRequestToken: str) -> None:
        assert ChangeSetName == f"{StackName}/{leave._ADDED}"
        self.token = ClientRequestToken
        StackName = self.name_of(StackName)
        self.calls.append("execute")
        self.stacks[StackName] = self.deployed
        self.templates.pop(StackName, None)

    def delete_change_set(self, **_: Any) -> None:
        self.calls.append("delete change set")

    def put_object(self, *, Bucket: str, Key: str, **_: Any) -> Any:
        self.calls.append(f"put {Bucket}/{Key}")
        return {"VersionId": "1"}

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str = "", **_: Any) -> None:
        self.calls.append(f"delete {Bucket}/{Key} {VersionId}")


@pytest.fixture
def aws(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws(account)

    def delete_stack(_session: Any, name: str, stack_id: str, _output: Any, _role_arn: str) -> None:
        assert stack_id == account.known[name]["StackId"]
        fake.calls.append(f"delete {name}: {', '.join(sorted(fake.stacks[name].keys() - {leave._ADDED}))}")

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


def parsed(text: str) -> Any:
    """Without the order of members."""
    return json.loads(json.dumps(yaml_parse(text)))


def retaining(template: dict[str, Any], deleted: set[str]) -> dict[str, Any]:
    resources = {
        name: (
            {key: value for key, value in resource.items() if key != "DeletionPolicy"}
            | ({} if name in deleted else {"DeletionPolicy": "Retain"})
        )
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources | {leave._ADDED: {"Type": leave._ADDED_TYPE}}}


@pytest.mark.parametrize(
    "text",
    [READABLE, *(path.read_text() for path in TEMPLATES)],
    ids=["readable", *(path.stem for path in TEMPLATES)],
)
def test_only_deletion_policies_are_changed(text: str) -> None:
    template = parsed(text)
    for deleted in (set(), set(list(template["Resources"])[::2])):
        of_text, of_object = leave.Template(text, deleted), leave.Template(template, deleted)
        assert parsed(of_text.text) == parsed(of_object.text) == retaining(template, deleted)
        assert of_text.policies == of_object.policies
        # A second update has nothing to change.
        again = leave.Template(json.loads(of_text.text), {*deleted, leave._ADDED})
        assert again.text == of_text.text and again.is_own and not of_text.is_own


@pytest.mark.parametrize("form", AMBIGUOUS)
def test_template_with_two_readings_is_left(form: str, aws: FakeAws, run: Run) -> None:
    text = f"Description: A\nResources:\n  {AMBIGUOUS[form]}\n"
    with pytest.raises(leave.NotDeleted, match="Set DeletionPolicy: Retain in"):
        leave.Template(text, set())
    aws.add("project-prd-shop", [MIRROR])
    aws.templates["project-prd-shop"] = text
    status, printed = run("--yes", "project-prd-shop")
    assert status == 1 and "LEFT    project-prd-shop: its template " in printed
    assert aws.calls == []


@pytest.mark.parametrize("form", HIDDEN)
@pytest.mark.parametrize("begin", ["", "\ufeff", "---\n"], ids=["", "byte order mark", "document"])
def test_policy_in_any_notation_is_replaced_before_the_deletion(
    form: str, begin: str, aws: FakeAws, run: Run
) -> None:
    text = f"{begin}Resources:\n  {HIDDEN[form]}\n"
    template = leave.Template(text, set())
    assert (
        template.policies["A"] == "Delete"
        and json.loads(template.text)["Resources"]["A"]["DeletionPolicy"] == "Retain"
    )
    aws.add("project-prd-shop", [("A", MIRROR[1])])
    aws.templates["project-prd-shop"] = text
    assert run("--yes", "project-prd-shop")[0] == 0
    assert aws.stacks["project-prd-shop"]["A"]["DeletionPolicy"] == "Retain"
    assert aws.calls[-2:] == ["execute", "delete project-prd-shop: A"]


def test_text_never_shows_that_resources_are_retained(aws: FakeAws, run: Run) -> None:
    # A parser that takes another of two forms would read something else. The update to JSON compares them.
    aws.add("project-prd-shop", [MIRROR])
    aws.templates["project-prd-shop"] = (
        f"Resources:\n  {MIRROR[0]}:\n    Type: {MIRROR[1]}\n    DeletionPolicy: Retain\n"
        f"  {leave._ADDED}:\n    Type: {leave._ADDED_TYPE}\n"
    )
    assert "update it to keep: MirrorCredential" in run("project-prd-shop")[1]
    assert run("--yes", "project-prd-shop")[0] == 0
    assert "execute" in aws.calls


@pytest.mark.parametrize("lost", ["policy", "added resource", "resource", "another update"])
def test_stack_without_the_deployed_policies_is_left(
    lost: str, aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add("project-prd-shop", [MIRROR, USER])
    execute = aws.execute_change_set

    def executed(**given: Any) -> None:
        execute(**given)
        there = aws.stacks["project-prd-shop"]
        if lost == "policy":
            there["User"]["DeletionPolicy"] = "RetainExceptOnCreate"
        elif lost == "added resource":
            aws.hidden.add(leave._ADDED)
        elif lost == "resource":
            aws.templates["project-prd-shop"] = json.loads(json.dumps({"Resources": {**there, "User": None}}))
        else:
            aws.account.known["project-prd-shop"]["StackStatus"] = "UPDATE_IN_PROGRESS"

    monkeypatch.setattr(aws, "execute_change_set", executed)
    status, printed = run("--yes", "project-prd-shop")
    assert status == 1 and "LEFT    project-prd-shop: it" in printed
    assert [call for call in aws.calls if call.startswith("delete project")] == []


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "CREATE_FAILED",
        "ROLLBACK_FAILED",
        "IMPORT_ROLLBACK_FAILED",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "REVIEW_IN_PROGRESS",
        "NEW",
    ],
)
def test_stack_without_a_completed_change_is_left(status: str, aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, (leave._ADDED, leave._ADDED_TYPE)])
    aws.stacks["project-prd-shop"]["MirrorCredential"]["DeletionPolicy"] = "Retain"
    aws.account.known["project-prd-shop"]["StackStatus"] = status
    printed = run("--yes", "project-prd-shop")
    assert (
        printed[0] == 1 and f"LEFT    project-prd-shop: it is in {status}. " in printed[1] and aws.calls == []
    )
    for complete in ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        aws.account.known["project-prd-shop"]["StackStatus"] = complete
        assert run("--yes", "project-prd-shop")[0] == 0
    assert aws.calls == ["delete project-prd-shop: MirrorCredential"] * 2


def test_deletion_that_failed_continues(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR, ROTATION], StackStatus="DELETE_FAILED")
    retained = {"Type": MIRROR[1], "DeletionPolicy": "Retain"}
    aws.templates["project-prd-shop"] = {
        "Resources": {
            MIRROR[0]: retained,
            ROTATION[0]: {"Type": ROTATION[1]},
            leave._ADDED: {"Type": leave._ADDED_TYPE},
        }
    }
    aws.hidden |= {ROTATION[0], leave._ADDED}
    assert run("--yes", "project-prd-shop")[0] == 0
    assert aws.calls == ["delete project-prd-shop: MirrorCredential, MirrorRotation"]


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
    "change",
    [
        modified(POLICY, ("Properties", "DirectModification")),
        modified(("Properties", "ParameterReference")),
        modified(),
        modified(POLICY, ("UpdateReplacePolicy", "DirectModification")),
        modified(POLICY) | {"Action": "Remove"},
        ADDED | {"LogicalResourceId": "Other"},
        ADDED | {"Action": "Modify"},
        None,
    ],
)
def test_other_change_or_failure_leaves_the_stack(
    change: dict[str, Any] | None, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [MIRROR, USER])
    aws.is_validated = bool(change)
    aws.pages_of_changes.append([change] if change else [])
    status, printed = run("--yes", "project-prd-shop")
    assert status == 1
    assert aws.calls[2:] == ["look at change set", "delete change set"]
    reason = (
        f"its update would also change {change['LogicalResourceId']}," if change else "its update failed; "
    )
    assert f"LEFT    project-prd-shop: {reason}" in printed


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
    assert "and with it: MirrorRotation" in run()[1]
    aws.rotation_lambda_arn = "arn:aws:lambda:eu-central-1:111122223333:function:other"
    status, printed = run("--yes", "project-prd-shop")
    assert status == 0 and "keep: MirrorCredential, MirrorRotation" in printed
    assert aws.stacks["project-prd-shop"]["MirrorRotation"]["DeletionPolicy"] == "Retain"


def test_resources_that_were_added_to_the_environment_are_kept(aws: FakeAws, run: Run) -> None:
    kinds = {
        name: resource["Type"]
        for name, resource in yaml_parse((ROOT / "template.yaml").read_text())["Resources"].items()
    }
    # Without the function, these fail or have no purpose.
    services = r"AWS::(Serverless|Lambda|Events|CloudWatch|Logs|SecretsManager)::.*"
    deleted = {name for name, kind in kinds.items() if re.fullmatch(services, kind)} | {
        "FunctionRole",
        "ReadFunctionRole",
        "FunctionReadPolicy",
        "FunctionChangeSetsPolicy",
        "EnvIDGuard",
    }
    added = {
        f"My{kind.split('::')[1]}": kind
        for kind in kinds.values()
        if re.fullmatch(services, kind) and kind != ROTATION[1]
    }
    aws.stacks["cfn-gitops-prd"] = {
        name: {"Type": kind}
        for name, kind in {
            **kinds,
            **added,
            "MySecret": "AWS::SecretsManager::Secret",
            "Functions": "AWS::Lambda::Function",
        }.items()
    }
    assert run("--yes")[0] == 0
    resources = aws.stacks["cfn-gitops-prd"]
    assert {name for name, each in resources.items() if each.get("DeletionPolicy") != "Retain"} == {
        *deleted,
        "MirrorRotation",
        leave._ADDED,
    }


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
    ("document", "is_left"),
    [
        ("{{resolve:ssm:/policy}}", True),
        ({"Fn::Join": ["", ["{", "{resolve:ssm:/policy}}"]]}, True),
        ({"Fn::GetAtt": "Other.Policy"}, True),
        ({"Fn::ImportValue": "other"}, True),
        ({"Fn::GetAtt": ["MirrorCredential", "UserName"]}, False),
        ({"Fn::Sub": "${AWS::StackName}-a"}, False),
    ],
    ids=str,
)
def test_policy_that_an_update_reads_again_needs_the_stacks_name(
    document: Any, is_left: bool, aws: FakeAws, run: Run
) -> None:
    aws.add("project-prd-shop", [MIRROR, ("Policy", "AWS::IAM::Policy")])
    resources = aws.stacks["project-prd-shop"]
    resources["MirrorCredential"]["Properties"] = {"ServiceToken": {"Fn::ImportValue": EXPORT}}
    resources["Policy"]["Properties"] = {"PolicyDocument": document}
    status, printed = run("--yes")
    assert status == int(is_left)
    assert (
        "LEFT    project-prd-shop: its update, which has your permissions, may change " in printed
    ) == is_left
    assert run("--yes", "project-prd-shop")[0] == 0


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


@pytest.mark.parametrize("page", ["templates/project.yaml", "examples/mirror/mirror.yaml"])
def test_update_of_a_shipped_project_reads_nothing_again(page: str, environment: Environment) -> None:
    text = (ROOT / page).read_text()
    parameters = {
        name: about.get("Default", "") for name, about in yaml_parse(text).get("Parameters", {}).items()
    }
    template = owners.Template(
        text,
        [
            {"ParameterKey": name, "ParameterValue": str(value)}
            for name, value in {**parameters, "EnvID": "dev", "ResourceTags": '{"CostCenter":"42"}'}.items()
        ],
        environment,
        FUNCTION,
    )
    resources = yaml_parse(text)["Resources"]
    own = {name for name in resources if template.is_own(name)}
    assert own == {name for name, each in resources.items() if each["Type"].startswith("Custom::")}
    assert all(template.reads_only(name, own) for name in resources.keys() - own)


def test_connection_error_leaves_only_its_stack(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-a", [MIRROR])
    aws.add("project-prd-b", [MIRROR])
    aws.unreachable = "project-prd-a"
    status, printed = run("--yes")
    assert (
        status == 1
        and "LEFT    project-prd-a: cloudformation.eu-central-1.amazonaws.com does not answer. Check the network"  # noqa: E501
        in printed
    )
    assert aws.calls[-1] == "delete project-prd-b: MirrorCredential"


def test_wait_that_was_given_up_ends_the_command(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add("project-prd-a", [MIRROR])
    aws.add("project-prd-b", [MIRROR])

    def denied(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")

    monkeypatch.setattr(aws, "describe_stacks", denied)
    status, printed = run("--yes")
    assert status == 1 and aws.calls.count("execute") == 1 and "LEFT" not in printed
    assert (
        "the update of stack project-prd-a, which goes on in CloudFormation, is not read: DescribeStacks is"
        " denied: no. " in printed
    )


def test_large_template_is_stored_if_the_bucket_has_a_name(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leave, "_INLINE_LIMIT", 1)
    aws.stacks["cfn-gitops-prd"]["User"] = {"Type": "AWS::IAM::User"}
    aws.code = {"S3Bucket": {"Ref": "Bucket"}, "S3Key": "function.zip"}
    status, printed = run("--yes")
    assert status == 1
    assert "LEFT    cfn-gitops-prd: its template has more than 1 bytes, and names no bucket" in printed
    aws.code, aws.calls = {"S3Bucket": "code", "S3Key": "function.zip"}, []
    run("--yes")
    assert aws.calls[:5] == [
        "delete change set",
        "put code/cfn-gitops-prd/leave.template",
        "create with TemplateURL",
        "look at change set",
        "delete code/cfn-gitops-prd/leave.template 1",
    ]


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
    assert printed.index("update it to keep: MirrorCredential") < printed.index(f"To do this, type {last}:")
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


def test_importer_of_another_value_keeps_the_environment(aws: FakeAws, run: Run) -> None:
    aws.add("project-prd-shop", [MIRROR])
    aws.account.known["cfn-gitops-prd"]["Outputs"] = [
        *ENVIRONMENT["Outputs"],
        {"OutputKey": "Bucket", "OutputValue": "b", "ExportName": "cfn-gitops-prd-Bucket"},
    ]
    status, printed = run("--yes")
    assert status == 1 and "Function" not in aws.calls[-1]
    assert printed.index(
        "LEFT    orders: it imports cfn-gitops-prd-Bucket. Replace the import by its value"
    ) < printed.index("keep: MirrorCredential")
    assert "LEFT    cfn-gitops-prd: it is needed by orders\n" in printed


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
        " is the function's ARN, set DeletionPolicy: " in out
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
    assert (
        f"LEFT    project-prd-shop: {reason}" in out
        and "LEFT    cfn-gitops-prd: it is needed by project-prd-shop\n" in out
    )
