"""The place where each subcommand ends, and each of the project's own scripts: an interrupt, an error of AWS
or of the user's machine, and the text of `sys.exit` are one line, and no signal skips a clean-up."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

# Passed on to the subcommands, which end here.
from cli.shell.failure import Failure, Interrupted
from cli.shell.terminal import shown, write


def _of_this_system(*names: str) -> tuple[signal.Signals, ...]:
    """Windows has neither SIGHUP nor alarms: https://docs.python.org/3/library/signal.html"""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


# Ctrl-C, the end of a CI job, and a closed terminal.
SIGNALS = _of_this_system("SIGINT", "SIGTERM", "SIGHUP")
_ALARM = _of_this_system("SIGALRM")

# Reports the exceptions that Python drops.
_report_dropped = sys.unraisablehook


def entry(interrupted: str) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Decorates `main`. After an interrupt, the script writes this sentence and ends with status 130."""

    def decorated(main: Callable[[], int]) -> Callable[[], int]:
        @functools.wraps(main)
        def run() -> int:
            return ended(main, interrupted)

        return run

    return decorated


def ended(
    run: Callable[[], int], interrupted: str | Callable[[], str], show: Callable[[Failure], int] | None = None
) -> int:
    """The exit status of `run`. `show` writes a failure, by default to standard error, and returns its exit
    status."""
    sys.excepthook = _show_traceback
    try:
        with _interrupted_by_signals():
            return run()
    except KeyboardInterrupt:
        # A terminal shows ^C at the beginning of the line.
        write("", to=sys.stderr)
        failure: Failure | None = Interrupted(
            "Interrupted", interrupted if isinstance(interrupted, str) else interrupted()
        )
    except SystemExit as end:
        raise SystemExit(shown(end.code) if isinstance(end.code, str) else end.code) from None
    except Exception as error:
        failure = explained(error)
        if failure is None:
            raise
    return (show or _show)(failure)


def _show(failure: Failure) -> int:
    write(failure, to=sys.stderr)
    return failure.status


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    before = handle(_interrupt)
    try:
        yield
    finally:
        restore(before)


def handle(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, signal.Handlers]:
    """Sets the handler of `SIGNALS`, and returns the former ones. `nohup` and a clean-up ignore some, which
    stay ignored. A shell without job control ignores Ctrl-C of the terminal only."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    sys.unraisablehook = _repeat_interrupt
    return {
        each: signal.signal(each, handler)
        for each in SIGNALS + _ALARM  # type: ignore[misc]
        if each == signal.SIGINT or signal.getsignal(each) != signal.SIG_IGN
    }


def restore(before: dict[signal.Signals, signal.Handlers]) -> None:
    """Sets the handlers that `handle` returned, at the end of the outermost block."""
    _set_alarm(0)
    sys.unraisablehook = _report_dropped
    for each, handler in before.items():
        signal.signal(each, handler)


def _repeat_interrupt(dropped: Any) -> None:
    """Python drops each exception of a finalizer, with the interrupt of a signal that arrives there. An
    alarm, which has the same handler, interrupts again."""
    if dropped.exc_type is KeyboardInterrupt:
        _set_alarm(0.01)
    else:
        _report_dropped(dropped)


def _set_alarm(seconds: float) -> None:
    if _ALARM:
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _interrupt(*_: object) -> None:
    end_at_ctrl_c_only()
    raise KeyboardInterrupt


def end_at_ctrl_c_only() -> None:
    """Before a clean-up. A CI host sends a second signal after seconds, and a terminal may be closed
    meanwhile."""
    for each in SIGNALS[1:]:
        signal.signal(each, signal.SIG_IGN)


def explained(error: Exception) -> Failure | None:
    """An error that has a sentence, of AWS or of the user's machine. `None` if it is a defect. Without boto3,
    which some scripts install, there is no error of AWS."""
    if isinstance(error, Failure):
        return error
    if "botocore" not in sys.modules:
        return None
    from cli.shell import machine

    return machine.explained(error)


def _show_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    # Indented, because the exception's own text may have several lines.
    lines = "".join(traceback.format_exception(kind, error, where)).rstrip("\n").split("\n")
    write(*(f"  {line}" for line in lines), to=sys.stderr)
