"""The stories of tests/scenarios. README.md there describes the format. A word that it does not list is an
error."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "scenarios"
WORLDS = ("process", "local", "account")
STEPS = {
    "create",
    "update",
    "delete",
    "push",
    "approve",
    "reject",
    "schedule",
    "rotate",
    "wait",
    "by hand",
    "expect",
}
BESIDE = {"fails", "notes", "rolled back", "canceled after", "within", "at most"}
_OF_PROCESS = {"notes", "canceled after", "within", "at most"}
EXPECTATIONS = {"repository", "mirrors", "credentials", "calls", "executions", "deployed"}
# Stories of these resources are for the world `process` only, whose runners have steps of their own.
OF_PROCESS = {"report", "approve", "review"}
_WITH_TEXTS = {"fails", "notes", "given", "create", "update"}
_MEMBERS = {
    "story",
    "observes",
    "worlds",
    "world",
    "changed by",
    "also in",
    "each",
    "given",
    "retained",
    "steps",
}
# By the first word of the file's name.
RESOURCES = {"mirrors": "MirrorCredential", "pipeline": "GitOpsPipeline", "deployment": "GitOpsPipeline"}


class UnknownWord(ValueError):
    """A file has a word that no runner performs."""


@dataclass(frozen=True)
class Step:
    word: str
    subject: Any = None
    fails: tuple[str, ...] = ()
    is_rolled_back: bool = False
    # Whether only the runner in process performs it.
    is_of_process: bool = False

    def __str__(self) -> str:
        return f"{self.word} {self.subject}" if self.subject else self.word


@dataclass(frozen=True)
class Scenario:
    name: str
    story: str
    resource: str
    worlds: tuple[str, ...]
    given: tuple[Any, ...]
    steps: tuple[Step, ...]
    # The rows of docs/project/assumptions.md that hold if an account plays the story to its end.
    observes: tuple[str, ...] = ()


def scenarios(world: str) -> list[Scenario]:
    """The stories that are played in this world, by name."""
    paths = [path for path in sorted(FOLDER.glob("*.yaml")) if path.stem.split("_")[0] not in OF_PROCESS]
    given = [found for path in paths for found in read(path)]
    return [found for found in given if world in found.worlds]


def read(path: Path) -> Iterator[Scenario]:
    given = yaml.safe_load(path.read_text())
    try:
        for what, texts in (given.get("each") or {"": []}).items():
            yield parse(f"{path.stem}: {what}" if what else path.stem, _for_each(given, what, texts))
    except UnknownWord as error:
        raise UnknownWord(f"{path.name}: {error}") from error


def _for_each(given: Any, what: str, texts: Any) -> Any:
    """The content with `what` for `each`, and with `texts` for `fails: each`, `given: each` or `update:
    each`."""
    if isinstance(given, dict):
        return {
            name: texts if name in _WITH_TEXTS and value == "each" else _for_each(value, what, texts)
            for name, value in given.items()
            if name != "each"
        }
    if isinstance(given, list):
        return [_for_each(each, what, texts) for each in given]
    return what if given == "each" else given


def parse(name: str, given: dict[str, Any]) -> Scenario:
    _only(given, _MEMBERS)
    worlds = tuple(given.get("worlds", WORLDS))
    _only(worlds, set(WORLDS))
    if given.get("world") and worlds != ("process",):
        raise UnknownWord("`world` is for the world `process` only")
    return Scenario(
        name,
        given["story"],
        RESOURCES[name.split("_")[0]],
        worlds,
        tuple(given.get("given", ())),
        tuple(_steps(given["steps"])),
        tuple(given.get("observes", ())),
    )


def _steps(listed: list[Any]) -> Iterator[Step]:
    for given in listed:
        each = {given: None} if isinstance(given, str) else given
        words = [word for word in each if word not in BESIDE]
        _only(words, STEPS)
        if len(words) != 1:
            raise UnknownWord(f"not one step: {each}")
        [word] = words
        if word == "expect":
            _only(each[word], EXPECTATIONS)
        _only({each["rolled back"]} if "rolled back" in each else (), {"update", "delete"})
        is_of_process = (
            not _OF_PROCESS.isdisjoint(each)
            or each.get("rolled back") == "delete"
            or (word == "rotate" and "fails" in each)
            or (word == "push" and isinstance(each[word], dict) and "files" in each[word])
        )
        yield Step(word, each[word], tuple(each.get("fails", ())), "rolled back" in each, is_of_process)


def _only(words: Any, known: set[str]) -> None:
    unknown = sorted(set(words) - known)
    if unknown:
        raise UnknownWord(f"unknown: {', '.join(unknown)}. Known are {', '.join(sorted(known))}")
