"""Stacks of others: names, tags and outputs that anyone may choose who may create stacks. They stop no command."""

import argparse
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cli.account import Environment, owner_of
from cli.commands import undeploy, upgrade
from cli.output import Output
from tests.cli.conftest import FakeAccount, Run, environment_stack, identity

OWN = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-dev/1a2b"
PROJECT = "arn:aws:cloudformation:eu-central-1:111122223333:stack/project-dev-shop/1a2b"
GONE = "arn:aws:cloudformation:eu-central-1:111122223333:stack/gone/1a2b"
NOT_IDS = ["noslash", "", "/", "arn", "a/b/c", "arn:aws:s3:::bucket/key/1", OWN.replace("stack/", "stackset/"), f"{OWN}/2", f"x{OWN}",
           f"{OWN}\n", OWN.replace("cfn-gitops-dev", "\x1b[2J"), OWN.replace("111122223333", "1"), "x" * 100_000]
NETWORK = EndpointConnectionError(endpoint_url="https://example.com")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Anything")


def stack(name: str, stack_id: str = "", owner: str | None = None, **outputs: str) -> dict[str, Any]:
    return {"StackName": name, "StackId": stack_id or f"arn:of/{name}", "StackStatus": "CREATE_COMPLETE",
            "Tags": [] if owner is None else [{"Key": "cfn-gitops:stack-id", "Value": owner}],
            "Parameters": [{"ParameterKey": "RenderingSerial", "ParameterValue": ""}],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]}


@pytest.fixture
def stacks(account: FakeAccount) -> FakeAccount:
    """An environment and a project with an outdated pipeline."""
    for each in (own(RenderingVersion="2"), stack("project-dev-shop", PROJECT),
                 stack("gitops-dev-shop", owner=PROJECT, RenderingVersion="1", PipelineName="shop")):
        account.known[each["StackName"]] = each
    client = account.session.client.return_value
    client.exceptions.PipelineNotFoundException = KeyError
    client.get_paginator.return_value.paginate.return_value = []

    def executed(*, StackName: str, **_: Any) -> None:
        """The function renders the pipelines of the updated stack."""
        for each in account.stacks():
            if owner_of(each) == account.known[StackName]["StackId"]:
                outputs = [output for output in each["Outputs"] if output["OutputKey"] != "RenderingVersion"]
                each["Outputs"] = [*outputs, {"OutputKey": "RenderingVersion", "OutputValue": "2"}]

    client.execute_change_set.side_effect = executed
    return account


def own(**outputs: str) -> dict[str, Any]:
    return environment_stack("dev", StackId=OWN) | identity("dev", **outputs)


def refusal(environment: Environment, keeps: bool = False) -> str:
    """Why undeploy deletes nothing, after the list that it writes. Empty if it would."""
    plan = undeploy.planned(environment, argparse.Namespace(delete_bucket=False, keep_stacks=keeps))
    plan.show(Output())
    return ". ".join(plan.obstacle or ())


@pytest.mark.parametrize("tag", NOT_IDS, ids=lambda tag: tag[:20])
def test_tag_that_is_no_stack_id_has_no_owner(tag: str, stacks: FakeAccount, environment: Environment, run: Run,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    evil = stack("gitops-dev-evil", owner=tag, RenderingVersion="x")
    stacks.known["gitops-dev-evil"] = evil
    del stacks.known["gitops-dev-shop"]
    assert owner_of(evil) is None
    assert refusal(environment) == ""
    assert "evil" not in capsys.readouterr().out
    assert upgrade.outdated(stacks.stacks(), "dev", 2) == {}
    assert run("upgrade", "--yes").status == 0


@pytest.mark.parametrize("outputs", [
    {"RenderingVersion": "x", "PipelineName": "a"}, {"RenderingVersion": "", "PipelineName": "a"}, {"RenderingVersion": "-1"},
    {"RenderingVersion": "1.0"}, {"RenderingVersion": "\u00b2"}, {"RenderingVersion": "9" * 5000}, {"RenderingVersion": "1"}, {},
    {"PipelineName": ""}], ids=lambda outputs: str(outputs)[:30])
@pytest.mark.parametrize("owner", [PROJECT, OWN, GONE], ids=["project", "own", "gone"])
def test_unreadable_outputs_leave_only_their_stack(outputs: dict[str, str], owner: str, stacks: FakeAccount,
                                                   run: Run) -> None:
    stacks.known = {"gitops-dev-evil": stack("gitops-dev-evil", owner=owner, **outputs), **stacks.known}
    ended = run("upgrade", "--yes")
    printed = ended.out
    assert ended.status == 1
    assert "LEFT    gitops-dev-evil: it" in printed and "ok      gitops-dev-shop: version 2" in printed
    updated = stacks.session.client.return_value.execute_change_set.call_args_list
    assert [call.kwargs["StackName"] for call in updated] == ["project-dev-shop"]


@pytest.mark.parametrize("version", ["x", "", "0", "-1", None])
def test_environment_without_a_version_is_named(version: str | None, stacks: FakeAccount, run: Run) -> None:
    outputs = {} if version is None else {"RenderingVersion": version}
    stacks.known["cfn-gitops-dev"] = own(**outputs)
    ended = run("upgrade", "--yes")
    assert (ended.status, ended.err) == (1, "stack cfn-gitops-dev has no output RenderingVersion. Deploy this version of it first: "
                                            "sam deploy --config-env dev\n")


@pytest.mark.parametrize("error", [NETWORK, DENIED])
@pytest.mark.parametrize("call", ["delete_change_set", "create_change_set", "get_waiter"])
def test_lost_connection_leaves_a_stack_and_the_next_is_upgraded(call: str, error: Exception, stacks: FakeAccount,
                                                                 run: Run) -> None:
    second = PROJECT.replace("shop", "other")
    stacks.known |= {"project-dev-other": stack("project-dev-other", second),
                     "gitops-dev-other": stack("gitops-dev-other", owner=second, PipelineName="other")}
    client = stacks.session.client.return_value
    working = getattr(client, call).return_value
    getattr(client, call).side_effect = [error, working, working]
    ended = run("upgrade", "--yes")
    printed = ended.out
    assert ended.status == 1
    assert "LEFT    gitops-dev-shop: " in printed and str(error) in printed and "ok      gitops-dev-other: version 2" in printed


def test_stack_without_its_owner_blocks_only_with_a_role(stacks: FakeAccount, environment: Environment,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    child = stacks.known["gitops-dev-shop"] = stack("gitops-dev-shop", owner=GONE)
    for role in ("role-dev-cfn-gitops", "role-prd-cfn-gitops-provisioning", "mine"):
        child["RoleARN"] = f"arn:aws:iam::111122223333:role/{role}"
        assert refusal(environment) == "" and "shop" not in capsys.readouterr().out
    # No stack can be deleted first.
    child["RoleARN"] = "arn:aws:iam::111122223333:role/role-dev-cfn-gitops-provisioning"
    assert "nothing is deleted, because CloudFormation deletes gitops-dev-shop with role-dev-codedeploy-cfn" in refusal(environment)
    assert "- stack gitops-dev-shop: stays, its owner is deleted" in capsys.readouterr().out
    assert refusal(environment, keeps=True) == ""


def test_tag_of_a_stranger_does_not_advise_to_delete_its_owner(stacks: FakeAccount, environment: Environment,
                                                               run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    database = PROJECT.replace("project-dev-shop", "prod-database")
    stacks.known = {each["StackName"]: each for each in (
        own(RenderingVersion="2"), stack("prod-database", database) | {"Parameters": []},
        stack("gitops-dev-evil", owner=database, PipelineName="a"), stack("my-own", owner=OWN), stack("gitops-prd-a", owner=OWN),
        stack("gitops-dev-infra", owner=OWN, RenderingVersion="2", PipelineName="infra"))}
    reason = refusal(environment, keeps=True)
    assert ("- stack gitops-dev-infra: will be deleted with it\n"
            "- stack gitops-dev-evil: names prod-database as its owner, in a tag\n") in capsys.readouterr().out
    assert "If an owner has no such resource, cfn-gitops did not create the stack that names it. Delete that stack instead" in reason
    ended = run("upgrade", "--yes")
    assert ended.status == 1
    assert ("LEFT    gitops-dev-evil: its tag names stack prod-database as its owner, which has no parameter RenderingSerial. Set the "
            "property RenderingSerial of its Custom::GitOpsPipeline to 2. If it has no such resource, delete gitops-dev-evil"
            ) in ended.out


def test_tag_of_a_stranger_updates_no_project_of_another_environment(stacks: FakeAccount, run: Run) -> None:
    parameters = stacks.known["project-dev-shop"]["Parameters"]
    parameters.append({"ParameterKey": "EnvID", "ParameterValue": "prd"})
    ended = run("upgrade", "--yes")
    assert ended.status == 1
    assert "LEFT    gitops-dev-shop: its tag names stack project-dev-shop, whose EnvID is not dev. " in ended.out
    updates = stacks.session.client.return_value.create_change_set
    assert not updates.called
    parameters[-1]["ParameterValue"] = "dev"
    assert run("upgrade", "--yes").status == 0 and updates.called


def test_role_of_another_name_is_not_that_of_the_environment(stacks: FakeAccount, environment: Environment) -> None:
    del stacks.known["gitops-dev-shop"]
    for arn in ("role/path/role-dev-codedeploy-cfn", "role/my-role-dev-codedeploy-cfn"):
        stacks.known["mine"] = stack("mine") | {"RoleARN": f"arn:aws:iam::111122223333:{arn}"}
        assert refusal(environment) == ""
    stacks.known["mine"]["RoleARN"] = "arn:aws:iam::111122223333:role/role-dev-codedeploy-cfn"
    assert refusal(environment)


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b"null", b"{}", b'{"Doctor": 1}', b'{"Doctor": {"Checks": [1]}}',
                                     b'{"Doctor": {"Checks": []}}', b'{"Doctor": {"Checks": [{}], "NotChecked": []}}'],
                         ids=lambda payload: str(payload)[:20])
def test_response_of_another_function_is_found(payload: Any, stacks: FakeAccount, run: Run) -> None:
    stacks.session.client.return_value.invoke.return_value = {"Payload": io.BytesIO(payload)}
    ended = run("doctor")
    assert ended.status == 1
    assert "FOUND        function cfn-gitops-dev\n" in ended.out and "2 checks: 1 found, 1 sound, 0 not checked" in ended.out


@pytest.mark.parametrize("error", [NETWORK, DENIED], ids=["network", "denied"])
def test_function_that_was_not_reached_is_not_checked(error: Exception, stacks: FakeAccount, run: Run) -> None:
    stacks.session.client.return_value.invoke.side_effect = error
    ended = run("doctor")
    assert ended.status == 1
    assert "not checked  function cfn-gitops-dev\n" in ended.out and "2 checks: 0 found, 1 sound, 1 not checked" in ended.out


def test_part_that_the_function_did_not_read_is_not_checked(stacks: FakeAccount, run: Run) -> None:
    part = {"Problem": "listing mirrors: GitLab is out of reach", "Remedy": "Restore the connection", "Code": "CFG-401"}
    payload = json.dumps({"Doctor": {"Checks": [], "NotChecked": [part]}}).encode()
    stacks.session.client.return_value.invoke.return_value = {"Payload": io.BytesIO(payload)}
    ended = run("doctor")
    assert ended.status == 1 and "not checked  a part of the environment\n" in ended.out
    assert "listing mirrors: GitLab is out of reach\n" in ended.out and "Restore the connection - CFG-401\n" in ended.out


@pytest.mark.parametrize(("content", "message"), [
    ("dev = {", "samconfig.toml is not read: .*end of document"), ("\ndev = {]", "samconfig.toml is not read: .*line 2, column 8"),
    (b"a\n b\xff", "samconfig.toml is not read: .*line 2, column 3"),
    (None, "there is no samconfig.toml in "), ("[dev]", "lacks stack_name"), ("[dev]\nglobal = 1", "lacks stack_name"),
    ("[dev.global.parameters]\nstack_name = 1", "lacks stack_name"), ("dev = 1", "has no environment dev"),
    ("[dev.global.parameters]\nstack_name = 'a'", "lacks EnvID"),
    *((f"[dev.global.parameters]\nstack_name = 'a'\n[dev.deploy.parameters]\nparameter_overrides = {value}", "is not a list of texts")
      for value in ("['a=\"b']", "[1]", "1", "true", "[['a=b']]")),
    ("[dev.global.parameters]\nstack_name = 'a'\n[dev.deploy.parameters]\nparameter_overrides = ['a']", "samconfig.toml.* a[ .]")])
def test_samconfig_that_is_not_read_is_one_sentence(content: str | bytes | None, message: str, folder: Path,
                                                    account: FakeAccount, run: Run) -> None:
    path = folder / "samconfig.toml"
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = run("undeploy")
    assert ended.status in (1, 2) and re.search(message, ended.err) and ended.err.count("\n") == 1
