"""Runs every rule of the tables over HTTP: those of AWS against both emulators. README.md describes the
tables."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from cli.rules import PIPELINES
from tests.local.aws.cloudformation.stack_statuses import ACCEPTED
from tests.local.gitlab.emulator import PROGRAM
from tests.play.calls import Calls, matches
from tests.rules import emulators
from tests.rules.emulators import Emulator

TABLES = {
    table.stem: yaml.safe_load(table.read_text()) for table in sorted(Path(__file__).parent.glob("*.yaml"))
}
RULES = [
    pytest.param(emulator, table, rule, id=f"{emulator}-{table}-{rule['rule']}")
    for emulator in ("fake_aws", "local")
    for table, rules in TABLES.items()
    for rule in rules
    if emulator == "fake_aws" or not table.startswith("gitlab")
]
NUMBERS = count(1)
SESSION = requests.Session()
# Ignore the machine's proxy.
SESSION.trust_env = False
# Parameters that a call has if the table does not name them.
DEFAULTS = {
    "SecretId": "$name",
    "Name": "$name",
    "UserName": "$user",
    "StackName": "$name",
    "repositoryName": "$name",
    "approvalRuleTemplateName": "$name",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[[str], Emulator]]:
    """Starts an emulator for its first rule."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(getattr(emulators, name)()))


class Run(Calls):
    """One rule on one emulator."""

    def __init__(self, emulator: Emulator, service: str, rule: dict[str, Any]) -> None:
        number = next(NUMBERS)
        self.service, self.url = service.partition("_")[0], f"{emulator.gitlab_url}/api/v4"
        super().__init__(
            {
                "name": [f"rule-{number}"],
                "user": [f"user-{number}"],
                "path": [f"rules/number/{number}"],
                "n": [1],
                "token": ["1" * 32, "2" * 32, "3" * 64],
            },
            emulator.clients.__getitem__,
            self.send_to_gitlab,
            DEFAULTS,
        )
        given = self.filled(rule.get("given", {}))
        self.gitlab = given.get("gitlab", {})
        if many := self.gitlab.get("many_protected"):
            self.gitlab["protected"] = [f"b{number}" for number in range(many)]
        token = emulator.arrange(
            {
                "users": given.get("users", self.seen["user"]),
                "repositories": given.get("repositories", []),
                "project": self.seen["path"][0],
                "gitlab": self.gitlab,
            }
        )
        self.token = self.gitlab.get("token", token)

    def call(self, operation: str, parameters: Any = None, expected: Any = None) -> None:
        times, _, single = operation.rpartition("x ")
        made = single if self.service == "gitlab" else f"{self.service}:{single}"
        for number in range(1, int(times or 1) + 1):
            self.seen["n"] = [number]
            asked, sent, wanted = self.filled(made), self.filled(parameters), self.wanted(made, expected)
            found = self.ask(asked, sent)
            assert matches(wanted, found), f"{asked} {sent}\nreturned {found}\ninstead of {wanted}"
            self.remember(found)

    def send_to_gitlab(self, method: str, path: str, body: Any) -> requests.Response:
        if not path.startswith(("/projects/", "/personal")):
            path = f"/projects/{self.seen['path'][0].replace('/', '%2F')}{path}"
        headers = {"PRIVATE-TOKEN": self.token} if self.token else {}
        if self.gitlab.get("is_bearer"):
            headers = {"Authorization": f"Bearer {self.token}"}
        return SESSION.request(method, self.url + path, json=body, timeout=20, headers=headers)


def test_statuses_of_stacks_accept_the_same_calls() -> None:
    """Of each emulator and of the product. `tests/fake-aws` has no imports."""
    fake = json.loads(subprocess.check_output([PROGRAM, "statuses"], text=True))
    product = {
        status: {each for each in meanings if each[0].isupper()}
        for status, meanings in PIPELINES["stack_statuses"].items()
    }
    assert product == {status: {*calls.split()} for status, calls in ACCEPTED.items()}
    assert {status: {*calls.split()} for status, calls in fake.items()} == {
        status: calls for status, calls in product.items() if not status.startswith("IMPORT_")
    }


@pytest.mark.parametrize(("emulator", "service", "rule"), RULES)
def test_rule_holds(
    emulator: str, service: str, rule: dict[str, Any], running: Callable[[str], Emulator]
) -> None:
    assert rule["source"].startswith("https://")
    run = Run(running(emulator), service, rule)
    for step in (*rule.get("before", []), *rule["calls"]):
        run.call(*step)
