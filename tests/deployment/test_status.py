"""`cfn-gitops status` of a deployed project with its mirror, from its first push to a rejected approval and a
freeze, for an observer."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow
from tests.play.mirroring import FurtherProject, Source
from tests.play.steps import ROOT, Environment
from tests.play.waiting import eventually


def observer(aws: LocalAws, name: str) -> dict[str, str]:
    """The variables of a user who may invoke the function that only reads, and nothing else."""
    function = f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:cfn-gitops-dev-read"
    return _variables(aws, f"observer-{name}", allow("lambda:InvokeFunction", function))


def operator(aws: LocalAws, name: str, command: str) -> dict[str, str]:
    """Those of a user with the statements of the page that remain for the command."""
    [policy] = re.findall(
        "^```json\n(.*?)^```",
        (ROOT / "docs/how-to/undo-a-deployment.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    for placeholder, value in (("<Region>", aws.region), ("<AccountID>", aws.account_id), ("<EnvID>", "dev")):
        policy = policy.replace(placeholder, value)
    statements = [
        each for each in json.loads(policy)["Statement"] if each["Sid"].startswith(("Look", command))
    ]
    return _variables(aws, f"operator-{name}", *statements)


def _variables(aws: LocalAws, user: str, *statements: Any) -> dict[str, str]:
    key = a_user_with(aws, user, *statements)
    aws.put_iam_into_effect()
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def cfn_gitops(aws: LocalAws, key: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "--env", "dev"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, **aws.environment(), **key},
        check=False,
    )


def status(aws: LocalAws, project: str, observer: dict[str, str]) -> dict[str, Any]:
    """The project as the command shows it."""
    ran = cfn_gitops(aws, observer, "status", "--json")
    assert ran.stderr == "", ran.stderr
    [found] = [each for each in json.loads(ran.stdout)["Projects"] if each["ProjectID"] == project]
    assert ran.returncode or not {"failed", "broken", "unread", "mirror"} & set(found["concerns"]), ran.stdout
    return dict(found)


def decide(aws: LocalAws, word: str, project: str, *arguments: str) -> str:
    """The output of `approve` or `reject`."""
    ran = subprocess.run(
        [sys.executable, "-m", "cli", word, project, "--env", "dev", "--yes", *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, **aws.environment()},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # The function has read everything, and the deployment lacks no right.
    assert not re.search("^[?!] ", ran.stdout, re.MULTILINE), ran.stdout
    return ran.stdout


def test_status_follows_a_project(
    aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path
) -> None:
    shop = FurtherProject(aws, "dev", name, tmp_path, source)
    assert shop.create() == "CREATE_COMPLETE", shop.stack.failures()
    key = observer(aws, name)
    found = status(aws, name, key)
    assert (found["state"], found.get("Deployed"), found["concerns"]) == ("no push yet", None, []), found

    first = shop.push().commit
    waiting = shop.execution_of(first)
    shop.waits_for_approval(waiting)
    found = status(aws, name, key)
    assert (found["state"], found["concerns"], found.get("Deployed")) == ("approval", ["approval"], None), (
        found
    )
    assert [(each["ExecutionId"], each["Commit"]) for each in found["Approvals"]] == [(waiting, first)], found
    shown = decide(aws, "approve", name, "--reason", "Read")
    assert (
        f"commit {first[:8]}" in shown
        and "added  " in shown
        and f"ok      execution {waiting} of {shop.name} is approved" in shown
    ), shown
    assert shop.ended(waiting) == "Succeeded", shop.said()
    assert "approve: Read" in str(shop.actions(waiting)), shop.said()
    found = status(aws, name, key)
    assert (found["state"], found["Deployed"]["Commit"], found["concerns"], found["NotRead"]) == (
        "deployed",
        first,
        [],
        [],
    ), found
    assert [each for each in found["Mirrors"] if "Problem" in each] == [] != found["Mirrors"], found

    second = shop.execution_of(shop.push().commit)
    shop.waits_for_approval(second)
    decide(aws, "reject", name, "--reason", "not today")
    assert shop.ended(second) == "Failed", shop.said()
    freezer = operator(aws, name, "Freeze")
    frozen = cfn_gitops(aws, freezer, "freeze", name, "--reason", "sale (until Monday)", "--yes")
    assert frozen.returncode == 0 and f"Frozen: {name}\n" in frozen.stdout, frozen
    found = status(aws, name, key)
    assert (found["Deployed"]["Commit"], found["state"], found["concerns"]) == (
        first,
        "rejected",
        ["frozen"],
    ), found
    assert [(each.get("Rule"), each.get("Stage"), each.get("Reason")) for each in found["Holds"]] == [
        (shop.event_rule, None, None),
        (None, "Deploy", "sale (until Monday)"),
    ], found
    assert found["Holds"][1]["By"].endswith(f"user/operator-{name}"), found
    assert found["Rejection"]["ExecutionId"] == second and "not today" in found["Rejection"]["Reason"], found

    # A push starts nothing. A start by hand waits before the stage, until the thaw.
    third = shop.push().commit
    started = aws.client("codepipeline").start_pipeline_execution(name=shop.name)["pipelineExecutionId"]
    waiting = {"ExecutionId": started, "Stage": "Deploy", "IsWaitingBefore": True}
    eventually(
        lambda: waiting.items() <= (status(aws, name, key)["Freeze"]["Executions"] or [{}])[0].items(),
        "it waits before the stage",
    )
    assert shop.execution_of(third) == started and len(shop.executions()) == 3, shop.said()
    thawed = cfn_gitops(aws, freezer, "thaw", name, "--yes")
    assert thawed.returncode == 0 and f"execution {started} (commit {third[:8]}" in thawed.stdout, thawed
    assert "goes on into stage Deploy" in thawed.stdout and f"Thawed: {name}\n" in thawed.stdout, thawed
    shop.decide(started)
    assert shop.ended(started) == "Succeeded" and shop.deployed_commit() == third, shop.said()
    assert cfn_gitops(aws, freezer, "thaw", name).stdout.endswith(
        f"- {name}: nothing is left to be enabled\n"
    )
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
