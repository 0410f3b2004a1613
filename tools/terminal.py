"""The output of the scripts: each text is one line, without secrets and without the effect of its control characters.

Texts of others, such as CloudFormation's reasons and GitLab's responses, may contain escape sequences that hide or
forge lines. So a script writes with `write` alone, and its `main` is an `entry`.
"""

import base64
import functools
import re
import sys
import traceback
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TextIO

_MASK = "<secret>"
# A shorter part of a secret is shown: `glpat-` begins each token of GitLab.
_SHORTEST_PART = 6
# Their members may be added later.
_SECRETS: list[Collection[str]] = []
# A character, perhaps as an address, JSON or HTML has it.
_CHARACTER = re.compile(r"%([0-9a-f]{2})|\\u00([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});|.", re.DOTALL | re.IGNORECASE)


def hide(secrets: Collection[str]) -> None:
    """From now on, no output has a member of this collection."""
    _SECRETS.append(secrets)


def without_secrets(text: object, *more: str) -> str:
    """The text without the hidden secrets and these, and without their parts: another program may have shortened it.
    Their Base64 is not shown either, as of `oauth2:<token>` in a header, nor their escapes in addresses, JSON and HTML."""
    parts = set[str]().union(*map(_parts, {*more, *(each for secrets in _SECRETS for each in secrets)} - {""}))
    if not parts:
        return str(text)
    read = list(_CHARACTER.finditer(str(text)))
    plain = "".join(map(_decoded, read))
    secret = [False] * len(plain)
    for size in {len(part) for part in parts}:
        for at in range(len(plain) - size + 1):
            if plain[at:at + size] in parts:
                secret[at:at + size] = [True] * size
    left, was_secret = "", False
    for character, is_secret in zip(read, secret, strict=True):
        if not is_secret:
            left += character[0]
        elif not was_secret:
            left += _MASK
        was_secret = is_secret
    return left


def _decoded(character: re.Match[str]) -> str:
    hexadecimal = character[1] or character[2] or character[3]
    return chr(int(hexadecimal, 16) if hexadecimal else int(character[4])) if character.lastindex else character[0]


@functools.cache
def _parts(secret: str) -> frozenset[str]:
    """Each part of the secret, and of its Base64 behind any text: its first characters depend on that text."""
    forms, content = [secret, "".join(map(_decoded, _CHARACTER.finditer(secret)))], secret.encode(errors="surrogateescape")
    for before in range(3):
        # A character has six bits. All of these have to be the secret's.
        encoded = base64.b64encode(b"." * before + content).decode()
        own = encoded[-(-before * 8 // 6):(before + len(content)) * 8 // 6]
        forms += [own, own.translate(str.maketrans("+/", "-_"))]
    return frozenset(form[at:at + size] for form in forms if (size := min(_SHORTEST_PART, len(form)))
                     for at in range(len(form) - size + 1))


def shortened(text: object, limit: int) -> str:
    """The text without secrets, and then with at most this many characters."""
    whole = without_secrets(text)
    return whole if len(whole) <= limit else f"{whole[:limit - 1]}…"


def visible(text: object) -> str:
    """The text with an escape such as `\\x1b` instead of each character that is not printable: control characters, line
    breaks, and those that change the direction of a line or have no width."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text))


def shown(text: object) -> str:
    """The text as the terminal shows it."""
    return visible(without_secrets(text))


def write(*lines: object, to: TextIO | None = None, end: str = "\n") -> None:
    """Writes each text as one line. A line break within a text is an escape, so pass your own lines separately."""
    stream = to or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(*(shown(line).encode(encoding, "backslashreplace").decode(encoding) for line in lines),
          sep="\n", end=end, file=stream, flush=True)


def entry(main: Callable[[], int]) -> Callable[[], int]:
    """Shows the text of `sys.exit`, an error of AWS and an unexpected exception as `write` does."""
    @functools.wraps(main)
    def run() -> int:
        sys.excepthook = _show_traceback
        try:
            return main()
        except SystemExit as ended:
            raise SystemExit(shown(ended.code) if isinstance(ended.code, str) else ended.code) from None
        except _errors_of_aws() as error:
            write(f"{error}. Correct the cause, and run this again", to=sys.stderr)
            return 1

    return run


def _errors_of_aws() -> tuple[type[Exception], ...]:
    """Without an import: some scripts run before boto3 is installed."""
    exceptions = sys.modules.get("botocore.exceptions")
    return (exceptions.BotoCoreError, exceptions.ClientError) if exceptions else ()


def _show_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    # Indented, because the exception's own text may have several lines.
    lines = "".join(traceback.format_exception(kind, error, where)).rstrip("\n").split("\n")
    write(*(f"  {line}" for line in lines), to=sys.stderr)
