"""The changes that a subcommand has made and left, which decide how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.shell.failure import Failure, NotLooked, status_of


@dataclass
class Changes:
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    # How many of these were only not read.
    unread: int = 0
    has_begun: bool = False
    # The change that goes on or is incomplete now, and the sentence after an interrupt if it is a whole one.
    ongoing: str = ""
    interrupted: str = ""

    def begin(self, ongoing: str = "", interrupted: str = "") -> None:
        self.has_begun, self.ongoing, self.interrupted = True, ongoing, interrupted

    def status_of(self, failure: Failure) -> int:
        return Failure.status if self.has_begun and failure.status == NotLooked.status else failure.status

    def status_of_left(self) -> int:
        return status_of(len(self.left) > (0 if self.has_begun else self.unread), self.left)

    def after_interrupt(self) -> str:
        if not self.has_begun:
            return "Nothing was changed"
        if self.interrupted:
            return self.interrupted
        done = f"Done: {'; '.join(self.done)}" if self.done else ""
        return ". ".join(filter(None, (done, self.ongoing, "Run this again for the rest")))
