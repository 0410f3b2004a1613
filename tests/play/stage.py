"""Where a story of tests/scenarios is played, and the steps that both resources have.

It uses public interfaces only: CloudFormation, git, GitLab's API and the SDK of AWS. So one player serves the
local AWS and an account."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.play.mirroring import Source
from tests.play.pipelines import Pipeline
from tests.play.scenarios import Scenario, Step
from tests.play.steps import Account, Login, Stack
from tests.play.waiting import NotInTime, eventually

# The branches of a project, and those that it protects.
BRANCHES, PROTECTED = ("main", "development", "feature"), ("main", "development")
# CloudFormation sends an Update only if a property differs.
_TIMEOUTS = (300, 301)


class Mismatch(Exception):
    """The world differs from the story."""


def _nothing(_: Any) -> None:
    pass


@dataclass
class Stage:
    """Where a story is played."""

    aws: Account
    env_id: str
    directory: Path
    # Letters and digits in the name of each resource of the story.
    id: str
    # GitLab's project of a name in the story, with its token's secret.
    source: Callable[[str], Source]
    # A developer's login for the environment's repositories.
    git_login: Callable[[], Login]
    # The beginning of the story's branches. The project may have others.
    prefix: str = ""
    show: Callable[[str], None] = _nothing
    before_deletion: Callable[[Pipeline], None] = _nothing
    passwords: set[str] = field(default_factory=set)

    @property
    def stack(self) -> str:
        """The stack of the resource."""
        return f"story-{self.env_id}-{self.id}"

    @property
    def base(self) -> str:
        """The stack of what the story is given."""
        return f"{self.stack}-base"


def method(word: str) -> str:
    """The name of the method that performs the step."""
    return f"do_{word.replace(' ', '_')}"


class Player(ABC):
    # The known members of `given`.
    GIVEN: tuple[str, ...] = ()

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        self.stage, self.aws, self.scenario = stage, stage.aws, scenario
        self.stack = Stack(stage.aws, stage.stack)
        # `None` while the resource does not exist.
        self.properties: dict[str, Any] | None = None
        self._so_far = self.defaults()
        self._updates = 0

    @abstractmethod
    def prepare(self) -> None:
        """Creates what the story is given."""

    @abstractmethod
    def defaults(self) -> dict[str, Any]:
        """The properties of a `create` without any."""

    @abstractmethod
    def names(self) -> dict[str, Callable[[Any], Any]]:
        """The translation of each property that contains names."""

    @abstractmethod
    def is_at_rest(self) -> str:
        """The first difference from the properties and from the pushes so far, empty without one."""

    @abstractmethod
    def is_left(self) -> str:
        """The leftovers of the resource, empty without any."""

    def perform(self, step: Step) -> None:
        began = time.monotonic()
        getattr(self, method(step.word))(step)
        if step.word not in ("by hand", "wait", "expect"):
            self._comes(self.is_left if self.properties is None else self.is_at_rest, f"after {step}")
        self.stage.show(f"{step}: ok, {time.monotonic() - began:.0f} s")

    def _comes(self, look: Callable[[], str], when: str) -> None:
        """Waits until nothing differs."""
        found = [""]

        def nothing_differs() -> bool:
            found[0] = look()
            return not found[0]

        try:
            eventually(nothing_differs, when)
        except NotInTime as late:
            raise Mismatch(f"{when}: {found[0]}") from late

    # --- the stack ------------------------------------------------------------------------

    def do_create(self, step: Step) -> None:
        self.stack = Stack(self.aws, self.stack.name)
        self._change(step, self.stack.create, "CREATE_COMPLETE", "ROLLBACK_COMPLETE")
        if step.fails:
            self.stack.delete()

    def do_update(self, step: Step) -> None:
        self._change(step, self.stack.update, "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

    def do_delete(self, step: Step) -> None:
        self.before_delete()
        self._expect_status(self.stack.delete(), "DELETE_COMPLETE")
        self.properties = None

    def before_delete(self) -> None:  # noqa: B027 - most stories need nothing
        pass

    def _change(self, step: Step, send: Callable[[str], str], good: str, bad: str) -> None:
        after = {**self._so_far, **self.properties_of(step)}
        after = {name: value for name, value in after.items() if value is not None}
        self._updates += 1
        events = len(self.stack.events()) if self.stack.id else 0
        is_bad = bool(step.fails) or step.is_rolled_back
        status = send(self.template(after, step.is_rolled_back))
        self._expect_status(status, bad if is_bad else good)
        reasons = "\n".join(event.get("ResourceStatusReason", "") for event in self.stack.events()[events:])
        missing = [text for text in step.fails if text not in reasons]
        if missing:
            raise Mismatch(f"the reason lacks {missing}: {reasons}")
        if not is_bad:
            self.properties = self._so_far = after

    def _expect_status(self, status: str, expected: str) -> None:
        if status != expected:
            raise Mismatch(f"{self.stack.name} is {status}: {'; '.join(self.stack.failures())}")

    def properties_of(self, step: Step) -> dict[str, Any]:
        return {
            name: self.defaults()[name] if value == "default" else value
            for name, value in (step.subject or {}).items()
        }

    def template(self, properties: dict[str, Any], fails_later: bool = False) -> str:
        """A stack with the resource. If it `fails_later`, another one, which fails without an effect, follows
        it."""
        token = {"Fn::ImportValue": f"cfn-gitops-{self.stage.env_id}-ServiceToken"}
        sent = {
            "ServiceToken": token,
            "ServiceTimeout": _TIMEOUTS[self._updates % 2],
            **self.here(properties),
        }
        resources = {"Resource": {"Type": f"Custom::{self.scenario.resource}", "Properties": sent}}
        if fails_later:
            resources["Fails"] = {
                "Type": "Custom::GitOpsPipeline",
                "DependsOn": "Resource",  # type: ignore[dict-item]
                "Properties": {"ServiceToken": token},
            }
        return json.dumps({"Resources": resources})

    def create_base(self, resources: dict[str, Any]) -> None:
        base = Stack(self.aws, self.stage.base)
        status = base.create(json.dumps({"Resources": resources}))
        if status != "CREATE_COMPLETE":
            raise Mismatch(f"{base.name} is {status}: {base.failures()}")

    def base_repository(self, name: str) -> dict[str, Any]:
        return {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name}}

    def here(self, properties: Any) -> Any:
        """The properties with the names of this world."""
        if isinstance(properties, list):
            return [self.here(each) for each in properties]
        if not isinstance(properties, dict):
            return properties
        names = self.names()
        return {
            name: names[name](value) if name in names else self.here(value)
            for name, value in properties.items()
        }

    # --- names ------------------------------------------------------------------------------

    def branch(self, name: str) -> str:
        return f"{self.stage.prefix}{name}"

    # --- expectations -----------------------------------------------------------------------

    def do_wait(self, _: Step) -> None:  # noqa: B027
        """Nothing is simulated here: the player waits for the next expectation."""

    def do_expect(self, step: Step) -> None:
        for name, expected in step.subject.items():
            # Only the runner in process counts calls.
            if name != "calls":
                self._comes(partial(self._difference, getattr(self, f"see_{name}"), expected), name)

    def _difference(self, look: Callable[[], Any], expected: Any) -> str:
        found = look()
        is_same = found == (sorted(expected) if isinstance(expected, list) else expected)
        return "" if is_same else f"it is {found}, and not {expected}"
