"""The updates of `cfn-gitops upgrade`: the changes of its change sets, one without changes, and the
conclusion."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

from cli.environment import waiting
from tests.cli.conftest import EMPTY, FUNCTION, ROOT, FakeAccount, Run
from tests.cli.test_foreign_stacks import OWN, PROJECT, TOPIC, stack, stacks  # noqa: F401 - a fixture

EXPORT = {"Fn::ImportValue": "cfn-gitops-dev-ServiceToken"}


def detail(source: str, entity: str, name: str = "", evaluation: str = "Static") -> dict[str, Any]:
    return {
        "Target": {"Attribute": "Properties", **({"Name": name} if name else {})},
        "ChangeSource": source,
        "Evaluation": evaluation,
        **({"CausingEntity": entity} if entity else {}),
    }


def change(
    name: str, kind: str = "AWS::S3::Bucket", *sources: tuple[str, ...], action: str = "Modify", **more: Any
) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": name,
            "ResourceType": kind,
            "Details": [detail(*each) for each in sources],
            **more,
        },
    }


SERIAL = ("ParameterReference", "RenderingSerial", "RenderingSerial")
# CloudFormation shows the reference to a changed parameter with a direct modification.
PIPELINE = change(
    "Pipeline",
    "Custom::GitOpsPipeline",
    SERIAL,
    ("DirectModification", "", "RenderingSerial", "Dynamic"),
    PhysicalResourceId="gitops-dev-shop",
    Replacement="False",
)
ALARM = change("Alarm", "AWS::CloudWatch::Alarm", ("ResourceAttribute", "Pipeline.PipelineName"))
CREDENTIAL = change(
    "Credential", "Custom::MirrorCredential", ("ResourceAttribute", "Pipeline.RepositoryName")
)
ROTATION = change(
    "Rotation",
    "AWS::SecretsManager::RotationSchedule",
    ("ResourceReference", "Credential"),
    Replacement="Conditional",
)
FN = change("Fn", "AWS::Lambda::Function", ("ResourceAttribute", "Pipeline.CloneUrlHttp"))


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


RESOURCES = {
    "Pipeline": resource(
        "Custom::GitOpsPipeline", ServiceToken=EXPORT, RenderingSerial={"Ref": "RenderingSerial"}
    ),
    "Credential": resource(
        "Custom::MirrorCredential",
        ServiceToken=EXPORT,
        RepositoryNames=[{"Fn::GetAtt": ["Pipeline", "RepositoryName"]}],
    ),
    "Rotation": resource(
        "AWS::SecretsManager::RotationSchedule", SecretId={"Ref": "Credential"}, RotationLambdaARN=EXPORT
    ),
    "Alarm": resource(
        "AWS::CloudWatch::Alarm",
        AlarmName={"Fn::Sub": "${AWS::StackName}-${Pipeline.PipelineName}-${RenderingSerial}"},
        Value={"Fn::Join": ["", ["a", {"Fn::If": ["C", {"Fn::GetAtt": "Bucket.Arn"}, 1]}]]},
    ),
    "Bucket": resource("AWS::S3::Bucket", BucketName={"Fn::GetAtt": ["Pipeline", "RepositoryName"]}),
}


def plans(
    stacks: FakeAccount, *changes: dict[str, Any], body: Any = None, parameters: Any = (), **resources: Any
) -> Any:
    """The client whose change sets have these changes, in pages of one, and this template."""
    client = stacks.session.client.return_value
    listed = client.get_paginator.side_effect
    pages = [
        EMPTY
        | {
            "Changes": [each],
            "Parameters": [{"ParameterKey": "RenderingSerial", "ParameterValue": "2"}, *parameters],
        }
        for each in changes
    ]
    client.get_paginator.side_effect = lambda operation: (
        MagicMock(paginate=lambda **_: pages) if operation == "describe_change_set" else listed(operation)
    )
    deployed = client.get_template.side_effect

    def template(*, StackName: str, TemplateStage: str, ChangeSetName: str = "") -> Any:
        assert ChangeSetName in ("", f"{StackName}/change-set") and TemplateStage == "Processed"
        planned = {"Resources": {**RESOURCES, **resources}} if body is None else body
        return {"TemplateBody": planned} if ChangeSetName else deployed(StackName=StackName)

    client.get_template.side_effect = template
    return client


def assert_left(stacks: FakeAccount, run: Run, names: str) -> None:
    client = stacks.session.client.return_value
    ended = run("upgrade", "--yes")
    assert (
        ended.status == 1
        and f"LEFT    gitops-dev-shop: updating stack project-dev-shop would also change {names}" in ended.out
    ), ended.out
    assert "Let its owner read the change set, and deploy it with RenderingSerial=2\n1 left\n" in ended.out
    assert not client.execute_change_set.called
    # That of a killed run, by its name, and this one, by its ID.
    assert [call.kwargs["ChangeSetName"] for call in client.delete_change_set.call_args_list] == [
        "UpgradesCfnGitOps",
        f"{PROJECT}/change-set",
    ]


@pytest.mark.parametrize("more", [[], [ALARM], [CREDENTIAL, ALARM], [ROTATION, CREDENTIAL]], ids=len)
def test_pipelines_and_what_references_them_are_updated(
    more: list[dict[str, Any]], stacks: FakeAccount, run: Run
) -> None:
    client = plans(stacks, *more, PIPELINE)
    ended = run("upgrade", "--yes")
    assert ended.status == 0 and ended.out.endswith(
        "ok      gitops-dev-shop: version 2\nevery pipeline stack of dev has version 2\n"
    ), ended.out
    given = client.create_change_set.call_args.kwargs
    assert given["UsePreviousTemplate"] and given["Parameters"] == [
        {"ParameterKey": "RenderingSerial", "ParameterValue": "2"}
    ]
    # By its ID, and with the token of its creation.
    executed = client.execute_change_set.call_args.kwargs
    assert executed == {
        "StackName": PROJECT,
        "ChangeSetName": f"{PROJECT}/change-set",
        "ClientRequestToken": given["ClientToken"],
    }
    assert [call.kwargs["ChangeSetName"] for call in client.delete_change_set.call_args_list] == [
        "UpgradesCfnGitOps"
    ]


# claim: upgrade-changes-only-what-is-of-the-function
@pytest.mark.parametrize(
    "other",
    [
        change("Bucket", "AWS::S3::Bucket", ("ParameterReference", "Name")),
        change("Bucket", "AWS::S3::Bucket"),
        change("Bucket", "AWS::S3::Bucket", ("ResourceReference", "Pipeline"), ("DirectModification", "")),
        change("Bucket", "AWS::S3::Bucket", ("ResourceAttribute", "Pipelines.Name")),
        change("Bucket", action="Add"),
        change("Bucket", "AWS::S3::Bucket", ("ResourceReference", "Pipeline"), Replacement="True"),
        change("Bucket", "Custom::GitOpsPipeline", action="Remove"),
        change("Bucket", "AWS::S3::Bucket", ("ResourceReference", "Pipeline"), action="Remove"),
    ],
    ids=str,
)
def test_stack_with_another_change_is_left(other: dict[str, Any], stacks: FakeAccount, run: Run) -> None:
    plans(stacks, PIPELINE, other)
    assert_left(stacks, run, "Bucket (")


def test_change_of_something_else_than_a_resource_is_left(stacks: FakeAccount, run: Run) -> None:
    plans(stacks, PIPELINE, {"Type": "Hook"})
    assert_left(stacks, run, "a hook (")


TOKENS: dict[str, Any] = {
    "function": FUNCTION.replace("cfn-", "other-"),
    "topic": TOPIC,
    "alias": f"{FUNCTION}:live",
    "asterisks": {"Ref": "Hidden"},
    "no parameter": {"Ref": "Token"},
    "attribute": {"Fn::GetAtt": ["Other", "Token"]},
    "reference": {"Ref": "Other"},
    "dynamic": "{{resolve:ssm:/token}}",
    "sub": {"Fn::Sub": FUNCTION},
    "join": {"Fn::Join": ["", [FUNCTION]]},
    "if": {"Fn::If": ["C", EXPORT, TOPIC]},
    "another export": {"Fn::ImportValue": "other-dev-ServiceToken"},
    "export by a resource": {"Fn::ImportValue": {"Fn::GetAtt": ["Other", "Token"]}},
    "export by a variable": {"Fn::ImportValue": {"Fn::Sub": "cfn-gitops-${Other.Token}-ServiceToken"}},
    "parameter": {"Ref": "Named"},
    "key": {"Ref": "Stored"},
    "resolved": {"Ref": "Dynamic"},
    "none": None,
    "two": {**EXPORT, "Ref": "Named"},
}
PARAMETERS = [
    {"ParameterKey": "Dynamic", "ParameterValue": "{{resolve:ssm:/token}}"},
    {"ParameterKey": "Hidden", "ParameterValue": "****"},
    {"ParameterKey": "Named", "ParameterValue": TOPIC},
    {"ParameterKey": "Stored", "ParameterValue": FUNCTION, "ResolvedValue": TOPIC},
]


@pytest.mark.parametrize("kind", ["Pipeline", "Credential"])
@pytest.mark.parametrize("token", TOKENS)
def test_resource_of_another_or_an_unknown_token_is_left(
    token: str, kind: str, stacks: FakeAccount, run: Run
) -> None:
    given = {**RESOURCES[kind], "Properties": {"ServiceToken": TOKENS[token]}}
    changes = [PIPELINE] if kind == "Pipeline" else [PIPELINE, CREDENTIAL]
    plans(stacks, *changes, parameters=PARAMETERS, **{kind: given})
    assert_left(stacks, run, f"{kind} (")


@pytest.mark.parametrize(
    "token",
    [
        FUNCTION,
        {"Ref": "Token"},
        {"Ref": "Stored"},
        {"Fn::ImportValue": {"Ref": "Export"}},
        {"Fn::ImportValue": {"Fn::Sub": "cfn-gitops-${EnvID}-ServiceToken"}},
    ],
    ids=str,
)
def test_token_of_a_known_value_is_that_of_the_function(token: Any, stacks: FakeAccount, run: Run) -> None:
    plans(
        stacks,
        PIPELINE,
        Pipeline=resource("Custom::GitOpsPipeline", ServiceToken=token),
        parameters=[
            {"ParameterKey": "Token", "ParameterValue": FUNCTION},
            {"ParameterKey": "EnvID", "ParameterValue": "dev"},
            {"ParameterKey": "Stored", "ParameterValue": "/token", "ResolvedValue": FUNCTION},
            {"ParameterKey": "Export", "ParameterValue": EXPORT["Fn::ImportValue"]},
        ],
    )
    assert run("upgrade", "--yes").status == 0


@pytest.mark.parametrize(
    "other",
    [
        {"PhysicalResourceId": "gitops-dev-other"},
        {"PhysicalResourceId": None},
        {"Replacement": "True"},
        {"Details": []},
        {"Details": [detail(*SERIAL), detail("ParameterReference", "Project", "ProjectID")]},
        {"Details": [detail(*SERIAL), detail("DirectModification", "", "ProjectID")]},
        {"Details": [detail("ParameterReference", "RenderingSerial")]},
        {"Details": [detail("ResourceAttribute", "Other.Serial", "RenderingSerial")]},
        {"Details": [detail(*SERIAL) | {"Target": {"Attribute": "Metadata", "Name": "RenderingSerial"}}]},
        {"LogicalResourceId": "Second"},
    ],
    ids=str,
)
def test_pipeline_with_more_than_a_new_rendering_is_left(
    other: dict[str, Any], stacks: FakeAccount, run: Run
) -> None:
    plans(stacks, {"ResourceChange": PIPELINE["ResourceChange"] | other}, Second=RESOURCES["Pipeline"])
    assert_left(stacks, run, f"{other.get('LogicalResourceId', 'Pipeline')} (")


def test_pipeline_that_is_not_outdated_is_left(stacks: FakeAccount, run: Run) -> None:
    """A new rendering of it could cancel its execution."""
    second = stacks.known["gitops-dev-new"] = stack(
        "gitops-dev-new", owner=PROJECT, RenderingVersion="3", PipelineName="new"
    )
    stacks.show(second, logical_id="Second")
    plans(
        stacks,
        PIPELINE,
        change("Second", "Custom::GitOpsPipeline", SERIAL, PhysicalResourceId="gitops-dev-new"),
        Second=RESOURCES["Pipeline"],
    )
    assert_left(stacks, run, "Second (it is none of the outdated pipelines)")


# claim: upgrade-changes-only-what-is-of-the-function
@pytest.mark.parametrize(
    ("kind", "token"),
    [
        ("Custom::Role", TOPIC),
        ("AWS::CloudFormation::CustomResource", TOPIC),
        ("Custom::MirrorCredential", TOPIC),
        ("Custom::GitOpsPipeline", TOPIC),
        ("AWS::CloudFormation::Stack", ""),
        ("Corp::Any::Thing", ""),
        ("Custom::Role", FUNCTION),
    ],
)
def test_role_that_anothers_code_returns_is_not_passed(
    kind: str, token: str, stacks: FakeAccount, run: Run
) -> None:
    fn = change("Fn", "AWS::Lambda::Function", ("ResourceAttribute", "Evil.Role"))
    plans(
        stacks,
        PIPELINE,
        change("Evil", kind, ("ResourceAttribute", "Pipeline.CloneUrlHttp")),
        fn,
        Evil=resource(kind, ServiceToken=token),
        Fn=resource("AWS::Lambda::Function", Role={"Fn::GetAtt": ["Evil", "Role"]}),
    )
    assert_left(stacks, run, "Evil (")


def test_reference_to_a_changed_resource_of_aws_is_left(stacks: FakeAccount, run: Run) -> None:
    plans(
        stacks,
        PIPELINE,
        ALARM,
        change("Topic", "AWS::SNS::Topic", ("ResourceReference", "Alarm")),
        Topic=resource("AWS::SNS::Topic"),
    )
    assert_left(stacks, run, "Topic (its cause is not the new rendering)")


REFERENCE, UNKNOWN = (
    ("ResourceAttribute", "Pipeline.PipelineName", "AlarmName"),
    ("DirectModification", "", "AlarmName", "Dynamic"),
)


@pytest.mark.parametrize(
    ("details", "deployed", "is_left"),
    [
        # As recorded in AWS: the template is the same, but the reference makes the value unknown.
        ([UNKNOWN, REFERENCE], RESOURCES["Alarm"], False),
        ([UNKNOWN, REFERENCE], resource("AWS::CloudWatch::Alarm"), True),
        ([UNKNOWN], RESOURCES["Alarm"], True),
        ([UNKNOWN[:3], REFERENCE], RESOURCES["Alarm"], True),
        ([("DirectModification", "", "Value", "Dynamic"), REFERENCE], RESOURCES["Alarm"], True),
    ],
    ids=str,
)
def test_direct_modification_passes_only_without_a_modification(
    details: Any,
    deployed: Any,
    is_left: bool,
    stacks: FakeAccount,
    run: Run,
) -> None:
    stacks.templates[PROJECT]["Resources"]["Alarm"] = deployed
    plans(stacks, PIPELINE, change("Alarm", "AWS::CloudWatch::Alarm", *details))
    if is_left:
        assert_left(stacks, run, "Alarm (its cause is not the new rendering)")
    else:
        assert run("upgrade", "--yes").status == 0


# An update of a resource reads these again.
ELSEWHERE: dict[str, Any] = {
    "dynamic reference": "{{resolve:ssm:/role}}",
    "joined": {"Fn::Join": ["", ["{", "{resolve:ssm:/role}}"]]},
    "substituted": {"Fn::Sub": "{${AWS::NoValue}{resolve:ssm:/role}}"},
    "parameter": {"Ref": "Brace"},
    "import": {"Fn::ImportValue": "other"},
    "of a parameter": {"Fn::Sub": ["${A}", {"A": {"Ref": "Brace"}}]},
    "mapping": {"Fn::FindInMap": ["A", "B", "C"]},
    "selected": {"Fn::Select": [0, ["a"]]},
    "custom resource": {"Fn::GetAtt": "Evil.Role"},
    "reference": {"Ref": "Evil"},
    "variable": {"Fn::Sub": "${Evil.Role}"},
    "nested stack": {"Fn::GetAtt": ["Nested", "Outputs.Role"]},
    "nothing": {"Ref": "Gone"},
    "malformed": {"Fn::Sub": ["a"]},
    "variables": {"Fn::Sub": ["a", ["b"]]},
    "no text": {"Fn::Sub": [{"Ref": "Evil"}, {}]},
    "attribute": {"Fn::GetAtt": []},
    "import by a resource": {"Fn::ImportValue": {"Ref": "Evil"}},
    "key": {"{{resolve": 1, "a": 2},
}


@pytest.mark.parametrize("form", ELSEWHERE)
def test_value_that_is_read_again_holds_its_resource_back(form: str, stacks: FakeAccount, run: Run) -> None:
    plans(
        stacks,
        PIPELINE,
        FN,
        Fn=resource(
            "AWS::Lambda::Function",
            Description={"Fn::GetAtt": ["Pipeline", "CloneUrlHttp"]},
            Role=ELSEWHERE[form],
        ),
        Evil=resource("Custom::Role", ServiceToken=TOPIC),
        Nested=resource("AWS::CloudFormation::Stack"),
        parameters=[{"ParameterKey": "Brace", "ParameterValue": "{"}],
    )
    assert_left(stacks, run, "Fn (it may also read another value)")


def test_deep_template_is_left_without_a_traceback(stacks: FakeAccount, run: Run) -> None:
    deep: Any = {"Ref": "Pipeline"}
    for _ in range(20_000):
        deep = [deep]
    plans(stacks, PIPELINE, FN, Fn=resource("AWS::Lambda::Function", Description=deep))
    assert_left(stacks, run, "Fn (its template is nested too deeply)")


@pytest.mark.parametrize(
    "text",
    [
        # CloudFormation reads lines that begin at the hidden character.
        (
            "Resources:\n  Pipeline: # ? comment\n    Type: Custom::GitOpsPipeline\n    Properties:\n     "
            " ServiceToken: {}\n"
        ),
        (
            "Resources:\n  Pipeline:\n    Type: Custom::GitOpsPipeline\n    Properties:\n      ServiceToken:"
            " {}\n      Note: |\n        a ?\n"
        ),
        (
            "Resources:\n  Pipeline:\n    Type: Custom::GitOpsPipeline\n    Properties:\n      ServiceToken:"
            " {}\n      Note: a ? b\n"
        ),
        (
            "Resources: &a\n  Pipeline:\n    Type: Custom::GitOpsPipeline\n    Properties:\n     "
            " ServiceToken: {}\n"
        ),
        "Resources: [",
        "[]",
        "Resources: a",
        "Resources: {{Pipeline: a}}",
        "Resources: {{Pipeline: {{Type: Custom::GitOpsPipeline, Properties: a}}}}",
    ],
    ids=lambda text: text[-40:],
)
def test_template_with_two_readings_is_left(text: str, stacks: FakeAccount, run: Run) -> None:
    plans(stacks, PIPELINE, body=text.format(FUNCTION))
    assert_left(stacks, run, "Pipeline (it")


def test_template_in_yaml_is_read(stacks: FakeAccount, run: Run) -> None:
    plans(
        stacks,
        PIPELINE,
        body=(
            "Resources:\n  Pipeline:\n    Type: Custom::GitOpsPipeline\n    Properties:\n     "
            ' ServiceToken:\n        Fn::ImportValue: !Sub cfn-gitops-${EnvID}-ServiceToken\n      Note: "a ?'
            ' b"\n'
        ),
        parameters=[{"ParameterKey": "EnvID", "ParameterValue": "dev"}],
    )
    assert run("upgrade", "--yes").status == 0


def test_shipped_project_is_updated(stacks: FakeAccount, run: Run) -> None:
    text = (ROOT / "templates/project.yaml").read_text()
    attribute, reference = "ResourceAttribute", "ResourceReference"
    plans(
        stacks,
        change(
            "MirrorCredential",
            "Custom::MirrorCredential",
            (attribute, "Pipeline.RepositoryName", "RepositoryNames", "Dynamic"),
            (attribute, "Pipeline.BranchName", "Mirrors", "Dynamic"),
        ),
        change(
            "MirrorRotation",
            "AWS::SecretsManager::RotationSchedule",
            (reference, "MirrorCredential", "SecretId", "Dynamic"),
            Replacement="Conditional",
        ),
        change(
            "MirrorUserPolicy",
            "AWS::IAM::Policy",
            (attribute, "Pipeline.RepositoryArn", "PolicyDocument", "Dynamic"),
        ),
        PIPELINE,
        body=text,
        parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {
                **{name: about.get("Default", "") for name, about in yaml_parse(text)["Parameters"].items()},
                "EnvID": "dev",
                "ProjectID": "shop",
                "ResourceTags": '{"CostCenter":"42"}',
            }.items()
            if name != "RenderingSerial"
        ],
    )
    assert run("upgrade", "--yes").status == 0


@pytest.mark.parametrize(
    ("serial", "reason"),
    [
        (
            "2",
            (
                "stack project-dev-shop has RenderingSerial 2 already, but its pipeline was rendered by an"
                " older function, or not rendered. Deploy it with RenderingSerial=2-again, after you have"
                " seen what failed: cfn-gitops failures gitops-dev-shop --env dev\n"
            ),
        ),
        ("1", "the template of stack project-dev-shop does not use RenderingSerial. "),
    ],
)
def test_update_without_a_change_is_explained(
    serial: str, reason: str, stacks: FakeAccount, run: Run
) -> None:
    stacks.known["project-dev-shop"]["Parameters"] = [
        {"ParameterKey": "RenderingSerial", "ParameterValue": serial}
    ]
    stacks.session.client.return_value.get_paginator.return_value.paginate.return_value = [
        EMPTY
        | {
            "Status": "FAILED",
            "ExecutionStatus": "UNAVAILABLE",
            "StatusReason": "The submitted information didn't contain changes. Submit different information",
        }
    ]
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and f"LEFT    gitops-dev-shop: {reason}" in ended.out


def test_update_that_does_not_render_is_left(stacks: FakeAccount, run: Run) -> None:
    plans(stacks, PIPELINE).execute_change_set.side_effect = None
    ended = run("upgrade", "--yes")
    assert (
        ended.status == 1
        and "stack project-dev-shop is updated, but gitops-dev-shop does not have version 2. See what failed"
        in ended.out
    )


def test_last_line_claims_no_version_without_proof(stacks: FakeAccount, run: Run) -> None:
    del stacks.known["gitops-dev-shop"]
    assert run("upgrade").out.endswith("environment dev has no pipeline stack\n")
    for name, version in (("new", "3"), ("same", "2")):
        stacks.known[name] = stack(
            f"gitops-dev-{name}", owner=PROJECT, RenderingVersion=version, PipelineName=name
        )
    ended = run("upgrade")
    assert ended.status == 0 and ended.out.endswith(
        "1 of 2 pipeline stacks have version 2. Another one: gitops-dev-new\n"
    )


@pytest.mark.parametrize("call", ["describe_rule", "get_pipeline_state", "list_pipeline_executions"])
def test_stack_that_is_only_not_read_is_status_3(call: str, stacks: FakeAccount, run: Run) -> None:
    getattr(plans(stacks, PIPELINE), call).side_effect = ClientError(
        {"Error": {"Code": "Throttling", "Message": "m"}}, "Look"
    )
    ended = run("upgrade", "--yes")
    assert (
        ended.status == 3
        and "LEFT    gitops-dev-shop: AWS throttles Look. Run this again in a minute\n1 left\n" in ended.out
    )
    # Another one is left for a reason of its own.
    stacks.known["gitops-dev-new"] = stack(
        "gitops-dev-new", owner=PROJECT, RenderingVersion="x", PipelineName="new"
    )
    assert run("upgrade", "--yes").status == 1


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "NEW"])
def test_execution_in_a_stage_is_not_canceled(status: str, stacks: FakeAccount, run: Run) -> None:
    """Hundreds of newer ones may have been replaced behind its approval."""
    client = plans(stacks, PIPELINE)
    client.get_pipeline_state.return_value = {
        "stageStates": [
            {"latestExecution": {"pipelineExecutionId": "past", "status": "Skipped"}},
            {"latestExecution": {"pipelineExecutionId": "old", "status": status}},
        ]
    }
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and not client.create_change_set.called
    assert (
        "LEFT    gitops-dev-shop: execution old of codepipeline-dev-cfn-shop is in progress. Wait for its end"
        in ended.out
    )


@pytest.mark.parametrize(
    ("rule", "transition", "held"),
    [
        ("DISABLED", True, "event rule event-rule-dev-codepipeline-exec-ecr-shop is disabled"),
        ("PAUSED", True, "event rule event-rule-dev-codepipeline-exec-ecr-shop is paused"),
        ("ENABLED", False, "the transition into stage Deploy is disabled"),
    ],
)
def test_update_ends_no_freeze(rule: str, transition: bool, held: str, stacks: FakeAccount, run: Run) -> None:
    client = plans(stacks, PIPELINE)
    client.describe_rule.side_effect = lambda *, Name: {"State": rule if "-ecr-" in Name else "ENABLED"}
    client.get_pipeline_state.return_value = {
        "stageStates": [{"stageName": "Deploy", "inboundTransitionState": {"enabled": transition}}]
    }
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and not client.create_change_set.called
    assert (
        f"LEFT    gitops-dev-shop: {held}, and the update may end this freeze. First end it: cfn-gitops thaw"
        " shop --env dev" in ended.out
    )


@pytest.mark.parametrize(
    ("more", "manager"),
    [
        (
            {
                "ParentId": OWN.replace("cfn-gitops-dev", "nested"),
                "RootId": OWN.replace("cfn-gitops-dev", "platform"),
            },
            "stack platform, in which it is nested",
        ),
        ({"StackName": "StackSet-shop-1a2b"}, "its StackSet, of which its name shows an instance"),
    ],
    ids=str,
)
def test_owner_that_another_stack_or_a_stack_set_updates_is_left(
    more: dict[str, str], manager: str, stacks: FakeAccount, run: Run
) -> None:
    owner = stacks.known["project-dev-shop"]
    owner |= more
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and not plans(stacks).create_change_set.called
    assert (
        f"LEFT    gitops-dev-shop: its owner, stack {owner['StackName']}, belongs to {manager}. Set"
        " RenderingSerial to 2 there"
        f"{'' if 'ParentId' in more else '. If there is no such StackSet, deploy the stack with RenderingSerial=2'}\n"  # noqa: E501
        in ended.out
    )


def test_no_other_stack_is_updated_while_an_update_is_not_read(
    stacks: FakeAccount,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "MAX_LOSS", 0)
    second = PROJECT.replace("shop", "web")
    stacks.known |= {
        "project-dev-web": stack("project-dev-web", second),
        "gitops-dev-web": stack("gitops-dev-web", owner=second, PipelineName="web"),
    }
    stacks.show(stacks.known["gitops-dev-web"])
    client = plans(stacks, PIPELINE)
    client.describe_stacks.side_effect = ClientError(
        {"Error": {"Code": "ExpiredToken", "Message": "m"}}, "DescribeStacks"
    )
    ended = run("upgrade", "--yes")
    assert ended.status == 1 and client.execute_change_set.call_count == 1
    assert ended.err.startswith(
        "the update of stack project-dev-shop, which goes on in CloudFormation, is not read: the credentials"
        " have expired"
    )
