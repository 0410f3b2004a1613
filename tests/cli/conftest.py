"""The subcommands without AWS: `cli.main.main` with a fake account, in a folder with the repository's
samconfig.toml."""

import functools
import io
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, MagicMock

import pytest

from cli import main as command_line
from cli.environment import waiting
from cli.environment.account import Account, Environment
from cli.environment.samconfig import FILE, Settings
from cli.shell import command, terminal
from tests.cli.answering import SESSION, Answering

ROOT = Path(__file__).parents[2]
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:cfn-gitops"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look follows the former one at once, and the clock of the waits shows the seconds of their pauses."""
    clock = [0.0]
    monkeypatch.setattr(
        waiting,
        "time",
        SimpleNamespace(
            monotonic=lambda: clock[0], sleep=lambda seconds: clock.append(clock.pop() + seconds)
        ),
    )


@pytest.fixture(autouse=True)
def no_selection() -> None:
    """A command of one test does not select the account of the former one."""
    command.selections.clear()
    command.start_as("cfn-gitops")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of one test does not mask the output of the next one, and none has lost output yet."""
    monkeypatch.setattr(terminal, "_SECRETS", [])
    monkeypatch.setattr(terminal, "_LOST", [])


def settings_of(parameters: dict[str, str]) -> Settings:
    """Those of the environment dev."""
    return Settings(
        "dev",
        {
            "stack_name": "cfn-gitops-dev",
            "parameter_overrides": [f'{name}="{value}"' for name, value in parameters.items()],
        },
        FILE,
    )


# A page of every list, such as that of a change set without changes.
EMPTY: dict[str, Any] = {
    "Status": "CREATE_COMPLETE",
    "ExecutionStatus": "AVAILABLE",
    "Changes": [],
    "StackEvents": [],
    "Summaries": [],
    "Imports": [],
}


def event(stack_id: str, number: int, status: str, token: str = "") -> dict[str, Any]:
    """The stack's own, of the operation with this token."""
    return {
        "StackId": stack_id,
        "ClientRequestToken": token,
        "PhysicalResourceId": stack_id,
        "LogicalResourceId": stack_id,
        "EventId": number,
        "ResourceStatus": status,
        "Timestamp": datetime(2026, 11, 20, tzinfo=UTC),
    }


class FakeAccount(Account):
    """An account with given stacks and buckets."""

    def __init__(self) -> None:
        super().__init__(MagicMock(region_name="eu-central-1"), "111122223333")
        self.known: dict[str, dict[str, Any]] = {}
        self.buckets: set[str] = set()
        self.deleted: set[str] = set()
        # By the ID of a stack.
        self.resources: dict[str, dict[str, dict[str, Any]]] = {}
        self.templates: dict[str, Any] = {}
        client = self.session.client.return_value
        client.describe_rule.return_value = {"State": "ENABLED"}
        client.list_pipeline_executions.return_value = {"pipelineExecutionSummaries": []}
        # Each stack ends an operation with it at once.
        self.status, events = "UPDATE_COMPLETE", itertools.count()
        client.describe_stacks.side_effect = lambda *, StackName: {
            "Stacks": [{"StackId": StackName, "StackStatus": self.status}]
        }
        client.describe_stack_events.side_effect = lambda *, StackName: {
            "StackEvents": [
                event(
                    StackName,
                    next(events),
                    self.status,
                    (client.delete_stack.call_args or client.execute_change_set.call_args).kwargs[
                        "ClientRequestToken"
                    ],
                )
            ]
        }
        client.delete_stack.side_effect = lambda **_: setattr(self, "status", "DELETE_COMPLETE")
        client.get_paginator.side_effect = lambda operation: (
            MagicMock(paginate=self._listed) if operation == "list_stack_resources" else DEFAULT
        )
        client.get_template.side_effect = lambda *, StackName, **_: {
            "TemplateBody": self.templates[StackName]
        }

    def _listed(self, *, StackName: str) -> list[dict[str, Any]]:
        # In pages of one.
        return [{"StackResourceSummaries": [each]} for each in self.resources.get(StackName, {}).values()]

    def show(
        self, child: dict[str, Any], token: Any = None, logical_id: str = "Pipeline", **more: str
    ) -> None:
        """Lets CloudFormation show the stack as a pipeline of the stack that its tag names, by default with
        the environment's export as its ServiceToken."""
        owner = next(tag["Value"] for tag in child["Tags"] if tag["Key"] == "cfn-gitops:stack-id")
        child["Tags"] = [*child["Tags"], {"Key": "cfn-gitops:logical-id", "Value": logical_id}]
        self.resources.setdefault(owner, {})[logical_id] = {
            "LogicalResourceId": logical_id,
            "ResourceType": "Custom::GitOpsPipeline",
            "PhysicalResourceId": child["StackName"],
            "ResourceStatus": "CREATE_COMPLETE",
            **more,
        }
        export = f"cfn-gitops-{child['StackName'].split('-')[1]}-ServiceToken"
        self.templates.setdefault(owner, {"Resources": {}})["Resources"][logical_id] = {
            "Type": "Custom::GitOpsPipeline",
            "Properties": {"ServiceToken": token or {"Fn::ImportValue": export}},
        }

    def has_bucket(self, name: str) -> bool:
        return name in self.buckets

    def stack(self, name: str) -> dict[str, Any] | None:
        return self.known.get(name)

    def stacks(self) -> list[dict[str, Any]]:
        return list(self.known.values())

    def was_deleted(self, name: str) -> bool:
        return name in self.deleted

    def repositories(self, stack: dict[str, Any]) -> list[str]:
        return stack.get("Repositories", [])


def environment_stack(env_id: str = "dev", **more: Any) -> dict[str, Any]:
    """The complete stack of an environment."""
    name = f"cfn-gitops-{env_id}"
    return {
        "StackName": name,
        "StackId": f"arn:aws:cloudformation:eu-central-1:111122223333:stack/{name}/1",
        "StackStatus": "UPDATE_COMPLETE",
        **more,
        **identity(env_id),
    }


def identity(env_id: str, *parameters: tuple[str, str], **outputs: str) -> dict[str, Any]:
    """The parameters and outputs of an environment's stack, and more of them."""
    token = {
        "OutputKey": "ServiceToken",
        "OutputValue": FUNCTION,
        "ExportName": f"cfn-gitops-{env_id}-ServiceToken",
    }
    return {
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in (("EnvID", env_id), *parameters)
        ],
        "Outputs": [token, *({"OutputKey": key, "OutputValue": value} for key, value in outputs.items())],
    }


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    fake = FakeAccount()
    monkeypatch.setattr(command_line, "connect", lambda *_: fake)
    return fake


@pytest.fixture
def environment(account: FakeAccount) -> Environment:
    return Environment(settings_of({"EnvID": "dev"}), account)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The current folder, with a samconfig.toml and a template."""
    (tmp_path / "template.yaml").write_text("Parameters: {}\nResources: {}\n")
    (tmp_path / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Ended:
    status: int
    out: str
    err: str


Run = Callable[..., Ended]

# It has the arguments of all subcommands, which takes longer than most of them run here.
_parser = functools.cache(command_line.parser)


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`cfn-gitops` with these arguments, and an answer on its standard input."""
    monkeypatch.setattr(command_line, "parser", _parser)

    def ran(*arguments: str, answer: str = "") -> Ended:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        try:
            status = command_line.main(arguments)
        except SystemExit as end:
            status = end.code  # type: ignore[assignment]
        return Ended(status, *capsys.readouterr())

    return ran


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that can import the package."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{text}"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """AWS's responses, beginning with those of the function that only reads."""
    made = Answering()
    monkeypatch.setattr(SESSION, "client", made.client)
    monkeypatch.setattr(command_line, "connect", lambda *_: Account(SESSION, "111122223333"))
    return made
