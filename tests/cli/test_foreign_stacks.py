"""Stacks of others: names, tags and outputs that anyone may choose who may create stacks. They stop no
command."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cli.commands import leave, undeploy
from cli.environment.account import Environment, owner_of
from cli.shell.output import Output
from tests.cli.conftest import FUNCTION, FakeAccount, Run, environment_stack, identity

OWN = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-dev/1a2b"
PROJECT = "arn:aws:cloudformation:eu-central-1:111122223333:stack/project-dev-shop/1a2b"
GONE = "arn:aws:cloudformation:eu-central-1:111122223333:stack/gone/1a2b"
NOT_IDS = [
    "noslash",
    "",
    "/",
    "arn",
    "a/b/c",
    "arn:aws:s3:::bucket/key/1",
    OWN.replace("stack/", "stackset/"),
    f"{OWN}/2",
    f"x{OWN}",
    f"{OWN}\n",
    OWN.replace("cfn-gitops-dev", "\x1b[2J"),
    OWN.replace("111122223333", "1"),
    "x" * 100_000,
]
NETWORK = EndpointConnectionError(endpoint_url="https://example.com")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Anything")


def stack(name: str, stack_id: str = "", owner: str | None = None, **outputs: str) -> dict[str, Any]:
    return {
        "StackName": name,
        "StackId": stack_id or f"arn:of/{name}",
        "StackStatus": "CREATE_COMPLETE",
        "Tags": [] if owner is None else [{"Key": "cfn-gitops:stack-id", "Value": owner}],
        "Parameters": [],
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
    }


@pytest.fixture
def stacks(account: FakeAccount) -> FakeAccount:
    """An environment and a project."""
    for each in (
        own(),
        stack("project-dev-shop", PROJECT),
        stack("gitops-dev-shop", owner=PROJECT, PipelineName="shop"),
    ):
        account.known[each["StackName"]] = each
    account.show(account.known["gitops-dev-shop"])
    return account


def own() -> dict[str, Any]:
    return environment_stack("dev", StackId=OWN) | identity("dev")


def refusal(environment: Environment, keeps: bool = False) -> str:
    """Why undeploy deletes nothing, after the list that it writes. Empty if it would."""
    plan = undeploy.planned(environment, argparse.Namespace(delete_bucket=False, keep_stacks=keeps))
    plan.show(Output())
    return "nothing is deleted, because " + ". ".join(plan.obstacles[0]) if plan.obstacles else ""


@pytest.mark.parametrize("tag", NOT_IDS, ids=lambda tag: tag[:20])
def test_tag_that_is_no_stack_id_has_no_owner(
    tag: str, stacks: FakeAccount, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = stack("gitops-dev-evil", owner=tag, PipelineName="x")
    stacks.known["gitops-dev-evil"] = evil
    del stacks.known["gitops-dev-shop"]
    assert owner_of(evil) is None
    assert refusal(environment) == ""
    assert "evil" not in capsys.readouterr().out
    assert leave.hidden_users(environment, []) == {}


@pytest.mark.parametrize("owner", [GONE, PROJECT], ids=["gone", "retained"])
def test_stack_that_no_resource_owns_blocks_only_with_a_role(
    owner: str, stacks: FakeAccount, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    child = stacks.known["gitops-dev-shop"] = stack("gitops-dev-shop", owner=owner)
    stacks.resources.clear()
    for role in ("role-dev-cfn-gitops", "role-prd-cfn-gitops-provisioning", "mine"):
        child["RoleARN"] = f"arn:aws:iam::111122223333:role/{role}"
        assert refusal(environment) == "" and "shop" not in capsys.readouterr().out
    # No stack can be deleted first.
    child["RoleARN"] = "arn:aws:iam::111122223333:role/role-dev-cfn-gitops-provisioning"
    reason = refusal(environment)
    assert (
        "nothing is deleted, because gitops-dev-shop may need role-dev-codedeploy-cfn or another role"
        in reason
    )
    assert reason.endswith("Use --keep-stacks, and give each of them another role later (--role-arn)")
    assert "- stack gitops-dev-shop: stays, no stack owns it" in capsys.readouterr().out
    assert refusal(environment, keeps=True) == ""


# A table of others that the tags of a stack name, and custom resources of their own functions.
TOPIC = "arn:aws:sns:eu-central-1:111122223333:topic"
NOT_OWNED: dict[str, dict[str, Any]] = {
    "table": {"ResourceType": "AWS::DynamoDB::Table"},
    "credential": {"ResourceType": "Custom::MirrorCredential"},
    "another physical ID": {"PhysicalResourceId": "gitops-dev-other"},
    "deleted": {"ResourceStatus": "DELETE_COMPLETE"},
    "retained": {"ResourceStatus": "DELETE_SKIPPED"},
    "topic": {"token": TOPIC},
    "parameter": {"token": {"Ref": "Token"}},
}


# claim: no-command-names-a-stack-of-others-for-deletion
@pytest.mark.parametrize("form", NOT_OWNED)
def test_resource_of_others_is_not_named_for_deletion(
    form: str, stacks: FakeAccount, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    how = dict(NOT_OWNED[form])
    ledger = PROJECT.replace("project-dev-shop", "payments-prd")
    evil = stack("gitops-dev-evil", owner=ledger, PipelineName="a")
    stacks.known = {each["StackName"]: each for each in (own(), stack("payments-prd", ledger), evil)}
    stacks.known["payments-prd"]["Parameters"].append(
        {"ParameterKey": "Token", "ParameterValue": FUNCTION.replace("cfn-", "other-")}
    )
    stacks.show(evil, how.pop("token", None), "Ledger", **how)
    assert refusal(environment) == "" and "payments-prd" not in capsys.readouterr().out
    assert leave.hidden_users(environment, []) == {}


# With these parameters: CloudFormation shows the value of one with NoEcho as asterisks.
PARAMETERS = [
    {"ParameterKey": "Dynamic", "ParameterValue": "{{resolve:ssm:/token}}"},
    {"ParameterKey": "EnvID", "ParameterValue": "dev"},
    {"ParameterKey": "Export", "ParameterValue": "cfn-gitops-dev-ServiceToken"},
    {"ParameterKey": "Hidden", "ParameterValue": "****"},
    {"ParameterKey": "Stored", "ParameterValue": "/token", "ResolvedValue": FUNCTION},
    {"ParameterKey": "Token", "ParameterValue": FUNCTION},
]


@pytest.mark.parametrize(
    "token",
    [
        {"Fn::GetAtt": ["Other", "Token"]},
        {"Ref": "Other"},
        {"Ref": "Hidden"},
        {"Ref": "Dynamic"},
        "{{resolve:ssm:/token}}",
        {"Fn::Sub": FUNCTION},
        {"Fn::Join": ["", [FUNCTION]]},
        {"Fn::If": ["C", FUNCTION, TOPIC]},
        {"Fn::ImportValue": "another"},
        {"Fn::ImportValue": {"Fn::GetAtt": ["Other", "Token"]}},
        {"Fn::ImportValue": {"Fn::Sub": "cfn-gitops-${Other.Token}-ServiceToken"}},
        {"Fn::ImportValue": "cfn-gitops-dev-ServiceToken", "Ref": "Token"},
        f"{FUNCTION}:1",
        None,
    ],
    ids=str,
)
def test_owner_whose_token_is_not_known_may_need_the_function(
    token: Any, stacks: FakeAccount, environment: Environment
) -> None:
    stacks.known["project-dev-shop"]["Parameters"] += PARAMETERS
    stacks.show(stacks.known["gitops-dev-shop"], token)
    # Without a token, `show` gives it that of the environment.
    stacks.templates[PROJECT]["Resources"]["Pipeline"]["Properties"]["ServiceToken"] = token
    assert "nothing is deleted, because gitops-dev-shop may need stack cfn-gitops-dev" in refusal(
        environment, keeps=True
    )
    assert "Otherwise remove the tags of the stack that names it" in refusal(environment, keeps=True)


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
def test_token_of_a_known_value_is_that_of_the_function(
    token: Any, stacks: FakeAccount, environment: Environment
) -> None:
    stacks.known["project-dev-shop"]["Parameters"] += PARAMETERS
    stacks.show(stacks.known["gitops-dev-shop"], token)
    assert "because project-dev-shop may need stack cfn-gitops-dev. Delete the stacks of projects" in refusal(
        environment, keeps=True
    )


def test_owner_in_progress_is_waited_for(stacks: FakeAccount, environment: Environment) -> None:
    stacks.resources.clear()
    assert refusal(environment, keeps=True) == ""
    stacks.known["project-dev-shop"]["StackStatus"] = "CREATE_IN_PROGRESS"
    assert (
        refusal(environment, keeps=True)
        == "nothing is deleted, because gitops-dev-shop may need stack cfn-gitops-dev. Wait for the end of"
        " the operation that changes gitops-dev-shop, and run this again"
    )
    assert leave.hidden_users(environment, [])["project-dev-shop"].endswith(
        "changed now. Wait for its end, and run this again"
    )


def test_owner_that_needs_the_function_is_named_with_its_command(
    stacks: FakeAccount, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    infra = stacks.known["gitops-dev-infra"] = stack("gitops-dev-infra", owner=OWN, PipelineName="infra")
    # Another token would not keep the environment's stack from deleting it.
    stacks.show(infra, {"Fn::GetAtt": ["Function", "Arn"]})
    reason = refusal(environment, keeps=True)
    assert (
        "- stack gitops-dev-infra: will be deleted with it\n- stack gitops-dev-shop: belongs to"
        " project-dev-shop\n" in capsys.readouterr().out
    )
    assert (
        reason
        == "nothing is deleted, because project-dev-shop may need stack cfn-gitops-dev. Delete the stacks of"
        " projects: aws cloudformation delete-stack --stack-name project-dev-shop"
    )


def test_role_of_another_name_is_not_that_of_the_environment(
    stacks: FakeAccount, environment: Environment
) -> None:
    del stacks.known["gitops-dev-shop"]
    for arn in (
        "111122223333:role/path/role-dev-codedeploy-cfn",
        "111122223333:role/my-role-dev-codedeploy-cfn",
        "444455556666:role/role-dev-codedeploy-cfn",
    ):
        stacks.known["mine"] = stack("mine") | {"RoleARN": f"arn:aws:iam::{arn}"}
        assert refusal(environment) == ""
    stacks.known["mine"]["RoleARN"] = "arn:aws:iam::111122223333:role/role-dev-codedeploy-cfn"
    assert refusal(environment)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dev = {", "samconfig.toml is not read: .*end of document"),
        ("\ndev = {]", "samconfig.toml is not read: .*line 2, column 8"),
        (b"a\n b\xff", "samconfig.toml is not read: .*line 2, column 3"),
        (None, "there is no samconfig.toml in "),
        ("[dev]", "lacks stack_name"),
        ("[dev]\nglobal = 1", "lacks stack_name"),
        ("[dev.global.parameters]\nstack_name = 1", "stack_name of .* is not read"),
        ("dev = 1", "has no environment dev"),
        ("[dev.global.parameters]\nstack_name = 'a'", "lacks EnvID"),
        *(
            (
                (
                    "[dev.global.parameters]\nstack_name = 'a'\n[dev.deploy.parameters]\nparameter_overrides"
                    f" = {value}"
                ),
                "is not read by this command",
            )
            for value in ("['EnvID=\"b']", "[1]", "1", "true", "[['a=b']]", "['EnvID']")
        ),
    ],
)
def test_samconfig_that_is_not_read_is_one_sentence(
    content: str | bytes | None, message: str, folder: Path, account: FakeAccount, run: Run
) -> None:
    path = folder / "samconfig.toml"
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = run("undeploy")
    assert ended.status == 2 and re.search(message, ended.err) and ended.err.count("\n") == 1
