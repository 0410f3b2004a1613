"""The output of the scripts: each text is one line, without the effect of its control characters.

Texts of others, such as CloudFormation's reasons and GitLab's responses, may contain escape sequences that hide or
forge lines. So a script writes with `write` alone, and its `main` is an `entry`.
"""

import functools
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import TextIO


def visible(text: object) -> str:
    """The text with an escape such as `\\x1b` instead of each character that is not printable: control characters, line
    breaks, and those that change the direction of a line or have no width."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text))


def write(*lines: object, to: TextIO | None = None, end: str = "\n") -> None:
    """Writes each text as one line. A line break within a text is an escape, so pass your own lines separately."""
    stream = to or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = [visible(line).encode(encoding, "backslashreplace").decode(encoding) for line in lines]
    print(*shown, sep="\n", end=end, file=stream, flush=True)


def entry(main: Callable[[], int]) -> Callable[[], int]:
    """Shows the text of `sys.exit`, and an unexpected exception, as `write` does."""
    @functools.wraps(main)
    def run() -> int:
        sys.excepthook = _show_traceback
        try:
            return main()
        except SystemExit as ended:
            raise SystemExit(visible(ended.code) if isinstance(ended.code, str) else ended.code) from None

    return run


def _show_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    # Indented, because the exception's own text may have several lines.
    shown = "".join(traceback.format_exception(kind, error, where)).rstrip("\n").split("\n")
    write(*(f"  {line}" for line in shown), to=sys.stderr)
