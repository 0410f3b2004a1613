"""The report of `make try`, without secrets and without the names of account, GitLab and project."""

import json
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cli.shell.output import BOLD, GREEN, RED
from cli.shell.terminal import visible, without_secrets
from tests.play.mirroring import Source
from tools.run.console import reason, table, write
from tools.trial.account import RemoteAccount
from tools.trial.acts import TryStory
from tools.trial.assumptions import HELD, NOT_HELD, NOT_SEEN, Observations

ROOT = Path(__file__).parents[2]

# The members of AWS's and GitLab's responses that are about a person, or about the project.
_OF_PEOPLE = re.compile(
    r"(?i)(user_?name|(author|committer|user|public)_?(name|email)|email|avatar_url"
    r"|name_with_namespace|source_?ip_?address|user_?agent|(access_?key|principal)_?id"
    r"|(author|committer|user|creator|owner|assignee|project|namespace)_?id)$"
)
# The members whose value is a person, and the members of a person.
_PERSON = re.compile(r"(?i)(author|committer|user|assignee|reviewer|creator|merged_by|closed_by)s?$")
_ABOUT_A_PERSON = ("id", "name")


def without_people(response: Any, is_person: bool = False) -> Any:
    """The response with placeholders for numbers, names and addresses of people and projects."""
    if isinstance(response, list):
        return [without_people(each, is_person) for each in response]
    if not isinstance(response, dict):
        return "<name>" if is_person and isinstance(response, str) else response
    is_person = is_person or "username" in response or "email" in response
    return {
        name: _placeholder(value)
        if isinstance(value, (str, int))
        and (_OF_PEOPLE.search(name) or (is_person and name in _ABOUT_A_PERSON))
        else without_people(value, bool(_PERSON.search(name)))
        for name, value in response.items()
        if name != "ResponseMetadata"
    }


def _placeholder(value: str | int) -> str | int:
    return "<name>" if isinstance(value, str) else 0


@dataclass
class Report:
    aws: RemoteAccount
    source: Source
    story: TryStory
    acts: list[tuple[int, str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    # Nothing can delete these at once.
    stays: tuple[str, ...] = ()

    @property
    def seen(self) -> Observations:
        return self.story.seen

    def failed(self, reason: str) -> None:
        self.failures.append(reason)

    def is_good(self) -> bool:
        """Whether every act succeeded, everything is deleted, and no assumption was refuted."""
        return not self.failures and not self.left and self.seen.count(NOT_HELD) == 0

    def print(self) -> None:
        """Prints the assumptions and writes the file."""
        write("")
        write("Assumptions", BOLD)
        table([(name, f"{result:8}  {evidence}") for name, result, evidence in self.seen.rows()])
        path = ROOT / f"try-{self.story.names.first}.md"
        path.write_text(self.masked("\n".join(self.lines()) + "\n"), encoding="utf-8")
        for name, recorded in self.seen.recorded.items():
            folder = ROOT / f"try-{self.story.names.first}-recorded"
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.json").write_text(self.public(recorded))
        write("")
        write(f"{self.summary()} The report: {path.name}", GREEN if self.is_good() else RED)
        for each in [*self.failures, *self.left, *(f"It stays: {what}" for what in self.stays)]:
            reason("- ", each)

    def summary(self) -> str:
        counts = ", ".join(f"{self.seen.count(result)} {result}" for result in (HELD, NOT_HELD, NOT_SEEN))
        return f"{len(self.acts)} acts succeeded, {len(self.failures)} failed. Assumptions: {counts}."

    def lines(self) -> Iterator[str]:
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
        yield from (
            f"# An acceptance run of cfn-gitops {version}",
            "",
            f"{time.strftime('%Y-%m-%d', time.gmtime())}, region {self.aws.region}. {self.summary()}",
            "",
        )
        yield from ("| Act | | Seconds |", "|---:|---|---:|")
        yield from (f"| {number} | {title} | {seconds:.0f} |" for number, title, seconds in self.acts)
        for title, listed in (("Failed", self.failures), ("Left", self.left), ("Stays", self.stays)):
            if listed:
                yield from ("", f"## {title}", "")
                yield from (f"- {visible(' '.join(each.split()))}" for each in listed)
        yield from ("", "## Assumptions", "", "| Name | Result | Evidence |", "|---|---|---|")
        yield from (
            f"| `{name}` | {result} | {visible(evidence).replace('|', '/')} |"
            for name, result, evidence in self.seen.rows()
        )

    def public(self, recorded: dict[str, Any]) -> str:
        """The content of a file that can be committed to a public repository."""
        text = json.dumps(without_people(recorded), default=str, indent=2, ensure_ascii=False)
        masked = self.masked(text).replace(self.story.names.first, "<run>") + "\n"
        # A name of GitLab may have half of a surrogate pair, which no file can have, or change the direction
        # of a line.
        return "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in masked)

    def masked(self, text: str) -> str:
        """Also replaces secrets, which nothing above should contain."""
        text = without_secrets(
            text, self.source.gitlab.token, *self.story.loop.passwords, *self.story.second_loop.passwords
        )
        hidden = {
            self.aws.account_id: "<account>",
            self.source.gitlab.url: "<gitlab>",
            self.source.project.path: "<project>",
        }
        for value, name in hidden.items():
            for form in (value, quote(value, safe="")):
                text = text.replace(form, name)
                # The end of a text that was shortened.
                for size in range(len(form) - 1, 2, -1):
                    text = text.replace(f"{form[:size]}…", f"{name}…")
        text = text.replace(str(urlsplit(self.source.gitlab.url).hostname), "<gitlab>")
        text = re.sub(r"https?://[^\s\"')]+", "<url>", text)
        # Other accounts, and the IDs of access keys and principals, perhaps with a session.
        text = re.sub(r"(?<![\dA-Za-z-])\d{12}(?![\dA-Za-z-])", "<account>", text)
        text = re.sub(r"\b(A[A-Z]{3})[A-Z0-9]{12,}\b(?::[^\s\"',)]+)?", r"\1<id>", text)
        # A denial names the caller: assumed-role/<role>/<session>, or user/<name>.
        own = re.escape(self.story.names.first)
        text = re.sub(
            rf"(:(?:assumed-role|user|federated-user)/)(?!role-{own})[^\s\"',)]+", r"\1<caller>", text
        )
        text = re.sub(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<email>", text)
        # A person whom a note mentions.
        text = re.sub(r"(?<![\w.+/-])@[A-Za-z][\w.-]+", "<name>", text)
        return re.sub(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", "<address>", text)
