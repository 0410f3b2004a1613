"""The output of the scripts: each text is one line, without secrets and without the effect of its control
characters.

Texts of others, such as CloudFormation's reasons and GitLab's responses, may contain escape sequences that
hide or forge lines. So a script writes with `write` alone, and ends with `ending.ended`.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import errno
import functools
import os
import re
import sys
import threading
from collections.abc import Collection, Iterator
from typing import TextIO

_MASK = "<secret>"
# A shorter part of a secret is shown.
_PART = 6
# The characters of a text that is shortened.
_SEARCHED = 10_000
# Why a part of the output was lost, unless its reader has ended: a full disk.
_LOST: list[str] = []
# Their members may be added later.
_SECRETS: list[Collection[str]] = []
# A character, perhaps as an address, JSON or HTML has it.
_CHARACTER = re.compile(
    r"%([0-9a-f]{2})|\\u00([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});|.", re.DOTALL | re.IGNORECASE
)


def hide(secrets: Collection[str]) -> None:
    """From now on, no output has a member of this collection."""
    _SECRETS.append(secrets)


def without_secrets(text: object, *more: str) -> str:
    """The text without the hidden secrets and these, and without their parts: another program may have
    shortened it. Their Base64 is not shown either, as of `oauth2:<token>` in a header, nor their escapes in
    addresses, JSON and HTML."""
    parts = set[str]().union(*map(_parts, {*more, *(each for secrets in _SECRETS for each in secrets)}))
    if not parts:
        return str(text)
    read = list(_CHARACTER.finditer(str(text)))
    plain = "".join(map(_decoded, read))
    secret = [False] * len(plain)
    for at in range(len(plain) - _PART + 1):
        if plain[at : at + _PART] in parts:
            secret[at : at + _PART] = [True] * _PART
    left, was_secret = "", False
    for character, is_secret in zip(read, secret):
        if not is_secret:
            left += character[0]
        elif not was_secret:
            left += _MASK
        was_secret = is_secret
    return left


def _decoded(character: re.Match[str]) -> str:
    hexadecimal = character[1] or character[2] or character[3]
    return (
        chr(int(hexadecimal, 16) if hexadecimal else int(character[4]))
        if character.lastindex
        else character[0]
    )


@functools.cache
def _parts(secret: str) -> frozenset[str]:
    """Each part of the secret, and of its Base64 behind any text: its first characters depend on that text.
    Empty for a secret without such a part."""
    forms, content = (
        [secret, "".join(map(_decoded, _CHARACTER.finditer(secret)))],
        secret.encode(errors="surrogateescape"),
    )
    for before in range(3):
        # A character has six bits. All of these have to be the secret's.
        encoded = base64.b64encode(b"." * before + content).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        forms += [own, own.translate(str.maketrans("+/", "-_"))]
    return frozenset(
        form[at : at + _PART] for form in forms if len(secret) >= _PART for at in range(len(form) - _PART + 1)
    )


def shortened(text: object, limit: int) -> str:
    """The beginning of the text without secrets, and then with at most this many characters."""
    # A search takes seconds for a megabyte. A secret that is cut here has less than a part at the end, or is
    # recognized.
    begins = str(text)[:_SEARCHED]
    whole = without_secrets(begins)
    return whole if len(whole) <= limit and len(begins) == len(str(text)) else f"{whole[: limit - 1]}…"


def visible(text: object) -> str:
    """The text with an escape such as `\\x1b` instead of each control or format character, for example a line
    break, or one that changes the direction of a line. Letters and marks without a width stay, as many
    languages have them."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text)
    )


def shown(text: object) -> str:
    """The text as the terminal shows it."""
    return visible(without_secrets(text))


def write(*lines: object, to: TextIO | None = None, end: str = "\n") -> None:
    """Writes each text as one line. A line break within a text is an escape, so pass your own lines
    separately."""
    write_shown("\n".join(map(shown, lines)) + end, to)


def write_shown(text: str, to: TextIO | None = None) -> None:
    """Writes a text whose parts are `shown`, for example with colours between them."""
    stream = to or sys.stdout
    if stream is None:
        # The file was closed before the start.
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end="", file=stream, flush=True)
    except OSError as error:
        # The terminal is closed, the reader of a pipe has ended, or a disk is full. The script goes on, as
        # with a clean-up.
        if stream is sys.stdout and error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF):
            _LOST.append(str(error.strerror))
        # It remains until the end. Python would report there that it is not closed.
        nowhere = open(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)  # noqa: SIM115
        with contextlib.suppress(OSError, ValueError):
            # Python writes the rest of the buffer at its end, and would report that it cannot.
            os.dup2(nowhere.fileno(), stream.fileno())
        if stream is sys.stdout:
            sys.stdout = nowhere
        elif stream is sys.stderr:
            sys.stderr = nowhere


def loss() -> str:
    """Why a part of the standard output was lost. Empty if it was not, or if its reader has ended."""
    return "".join(_LOST[:1])


@contextlib.contextmanager
def output_of_another_program() -> Iterator[int]:
    """A file for the output of another program, which appears on the terminal at once. Its line breaks are
    kept."""
    reading, writing = os.pipe()

    def pass_on() -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while content := os.read(reading, 65_536):
            # A carriage return would write over the line.
            write_shown(
                "\n".join(
                    map(shown, decoder.decode(content).replace("\r\n", "\n").replace("\r", "\n").split("\n"))
                )
            )
        os.close(reading)

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    try:
        yield writing
    finally:
        os.close(writing)
        # A child of the program may still have it.
        thread.join(5)
