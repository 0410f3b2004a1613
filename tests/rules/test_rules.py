"""Runs every rule of the tables over HTTP: those of AWS against both emulators. README.md describes the tables."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.rules import emulators
from tests.rules.emulators import Emulator

TABLES = {table.stem: yaml.safe_load(table.read_text()) for table in sorted(Path(__file__).parent.glob("*.yaml"))}
RULES = [pytest.param(emulator, table, rule, id=f"{emulator}-{table}-{rule['rule']}")
         for emulator in ("fake_aws", "local") for table, rules in TABLES.items() for rule in rules
         if emulator == "fake_aws" or not table.startswith("gitlab")]
NUMBERS = count(1)
HEADERS = ("x-page", "x-per-page", "x-next-page", "x-prev-page", "x-total", "x-total-pages")
DEFAULT_STATUS = {"GET": 200, "PUT": 200, "POST": 201, "DELETE": 204}
PLACEHOLDER = r"\$([A-Za-z_]+)(?:\.(\d+))?"
# Values that no response replaces.
OWN = ("n", "name", "user", "path", "token")
SESSION = requests.Session()
# Ignore the machine's proxy.
SESSION.trust_env = False
# Parameters that a call has if the table does not name them.
DEFAULTS = {"SecretId": "$name", "Name": "$name", "UserName": "$user"}


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[[str], Emulator]]:
    """Starts an emulator for its first rule."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(getattr(emulators, name)()))


class Run:
    """One rule on one emulator, with the values that it has seen."""

    def __init__(self, emulator: Emulator, service: str, rule: dict[str, Any]) -> None:
        number = next(NUMBERS)
        self.emulator, self.service = emulator, service.partition("_")[0]
        self.seen: dict[str, list[Any]] = {
            "name": [f"rule-{number}"], "user": [f"user-{number}"], "path": [f"rules/number/{number}"],
            "token": ["1" * 32, "2" * 32, "3" * 64]}
        given = self.filled(rule.get("given", {}))
        self.gitlab = given.get("gitlab", {})
        if many := self.gitlab.get("many_protected"):
            self.gitlab["protected"] = [f"b{number}" for number in range(many)]
        token = emulator.arrange(given.get("users", self.seen["user"]), self.seen["path"][0], self.gitlab)
        self.token = self.gitlab.get("token", token)

    def call(self, operation: str, parameters: Any = None, expected: Any = None) -> None:
        times, _, single = operation.rpartition("x ")
        ask = self.ask_gitlab if self.service == "gitlab" else self.ask_aws
        for number in range(1, int(times or 1) + 1):
            self.seen["n"] = [number]
            made, sent = self.filled(single), self.filled(parameters)
            wanted, found = ask(made, sent, self.filled(expected))
            assert matches(wanted, found), f"{made} {sent}\nreturned {found}\ninstead of {wanted}"
            self.remember(found)

    def ask_aws(self, operation: str, parameters: dict[str, Any] | None, wanted: Any) -> tuple[Any, Any]:
        client = self.emulator.clients[self.service]
        members = client.meta.service_model.operation_model(operation).input_shape.members
        defaults = {name: self.filled(value) for name, value in DEFAULTS.items() if name in members}
        wanted = {"error": wanted} if isinstance(wanted, str) else {"error": None, **(wanted or {})}
        try:
            found = getattr(client, xform_name(operation))(**defaults | (parameters or {}))
        except ClientError as error:
            answer = error.response
            return wanted, {"error": answer["Error"]["Code"], "message": answer["Error"]["Message"],
                            "http": answer["ResponseMetadata"]["HTTPStatusCode"]}
        del found["ResponseMetadata"]
        # Most responses of IAM have one member, which has the others.
        only = next(iter(found.values())) if len(found) == 1 else None
        return wanted, only if isinstance(only, dict) else found

    def ask_gitlab(self, operation: str, body: Any, wanted: Any) -> tuple[Any, Any]:
        method, _, path = operation.partition(" ")
        if not path.startswith(("/projects/", "/personal")):
            path = f"/projects/{self.seen['path'][0].replace('/', '%2F')}{path}"
        headers = {"PRIVATE-TOKEN": self.token} if self.token else {}
        if self.gitlab.get("is_bearer"):
            headers = {"Authorization": f"Bearer {self.token}"}
        answer = SESSION.request(method, f"{self.emulator.gitlab_url}/api/v4{path}", json=body, timeout=20,
                                 headers=headers)
        found = answer.json() if answer.content else {}
        shown = {"list": found, "count": len(found)} if isinstance(found, list) else found
        wanted = {"list": wanted} if isinstance(wanted, list) else wanted or {}
        default = 204 if path.endswith("/sync") else DEFAULT_STATUS[method]
        return {"http": default, **wanted}, {**shown, "http": answer.status_code,
                                            **{name: answer.headers.get(name) for name in HEADERS}}

    def filled(self, value: Any) -> Any:
        """Replaces `$name` by the first value of this name, and `$id.2` by the second different `id`."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if not isinstance(value, str):
            return value
        if whole := re.fullmatch(PLACEHOLDER, value):
            return self.value(whole)
        return re.sub(PLACEHOLDER, lambda found: str(self.value(found)), value)

    def value(self, found: re.Match[str]) -> Any:
        values = self.seen.get(found[1])
        return values[int(found[2] or 1) - 1] if values else found[0]

    def remember(self, found: dict[str, Any], prefix: str = "") -> None:
        for name, value in ((prefix + name, value) for name, value in found.items()):
            if isinstance(value, list) and value and isinstance(value[0], dict):
                value = value[0]
            if isinstance(value, dict):
                self.remember(value, f"{name}_")
            elif name not in OWN and value not in self.seen.setdefault(name, []):
                self.seen[name].append(value)


def matches(wanted: Any, found: Any, is_whole: bool = False) -> bool:
    """The outermost mapping, and mappings in lists, name only some members. Others are whole."""
    if wanted is None:
        return found in (None, [], {})
    if isinstance(wanted, dict) and isinstance(found, dict):
        return (not is_whole or wanted.keys() == found.keys()) and all(
            matches(value, found.get(name), is_whole=True) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        if all(isinstance(each, str) for each in wanted):
            return sorted(wanted) == sorted(found)
        return len(wanted) == len(found) and all(map(matches, wanted, found))
    if isinstance(wanted, str) and wanted[:1] == "!":
        return found is not None and str(found) != wanted[1:]
    if isinstance(wanted, str) and wanted[:1] == "~":
        return re.fullmatch(wanted[1:], found) is not None
    return bool(wanted == found)


@pytest.mark.parametrize(("emulator", "service", "rule"), RULES)
def test_rule_holds(emulator: str, service: str, rule: dict[str, Any], running: Callable[[str], Emulator]) -> None:
    assert rule["source"].startswith("https://")
    run = Run(running(emulator), service, rule)
    for step in (*rule.get("before", []), *rule["calls"]):
        run.call(*step)
