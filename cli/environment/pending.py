"""Calls that run at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Pending:
    """The result of a call that runs in a thread. Ctrl-C does not wait for a daemon thread, as it would for a
    pool's."""

    def __init__(self, call: Callable[[], Any], limit: threading.Semaphore) -> None:
        self._call, self._limit, self._error, self._began = call, limit, None, time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._limit:
                self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self, seconds: float | None = None) -> Any:
        """`None` if the call has not ended these seconds after its start."""
        self._thread.join(None if seconds is None else max(0.0, self._began + seconds - time.monotonic()))
        if self._thread.is_alive():
            return None
        if self._error:
            raise self._error
        return self._result
