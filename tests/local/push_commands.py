"""Parses the commands of a push: the beginning of the body of `git-receive-pack`, before its pack.

https://git-scm.com/docs/pack-protocol#_reference_update_request_and_packfile_transfer
"""

import gzip
import os
import re
from dataclasses import dataclass
from typing import BinaryIO

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FLUSH = 0
# `0001` and `0002` belong to protocol 2, which a push does not use. `0004` is an empty line.
_LENGTH_BYTES = 4


class Malformed(Exception):
    """The body is not a list of commands. An unreadable push cannot be evaluated, so it is rejected."""


@dataclass(frozen=True)
class Command:
    old: str
    new: str
    reference: str


def read_file(body: BinaryIO, encoding: str) -> list[Command]:
    """The commands of a body in a file, which git reads afterwards. Empty for a body that is only a flush:
    git sends it to check its access before it sends a large pack."""
    commands: list[Command] = []
    lines = gzip.GzipFile(fileobj=body) if encoding in {"gzip", "x-gzip"} else body
    try:
        while (line := _line(lines)) is not None:
            if not line.startswith("shallow "):
                commands.append(_command(line))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from error
    # git gets the file itself: a seek in Python's buffer would leave its position at the buffer's end.
    os.lseek(body.fileno(), body.seek(0), os.SEEK_SET)
    return commands


def _line(body: BinaryIO | gzip.GzipFile) -> str | None:
    head = body.read(_LENGTH_BYTES)
    if not re.fullmatch(rb"[0-9a-fA-F]{4}", head):
        raise Malformed("a line without its length")
    length = int(head, 16)
    if length == _FLUSH:
        return None
    content = body.read(length - _LENGTH_BYTES) if length > _LENGTH_BYTES else b""
    if len(content) != length - _LENGTH_BYTES:
        raise Malformed("a line that ends too early")
    # The first command is followed by a NUL and the client's capabilities.
    return content.split(b"\0", 1)[0].decode().removesuffix("\n")


def _command(line: str) -> Command:
    """A signed push (`push-cert`) is malformed as well: no server here announces support for it."""
    old, _, rest = line.partition(" ")
    new, _, reference = rest.partition(" ")
    if not (_ID.fullmatch(old) and _ID.fullmatch(new) and reference):
        raise Malformed(f"no command: {line[:100]!r}")
    return Command(old, new, reference)
